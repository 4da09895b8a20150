//! Convolution by Winograd's minimal filtering F(4x4, 3x3): 36 products where the definition has 144.
//!
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. Tiles of 6x6 pixels that overlap by two are
//! transformed, multiplied by the transformed weights at each of 36 places (a product of matrices over channels), and
//! transformed back into 4x4 pixels. In f32 the result is off by about 1e-5 of its size.

use std::cell::RefCell;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::Then;
use crate::maps::Maps;

/// Pixels of a side of a tile's result.
const STEP: usize = 4;
/// Pixels of a side of a tile.
const TILE: usize = 6;
/// Places in a tile.
const PLACES: usize = TILE * TILE;
/// Tiles that are worked on at a time, at least: the weights are read once for so many.
const N_TILES: usize = 64;
/// Numbers between two places' matrices besides their own, so that they do not fall on the same cache lines.
const GAP: usize = 16;

thread_local! {
    static TILES: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// Weights, transformed.
pub(super) struct Winograd {
    n_in: usize,
    n_out: usize,
    /// `[36, n_in, n_out]`.
    weights: Vec<f32>,
}

impl Winograd {
    /// From weights `[9, n_in, n_out]`; both counts are multiples of 16.
    pub(super) fn new(taps: &[f32], n_in: usize, n_out: usize) -> Self {
        let n = n_in * n_out;
        let mut weights = vec![0.0; PLACES * n];
        for i in 0..n {
            let mut columns = [[0.0; 3]; TILE];
            for x in 0..3 {
                let column = transform([
                    taps[x * n + i],
                    taps[(3 + x) * n + i],
                    taps[(6 + x) * n + i],
                ]);
                for y in 0..TILE {
                    columns[y][x] = column[y];
                }
            }
            for (y, row) in columns.into_iter().enumerate() {
                for (x, value) in transform(row).into_iter().enumerate() {
                    weights[(y * TILE + x) * n + i] = value;
                }
            }
        }
        Self {
            n_in,
            n_out,
            weights,
        }
    }

    /// Convolves at stride 1, with a border of one zero.
    pub(super) fn convolve(&self, input: &Maps, then: Then<'_>) -> Maps {
        let mut output = Maps::scratch(input.height, input.width, self.n_out);
        let stride = output.stride();
        let n_across = input.width.div_ceil(STEP);
        let n_down = N_TILES.div_ceil(n_across);
        let bands = output
            .values
            .par_chunks_mut(n_down * STEP * stride)
            .enumerate();
        bands.for_each(|(band, target)| {
            let n_tiles = (target.len() / stride).div_ceil(STEP) * n_across;
            TILES.with_borrow_mut(|[tiles, products]| {
                let [to_tiles, to_products] = [self.n_in, self.n_out].map(|n| n_tiles * n + GAP);
                grow(tiles, PLACES * to_tiles);
                grow(products, PLACES * to_products);
                Arch::new().dispatch(Enter {
                    input,
                    first: band * n_down,
                    n_across,
                    tiles,
                    step: to_tiles,
                    n_tiles,
                });
                let weights = self.weights.chunks_exact(self.n_in * self.n_out);
                let places = tiles
                    .chunks_exact(to_tiles)
                    .zip(products.chunks_exact_mut(to_products));
                for ((tiles, products), weights) in places.zip(weights) {
                    let (tiles, products) = (
                        &tiles[..n_tiles * self.n_in],
                        &mut products[..n_tiles * self.n_out],
                    );
                    matmul(
                        MatMut::from_row_major_slice_mut(products, n_tiles, self.n_out),
                        Accum::Replace,
                        MatRef::from_row_major_slice(tiles, n_tiles, self.n_in),
                        MatRef::from_row_major_slice(weights, self.n_in, self.n_out),
                        1.0,
                        Par::Seq,
                    );
                }
                let (n_out, width) = (self.n_out, input.width);
                Arch::new().dispatch(Leave {
                    products,
                    step: to_products,
                    n_across,
                    target,
                    width,
                    n_out,
                    then,
                });
            });
        });
        output
    }
}

fn grow(values: &mut Vec<f32>, len: usize) {
    if values.len() < len {
        values.resize(len, 0.0);
    }
}

/// `G g`: a column of weights.
fn transform([a, b, c]: [f32; 3]) -> [f32; TILE] {
    [
        a / 4.0,
        -(a + b + c) / 6.0,
        (b - a - c) / 6.0,
        a / 24.0 + b / 12.0 + c / 6.0,
        a / 24.0 - b / 12.0 + c / 6.0,
        c,
    ]
}

/// Transforms the tiles of some rows of tiles: `B' d B`, into `[36, tiles, n_in]`.
struct Enter<'a> {
    input: &'a Maps,
    /// Row of tiles to start at.
    first: usize,
    n_across: usize,
    n_tiles: usize,
    tiles: &'a mut [f32],
    /// Numbers from one place to the next.
    step: usize,
}

