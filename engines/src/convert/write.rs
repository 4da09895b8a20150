//! Picture to frame, with `strength` and `keep-colors`: the CPU definition of `download`.

use rayon::iter::Either;
use rayon::prelude::*;

use super::picture::WIDE_PX;
use super::samples::{Chroma420, I420, Nv12, P010, to_u8, unpack};
use super::{BAND_ROWS, Painting, Pixels, TILE_PX};
use crate::colour::Affine;
use crate::frame::{Frame, FrameMut, PixelFormat};
use crate::settings::Look;
use crate::simd::vectorise;

/// What makes a frame of a picture.
pub(crate) struct Paint<'a> {
    /// From the picture's values to the frame's codes.
    pub map: &'a Affine,
    /// Values of black and white, beyond which it is cut.
    pub bounds: (f32, f32),
    /// The photo: alpha is taken from it, colours with `keep_colors`, and `strength` fades from it to the paint in the
    /// frame's own codes.
    pub source: &'a Frame<'a>,
    pub look: Look,
}

/// Some rows of a picture.
pub(crate) trait Band: Send {
    /// Fills three rows with pixels of row `y` of the picture, from pixel `x` on. Every pixel is asked for once, [`TILE_PX`] at a
    /// time but for the last of a row.
    fn take(&mut self, y: usize, x: usize, out: [&mut [f32]; 3]);
}

impl<P: Pixels> Band for &P {
    #[inline(always)]
    fn take(&mut self, y: usize, x: usize, out: [&mut [f32]; 3]) {
        self.load(y, x, out);
    }
}

/// Writes a picture of the frame's size into `target`, which has the photo's format. Chroma is the mean of a pixel pair's
/// rows, weighted 1 2 1 about its site in x.
pub(crate) fn write(picture: &impl Pixels, paint: &Paint<'_>, target: &mut FrameMut<'_>) {
    let n_bands = target.format().height.div_ceil(BAND_ROWS);
    let bands = rayon::iter::repeat_n(picture, n_bands);
    write_bands(bands, BAND_ROWS, paint, target);
}

/// The same of what a network has painted.
pub(crate) fn write_painting(
    painting: &Painting<'_>,
    paint: &Paint<'_>,
    target: &mut FrameMut<'_>,
) {
    let (height, n_rows) = (target.format().height, painting.band_rows());
    let bands = (0..height.div_ceil(n_rows)).into_par_iter();
    let bands = bands.map(|idx| {
        let first = idx * n_rows;
        painting.rows(first..height.min(first + n_rows))
    });
    write_bands(bands, n_rows, paint, target);
}

/// The same of all bands of a picture, each of `n_rows` rows, an even number, or fewer at its end.
pub(crate) fn write_bands<I>(bands: I, n_rows: usize, paint: &Paint<'_>, target: &mut FrameMut<'_>)
where
    I: IndexedParallelIterator<Item: Band>,
{
    match paint.source.format().pixels {
        PixelFormat::Nv12 => write_420::<Nv12, I>(bands, n_rows, paint, target),
        PixelFormat::I420 => write_420::<I420, I>(bands, n_rows, paint, target),
        PixelFormat::P010 => write_420::<P010, I>(bands, n_rows, paint, target),
        PixelFormat::Rgba => write_packed::<4, 0, true, I>(bands, n_rows, paint, target),
        PixelFormat::Bgra => write_packed::<4, 2, true, I>(bands, n_rows, paint, target),
        PixelFormat::Rgbx => write_packed::<4, 0, false, I>(bands, n_rows, paint, target),
        PixelFormat::Bgrx => write_packed::<4, 2, false, I>(bands, n_rows, paint, target),
        PixelFormat::Rgb => write_packed::<3, 0, false, I>(bands, n_rows, paint, target),
        PixelFormat::Bgr => write_packed::<3, 2, false, I>(bands, n_rows, paint, target),
    }
}

