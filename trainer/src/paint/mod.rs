//! Painting a single photo: the pixels themselves are what is learnt (Gatys et al. 2016). It takes minutes where a
//! network takes milliseconds, and shows what a style can look like at best.

use image::RgbImage;
use image::imageops::{self, FilterType};

use crate::lbfgs;
use crate::perceptual::{Aim, Painting, Shares};
use crate::photos::{self, maps, picture};
use crate::random::Random;
use crate::vgg::Vgg;

/// Sizes, as part of the final one, that are painted one after the other: large forms first, then strokes, then detail.
const SCALES: [f64; 3] = [0.25, 0.5, 1.0];
/// Pixels that are painted beyond each side and cut off in the end: the loss network sees a black frame round a picture.
const MARGIN: usize = 24;
/// Steps between two looks from another place, lest the picture gets used to the loss network's own grid of 8 pixels.
const STEPS_A_LOOK: usize = 50;
const GRID: usize = 8;
/// Least side of a picture in pixels.
pub const LEAST_PX: u32 = 32;

/// What is to be painted, and how.
pub struct Job<'a> {
    /// What it shows.
    pub photo: &'a RgbImage,
    /// How it is painted.
    pub painting: &'a RgbImage,
    /// Short side of the result in pixels.
    pub size_px: u32,
    /// Short side that the painting is scaled to, in pixels; the larger, the larger the strokes.
    pub strokes_px: u32,
    /// How much each loss counts.
    pub shares: Shares,
    /// Steps at each scale.
    pub n_steps: usize,
    /// Where random numbers come from.
    pub seed: u64,
}

/// How far the work is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Part of all work that is done, 0 to 1.
    pub part: f64,
    /// Short side of what is painted at the moment, in pixels.
    pub size_px: u32,
    /// Loss of it.
    pub loss: f64,
}

impl Job<'_> {
    /// Paints it, and tells `progress` after each step.
    pub fn paint(&self, vgg: &Vgg, mut progress: impl FnMut(Progress)) -> RgbImage {
        let sizes: Vec<f64> = SCALES
            .into_iter()
            .filter(|scale| f64::from(self.size_px) * scale >= f64::from(LEAST_PX))
            .collect();
        let all: f64 = sizes.iter().map(|scale| scale * scale).sum();
        let mut before = 0.0;
        let mut painted: Option<RgbImage> = None;
        for (idx, &scale) in sizes.iter().enumerate() {
            let size_px = scaled_px(self.size_px, scale);
            let photo = resized(self.photo, size_px);
            let strokes_px = scaled_px(self.strokes_px, scale).max(LEAST_PX);
            let painting = Painting::new(vgg, &maps(&resized(self.painting, strokes_px)));
            let start = match painted.take() {
                None => photo.clone(),
                Some(painted) => grown(&painted, &photo),
            };
            let mut random = Random::of(&[self.seed, idx as u64]);
            let mut n_done = 0;
            let finished = self.refine(vgg, &painting, &start, &photo, &mut random, |loss| {
                n_done += 1;
                let part = n_done as f64 / self.n_steps as f64;
                progress(Progress {
                    part: (before + part * scale * scale) / all,
                    size_px,
                    loss,
                });
            });
            painted = Some(finished);
            before += scale * scale;
        }
        painted.unwrap_or_else(|| resized(self.photo, self.size_px))
    }

    /// Paints at one scale.
    fn refine(
        &self,
        vgg: &Vgg,
        painting: &Painting,
        start: &RgbImage,
        photo: &RgbImage,
        random: &mut Random,
        mut each: impl FnMut(f64),
    ) -> RgbImage {
        let [mut at, photo] = [start, photo].map(|picture| maps(picture).mirrored(MARGIN));
        let mut n_done = 0;
        while n_done < self.n_steps {
            let n_steps = STEPS_A_LOOK.min(self.n_steps - n_done);
            let [top, left] = [0; 2].map(|_| random.below(GRID));
            let [height, width] = [at.height, at.width].map(|side| side - GRID);
            let wanted = photo.crop(top, left, height, width);
            let mut seen = at.crop(top, left, height, width);
            let mut values = seen.values.clone();
            let aim = Aim::new(vgg, painting, &wanted);
            let loss = |values: &[f32]| {
                seen.values.copy_from_slice(values);
                let (losses, gradient) = aim.gradient(&seen, self.shares);
                let total = f64::from(self.shares.content) * losses.content
                    + f64::from(self.shares.style) * losses.style
                    + f64::from(self.shares.roughness) * losses.roughness;
                (total, gradient.into_values())
            };
            lbfgs::descend(&mut values, n_steps, loss, &mut each);
            for (y, row) in values.chunks_exact(3 * width).enumerate() {
                let to = (top + y) * at.stride() + 3 * left;
                for (target, value) in at.values[to..to + row.len()].iter_mut().zip(row) {
                    *target = value.clamp(0.0, 1.0);
                }
            }
            n_done += n_steps;
        }
        let [height, width] = [at.height, at.width].map(|side| side - 2 * MARGIN);
        picture(&at.crop(MARGIN, MARGIN, height, width))
    }
}

fn resized(picture: &RgbImage, short_px: u32) -> RgbImage {
    photos::resized(picture, short_px, FilterType::Lanczos3)
}

fn scaled_px(px: u32, scale: f64) -> u32 {
    (f64::from(px) * scale).round() as u32
}

/// A painted picture in the size of `photo`.
fn grown(painted: &RgbImage, photo: &RgbImage) -> RgbImage {
    imageops::resize(
        painted,
        photo.width(),
        photo.height(),
        FilterType::CatmullRom,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_side_gets_the_size() {
        let picture = RgbImage::new(300, 200);
        assert_eq!(resized(&picture, 50).dimensions(), (75, 50));
        assert_eq!(
            grown(&resized(&picture, 50), &picture).dimensions(),
            (300, 200)
        );
    }
}
