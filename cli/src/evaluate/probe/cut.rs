//! Whether anything of a shot is left in the next one.

use image::imageops::{self, FilterType};

use super::Probe;
use crate::evaluate::measure::frame_by_frame;
use crate::evaluate::ruler::distance;
use crate::evaluate::synthetic;

/// Frames before the cut.
const N_BEFORE: usize = 8;

/// Codes by which the first frame after a cut differs from the unstabilised one; 0 only if every bit is the same.
///
/// # Errors
/// If the clip cannot be painted.
pub fn ghost(probe: &mut Probe<'_>) -> anyhow::Result<f64> {
    let (width, height) = probe.clip[0].dimensions();
    let other = imageops::resize(&synthetic::photo(1), width, height, FilterType::Triangle);
    probe.studio.announce("cut");
    let (alone, _) = probe.studio.paint(frame_by_frame(probe.look), [&other])?;
    let shot = probe.clip.iter().take(N_BEFORE);
    let mut after = None;
    probe
        .studio
        .stream(probe.look, shot.chain([&other]), |_, painting| {
            after = Some(painting);
            Ok(())
        })?;
    let after = after.expect("at least the frame after the cut was painted");
    Ok(distance(&after, &alone[0]) * 255.0)
}