fn write_420<F: Chroma420, I>(bands: I, n_rows: usize, paint: &Paint<'_>, target: &mut FrameMut<'_>)
where
    I: IndexedParallelIterator<Item: Band>,
{
    let height = target.format().height;
    let strides = target.planes().each_ref().map(|plane| plane.stride_bytes);
    let bands = bands.zip(bands_420(target, n_rows)).enumerate();
    bands.for_each(|(band_idx, (mut band, [luma, u, v]))| {
        let band = &mut band;
        vectorise!({
            let first = band_idx * n_rows;
            for pair in 0..n_rows.min(height - first).div_ceil(2) {
                let y = first + 2 * pair;
                let rows = &mut luma[2 * pair * strides[0]..];
                let u = &mut u[pair * strides[1]..];
                let v = v.get_mut(pair * strides[2]..).unwrap_or(&mut []);
                write_pair::<F>(band, paint, y, rows, strides[0], [u, v]);
            }
        });
    });
}

/// The rows of each band of a 4:2:0 frame, of `n_rows` of luma, an even number, and of the one or two planes of chroma.
pub(super) fn bands_420<'a>(
    target: &'a mut FrameMut<'_>,
    n_rows: usize,
) -> impl IndexedParallelIterator<Item = [&'a mut [u8]; 3]> {
    let is_planar = target.format().pixels == PixelFormat::I420;
    let n_bands = target.format().height.div_ceil(n_rows);
    let [luma, chroma, third] = target.planes();
    let luma = luma.data.par_chunks_mut(luma.stride_bytes * n_rows);
    let chroma = chroma.data.par_chunks_mut(chroma.stride_bytes * n_rows / 2);
    let third = if is_planar {
        Either::Left(third.data.par_chunks_mut(third.stride_bytes * n_rows / 2))
    } else {
        let nothing = (0..n_bands).into_par_iter();
        Either::Right(nothing.map(|_| -> &mut [u8] { &mut [] }))
    };
    let bands = luma.zip(chroma).zip(third);
    bands.map(|((luma, chroma), third)| [luma, chroma, third])
}

/// Writes luma rows `y` and, if there is one, `y + 1`, and the chroma row between them.
#[inline(always)]
fn write_pair<F: Chroma420>(
    band: &mut impl Band,
    paint: &Paint<'_>,
    y: usize,
    luma_rows: &mut [u8],
    luma_stride: usize,
    mut chroma_rows: [&mut [u8]; 2],
) {
    let (width, height) = (paint.source.format().width, paint.source.format().height);
    let n_rows = 2.min(height - y);
    // The pixel left of the tile, in both rows.
    let mut left = [[0.0; 3]; 2];
    for x in (0..width).step_by(TILE_PX) {
        let n_px = TILE_PX.min(width - x);
        // Channels of the tile, summed over the rows: what chroma is made of.
        let mut sums = [[0.0; WIDE_PX]; 3];
        for row_idx in 0..n_rows {
            let left = &mut left[row_idx];
            let values = tile(band, paint.bounds, [x, y + row_idx], n_px, left);
            for (sums, values) in sums.iter_mut().zip(&values) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += value;
                }
            }
            let mut luma = [0.0; TILE_PX];
            let [a, b, c] = &values;
            let [ka, kb, kc] = paint.map.rows[0];
            for (((luma, a), b), c) in luma.iter_mut().zip(&a[1..]).zip(&b[1..]).zip(&c[1..]) {
                *luma = ka * a + kb * b + kc * c + paint.map.offset[0];
            }
            let row = &mut luma_rows[row_idx * luma_stride..];
            put_luma::<F>(paint, [x, y + row_idx], &mut luma[..n_px], row);
        }

        let mut chroma = [[0.0; TILE_PX / 2]; 2];
        if !paint.look.keep_colors {
            let scale = 0.25 / n_rows as f32;
            let mean = |channel: usize| decimate(&sums[channel], n_px, scale);
            let means = [mean(0), mean(1), mean(2)];
            for (idx, chroma) in chroma.iter_mut().enumerate() {
                let [ka, kb, kc] = paint.map.rows[idx + 1];
                let [a, b, c] = &means;
                for (((chroma, a), b), c) in chroma.iter_mut().zip(a).zip(b).zip(c) {
                    *chroma = ka * a + kb * b + kc * c + paint.map.offset[idx + 1];
                }
            }
        }
        let [u_row, v_row] = &mut chroma_rows;
        let n_chroma = n_px.div_ceil(2);
        put_chroma::<F>(paint, [x / 2, y / 2], n_chroma, &mut chroma, [u_row, v_row]);
    }
}

