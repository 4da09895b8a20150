//! A style's network as its file has it, for measuring what the stages round it add.

use std::time::{Duration, Instant};

use super::network::Way;
use super::session::{Plan, Session, Tensor};
use super::{measure, probe};
use crate::error::Result;
use crate::frame::FrameFormat;
use crate::geometry::Geometry;
use crate::model::Model;
use crate::settings::Settings;

/// The whole network of a style on OpenVINO, at the padded size and in the precision that an engine would use.
pub struct NetworkAlone {
    session: Session,
    input: Tensor,
    painted: Tensor,
    description: String,
}

impl NetworkAlone {
    pub(crate) fn open(model: &Model, format: &FrameFormat, settings: &Settings) -> Result<Self> {
        let convention = measure(model)?;
        let geometry = Geometry::new(
            &convention,
            format.width,
            format.height,
            settings.processing_size,
        )?;
        let way = measure::way(model, &convention, settings.precision)?;
        let way = Way::Runtime(way.precision());
        let size = (geometry.padded_width, geometry.padded_height);
        let plan = Plan {
            trunk: None,
            size,
            way,
            by_rows: false,
            n_slots: 1,
        };
        let session = Session::open(model, &convention, &plan)?;
        let [runtime, format] = way.words(&probe()?);
        let mut network = Self {
            input: session.alloc_input()?,
            painted: session.alloc_painted()?,
            session,
            description: format!("cpu: {runtime}, {format}, {}x{}", size.0, size.1),
        };
        network.run()?;
        Ok(network)
    }

    /// Runs the network once on a fixed picture and says how long that took.
    ///
    /// # Errors
    /// Whatever stops the network.
    pub fn run(&mut self) -> Result<Duration> {
        let start = Instant::now();
        self.session.infer(0, &self.input, &mut self.painted)?;
        self.session.wait(0)?;
        Ok(start.elapsed())
    }

    /// Where and how it runs, as [`Engine::describe`](crate::Engine::describe).
    pub fn describe(&self) -> &str {
        &self.description
    }
}
