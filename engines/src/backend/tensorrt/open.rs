//! From a style to a backend: the engine of its network, kept or built, and a session of it.

use super::cache::{Kernels, Made, forget, make};
use super::cuda::Cuda;
use super::frames::{Ready, TensorRt};
use super::network::Plan;
use super::session::{Parts, Session};
use crate::backend::cpu;
use crate::error::{Error, Result};
use crate::frame::FrameFormat;
use crate::model::Model;
use crate::settings::Settings;

impl TensorRt {
    /// # Errors
    /// [`Error::Gpu`], [`Error::TensorRtMissing`], [`Error::Setting`] or [`Error::Style`].
    pub(crate) fn open(model: &Model, format: &FrameFormat, settings: &Settings) -> Result<Self> {
        settings.checked_slots()?;
        let cuda = Cuda::open(settings.device, settings.context.as_ref())?;
        let plan = Plan {
            model,
            frame: Some((format.width, format.height)),
            processing_size: settings.processing_size,
            precision: settings.precision,
            gpu: cuda.gpu,
            gpu_name: Some(&cuda.name),
        };
        let made = make(&plan)?;
        let (entry, is_old) = (made.entry.clone(), made.is_old);
        let remark = unkept(&made);
        let session = match Session::open(&cuda, parts(made, model, &cuda)?) {
            // It may be of another driver's time.
            Err(Error::Gpu { .. }) if is_old => {
                forget(&plan)?;
                Session::open(&cuda, parts(make(&plan)?, model, &cuda)?)?
            }
            opened => opened?,
        };
        let ready = Ready {
            cuda,
            network: Box::new(session),
            entry: &entry,
            model,
        };
        let mut opened = Self::new(ready, format, settings)?;
        opened.remark = remark;
        Ok(opened)
    }
}

/// What a session is made of.
fn parts(made: Made, model: &Model, cuda: &Cuda) -> Result<Parts> {
    Ok(Parts {
        kernels: Kernels::of(&made, &cuda.name),
        name: made.entry.to_string(),
        is_half: made.entry.is_half(),
        engine: made.engine,
        constants: cpu::measure(model)?.constants,
    })
}

/// What is to be said of an engine that cannot be kept.
fn unkept(made: &Made) -> Option<String> {
    let error = made.unkept.as_ref()?;
    Some(format!(
        "engines cannot be kept, and are built anew each time: {error}"
    ))
}