/// Writes luma codes from pixel `x` of row `y` on into that row, the photo faded in.
#[inline(always)]
pub(super) fn put_luma<F: Chroma420>(
    paint: &Paint<'_>,
    [x, y]: [usize; 2],
    codes: &mut [f32],
    row: &mut [u8],
) {
    if paint.look.strength < 1.0 {
        let mut photo = [0.0; TILE_PX];
        F::luma(paint.source, y, x, &mut photo[..codes.len()]);
        fade(&photo, codes, paint.look.strength);
    }
    F::put_luma(row, x, codes);
}

/// Writes `n` chroma codes from sample `x` of chroma row `y` on into the rows of the planes, the photo's faded in or in their
/// place.
#[inline(always)]
pub(super) fn put_chroma<F: Chroma420>(
    paint: &Paint<'_>,
    [x, y]: [usize; 2],
    n: usize,
    codes: &mut [[f32; TILE_PX / 2]; 2],
    rows: [&mut [u8]; 2],
) {
    if paint.look.keep_colors || paint.look.strength < 1.0 {
        let mut photo = [[0.0; TILE_PX / 2]; 2];
        let [u, v] = &mut photo;
        F::chroma(paint.source, y, x, &mut u[..n], &mut v[..n]);
        if paint.look.keep_colors {
            *codes = photo;
        } else {
            for (photo, codes) in photo.iter().zip(codes.iter_mut()) {
                fade(photo, codes, paint.look.strength);
            }
        }
    }
    let [u, v] = codes;
    F::put_chroma(rows, x, &u[..n], &v[..n]);
}

/// Values of the pixel `left` of `x`, which becomes the last one, and of `n_px` pixels from `x` on, cut to the bounds.
#[inline(always)]
fn tile(
    band: &mut impl Band,
    (low, high): (f32, f32),
    [x, y]: [usize; 2],
    n_px: usize,
    left: &mut [f32; 3],
) -> [[f32; WIDE_PX]; 3] {
    let mut values = [[0.0; WIDE_PX]; 3];
    let out = values.each_mut().map(|row| &mut row[1..=n_px]);
    band.take(y, x, out);
    for (row, left) in values.iter_mut().zip(left) {
        row[0] = if x > 0 { *left } else { row[1] };
        *left = row[n_px];
        for value in row {
            *value = value.max(low).min(high);
        }
    }
    values
}

/// Every other value, weighted 1 2 1 with its neighbours and scaled; `wide` starts one pixel to the left.
#[inline(always)]
fn decimate(wide: &[f32; WIDE_PX], n_px: usize, scale: f32) -> [f32; TILE_PX / 2] {
    let mut wide = *wide;
    if n_px < TILE_PX {
        wide[n_px + 1] = wide[n_px];
    }
    let mut out = [0.0; TILE_PX / 2];
    let (pairs, _) = wide.as_chunks::<2>();
    let right = wide[2..].iter().step_by(2);
    for ((out, &[left, centre]), right) in out.iter_mut().zip(pairs).zip(right) {
        *out = (left + 2.0 * centre + right) * scale;
    }
    out
}

