//! `impasto-train finetune`: each style of the gallery by itself.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use super::material::Flags;
use crate::lesson::Lesson;
use crate::shipped;
use crate::style_file::{self, Convolutions};
use crate::train::Run;

/// Trains styles of a list one by one, each with convolutions of its own, on from those that `base` made for all. They
/// still mix: what starts from one network and does not go far stays in one valley.
#[derive(Args, Debug)]
pub struct Finetune {
    #[command(flatten)]
    flags: Flags,
    /// Styles of the list to train [default: all]
    #[arg(long = "style", value_name = "NAME")]
    only: Vec<String>,
    /// Folder of the styles that `base` wrote: each starts from there and is replaced when it is done. One that is not
    /// there yet starts in the middle of those that are shipped
    #[arg(long, value_name = "DIR")]
    styles: PathBuf,
    /// Folder for checkpoints, losses and previews, in a folder for each style; runs that are found there go on
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

impl Finetune {
    /// Runs it.
    ///
    /// # Errors
    /// If something cannot be read or written, or a style is not in the list.
    pub fn run(self) -> anyhow::Result<()> {
        let material = self.flags.open()?;
        let (gallery, size) = (&material.gallery, self.flags.size);
        for name in &self.only {
            let known: Vec<&str> = gallery.styles.iter().map(|entry| &*entry.name).collect();
            ensure!(
                known.contains(&&**name),
                "`{name}` is not in the list, wanted one of {}",
                known.join(", ")
            );
        }
        let is_wanted = |name: &String| self.only.is_empty() || self.only.contains(name);
        for entry in gallery.styles.iter().filter(|entry| is_wanted(&entry.name)) {
            eprintln!("{}", entry.name);
            let network = match shipped::network_in(&self.styles, size, &entry.name)? {
                Some(network) => network,
                None => shipped::middle(size, &entry.name)?,
            };
            let mut run = Run::going_on(gallery.finetune(size), network, &material.learn);
            let lesson = Lesson {
                vgg: &material.vgg,
                learn: &material.learn,
                judge: &material.judge,
                targets: &[material.target(entry)?],
                folder: &self.output.join(format!("{}.{}", entry.name, size.name())),
            };
            lesson.give(&mut run)?;
            style_file::put(
                &self.styles,
                &run.network,
                0,
                &entry.facts(),
                Convolutions::Own,
            )?;
        }
        Ok(())
    }
}
