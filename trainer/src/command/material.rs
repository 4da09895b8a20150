//! What the gallery is trained on.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use crate::gallery::{Entry, Gallery};
use crate::loss_network;
use crate::net::plan::Size;
use crate::photos::Photos;
use crate::train::Target;
use crate::vgg::Vgg;

/// Flags that name it.
#[derive(Args, Debug)]
pub struct Flags {
    /// List of styles and how they are trained
    #[arg(value_name = "GALLERY.toml")]
    gallery: PathBuf,
    /// Size of network
    #[arg(long, value_enum)]
    pub size: Size,
    /// Photos to learn on: pictures, folders of pictures, or clips
    #[arg(long, required = true, num_args = 1.., value_name = "DIR|FILE")]
    photos: Vec<PathBuf>,
    /// Folder of the paintings that the list names
    #[arg(long, value_name = "DIR")]
    paintings: PathBuf,
    /// Weights of the loss network [default: where `./setup trainer` puts them]
    #[arg(long, value_name = "FILE")]
    vgg: Option<PathBuf>,
}

/// What they name, opened.
pub struct Material {
    /// The list.
    pub gallery: Gallery,
    /// The loss network.
    pub vgg: Vgg,
    /// Photos to learn on.
    pub learn: Photos,
    /// Photos to judge by.
    pub judge: Photos,
    paintings: PathBuf,
}

impl Flags {
    /// Opens it.
    ///
    /// # Errors
    /// If something cannot be read, or the list is empty.
    pub fn open(&self) -> anyhow::Result<Material> {
        let gallery = Gallery::read(&self.gallery)?;
        ensure!(
            !gallery.styles.is_empty(),
            "{} lists no styles",
            self.gallery.display()
        );
        let vgg = loss_network::open(self.vgg.as_deref())?;
        let (learn, judge) = Photos::read(&self.photos)?;
        Ok(Material {
            gallery,
            vgg,
            learn,
            judge,
            paintings: self.paintings.clone(),
        })
    }
}

impl Material {
    /// What a style of the list is to look like.
    ///
    /// # Errors
    /// If its painting cannot be read.
    pub fn target(&self, entry: &Entry) -> anyhow::Result<Target> {
        Ok(Target::Painting {
            painting: entry.painting(&self.vgg, &self.paintings)?,
            share: entry.style,
        })
    }
}
