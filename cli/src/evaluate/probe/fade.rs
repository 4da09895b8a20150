//! What is left of the picture when it has faded to black.

use image::RgbImage;

use super::{Answer, FPS, Probe, lit};
use crate::evaluate::measure::frame_by_frame;
use crate::evaluate::ruler::{brightness, distance};

/// Mean code of the first black frame after a second of still picture and a second of fading, and the codes by which
/// it differs from the unstabilised one.
///
/// # Errors
/// If the picture cannot be painted.
pub fn after(probe: &mut Probe<'_>, photo: &RgbImage) -> anyhow::Result<(Answer, f64)> {
    let black = RgbImage::new(photo.width(), photo.height());
    let (alone, _) = probe.studio.paint(frame_by_frame(probe.look), [&black])?;
    let alone = &alone[0];
    let mut ghost = 0.0;
    let gain = |idx: usize| 1.0 - (idx + 1).saturating_sub(FPS) as f64 / FPS as f64;
    let answer = probe.ask(
        "fade",
        || (0..2 * FPS).map(|idx| lit(photo, gain(idx))),
        |painted| {
            let last = &painted[2 * FPS - 1];
            ghost = distance(last, alone) * 255.0;
            Some(brightness(last) * 255.0)
        },
    )?;
    // Asked last of the stabilised painting.
    Ok((answer, ghost))
}
