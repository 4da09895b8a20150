//! `impasto-train base`: one network for many styles.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::material::Flags;
use crate::gallery::Gallery;
use crate::lesson::Lesson;
use crate::net::Network;
use crate::onnx;
use crate::output::write_whole;
use crate::shipped::template_in;
use crate::style_file::{self, Convolutions, Facts, IDENTITY};
use crate::train::{Run, Target};

/// Trains one network on all styles of a list, and one that leaves photos as they are.
#[derive(Args, Debug)]
pub struct Base {
    #[command(flatten)]
    flags: Flags,
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
        let material = self.flags.open()?;
        let gallery = &material.gallery;
        let mut names = Vec::new();
        let mut targets = Vec::new();
        for entry in &gallery.styles {
            names.push(entry.name.clone());
            targets.push(material.target(entry)?);
        }
        names.push(IDENTITY.to_owned());
        targets.push(Target::Identity);
        let recipe = gallery.base(self.flags.size);
        let network = Network::new(self.flags.size, &names, recipe.seed);
        let mut run = Run::new(recipe, network);
        let lesson = Lesson {
            vgg: &material.vgg,
            learn: &material.learn,
            judge: &material.judge,
            targets: &targets,
            folder: &self.output,
        };
        lesson.give(&mut run)?;
        let folder = self.styles.as_deref().unwrap_or(&self.output);
        export(&run.network, gallery, folder)
    }
}

/// Writes the template and every style.
fn export(network: &Network, gallery: &Gallery, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("making the folder {}", folder.display()))?;
    network.halves()?;
    let template = template_in(folder, network.size);
    write_whole(&template, &onnx::write_template(network))?;
    for (idx, style) in network.styles.iter().enumerate() {
        let entry = gallery.styles.iter().find(|entry| entry.name == style.name);
        let facts = entry.map_or_else(of_identity, |entry| entry.facts());
        style_file::put(folder, network, idx, &facts, Convolutions::Shared)?;
    }
    Ok(())
}

fn of_identity() -> Facts {
    Facts {
        title: "The photo itself".to_owned(),
        artist: String::new(),
        year: String::new(),
        licence: env!("CARGO_PKG_LICENSE").to_owned(),
        trained_by: style_file::TRAINED_BY.to_owned(),
        is_mixable: true,
    }
}
