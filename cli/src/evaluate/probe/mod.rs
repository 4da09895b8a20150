//! Questions that need no known motion: what becomes of noise, of a change of light, of a fade, of a cut, and of
//! what stands still, while a still picture is painted as video.
//!
//! Clips have 25 frames a second. Every question is put to the frame by frame painting and to the one asked for.

mod background;
mod cut;
mod drift;
mod exposure;
mod fade;
mod noise;

use std::borrow::Borrow;

use engines::Look;
use image::RgbImage;
use image::imageops::{self, FilterType};
use serde::Serialize;

use super::measure::frame_by_frame;
use super::studio::Studio;

/// Frames of a second.
pub const FPS: usize = 25;

/// Width in pixels at which most questions are put: a larger picture is scaled down.
const WIDTH: u32 = 640;

/// The answers. "Codes" are steps of 8 bits.
#[derive(Serialize)]
pub struct Probes {
    /// Deviation of noise over time, painted over photographed.
    pub noise_gain: Answer,
    /// Codes by which a noisy still picture has changed since its first second.
    pub drift: Answer,
    /// Seconds that the picture stood still for `drift`.
    pub drift_seconds: u32,
    /// Codes by which a still background changes from frame to frame while something moves before it.
    pub background: Answer,
    /// Codes by which the mean swings with the light, at 1 Hz and 15 %.
    pub exposure: Answer,
    /// Share of that swing that is left.
    pub exposure_passed: Option<f64>,
    /// Mean code of the first black frame after a fade of one second.
    pub fade: Answer,
    /// Codes by which that frame differs from the unstabilised one.
    pub fade_ghost: f64,
    /// The frame after a cut is the unstabilised one, bit by bit.
    pub cut_is_clean: bool,
    /// Codes by which it differs.
    pub cut_ghost: f64,
}

/// What one question found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Of what was painted frame by frame.
    pub unstabilised: Option<f64>,
    /// Of what was painted as asked.
    pub stabilised: Option<f64>,
}

/// What questions are put to.
pub struct Probe<'a> {
    /// Paints.
    pub studio: &'a mut Studio,
    /// As asked.
    pub look: Look,
    /// A clip; its first frame is the still picture.
    pub clip: &'a [RgbImage],
    /// For `drift`, at least 2.
    pub drift_seconds: u32,
}

impl Probe<'_> {
    /// Puts every question.
    ///
    /// # Errors
    /// If a picture cannot be painted, or the user interrupts.
    pub fn run(&mut self) -> anyhow::Result<Probes> {
        let photo = scaled(&self.clip[0], WIDTH);
        let noise_gain = noise::gain(self, &photo)?;
        let exposure = exposure::swing(self, &photo)?;
        let (fade, fade_ghost) = fade::after(self, &photo)?;
        let cut_ghost = cut::ghost(self)?;
        let background = background::restlessness(self)?;
        Ok(Probes {
            noise_gain,
            drift: drift::since_first_second(self)?,
            drift_seconds: self.drift_seconds,
            background,
            exposure,
            exposure_passed: exposure.ratio(),
            fade,
            fade_ghost,
            cut_is_clean: cut_ghost == 0.0,
            cut_ghost,
        })
    }

    /// Puts one question to both paintings of a clip.
    fn ask<F: Borrow<RgbImage>, Clip: IntoIterator<Item = F>>(
        &mut self,
        what: &str,
        clip: impl Fn() -> Clip,
        mut answer: impl FnMut(&[RgbImage]) -> Option<f64>,
    ) -> anyhow::Result<Answer> {
        self.studio.announce(what);
        let mut put = |look| anyhow::Ok(answer(&self.studio.paint(look, clip())?.0));
        Ok(Answer {
            unstabilised: put(frame_by_frame(self.look))?,
            stabilised: put(self.look)?,
        })
    }
}

impl Answer {
    /// Stabilised over unstabilised.
    pub fn ratio(&self) -> Option<f64> {
        let (stabilised, unstabilised) = (self.stabilised?, self.unstabilised?);
        (unstabilised > 0.0).then(|| stabilised / unstabilised)
    }
}

/// The picture itself, or one of `width` pixels if it is wider.
fn scaled(photo: &RgbImage, width: u32) -> RgbImage {
    if photo.width() <= width {
        return photo.clone();
    }
    let height = (photo.height() * width).div_ceil(photo.width());
    let height = height.max(engines::MIN_SIZE_PX as u32);
    imageops::resize(photo, width, height, FilterType::Triangle)
}

/// The picture in other light: codes times `gain`.
fn lit(photo: &RgbImage, gain: f64) -> RgbImage {
    let mut lit = photo.clone();
    for code in lit.iter_mut() {
        // Casts saturate.
        *code = (f64::from(*code) * gain).round() as u8;
    }
    lit
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn only_wide_pictures_are_scaled() {
        assert_eq!(
            scaled(&RgbImage::new(640, 9000), 640).dimensions(),
            (640, 9000)
        );
        assert_eq!(
            scaled(&RgbImage::new(1024, 436), 320).dimensions(),
            (320, 137)
        );
        assert_eq!(
            scaled(&RgbImage::new(8192, 16), 320).dimensions(),
            (320, 16)
        );
    }

    #[test]
    fn light_ends_at_white() {
        let grey = RgbImage::from_pixel(1, 1, Rgb([0, 100, 250]));
        assert_eq!(lit(&grey, 1.15).get_pixel(0, 0), &Rgb([0, 115, 255]));
    }
}
