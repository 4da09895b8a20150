//! The ruler itself: what is measured of painted frames, in numbers. The definitions that every figure about
//! steadiness in this project goes by.
//!
//! Frames have 8 bits; values are codes over 255, `0.0..=1.0`. Masks and flow are row by row.

use image::RgbImage;

use super::scene::Pair;

/// PSNR of what does not differ at all: where 8 bits have long ended.
const SAME_DB: f64 = 100.0;

/// The squares of what differs between a frame and the next one brought back along the true motion.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WarpError {
    /// Sum over pixels and channels.
    squares: f64,
    /// Pixels that count: motion known, seen in both frames.
    n_seen: usize,
    /// All pixels of the frame.
    n_all: usize,
}

impl WarpError {
    /// Measures `older` against `newer`, bilinearly sampled where the pixels of `older` went.
    pub fn of(older: &RgbImage, newer: &RgbImage, pair: &Pair) -> Self {
        let mut sum = Self::default();
        for squares in squares(older, newer, pair) {
            sum.n_all += 1;
            if let Some(squares) = squares {
                sum.n_seen += 1;
                sum.squares += squares;
            }
        }
        sum
    }

    /// Root of the mean square over the pixels that count and their channels; `None` if none counts.
    pub fn e_stab(&self) -> Option<f64> {
        root_mean(self.squares, self.n_seen)
    }

    /// Root of the same sum over the count of all pixels and channels, as Huang et al. 2017 normalise their temporal
    /// loss: pixels that do not count are taken for right, so that it is smaller the more of them there are.
    pub fn huang(&self) -> Option<f64> {
        root_mean(self.squares, self.n_all)
    }
}

/// Error of every pixel of `older`, row by row: root of the mean square over channels, not a number where it does not
/// count.
pub fn error_map(older: &RgbImage, newer: &RgbImage, pair: &Pair) -> Vec<f32> {
    squares(older, newer, pair)
        .map(|squares| squares.map_or(f32::NAN, |squares| (squares / 3.0).sqrt() as f32))
        .collect()
}

/// Mean step from a pixel to its right neighbour plus that to its lower one: how much detail there is.
pub fn gradient_energy(frame: &RgbImage) -> f64 {
    let width_samples = frame.width() as usize * 3;
    let rows: Vec<&[u8]> = frame.as_raw().chunks_exact(width_samples).collect();
    let across = rows
        .iter()
        .flat_map(|row| row.iter().zip(&row[3.min(row.len())..]));
    let down = rows.windows(2).flat_map(|rows| rows[0].iter().zip(rows[1]));
    mean_step(across) + mean_step(down)
}

/// Mean difference between two frames: of a painting and its photo, how strongly it is painted.
pub fn distance(a: &RgbImage, b: &RgbImage) -> f64 {
    mean_step(a.as_raw().iter().zip(b.as_raw()))
}

/// Mean of all samples.
pub fn brightness(frame: &RgbImage) -> f64 {
    let sum: u64 = frame.as_raw().iter().map(|&code| u64::from(code)).sum();
    sum as f64 / (frame.as_raw().len().max(1) as f64 * 255.0)
}

/// The squares of what differs between two frames over some of their pixels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ghost {
    squares: f64,
    n_samples: usize,
}

impl Ghost {
    /// Adds the pixels of a frame for which `mask` is true.
    pub fn add(&mut self, a: &RgbImage, b: &RgbImage, mask: &[bool]) {
        for ((a, b), _) in a.pixels().zip(b.pixels()).zip(mask).filter(|(_, on)| **on) {
            for (a, b) in a.0.iter().zip(b.0) {
                self.squares += difference(*a, b).powi(2);
                self.n_samples += 1;
            }
        }
    }

    /// PSNR in dB, at most 100; `None` if there were no pixels.
    pub fn psnr(&self) -> Option<f64> {
        (self.n_samples > 0).then(|| {
            let mean = self.squares / self.n_samples as f64;
            (-10.0 * mean.log10()).min(SAME_DB)
        })
    }
}

/// For every pixel of `older` the sum of squares over its channels, `None` where it does not count.
fn squares(older: &RgbImage, newer: &RgbImage, pair: &Pair) -> impl Iterator<Item = Option<f64>> {
    let width = older.width() as usize;
    older
        .pixels()
        .zip(pair.flow.iter().zip(&pair.valid))
        .enumerate()
        .map(move |(idx, (pixel, (step, valid)))| {
            let x = (idx % width) as f64 + f64::from(step[0]);
            let y = (idx / width) as f64 + f64::from(step[1]);
            let there = valid.then(|| sample(newer, x, y)).flatten()?;
            let difference = |(there, here): (f64, &u8)| there - f64::from(*here) / 255.0;
            Some(
                there
                    .into_iter()
                    .zip(&pixel.0)
                    .map(|both| difference(both).powi(2))
                    .sum(),
            )
        })
}

/// Bilinear between the centres of four pixels; `None` outside of the outermost centres.
fn sample(frame: &RgbImage, x: f64, y: f64) -> Option<[f64; 3]> {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let inside = |at: f64, len: usize| at >= 0.0 && at <= (len - 1) as f64;
    if !inside(x, width) || !inside(y, height) {
        return None;
    }
    let (left, top) = (x as usize, y as usize);
    let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
    let (a, b) = (x - left as f64, y - top as f64);
    let codes = frame.as_raw();
    let code = |x: usize, y: usize, channel: usize| f64::from(codes[(y * width + x) * 3 + channel]);
    Some(std::array::from_fn(|channel| {
        let across = |y| code(left, y, channel) * (1.0 - a) + code(right, y, channel) * a;
        (across(top) * (1.0 - b) + across(bottom) * b) / 255.0
    }))
}

