//! What the user asked for, as the element's properties hold it.

use super::{Precision, Quality};

/// Values of the properties.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub style: String,
    pub strength: f32,
    pub keep_colors: bool,
    pub quality: Quality,
    pub processing_size: u32,
    pub precision: Precision,
    pub max_in_flight: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            style: engines::styles::DEFAULT.to_owned(),
            strength: 1.0,
            keep_colors: false,
            quality: Quality::default(),
            processing_size: 0,
            precision: Precision::default(),
            max_in_flight: 1,
        }
    }
}

/// The part of the settings that needs another engine when it changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub style: String,
    pub quality: engines::Quality,
    pub engine: engines::Settings,
}

impl Settings {
    pub(super) fn order(&self) -> Order {
        Order {
            style: self.style.clone(),
            quality: match self.quality {
                Quality::Balanced => engines::Quality::Balanced,
                Quality::Best => engines::Quality::Best,
            },
            engine: engines::Settings {
                processing_size: self.processing_size as usize,
                max_in_flight: self.max_in_flight as usize,
                precision: match self.precision {
                    Precision::Auto => engines::Precision::Auto,
                    Precision::F32 => engines::Precision::F32,
                    Precision::Half => engines::Precision::Half,
                },
            },
        }
    }

    pub(super) fn look(&self) -> engines::Look {
        engines::Look {
            strength: self.strength,
            keep_colors: self.keep_colors,
        }
    }

    /// Whether frames go through untouched.
    pub(super) fn is_off(&self) -> bool {
        self.strength == 0.0
    }
}

impl Order {
    /// Reads the style and opens it for frames of `format`.
    pub(super) fn open(
        &self,
        format: &engines::FrameFormat,
    ) -> engines::Result<Box<dyn engines::Engine>> {
        let model = engines::styles::find(&self.style, self.quality)?;
        engines::open(&model, format, &self.engine)
    }
}
