//! The CPU backend: networks run on OpenVINO, the other stages are this crate's own definitions.

mod alone;
mod measure;
mod runtime;
mod scale;
mod session;

pub use alone::NetworkAlone;
pub(crate) use measure::{measure, prepare};
pub use runtime::Runtime;
pub(crate) use runtime::probe;

use super::Backend;
use crate::colour::Affine;
use crate::convert::{self, Picture, PictureMut, Shown};
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameFormat, FrameMut};
use crate::geometry::{Geometry, Window};
use crate::memory;
use crate::model::Model;
use crate::settings::{Look, Settings};
use crate::trunk;
use scale::Scaler;
use session::{Plan, Session, Tensor};

/// A network on OpenVINO with all that brings frames to it and back.
pub(crate) struct Cpu {
    session: Session,
    geometry: Geometry,
    into_network: Affine,
    from_network: Affine,
    /// Values of black and white at the network's output.
    bounds: (f32, f32),
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
        let runtime = probe()?;
        let description = format!(
            "cpu: {}, {}, {painted_width}x{painted_height}",
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
            bounds: (low - output_shift, high - output_shift),
            scaler,
            description,
        })
    }

    /// The window of the network's output, which may be a few pixels off its input's size.
    fn painted_window(&self) -> (Window, (usize, usize)) {
        let painted = self.session.painted_size();
        let Geometry {
            padded_width,
            padded_height,
            window,
        } = self.geometry;
        if painted == (padded_width, padded_height) {
            return (window, painted);
        }
        let along = |position: usize, painted: usize, padded: usize| position * painted / padded;
        let window = Window {
            left: along(window.left, painted.0, padded_width),
            top: along(window.top, painted.1, padded_height),
            width: along(window.width, painted.0, padded_width).max(1),
            height: along(window.height, painted.1, padded_height).max(1),
        };
        (window, painted)
    }
}

impl Backend for Cpu {
    type Tensor = Tensor;

    fn alloc_input(&mut self) -> Result<Tensor> {
        self.session.alloc_input()
    }

    fn alloc_painted(&mut self) -> Result<Tensor> {
        self.session.alloc_painted()
    }

    fn upload(&mut self, frame: &Frame<'_>, input: &mut Tensor) -> Result<()> {
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
        let shown = Shown {
            frame,
            map: &self.into_network,
        };
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

    fn download(
        &mut self,
        painted: &Tensor,
        source: &Frame<'_>,
        look: Look,
        target: &mut FrameMut<'_>,
    ) -> Result<()> {
        let (window, (width, height)) = self.painted_window();
        let (data, arrangement) = (painted.values()?, self.session.painted_arrangement());
        let picture = Picture {
            data,
            width,
            height,
            window,
            arrangement,
        };
        let picture = match &mut self.scaler {
            None => picture,
            Some(scaler) => scaler.scale_up(&picture)?,
        };
        convert::write(
            &picture,
            &self.from_network,
            self.bounds,
            source,
            look,
            target,
        );
        Ok(())
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}
