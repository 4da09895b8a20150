//! The list of the gallery's styles and how they are trained: `gallery.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use crate::net::plan::Size;
use crate::perceptual::Painting;
use crate::photos;
use crate::train::Recipe;
use crate::vgg::Vgg;

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gallery {
    /// How each size is trained, by its name.
    #[serde(default)]
    sizes: BTreeMap<String, Recipe>,
    /// Styles.
    #[serde(rename = "style")]
    pub styles: Vec<Entry>,
}

/// A style of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in flags and files.
    pub name: String,
    /// File of the painting.
    #[serde(rename = "painting")]
    file: String,
    /// Title of the painting.
    pub title: String,
    /// Who painted it.
    pub artist: String,
    /// When.
    pub year: String,
    /// Licence of the painting.
    pub licence: String,
    /// Short side that the painting is scaled to, in pixels; the larger, the larger the strokes.
    short_side: u32,
    /// How much style counts beside content.
    pub style: f32,
}

impl Entry {
    /// The style of its painting, which lies in `folder`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn painting(&self, vgg: &Vgg, folder: &Path) -> anyhow::Result<Painting> {
        let painting = photos::read_scaled(&folder.join(&self.file), self.short_side)?;
        Ok(Painting::new(vgg, &painting))
    }
}

impl Gallery {
    /// Reads a list.
    ///
    /// # Errors
    /// If it cannot be read, or holds something else.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is no list of styles", path.display()))
    }

    /// How a size is trained.
    pub fn recipe(&self, size: Size) -> Recipe {
        self.sizes.get(size.name()).cloned().unwrap_or_default()
    }
}
