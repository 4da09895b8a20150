//! Frames as the network sees them at another size than their own: scaled while they are read, so that no picture of the
//! frame's own size is ever written.
//!
//! All of it is sums with weights, and so is what makes network values of codes: the codes are scaled, plane by plane, and the
//! few pixels that come of it are converted.

use std::cell::Cell;

use super::TILE_PX;
use super::read::{Rows, Shown};
use super::samples::{Chroma420, I420, Nv12, P010, unpack};
use super::taps::{Filter, Site, Taps, add};
use crate::frame::{FrameFormat, PixelFormat};

thread_local! {
    /// Three sums of rows of the frame.
    static ROWS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// How frames of one format are scaled.
pub(crate) struct Shrink {
    across: Taps,
    down: Taps,
    /// The same for chroma, where that has samples of its own.
    chroma: Option<[Taps; 2]>,
    /// Values of a row of the frame, and of what is read behind its end.
    row_len: usize,
}

impl Shrink {
    /// To pictures of `width` times `height` pixels.
    pub(crate) fn new(format: &FrameFormat, (width, height): (usize, usize)) -> Self {
        let filter = Filter::Triangle;
        let chroma = || {
            [
                Taps::of_chroma(format.width, width, filter, Site::Left),
                Taps::of_chroma(format.height, height, filter, Site::Centre),
            ]
        };
        let across = Taps::new(format.width, width, filter);
        let chroma = format.pixels.packed().is_none().then(chroma);
        let of_chroma = chroma.as_ref().map_or(0, |[across, _]| across.n_taps());
        Self {
            row_len: format.width + across.n_taps().max(of_chroma),
            across,
            down: Taps::new(format.height, height, filter),
            chroma,
        }
    }

    /// The rows of a frame, scaled.
    pub(crate) fn rows<'a>(&'a self, shown: &'a Shown<'a>) -> Shrunk<'a> {
        let shrink = self;
        Shrunk { shown, shrink }
    }

    /// Three rows of anything that is finite.
    #[inline(always)]
    fn sums<'a>(&self, scratch: &'a mut Vec<f32>) -> [&'a mut [f32]; 3] {
        scratch.resize(3 * self.row_len, 0.0);
        let (first, rest) = scratch.split_at_mut(self.row_len);
        let (second, third) = rest.split_at_mut(self.row_len);
        [first, second, third]
    }
}

/// The rows of a frame, scaled.
pub(crate) struct Shrunk<'a> {
    shown: &'a Shown<'a>,
    shrink: &'a Shrink,
}

impl Rows for Shrunk<'_> {
    #[inline(always)]
    fn fill(&self, y: usize, [first, second, third]: [&mut [f32]; 3]) {
        let shrink = self.shrink;
        let mut scratch = ROWS.take();
        let mut sums = shrink.sums(&mut scratch);
        let out = &mut sums;
        match self.shown.frame.format().pixels {
            PixelFormat::Nv12 => self.sum_420::<Nv12>(y, out),
            PixelFormat::I420 => self.sum_420::<I420>(y, out),
            PixelFormat::P010 => self.sum_420::<P010>(y, out),
            PixelFormat::Rgba | PixelFormat::Rgbx => self.sum_packed::<4, 0>(y, out),
            PixelFormat::Bgra | PixelFormat::Bgrx => self.sum_packed::<4, 2>(y, out),
            PixelFormat::Rgb => self.sum_packed::<3, 0>(y, out),
            PixelFormat::Bgr => self.sum_packed::<3, 2>(y, out),
        }
        let chroma = shrink.chroma.as_ref();
        let of_others = chroma.map_or(&shrink.across, |[across, _]| across);
        let across = [&shrink.across, of_others, of_others];
        let out = [&mut *first, &mut *second, &mut *third];
        for ((taps, sums), out) in across.into_iter().zip(sums).zip(out) {
            taps.scale(sums, out);
        }
        ROWS.set(scratch);
        for ((first, second), third) in first.iter_mut().zip(second).zip(third) {
            [*first, *second, *third] = self.shown.map.apply([*first, *second, *third]);
        }
    }
}

