//! Convolution tap by tap.

use std::cell::RefCell;
use std::marker::PhantomData;

use aligned_vec::AVec;
use pulp::Simd;
use rayon::prelude::*;

use crate::lane::Lane;
use crate::product::{
    Finish, Group, Packed, Sizes, WIDE, add, add_pairs, each_group, joined, known, n_lanes, note,
};
use crate::rows::{Rows, RowsMut};
use crate::{Conv, SIDE, TAPS, Way, grow};

/// Pixels that a thread makes at a time, fewer where there is not enough to do for all.
const N_PIXELS: usize = 4096;

thread_local! {
    static ROWS: RefCell<AVec<f32>> = RefCell::new(AVec::new(0));
}

/// Weights for each row that is made from a place, `[tap rows * taps of a row * n_in, columns]`.
///
/// Of maps whose pixels stand for 2x2, a place gives two rows of two pixels. Each row sees two rows of pixels, and its
/// two pixels are the columns: six taps instead of the nine that the definition has for each. Where each pixel has a
/// vector of columns of its own, this sees the four pixels that it depends on.
#[derive(Clone, Debug)]
pub(crate) struct Direct<L> {
    kernels: Vec<Packed>,
    /// Numbers that a place gives in a row.
    n_columns: usize,
    /// Pixels of a row that each vector of columns sees.
    n_taps: usize,
    /// Whether a pixel gives so few numbers that a vector holds their columns for two lanes of the input.
    in_pairs: bool,
    lane: PhantomData<L>,
}

impl<L: Lane> Direct<L> {
    /// From weights `[n_out, n_in, 3, 3]`; `n_in` is a multiple of the numbers in a lane.
    pub(crate) fn new(weights: &[f32], [n_in, n_out]: [usize; 2], doubled: bool) -> Self {
        let kernel = |row: usize, out: usize| &weights[(out * n_in + row % n_in) * TAPS..][..TAPS];
        let n_columns = if doubled { 2 * n_out } else { n_out };
        let in_pairs = [n_lanes(), 2 * n_out] == [WIDE; 2] && n_in.is_multiple_of(2 * L::N);
        let n_taps = if doubled && in_pairs { 2 } else { SIDE };
        let packed = |n_rows: usize, at: &dyn Fn(usize, usize) -> f32| {
            if in_pairs {
                let pair = |row: usize, column: usize| {
                    let lane = 2 * (row / L::N) + column % 2;
                    at(lane * L::N + row % L::N, column / 2)
                };
                Packed::new::<L>(n_rows / 2, 2 * n_columns, pair)
            } else {
                Packed::new::<L>(n_rows, n_columns, at)
            }
        };
        let kernels = if doubled {
            let of_row = |below: usize| {
                packed(2 * n_taps * n_in, &|row, column| {
                    let kernel = kernel(row, column % n_out);
                    let right = column / n_out;
                    let [y, mut x] = [row / n_in / n_taps + below, row / n_in % n_taps];
                    if in_pairs {
                        x += right;
                    }
                    let taps = kernel.iter().enumerate();
                    // A pixel further on may be the other half of the same pixel.
                    let meets = |tap: usize| {
                        (below + tap / SIDE).div_ceil(2) == y
                            && (right + tap % SIDE).div_ceil(2) == x
                    };
                    let met = taps.filter(|&(tap, _)| meets(tap));
                    met.map(|(_, weight)| weight).sum()
                })
            };
            vec![of_row(0), of_row(1)]
        } else {
            vec![packed(TAPS * n_in, &|row, column| {
                kernel(row, column)[row / n_in]
            })]
        };
        Self {
            kernels,
            n_columns,
            n_taps,
            in_pairs,
            lane: PhantomData,
        }
    }
}

impl<L: Lane> Way for Direct<L> {
    fn run(&self, conv: &Conv, input: Rows<'_>, finish: Finish<'_>, output: RowsMut<'_>) {
        let (walk, n_in) = (conv.walk, conv.n_in / L::N);
        let width = input.width.div_ceil(walk.stride);
        let finish = Finish {
            n_out: self.n_columns,
            in_order: self.kernels[0].block == self.kernels[0].width,
            ..finish
        };
        let out_stride = width * self.n_columns;
        let n_below = self.kernels.len();
        let border = walk.dilation;
        let stride = (input.width + 2 * border) * n_in;
        let n_rows = N_PIXELS
            .div_ceil(width)
            .min(output.share().div_ceil(n_below));
        let (first, min_bands) = (output.top / n_below, output.min_bands());
        let bands = output.values.par_chunks_mut(n_rows * n_below * out_stride);
        let bands = bands.zip(output.peaks.par_chunks_mut(n_rows * n_below));
        let bands = bands.with_min_len(min_bands).enumerate();
        bands.for_each(|(band, (target, peaks))| {
            let top = first + band * n_rows;
            let n_rows = peaks.len() / n_below;
            ROWS.with_borrow_mut(|rows| {
                // The rows that the band sees, with zeros round them.
                let seen = top * walk.stride..(top + n_rows - 1) * walk.stride + 2 * border + 1;
                let scale = L::scale(|| {
                    let [first, end] = [seen.start, seen.end].map(|y| y.saturating_sub(border));
                    input.largest(first..end)
                });
                grow(rows, seen.len() * stride);
                for (y, target) in seen.zip(rows.chunks_exact_mut(stride)) {
                    let Some(values) = input.get(y.wrapping_sub(border)) else {
                        target.fill(0.0);
                        continue;
                    };
                    let (left, target) = target.split_at_mut(border * n_in);
                    let (target, right) = target.split_at_mut(input.width * n_in);
                    left.fill(0.0);
                    L::keep_row(values, scale, target);
                    right.fill(0.0);
                }
                let mut sizes = [0.0; WIDE];
                for (idx, target) in target.chunks_exact_mut(out_stride).enumerate() {
                    let [y, below] = [idx / n_below, idx % n_below];
                    let weights = &self.kernels[below];
                    let row = Row {
                        rows: &rows[(y * walk.stride + below) * stride..],
                        stride,
                        dilation: walk.dilation,
                        step: walk.stride * n_in,
                        n_in,
                        n_taps: self.n_taps,
                        weights,
                        scale,
                        finish,
                        at: (top * n_below + idx) * out_stride,
                        target,
                        sizes: &mut sizes,
                        lane: PhantomData::<L>,
                    };
                    if self.in_pairs {
                        each_group(width, weights, InPairs(row));
                    } else {
                        each_group(width, weights, row);
                    }
                }
                note::<L>(sizes, peaks);
            });
        });
    }
}

