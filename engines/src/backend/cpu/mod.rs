//! The CPU backend: networks run on OpenVINO, or by our own code where that is faster; the other stages are this crate's
//! own definitions.

mod alone;
mod measure;
mod network;
mod own;
mod runtime;
mod session;
mod steady;
mod trial;

pub use alone::NetworkAlone;
pub(crate) use measure::{measure, prepare};
pub use runtime::Runtime;
pub(crate) use runtime::probe;

use super::values::Values;
use super::{Backend, Done};
use crate::convert::{self, Grow, Paint, Shown, Shrink};
use crate::error::Result;
use crate::frame::{Frame, FrameFormat, FrameMut};
use crate::geometry::{Geometry, Window};
use crate::memory;
use crate::model::Model;
use crate::settings::{Look, Settings};
use crate::stabilizer::{History, Light, Motion, Painted, Task};
use crate::trunk;
use network::Network;
use rayon::iter::ParallelIterator;
use session::{Plan, Tensor};
use steady::{Past, Steady};

/// A network with all that brings frames to it and back.
pub(crate) struct Cpu {
    network: Network,
    geometry: Geometry,
    values: Values,
    steady: Steady,
    /// Present if the network works at another size than the frame's, or gives one.
    shrink: Option<Shrink>,
    grow: Option<Grow>,
    /// Whether the network gives values that are not yet cut to the range from black to white.
    is_trunk: bool,
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
        let way = measure::way(model, &convention, settings.precision)?;
        let size = (geometry.padded_width, geometry.padded_height);
        // A trunk spares the runtime work that upload and download do on the way.
        let trunk = trunk::of(model, &geometry);
        let plan = Plan {
            trunk: trunk.as_ref(),
            size,
            way,
            by_rows: !geometry.scales(format.width, format.height),
            n_slots,
        };
        let network = Network::open(model, &convention, plan)?;
        let (painted_width, painted_height) = network.painted_size();
        let size_of = |window: Window| (window.width, window.height);
        let (own, seen) = ((format.width, format.height), size_of(geometry.window));
        let painted = size_of(geometry.painted_window(network.painted_size()));
        let [runtime, number_format] = network.way().words(&probe()?);
        let size = match model.quality() {
            Some(quality) => format!("{quality}, "),
            None => String::new(),
        };
        let description =
            format!("cpu: {runtime}, {size}{number_format}, {painted_width}x{painted_height}");
        Ok(Self {
            network,
            geometry,
            values: Values::new(format, &convention, trunk.as_ref()),
            steady: Steady::new(format, settings.frame_interval),
            shrink: geometry
                .scales(own.0, own.1)
                .then(|| Shrink::new(format, seen)),
            grow: (painted != own).then(|| Grow::new(painted, format)),
            is_trunk: trunk.is_some(),
            description,
        })
    }

    /// The window of the network's output.
    fn painted_window(&self) -> Window {
        self.geometry.painted_window(self.network.painted_size())
    }
}

impl Backend for Cpu {
    type Tensor = Tensor;
    type Motion = Motion;
    type Past = Past;
    /// Nothing of it moves.
    type Held<'a> = (&'a Tensor, &'a Motion);

    /// On a thread of those that share the work: any other would wake them and fall asleep itself for each of the dozen
    /// passes over a frame, and on a busy machine wait for its turn each time.
    fn work<T: Send>(verbs: impl FnOnce() -> T + Send) -> T {
        rayon::scope(|_| verbs())
    }

    fn alloc_input(&mut self) -> Result<Tensor> {
        self.network.alloc_input()
    }

    fn alloc_painted(&mut self) -> Result<Tensor> {
        self.network.alloc_painted()
    }

    fn alloc_motion(&mut self) -> Result<Motion> {
        Ok(Motion::default())
    }

    fn send(&mut self, _: &Frame<'_>, _: &mut Tensor) -> Result<()> {
        Ok(())
    }

    fn follow(
        &mut self,
        frame: &Frame<'_>,
        _: &Tensor,
        task: Task,
        motion: &mut Motion,
    ) -> Result<Light> {
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
        let map = &self.values.relit(light);
        let (shown, place) = (Shown { frame, map }, ((width, height), window));
        match &self.shrink {
            None => self.network.open_on(&shown, place, input),
            Some(shrink) => self.network.open_on(&shrink.rows(&shown), place, input),
        }
    }

    fn infer(&mut self, slot_idx: usize, input: &Tensor, painted: &mut Tensor) -> Result<()> {
        self.network.infer(slot_idx, input, painted)
    }

    fn wait(&mut self, slot_idx: usize) -> Result<()> {
        self.network.wait(slot_idx)
    }

    fn blend<'a>(
        &mut self,
        tensor: &'a Tensor,
        motion: Option<&'a Motion>,
    ) -> Result<Done<'a, Self>> {
        let window = self.painted_window();
        let painted = painted_of(tensor, &self.network, window, &self.values)?;
        if let Some(motion) = self.steady.still(&painted, motion) {
            return Ok(Done::Held((tensor, motion)));
        }
        Ok(match self.steady.blend(&painted, motion) {
            true => Done::Blended,
            false => Done::Painted(tensor),
        })
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
        done: Done<'_, Self>,
        _: &Self::Tensor,
        source: &Frame<'_>,
        look: Look,
        target: &mut FrameMut<'_>,
    ) -> Result<()> {
        let Self {
            network,
            geometry,
            values,
            steady,
            grow,
            is_trunk,
            ..
        } = self;
        let window = geometry.painted_window(network.painted_size());
        let mut paint = Paint {
            map: &values.from_history,
            bounds: (0.0, History::WHITE),
            source,
            look,
        };
        match done {
            Done::Painted(painted) => {
                (paint.map, paint.bounds) = (&values.from_network, values.bounds);
                let painting = network.painting(painted, window)?;
                match grow {
                    None => convert::write_painting(&painting, &paint, target),
                    Some(grow) => {
                        let rows = painting.rows(0..window.height);
                        let bounds = is_trunk.then_some(values.bounds);
                        grow.write(&rows.picture(), bounds, &paint, target);
                    }
                }
                return Ok(());
            }
            Done::Blended => {}
            Done::Held((painted, motion)) => {
                let painted = painted_of(painted, network, window, values)?;
                let n_rows = painted.painting.band_rows();
                let bands = steady.hold(painted, motion);
                if grow.is_none() {
                    convert::write_bands(bands, n_rows, &paint, target);
                    return Ok(());
                }
                bands.for_each(|mut band| band.take_all());
            }
        }
        match grow {
            None => convert::write(&steady.history, &paint, target),
            Some(grow) => grow.write(&steady.history, None, &paint, target),
        }
        Ok(())
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

/// What the network gave, as it is blended.
fn painted_of<'a>(
    painted: &'a Tensor,
    network: &'a Network,
    window: Window,
    values: &Values,
) -> Result<Painted<'a>> {
    Ok(Painted {
        painting: network.painting(painted, window)?,
        bounds: values.bounds,
        is_bgr: values.is_bgr,
    })
}
