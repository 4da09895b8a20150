//! The CPU backend: networks run on OpenVINO, the other stages are this crate's own definitions.

mod alone;
mod measure;
mod runtime;
pub(super) mod scale;
mod session;
mod steady;

pub use alone::NetworkAlone;
pub(crate) use measure::{measure, prepare};
pub use runtime::Runtime;
pub(crate) use runtime::probe;

use super::values::Values;
use super::{Backend, Done};
use crate::convert::{self, Paint, Picture, PictureMut, Pixels, Shown};
use crate::error::Result;
use crate::frame::{Frame, FrameFormat, FrameMut};
use crate::geometry::{Geometry, Window};
use crate::memory;
use crate::model::Model;
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
    values: Values,
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
        let n_slots = settings.checked_slots()?;
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
        // A trunk spares the runtime work that upload and download do on the way.
        let trunk = trunk::fitting(model, &geometry, (format.width, format.height));
        let plan = Plan {
            trunk: trunk.as_ref(),
            size,
            precision,
            n_slots,
        };
        let session = Session::open(model, &convention, &plan)?;
        let (painted_width, painted_height) = session.painted_size();
        let scaler = (scales || (painted_width, painted_height) != size)
            .then(|| Scaler::new(format.width, format.height, geometry.window));
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
            values: Values::new(format, &convention, trunk.as_ref()),
            steady: Steady::new(format, settings.frame_interval),
            scaler,
            description,
        })
    }

    /// The window of the network's output.
    fn painted_window(&self) -> Window {
        self.geometry.painted_window(self.session.painted_size())
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
        let map = &self.values.relit(light);
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
            bounds: self.values.bounds,
            is_bgr: self.values.is_bgr,
        };
        Ok(self.steady.blend(&painted, motion))
    }

    fn hand_over(&mut self) -> Option<Past> {
        Some(self.steady.hand_over())
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
                    map: &self.values.from_network,
                    bounds: self.values.bounds,
                    source,
                    look,
                };
                write(&paint, scaler, size, target)
            }
            Done::Blended => {
                let paint = Paint {
                    picture: &self.steady.history,
                    map: &self.values.from_history,
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
