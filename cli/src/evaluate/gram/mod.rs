//! How far a picture is from the style of a painting: the style loss that networks are trained by.
//!
//! Gatys, Ecker and Bethge 2016, with the layers that Johnson et al. 2016 use and each layer's loss as part of what
//! the painting has there, so that layers count alike.

mod features;
mod weights;

use std::path::Path;

use anyhow::ensure;
use image::RgbImage;
use image::imageops::{self, FilterType};
use ndarray::Array2;

use self::features::{Features, Then};
use self::weights::Conv;

/// Short side of the painting in pixels, as in training.
const PAINTING_PX: u32 = 400;

/// Least side of a picture: three times halved, there is one pixel left.
const LEAST_PX: u32 = 8;

/// Convolutions: name, channels in and out.
const LAYERS: [(&str, usize, usize); 10] = [
    ("conv1_1", 3, 64),
    ("conv1_2", 64, 64),
    ("conv2_1", 64, 128),
    ("conv2_2", 128, 128),
    ("conv3_1", 128, 256),
    ("conv3_2", 256, 256),
    ("conv3_3", 256, 256),
    ("conv4_1", 256, 512),
    ("conv4_2", 512, 512),
    ("conv4_3", 512, 512),
];

/// Positions of the layers that are compared. They are the last of their blocks, so pooling follows.
const COMPARED: [usize; 4] = [1, 3, 6, 9];

/// Measures distances from one painting.
pub struct GramDistance {
    convs: Vec<Conv>,
    painting: Vec<Array2<f64>>,
}

impl GramDistance {
    /// Reads the weights of VGG16 (safetensors, `conv1_1.weight` `[64, 3, 3, 3]` to `conv4_3.bias`, f32) and takes
    /// the style of a painting, scaled to 400 pixels on its short side.
    ///
    /// # Errors
    /// If the file is missing or holds something else.
    pub fn open(vgg: &Path, painting: &RgbImage) -> anyhow::Result<Self> {
        let mut distance = Self {
            convs: weights::read(vgg, &LAYERS)?,
            painting: Vec::new(),
        };
        let (width, height) = painting.dimensions();
        ensure!(width > 0 && height > 0, "the painting has no pixels");
        let scale = f64::from(PAINTING_PX) / f64::from(width.min(height));
        let [width, height] = [width, height].map(|side| (f64::from(side) * scale).round() as u32);
        let painting = imageops::resize(painting, width, height, FilterType::Lanczos3);
        distance.painting = distance.style(&painting)?;
        Ok(distance)
    }

    /// Distance of a picture, at its own size: 0 for the painting itself, about 4 for a picture without contrast.
    /// Takes memory for 64 numbers for each pixel.
    ///
    /// # Errors
    /// If the picture is smaller than 8x8, or an interruption was noted.
    pub fn of(&mut self, picture: &RgbImage) -> anyhow::Result<f64> {
        let style = self.style(picture)?;
        let layers = style.iter().zip(&self.painting);
        Ok(layers
            .map(|(found, wanted)| energy(&(found - wanted)) / energy(wanted))
            .sum())
    }

    /// The Gram matrices of a picture.
    fn style(&self, picture: &RgbImage) -> anyhow::Result<Vec<Array2<f64>>> {
        let (width, height) = picture.dimensions();
        ensure!(
            width.min(height) >= LEAST_PX,
            "style can be measured from {LEAST_PX}x{LEAST_PX} pixels on, got {width}x{height}"
        );
        let mut features = Features::of(picture);
        let mut style = Vec::new();
        for (idx, conv) in self.convs.iter().enumerate() {
            crate::interrupt::check()?;
            let is_compared = COMPARED.contains(&idx);
            let then = Then {
                pool: is_compared,
                gram: is_compared,
            };
            let (next, gram) = features.convolve(conv, then);
            style.extend(gram);
            features = next;
        }
        Ok(style)
    }
}

/// Sum of squares.
fn energy(matrix: &Array2<f64>) -> f64 {
    matrix.iter().map(|value| value * value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_weights_are_named() {
        let painting = RgbImage::new(10, 10);
        let error = GramDistance::open(Path::new("none.safetensors"), &painting).err();
        let text = format!("{:#}", error.unwrap());
        assert!(text.contains("reading weights none.safetensors"), "{text}");
    }
}
