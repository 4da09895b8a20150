//! `impasto-train base`: one network for many styles.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use half::f16;

use crate::gallery::{Entry, Gallery};
use crate::lesson::Lesson;
use crate::net::Network;
use crate::net::plan::Size;
use crate::output::write_whole;
use crate::photos::Photos;
use crate::style_file::{self, Facts};
use crate::train::{Run, Target};
use crate::{loss_network, onnx, shipped};

/// The style that paints photos as they are.
const IDENTITY: &str = "identity";

/// Trains one network on all styles of a list, and one that leaves photos as they are.
#[derive(Args, Debug)]
pub struct Base {
    /// List of styles and how they are trained
    #[arg(value_name = "GALLERY.toml")]
    gallery: PathBuf,
    /// Size of network
    #[arg(long, value_enum)]
    size: Size,
    /// Photos to learn on: pictures, folders of pictures, or clips
    #[arg(long, required = true, num_args = 1.., value_name = "DIR|FILE")]
    photos: Vec<PathBuf>,
    /// Folder of the paintings that the list names
    #[arg(long, value_name = "DIR")]
    paintings: PathBuf,
    /// Weights of the loss network [default: where `./setup trainer` puts them]
    #[arg(long, value_name = "FILE")]
    vgg: Option<PathBuf>,
    /// Folder of styles that `base` wrote, to go on from instead of from nothing
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Folder for checkpoint, losses and preview; a run that is found there goes on
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Folder for the finished styles; other sizes of a style that are there are kept [default: the same]
    #[arg(long, value_name = "DIR")]
    styles: Option<PathBuf>,
}

impl Base {
    /// Runs it.
    ///
    /// # Errors
    /// If something cannot be read or written.
    pub fn run(self) -> anyhow::Result<()> {
        let gallery = Gallery::read(&self.gallery)?;
        ensure!(
            !gallery.styles.is_empty(),
            "{} lists no styles",
            self.gallery.display()
        );
        let vgg = loss_network::open(self.vgg.as_deref())?;
        let (learn, judge) = Photos::read(&self.photos)?;
        let mut names = Vec::new();
        let mut targets = Vec::new();
        for style in &gallery.styles {
            names.push(style.name.clone());
            targets.push(Target::Painting {
                painting: style.painting(&vgg, &self.paintings)?,
                share: style.style,
            });
        }
        names.push(IDENTITY.to_owned());
        targets.push(Target::Identity);
        let recipe = gallery.recipe(self.size);
        let mut run = match &self.from {
            None => {
                let network = Network::new(self.size, &names, recipe.seed);
                Run::new(recipe, network)
            }
            Some(folder) => Run::going_on(recipe, self.network_in(folder, &names)?, &learn),
        };
        let lesson = Lesson {
            vgg: &vgg,
            learn: &learn,
            judge: &judge,
            targets: &targets,
            folder: &self.output,
        };
        lesson.give(&mut run)?;
        let folder = self.styles.as_deref().unwrap_or(&self.output);
        export(&run.network, &gallery, folder)
    }

    fn network_in(&self, folder: &Path, names: &[String]) -> anyhow::Result<Network> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let network = shipped::network_in(folder, self.size, &names).with_context(|| {
            format!(
                "{} holds no {}.onnx; give the folder that `impasto-train base` wrote",
                folder.display(),
                self.size.name()
            )
        });
        network?
    }
}

/// Writes the template and every style.
fn export(network: &Network, gallery: &Gallery, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("making the folder {}", folder.display()))?;
    let largest = network
        .weights
        .iter()
        .flatten()
        .fold(0.0, |most: f32, weight| most.max(weight.abs()));
    ensure!(
        largest <= f16::MAX.to_f32(),
        "the largest weight is {largest}, more than half precision holds; train at lower rates"
    );
    let template = folder.join(format!("{}.onnx", network.size.name()));
    write_whole(&template, &onnx::write_template(network))?;
    for (idx, style) in network.styles.iter().enumerate() {
        let path = folder.join(format!("{}.safetensors", style.name));
        let entry = gallery.styles.iter().find(|entry| entry.name == style.name);
        let existing = match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            // Its other sizes would be lost.
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let bytes = style_file::write(network, idx, &facts(entry), existing.as_deref())?;
        write_whole(&path, &bytes)?;
    }
    Ok(())
}

/// What is told of a style of the list; of the identity there is nothing but its title.
fn facts(entry: Option<&Entry>) -> Facts {
    let word = |of: fn(&Entry) -> &String| entry.map(of).cloned().unwrap_or_default();
    let licence = entry
        .map_or(env!("CARGO_PKG_LICENSE"), |entry| &entry.licence)
        .to_owned();
    Facts {
        title: entry
            .map_or("The photo itself", |entry| &entry.title)
            .to_owned(),
        artist: word(|entry| &entry.artist),
        year: word(|entry| &entry.year),
        licence,
        trained_by: style_file::TRAINED_BY.to_owned(),
        is_mixable: true,
    }
}
