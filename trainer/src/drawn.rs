//! Pictures that code draws, for styles that no painting shows.

use clap::ValueEnum;
use image::{Rgb, RgbImage};

use crate::random::Random;

/// Width and height in pixels.
const SIZE: (u32, u32) = (800, 600);
/// Pixels from a pane of glass to the next, and how far its middle may be off, as part of that.
const PANE: f32 = 46.0;
const OFF: f32 = 0.45;
/// Colours of the panes, with their shares.
const GLASS: [([f32; 3], f32); 12] = [
    ([20.0, 50.0, 160.0], 4.0),
    ([30.0, 100.0, 200.0], 4.0),
    ([10.0, 30.0, 90.0], 3.0),
    ([190.0, 25.0, 30.0], 4.0),
    ([225.0, 70.0, 25.0], 2.0),
    ([245.0, 180.0, 40.0], 3.0),
    ([250.0, 220.0, 110.0], 2.0),
    ([20.0, 120.0, 70.0], 3.0),
    ([70.0, 170.0, 90.0], 2.0),
    ([110.0, 40.0, 130.0], 2.0),
    ([235.0, 235.0, 215.0], 1.5),
    ([60.0, 150.0, 190.0], 3.0),
];
const LEAD: [f32; 3] = [14.0, 14.0, 16.0];

/// A picture that code draws.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Drawing {
    /// Panes of coloured glass between strips of lead.
    StainedGlass,
}

impl Drawing {
    /// Draws it: the same pixels each time.
    pub fn draw(self) -> RgbImage {
        RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
            let pixel = match self {
                Self::StainedGlass => stained_glass(x as f32, y as f32),
            };
            Rgb(pixel.map(|value| value.clamp(0.0, 255.0).round() as u8))
        })
    }
}

fn stained_glass(x: f32, y: f32) -> [f32; 3] {
    let at = [
        x + 10.0 * noise(1, 90.0, 3, x, y),
        y + 10.0 * noise(2, 90.0, 3, x, y),
    ];
    let [column, row] = at.map(|at| (at / PANE).floor() as i64);
    // The nearest and the second nearest middle of a pane (Worley 1996).
    let (mut nearest, mut second, mut pane) = (f32::MAX, f32::MAX, [0, 0]);
    for row in row - 2..=row + 2 {
        for column in column - 2..=column + 2 {
            let mut random = place(3, [column, row]);
            let middle =
                [column, row].map(|cell| (cell as f32 + 0.5 + random.between(-OFF, OFF)) * PANE);
            let distance = (at[0] - middle[0]).hypot(at[1] - middle[1]);
            if distance < nearest {
                second = nearest;
                (nearest, pane) = (distance, [column, row]);
            } else {
                second = second.min(distance);
            }
        }
    }
    let mut left = place(4, pane).unit() * GLASS.iter().map(|(_, share)| share).sum::<f32>();
    let colour = GLASS.iter().find(|(_, share)| {
        left -= share;
        left < 0.0
    });
    let colour = colour.unwrap_or(&GLASS[0]).0;
    // Brighter in the middle, and never quite even.
    let glow = 1.12 - 0.5 * (nearest / PANE).min(1.0) + 0.08 * noise(5, 14.0, 3, x, y);
    let haze = 15.0 * noise(6, 30.0, 3, x, y);
    let glass = colour.map(|value| value * glow + haze);
    let share = step(3.2, 6.0, second - nearest);
    [0, 1, 2].map(|i| LEAD[i] + share * (glass[i] - LEAD[i]))
}

/// Random numbers of a place.
fn place(seed: u64, at: [i64; 2]) -> Random {
    Random::of(&[seed, at[0] as u64, at[1] as u64])
}

/// Smooth noise of deviation about a half, around 0: values at the corners of cells, `n_octaves` times, each time with
/// cells and values of half the size.
fn noise(seed: u64, cell: f32, n_octaves: u64, x: f32, y: f32) -> f32 {
    let (mut sum, mut most) = (0.0, 0.0);
    for octave in 0..n_octaves {
        let share = 0.5_f32.powi(octave as i32);
        let at = [x, y].map(|at| at / (cell * share));
        let [left, top] = at.map(|at| at.floor() as i64);
        let corner =
            |right, down| place(seed << 8 | octave, [left + right, top + down]).between(-1.7, 1.7);
        let [right, down] = at.map(|at| step(0.0, 1.0, at - at.floor()));
        let row = |down| corner(0, down) + right * (corner(1, down) - corner(0, down));
        sum += share * (row(0) + down * (row(1) - row(0)));
        most += share;
    }
    sum / most
}

/// 0 below `low`, 1 above `high`, and smooth between.
fn step(low: f32, high: f32, at: f32) -> f32 {
    let at = ((at - low) / (high - low)).clamp(0.0, 1.0);
    at * at * (3.0 - 2.0 * at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glass_has_all_colours_and_lead() {
        let share = |picture: &RgbImage, is: &dyn Fn([u8; 3]) -> bool| {
            let n = picture.pixels().filter(|pixel| is(pixel.0)).count();
            n as f32 / (SIZE.0 * SIZE.1) as f32
        };
        let is_dark = |pixel: [u8; 3]| pixel.into_iter().all(|value| value < 40);
        let glass = Drawing::StainedGlass.draw();
        assert!((0.05..0.3).contains(&share(&glass, &is_dark)));
        let is_red = |[red, green, blue]: [u8; 3]| red / 2 > green && red / 2 > blue && red > 90;
        assert!((0.04..0.4).contains(&share(&glass, &is_red)));
        let is_blue = |[red, _, blue]: [u8; 3]| blue / 2 > red && blue > 90;
        assert!((0.1..0.6).contains(&share(&glass, &is_blue)));
    }
}
