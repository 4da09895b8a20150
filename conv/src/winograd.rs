//! Convolution by Winograd's minimal filtering F(4x4, 3x3): 36 products where the definition has 144.
//!
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. Tiles of 6x6 pixels that overlap by two are
//! transformed, multiplied by the transformed weights at each of 36 places (a product of matrices over channels), and
//! transformed back into 4x4 pixels. In f32 the result is off by about 1e-5 of its size.
//!
//! Taps that are apart make as many grids of pixels as they are apart each way, each with its own tiles. Of maps whose
//! pixels stand for 2x2, the third row and the third column of every transformed tile are 0.

use std::cell::RefCell;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::product::{Finish, Group, Packed, add, each_group, load};
use crate::{Conv, Maps, TAPS, share};

/// Pixels of a side of a tile's result.
const STEP: usize = 4;
/// Pixels of a side of a tile.
const TILE: usize = 6;
/// Places in a tile.
const PLACES: usize = TILE * TILE;
/// Row and column that are 0 where pixels stand for 2x2.
const EMPTY: usize = 2;
/// Tiles that are worked on at a time: the weights are read once for so many. Fewer where there is not enough to do for all
/// threads.
const N_TILES: usize = 40;
/// Numbers between two places' matrices besides their own, so that they do not fall on the same cache lines.
const GAP: usize = 16;
/// An offset outside the maps.
const OUTSIDE: usize = usize::MAX;

thread_local! {
    static TILES: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// Weights, transformed: a matrix for each place.
#[derive(Clone, Debug)]
pub(crate) struct Winograd(Vec<Packed>);

impl Winograd {
    /// From weights `[n_out, n_in, 3, 3]`; `n_in` is a multiple of the lanes of a vector.
    pub(crate) fn new(weights: &[f32], n_in: usize, n_out: usize) -> Self {
        let transformed: Vec<[f32; PLACES]> = weights.chunks_exact(TAPS).map(square).collect();
        let matrix = |place| {
            Packed::new(n_in, n_out, |row, column| {
                transformed[column * n_in + row][place]
            })
        };
        Self((0..PLACES).map(matrix).collect())
    }

    /// Convolves at stride 1.
    pub(crate) fn run(&self, conv: &Conv, input: Maps<'_>, finish: Finish<'_>, output: &mut [f32]) {
        let apart = conv.walk.dilation;
        let [height, width] = conv.walk.size([input.height, input.width]);
        let stride = width * conv.n_out;
        let wide = self.0[0].width;
        // Tiles of a row of each grid.
        let n_across = width.div_ceil(apart).div_ceil(STEP);
        let n_rows = N_TILES.div_ceil(n_across * apart * apart) * STEP * apart;
        let n_rows = n_rows.min(share(height).next_multiple_of(STEP * apart));
        let bands = output.par_chunks_mut(n_rows * stride).enumerate();
        bands.for_each(|(band, target)| {
            let n_rows_here = target.len() / stride;
            let n_tiles = n_rows_here.div_ceil(STEP * apart) * apart * apart * n_across;
            let grid = Grid {
                top: band * n_rows,
                apart,
                n_across,
                n_tiles,
            };
            TILES.with_borrow_mut(|[tiles, products]| {
                let (to_tiles, to_products) = (n_tiles * conv.n_in + GAP, n_tiles * wide + GAP);
                grow(tiles, PLACES * to_tiles);
                grow(products, PLACES * to_products);
                let arch = Arch::new();
                arch.dispatch(Enter {
                    conv,
                    input,
                    grid,
                    tiles,
                    step: to_tiles,
                });
                let places = self.0.iter().zip(tiles.chunks_exact(to_tiles));
                let places = places.zip(products.chunks_exact_mut(to_products));
                for (place, ((weights, tiles), products)) in places.enumerate() {
                    if conv.walk.doubled && (place / TILE == EMPTY || place % TILE == EMPTY) {
                        continue;
                    }
                    let multiply = Multiply {
                        tiles: &tiles[..n_tiles * conv.n_in],
                        n_in: conv.n_in,
                        products: &mut products[..n_tiles * wide],
                        wide,
                    };
                    each_group(n_tiles, weights, multiply);
                }
                arch.dispatch(Leave {
                    products,
                    step: to_products,
                    wide,
                    grid,
                    doubled: conv.walk.doubled,
                    finish,
                    width,
                    target,
                });
            });
        });
    }
}

fn grow(values: &mut Vec<f32>, len: usize) {
    if values.len() < len {
        values.resize(len, 0.0);
    }
}

/// `G g G'`: a kernel.
fn square(taps: &[f32]) -> [f32; PLACES] {
    let mut columns = [[0.0; 3]; TILE];
    for x in 0..3 {
        let column = transform([taps[x], taps[3 + x], taps[6 + x]]);
        for (columns, value) in columns.iter_mut().zip(column) {
            columns[x] = value;
        }
    }
    let mut places = [0.0; PLACES];
    for (places, row) in places.chunks_exact_mut(TILE).zip(columns) {
        places.copy_from_slice(&transform(row));
    }
    places
}

/// `G g`: a column of a kernel.
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

/// Where the tiles of a band lie.
#[derive(Clone, Copy)]
struct Grid {
    /// Row of the output that the band starts at.
    top: usize,
    /// Pixels from one of a tile's to the next.
    apart: usize,
    /// Tiles of a row of each grid of such pixels.
    n_across: usize,
    n_tiles: usize,
}

impl Grid {
    /// Row and column in the output of a tile's first pixel. Rows of tiles follow each other, in each of them the rows of
    /// pixels between, and there the columns between.
    #[inline(always)]
    fn place(&self, tile: usize) -> [usize; 2] {
        let (row, across) = (tile / self.n_across, tile % self.n_across);
        let (row, left) = (row / self.apart, row % self.apart);
        let (row, top) = (row / self.apart, row % self.apart);
        let step = STEP * self.apart;
        [self.top + row * step + top, across * step + left]
    }
}

/// Transforms tiles, `B' d B`, into `[36, tiles, n_in]`.
struct Enter<'a> {
    conv: &'a Conv,
    input: Maps<'a>,
    grid: Grid,
    tiles: &'a mut [f32],
    /// Numbers from one place to the next.
    step: usize,
}

