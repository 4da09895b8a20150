//! Numbers as colours.

use image::{Rgb, RgbImage};

/// Colours from least to greatest: black through violet, red and yellow, evenly brighter as matplotlib's
/// `inferno`, of which they are samples.
const RAMP: [[u8; 3]; 9] = [
    [0, 0, 4],
    [31, 12, 72],
    [85, 15, 109],
    [136, 34, 106],
    [186, 54, 85],
    [227, 89, 51],
    [249, 140, 10],
    [249, 201, 50],
    [252, 255, 164],
];

/// Where there is no number.
const UNKNOWN: Rgb<u8> = Rgb([150; 3]);

/// Part of the numbers that the scale covers, so that single outliers do not darken the rest.
const COVERED: f64 = 0.99;

/// Colour of a number; grey if it is none.
pub fn colour(value: f32, greatest: f32) -> Rgb<u8> {
    if value.is_nan() {
        return UNKNOWN;
    }
    let at = (value / greatest).clamp(0.0, 1.0) * (RAMP.len() - 1) as f32;
    let idx = (at as usize).min(RAMP.len() - 2);
    let part = at - idx as f32;
    Rgb([0, 1, 2].map(|channel| {
        let [low, high] = [RAMP[idx], RAMP[idx + 1]].map(|colour| f32::from(colour[channel]));
        (low + (high - low) * part).round() as u8
    }))
}

/// End of a scale for some maps: covers 99 % of the numbers of the greatest one; two digits.
pub fn greatest(maps: &[Vec<f32>]) -> f32 {
    let ends = maps.iter().map(|map| {
        let mut known: Vec<_> = map
            .iter()
            .copied()
            .filter(|value| !value.is_nan())
            .collect();
        known.sort_unstable_by(f32::total_cmp);
        let idx = (known.len() as f64 * COVERED) as usize;
        known.get(idx).or(known.last()).copied().unwrap_or(0.0)
    });
    let end = ends.fold(0.0, f32::max);
    ((end * 100.0).ceil() / 100.0).max(0.01)
}

/// A map of numbers, row by row.
pub fn picture(map: &[f32], width: u32, height: u32, greatest: f32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        colour(map[(y * width + x) as usize], greatest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greater_is_brighter() {
        let brightness = |step: u8| {
            let Rgb([red, green, blue]) = colour(f32::from(step) / 20.0, 1.0);
            0.2126 * f32::from(red) + 0.7152 * f32::from(green) + 0.0722 * f32::from(blue)
        };
        for step in 0..20 {
            assert!(brightness(step) < brightness(step + 1), "{step}");
        }
        assert_eq!(colour(7.0, 1.0), Rgb(RAMP[8]));
        assert_eq!(colour(f32::NAN, 1.0), UNKNOWN);
    }

    #[test]
    fn the_scale_leaves_outliers_out() {
        let mut map = vec![0.1; 1000];
        map[0] = 1.0;
        map[1] = f32::NAN;
        assert_eq!(greatest(&[map, vec![0.034; 5]]), 0.1);
        assert_eq!(greatest(&[vec![0.0; 4], Vec::new()]), 0.01);
    }
}
