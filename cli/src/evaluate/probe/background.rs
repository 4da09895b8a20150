//! How restless a background is that stands still while something moves before it.

use image::RgbImage;

use super::{Answer, Probe};
use crate::evaluate::scene::Pair;
use crate::evaluate::synthetic;

/// Pixels around the thing that do not count.
const MARGIN_PX: usize = 24;

/// Mean codes from frame to frame over the background.
///
/// # Errors
/// If the scene `object` cannot be painted.
pub fn restlessness(probe: &mut Probe<'_>) -> anyhow::Result<Answer> {
    let scene = synthetic::object()?;
    let width = scene.frames[0].width() as usize;
    let still: Vec<(&Pair, Vec<bool>)> = scene
        .pairs
        .iter()
        .filter(|pair| pair.from + 1 == pair.to)
        .map(|pair| (pair, background(pair, width)))
        .collect();
    probe.ask(
        "background",
        || &scene.frames,
        |painted| {
            let mut change = Change::default();
            for (pair, mask) in &still {
                change.add(&painted[pair.from], &painted[pair.to], mask);
            }
            (change.n_samples > 0).then(|| change.codes as f64 / change.n_samples as f64)
        },
    )
}

#[derive(Default)]
struct Change {
    codes: u64,
    n_samples: u64,
}

impl Change {
    fn add(&mut self, older: &RgbImage, newer: &RgbImage, mask: &[bool]) {
        let pixels = older.pixels().zip(newer.pixels()).zip(mask);
        for ((older, newer), _) in pixels.filter(|(_, on)| **on) {
            for (older, newer) in older.0.iter().zip(newer.0) {
                self.codes += u64::from(older.abs_diff(newer));
                self.n_samples += 1;
            }
        }
    }
}

/// Pixels that stand still, are seen in both frames, and are far from all that do not or are not.
fn background(pair: &Pair, width: usize) -> Vec<bool> {
    let height = pair.flow.len() / width;
    let mut moves = pair.revealed.clone();
    for (idx, (step, valid)) in pair.flow.iter().zip(&pair.valid).enumerate() {
        if *valid && *step == [0.0; 2] {
            continue;
        }
        moves[idx] = true;
        // Casts saturate.
        let x = ((idx % width) as f32 + step[0]).round() as usize;
        let y = ((idx / width) as f32 + step[1]).round() as usize;
        moves[y.min(height - 1) * width + x.min(width - 1)] = true;
    }
    let mut near = vec![false; moves.len()];
    for (moves, near) in moves.chunks(width).zip(near.chunks_mut(width)) {
        spread(moves, near);
    }
    let columns: Vec<bool> = (0..width)
        .flat_map(|x| (0..height).map(move |y| (x, y)))
        .map(|(x, y)| near[y * width + x])
        .collect();
    let mut still = vec![false; moves.len()];
    let mut near = vec![false; height];
    for (x, column) in columns.chunks(height).enumerate() {
        spread(column, &mut near);
        for (y, near) in near.iter().enumerate() {
            still[y * width + x] = !near;
        }
    }
    still
}

/// True for what is less than [`MARGIN_PX`] away from something true.
fn spread(line: &[bool], near: &mut [bool]) {
    near.fill(false);
    for at in (0..line.len()).filter(|&at| line[at]) {
        let end = (at + MARGIN_PX).min(line.len());
        near[(at + 1).saturating_sub(MARGIN_PX)..end].fill(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_background_keeps_its_distance() {
        let (width, height) = (100, 60);
        let mut pair = Pair {
            from: 0,
            to: 1,
            flow: vec![[0.0; 2]; width * height],
            known: vec![true; width * height],
            valid: vec![true; width * height],
            revealed: vec![false; width * height],
        };
        assert!(background(&pair, width).iter().all(|still| *still));
        pair.flow[10 * width + 30] = [4.0, 0.0];
        let still = background(&pair, width);
        let at = |x: usize, y: usize| still[y * width + x];
        // From its old place at 30 to its new one at 34.
        assert!(at(6, 10) && !at(7, 10) && !at(57, 10) && at(58, 10));
        assert!(!at(30, 33) && at(30, 34));
    }
}
