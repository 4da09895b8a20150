//! How far the stabilizer's own optical flow is off, and what it takes, where the motion is known.

use std::time::Duration;

use engines::{FlowField, Times, flow_between};
use serde::Serialize;

use super::mean::mean;
use super::measure::{NEXT, apart};
use super::scene::{Pair, Scene};
use super::studio;
use crate::interrupt;

/// Times that a flow is found, for the median.
const N_RUNS: usize = 15;

/// What was found out about the flow of a scene.
#[derive(Clone, Serialize)]
pub struct FlowFindings {
    /// Of the grid that the flow was found on.
    pub width: usize,
    /// Of the grid that the flow was found on.
    pub height: usize,
    /// Mean over pairs of the end-point error in pixels of the frame, over pixels with known motion.
    pub epe: Option<f64>,
    /// The same over those that the newer frame shows, too.
    pub epe_visible: Option<f64>,
    /// Mean over pairs of the median milliseconds that the search took: one direction, one thread, without pyramids.
    pub flow_ms: Option<f64>,
    /// The same of building the pyramids of both pictures from their largest level.
    pub pyramids_ms: Option<f64>,
    /// One per pair of neighbouring frames with known motion.
    pub pairs: Vec<FlowOfPair>,
}

/// What was found out about the flow between two frames; values as in [`FlowFindings`].
#[derive(Clone, Serialize)]
pub struct FlowOfPair {
    /// Position of the older frame.
    pub from: usize,
    /// Position of the newer frame.
    pub to: usize,
    /// In pixels of the frame.
    pub epe: Option<f64>,
    /// In pixels of the frame.
    pub epe_visible: Option<f64>,
    /// Of the search alone.
    pub flow_ms: f64,
    /// Of both pyramids.
    pub pyramids_ms: f64,
}

/// Finds the flow between neighbouring frames of a scene and compares it with what is known; nothing if none is.
///
/// # Errors
/// If the frames are too small or too large, or the user interrupts.
pub fn flow_error(scene: &Scene) -> anyhow::Result<Option<FlowFindings>> {
    let mut pairs = Vec::new();
    let (mut width, mut height) = (0, 0);
    for pair in apart(scene, NEXT) {
        interrupt::check()?;
        let from = studio::frame(&scene.frames[pair.from])?;
        let to = studio::frame(&scene.frames[pair.to])?;
        let runs: Vec<FlowField> = (0..N_RUNS).map(|_| flow_between(&from, &to)).collect();
        let ms = |time: fn(&FlowField) -> Duration| {
            Times::of(runs.iter().map(time).collect())
                .median
                .as_secs_f64()
                * 1e3
        };
        let errors = errors(&runs[0], pair, from.format().width);
        let mean_over = |mask: &[bool]| {
            let errors = errors.iter().zip(mask);
            mean(errors.map(|(error, counts)| counts.then_some(*error)))
        };
        (width, height) = (runs[0].width, runs[0].height);
        pairs.push(FlowOfPair {
            from: pair.from,
            to: pair.to,
            epe: mean_over(&pair.known),
            epe_visible: mean_over(&pair.valid),
            flow_ms: ms(|flow| flow.time),
            pyramids_ms: ms(|flow| flow.pyramids_time),
        });
    }
    let of = |value: fn(&FlowOfPair) -> Option<f64>| mean(pairs.iter().map(value));
    let findings = FlowFindings {
        width,
        height,
        epe: of(|pair| pair.epe),
        epe_visible: of(|pair| pair.epe_visible),
        flow_ms: of(|pair| Some(pair.flow_ms)),
        pyramids_ms: of(|pair| Some(pair.pyramids_ms)),
        pairs: Vec::new(),
    };
    Ok((!pairs.is_empty()).then_some(FlowFindings { pairs, ..findings }))
}

/// Distance in pixels between where each pixel is thought to have gone and where it went, row by row.
fn errors(field: &FlowField, pair: &Pair, frame_width: usize) -> Vec<f64> {
    let pixels = pair.flow.iter().enumerate();
    let error = |(idx, [u, v]): (usize, &[f32; 2])| {
        let found = at(field, idx % frame_width, idx / frame_width);
        (found[0] - f64::from(*u)).hypot(found[1] - f64::from(*v))
    };
    pixels.map(error).collect()
}

/// The flow at a pixel of the frame, bilinear between the centres of cells.
fn at(field: &FlowField, x: usize, y: usize) -> [f64; 2] {
    let place = |pixel: usize, n_cells: usize| {
        let at = (pixel as f64 + 0.5) / field.cell_px as f64 - 0.5;
        let at = at.clamp(0.0, (n_cells - 1) as f64);
        (at as usize, (at as usize + 1).min(n_cells - 1), at.fract())
    };
    let (left, right, a) = place(x, field.width);
    let (top, bottom, b) = place(y, field.height);
    [&field.u, &field.v].map(|steps| {
        let across = |y: usize| {
            let step = |x: usize| f64::from(steps[y * field.width + x]);
            step(left) * (1.0 - a) + step(right) * a
        };
        across(top) * (1.0 - b) + across(bottom) * b
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_distances_in_pixels_of_the_frame() {
        let field = FlowField {
            width: 2,
            height: 2,
            cell_px: 2,
            u: vec![3.0; 4],
            v: vec![0.0, 0.0, 4.0, 4.0],
            time: Duration::ZERO,
            pyramids_time: Duration::ZERO,
        };
        let pair = Pair {
            from: 0,
            to: 1,
            flow: vec![[0.0; 2]; 5 * 4],
            known: vec![true; 5 * 4],
            valid: vec![true; 5 * 4],
            revealed: vec![false; 5 * 4],
        };
        let errors = errors(&field, &pair, 5);
        assert_eq!(at(&field, 4, 1), [3.0, 1.0]);
        assert_eq!((errors[0], errors[19]), (3.0, 5.0));
    }
}