/// A row of the output.
struct Row<'a, L> {
    /// From the row of the uppermost taps on, with zeros round them.
    rows: &'a [f32],
    /// Lanes of a row.
    stride: usize,
    dilation: usize,
    /// Lanes from one place to the next.
    step: usize,
    /// Lanes of a pixel.
    n_in: usize,
    /// Pixels of a row that each vector of columns sees.
    n_taps: usize,
    weights: &'a Packed,
    /// What the rows were kept times.
    scale: f32,
    finish: Finish<'a>,
    /// Where in the whole output it starts.
    at: usize,
    target: &'a mut [f32],
    /// The largest sizes of what was written.
    sizes: &'a mut [f32; WIDE],
    lane: PhantomData<L>,
}

impl<L: Lane> Row<'_, L> {
    /// What `add` makes of the places from `first` on: it adds products of lanes that follow each other in memory (those
    /// of the first place and all after them, lanes from one place to the next, how many of each) with their weights (of
    /// which there are `n_each` for a lane) to sums.
    #[inline(always)]
    fn sums<T>(
        &self,
        first: usize,
        (block, n_each): (&[f32], usize),
        mut sums: T,
        add: impl Fn((&[f32], usize, usize), &[f32], T) -> T,
    ) -> T {
        let n_taps = if self.dilation == 1 { self.n_taps } else { 1 };
        let (step, n) = (self.step, n_taps * self.n_in);
        for (run, weights) in block.chunks_exact(n * n_each).enumerate() {
            let [y, x] = match self.dilation {
                1 => [run, 0],
                _ => [run / SIDE, run % SIDE],
            };
            let start = self.dilation * (y * self.stride + x * self.n_in) + first * step;
            let rows = &self.rows[start..];
            // So places are found from one register, and checked at once.
            sums = known(
                step,
                #[inline(always)]
                |step| add((rows, step, n), weights, sums),
            );
        }
        sums
    }

    /// Where a place starts in the whole output, and where this row does.
    #[inline(always)]
    fn at(&self, place: usize) -> (usize, usize) {
        (self.at + place * self.finish.n_out, self.at)
    }

    /// Sums of a vector of columns as numbers.
    #[inline(always)]
    fn numbers<S: Simd>(&self, simd: S, sums: S::f32s, column: usize) -> S::f32s {
        self.weights.numbers::<L, S>(simd, sums, self.scale, column)
    }
}

impl<L: Lane> Group for Row<'_, L> {
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
        let zeros = [[simd.splat_f32s(0.0); V]; R];
        let sums = self.sums(
            first,
            (block, self.weights.block),
            zeros,
            #[inline(always)]
            |rows, weights, sums| add::<L, S, R, V>(simd, rows, weights, sums),
        );
        let mut sizes = Sizes::<L, S>::load(simd, self.sizes);
        for r in 0..R {
            for v in 0..V {
                let channel = column + v * S::F32_LANES;
                if channel < self.finish.n_out {
                    let at = self.at(first + r);
                    let value = self.numbers(simd, sums[r][v], channel);
                    sizes.see(
                        simd,
                        self.finish.store(simd, value, at, channel, self.target),
                    );
                }
            }
        }
        sizes.store(self.sizes);
    }
}

/// A row of the output whose weights are in pairs.
struct InPairs<'a, L>(Row<'a, L>);

impl<L: Lane> Group for InPairs<'_, L> {
    type Lane = L;

    #[inline(always)]
    fn group<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        first: usize,
        _: usize,
        block: &[f32],
    ) {
        let row = &mut self.0;
        let n_each = row.weights.block / 2;
        let zeros = [[simd.splat_f32s(0.0); V]; R];
        let mut sums = row.sums(
            first,
            (block, n_each),
            zeros,
            #[inline(always)]
            |rows, weights, sums| add_pairs::<L, S, R, V>(simd, rows, weights, sums),
        );
        for sums in &mut sums {
            for (v, sums) in sums.iter_mut().enumerate() {
                *sums = row.numbers(simd, *sums, v * S::F32_LANES);
            }
        }
        let mut sizes = Sizes::<L, S>::load(simd, row.sizes);
        // Two sums fill a vector.
        let n_half = row.finish.n_out / V;
        for half in 0..(R * V).div_ceil(2) {
            let [one, other] = [2 * half, (2 * half + 1).min(R * V - 1)];
            let n = other - one + 1;
            let sum = joined(simd, sums[one / V][one % V], sums[other / V][other % V]);
            let (place, start) = row.at(first);
            let at = (place + one * n_half, start);
            let finish = row.finish;
            sizes.see(
                simd,
                finish.store_some(simd, sum, at, 0..n * n_half, row.target),
            );
        }
        sizes.store(row.sizes);
    }
}
