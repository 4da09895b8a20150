//! What a camera adds to a clip.

use image::RgbImage;

use super::chance::{self, Chance};

/// Gain of the last frame of a clip that grows dark.
const LAST_GAIN: f64 = 0.8;

/// Adds Gaussian noise with a deviation of `sigma` codes; another for every `seed`.
pub fn noisy(frame: &RgbImage, sigma: f64, seed: u64) -> RgbImage {
    let mut chance = Chance::new(chance::mixed(seed));
    changed(frame, |value| value + sigma * chance.normal())
}

/// Makes each frame a little darker than the last.
pub fn darkening(frames: &[RgbImage]) -> Vec<RgbImage> {
    let darker = |(frame_idx, frame): (usize, &RgbImage)| {
        let part = frame_idx as f64 / (frames.len() - 1).max(1) as f64;
        changed(frame, |value| value * (1.0 + (LAST_GAIN - 1.0) * part))
    };
    frames.iter().enumerate().map(darker).collect()
}

fn changed(frame: &RgbImage, mut change: impl FnMut(f64) -> f64) -> RgbImage {
    let mut frame = frame.clone();
    for value in frame.iter_mut() {
        *value = change(f64::from(*value)).round().clamp(0.0, 255.0) as u8;
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey() -> Vec<RgbImage> {
        vec![RgbImage::from_pixel(40, 40, image::Rgb([100; 3])); 3]
    }

    #[test]
    fn seeds_make_the_same_noise_again_and_others_another() {
        let grey = &grey()[0];
        assert_eq!(noisy(grey, 2.0, 1), noisy(grey, 2.0, 1));
        assert_ne!(noisy(grey, 2.0, 1), noisy(grey, 2.0, 2));
    }

    #[test]
    fn noise_has_the_deviation_asked_for() {
        let noisy = noisy(
            &RgbImage::from_pixel(200, 100, image::Rgb([128; 3])),
            2.0,
            7,
        );
        let differences = || noisy.iter().map(|&code| f64::from(code) - 128.0);
        let n = noisy.len() as f64;
        let mean = differences().sum::<f64>() / n;
        let variance = differences().map(|by| by * by).sum::<f64>() / n;
        // Rounding adds a twelfth of a code squared.
        assert!(mean.abs() < 0.05, "{mean}");
        assert!((variance - 4.0 - 1.0 / 12.0).abs() < 0.1, "{variance}");
    }

    #[test]
    fn the_last_frame_is_the_darkest() {
        let frames = darkening(&grey());
        let values: Vec<_> = frames.iter().map(|frame| frame.as_raw()[0]).collect();
        assert_eq!(values, [100, 90, 80]);
    }
}
