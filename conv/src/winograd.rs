//! Convolution by Winograd's minimal filtering F(4x4, 3x3): 36 products where the definition has 144.
//!
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. Tiles of 6x6 pixels that overlap by two are
//! transformed, multiplied by the transformed weights at each of 36 places (a product of matrices over channels), and
//! transformed back into 4x4 pixels. In f32 the result is off by about 1e-5 of its size, in fixed point, of noise, by 3e-3.
//!
//! Taps that are apart make as many grids of pixels as they are apart each way, each with its own tiles. Of maps whose
//! pixels stand for 2x2, the third row and the third column of every transformed tile are 0.

use std::array;
use std::cell::RefCell;
use std::marker::PhantomData;

use aligned_vec::AVec;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::lane::Lane;
use crate::product::{Finish, Group, Packed, Sizes, WIDE, add, each_group, known, load};
use crate::rows::{Rows, RowsMut};
use crate::{Conv, TAPS, Way, grow};

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
/// What a number of `B' d` is at most, for each row of `B'`, where those of `d` are at most 1.
const GAINS: [f32; TILE] = [10.0, 10.0, 10.0, 6.0, 6.0, 10.0];

thread_local! {
    /// Tiles, products, and zeros.
    static TILES: RefCell<[AVec<f32>; 3]> = RefCell::new([0; 3].map(AVec::new));
}

/// Weights, transformed: a matrix for each place.
#[derive(Clone, Debug)]
pub(crate) struct Winograd<L> {
    places: Vec<Packed>,
    lane: PhantomData<L>,
}

impl<L: Lane> Winograd<L> {
    /// From weights `[n_out, n_in, 3, 3]`; `n_in` is a multiple of the lanes of a vector.
    pub(crate) fn new(weights: &[f32], n_in: usize, n_out: usize) -> Self {
        let transformed: Vec<[f32; PLACES]> = weights.chunks_exact(TAPS).map(square).collect();
        let matrix = |place| {
            Packed::new::<L>(n_in, n_out, |row, column| {
                transformed[column * n_in + row][place]
            })
        };
        Self {
            places: (0..PLACES).map(matrix).collect(),
            lane: PhantomData,
        }
    }
}