impl WithSimd for Enter<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (n, apart) = (self.conv.n_in, self.grid.apart);
        let halving = u32::from(self.conv.walk.doubled);
        // Where pixels of a tile are, from its first one's place, one tap further back.
        let offsets = |first: usize, side: usize, stride: usize| {
            let mut offsets = [OUTSIDE; TILE];
            for (i, offset) in offsets.iter_mut().enumerate() {
                let at = (first + i * apart).wrapping_sub(apart);
                if at < side << halving {
                    *offset = (at >> halving) * stride;
                }
            }
            offsets
        };
        for tile in 0..self.grid.n_tiles {
            let [top, left] = self.grid.place(tile);
            let rows = offsets(top, self.input.height, self.input.width * n);
            let columns = offsets(left, self.input.width, n);
            let to = &mut self.tiles[tile * n..];
            let is_inside = !rows.contains(&OUTSIDE) && !columns.contains(&OUTSIDE);
            let at = (rows, columns);
            match (is_inside, self.conv.walk.doubled) {
                (true, false) => tile_in::<S, true, false>(simd, self.input, at, n, to, self.step),
                (true, true) => tile_in::<S, true, true>(simd, self.input, at, n, to, self.step),
                (false, false) => {
                    tile_in::<S, false, false>(simd, self.input, at, n, to, self.step);
                }
                (false, true) => tile_in::<S, false, true>(simd, self.input, at, n, to, self.step),
            }
        }
    }
}

#[inline(always)]
fn tile_in<S: Simd, const INSIDE: bool, const DOUBLED: bool>(
    simd: S,
    input: Maps<'_>,
    (rows, columns): ([usize; TILE], [usize; TILE]),
    n: usize,
    to: &mut [f32],
    step: usize,
) {
    for channel in (0..n).step_by(S::F32_LANES) {
        let values = &input.values[channel..];
        let turned = [
            column_in::<S, INSIDE>(simd, values, &rows, columns[0]),
            column_in::<S, INSIDE>(simd, values, &rows, columns[1]),
            column_in::<S, INSIDE>(simd, values, &rows, columns[2]),
            column_in::<S, INSIDE>(simd, values, &rows, columns[3]),
            column_in::<S, INSIDE>(simd, values, &rows, columns[4]),
            column_in::<S, INSIDE>(simd, values, &rows, columns[5]),
        ];
        for y in 0..TILE {
            if DOUBLED && y == EMPTY {
                continue;
            }
            let [a, b, c, d, e, f] = &turned;
            let row = enter(simd, [a[y], b[y], c[y], d[y], e[y], f[y]]);
            for (x, value) in row.into_iter().enumerate() {
                if DOUBLED && x == EMPTY {
                    continue;
                }
                let at = (y * TILE + x) * step + channel;
                S::as_mut_simd_f32s(&mut to[at..at + S::F32_LANES]).0[0] = value;
            }
        }
    }
}

/// `B' d` of a column of a tile.
#[inline(always)]
fn column_in<S: Simd, const INSIDE: bool>(
    simd: S,
    values: &[f32],
    rows: &[usize; TILE],
    column: usize,
) -> [S::f32s; TILE] {
    let mut pixels = [simd.splat_f32s(0.0); TILE];
    for (pixel, &row) in pixels.iter_mut().zip(rows) {
        if INSIDE || (row != OUTSIDE && column != OUTSIDE) {
            *pixel = load(simd, &values[row + column..][..S::F32_LANES]);
        }
    }
    enter(simd, pixels)
}

