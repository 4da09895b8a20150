//! `impasto-train measure`: figures of the shipped styles.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use crate::gallery::Gallery;
use crate::measure::measure;
use crate::net::plan::Size;
use crate::photos::Photos;
use crate::{loss_network, shipped};

/// Pixels of a side of the squares that are cut out of photos.
const SIDE_PX: u32 = 256;
/// Photos that are used, at most.
const N_PHOTOS: usize = 16;

/// Measures the shipped styles on photos that they were not trained on.
#[derive(Args, Debug)]
pub struct Measure {
    /// List of the styles
    #[arg(value_name = "GALLERY.toml")]
    gallery: PathBuf,
    /// Photos, of which the first 16 count: pictures, folders of pictures, or clips
    #[arg(long, required = true, num_args = 1.., value_name = "DIR|FILE")]
    photos: Vec<PathBuf>,
    /// Folder of the paintings that the list names
    #[arg(long, value_name = "DIR")]
    paintings: PathBuf,
    /// Weights of the loss network [default: where `./setup trainer` puts them]
    #[arg(long, value_name = "FILE")]
    vgg: Option<PathBuf>,
}

impl Measure {
    /// Runs it and prints a table in Markdown.
    ///
    /// # Errors
    /// If something cannot be read, or a style of the list is not shipped.
    pub fn run(self) -> anyhow::Result<()> {
        let gallery = Gallery::read(&self.gallery)?;
        let vgg = loss_network::open(self.vgg.as_deref())?;
        let photos = Photos::read_all(&self.photos)?.middles(SIDE_PX, N_PHOTOS);
        println!("| style | size | content | style loss | noise gain | lattice |");
        println!("| --- | --- | --- | --- | --- | --- |");
        for entry in &gallery.styles {
            let painting = entry.painting(&vgg, &self.paintings)?;
            for size in Size::ALL {
                let network = shipped::network(size)?;
                let style = network.styles.iter().find(|style| style.name == entry.name);
                ensure!(
                    style.is_some(),
                    "{} is in the list, but not shipped",
                    entry.name
                );
                let figures = style.map(|style| measure(&network, style, &vgg, &painting, &photos));
                if let Some(figures) = figures {
                    println!(
                        "| {} | `{}` | {:.2} | {:.2} | {:.2} | {:.2} |",
                        entry.name,
                        size.name(),
                        figures.content,
                        figures.style,
                        figures.noise_gain,
                        figures.lattice
                    );
                }
            }
        }
        Ok(())
    }
}