impl<L: Lane> Way for Winograd<L> {
    /// Convolves at stride 1.
    fn run(&self, conv: &Conv, input: Rows<'_>, finish: Finish<'_>, output: RowsMut<'_>) {
        let apart = conv.walk.dilation;
        let width = input.width << u32::from(conv.walk.doubled);
        let stride = width * conv.n_out;
        let (n_in, wide) = (conv.n_in / L::N, self.places[0].width);
        // Tiles of a row of each grid.
        let n_across = width.div_ceil(apart).div_ceil(STEP);
        let n_rows = N_TILES.div_ceil(n_across * apart * apart) * STEP * apart;
        let n_rows = n_rows.min(output.share().next_multiple_of(STEP * apart));
        let (first, min_bands) = (output.top, output.min_bands());
        let bands = output.values.par_chunks_mut(n_rows * stride);
        let bands = bands.zip(output.peaks.par_chunks_mut(n_rows));
        let bands = bands.with_min_len(min_bands).enumerate();
        bands.for_each(|(band, (target, peaks))| {
            let n_rows_here = peaks.len();
            // Rows of tiles, and how many of them are worked on at a time.
            let n_tile_rows = n_rows_here.div_ceil(STEP * apart) * apart * apart;
            let n_each = N_TILES.div_ceil(n_across).min(n_tile_rows);
            let top = first + band * n_rows;
            let seen = top..top + n_rows_here.next_multiple_of(STEP * apart);
            let scale = L::scale(|| input.largest(conv.walk.sees(seen, usize::MAX)));
            let scales: [f32; PLACES] =
                array::from_fn(|place| scale / (GAINS[place / TILE] * GAINS[place % TILE]));
            let mut sizes = [0.0; WIDE];
            TILES.with_borrow_mut(|[tiles, products, zeros]| {
                let (to_tiles, of_tile) = (n_each * n_across * n_in + GAP, PLACES * wide);
                grow(tiles, PLACES * to_tiles);
                grow(products, n_each * n_across * of_tile);
                grow(zeros, input.len);
                for first_row in (0..n_tile_rows).step_by(n_each) {
                    let grid = Grid {
                        top,
                        apart,
                        n_across,
                        first_row,
                        n_rows: n_each.min(n_tile_rows - first_row),
                    };
                    let n_tiles = grid.n_rows * n_across;
                    L::dispatch(Enter::<L> {
                        conv,
                        input,
                        grid,
                        zeros: &zeros[..input.len],
                        tiles,
                        step: to_tiles,
                        scales: &scales,
                        lane: PhantomData,
                    });
                    let places = self.places.iter().zip(tiles.chunks_exact(to_tiles));
                    for (place, (weights, tiles)) in places.enumerate() {
                        if conv.walk.doubled && (place / TILE == EMPTY || place % TILE == EMPTY) {
                            continue;
                        }
                        let multiply = Multiply::<L> {
                            tiles: &tiles[..n_tiles * n_in],
                            n_in,
                            weights,
                            scale: scales[place],
                            products: &mut products[..n_tiles * of_tile],
                            of_tile,
                            place,
                            lane: PhantomData,
                        };
                        each_group(n_tiles, weights, multiply);
                    }
                    Arch::new().dispatch(Leave::<L> {
                        products,
                        of_tile,
                        grid,
                        doubled: conv.walk.doubled,
                        finish,
                        width,
                        target: &mut *target,
                        sizes: &mut sizes,
                        lane: PhantomData,
                    });
                }
            });
            peaks.fill(sizes.into_iter().fold(0.0, f32::max));
        });
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

/// Where the tiles of a band lie: in rows, and those in bands of as many rows and columns of pixels as taps are apart.
#[derive(Clone, Copy)]
struct Grid {
    /// Row of the output that the band starts at.
    top: usize,
    /// Pixels from one of a tile's to the next.
    apart: usize,
    /// Tiles of a row of each grid of such pixels.
    n_across: usize,
    /// The row of tiles that is worked on first.
    first_row: usize,
    /// Rows of tiles that are.
    n_rows: usize,
}

impl Grid {
    /// Row and column in the output of the first pixel of the first tile of a row that is worked on. Those further right
    /// follow `step` apart.
    #[inline(always)]
    fn row(&self, idx: usize) -> [usize; 2] {
        let row = self.first_row + idx;
        let (row, left) = (row / self.apart, row % self.apart);
        let (row, top) = (row / self.apart, row % self.apart);
        [self.top + row * self.step() + top, left]
    }

    /// Pixels from one tile to the next.
    #[inline(always)]
    fn step(&self) -> usize {
        STEP * self.apart
    }
}

/// Transforms tiles, `B' d B`, into `[36, tiles, n_in]`.
struct Enter<'a, L> {
    conv: &'a Conv,
    input: Rows<'a>,
    grid: Grid,
    /// As many as a row of the input has numbers.
    zeros: &'a [f32],
    tiles: &'a mut [f32],
    /// Lanes from one place to the next.
    step: usize,
    /// Of the numbers of each place.
    scales: &'a [f32; PLACES],
    lane: PhantomData<L>,
}

impl<L: Lane> WithSimd for Enter<'_, L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.conv.walk.doubled {
            self.tiles::<S, true>(simd);
        } else {
            self.tiles::<S, false>(simd);
        }
    }
}

impl<L: Lane> Enter<'_, L> {
    #[inline(always)]
    fn tiles<S: Simd, const DOUBLED: bool>(self, simd: S) {
        let (
            n,
            Grid {
                apart, n_across, ..
            },
        ) = (self.conv.n_in, self.grid);
        let halving = u32::from(DOUBLED);
        for idx in 0..self.grid.n_rows {
            let [top, left] = self.grid.row(idx);
            // A tile starts one tap before its result.
            let mut lines = [self.zeros; TILE];
            for (i, line) in lines.iter_mut().enumerate() {
                let row = (top + i * apart).checked_sub(apart);
                if let Some(row) = row.and_then(|row| self.input.get(row >> halving)) {
                    *line = row;
                }
            }
            for channel in (0..n).step_by(S::F32_LANES) {
                let row = Row {
                    lines,
                    apart,
                    width: self.input.width << halving,
                    n,
                    channel,
                };
                // Tiles overlap by two columns.
                let mut a = row.column::<S, DOUBLED>(simd, left, 0);
                let mut b = row.column::<S, DOUBLED>(simd, left, 1);
                for across in 0..n_across {
                    let left = left + across * self.grid.step();
                    let (c, d, e);
                    if DOUBLED {
                        // The first two pixels of a result are one, as are the last two.
                        c = b;
                        d = row.column::<S, DOUBLED>(simd, left, 3);
                        e = d;
                    } else {
                        c = row.column::<S, DOUBLED>(simd, left, 2);
                        d = row.column::<S, DOUBLED>(simd, left, 3);
                        e = row.column::<S, DOUBLED>(simd, left, 4);
                    }
                    let f = row.column::<S, DOUBLED>(simd, left, 5);
                    let at = ((idx * n_across + across) * n + channel) / L::N;
                    let to = (&mut self.tiles[at..], self.step);
                    let columns = [a, b, c, d, e, f];
                    tile_in::<L, S, DOUBLED>(simd, &columns, self.scales, to);
                    (a, b) = (e, f);
                }
            }
        }
    }
}

