//! 4:2:0 frames of pictures of another size: luma and chroma are made of the picture's own pixels and each scaled to its own
//! size, which is half the work of scaling red, green and blue to the frame's.
//!
//! All of it is sums with weights, so it comes to what [`write_bands()`](super::write_bands()) makes of the scaled picture, but
//! where scaling goes beyond black and white: that is cut where codes end, which leave room for it, and not before.

use std::cell::Cell;

use rayon::prelude::*;

use super::grow::{Grow, load};
use super::samples::Chroma420;
use super::taps::Taps;
use super::write::{Paint, bands_420, put_chroma, put_luma};
use super::{BAND_ROWS, Pixels, TILE_PX};
use crate::frame::FrameMut;
use crate::simd::vectorise;

/// Rows of a band: its first and its last are made of rows of the picture that its neighbours are made of too.
const N_ROWS: usize = 2 * BAND_ROWS;

thread_local! {
    /// What bands are made in.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// [`Grow::write()`] of frames of chroma format `F`, with the taps of chroma across and down.
pub(super) fn write<F: Chroma420>(
    grow: &Grow,
    chroma: &[Taps; 2],
    picture: &impl Pixels,
    bounds: Option<(f32, f32)>,
    paint: &Paint<'_>,
    target: &mut FrameMut<'_>,
) {
    let height = target.format().height;
    let strides = target.planes().each_ref().map(|plane| plane.stride_bytes);
    let bands = bands_420(target, N_ROWS).enumerate();
    bands.for_each(|(idx, [luma, u, v])| {
        let y = idx * N_ROWS;
        let band = Band {
            grow,
            chroma,
            ys: [y, height.min(y + N_ROWS)],
        };
        let mut memory = SCRATCH.take();
        let scratch = &mut memory;
        vectorise!(band.write::<F>(picture, bounds, paint, scratch, strides, [luma, u, v]));
        SCRATCH.set(memory);
    });
}

/// A band of a frame.
struct Band<'a> {
    grow: &'a Grow,
    chroma: &'a [Taps; 2],
    /// Its first row, and that behind its last.
    ys: [usize; 2],
}

impl Band<'_> {
    #[inline(always)]
    fn write<F: Chroma420>(
        &self,
        picture: &impl Pixels,
        bounds: Option<(f32, f32)>,
        paint: &Paint<'_>,
        scratch: &mut Vec<f32>,
        strides: [usize; 3],
        [luma_rows, u_rows, v_rows]: [&mut [u8]; 3],
    ) {
        let [chroma_across, chroma_down] = self.chroma;
        let (width, n_samples) = (self.grow.width, self.grow.width.div_ceil(2));
        let [first_y, end_y] = self.ys;
        let chroma_ys = first_y / 2..end_y.div_ceil(2);
        let of_luma = self.grow.down.part(first_y..end_y);
        let of_chroma = chroma_down.part(chroma_ys.clone());
        let (first, end) = (of_luma.0.min(of_chroma.0), of_luma.1.max(of_chroma.1));

        let from_width = self.grow.from_width;
        let len = from_width + self.grow.across.n_taps().max(chroma_across.n_taps());
        scratch.resize(3 * len + (end - first) * (width + 2 * n_samples), 0.0);
        let (red, rest) = scratch.split_at_mut(len);
        let (green, rest) = rest.split_at_mut(len);
        let (blue, rest) = rest.split_at_mut(len);
        let (wide_luma, rest) = rest.split_at_mut((end - first) * width);
        let (wide_u, wide_v) = rest.split_at_mut((end - first) * n_samples);
        for row in first..end {
            let parts = [&mut *red, &mut *green, &mut *blue];
            load(
                picture,
                row,
                bounds,
                parts.map(|part| &mut part[..from_width]),
            );
            let pixels = red[..from_width]
                .iter_mut()
                .zip(&mut *green)
                .zip(&mut *blue);
            for ((red, green), blue) in pixels {
                [*red, *green, *blue] = paint.map.apply([*red, *green, *blue]);
            }
            let idx = row - first;
            self.grow
                .across
                .scale(red, &mut wide_luma[idx * width..][..width]);
            chroma_across.scale(green, &mut wide_u[idx * n_samples..][..n_samples]);
            chroma_across.scale(blue, &mut wide_v[idx * n_samples..][..n_samples]);
        }

        for y in first_y..end_y {
            let row = &mut luma_rows[(y - first_y) * strides[0]..];
            for x in (0..width).step_by(TILE_PX) {
                let mut codes = [0.0; TILE_PX];
                let codes = &mut codes[..TILE_PX.min(width - x)];
                self.grow.down.sum(y, first, wide_luma, width, x, codes);
                put_luma::<F>(paint, [x, y], codes, row);
            }
        }
        for y in chroma_ys {
            let at = y - first_y / 2;
            let u_row = &mut u_rows[at * strides[1]..];
            let v_row = v_rows.get_mut(at * strides[2]..).unwrap_or(&mut []);
            for x in (0..n_samples).step_by(TILE_PX / 2) {
                let n = (TILE_PX / 2).min(n_samples - x);
                let mut codes = [[0.0; TILE_PX / 2]; 2];
                if !paint.look.keep_colors {
                    let [u, v] = &mut codes;
                    chroma_down.sum(y, first, wide_u, n_samples, x, &mut u[..n]);
                    chroma_down.sum(y, first, wide_v, n_samples, x, &mut v[..n]);
                }
                put_chroma::<F>(paint, [x, y], n, &mut codes, [&mut *u_row, &mut *v_row]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::video::{Video, format, noise};
    use super::super::write::write_bands;
    use super::super::{Canvas, Picture};
    use super::*;
    use crate::colour::Affine;
    use crate::convention::{Channels, ValueRange};
    use crate::frame::PixelFormat;
    use crate::settings::Look;

    #[test]
    fn planes_are_scaled_as_the_picture_is() {
        for pixels in [PixelFormat::Nv12, PixelFormat::I420, PixelFormat::P010] {
            for (own, whole) in [
                ((160, 12), (640, 48)),
                ((33, 20), (97, 61)),
                ((225, 15), (300, 20)),
                ((97, 61), (33, 20)),
                ((320, 24), (640, 48)),
                ((320, 48), (640, 48)),
            ] {
                let data: Vec<_> = (0..3 * own.0 * own.1)
                    // Far enough from black and white that scaling does not go beyond.
                    .map(|i| 0.35 + 0.3 * (i * 7919 % 1009) as f32 / 1009.0)
                    .collect();
                let picture = Picture::new(&data, Canvas::planes(own));
                let video = noise(format(pixels, whole.0, whole.1), 3);
                let grow = Grow::new(own, &video.format);
                for (strength, keep_colors) in [(1.0, false), (0.4, false), (0.7, true)] {
                    let paint = Paint {
                        map: &Affine::from_network(&video.format, Channels::Rgb, ValueRange::Unit),
                        bounds: (0.0, 1.0),
                        source: &video.frame(),
                        look: Look {
                            strength,
                            keep_colors,
                            ..Look::default()
                        },
                    };
                    let blank = || Video::new(video.format, 5, |_, _, _| 0);
                    let [mut wanted, mut found] = [blank(), blank()];
                    let bands = grow.bands(&picture, None);
                    write_bands(bands, BAND_ROWS, &paint, &mut wanted.frame_mut());
                    grow.write(&picture, None, &paint, &mut found.frame_mut());
                    let difference = super::super::video::largest_difference(&wanted, &found);
                    assert!(
                        difference <= 1.0,
                        "{pixels:?} {own:?} {whole:?} {strength}: {difference}"
                    );
                }
            }
        }
    }
}
