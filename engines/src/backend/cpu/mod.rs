//! The CPU backend: networks run on OpenVINO, the other stages are this crate's own definitions.

mod alone;
mod measure;
mod runtime;
mod scale;
mod session;
mod steady;

pub use alone::NetworkAlone;
pub(crate) use measure::{measure, prepare};
pub use runtime::Runtime;
pub(crate) use runtime::probe;

use super::{Backend, Done};
use crate::colour::Affine;
use crate::convert::{self, Paint, Picture, PictureMut, Pixels, Shown};
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameFormat, FrameMut};
use crate::geometry::{Geometry, Window};
use crate::memory;
use crate::model::{Channels, Model, ValueRange};
use crate::settings::{Look, Settings};
use crate::stabilizer::{self, History, Light, Motion, Task};
use crate::trunk;
use scale::Scaler;
use session::{Plan, Session, Tensor};
use steady::{Past, Steady};

/// A network on OpenVINO with all that brings frames to it and back.
pub(crate) struct Cpu {
    session: Session,
    geometry: Geometry,
    into_network: Affine,
    from_network: Affine,
    from_history: Affine,
    /// Value of black at the network's input, and span to white.
    input_span: (f32, f32),
    /// Values of black and white at the network's output.
    bounds: (f32, f32),
    /// The network's first channel is blue.
    is_bgr: bool,
    steady: Steady,
    /// Present if the network works at another size than the frame's.
    scaler: Option<Scaler>,
    description: String,
}

impl Cpu {
    /// # Errors
    /// [`Error::OpenVinoMissing`](crate::Error::OpenVinoMissing), [`Error::Memory`](crate::Error::Memory),
    /// [`Error::Setting`](crate::Error::Setting) or [`Error::Style`](crate::Error::Style).
    pub(crate) fn open(model: &Model, format: &FrameFormat, settings: &Settings) -> Result<Self> {
        let n_slots = settings.max_in_flight;
        if !(1..=8).contains(&n_slots) {
            return Err(Error::Setting {
                name: "max-in-flight",
                found: n_slots.to_string(),
                wanted: "1 to 8 frames",
            });
        }
        let convention = measure(model)?;
        let geometry = Geometry::new(
            &convention,
            format.width,
            format.height,
            settings.processing_size,
        )?;
        memory::check(
            model.values_per_px * n_slots as f64,
            geometry.padded_width,
            geometry.padded_height,
        )?;
        let precision = measure::precision(model, &convention, settings.precision)?;
        let size = (geometry.padded_width, geometry.padded_height);
        let scales = geometry.scales(format.width, format.height);
        // A trunk spares the runtime work that upload and download do on the way; scaling works on planes.
        let trunk = if scales {
            None
        } else {
            trunk::cut(&model.bytes)
        };
        let plan = Plan {
            trunk: trunk.as_ref(),
            size,
            precision,
            n_slots,
        };
        let session = Session::open(model, &convention, &plan)?;
        let (input_shift, output_shift) =
            trunk.map_or((0.0, 0.0), |trunk| (trunk.input_shift, trunk.output_shift));

        let (input_range, output_range) = measure::ranges(&convention);
        let channels = convention.channels.value;
        let (painted_width, painted_height) = session.painted_size();
        let scaler = (scales || (painted_width, painted_height) != size)
            .then(|| Scaler::new(format.width, format.height, geometry.window));
        let (low, high) = output_range.bounds();
        let (input_low, input_high) = input_range.bounds();
        let runtime = probe()?;
        let size = match model.quality() {
            Some(quality) => format!("{quality}, "),
            None => String::new(),
        };
        let description = format!(
            "cpu: {}, {size}{}, {painted_width}x{painted_height}",
            runtime.name(),
            precision.hint(&runtime)
        );
        Ok(Self {
            session,
            geometry,
            into_network: Affine::into_network(format, channels, input_range)
                .shift_after(input_shift),
            from_network: Affine::from_network(format, channels, output_range)
                .shift_before(output_shift),
            from_history: Affine::from_network(format, Channels::Rgb, ValueRange::Unit)
                .scale_before(1.0 / History::WHITE),
            input_span: (input_low + input_shift, input_high - input_low),
            bounds: (low - output_shift, high - output_shift),
            is_bgr: channels == Channels::Bgr,
            steady: Steady::new(format, settings.frame_interval),
            scaler,
            description,
        })
    }