fn root_mean(squares: f64, n_pixels: usize) -> Option<f64> {
    (n_pixels > 0).then(|| (squares / (n_pixels * 3) as f64).sqrt())
}

fn mean_step<'a>(pairs: impl Iterator<Item = (&'a u8, &'a u8)>) -> f64 {
    let (sum, n) = pairs.fold((0_u64, 0_u64), |(sum, n), (a, b)| {
        (sum + u64::from(a.abs_diff(*b)), n + 1)
    });
    sum as f64 / (n.max(1) as f64 * 255.0)
}

fn difference(a: u8, b: u8) -> f64 {
    f64::from(a.abs_diff(b)) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, imageops};

    const SIZE: (u32, u32) = (24, 16);

    fn texture(offset: u32) -> RgbImage {
        RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
            let x = x + offset;
            Rgb([x * x * 7 + y * 31, x * 13 + y * y * 5, x * y].map(|code| (code % 256) as u8))
        })
    }

    fn pair(step: [f32; 2]) -> Pair {
        let n_pixels = (SIZE.0 * SIZE.1) as usize;
        Pair {
            from: 0,
            to: 1,
            flow: vec![step; n_pixels],
            known: vec![true; n_pixels],
            valid: vec![true; n_pixels],
            revealed: vec![false; n_pixels],
        }
    }

    #[test]
    fn a_pure_shift_has_no_error() {
        // Content moves three pixels to the left.
        let (older, newer) = (texture(0), texture(3));
        let error = WarpError::of(&older, &newer, &pair([-3.0, 0.0]));
        assert_eq!(error.e_stab(), Some(0.0));
        assert_eq!(error.n_seen, ((SIZE.0 - 3) * SIZE.1) as usize);
        let without = WarpError::of(&older, &newer, &pair([0.0, 0.0]));
        assert!(without.e_stab().unwrap() > 0.1);
    }

    #[test]
    fn errors_are_root_mean_squares_of_values_up_to_one() {
        let (black, grey) = (
            RgbImage::new(SIZE.0, SIZE.1),
            RgbImage::from_pixel(SIZE.0, SIZE.1, Rgb([51; 3])),
        );
        let mut half = pair([0.0, 0.0]);
        half.valid[..192].fill(false);
        let error = WarpError::of(&black, &grey, &half);
        assert!((error.e_stab().unwrap() - 0.2).abs() < 1e-12);
        // Half of the pixels count: their sum is spread over all.
        assert!((error.huang().unwrap() - 0.2 / 2_f64.sqrt()).abs() < 1e-12);
        let map = error_map(&black, &grey, &half);
        assert!(map[0].is_nan() && map[191].is_nan());
        assert!((map[192] - 0.2).abs() < 1e-6);
    }

    #[test]
    fn masked_pixels_do_not_count() {
        let older = texture(0);
        let mut newer = older.clone();
        newer.put_pixel(5, 2, Rgb([255, 0, 255]));
        let mut pair = pair([0.0, 0.0]);
        assert!(WarpError::of(&older, &newer, &pair).e_stab().unwrap() > 0.0);
        pair.valid[2 * SIZE.0 as usize + 5] = false;
        assert_eq!(WarpError::of(&older, &newer, &pair).e_stab(), Some(0.0));
        pair.valid.fill(false);
        assert_eq!(WarpError::of(&older, &newer, &pair).e_stab(), None);
        assert_eq!(WarpError::of(&older, &newer, &pair).huang(), Some(0.0));
    }

    #[test]
    fn samples_lie_between_pixels() {
        let ramp = RgbImage::from_fn(4, 3, |x, y| Rgb([(x * 20) as u8, (y * 40) as u8, 7]));
        let [r, g, b] = sample(&ramp, 1.25, 0.5).unwrap().map(|value| value * 255.0);
        assert!((r - 25.0).abs() < 1e-9 && (g - 20.0).abs() < 1e-9 && (b - 7.0).abs() < 1e-9);
        assert!(sample(&ramp, 3.0, 2.0).is_some());
        for (x, y) in [(3.01, 0.0), (-0.01, 0.0), (0.0, 2.5), (f64::NAN, 0.0)] {
            assert!(sample(&ramp, x, y).is_none(), "{x} {y}");
        }
    }

    #[test]
    fn blur_lowers_gradient_energy() {
        let sharp = texture(0);
        let soft = imageops::blur(&sharp, 1.5);
        assert!(gradient_energy(&soft) < 0.7 * gradient_energy(&sharp));
        assert_eq!(gradient_energy(&RgbImage::new(9, 9)), 0.0);
        let ramp = RgbImage::from_fn(4, 3, |x, y| Rgb([(x * 51 + y * 25) as u8; 3]));
        assert!((gradient_energy(&ramp) - 76.0 / 255.0).abs() < 1e-12);
    }

    #[test]
    fn ghosts_are_looked_for_where_the_mask_is() {
        let clean = texture(0);
        let mut haunted = clean.clone();
        haunted.put_pixel(0, 0, Rgb([255 - clean.get_pixel(0, 0)[0], 0, 0]));
        let mut mask = vec![false; (SIZE.0 * SIZE.1) as usize];
        let psnr = |mask: &[bool]| {
            let mut ghost = Ghost::default();
            ghost.add(&haunted, &clean, mask);
            ghost.psnr()
        };
        assert_eq!(psnr(&mask), None);
        mask[1] = true;
        assert_eq!(psnr(&mask), Some(SAME_DB));
        mask[0] = true;
        assert!(psnr(&mask).unwrap() < 10.0);
    }
}