#[expect(clippy::needless_range_loop, reason = "indices of registers")]
impl WithSimd for Enter<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (n, lanes) = (self.input.n_channels, S::F32_LANES);
        let (height, width) = (self.input.height, self.input.width);
        let nothing = simd.splat_f32s(0.0);
        for tile in 0..self.n_tiles {
            // One more than the row and column of the tile's first pixel, which may be outside.
            let top = (self.first + tile / self.n_across) * STEP;
            let left = tile % self.n_across * STEP;
            for channel in (0..n).step_by(lanes) {
                let mut rows = [[nothing; TILE]; TILE];
                for x in 0..TILE {
                    let mut column = [nothing; TILE];
                    let across = left + x;
                    if across >= 1 && across <= width {
                        for y in 0..TILE {
                            let down = top + y;
                            if down >= 1 && down <= height {
                                let at = ((down - 1) * width + across - 1) * n + channel;
                                column[y] = load(simd, &self.input.values[at..at + lanes]);
                            }
                        }
                    }
                    let column = enter(simd, column);
                    for y in 0..TILE {
                        rows[y][x] = column[y];
                    }
                }
                for y in 0..TILE {
                    let row = enter(simd, rows[y]);
                    for x in 0..TILE {
                        let at = (y * TILE + x) * self.step + tile * n + channel;
                        store(simd, &mut self.tiles[at..at + lanes], row[x]);
                    }
                }
            }
        }
    }
}

/// Transforms products back into pixels: `A' m A`.
struct Leave<'a> {
    products: &'a [f32],
    /// Numbers from one place to the next.
    step: usize,
    n_across: usize,
    /// Whole rows of pixels.
    target: &'a mut [f32],
    width: usize,
    n_out: usize,
    then: Then<'a>,
}

#[expect(clippy::needless_range_loop, reason = "indices of registers")]
impl WithSimd for Leave<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (n, lanes, width) = (self.n_out, S::F32_LANES, self.width);
        let height = self.target.len() / (n * width);
        let nothing = simd.splat_f32s(0.0);
        for tile in 0..height.div_ceil(STEP) * self.n_across {
            let (top, left) = (tile / self.n_across * STEP, tile % self.n_across * STEP);
            let (n_down, n_right) = (STEP.min(height - top), STEP.min(width - left));
            for channel in (0..n).step_by(lanes) {
                let mut rows = [[nothing; TILE]; STEP];
                for x in 0..TILE {
                    let mut column = [nothing; TILE];
                    for y in 0..TILE {
                        let at = (y * TILE + x) * self.step + tile * n + channel;
                        column[y] = load(simd, &self.products[at..at + lanes]);
                    }
                    let column = leave(simd, column);
                    for y in 0..STEP {
                        rows[y][x] = column[y];
                    }
                }
                let bias = match self.then.bias {
                    Some(bias) => load(simd, &bias[channel..channel + lanes]),
                    None => nothing,
                };
                for y in 0..n_down {
                    let row = leave(simd, rows[y]);
                    for x in 0..n_right {
                        let mut value = simd.add_f32s(row[x], bias);
                        if self.then.relu {
                            value = simd.max_f32s(value, nothing);
                        }
                        let at = ((top + y) * width + left + x) * n + channel;
                        store(simd, &mut self.target[at..at + lanes], value);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn load<S: Simd>(_: S, values: &[f32]) -> S::f32s {
    S::as_simd_f32s(values).0[0]
}

#[inline(always)]
fn store<S: Simd>(_: S, target: &mut [f32], values: S::f32s) {
    S::as_mut_simd_f32s(target).0[0] = values;
}

/// `B' d`.
#[inline(always)]
fn enter<S: Simd>(simd: S, d: [S::f32s; TILE]) -> [S::f32s; TILE] {
    let (two, four, five) = (
        simd.splat_f32s(2.0),
        simd.splat_f32s(4.0),
        simd.splat_f32s(5.0),
    );
    let mul_sub = |a, b, c| simd.sub_f32s(simd.mul_f32s(a, b), c);
    // d4 - 4 d2, d3 - 4 d1, d4 - d2, 2 (d3 - d1)
    let a = simd.sub_f32s(d[4], simd.mul_f32s(four, d[2]));
    let b = simd.sub_f32s(d[3], simd.mul_f32s(four, d[1]));
    let c = simd.sub_f32s(d[4], d[2]);
    let e = simd.mul_f32s(two, simd.sub_f32s(d[3], d[1]));
    [
        simd.add_f32s(mul_sub(four, d[0], simd.mul_f32s(five, d[2])), d[4]),
        simd.add_f32s(a, b),
        simd.sub_f32s(a, b),
        simd.add_f32s(c, e),
        simd.sub_f32s(c, e),
        simd.add_f32s(mul_sub(four, d[1], simd.mul_f32s(five, d[3])), d[5]),
    ]
}

/// `A' m`.
#[inline(always)]
fn leave<S: Simd>(simd: S, m: [S::f32s; TILE]) -> [S::f32s; STEP] {
    let (two, four, eight) = (
        simd.splat_f32s(2.0),
        simd.splat_f32s(4.0),
        simd.splat_f32s(8.0),
    );
    let (even, odd) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (far_even, far_odd) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(m[0], simd.add_f32s(even, far_even)),
        simd.add_f32s(odd, simd.mul_f32s(two, far_odd)),
        simd.add_f32s(even, simd.mul_f32s(four, far_even)),
        simd.add_f32s(simd.add_f32s(odd, simd.mul_f32s(eight, far_odd)), m[5]),
    ]
}
