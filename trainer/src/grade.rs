//! What is done to the picture of a painting before its style is taken: photographs of old paint are often dark and dull,
//! and not every part of a painting is what it is loved for.

use anyhow::ensure;
use image::{Rgb, RgbImage, imageops};
use serde::Deserialize;

use crate::tone;

/// A part of a picture, and its levels and colours. Done in this order: crop, levels, gamma, saturation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grade {
    /// Left, top, right and bottom of the part, in shares of width and height.
    crop: [f32; 4],
    /// What becomes 0, in red, green and blue; below 0, black becomes a colour.
    black: [f32; 3],
    /// What becomes 1, in red, green and blue.
    white: [f32; 3],
    /// The power that red, green and blue are raised to, above 0: below 1, what lies between is brighter.
    gamma: f32,
    /// Distance from grey of equal luma, as a factor.
    saturation: f32,
}

impl Default for Grade {
    /// The picture as it is.
    fn default() -> Self {
        Self {
            crop: [0.0, 0.0, 1.0, 1.0],
            black: [0.0; 3],
            white: [1.0; 3],
            gamma: 1.0,
            saturation: 1.0,
        }
    }
}

impl Grade {
    /// Refuses what makes no picture.
    ///
    /// # Errors
    /// If the part is empty or outside, white is not above black, gamma not above 0, or saturation below 0.
    pub fn check(&self) -> anyhow::Result<()> {
        let [left, top, right, bottom] = self.crop;
        ensure!(
            0.0 <= left
                && left < right
                && right <= 1.0
                && 0.0 <= top
                && top < bottom
                && bottom <= 1.0,
            "crop is {:?}; wanted [left, top, right, bottom] in shares of the picture, 0 to 1, left before right and top \
             before bottom",
            self.crop
        );
        ensure!(
            (0..3).all(|i| self.black[i] < self.white[i]),
            "black is {:?} and white {:?}; wanted white above black in red, green and blue",
            self.black,
            self.white
        );
        ensure!(
            self.gamma > 0.0 && self.saturation >= 0.0,
            "gamma is {} and saturation {}; wanted a gamma above 0 and a saturation of 0 or more",
            self.gamma,
            self.saturation
        );
        Ok(())
    }

    /// The part of a picture, in other light and colours. It holds one pixel at least.
    pub fn apply(&self, picture: &RgbImage) -> RgbImage {
        let (width, height) = picture.dimensions();
        let [left, right] = [self.crop[0], self.crop[2]].map(|share| (share * width as f32) as u32);
        let [top, bottom] =
            [self.crop[1], self.crop[3]].map(|share| (share * height as f32) as u32);
        let (left, top) = (left.min(width - 1), top.min(height - 1));
        let size = [(right - left).max(1), (bottom - top).max(1)];
        let mut part = imageops::crop_imm(picture, left, top, size[0], size[1]).to_image();
        for Rgb(pixel) in part.pixels_mut() {
            let color: [f32; 3] = std::array::from_fn(|i| {
                let level = f32::from(pixel[i]) / 255.0 - self.black[i];
                (level / (self.white[i] - self.black[i]))
                    .clamp(0.0, 1.0)
                    .powf(self.gamma)
            });
            let luma = tone::luma(color);
            *pixel = color
                .map(|value| ((luma + (value - luma) * self.saturation) * 255.0).round() as u8);
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(8, 4, |x, y| Rgb([x as u8 * 30, y as u8 * 60, 100]))
    }

    #[test]
    fn as_it_is_unless_something_is_asked_for() {
        assert_eq!(Grade::default().apply(&picture()), picture());
        assert!(Grade::default().check().is_ok());
    }

    #[test]
    fn a_part_is_taken_and_its_levels_are_stretched() {
        let grade: Grade = toml::from_str(
            "crop = [0.5, 0.25, 1.0, 1.0]\nblack = [0.0, 0.0, 0.2]\nwhite = [1.0, 0.5, 1.0]\n",
        )
        .unwrap();
        let part = grade.apply(&picture());
        assert_eq!(part.dimensions(), (4, 3));
        // (100 / 255 - 0.2) / 0.8 * 255 = 61.25
        assert_eq!(part.get_pixel(0, 0), &Rgb([120, 120, 61]));
        assert_eq!(part.get_pixel(3, 2), &Rgb([210, 255, 61]));
    }

    #[test]
    fn gamma_brightens_and_saturation_leaves_luma() {
        let one = RgbImage::from_pixel(1, 1, Rgb([64, 128, 200]));
        let brighter = Grade {
            gamma: 0.5,
            ..Grade::default()
        }
        .apply(&one);
        assert_eq!(brighter.get_pixel(0, 0), &Rgb([128, 181, 226]));
        let grey = Grade {
            saturation: 0.0,
            ..Grade::default()
        }
        .apply(&one);
        // 0.2126 * 64 + 0.7152 * 128 + 0.0722 * 200 = 119.6
        assert_eq!(grey.get_pixel(0, 0), &Rgb([120; 3]));
    }

    #[test]
    fn what_makes_no_picture_is_refused() {
        for (text, named) in [
            (
                "crop = [0.5, 0.0, 0.5, 1.0]",
                "crop is [0.5, 0.0, 0.5, 1.0]",
            ),
            ("crop = [0.0, 0.0, 1.2, 1.0]", "0 to 1"),
            ("black = [0.0, 1.0, 0.0]", "white above black"),
            ("gamma = 0.0", "gamma is 0"),
            ("saturation = nan", "saturation NaN"),
        ] {
            let grade: Grade = toml::from_str(text).unwrap();
            let error = grade.check().expect_err(text).to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
