//! Places where networks run. Each has a folder; this file chooses.

pub mod cpu;
#[cfg(feature = "tensorrt-common")]
pub mod tensorrt;
mod values;

use std::any::Any;

use crate::device::GpuContext;
use crate::engine::Engine;
use crate::error::Result;
use crate::frame::{Frame, FrameFormat, FrameMut};
use crate::model::Model;
use crate::settings::{Look, Place, Settings};
use crate::stabilizer::{Light, Task};
use crate::stylizer::Stylizer;

/// Whether this build has the engine `tensorrt`.
pub const HAS_TENSORRT: bool = cfg!(feature = "tensorrt-common");

/// A place where pictures can live and a network can run, opened for one network and one format of frames.
///
/// Its verbs are whole stages in the backend's own memory, so that a frame on a GPU never visits the host between
/// `send` and `download`.
pub(crate) trait Backend {
    /// A picture as the network sees it, in this backend's memory.
    type Tensor;
    /// What a frame has to do with the one before.
    type Motion;
    /// What is known of the frames before.
    type Past: Any + Send;
    /// A painted frame that is blended when it is shown.
    type Held<'a>;

    /// Does some of the verbs that walk frames where that costs the least.
    fn work<T: Send>(verbs: impl FnOnce() -> T + Send) -> T {
        verbs()
    }

    /// Memory for what the network takes.
    fn alloc_input(&mut self) -> Result<Self::Tensor>;

    /// Memory for what the network gives.
    fn alloc_painted(&mut self) -> Result<Self::Tensor>;

    /// Memory for what following a frame finds out.
    fn alloc_motion(&mut self) -> Result<Self::Motion>;

    /// Brings a frame to where it is followed and uploaded from.
    fn send(&mut self, frame: &Frame<'_>, input: &mut Self::Tensor) -> Result<()>;

    /// Finds out what the frame that was sent has to do with the one followed before, and how its light is to be corrected.
    fn follow(
        &mut self,
        frame: &Frame<'_>,
        input: &Self::Tensor,
        task: Task,
        motion: &mut Self::Motion,
    ) -> Result<Light>;

    /// Forgets the frame followed before.
    fn forget(&mut self);

    /// Converts the frame that was sent to the network's colours, corrects its light, scales and pads it. A backend may do the
    /// network's first layers on the way.
    fn upload(&mut self, frame: &Frame<'_>, light: Light, input: &mut Self::Tensor) -> Result<()>;

    /// Starts the network in a slot; until [`Backend::wait`] both pictures belong to it. A backend may leave its last layers to
    /// those who take the painted picture.
    fn infer(
        &mut self,
        slot_idx: usize,
        input: &Self::Tensor,
        painted: &mut Self::Tensor,
    ) -> Result<()>;

    /// Waits for the network in a slot.
    fn wait(&mut self, slot_idx: usize) -> Result<()>;

    /// Blends what the network gave with the history, and makes it the new history. Without motion there is no history
    /// to blend with.
    fn blend<'a>(
        &mut self,
        painted: &'a Self::Tensor,
        motion: Option<&'a Self::Motion>,
    ) -> Result<Done<'a, Self>>;

    /// Gives what is known of the frames before away, if it can.
    fn hand_over(&mut self) -> Option<Self::Past>;

    /// Goes on after frames that another backend painted. False if they were of another size.
    fn take_over(&mut self, past: Self::Past) -> bool;

    /// Whether what was taken over still shows.
    fn is_fading(&self) -> bool;

    /// Crops, scales and converts a painted frame, with `look` applied against `source`, which was sent to `input`.
    fn download(
        &mut self,
        done: Done<'_, Self>,
        input: &Self::Tensor,
        source: &Frame<'_>,
        look: Look,
        target: &mut FrameMut<'_>,
    ) -> Result<()>;

    /// Where and how the network runs.
    fn describe(&self) -> String;

    /// What is worth knowing about how it was opened, if that was not said yet.
    fn take_remark(&mut self) -> Option<String> {
        None
    }

    /// The context of a GPU whose frames it takes where they are.
    fn context(&self) -> Option<&GpuContext> {
        None
    }
}

/// A painted frame that is ready to be shown.
pub(crate) enum Done<'a, B: Backend + ?Sized> {
    /// As the network gave it.
    Painted(&'a B::Tensor),
    /// As the last blend left it.
    Blended,
    /// As the network gave it, to be blended on its way out.
    Held(B::Held<'a>),
}

/// Opens a network where the settings say.
pub(crate) fn open(
    model: &Model,
    format: &FrameFormat,
    settings: &Settings,
) -> Result<Box<dyn Engine>> {
    match settings.engine {
        Place::TensorRt => open_on_gpu(model, format, settings),
        Place::Cpu | Place::Auto => open_on_cpu(model, format, settings),
    }
}

fn open_on_cpu(
    model: &Model,
    format: &FrameFormat,
    settings: &Settings,
) -> Result<Box<dyn Engine>> {
    let backend = cpu::Cpu::open(model, format, settings)?;
    Ok(Box::new(Stylizer::new(backend, *format, settings)?))
}

#[cfg(feature = "tensorrt-common")]
fn open_on_gpu(
    model: &Model,
    format: &FrameFormat,
    settings: &Settings,
) -> Result<Box<dyn Engine>> {
    let backend = tensorrt::TensorRt::open(model, format, settings)?;
    Ok(Box::new(Stylizer::new(backend, *format, settings)?))
}

#[cfg(not(feature = "tensorrt-common"))]
fn open_on_gpu(_: &Model, _: &FrameFormat, _: &Settings) -> Result<Box<dyn Engine>> {
    Err(crate::error::Error::TensorRtNotBuilt)
}
