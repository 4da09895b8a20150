//! How like the style's painting the painted frames are: stabilising must not wear the style off.

use image::RgbImage;

use super::findings::SceneFindings;
use super::gram::GramDistance;
use super::mean::mean;
use super::measure::Painted;
use super::scene::Scene;

/// Adds the style distances of the first and the last frame to what was found; more would take minutes.
///
/// # Errors
/// If a frame cannot be compared.
pub fn add(
    gram: &mut GramDistance,
    scene: &Scene,
    painted: &Painted,
    findings: &mut SceneFindings,
) -> anyhow::Result<()> {
    for (frames, measures) in [
        (&scene.frames, &mut findings.input),
        (&painted.unstabilised, &mut findings.unstabilised),
        (&painted.stabilised, &mut findings.stabilised),
    ] {
        measures.style_distance = of_ends(gram, frames)?;
    }
    Ok(())
}

fn of_ends(gram: &mut GramDistance, frames: &[RgbImage]) -> anyhow::Result<Option<f64>> {
    let mut distances = Vec::new();
    for frame in frames.first().into_iter().chain(frames.last()) {
        crate::interrupt::check()?;
        distances.push(Some(gram.of(frame)?));
    }
    Ok(mean(distances.into_iter()))
}
