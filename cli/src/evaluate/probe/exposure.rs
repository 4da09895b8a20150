//! How much of a camera's hunting exposure shows in the painting.

use std::f64::consts::TAU;

use image::RgbImage;

use super::{Answer, FPS, Probe, lit};
use crate::evaluate::ruler::brightness;

/// From mean to peak, of the light.
const SWING: f64 = 0.15;
const HERTZ: f64 = 1.0;
const SECONDS: usize = 6;
/// Seconds at the start that do not count.
const N_SETTLING: usize = 2;

/// Codes from mean to peak by which the mean of the painting swings with the light.
///
/// # Errors
/// If the picture cannot be painted.
pub fn swing(probe: &mut Probe<'_>, photo: &RgbImage) -> anyhow::Result<Answer> {
    let gain = |idx: usize| 1.0 + SWING * (phase(idx)).sin();
    let clip = || (0..SECONDS * FPS).map(|idx| lit(photo, gain(idx)));
    probe.ask("exposure", clip, |painted| {
        let means: Vec<f64> = painted[N_SETTLING * FPS..].iter().map(brightness).collect();
        Some(amplitude(&means) * 255.0)
    })
}

fn phase(frame_idx: usize) -> f64 {
    TAU * HERTZ * frame_idx as f64 / FPS as f64
}

/// Of the oscillation at [`HERTZ`] in values of whole periods: one bin of a Fourier transform.
fn amplitude(values: &[f64]) -> f64 {
    let (sin, cos) = values
        .iter()
        .enumerate()
        .fold((0.0, 0.0), |(sin, cos), (idx, value)| {
            let phase = phase(idx);
            (sin + value * phase.sin(), cos + value * phase.cos())
        });
    2.0 / values.len() as f64 * sin.hypot(cos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_amplitude_is_that_of_one_hertz() {
        let values = |hertz: f64, shift: f64| -> Vec<f64> {
            (0..4 * FPS)
                .map(|idx| 7.0 + 3.0 * (hertz * phase(idx) + shift).sin())
                .collect()
        };
        assert!((amplitude(&values(1.0, 0.7)) - 3.0).abs() < 1e-9);
        assert!(amplitude(&values(2.0, 0.0)) < 1e-9);
        assert!(amplitude(&values(0.0, 0.3)) < 1e-9);
    }
}