impl Shrunk<'_> {
    #[inline(always)]
    fn sum_420<F: Chroma420>(&self, y: usize, [luma, u, v]: &mut [&mut [f32]; 3]) {
        let (frame, width) = (self.shown.frame, self.shown.frame.format().width);
        // Of four rows each.
        let [mut codes, mut u_codes, mut v_codes] = [[[0.0; TILE_PX]; 4]; 3];
        for (i, (rows, weights)) in self.shrink.down.of_pixel(y).enumerate() {
            for (idx, sums) in luma[..width].chunks_mut(TILE_PX).enumerate() {
                for (y, codes) in rows.into_iter().zip(&mut codes) {
                    F::luma(frame, y, idx * TILE_PX, &mut codes[..sums.len()]);
                }
                add(codes.each_ref().map(|row| &row[..]), weights, i == 0, sums);
            }
        }
        let n_samples = width.div_ceil(2);
        let chroma = self.shrink.chroma.iter();
        let fours = chroma.flat_map(|[_, down]| down.of_pixel(y));
        for (i, (rows, weights)) in fours.enumerate() {
            let tiles = u[..n_samples].chunks_mut(TILE_PX);
            let tiles = tiles.zip(v[..n_samples].chunks_mut(TILE_PX));
            for (idx, (u_sums, v_sums)) in tiles.enumerate() {
                let n = u_sums.len();
                for ((y, u), v) in rows.into_iter().zip(&mut u_codes).zip(&mut v_codes) {
                    F::chroma(frame, y, idx * TILE_PX, &mut u[..n], &mut v[..n]);
                }
                add(
                    u_codes.each_ref().map(|row| &row[..]),
                    weights,
                    i == 0,
                    u_sums,
                );
                add(
                    v_codes.each_ref().map(|row| &row[..]),
                    weights,
                    i == 0,
                    v_sums,
                );
            }
        }
    }

    #[inline(always)]
    fn sum_packed<const BYTES: usize, const RED: usize>(
        &self,
        y: usize,
        [red, green, blue]: &mut [&mut [f32]; 3],
    ) {
        let (frame, width) = (self.shown.frame, self.shown.frame.format().width);
        // Channel by channel four rows.
        let mut codes = [[[0.0; TILE_PX]; 4]; 3];
        for (i, (rows, weights)) in self.shrink.down.of_pixel(y).enumerate() {
            let tiles = red[..width].chunks_mut(TILE_PX);
            let tiles = tiles.zip(green[..width].chunks_mut(TILE_PX));
            let tiles = tiles.zip(blue[..width].chunks_mut(TILE_PX));
            for (idx, ((red, green), blue)) in tiles.enumerate() {
                for (row_idx, y) in rows.into_iter().enumerate() {
                    let pixels = &frame.row(0, y)[idx * TILE_PX * BYTES..][..red.len() * BYTES];
                    unpack::<BYTES, RED>(pixels, codes.each_mut().map(|codes| &mut codes[row_idx]));
                }
                for (codes, sums) in codes.iter().zip([red, green, blue]) {
                    add(codes.each_ref().map(|row| &row[..]), weights, i == 0, sums);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fast_image_resize::FilterType;

    use super::super::video::{format, noise, resized};
    use super::super::{Canvas, PictureMut, read};
    use super::*;
    use crate::colour::Affine;
    use crate::convention::{Channels, ValueRange};

    fn planes(size: (usize, usize), fill: impl FnOnce(&mut PictureMut<'_>)) -> Vec<f32> {
        let mut data = vec![f32::NAN; 3 * size.0 * size.1];
        fill(&mut PictureMut {
            data: &mut data,
            canvas: Canvas::planes(size),
        });
        data
    }

    #[test]
    fn frames_are_scaled_as_their_pictures_are() {
        for pixels in PixelFormat::ALL {
            for (own, seen) in [
                ((640, 48), (160, 12)),
                ((97, 61), (33, 20)),
                ((300, 18), (225, 16)),
                ((64, 48), (64, 20)),
                ((33, 20), (97, 61)),
            ] {
                let video = noise(format(pixels, own.0, own.1), 3);
                let frame = &video.frame();
                let map = &Affine::into_network(&video.format, Channels::Rgb, ValueRange::Byte);
                let shown = &Shown { frame, map };
                let whole = planes(own, |picture| read(shown, picture));
                let wanted = resized(&whole, own, seen, FilterType::Bilinear);
                let shrink = Shrink::new(&video.format, seen);
                let found = planes(seen, |picture| read(&shrink.rows(shown), picture));
                for (found, wanted) in found.iter().zip(&wanted) {
                    // Not-a-number is no agreement.
                    let is_same = (found - wanted).abs() < 2e-3;
                    assert!(
                        is_same,
                        "{pixels:?} {own:?} {seen:?}: {found}, wanted {wanted}"
                    );
                }
            }
        }
    }
}
