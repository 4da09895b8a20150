//! The list of the gallery's styles and how they are trained: `gallery.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use crate::grade::Grade;
use crate::net::plan::Size;
use crate::perceptual::Painting;
use crate::photos;
use crate::style_file::{self, Facts};
use crate::train::Recipe;
use crate::vgg::Vgg;

/// Steps of a style by itself where the list does not say.
const N_FINETUNE: usize = 900;

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gallery {
    /// How the network that all styles start from is trained, by the name of its size.
    #[serde(default)]
    base: BTreeMap<String, Recipe>,
    /// How each style is trained on from there.
    #[serde(default)]
    finetune: BTreeMap<String, Recipe>,
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
    title: String,
    /// Who painted it.
    artist: String,
    /// When.
    year: String,
    /// Licence of the painting.
    licence: String,
    /// The part of it that counts, its levels and colours.
    #[serde(default)]
    grade: Grade,
    /// Short side that the part is scaled to, in pixels; the larger, the larger the strokes.
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
        let picture = photos::open(&folder.join(&self.file))?;
        let painting = photos::scaled(&self.grade.apply(&picture), self.short_side);
        Ok(Painting::new(vgg, &painting))
    }

    /// What is told of it.
    pub fn facts(&self) -> Facts {
        Facts {
            title: self.title.clone(),
            artist: self.artist.clone(),
            year: self.year.clone(),
            licence: self.licence.clone(),
            trained_by: style_file::TRAINED_BY.to_owned(),
            is_mixable: true,
        }
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
        let context = || format!("{} is no list of styles", path.display());
        let gallery: Self = toml::from_str(&text).with_context(context)?;
        for style in &gallery.styles {
            let context = || format!("{}: style {}", path.display(), style.name);
            style.grade.check().with_context(context)?;
        }
        Ok(gallery)
    }

    /// How the network of a size that all styles start from is trained.
    pub fn base(&self, size: Size) -> Recipe {
        self.base.get(size.name()).cloned().unwrap_or_default()
    }

    /// How each style of a size is trained on from there.
    pub fn finetune(&self, size: Size) -> Recipe {
        let recipe = self.finetune.get(size.name()).cloned();
        recipe.unwrap_or_else(|| Recipe::finetune(N_FINETUNE))
    }
}
