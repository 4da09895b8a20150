//! Whether a picture that stands still stays as it was.

use super::{Answer, FPS, Probe, scaled};
use crate::evaluate::measure::frame_by_frame;
use crate::evaluate::ruler::distance;
use crate::evaluate::synthetic::noisy;

/// Codes: a camera in daylight. New in every frame, so that no frame repeats the one before.
const SIGMA: f64 = 1.0;
/// Width in pixels: a minute has 1500 frames.
const WIDTH: u32 = 320;

/// Mean difference in codes between the painting after a second and at the end.
///
/// # Errors
/// If the picture cannot be painted.
pub fn since_first_second(probe: &mut Probe<'_>) -> anyhow::Result<Answer> {
    let photo = scaled(&probe.clip[0], WIDTH);
    let (first, last) = (FPS, FPS * probe.drift_seconds as usize);
    let frame = |idx: usize| noisy(&photo, SIGMA, idx as u64);

    probe.studio.announce("drift");
    let mut ends = Vec::new();
    probe
        .studio
        .stream(probe.look, (0..=last).map(frame), |idx, painting| {
            if idx == first || idx == last {
                ends.push(painting);
            }
            Ok(())
        })?;
    // Frame by frame, the frames between change nothing.
    let (alone, _) = probe.studio.paint(
        frame_by_frame(probe.look),
        [first, last].into_iter().map(frame),
    )?;
    let codes = |ends: &[_]| Some(distance(&ends[0], &ends[1]) * 255.0);
    Ok(Answer {
        unstabilised: codes(&alone),
        stabilised: codes(&ends),
    })
}