/// Pixels that a row of tiles sees, of a vector of channels.
struct Row<'a> {
    /// Rows of pixels.
    lines: [&'a [f32]; TILE],
    /// Pixels from one of a tile's to the next.
    apart: usize,
    /// Pixels of a row.
    width: usize,
    n: usize,
    channel: usize,
}

impl Row<'_> {
    /// `B' d` of a column of the tile whose result starts at `left`; zeros where it lies outside.
    #[inline(always)]
    fn column<S: Simd, const DOUBLED: bool>(
        &self,
        simd: S,
        left: usize,
        idx: usize,
    ) -> [S::f32s; TILE] {
        let mut pixels = [simd.splat_f32s(0.0); TILE];
        let x = (left + idx * self.apart).wrapping_sub(self.apart);
        if x < self.width {
            let at = (x >> u32::from(DOUBLED)) * self.n + self.channel;
            for (pixel, line) in pixels.iter_mut().zip(&self.lines) {
                *pixel = load(simd, &line[at..at + S::F32_LANES]);
            }
        }
        enter(simd, pixels)
    }
}

/// The rest of `B' d B`, from its columns.
#[inline(always)]
fn tile_in<L: Lane, S: Simd, const DOUBLED: bool>(
    simd: S,
    columns: &[[S::f32s; TILE]; TILE],
    scales: &[f32; PLACES],
    (to, step): (&mut [f32], usize),
) {
    let [a, b, c, d, e, f] = columns;
    for y in 0..TILE {
        if DOUBLED && y == EMPTY {
            continue;
        }
        let row = enter(simd, [a[y], b[y], c[y], d[y], e[y], f[y]]);
        for (x, value) in row.into_iter().enumerate() {
            if DOUBLED && x == EMPTY {
                continue;
            }
            let place = y * TILE + x;
            let to = &mut to[place * step..][..S::F32_LANES / L::N];
            L::keep(simd, value, scales[place], to);
        }
    }
}

/// Products of a place's tiles, `[tiles, n_in]`, with its weights.
struct Multiply<'a, L> {
    tiles: &'a [f32],
    /// Lanes of a tile.
    n_in: usize,
    weights: &'a Packed,
    /// What the tiles were kept times.
    scale: f32,
    /// `[tiles, columns / 16, 36, 16]`.
    products: &'a mut [f32],
    /// Products of a tile.
    of_tile: usize,
    place: usize,
    lane: PhantomData<L>,
}

impl<L: Lane> Group for Multiply<'_, L> {
    type Lane = L;

    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indices of registers")]
    fn group<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        first: usize,
        column: usize,
        block: &[f32],
    ) {
        let (n, zeros) = (self.n_in, [[simd.splat_f32s(0.0); V]; R]);
        let rows = &self.tiles[first * n..][..R * n];
        // So rows are found from one register.
        let sums = known(
            n,
            #[inline(always)]
            |n| add::<L, S, R, V>(simd, (rows, n, n), block, zeros),
        );
        for r in 0..R {
            let tile = &mut self.products[(first + r) * self.of_tile..][..self.of_tile];
            for v in 0..V {
                let column = column + v * S::F32_LANES;
                let at = PLACES * (column - column % WIDE) + self.place * WIDE + column % WIDE;
                let target = S::as_mut_simd_f32s(&mut tile[at..at + S::F32_LANES]).0;
                target[0] = (self.weights).numbers::<L, S>(simd, sums[r][v], self.scale, column);
            }
        }
    }
}

/// Transforms products back into pixels: `A' m A`.
struct Leave<'a, L> {
    /// `[tiles, columns / 16, 36, 16]`.
    products: &'a [f32],
    /// Products of a tile.
    of_tile: usize,
    grid: Grid,
    doubled: bool,
    finish: Finish<'a>,
    width: usize,
    /// Whole rows of pixels.
    target: &'a mut [f32],
    /// The largest sizes of what was written.
    sizes: &'a mut [f32; WIDE],
    lane: PhantomData<L>,
}

impl<L: Lane> WithSimd for Leave<'_, L> {
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

