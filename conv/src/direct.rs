//! Convolution tap by tap.

use std::cell::RefCell;

use pulp::Simd;
use rayon::prelude::*;

use crate::product::{Finish, Group, Packed, add, each_group};
use crate::{Conv, Maps, SIDE, TAPS, share};

/// Pixels that a thread makes at a time, fewer where there is not enough to do for all.
const N_PIXELS: usize = 4096;

thread_local! {
    static ROWS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Weights `[9 * n_in, n_out]`.
#[derive(Clone, Debug)]
pub(crate) struct Direct(Packed);

impl Direct {
    /// From weights `[n_out, n_in, 3, 3]`.
    pub(crate) fn new(weights: &[f32], n_in: usize, n_out: usize) -> Self {
        let at = |row, column| weights[(column * n_in + row % n_in) * TAPS + row / n_in];
        Self(Packed::new(TAPS * n_in, n_out, at))
    }

    /// Convolves.
    pub(crate) fn run(&self, conv: &Conv, input: Maps<'_>, finish: Finish<'_>, output: &mut [f32]) {
        let (walk, n_in) = (conv.walk, conv.n_in);
        let [height, width] = walk.size([input.height, input.width]);
        let out_stride = width * conv.n_out;
        let border = walk.dilation;
        let stride = (input.width + 2 * border) * n_in;
        let n_rows = N_PIXELS.div_ceil(width).min(share(height));
        let bands = output.par_chunks_mut(n_rows * out_stride).enumerate();
        bands.for_each(|(band, target)| {
            let top = band * n_rows;
            let n_rows = target.len() / out_stride;
            ROWS.with_borrow_mut(|rows| {
                // The rows that the band sees, with zeros round them.
                rows.clear();
                for y in top * walk.stride..(top + n_rows - 1) * walk.stride + 2 * border + 1 {
                    let (row, start) = (y.wrapping_sub(border), rows.len());
                    if row < input.height {
                        rows.resize(start + border * n_in, 0.0);
                        let values = &input.values[row * input.width * n_in..];
                        rows.extend_from_slice(&values[..input.width * n_in]);
                    }
                    rows.resize(start + stride, 0.0);
                }
                for y in 0..n_rows {
                    let row = Row {
                        rows: &rows[y * walk.stride * stride..],
                        stride,
                        dilation: walk.dilation,
                        step: walk.stride * n_in,
                        n_in,
                        block: self.0.block,
                        finish,
                        at: (top + y) * out_stride,
                        target: &mut target[y * out_stride..][..out_stride],
                    };
                    each_group(width, &self.0, row);
                }
            });
        });
    }
}

/// A row of the output.
struct Row<'a> {
    /// From the row of the uppermost taps on, with zeros round them.
    rows: &'a [f32],
    /// Numbers of a row.
    stride: usize,
    dilation: usize,
    /// Numbers from one place to the next.
    step: usize,
    n_in: usize,
    /// Columns of a block of weights.
    block: usize,
    finish: Finish<'a>,
    /// Where in the whole output it starts.
    at: usize,
    target: &'a mut [f32],
}

impl Group for Row<'_> {
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indices of registers")]
    fn group<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        first: usize,
        column: usize,
        block: &[f32],
    ) {
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        // Neighbouring taps of a row follow each other in memory.
        let n_taps = if self.dilation == 1 { SIDE } else { 1 };
        let n = n_taps * self.n_in;
        let runs = block.chunks_exact(n * self.block);
        for (run, weights) in runs.enumerate() {
            let [y, x] = [run * n_taps / SIDE, run * n_taps % SIDE];
            let start = self.dilation * (y * self.stride + x * self.n_in) + first * self.step;
            sums = add(simd, (&self.rows[start..], self.step, n), weights, sums);
        }
        for r in 0..R {
            let at = self.at + (first + r) * self.finish.n_out;
            for v in 0..V {
                let channel = column + v * S::F32_LANES;
                if channel < self.finish.n_out {
                    let place = (at, self.at);
                    self.finish
                        .store(simd, sums[r][v], place, channel, self.target);
                }
            }
        }
    }
}
