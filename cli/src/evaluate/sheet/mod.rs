//! A picture to judge by eye what the numbers say: frames, one line of pixels over time, and where the errors are.
//!
//! In an x-t slice each row is the middle line of one frame, the newest at the bottom. What moves steadily draws slanted
//! lines there, and flicker makes them ragged.

mod heat;
mod text;

use std::path::Path;

use anyhow::{Context, ensure};
use image::imageops::{self, FilterType};
use image::{ImageFormat, Rgb, RgbImage};

use self::text::LETTER_PX;
use crate::output::Output;

const PAPER: Rgb<u8> = Rgb([248; 3]);
const INK: Rgb<u8> = Rgb([20; 3]);
const FAINT: Rgb<u8> = Rgb([110; 3]);

/// Width of a column.
const COLUMN_PX: u32 = 426;

/// Space between parts.
const GAP_PX: u32 = 10;

/// Height of a line of text with its space.
const LINE_PX: u32 = LETTER_PX + 6;

/// Height of a frame's line in an x-t slice.
const SLICE_ROW_PX: u32 = 5;

/// Frames that an x-t slice shows at most: the last ones.
const SLICE_FRAMES: usize = 48;

/// Height of the colour scale.
const SCALE_PX: u32 = 20;

/// What is shown of one clip.
pub struct Strip<'a> {
    /// What it is called.
    pub name: &'a str,
    /// The clip.
    pub input: &'a [RgbImage],
    /// Painted frame by frame.
    pub unstabilised: &'a [RgbImage],
    /// Painted with the stabiliser.
    pub stabilised: &'a [RgbImage],
    /// Errors of the two paintings for each pixel, row by row, 0 to 1, NaN where not known.
    pub errors: Option<[Vec<f32>; 2]>,
}