impl<L: Lane> Leave<'_, L> {
    #[inline(always)]
    fn tiles<S: Simd, const DOUBLED: bool>(mut self, simd: S) {
        let Grid {
            top,
            apart,
            n_across,
            ..
        } = self.grid;
        let (n, width) = (self.finish.n_out, self.width);
        let bottom = top + self.target.len() / (n * width);
        let mut sizes = Sizes::load(simd, self.sizes);
        let fits = |first: usize, end: usize| STEP.min(end.saturating_sub(first).div_ceil(apart));
        for idx in 0..self.grid.n_rows {
            let [y_first, left] = self.grid.row(idx);
            let n_down = fits(y_first, bottom);
            for across in 0..n_across {
                let x_first = left + across * self.grid.step();
                let n_right = fits(x_first, width);
                let tile = &self.products[(idx * n_across + across) * self.of_tile..];
                for channel in (0..n).step_by(S::F32_LANES) {
                    let at = PLACES * (channel - channel % WIDE) + channel % WIDE;
                    let products = &tile[at..][..(PLACES - 1) * WIDE + S::F32_LANES];
                    let turned = [
                        column_out::<S, DOUBLED, 0>(simd, products),
                        column_out::<S, DOUBLED, 1>(simd, products),
                        column_out::<S, DOUBLED, 2>(simd, products),
                        column_out::<S, DOUBLED, 3>(simd, products),
                        column_out::<S, DOUBLED, 4>(simd, products),
                        column_out::<S, DOUBLED, 5>(simd, products),
                    ];
                    let part = Part {
                        y_first,
                        n_down,
                        x_first,
                        n_right,
                        channel,
                    };
                    self.row_out::<S, 0>(simd, &turned, &part, &mut sizes);
                    self.row_out::<S, 1>(simd, &turned, &part, &mut sizes);
                    self.row_out::<S, 2>(simd, &turned, &part, &mut sizes);
                    self.row_out::<S, 3>(simd, &turned, &part, &mut sizes);
                }
            }
        }
        sizes.store(self.sizes);
    }

    /// The rest of `A' m A`, from its columns: a row of pixels.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indices of registers")]
    fn row_out<S: Simd, const Y: usize>(
        &mut self,
        simd: S,
        columns: &[[S::f32s; STEP]; TILE],
        part: &Part,
        sizes: &mut Sizes<L, S>,
    ) {
        if Y >= part.n_down {
            return;
        }
        let [a, b, c, d, e, f] = columns;
        let row = leave(simd, [a[Y], b[Y], c[Y], d[Y], e[Y], f[Y]]);
        let (n, apart) = (self.finish.n_out, self.grid.apart);
        let start = (part.y_first + Y * apart) * self.width + part.x_first;
        for x in 0..STEP {
            // Bounds that are known keep vectors in registers.
            if x < part.n_right {
                let place = ((start + x * apart) * n, self.grid.top * self.width * n);
                let (finish, channel) = (self.finish, part.channel);
                sizes.see(
                    simd,
                    finish.store(simd, row[x], place, channel, self.target),
                );
            }
        }
    }
}

/// A tile's result, as far as it lies in the picture, and the first channel of a vector.
struct Part {
    y_first: usize,
    n_down: usize,
    x_first: usize,
    n_right: usize,
    channel: usize,
}

/// `A' m` of a column of a tile.
#[inline(always)]
fn column_out<S: Simd, const DOUBLED: bool, const X: usize>(
    simd: S,
    products: &[f32],
) -> [S::f32s; STEP] {
    let mut places = [simd.splat_f32s(0.0); TILE];
    for (y, place) in places.iter_mut().enumerate() {
        if !DOUBLED || (X != EMPTY && y != EMPTY) {
            *place = load(simd, &products[(y * TILE + X) * WIDE..][..S::F32_LANES]);
        }
    }
    leave(simd, places)
}

/// `B' d`.
#[inline(always)]
fn enter<S: Simd>(simd: S, d: [S::f32s; TILE]) -> [S::f32s; TILE] {
    let [two, four] = [2.0, 4.0].map(|factor| simd.splat_f32s(factor));
    let [less_two, less_four, less_five] = [-2.0, -4.0, -5.0].map(|factor| simd.splat_f32s(factor));
    // d4 - 4 d2, d3 - 4 d1, d4 - d2, d3 - d1
    let a = simd.mul_add_f32s(less_four, d[2], d[4]);
    let b = simd.mul_add_f32s(less_four, d[1], d[3]);
    let c = simd.sub_f32s(d[4], d[2]);
    let e = simd.sub_f32s(d[3], d[1]);
    [
        simd.mul_add_f32s(four, d[0], simd.mul_add_f32s(less_five, d[2], d[4])),
        simd.add_f32s(a, b),
        simd.sub_f32s(a, b),
        simd.mul_add_f32s(two, e, c),
        simd.mul_add_f32s(less_two, e, c),
        simd.mul_add_f32s(four, d[1], simd.mul_add_f32s(less_five, d[3], d[5])),
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