#[inline(always)]
fn fade(photo: &[f32], paint: &mut [f32], strength: f32) {
    for (paint, photo) in paint.iter_mut().zip(photo) {
        *paint = photo + strength * (*paint - photo);
    }
}

fn write_packed<const BYTES: usize, const RED: usize, const ALPHA: bool, I>(
    bands: I,
    n_rows: usize,
    paint: &Paint<'_>,
    target: &mut FrameMut<'_>,
) where
    I: IndexedParallelIterator<Item: Band>,
{
    let height = target.format().height;
    let plane = &mut target.planes()[0];
    let stride = plane.stride_bytes;
    let rows = plane.data.par_chunks_mut(stride * n_rows);
    let bands = bands.zip(rows).enumerate();
    bands.for_each(|(band_idx, (mut band, rows))| {
        let band = &mut band;
        vectorise!({
            let first = band_idx * n_rows;
            for y in first..height.min(first + n_rows) {
                let row = &mut rows[(y - first) * stride..];
                write_packed_row::<BYTES, RED, ALPHA>(band, paint, y, row);
            }
        });
    });
}

#[inline(always)]
fn write_packed_row<const BYTES: usize, const RED: usize, const ALPHA: bool>(
    band: &mut impl Band,
    paint: &Paint<'_>,
    y: usize,
    row: &mut [u8],
) {
    let format = paint.source.format();
    let luma = format.matrix.luma();
    let (low, high) = paint.bounds;
    let photo_row = paint.source.row(0, y);
    for x in (0..format.width).step_by(TILE_PX) {
        let n_px = TILE_PX.min(format.width - x);
        let bytes = x * BYTES..(x + n_px) * BYTES;
        let mut codes = [[0.0; TILE_PX]; 3];
        let [red, green, blue] = &mut codes;
        let out = [&mut red[..n_px], &mut green[..n_px], &mut blue[..n_px]];
        band.take(y, x, out);
        for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
            let cut = |value: f32| value.max(low).min(high);
            [*red, *green, *blue] = paint.map.apply([cut(*red), cut(*green), cut(*blue)]);
        }
        if paint.look.keep_colors || paint.look.strength < 1.0 {
            let mut photo = [[0.0; TILE_PX]; 3];
            unpack::<BYTES, RED>(&photo_row[bytes.clone()], photo.each_mut());
            if paint.look.keep_colors {
                recolour(&photo, &mut codes, luma);
            }
            for (photo, codes) in photo.iter().zip(&mut codes) {
                fade(photo, codes, paint.look.strength);
            }
        }
        let [red, green, blue] = &codes;
        let pixels = row[bytes.clone()].chunks_exact_mut(BYTES);
        for (((&red, &green), &blue), pixel) in red.iter().zip(green).zip(blue).zip(pixels) {
            pixel[RED] = to_u8(red);
            pixel[1] = to_u8(green);
            pixel[2 - RED] = to_u8(blue);
            if BYTES == 4 {
                pixel[3] = 255;
            }
        }
        if ALPHA {
            let photo = photo_row[bytes.clone()].chunks_exact(BYTES);
            for (pixel, photo) in row[bytes].chunks_exact_mut(BYTES).zip(photo) {
                pixel[3] = photo[3];
            }
        }
    }
}

/// Gives the photo the paint's luma: one step along grey for all three channels, so that chroma stays.
#[inline(always)]
fn recolour(photo: &[[f32; TILE_PX]; 3], codes: &mut [[f32; TILE_PX]; 3], [kr, kg, kb]: [f32; 3]) {
    for px in 0..TILE_PX {
        let step = kr * (codes[0][px] - photo[0][px])
            + kg * (codes[1][px] - photo[1][px])
            + kb * (codes[2][px] - photo[2][px]);
        for (codes, photo) in codes.iter_mut().zip(photo) {
            codes[px] = photo[px] + step;
        }
    }
}
