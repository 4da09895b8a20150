//! Places where networks run. Each has a folder; this file chooses.

pub mod cpu;

use crate::engine::Engine;
use crate::error::Result;
use crate::frame::{Frame, FrameFormat, FrameMut};
use crate::model::Model;
use crate::settings::{Look, Settings};
use crate::stylizer::Stylizer;

/// A place where pictures can live and a network can run, opened for one network and one format of frames.
///
/// Its verbs are whole stages in the backend's own memory, so that a frame on a GPU never visits the host between
/// `upload` and `download`.
pub(crate) trait Backend {
    /// A picture as the network sees it, in this backend's memory.
    type Tensor;

    /// Memory for what the network takes.
    fn alloc_input(&mut self) -> Result<Self::Tensor>;

    /// Memory for what the network gives.
    fn alloc_painted(&mut self) -> Result<Self::Tensor>;

    /// Converts a frame to the network's colours, scales and pads it.
    fn upload(&mut self, frame: &Frame<'_>, input: &mut Self::Tensor) -> Result<()>;

    /// Starts the network in a slot; until [`Backend::wait`] both pictures belong to it.
    fn infer(
        &mut self,
        slot_idx: usize,
        input: &Self::Tensor,
        painted: &mut Self::Tensor,
    ) -> Result<()>;

    /// Waits for the network in a slot.
    fn wait(&mut self, slot_idx: usize) -> Result<()>;

    /// Crops, scales and converts what the network gave to a frame, with `look` applied against `source`.
    fn download(
        &mut self,
        painted: &Self::Tensor,
        source: &Frame<'_>,
        look: Look,
        target: &mut FrameMut<'_>,
    ) -> Result<()>;

    /// Where and how the network runs.
    fn describe(&self) -> String;
}

pub(crate) fn open(
    model: &Model,
    format: &FrameFormat,
    settings: &Settings,
) -> Result<Box<dyn Engine>> {
    let backend = cpu::Cpu::open(model, format, settings)?;
    Ok(Box::new(Stylizer::new(
        backend,
        *format,
        settings.max_in_flight,
    )?))
}
