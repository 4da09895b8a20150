//! `impasto-train measure`: figures of styles.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use image::RgbImage;

use crate::gallery::{Entry, Gallery};
use crate::maps::Maps;
use crate::measure::{self, measure};
use crate::net::Network;
use crate::net::plan::Size;
use crate::output::Output;
use crate::photos::{self, Photos};
use crate::vgg::Vgg;
use crate::{loss_network, shipped};

/// The same for mixes, of which there are many.
const N_PHOTOS_MIXED: usize = 6;
/// Pixels of a side of the squares that are cut out of photos.
const SIDE_PX: u32 = 256;
/// The same of those that styles are shown on.
const SHOWN_PX: u32 = 288;
/// Photos that are used, at most.
const N_PHOTOS: usize = 16;

/// Measures the shipped styles, or others, on photos that they were not trained on.
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
    /// Folder that `base` wrote, to measure what is there instead of the shipped styles
    #[arg(long, value_name = "DIR")]
    styles: Option<PathBuf>,
    /// Pictures to show every style on
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "sheets")]
    show: Vec<PathBuf>,
    /// Folder for a sheet of each size, gallery-fast.jpg and so on
    #[arg(long, value_name = "DIR", requires = "show")]
    sheets: Option<PathBuf>,
    /// Measure mixes of pairs of the list instead
    #[arg(long, conflicts_with = "sheets")]
    mixes: bool,
    /// Weights of the loss network [default: where `./setup trainer` puts them]
    #[arg(long, value_name = "FILE")]
    vgg: Option<PathBuf>,
}

impl Measure {
    /// Runs it: prints tables in Markdown, and writes sheets.
    ///
    /// # Errors
    /// If something cannot be read, or a style of the list is not there.
    pub fn run(self) -> anyhow::Result<()> {
        let gallery = Gallery::read(&self.gallery)?;
        let vgg = loss_network::open(self.vgg.as_deref())?;
        let photos = Photos::read_all(&self.photos)?.middles(SIDE_PX, N_PHOTOS);
        let networks = self.networks(&gallery)?;
        if self.mixes {
            return self.print_mixes(
                &gallery,
                &networks,
                &vgg,
                &photos[..photos.len().min(N_PHOTOS_MIXED)],
            );
        }
        println!("| style | size | content | style loss | noise gain | lattice |");
        println!("| --- | --- | --- | --- | --- | --- |");
        for entry in &gallery.styles {
            let painting = entry.painting(&vgg, &self.paintings)?;
            for of_size in &networks {
                let network = of(of_size, entry)?;
                let figures = measure(network, &vgg, &painting, &photos);
                println!(
                    "| {} | `{}` | {:.2} | {:.2} | {:.2} | {:.2} |",
                    entry.name,
                    network.size.name(),
                    figures.content,
                    figures.style,
                    figures.noise_gain,
                    figures.lattice
                );
            }
        }
        if let Some(folder) = &self.sheets {
            let shown = Photos::read_all(&self.show)?.middles(SHOWN_PX, self.show.len());
            for of_size in &networks {
                let size = of_size[0].size.name();
                let path = folder.join(format!("gallery-{size}.jpg"));
                Output::create(&path)?.write(&sheet(of_size, &gallery, &shown)?)?;
            }
        }
        Ok(())
    }

    /// Of every size that is there, a network for each style.
    fn networks(&self, gallery: &Gallery) -> anyhow::Result<Vec<Vec<Network>>> {
        let Some(folder) = &self.styles else {
            return Size::ALL.into_iter().map(shipped::networks).collect();
        };
        let sizes = Size::ALL
            .into_iter()
            .filter(|&size| shipped::template_in(folder, size).exists());
        let networks = sizes.map(|size| {
            let styles = gallery.styles.iter();
            let networks = styles.map(|entry| {
                let network = shipped::network_in(folder, size, &entry.name)?;
                network.with_context(|| {
                    let (folder, size) = (folder.display(), size.name());
                    format!("{folder} has no style `{}` in the size {size}", entry.name)
                })
            });
            networks.collect()
        });
        let networks: Vec<Vec<Network>> = networks.collect::<anyhow::Result<_>>()?;
        anyhow::ensure!(
            !networks.is_empty(),
            "{} holds none of fast.onnx, balanced.onnx, best.onnx; give the folder that `impasto-train base` wrote",
            folder.display()
        );
        Ok(networks)
    }

    /// How far mixes of the first and second style of the list, the third and fourth and so on are from both, as the weights slide from one to the other.
    fn print_mixes(
        &self,
        gallery: &Gallery,
        networks: &[Vec<Network>],
        vgg: &Vgg,
        photos: &[Maps],
    ) -> anyhow::Result<()> {
        println!(
            "| from, to | size | style loss to the first at 1, 3/4, 1/2, 1/4, 0 | to the second |"
        );
        println!("| --- | --- | --- | --- |");
        for pair in gallery.styles.chunks_exact(2) {
            let paintings = [
                pair[0].painting(vgg, &self.paintings)?,
                pair[1].painting(vgg, &self.paintings)?,
            ];
            for of_size in networks {
                let [first, second] = [of(of_size, &pair[0])?, of(of_size, &pair[1])?];
                let mixes = [1.0, 0.75, 0.5, 0.25, 0.0].map(|share| first.mixed(second, share));
                let losses = paintings.each_ref().map(|painting| {
                    let losses = mixes
                        .iter()
                        .map(|mix| measure::losses(mix, vgg, painting, photos).style);
                    losses
                        .map(|loss| format!("{loss:.2}"))
                        .collect::<Vec<_>>()
                        .join(", ")
                });
                let [to_first, to_second] = losses;
                println!(
                    "| {}, {} | `{}` | {to_first} | {to_second} |",
                    pair[0].name,
                    pair[1].name,
                    first.size.name()
                );
            }
        }
        Ok(())
    }
}

/// The network of an entry.
fn of<'a>(networks: &'a [Network], entry: &Entry) -> anyhow::Result<&'a Network> {
    let mut networks = networks.iter();
    let found = networks.find(|network| network.styles[0].name == entry.name);
    found.with_context(|| format!("{} is in the list, but not among the styles", entry.name))
}

/// Every style of the list on every photo, and the photos.
fn sheet(networks: &[Network], gallery: &Gallery, photos: &[Maps]) -> anyhow::Result<RgbImage> {
    let networks = gallery.styles.iter().map(|entry| of(networks, entry));
    let networks: Vec<&Network> = networks.collect::<anyhow::Result<_>>()?;
    let row = |photo: &Maps| {
        let painted = networks.iter().map(|network| {
            let (convs, style) = (network.convs(), &network.styles[0]);
            network.forward(&convs, style, photo, false).0
        });
        let row = std::iter::once(photo.clone()).chain(painted);
        row.map(|maps| photos::picture(&maps)).collect()
    };
    let rows: Vec<Vec<RgbImage>> = photos.iter().map(row).collect();
    let names = gallery.styles.iter().map(|entry| entry.name.as_str());
    let names: Vec<&str> = std::iter::once("photo").chain(names).collect();
    Ok(crate::sheet::sheet(&names, &rows))
}
