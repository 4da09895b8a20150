//! What painting makes of a camera's noise.

use image::RgbImage;

use super::{Answer, Probe};
use crate::evaluate::synthetic::noisy;

/// Codes: a camera indoors.
const SIGMA: f64 = 2.0;
const N_FRAMES: u64 = 60;
/// Frames at the start that do not count: history grows.
const N_SETTLING: usize = 20;

/// Deviation of samples over time, painted over photographed.
///
/// # Errors
/// If the picture cannot be painted.
pub fn gain(probe: &mut Probe<'_>, photo: &RgbImage) -> anyhow::Result<Answer> {
    let clip: Vec<_> = (0..N_FRAMES)
        .map(|seed| noisy(photo, SIGMA, seed))
        .collect();
    let input = deviation(&clip[N_SETTLING..]);
    probe.ask(
        "noise",
        || &clip,
        |painted| (input > 0.0).then(|| deviation(&painted[N_SETTLING..]) / input),
    )
}

/// Mean over samples of their standard deviation over time, in codes.
fn deviation(frames: &[RgbImage]) -> f64 {
    let n_samples = frames[0].as_raw().len();
    let n_frames = frames.len() as f64;
    let of_sample = |idx: usize| {
        let (sum, squares) = frames.iter().fold((0_u64, 0_u64), |(sum, squares), frame| {
            let code = u64::from(frame.as_raw()[idx]);
            (sum + code, squares + code * code)
        });
        let mean = sum as f64 / n_frames;
        (squares as f64 / n_frames - mean * mean).max(0.0).sqrt()
    };
    (0..n_samples).map(of_sample).sum::<f64>() / n_samples as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn deviation_is_taken_over_time() {
        let frames = [10, 20, 10, 20].map(|code| RgbImage::from_pixel(3, 2, Rgb([code, 0, 0])));
        assert!((deviation(&frames) - 5.0 / 3.0).abs() < 1e-9);
        let textured = RgbImage::from_fn(9, 9, |x, y| Rgb([(x * 20) as u8, (y * 20) as u8, 0]));
        assert!(deviation(&[textured.clone(), textured]) < 1e-6);
    }
}
