//! `impasto-train learn`: a new style from one picture.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

use crate::lesson::{self, Lesson};
use crate::net::Network;
use crate::net::plan::Size;
use crate::onnx::{self, Precision};
use crate::output::write_whole;
use crate::perceptual::Painting;
use crate::photos::{self, Photos};
use crate::style_file::{self, Facts};
use crate::train::{Recipe, Run, Target};
use crate::{loss_network, shipped};

/// Fewest photos: with less, a network learns the photos and not the style.
const FEWEST: usize = 200;

/// Learns the style of one picture on top of the shipped networks.
#[derive(Args, Debug)]
pub struct Learn {
    /// Painting, drawing, anything: PNG, JPEG or WebP
    #[arg(value_name = "PICTURE")]
    picture: PathBuf,
    /// Photos to learn on, at least 200 that differ: pictures, folders of pictures, or clips, whose frames are taken
    #[arg(long, required = true, num_args = 1.., value_name = "DIR|CLIP")]
    photos: Vec<PathBuf>,
    /// File to write, .onnx; with `--quality all`, my.onnx stands for my.fast.onnx, my.balanced.onnx and my.best.onnx
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Size of network
    #[arg(long, value_enum, default_value_t = Quality::Balanced)]
    quality: Quality,
    /// Learn from nothing: give it at least 6000 steps; it cannot be mixed with other styles
    #[arg(long)]
    alone: bool,
    /// Short side in pixels that the picture is scaled to; the larger, the larger the strokes
    #[arg(long, value_name = "PX", default_value_t = 560, value_parser = clap::value_parser!(u32).range(64..=2048))]
    strokes: u32,
    /// How much the style counts beside what photos show
    #[arg(long, value_name = "SHARE", default_value_t = 2.0)]
    style_weight: f32,
    /// Steps, about four a second on two cores; more take it closer to the picture, and farther from the styles that it is mixed with
    #[arg(long, value_name = "N", default_value_t = 1200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    steps: u32,
    /// Another seed, a slightly other style
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Weights of the loss network [default: where `./setup trainer` puts them]
    #[arg(long, value_name = "FILE")]
    vgg: Option<PathBuf>,
}

/// Sizes of network to learn in.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Quality {
    Fast,
    Balanced,
    Best,
    All,
}

impl Learn {
    /// Runs it.
    ///
    /// # Errors
    /// If something cannot be read or written, or there are too few photos.
    pub fn run(self) -> anyhow::Result<()> {
        ensure!(
            self.style_weight.is_finite() && self.style_weight > 0.0,
            "--style-weight is {}, wanted a number above 0",
            self.style_weight
        );
        ensure!(
            self.output
                .extension()
                .is_some_and(|extension| extension == "onnx"),
            "{} has no known extension; wanted .onnx",
            self.output.display()
        );
        let vgg = loss_network::open(self.vgg.as_deref())?;
        let picture = photos::read_scaled(&self.picture, self.strokes)?;
        let (learn, judge) = Photos::read(&self.photos)?;
        let n = learn.len() + judge.len();
        ensure!(
            n >= FEWEST,
            "found {n} photos that differ, wanted at least {FEWEST}: add pictures, or clips with more of a change in them"
        );
        let painting = Painting::new(&vgg, &picture);
        for size in self.sizes() {
            let path = self.path(size);
            let name = name(&self.output)?;
            let mut run = if self.alone {
                let recipe = self.recipe();
                let network = Network::new(size, &[name], recipe.seed);
                Run::new(recipe, network)
            } else {
                let network = shipped::middle(size, &name)?;
                Run::going_on(self.recipe(), network, &learn)
            };
            let target = Target::Painting {
                painting: painting.clone(),
                share: self.style_weight,
            };
            let folder = lesson::folder_for(&path);
            let targets = [target];
            let lesson = Lesson {
                vgg: &vgg,
                learn: &learn,
                judge: &judge,
                targets: &targets,
                folder: &folder,
            };
            lesson.give(&mut run)?;
            let bytes = onnx::write_style(&run.network, 0, &self.facts(), Precision::Full);
            write_whole(&path, &bytes)?;
            eprintln!(
                "wrote {}; its losses and preview are in {}",
                path.display(),
                folder.display()
            );
        }
        Ok(())
    }

    fn sizes(&self) -> Vec<Size> {
        match self.quality {
            Quality::Fast => vec![Size::Fast],
            Quality::Balanced => vec![Size::Balanced],
            Quality::Best => vec![Size::Best],
            Quality::All => Size::ALL.to_vec(),
        }
    }

    /// Where a size goes.
    fn path(&self, size: Size) -> PathBuf {
        match self.quality {
            Quality::All => self.output.with_extension(format!("{}.onnx", size.name())),
            _ => self.output.clone(),
        }
    }

    fn recipe(&self) -> Recipe {
        let n_steps = self.steps as usize;
        let recipe = if self.alone {
            let n_live = n_steps / 2;
            Recipe {
                n_live,
                n_frozen: n_steps - n_live,
                ..Recipe::default()
            }
        } else {
            Recipe::finetune(n_steps)
        };
        Recipe {
            seed: self.seed,
            ..recipe
        }
    }

    fn facts(&self) -> Facts {
        let title = self
            .picture
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Facts {
            title,
            artist: String::new(),
            year: String::new(),
            licence: String::new(),
            trained_by: style_file::TRAINED_BY.to_owned(),
            is_mixable: !self.alone,
        }
    }
}

/// The style's name: the file's without its ending.
fn name(output: &Path) -> anyhow::Result<String> {
    let stem = output.file_stem().and_then(|stem| stem.to_str());
    Ok(stem
        .with_context(|| format!("the name of {} is no UTF-8", output.display()))?
        .to_owned())
}