    /// The window of the network's output, which may be a few pixels off its input's size.
    fn painted_window(&self) -> Window {
        let painted = self.session.painted_size();
        let Geometry {
            padded_width,
            padded_height,
            window,
        } = self.geometry;
        if painted == (padded_width, padded_height) {
            return window;
        }
        let along = |position: usize, painted: usize, padded: usize| position * painted / padded;
        Window {
            left: along(window.left, painted.0, padded_width),
            top: along(window.top, painted.1, padded_height),
            width: along(window.width, painted.0, padded_width).max(1),
            height: along(window.height, painted.1, padded_height).max(1),
        }
    }
}

impl Backend for Cpu {
    type Tensor = Tensor;
    type Motion = Motion;
    type Past = Past;

    fn alloc_input(&mut self) -> Result<Tensor> {
        self.session.alloc_input()
    }

    fn alloc_painted(&mut self) -> Result<Tensor> {
        self.session.alloc_painted()
    }

    fn alloc_motion(&mut self) -> Motion {
        Motion::default()
    }

    fn follow(&mut self, frame: &Frame<'_>, task: Task, motion: &mut Motion) -> Result<Light> {
        Ok(self.steady.tracker.follow(frame, task, motion))
    }

    fn forget(&mut self) {
        self.steady.forget();
    }

    fn upload(&mut self, frame: &Frame<'_>, light: Light, input: &mut Tensor) -> Result<()> {
        let Geometry {
            padded_width: width,
            padded_height: height,
            window,
        } = self.geometry;
        let (data, arrangement) = (input.values_mut()?, self.session.input_arrangement());
        let mut picture = PictureMut {
            data,
            width,
            height,
            window,
            arrangement,
        };
        let (black, span) = self.input_span;
        let map = &self
            .into_network
            .relight(light.gain, black, light.offset / 255.0 * span);
        let shown = Shown { frame, map };
        match &mut self.scaler {
            None => convert::read(&shown, &mut picture),
            Some(scaler) => scaler.read(&shown, &mut picture)?,
        }
        Ok(())
    }

    fn infer(&mut self, slot_idx: usize, input: &Tensor, painted: &mut Tensor) -> Result<()> {
        self.session.infer(slot_idx, input, painted)
    }

    fn wait(&mut self, slot_idx: usize) -> Result<()> {
        self.session.wait(slot_idx)
    }

    fn blend(&mut self, painted: &Tensor, motion: Option<&Motion>) -> Result<bool> {
        let painted = stabilizer::Painted {
            picture: picture_of(painted, &self.session, self.painted_window())?,
            bounds: self.bounds,
            is_bgr: self.is_bgr,
        };
        Ok(self.steady.blend(&painted, motion))
    }

    fn hand_over(&mut self) -> Past {
        self.steady.hand_over()
    }

    fn take_over(&mut self, past: Past) -> bool {
        let window = self.painted_window();
        self.steady.take_over(past, (window.width, window.height))
    }

    fn is_fading(&self) -> bool {
        self.steady.is_fading()
    }

    fn download(
        &mut self,
        done: Done<'_, Tensor>,
        source: &Frame<'_>,
        look: Look,
        target: &mut FrameMut<'_>,
    ) -> Result<()> {
        let window = self.painted_window();
        let size = (window.width, window.height);
        let scaler = self.scaler.as_mut();
        match done {
            Done::Painted(painted) => {
                let picture = picture_of(painted, &self.session, window)?;
                let paint = Paint {
                    picture: &picture,
                    map: &self.from_network,
                    bounds: self.bounds,
                    source,
                    look,
                };
                write(&paint, scaler, size, target)
            }
            Done::Blended => {
                let paint = Paint {
                    picture: &self.steady.history,
                    map: &self.from_history,
                    bounds: (0.0, History::WHITE),
                    source,
                    look,
                };
                write(&paint, scaler, size, target)
            }
        }
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

/// What the network gave, as the rest sees it.
fn picture_of<'a>(painted: &'a Tensor, session: &Session, window: Window) -> Result<Picture<'a>> {
    let (width, height) = session.painted_size();
    Ok(Picture {
        data: painted.values()?,
        width,
        height,
        window,
        arrangement: session.painted_arrangement(),
    })
}

/// Writes a picture of `size` into a frame, scaled if need be.
fn write<P: Pixels>(
    paint: &Paint<'_, P>,
    scaler: Option<&mut Scaler>,
    size: (usize, usize),
    target: &mut FrameMut<'_>,
) -> Result<()> {
    let &Paint {
        picture,
        map,
        bounds,
        source,
        look,
    } = paint;
    match scaler {
        None => convert::write(paint, target),
        Some(scaler) => {
            let picture = &scaler.scale_up(picture, size)?;
            convert::write(
                &Paint {
                    picture,
                    map,
                    bounds,
                    source,
                    look,
                },
                target,
            );
        }
    }
    Ok(())
}
