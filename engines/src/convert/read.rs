//! Frame to planes: the CPU definition of `upload`.

use rayon::prelude::*;

use super::samples::{Chroma420, I420, Nv12, P010, unpack};
use super::{BAND_ROWS, PlanesMut, TILE_PX};
use crate::colour::Affine;
use crate::frame::{Frame, PixelFormat};

/// Chroma samples of a tile and its right neighbour.
const CHROMA_TILE: usize = TILE_PX / 2 + 1;

type Tile = [[f32; TILE_PX]; 3];

/// Fills the window of `planes`, which has the frame's size, with the frame's pixels mapped by `map`.
/// Chroma is interpolated linearly between its samples.
pub(crate) fn read(frame: &Frame<'_>, map: &Affine, planes: &mut PlanesMut<'_>) {
    match frame.format().pixels {
        PixelFormat::Nv12 => read_with(frame, map, planes, &tile_420::<Nv12>),
        PixelFormat::I420 => read_with(frame, map, planes, &tile_420::<I420>),
        PixelFormat::P010 => read_with(frame, map, planes, &tile_420::<P010>),
        PixelFormat::Rgba | PixelFormat::Rgbx => {
            read_with(frame, map, planes, &tile_packed::<4, 0>);
        }
        PixelFormat::Bgra | PixelFormat::Bgrx => {
            read_with(frame, map, planes, &tile_packed::<4, 2>);
        }
        PixelFormat::Rgb => read_with(frame, map, planes, &tile_packed::<3, 0>),
        PixelFormat::Bgr => read_with(frame, map, planes, &tile_packed::<3, 2>),
    }
}

fn read_with(
    frame: &Frame<'_>,
    map: &Affine,
    planes: &mut PlanesMut<'_>,
    tile: &(impl Fn(&Frame<'_>, usize, usize, usize, &mut Tile) + Sync),
) {
    let (stride, window) = (planes.width, planes.window);
    let rows = stride * window.top..stride * (window.top + window.height);
    let [first, second, third] = planes.split().map(|plane| &mut plane[rows.clone()]);
    let band = stride * BAND_ROWS;
    let arch = pulp::Arch::new();
    first
        .par_chunks_mut(band)
        .zip(second.par_chunks_mut(band))
        .zip(third.par_chunks_mut(band))
        .enumerate()
        .for_each(|(band_idx, ((first, second), third))| {
            arch.dispatch(
                #[inline(always)]
                || {
                    let rows = first
                        .chunks_exact_mut(stride)
                        .zip(second.chunks_exact_mut(stride))
                        .zip(third.chunks_exact_mut(stride));
                    for (y, ((first, second), third)) in rows.enumerate() {
                        let y = band_idx * BAND_ROWS + y;
                        let out = [first, second, third]
                            .map(|row| &mut row[window.left..window.left + window.width]);
                        read_row(frame, map, y, tile, out);
                    }
                },
            );
        });
}

#[inline(always)]
fn read_row(
    frame: &Frame<'_>,
    map: &Affine,
    y: usize,
    tile: &impl Fn(&Frame<'_>, usize, usize, usize, &mut Tile),
    out: [&mut [f32]; 3],
) {
    let mut codes = [[0.0; TILE_PX]; 3];
    let [first, second, third] = out;
    let tiles = first
        .chunks_mut(TILE_PX)
        .zip(second.chunks_mut(TILE_PX))
        .zip(third.chunks_mut(TILE_PX))
        .enumerate();
    for (tile_idx, ((first, second), third)) in tiles {
        tile(frame, y, tile_idx * TILE_PX, first.len(), &mut codes);
        let [a, b, c] = &codes;
        let values = a.iter().zip(b).zip(c);
        let out = first.iter_mut().zip(second).zip(third);
        for (((first, second), third), ((&a, &b), &c)) in out.zip(values) {
            [*first, *second, *third] = map.apply([a, b, c]);
        }
    }
}

/// Codes of `n_px` pixels of row `y` from pixel `x` on, chroma brought to every pixel.
#[inline(always)]
fn tile_420<F: Chroma420>(frame: &Frame<'_>, y: usize, x: usize, n_px: usize, codes: &mut Tile) {
    let format = frame.format();
    let (chroma_width, chroma_height) = (format.width.div_ceil(2), format.height.div_ceil(2));
    let n_chroma = n_px.div_ceil(2);
    let near = y / 2;
    let far = if y.is_multiple_of(2) {
        near.saturating_sub(1)
    } else {
        (near + 1).min(chroma_height - 1)
    };

    let [luma, u_out, v_out] = codes;
    F::luma(frame, y, x, &mut luma[..n_px]);
    let mut near_uv = [[0.0; CHROMA_TILE]; 2];
    let mut far_uv = [[0.0; CHROMA_TILE]; 2];
    let n_read = (n_chroma + 1).min(chroma_width - x / 2);
    for (row, [u, v]) in [(near, &mut near_uv), (far, &mut far_uv)] {
        F::chroma(frame, row, x / 2, &mut u[..n_read], &mut v[..n_read]);
    }
    for ((near, far), out) in near_uv.iter_mut().zip(&far_uv).zip([u_out, v_out]) {
        for (near, far) in near.iter_mut().zip(far) {
            *near = 0.75 * *near + 0.25 * *far;
        }
        if n_read == n_chroma {
            near[n_chroma] = near[n_chroma - 1];
        }
        for (pair, neighbours) in out.chunks_exact_mut(2).zip(near.windows(2)) {
            pair[0] = neighbours[0];
            pair[1] = 0.5 * (neighbours[0] + neighbours[1]);
        }
    }
}

#[inline(always)]
fn tile_packed<const BYTES: usize, const RED: usize>(
    frame: &Frame<'_>,
    y: usize,
    x: usize,
    n_px: usize,
    codes: &mut Tile,
) {
    unpack::<BYTES, RED>(&frame.row(0, y)[x * BYTES..(x + n_px) * BYTES], codes);
}
