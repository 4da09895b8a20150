//! A moving test picture, rendered beforehand: a camera glides over a painted wall and back, without a cut and without a
//! frame that repeats the one before.

use anyhow::Context;
use engines::FrameFormat;
use rayon::prelude::*;

/// Frames from one end of the way to the other.
const N_FRAMES: usize = 48;
/// Frames together take no more memory than this, as long as there are [`MIN_FRAMES`].
const MAX_BYTES: usize = 512 << 20;
const MIN_FRAMES: usize = 4;
/// Pixels that the camera glides in a frame, right and down, at up to 720 lines; in proportion beyond.
const STEP_PX: (f64, f64) = (3.3, 1.4);
/// And by how much it draws nearer meanwhile.
const ZOOM: f64 = 0.0015;
/// Side of the wall's tile, which repeats, in pixels.
const SIDE: usize = 512;

/// Frames and what they are.
pub struct Pictures {
    /// Format of the frames.
    pub caps: gst::Caps,
    /// The same, understood.
    pub info: gst_video::VideoInfo,
    frames: Vec<gst::Buffer>,
}

impl Pictures {
    /// Renders the frames.
    ///
    /// # Errors
    /// If GStreamer cannot convert to the format.
    pub fn render(format: &FrameFormat) -> anyhow::Result<Self> {
        let info = info(format.pixels.name(), format)?;
        let caps = info.to_caps()?;
        let n_frames = (MAX_BYTES / info.size()).clamp(MIN_FRAMES, N_FRAMES);
        let tile = tile();
        let frames = (0..n_frames)
            .into_par_iter()
            .map(|frame_idx| {
                let photo = photo(&tile, frame_idx, format)?;
                convert(photo, &info)
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { caps, info, frames })
    }

    /// The frames there and back again, for ever.
    pub fn there_and_back(&self) -> impl Iterator<Item = &gst::Buffer> {
        let back = self.frames[1..self.frames.len() - 1].iter().rev();
        self.frames.iter().chain(back).cycle()
    }
}

fn info(name: &str, format: &FrameFormat) -> anyhow::Result<gst_video::VideoInfo> {
    let wanted = name.parse().context("a format of GStreamer")?;
    let info = gst_video::VideoInfo::builder(wanted, format.width as u32, format.height as u32)
        .fps(gst::Fraction::new(25, 1))
        .build()?;
    Ok(info)
}

/// Red, green and blue of the tile: noise in blobs of 128 to 4 pixels, the larger the stronger, as in pictures of nature.
fn tile() -> Vec<[f32; 3]> {
    let pixel = |idx: usize| {
        let (x, y) = (idx % SIDE, idx / SIDE);
        let mut sums = [0.0; 4];
        for (octave, blob) in [128, 64, 32, 16, 8, 4].into_iter().enumerate() {
            let strength = 0.75_f32.powi(octave as i32);
            for (plane, sum) in sums.iter_mut().enumerate() {
                *sum += strength * blobs(x, y, blob, 7 * octave + plane);
            }
        }
        // Brightness differs more than colour.
        let [grey, colours @ ..] = sums;
        colours.map(|colour| (128.0 + 60.0 * grey + 30.0 * colour).clamp(0.0, 255.0))
    };
    (0..SIDE * SIDE).into_par_iter().map(pixel).collect()
}

/// Smooth noise, -1 to 1, of blobs that are so many pixels wide.
fn blobs(x: usize, y: usize, blob: usize, seed: usize) -> f32 {
    let n_blobs = SIDE / blob;
    let ease = |at: usize| {
        let t = (at % blob) as f32 / blob as f32;
        t * t * (3.0 - 2.0 * t)
    };
    let value = |column: usize, row: usize| {
        let place = (row % n_blobs * n_blobs + column % n_blobs) as u32;
        let mixed = (place ^ (seed as u32) << 20).wrapping_mul(0x9E37_79B1);
        let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x85EB_CA77);
        ((mixed ^ (mixed >> 13)) >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let (column, row) = (x / blob, y / blob);
    let (across, down) = (ease(x), ease(y));
    let along = |row| {
        let (left, right) = (value(column, row), value(column + 1, row));
        left + across * (right - left)
    };
    let (upper, lower) = (along(row), along(row + 1));
    upper + down * (lower - upper)
}

/// What the camera sees, as `RGBx`.
fn photo(tile: &[[f32; 3]], frame_idx: usize, format: &FrameFormat) -> anyhow::Result<Photo> {
    let info = info("RGBx", format)?;
    let mut bytes = vec![255; info.size()];
    let scale = (format.height as f64 / 720.0).max(1.0);
    let zoom = (1.0 - ZOOM * frame_idx as f64) / scale;
    let along = |px: usize, len_px: usize, step_px: f64| {
        let from_middle = px as f64 - len_px as f64 / 2.0;
        let position = from_middle * zoom + frame_idx as f64 * step_px;
        let position = position.rem_euclid(SIDE as f64);
        let first = position as usize % SIDE;
        (first, (first + 1) % SIDE, position.fract() as f32)
    };
    let rows = bytes.chunks_exact_mut(4 * format.width);
    for (y, row) in rows.enumerate() {
        let (top, bottom, down) = along(y, format.height, STEP_PX.1);
        for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
            let (left, right, across) = along(x, format.width, STEP_PX.0);
            for (channel, byte) in pixel[..3].iter_mut().enumerate() {
                let mix = |y: usize| {
                    let (a, b) = (
                        tile[y * SIDE + left][channel],
                        tile[y * SIDE + right][channel],
                    );
                    a + across * (b - a)
                };
                let (upper, lower) = (mix(top), mix(bottom));
                *byte = (upper + down * (lower - upper)).round() as u8;
            }
        }
    }
    Ok(Photo { info, bytes })
}

struct Photo {
    info: gst_video::VideoInfo,
    bytes: Vec<u8>,
}

fn convert(photo: Photo, info: &gst_video::VideoInfo) -> anyhow::Result<gst::Buffer> {
    let mut target = gst::Buffer::with_size(info.size()).context("memory for the test picture")?;
    {
        let source = gst::Buffer::from_mut_slice(photo.bytes);
        let source = gst_video::VideoFrameRef::from_buffer_ref_readable(&source, &photo.info)?;
        let writable = target.get_mut().context("a buffer of our own")?;
        let mut target = gst_video::VideoFrameRef::from_buffer_ref_writable(writable, info)?;
        let converter = gst_video::VideoConverter::new(&photo.info, info, None)?;
        converter.frame_ref(&source, &mut target);
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engines::{Matrix, PixelFormat, Range};

    #[test]
    fn no_frame_repeats_the_one_before() {
        gst::init().unwrap();
        let format =
            FrameFormat::new(PixelFormat::Nv12, 64, 48, Matrix::Bt709, Range::Limited).unwrap();
        let pictures = Pictures::render(&format).unwrap();
        let bytes = |frame: &gst::Buffer| frame.map_readable().unwrap().to_vec();
        let frames: Vec<_> = pictures
            .there_and_back()
            .take(2 * N_FRAMES)
            .map(bytes)
            .collect();
        assert!(frames.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(frames[1], frames[2 * N_FRAMES - 1], "round and round");
        // Different, but of one scene: most of a frame is to be found in the next.
        let differs = |pair: &[Vec<u8>]| {
            let luma = pair[0][..64 * 48].iter().zip(&pair[1]);
            luma.map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>() / (64 * 48)
        };
        assert!(
            frames
                .windows(2)
                .all(|pair| (2..40).contains(&differs(pair)))
        );
    }
}
