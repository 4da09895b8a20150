//! The pattern of a picture that is fixed to its grid: what networks that work on blocks of pixels leave behind.

use crate::maps::Maps;

/// Mean square of the pattern that repeats after `PERIOD` pixels in both directions: of the difference of the mean over
/// all pixels at one place of a block to the mean over all pixels, of each channel. Adds `share` times the gradient.
pub(super) fn lattice<const PERIOD: usize>(picture: &Maps, share: f32, gradient: &mut Maps) -> f64 {
    let n = picture.n_channels;
    // Whole periods only, so that all places count alike.
    let [height, width] = [picture.height, picture.width].map(|side| side / PERIOD * PERIOD);
    let n_each = (height / PERIOD * (width / PERIOD)) as f32;
    let place = |y: usize, x: usize| (y % PERIOD * PERIOD + x % PERIOD) * n;
    let mut means = vec![0.0; PERIOD * PERIOD * n];
    for y in 0..height {
        for x in 0..width {
            let at = place(y, x);
            for (mean, value) in means[at..at + n].iter_mut().zip(picture.pixel(y, x)) {
                *mean += value / n_each;
            }
        }
    }
    for channel in 0..n {
        let mean = means.iter().skip(channel).step_by(n).sum::<f32>() / (PERIOD * PERIOD) as f32;
        means
            .iter_mut()
            .skip(channel)
            .step_by(n)
            .for_each(|value| *value -= mean);
    }
    let count = means.len() as f32;
    let stride = gradient.stride();
    for y in 0..height {
        for x in 0..width {
            let at = place(y, x);
            let target = &mut gradient.values[y * stride + x * n..][..n];
            for (target, mean) in target.iter_mut().zip(&means[at..at + n]) {
                *target += 2.0 * share * mean / (count * n_each);
            }
        }
    }
    means
        .iter()
        .map(|&value| f64::from(value * value))
        .sum::<f64>()
        / f64::from(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_repeats_counts() {
        let mut picture = Maps::zeros(32, 35, 3);
        let mut gradient = picture.zeros_like();
        picture.values.fill(0.7);
        assert!(lattice::<8>(&picture, 1.0, &mut gradient) < 1e-10);
        for y in 0..32 {
            for x in 0..35 {
                picture.values[(y * 35 + x) * 3] += if x % 2 == 0 { 0.1 } else { -0.1 };
            }
        }
        // One channel of three deviates by 0.1.
        assert!((lattice::<8>(&picture, 1.0, &mut gradient) - 0.01 / 3.0).abs() < 1e-6);
        assert!(gradient.pixel(0, 0)[0] > 0.0 && gradient.pixel(0, 1)[0] < 0.0);
        assert_eq!(gradient.pixel(0, 34), [0.0; 3]);
    }
}