/// Products of a place's tiles, `[tiles, n_in]`, with its weights.
struct Multiply<'a> {
    tiles: &'a [f32],
    n_in: usize,
    /// `[tiles, wide]`.
    products: &'a mut [f32],
    wide: usize,
}

impl Group for Multiply<'_> {
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indices of registers")]
    fn group<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        first: usize,
        column: usize,
        block: &[f32],
    ) {
        let rows = (&self.tiles[first * self.n_in..], self.n_in, self.n_in);
        let sums = add(simd, rows, block, [[simd.splat_f32s(0.0); V]; R]);
        for r in 0..R {
            let target = &mut self.products[(first + r) * self.wide + column..];
            let (target, _) = S::as_mut_simd_f32s(target);
            target[..V].copy_from_slice(&sums[r]);
        }
    }
}

/// Transforms products back into pixels: `A' m A`.
struct Leave<'a> {
    /// `[36, tiles, wide]`.
    products: &'a [f32],
    /// Numbers from one place to the next.
    step: usize,
    wide: usize,
    grid: Grid,
    doubled: bool,
    finish: Finish<'a>,
    width: usize,
    /// Whole rows of pixels.
    target: &'a mut [f32],
}

impl WithSimd for Leave<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.doubled {
            self.tiles::<S, true>(simd);
        } else {
            self.tiles::<S, false>(simd);
        }
    }
}

impl Leave<'_> {
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indices of registers")]
    fn tiles<S: Simd, const DOUBLED: bool>(self, simd: S) {
        let Grid { top, apart, .. } = self.grid;
        let (n, width) = (self.finish.n_out, self.width);
        let bottom = top + self.target.len() / (n * width);
        for tile in 0..self.grid.n_tiles {
            let [y_first, x_first] = self.grid.place(tile);
            let fits =
                |first: usize, end: usize| STEP.min(end.saturating_sub(first).div_ceil(apart));
            let (n_down, n_right) = (fits(y_first, bottom), fits(x_first, width));
            for channel in (0..n).step_by(S::F32_LANES) {
                let products = &self.products[tile * self.wide + channel..];
                let turned = [
                    column_out::<S, DOUBLED, 0>(simd, products, self.step),
                    column_out::<S, DOUBLED, 1>(simd, products, self.step),
                    column_out::<S, DOUBLED, 2>(simd, products, self.step),
                    column_out::<S, DOUBLED, 3>(simd, products, self.step),
                    column_out::<S, DOUBLED, 4>(simd, products, self.step),
                    column_out::<S, DOUBLED, 5>(simd, products, self.step),
                ];
                for y in 0..n_down {
                    let [a, b, c, d, e, f] = &turned;
                    let row = leave(simd, [a[y], b[y], c[y], d[y], e[y], f[y]]);
                    for x in 0..n_right {
                        let at = ((y_first + y * apart) * width + x_first + x * apart) * n;
                        let place = (at, top * width * n);
                        self.finish.store(simd, row[x], place, channel, self.target);
                    }
                }
            }
        }
    }
}

/// `A' m` of a column of a tile.
#[inline(always)]
fn column_out<S: Simd, const DOUBLED: bool, const X: usize>(
    simd: S,
    products: &[f32],
    step: usize,
) -> [S::f32s; STEP] {
    let mut places = [simd.splat_f32s(0.0); TILE];
    for (y, place) in places.iter_mut().enumerate() {
        if !DOUBLED || (X != EMPTY && y != EMPTY) {
            *place = load(simd, &products[(y * TILE + X) * step..][..S::F32_LANES]);
        }
    }
    leave(simd, places)
}

/// `B' d`.
#[inline(always)]
fn enter<S: Simd>(simd: S, d: [S::f32s; TILE]) -> [S::f32s; TILE] {
    let (two, four, five) = (
        simd.splat_f32s(2.0),
        simd.splat_f32s(4.0),
        simd.splat_f32s(5.0),
    );
    let less = |a, factor, b| simd.sub_f32s(a, simd.mul_f32s(factor, b));
    // d4 - 4 d2, d3 - 4 d1, d4 - d2, 2 (d3 - d1)
    let a = less(d[4], four, d[2]);
    let b = less(d[3], four, d[1]);
    let c = simd.sub_f32s(d[4], d[2]);
    let e = simd.mul_f32s(two, simd.sub_f32s(d[3], d[1]));
    [
        simd.mul_add_f32s(four, d[0], less(d[4], five, d[2])),
        simd.add_f32s(a, b),
        simd.sub_f32s(a, b),
        simd.add_f32s(c, e),
        simd.sub_f32s(c, e),
        simd.mul_add_f32s(four, d[1], less(d[5], five, d[3])),
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
        simd.mul_add_f32s(two, far_odd, odd),
        simd.mul_add_f32s(four, far_even, even),
        simd.mul_add_f32s(eight, far_odd, simd.add_f32s(odd, m[5])),
    ]
}
