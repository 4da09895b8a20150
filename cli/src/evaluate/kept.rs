//! What is kept of a scene for the sheet of pictures.

use anyhow::Context;
use image::RgbImage;

use super::measure::{NEXT, Painted, apart};
use super::ruler::error_map;
use super::scene::Scene;
use super::sheet::{self, Strip};
use crate::output::Output;

/// Frames that are kept of a scene at most: a second.
const N_FRAMES: usize = 24;

/// Bytes of frames that are kept of all scenes at most.
const MAX_BYTES: usize = 1 << 30;

/// Frames of a scene, as they were and painted.
pub struct Kept {
    name: String,
    input: Vec<RgbImage>,
    unstabilised: Vec<RgbImage>,
    stabilised: Vec<RgbImage>,
    errors: Option<[Vec<f32>; 2]>,
}

impl Kept {
    /// Whether there is room for another scene of frames like these.
    pub fn has_room(kept: &[Self], scene: &Scene) -> bool {
        let bytes = |frames: &[RgbImage]| 3 * frames.iter().map(|frame| frame.len()).sum::<usize>();
        let kept: usize = kept.iter().map(|kept| bytes(&kept.input)).sum();
        let more = &scene.frames[..scene.frames.len().min(N_FRAMES)];
        kept + bytes(more) <= MAX_BYTES
    }

    /// Keeps the frames up to the last pair of neighbours with known motion.
    pub fn of(name: String, scene: &Scene, painted: &Painted) -> Self {
        let last = apart(scene, NEXT).last();
        let end = last.map_or(scene.frames.len(), |pair| pair.to + 1);
        let keep = |frames: &[RgbImage]| frames[end.saturating_sub(N_FRAMES)..end].to_vec();
        let errors = last.map(|pair| {
            [&painted.unstabilised, &painted.stabilised]
                .map(|frames| error_map(&frames[pair.from], &frames[pair.to], pair))
        });
        Self {
            name,
            input: keep(&scene.frames),
            unstabilised: keep(&painted.unstabilised),
            stabilised: keep(&painted.stabilised),
            errors,
        }
    }

    fn strip(&self) -> Strip<'_> {
        Strip {
            name: &self.name,
            input: &self.input,
            unstabilised: &self.unstabilised,
            stabilised: &self.stabilised,
            errors: self.errors.clone(),
        }
    }
}

/// Draws a sheet, a strip per scene.
///
/// # Errors
/// If it cannot be drawn or written.
pub fn draw(output: Output, kept: &[Kept]) -> anyhow::Result<()> {
    let strips: Vec<Strip<'_>> = kept.iter().map(Kept::strip).collect();
    sheet::write(output.partial(), &strips)
        .with_context(|| format!("writing {}", output.path().display()))?;
    output.finish()
}
