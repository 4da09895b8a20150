//! `impasto engine build`.

use std::time::Instant;

use anyhow::Context;
use clap::Args;
use engines::tensorrt::{self, Device, Entry, Gpu, Plan};
use engines::{Model, Quality, styles};
use serde::Serialize;

use crate::args::{NetworkArgs, processing_size, size};
use crate::report;

/// What stands for all bundled styles.
const ALL: &str = "all";
/// What stands for frames of any size.
const DYNAMIC: &str = "dynamic";

/// Builds engines ahead of their first frame; those that are there already are left alone.
#[derive(Args)]
pub struct Build {
    /// Style: a name, a mix, the path of an .onnx file, or `all`: the bundled ones
    #[arg(long, short, value_name = "STYLE", default_value = ALL)]
    style: String,

    /// Size of the frames, or `dynamic`: an engine for any size, which is slower
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x720", value_parser = frame)]
    size: Frame,

    /// Kinds of GPU by their compute capability, such as `8.9` for an RTX 4090; without it, the GPU at hand
    #[arg(long, value_name = "N.N", value_delimiter = ',')]
    gpu: Vec<Gpu>,

    #[command(flatten)]
    network: NetworkArgs,

    /// Height in pixels at which the network works, 16 to 8192, or 0 for the frame's own
    #[arg(long, value_name = "PIXELS", default_value_t = 0, value_parser = processing_size)]
    processing_size: u32,
}

/// Size of the frames; any without one.
#[derive(Clone, Copy)]
struct Frame(Option<(usize, usize)>);

#[derive(Serialize)]
struct Built {
    #[serde(flatten)]
    entry: Entry,
    file: String,
    bytes: usize,
    seconds: f64,
    was_there: bool,
}

impl Build {
    /// Builds them, and says which.
    ///
    /// # Errors
    /// If a style is not there, or TensorRT does not take it.
    pub fn run(self, json: bool) -> anyhow::Result<()> {
        let gpus: Vec<_> = match &self.gpu[..] {
            [] => {
                let Device { name, gpu, .. } = at_hand()?;
                vec![(gpu, Some(name))]
            }
            named => named.iter().map(|&gpu| (gpu, None)).collect(),
        };
        for model in self.models()? {
            for (gpu, name) in &gpus {
                self.build(&model, *gpu, name.as_deref(), json)?;
            }
        }
        Ok(())
    }

    fn build(
        &self,
        model: &Model,
        gpu: Gpu,
        gpu_name: Option<&str>,
        json: bool,
    ) -> anyhow::Result<()> {
        let start = Instant::now();
        let made = tensorrt::make(&Plan {
            model,
            frame: self.size.0,
            processing_size: self.processing_size as usize,
            precision: self.network.precision,
            gpu,
            gpu_name,
        })?;
        if let Some(error) = made.unkept {
            return Err(error.into());
        }
        let built = Built {
            entry: made.entry,
            file: made.path.display().to_string(),
            bytes: made.engine.len(),
            seconds: start.elapsed().as_secs_f64(),
            was_there: made.is_old,
        };
        if json {
            report::json(&built)
        } else {
            report::line(built.line())
        }
    }

    /// The networks to build engines of: of the named quality, or of all there are.
    fn models(&self) -> engines::Result<Vec<Model>> {
        let names = match &*self.style {
            ALL => styles::list()?
                .into_iter()
                .filter(|listed| listed.folder.is_none())
                .map(|listed| listed.name)
                .collect(),
            name => vec![name.to_owned()],
        };
        let mut models = Vec::new();
        for name in names {
            let mut sizes = match self.network.quality {
                Quality::Auto => styles::sizes(&name)?,
                named => vec![named],
            };
            if sizes.is_empty() {
                // A network that has no sizes is asked for in any.
                sizes.push(Quality::Auto);
            }
            for size in sizes {
                models.push(styles::find(&name, size)?);
            }
        }
        Ok(models)
    }
}

impl Built {
    fn line(&self) -> String {
        let how = if self.was_there {
            "was there".to_owned()
        } else {
            format!("built in {:.2} s", self.seconds)
        };
        format!("{}: {how}, {} KiB", self.entry, self.bytes / 1024)
    }
}

/// The first GPU of this machine.
fn at_hand() -> anyhow::Result<Device> {
    let devices = tensorrt::devices()
        .context("the kind of GPU is not known; name it, as in --gpu 8.6,8.9")?;
    devices
        .into_iter()
        .next()
        .context("there is no NVIDIA GPU; name the kind to build for, as in --gpu 8.6,8.9")
}

fn frame(text: &str) -> Result<Frame, String> {
    if text == DYNAMIC {
        return Ok(Frame(None));
    }
    let (width, height) = size(text).map_err(|error| format!("{error}, or {DYNAMIC}"))?;
    Ok(Frame(Some((width as usize, height as usize))))
}
