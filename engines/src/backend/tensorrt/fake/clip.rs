//! Moving frames, and what an engine makes of them.

use crate::convert::video::Video;
use crate::engine::Engine;
use crate::error::Result;
use crate::frame::{FrameFormat, PixelFormat};

/// Frames of the clip.
pub(super) const N_FRAMES: usize = 8;
/// The first frame after the cut.
const CUT: usize = 5;

/// A textured picture that pans while its light wavers and a sign stays where it is; then a cut to another one.
pub(super) fn clip(format: FrameFormat) -> Vec<Video> {
    (0..N_FRAMES)
        .map(|frame_idx| {
            Video::new(format, 5, |plane, x, y| {
                byte(format.pixels, frame_idx, plane, (x, y))
            })
        })
        .collect()
}

/// Byte `x` of row `y` of a plane.
fn byte(pixels: PixelFormat, frame_idx: usize, plane: usize, (x, y): (usize, usize)) -> u8 {
    let (bytes, n_channels) = match (pixels, plane) {
        (PixelFormat::P010, 0) => (2, 1),
        (PixelFormat::P010, _) => (2, 2),
        (PixelFormat::Nv12, 1) => (1, 2),
        (PixelFormat::Nv12 | PixelFormat::I420, _) => (1, 1),
        _ => (1, 4),
    };
    let sample = x / bytes;
    let px_per_sample = if plane == 0 { 1 } else { 2 };
    let (px, py) = (
        (sample / n_channels * px_per_sample) as f32,
        (y * px_per_sample) as f32,
    );
    let value = value(frame_idx, plane + sample % n_channels, (px, py));
    if bytes == 1 {
        (16.0 + 219.0 * value) as u8
    } else {
        let word = ((64.0 + 876.0 * value) as u16) << 6;
        word.to_le_bytes()[x % 2]
    }
}

/// Value of a channel at a place, `0.0..=1.0`.
fn value(frame_idx: usize, channel: usize, (x, y): (f32, f32)) -> f32 {
    let tone = channel as f32;
    if (24.0..48.0).contains(&x) && (16.0..32.0).contains(&y) {
        return if (x + y) % 8.0 < 4.0 { 0.9 } else { 0.2 };
    }
    let is_second = frame_idx >= CUT;
    let x = x + 1.5 * frame_idx as f32;
    let (coarse, fine) = if is_second { (0.09, 0.7) } else { (0.21, 0.5) };
    let wave = (coarse * x + tone).sin() * (coarse * 0.8 * y).cos()
        + 0.4 * (fine * x - fine * y + tone).sin();
    let base = if is_second { 0.3 } else { 0.55 };
    let light = 1.0 + 0.02 * (frame_idx as f32 * 1.7).sin();
    ((base + 0.2 * wave) * light).clamp(0.0, 1.0)
}

/// Paints frames with all slots of an engine in use, and forgets those in flight before the frame `reset_before`.
pub(super) fn play(
    engine: &mut dyn Engine,
    clip: &[Video],
    reset_before: Option<usize>,
) -> Result<Vec<Video>> {
    let mut paintings = Vec::new();
    let mut sources = Vec::new();
    for (frame_idx, video) in clip.iter().enumerate() {
        if Some(frame_idx) == reset_before {
            engine.reset();
            sources.truncate(paintings.len());
        }
        engine.submit(&video.frame())?;
        sources.push(video);
        receive(engine, &sources, &mut paintings)?;
    }
    engine.drain()?;
    receive(engine, &sources, &mut paintings)?;
    Ok(paintings)
}

fn receive(engine: &mut dyn Engine, sources: &[&Video], paintings: &mut Vec<Video>) -> Result<()> {
    while let Some(source) = sources.get(paintings.len()) {
        let mut painting = Video::new(source.format, 3, |_, _, _| 0);
        if !engine.receive(&source.frame(), &mut painting.frame_mut())? {
            break;
        }
        paintings.push(painting);
    }
    Ok(())
}
