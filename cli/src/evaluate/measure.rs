//! Puts the ruler to a scene: as it is, painted frame by frame, and painted as asked.

use std::time::Duration;

use engines::{Look, Stabilizer, Times};
use image::RgbImage;

use super::findings::{Measures, SceneFindings};
use super::mean::mean;
use super::ruler::{self, Ghost, WarpError};
use super::scene::{Pair, Scene};
use super::studio::Studio;

/// Frames that the short pairs are apart.
pub const NEXT: usize = 1;
/// Frames that the long pairs are apart.
const LATER: usize = 10;

/// A scene painted both ways.
pub struct Painted {
    /// Frame by frame.
    pub unstabilised: Vec<RgbImage>,
    /// As asked.
    pub stabilised: Vec<RgbImage>,
}

/// The look of which nothing depends on the frames before.
pub fn frame_by_frame(look: Look) -> Look {
    Look {
        stabilizer: Stabilizer::Off,
        exposure_guard: false,
        reuse: false,
        ..look
    }
}

/// Paints a scene frame by frame and as `look` asks, and measures all three.
///
/// # Errors
/// If it cannot be painted.
pub fn compare(
    studio: &mut Studio,
    look: Look,
    scene: &Scene,
) -> anyhow::Result<(SceneFindings, Painted)> {
    let (unstabilised, took_alone) = studio.paint(frame_by_frame(look), &scene.frames)?;
    let (stabilised, took_steady) = studio.paint(look, &scene.frames)?;
    let (width, height) = scene.frames[0].dimensions();
    let mut ghost = Ghost::default();
    for pair in apart(scene, NEXT) {
        ghost.add(&stabilised[pair.to], &unstabilised[pair.to], &pair.revealed);
    }
    let findings = SceneFindings {
        scene: scene.name.clone(),
        frames: scene.frames.len(),
        width,
        height,
        pairs: apart(scene, NEXT).count(),
        pairs_10: apart(scene, LATER).count(),
        input: measure(scene, &scene.frames),
        unstabilised: Measures {
            ms: median_ms(took_alone),
            ..measure(scene, &unstabilised)
        },
        stabilised: Measures {
            ms: median_ms(took_steady),
            ..measure(scene, &stabilised)
        },
        ratio: None,
        ratio_10: None,
        detail: None,
        ghost_db: ghost.psnr(),
        flow: None,
    };
    Ok((
        findings.with_ratios(),
        Painted {
            unstabilised,
            stabilised,
        },
    ))
}

/// Measures `frames`, which show what the scene shows.
fn measure(scene: &Scene, frames: &[RgbImage]) -> Measures {
    let errors = |n_frames| {
        let errors = apart(scene, n_frames)
            .map(|pair| WarpError::of(&frames[pair.from], &frames[pair.to], pair));
        errors.collect::<Vec<_>>()
    };
    let next = errors(NEXT);
    let of_pairs =
        |errors: &[WarpError]| -> Vec<_> { errors.iter().map(WarpError::e_stab).collect() };
    let of_frames =
        |value: &dyn Fn(usize) -> f64| mean(apart(scene, NEXT).map(|pair| Some(value(pair.from))));
    let e_stab_of_pairs = of_pairs(&next);
    Measures {
        e_stab: mean(e_stab_of_pairs.iter().copied()),
        e_10: mean(of_pairs(&errors(LATER)).into_iter()),
        huang: mean(next.iter().map(WarpError::huang)),
        e_stab_of_pairs,
        gradient_energy: of_frames(&|idx| ruler::gradient_energy(&frames[idx])),
        strength: of_frames(&|idx| ruler::distance(&frames[idx], &scene.frames[idx])),
        style_distance: None,
        ms: None,
    }
}

/// Pairs of a scene whose frames are `n_frames` apart.
pub fn apart(scene: &Scene, n_frames: usize) -> impl Iterator<Item = &Pair> {
    scene
        .pairs
        .iter()
        .filter(move |pair| pair.from + n_frames == pair.to)
}

fn median_ms(took: Vec<Duration>) -> Option<f64> {
    Some(Times::of(took).median.as_secs_f64() * 1e3)
}
