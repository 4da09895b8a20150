//! Convolution by Winograd's minimal filtering F(4x4, 3x3): 36 products where the definition has 144.
//!
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. Tiles of 6x6 pixels that overlap by two are
//! transformed, multiplied by the transformed weights at each of 36 places (a product of matrices over channels), and
//! transformed back into 4x4 pixels. In f32 the result is off by about 1e-5 of its size, in fixed point, of noise, by 3e-3.
//!
//! Taps that are apart make as many grids of pixels as they are apart each way, each with its own tiles. Of maps whose
//! pixels stand for 2x2, the third row and the third column of every transformed tile are 0.

mod enter;
mod leave;

use std::array;
use std::cell::RefCell;
use std::marker::PhantomData;

use aligned_vec::AVec;
use pulp::{Arch, Simd};
use rayon::prelude::*;

use self::enter::Enter;
use self::leave::Leave;
use crate::lane::Lane;
use crate::product::{Finish, Group, Packed, WIDE, add, each_group, known, note};
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
            note::<L>(sizes, peaks);
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
