//! Luma of a frame at reduced size.

use rayon::prelude::*;

use super::pyramid::Level;
use crate::frame::{Frame, FrameFormat, PixelFormat, Range};
use crate::simd::vectorise;

/// Smallest side of the largest level of a pyramid; a larger frame is halved until it would be smaller.
const MIN_SIDE_PX: usize = 320;

/// Pixels of a frame along each side of a pixel of the largest level: 1, 2, 4, 8 or 16.
pub(crate) fn step(format: &FrameFormat) -> usize {
    let mut step = 1;
    while format.width.min(format.height) / (2 * step) >= MIN_SIDE_PX {
        step *= 2;
    }
    step
}

/// Fills a level of `step` times less width and height with the mean luma of squares, from black, 0, to white, 255.
pub(crate) fn read(frame: &Frame<'_>, step: usize, level: &mut Level) {
    let n_rows = level.height;
    let (black, scale) = span(frame.format(), step);
    level.rows_mut().zip(0..n_rows).for_each_init(
        || vec![0.0; frame.format().width],
        |sums, (out, y)| {
            let sums = &mut sums[..];
            vectorise!({
                sums.fill(-black);
                for row in y * step..(y + 1) * step {
                    add_row(frame, row, sums);
                }
                match step {
                    1 => join::<1>(sums, scale, out),
                    2 => join::<2>(sums, scale, out),
                    4 => join::<4>(sums, scale, out),
                    8 => join::<8>(sums, scale, out),
                    _ => join::<16>(sums, scale, out),
                }
            });
        },
    );
}

/// What the codes of black add up to in a column of a square, and what makes 255 of a white square's, less those.
pub(crate) fn span(format: &FrameFormat, step: usize) -> (f32, f32) {
    let n_codes = (step * step) as f32;
    if format.pixels.packed().is_none() && format.range == Range::Limited {
        (16.0 * step as f32, 255.0 / 219.0 / n_codes)
    } else {
        (0.0, 1.0 / n_codes)
    }
}

/// Means of `N` sums next to each other.
#[inline(always)]
fn join<const N: usize>(sums: &[f32], scale: f32, out: &mut [f32]) {
    for (out, sums) in out.iter_mut().zip(sums.as_chunks::<N>().0) {
        let mut sum = 0.0;
        for value in sums {
            sum += value;
        }
        *out = sum * scale;
    }
}

/// Adds the luma codes of a row, 0 to 255.
#[inline(always)]
fn add_row(frame: &Frame<'_>, y: usize, sums: &mut [f32]) {
    let row = frame.row(0, y);
    match frame.format().pixels {
        PixelFormat::Nv12 | PixelFormat::I420 => {
            for (sum, &code) in sums.iter_mut().zip(row) {
                *sum += f32::from(code);
            }
        }
        PixelFormat::P010 => {
            for (sum, &word) in sums.iter_mut().zip(row.as_chunks::<2>().0) {
                *sum += f32::from(u16::from_le_bytes(word)) * (1.0 / 256.0);
            }
        }
        PixelFormat::Rgba | PixelFormat::Rgbx => add_packed::<4, 0>(frame, row, sums),
        PixelFormat::Bgra | PixelFormat::Bgrx => add_packed::<4, 2>(frame, row, sums),
        PixelFormat::Rgb => add_packed::<3, 0>(frame, row, sums),
        PixelFormat::Bgr => add_packed::<3, 2>(frame, row, sums),
    }
}

#[inline(always)]
fn add_packed<const BYTES: usize, const RED: usize>(
    frame: &Frame<'_>,
    row: &[u8],
    sums: &mut [f32],
) {
    let [red, green, blue] = frame.format().matrix.luma();
    for (sum, pixel) in sums.iter_mut().zip(row.as_chunks::<BYTES>().0) {
        *sum += red * f32::from(pixel[RED])
            + green * f32::from(pixel[1])
            + blue * f32::from(pixel[2 - RED]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Matrix, Plane};
    use crate::stabilizer::pyramid::Pyramid;

    #[test]
    fn black_is_0_and_white_is_255() {
        for pixels in PixelFormat::ALL {
            for range in [Range::Limited, Range::Full] {
                let format = FrameFormat::new(pixels, 32, 16, Matrix::Bt709, range).unwrap();
                let is_limited = pixels.packed().is_none() && range == Range::Limited;
                let codes = if is_limited {
                    [(16, 0.0), (235, 255.0)]
                } else {
                    [(0, 0.0), (255, 255.0)]
                };
                for (code, wanted) in codes {
                    // Of a word of 10 bits, the high byte is the code of 8 bits.
                    let is_wide = pixels == PixelFormat::P010;
                    let planes: Vec<Vec<u8>> = (0..pixels.n_planes())
                        .map(|idx| {
                            let (stride, n_rows) = pixels.plane_size(idx, 32, 16);
                            let byte = |i: usize| {
                                if is_wide && i.is_multiple_of(2) {
                                    0
                                } else {
                                    code
                                }
                            };
                            (0..stride * n_rows).map(byte).collect()
                        })
                        .collect();
                    let planes: Vec<_> = planes
                        .iter()
                        .enumerate()
                        .map(|(idx, data)| Plane {
                            data,
                            stride_bytes: pixels.plane_size(idx, 32, 16).0,
                        })
                        .collect();
                    let frame = Frame::new(format, &planes).unwrap();
                    for step in [1, 2, 4] {
                        let mut pyramid = Pyramid::new(32 / step, 16 / step);
                        read(&frame, step, &mut pyramid.levels[0]);
                        let found = pyramid.levels[0].row(1)[3];
                        assert!(
                            (found - wanted).abs() < 0.1,
                            "{pixels:?} {range:?}: {found}, wanted {wanted}"
                        );
                    }
                }
            }
        }
    }
}