/// Draws the strips, one below the other, into a PNG; a file of that name is replaced.
///
/// # Errors
/// If a strip has no frames or its parts differ in size, or the file cannot be written.
pub fn write(path: &Path, strips: &[Strip<'_>]) -> anyhow::Result<()> {
    let drawn = strips.iter().map(|strip| {
        strip
            .check()
            .with_context(|| format!("drawing {}", strip.name))?;
        Ok(strip.draw())
    });
    let drawn = drawn.collect::<anyhow::Result<Vec<_>>>()?;
    let height = drawn
        .iter()
        .map(|strip| strip.height() + GAP_PX)
        .sum::<u32>();
    let mut sheet = RgbImage::from_pixel(width(), height + GAP_PX, PAPER);
    let mut top = GAP_PX;
    for strip in drawn {
        paste(&mut sheet, [0, top], &strip);
        top += strip.height() + GAP_PX;
    }
    let output = Output::create(path, true, &[])?;
    sheet
        .save_with_format(output.partial(), ImageFormat::Png)
        .with_context(|| format!("writing {}", path.display()))?;
    output.finish()
}

impl Strip<'_> {
    fn check(&self) -> anyhow::Result<()> {
        let first = self.input.first().context("there are no frames")?;
        let (width, height) = first.dimensions();
        for (name, frames) in self.columns() {
            ensure!(!frames.is_empty(), "`{name}` has no frames");
            for frame in frames {
                ensure!(
                    frame.dimensions() == (width, height),
                    "a frame of `{name}` has {}x{} pixels, wanted {width}x{height}",
                    frame.width(),
                    frame.height()
                );
            }
        }
        let n_pixels = width as usize * height as usize;
        for errors in self.errors.iter().flatten() {
            ensure!(
                errors.len() == n_pixels,
                "there are errors of {} pixels, wanted {n_pixels}",
                errors.len()
            );
        }
        Ok(())
    }

    fn columns(&self) -> [(&'static str, &[RgbImage]); 3] {
        [
            ("input", self.input),
            ("unstabilised", self.unstabilised),
            ("stabilised", self.stabilised),
        ]
    }

    fn draw(&self) -> RgbImage {
        let (frame_width, frame_height) = self.input[0].dimensions();
        let frame_px = (COLUMN_PX * frame_height).div_ceil(frame_width);
        let n_rows = self.input.len().min(SLICE_FRAMES) as u32;
        let slice_px = n_rows * SLICE_ROW_PX;
        let heat_px = if self.errors.is_some() {
            LINE_PX + frame_px
        } else {
            0
        };
        let height = 3 * LINE_PX + frame_px + slice_px + heat_px + GAP_PX;
        let mut strip = RgbImage::from_pixel(width(), height, PAPER);

        for x in 0..width() {
            strip.put_pixel(x, 0, FAINT);
        }
        let mut top = 4;
        text::write(&mut strip, [GAP_PX, top], self.name, INK);
        top += LINE_PX;
        for (idx, (name, frames)) in self.columns().into_iter().enumerate() {
            let left = left(idx);
            text::write(&mut strip, [left, top], name, FAINT);
            let last = frames.last().expect("checked: there are frames");
            let last = imageops::resize(last, COLUMN_PX, frame_px, FilterType::CatmullRom);
            let below = top + LINE_PX;
            paste(&mut strip, [left, below], &last);
            // Which line the slice below shows.
            for x in
                (left - GAP_PX / 2..left).chain(left + COLUMN_PX..left + COLUMN_PX + GAP_PX / 2)
            {
                strip.put_pixel(x, below + frame_px / 2, INK);
            }
            let label = if idx == 0 {
                "middle line over time"
            } else {
                ""
            };
            let below = below + frame_px;
            text::write(&mut strip, [left, below + 4], label, FAINT);
            paste(&mut strip, [left, below + LINE_PX], &slice(frames));
        }
        top += 2 * LINE_PX + frame_px + slice_px;
        if let Some(errors) = &self.errors {
            draw_errors(
                &mut strip,
                top,
                errors,
                (frame_width, frame_height),
                frame_px,
            );
        }
        strip
    }
}

/// Draws the colour scale under the input, and the maps under the paintings.
fn draw_errors(
    strip: &mut RgbImage,
    top: u32,
    errors: &[Vec<f32>; 2],
    (width, height): (u32, u32),
    frame_px: u32,
) {
    let greatest = heat::greatest(errors);
    let below = top + LINE_PX;
    for (idx, errors) in errors.iter().enumerate() {
        let known = || errors.iter().copied().filter(|error| !error.is_nan());
        let mean = known().map(f64::from).sum::<f64>() / known().count().max(1) as f64;
        let label = format!("error, mean {mean:.4}");
        text::write(strip, [left(idx + 1), top + 4], &label, FAINT);
        let map = heat::picture(errors, width, height, greatest);
        let map = imageops::resize(&map, COLUMN_PX, frame_px, FilterType::Triangle);
        paste(strip, [left(idx + 1), below], &map);
    }
    let n_signs = 8;
    let scale = RgbImage::from_fn(COLUMN_PX, SCALE_PX, |x, _| {
        heat::colour(x as f32, COLUMN_PX as f32 - 1.0)
    });
    text::write(strip, [left(0), top + 4], "errors, grey: unknown", FAINT);
    paste(strip, [left(0), below], &scale);
    let numbers = below + SCALE_PX + 4;
    text::write(strip, [left(0), numbers], "0", INK);
    let end = format!("{:>n_signs$}", format!("{greatest:.2}"));
    let right = left(0) + COLUMN_PX - n_signs as u32 * LETTER_PX;
    text::write(strip, [right, numbers], &end, INK);
}

/// The middle line of the last frames, one below the other.
fn slice(frames: &[RgbImage]) -> RgbImage {
    let frames = &frames[frames.len().saturating_sub(SLICE_FRAMES)..];
    let (width, height) = frames[0].dimensions();
    let lines = RgbImage::from_fn(width, frames.len() as u32, |x, y| {
        *frames[y as usize].get_pixel(x, height / 2)
    });
    // Rows are repeated after scaling, so that no frame is mixed with the next.
    let lines = imageops::resize(&lines, COLUMN_PX, lines.height(), FilterType::Triangle);
    RgbImage::from_fn(COLUMN_PX, lines.height() * SLICE_ROW_PX, |x, y| {
        *lines.get_pixel(x, y / SLICE_ROW_PX)
    })
}

fn left(column_idx: usize) -> u32 {
    GAP_PX + column_idx as u32 * (COLUMN_PX + GAP_PX)
}

fn width() -> u32 {
    left(3)
}

fn paste(sheet: &mut RgbImage, [left, top]: [u32; 2], part: &RgbImage) {
    imageops::replace(sheet, part, i64::from(left), i64::from(top));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(n_frames: u8) -> Vec<RgbImage> {
        let frame = |idx: u8| RgbImage::from_pixel(64, 36, Rgb([idx, 2 * idx, 3 * idx]));
        (0..n_frames).map(frame).collect()
    }

    #[test]
    fn a_slice_has_the_last_frames_from_top_to_bottom() {
        let slice = slice(&frames(60));
        assert_eq!(slice.dimensions(), (COLUMN_PX, 48 * SLICE_ROW_PX));
        assert_eq!(slice.get_pixel(9, 0), &Rgb([12, 24, 36]));
        assert_eq!(
            slice.get_pixel(9, 48 * SLICE_ROW_PX - 1),
            &Rgb([59, 118, 177])
        );
    }

    #[test]
    fn a_sheet_is_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.png");
        let frames = frames(7);
        let strip = |errors| Strip {
            name: "grey",
            input: &frames,
            unstabilised: &frames,
            stabilised: &frames,
            errors,
        };
        let errors = [vec![0.1; 64 * 36], vec![f32::NAN; 64 * 36]];
        write(&path, &[strip(Some(errors)), strip(None)]).unwrap();
        assert_eq!(image::open(&path).unwrap().width(), width());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        let error = write(&path, &[strip(Some([vec![0.0; 3], Vec::new()]))]).unwrap_err();
        let text = format!("{error:#}");
        assert_eq!(
            text,
            "drawing grey: there are errors of 3 pixels, wanted 2304"
        );
    }
}
