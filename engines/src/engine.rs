//! What element and command line hold: an engine takes frames and gives them back painted.

use std::any::Any;
use std::time::Duration;

use crate::backend;
use crate::error::Result;
use crate::frame::{Frame, FrameFormat, FrameMut};
use crate::model::Model;
use crate::settings::{Look, Settings};
use crate::stats::Stats;

/// What an engine knows of the frames that went through it, for the engine that goes on in its place.
pub struct Past(pub(crate) Box<dyn Any + Send>);

/// A network opened for one format of frames, wherever it runs.
///
/// Up to [`Engine::max_in_flight`] frames may be submitted before one is received; they come back in order.
pub trait Engine: Send {
    /// Puts a frame into a free slot. The frame is not needed after the call.
    ///
    /// # Errors
    /// [`Error::Full`](crate::Error::Full) if no slot is free, [`Error::FrameFormat`](crate::Error::FrameFormat)
    /// if it is not of the format that the engine was opened for, and whatever stops the network.
    fn submit(&mut self, frame: &Frame<'_>) -> Result<()>;

    /// Whether [`Engine::receive`] gives a frame: every slot is taken, or the frames inside were drained.
    fn is_ready(&self) -> bool;

    /// Writes the oldest frame into `target` and returns true, or false if none is ready.
    /// `source` is that frame as it was submitted: alpha and, by [`Look`], colours are taken from it.
    ///
    /// # Errors
    /// [`Error::FrameFormat`](crate::Error::FrameFormat), and whatever stopped the network on this frame.
    fn receive(&mut self, source: &Frame<'_>, target: &mut FrameMut<'_>) -> Result<bool>;

    /// Waits until every submitted frame is ready to be received.
    ///
    /// # Errors
    /// Whatever stops the network.
    fn drain(&mut self) -> Result<()>;

    /// Takes a new look, from the next received frame on.
    fn set(&mut self, look: Look);

    /// Forgets every frame in flight and all history.
    fn reset(&mut self);

    /// Gives what is needed to go on without a jump, if there is anything. Frames in flight are forgotten.
    fn hand_over(&mut self) -> Option<Past>;

    /// Goes on where another engine, of the same format of frames, has ended: its paint fades out within half a second.
    /// A past of another size is of no use and is dropped.
    fn take_over(&mut self, past: Past);

    /// Frames that may be inside at once.
    fn max_in_flight(&self) -> usize;

    /// Where the network runs and how: `cpu: OpenVINO 2026.4.1, balanced, bf16, 1312x752`.
    fn describe(&self) -> String;

    /// What is worth a warning about how it was opened, if that was not said yet.
    fn take_remark(&mut self) -> Option<String> {
        None
    }

    /// What a frame took from `submit` to `receive` when the engine was opened and warm.
    fn frame_time(&self) -> Duration;

    /// Finds out how fast frames of which nothing is still can be painted in the present look, one after the other
    /// through all slots: the time from one to the next. Takes the time of a few frames, and forgets those inside.
    ///
    /// # Errors
    /// Whatever stops the network.
    fn measure_pace(&mut self) -> Result<Duration>;

    /// Times and counts since the engine was opened.
    fn stats(&self) -> &Stats;
}

/// Opens a network for frames of one format and warms it up: the first frame takes as long as the tenth.
///
/// # Errors
/// [`Error::OpenVinoMissing`](crate::Error::OpenVinoMissing), [`Error::Memory`](crate::Error::Memory),
/// [`Error::Setting`](crate::Error::Setting), or [`Error::Style`](crate::Error::Style) if the network cannot
/// be run at this size.
pub fn open(model: &Model, format: &FrameFormat, settings: &Settings) -> Result<Box<dyn Engine>> {
    backend::open(model, format, settings)
}

/// Completes the convention of a network by running it on a test picture, where its file does not tell.
///
/// # Errors
/// As [`open`].
pub fn measure(model: &Model) -> Result<Model> {
    let mut measured = model.clone();
    measured.convention = backend::cpu::measure(model)?;
    Ok(measured)
}

/// Loads the runtime and settles what only a test picture can tell, so that [`open`] has less to do. For another thread,
/// while the caller is busy with something else.
///
/// # Errors
/// As [`open`].
pub fn prepare(model: &Model, settings: &Settings) -> Result<()> {
    backend::cpu::prepare(model, settings)
}

/// Opens a style's network as its file has it, at the size and in the precision that [`open`] would use.
///
/// # Errors
/// As [`open`].
pub fn network_alone(
    model: &Model,
    format: &FrameFormat,
    settings: &Settings,
) -> Result<backend::cpu::NetworkAlone> {
    backend::cpu::NetworkAlone::open(model, format, settings)
}

/// Where the CPU engine's runtime lies and its version, or why it does not run.
///
/// # Errors
/// [`Error::OpenVinoMissing`](crate::Error::OpenVinoMissing).
pub fn probe() -> Result<backend::cpu::Runtime> {
    backend::cpu::probe()
}
