//! Products of matrices: rows of numbers, each by the same weights.

use std::marker::PhantomData;
use std::ops::Range;

use aligned_vec::AVec;
use pulp::{Arch, Simd, WithSimd};

use crate::Then;
use crate::lane::Lane;

/// Numbers that widths of packed weights are multiples of: the widest vectors there are.
pub(crate) const WIDE: usize = 16;

/// How many f32 a vector of this processor holds.
pub(crate) fn n_lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    Arch::new().dispatch(Lanes)
}

/// Weights `[n_in, n_out]` in lanes, cut into blocks of columns that fit the registers together with the sums of some rows.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    /// Columns of a block.
    pub block: usize,
    /// Columns, rounded up to whole blocks.
    pub width: usize,
    /// Rows of lanes.
    n_in: usize,
    /// `[width / block, n_in, block]`.
    values: AVec<f32>,
    /// Of the sums of each column.
    factors: AVec<f32>,
}

impl Packed {
    /// From weights `at(row, column)`. `n_in` is a multiple of the numbers in a lane.
    pub(crate) fn new<L: Lane>(
        n_in: usize,
        n_out: usize,
        at: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let width = wide(n_out);
        let is_whole = |block: &usize| width.is_multiple_of(*block);
        // Vectors of 16 numbers come with twice as many registers as those of 8.
        let blocks: &[usize] = match n_lanes() {
            16 => &[64, 32],
            _ => &[],
        };
        let block = blocks.iter().copied().find(is_whole).unwrap_or(WIDE);
        let scale = |column| L::weight_scale((0..n_in).map(|row| at(row, column)));
        let mut scales: Vec<f32> = (0..n_out).map(scale).collect();
        scales.resize(width, 1.0);
        let n_lanes = n_in / L::N;
        let mut values = AVec::with_capacity(0, n_lanes * width);
        let mut lane = vec![0.0; L::N];
        for first in (0..width).step_by(block) {
            for row in (0..n_in).step_by(L::N) {
                for (column, scale) in (first..first + block).zip(&scales[first..]) {
                    let is_there = column < n_out;
                    for (idx, value) in lane.iter_mut().enumerate() {
                        *value = if is_there {
                            at(row + idx, column) * scale
                        } else {
                            0.0
                        };
                    }
                    values.push(L::pack(&lane));
                }
            }
        }
        let factors = scales.into_iter().map(f32::recip);
        Self {
            block,
            width,
            n_in: n_lanes,
            values,
            factors: AVec::from_iter(0, factors),
        }
    }

    /// The sums of a vector of columns from `column` on, as numbers: those of rows were kept times `scale`.
    #[inline(always)]
    pub(crate) fn numbers<L: Lane, S: Simd>(
        &self,
        simd: S,
        sums: S::f32s,
        scale: f32,
        column: usize,
    ) -> S::f32s {
        L::numbers(
            simd,
            sums,
            scale.recip(),
            &self.factors[column..column + S::F32_LANES],
        )
    }

    /// Blocks with their first columns.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let blocks = self.values.chunks_exact(self.n_in * self.block);
        blocks
            .enumerate()
            .map(|(idx, block)| (idx * self.block, block))
    }
}

/// What is done with some rows and a block of columns.
pub(crate) trait Group {
    /// What is multiplied.
    type Lane: Lane;

    /// Takes `R` rows from `first` on, and the block `[row length, V vectors]` that starts at `column`.
    fn group<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        first: usize,
        column: usize,
        block: &[f32],
    );
}

/// Goes through rows and blocks, so many rows at a time that their sums with a block fill the registers.
pub(crate) fn each_group<G: Group>(n_rows: usize, weights: &Packed, work: G) {
    G::Lane::dispatch(Each {
        n_rows,
        weights,
        work,
    });
}

struct Each<'a, G> {
    n_rows: usize,
    weights: &'a Packed,
    work: G,
}

impl<G: Group> WithSimd for Each<'_, G> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (n_rows, mut work) = (self.n_rows, self.work);
        for (column, block) in self.weights.blocks() {
            let work = &mut work;
            // Vectors of 16 numbers come with 32 registers, those of 8 with 16.
            match (S::F32_LANES, self.weights.block) {
                (16, 64) => each_row::<S, 6, 4>(simd, n_rows, column, block, work),
                (16, 32) => each_row::<S, 8, 2>(simd, n_rows, column, block, work),
                (16, _) => each_row::<S, 12, 1>(simd, n_rows, column, block, work),
                (8, _) => each_row::<S, 6, 2>(simd, n_rows, column, block, work),
                (4, _) => each_row::<S, 4, 4>(simd, n_rows, column, block, work),
                (2, _) => each_row::<S, 1, 8>(simd, n_rows, column, block, work),
                _ => each_row::<S, 1, 16>(simd, n_rows, column, block, work),
            }
        }
    }
}

#[inline(always)]
fn each_row<S: Simd, const R: usize, const V: usize>(
    simd: S,
    n_rows: usize,
    column: usize,
    block: &[f32],
    work: &mut impl Group,
) {
    let mut row = 0;
    while row + R <= n_rows {
        work.group::<S, R, V>(simd, row, column, block);
        row += R;
    }
    while row + 2 <= n_rows {
        work.group::<S, 2, V>(simd, row, column, block);
        row += 2;
    }
    if row < n_rows {
        work.group::<S, 1, V>(simd, row, column, block);
    }
}

/// Does work with a number, which the compiler knows where it is one of many networks'.
#[inline(always)]
pub(crate) fn known<T>(n: usize, work: impl FnOnce(usize) -> T) -> T {
    match n {
        4 => work(4),
        6 => work(6),
        8 => work(8),
        12 => work(12),
        16 => work(16),
        32 => work(32),
        64 => work(64),
        n => work(n),
    }
}

/// Adds products of `R` rows of `n` lanes, which start `step` apart, with a block `[n, V vectors]` to sums.
#[inline(always)]
pub(crate) fn add<L: Lane, S: Simd, const R: usize, const V: usize>(
    simd: S,
    (rows, step, n): (&[f32], usize, usize),
    block: &[f32],
    mut sums: [[S::f32s; V]; R],
) -> [[S::f32s; V]; R] {
    let last = (R - 1) * step;
    let (vectors, _) = S::as_simd_f32s(block);
    let lanes = rows[..last + n].windows(last + 1);
    for (lanes, weights) in lanes.zip(vectors.chunks_exact(V)) {
        for r in 0..R {
            let value = simd.splat_f32s(lanes[r * step]);
            for v in 0..V {
                sums[r][v] = L::multiply_add(simd, value, weights[v], sums[r][v]);
            }
        }
    }
    sums
}

/// Adds products of pairs of lanes of `R` rows with a block `[n / 2, V vectors]` to sums: those of the first lane of a
/// pair in even lanes, those of the second in odd ones. Each vector of a row sees lanes `step` further on.
#[inline(always)]
pub(crate) fn add_pairs<L: Lane, S: Simd, const R: usize, const V: usize>(
    simd: S,
    (rows, step, n): (&[f32], usize, usize),
    block: &[f32],
    mut sums: [[S::f32s; V]; R],
) -> [[S::f32s; V]; R] {
    let last = (R + V - 2) * step;
    let (pairs, _) = rows[..last + n].as_chunks::<2>();
    let (vectors, _) = S::as_simd_f32s(block);
    for (pairs, weights) in pairs.windows(last / 2 + 1).zip(vectors.chunks_exact(V)) {
        for r in 0..R {
            for v in 0..V {
                // As one number of 64 bits, which is loaded into all lanes at once.
                let [first, second] =
                    pairs[(r + v) * step / 2].map(|value| u64::from(value.to_bits()));
                let pair = simd.splat_f64s(f64::from_bits(second << 32 | first));
                sums[r][v] = L::multiply_add(simd, bytemuck::cast(pair), weights[v], sums[r][v]);
            }
        }
    }
    sums
}

/// The sums of the pairs of lanes of two vectors, one after the other.
#[inline(always)]
pub(crate) fn joined<S: Simd>(_: S, first: S::f32s, second: S::f32s) -> S::f32s {
    let mut sums = [0.0; 2 * WIDE];
    let lanes = S::F32_LANES;
    S::as_mut_simd_f32s(&mut sums[..lanes]).0[0] = first;
    S::as_mut_simd_f32s(&mut sums[lanes..2 * lanes]).0[0] = second;
    let mut joined = [0.0; WIDE];
    for i in 0..lanes {
        joined[i] = sums[2 * i] + sums[2 * i + 1];
    }
    S::as_simd_f32s(&joined[..lanes]).0[0]
}

/// The largest size of numbers.
pub(crate) fn largest(values: &[f32]) -> f32 {
    struct Largest<'a>(&'a [f32]);
    impl WithSimd for Largest<'_> {
        type Output = f32;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f32 {
            let (vectors, rest) = S::as_simd_f32s(self.0);
            let (fours, last) = vectors.as_chunks::<4>();
            let mut largest = [simd.splat_f32s(0.0); 4];
            for four in fours {
                for i in 0..4 {
                    largest[i] = simd.max_f32s(largest[i], simd.abs_f32s(four[i]));
                }
            }
            for &values in last {
                largest[0] = simd.max_f32s(largest[0], simd.abs_f32s(values));
            }
            let [a, b, c, d] = largest;
            let largest = simd.max_f32s(simd.max_f32s(a, b), simd.max_f32s(c, d));
            let size = |largest: f32, value: &f32| largest.max(value.abs());
            rest.iter().fold(simd.reduce_max_f32s(largest), size)
        }
    }
    Arch::new().dispatch(Largest(values))
}

/// What follows a convolution, on vectors of channels of a pixel.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a> {
    /// Of the channels, over and over for as many columns as packed weights have; zeros where there is none.
    pub bias: &'a [f32],
    pub then: Then<'a>,
    pub n_out: usize,
    /// Whether pixels are written from left to right, each as a whole: what one leaves beyond its channels, the next
    /// overwrites.
    pub in_order: bool,
}

impl Finish<'_> {
    /// Writes a vector of the channels from `channel` on of the pixel that starts at `at` in the whole output and at
    /// `at - first` in this part of it, and gives what is written. Channels that there are not are left out.
    #[inline(always)]
    pub(crate) fn store<S: Simd>(
        &self,
        simd: S,
        value: S::f32s,
        (at, first): (usize, usize),
        channel: usize,
        target: &mut [f32],
    ) -> S::f32s {
        let n = S::F32_LANES.min(self.n_out - channel);
        self.store_some(simd, value, (at, first), channel..channel + n, target)
    }

    /// The same of those channels, of which there is at most a vector. What is beyond a pixel's is the next pixel's.
    #[inline(always)]
    pub(crate) fn store_some<S: Simd>(
        &self,
        simd: S,
        value: S::f32s,
        (at, first): (usize, usize),
        channels: Range<usize>,
        target: &mut [f32],
    ) -> S::f32s {
        let (start, n, lanes) = (channels.start, channels.len(), S::F32_LANES);
        let mut value = simd.add_f32s(value, load(simd, &self.bias[start..start + lanes]));
        if let Some(add) = self.then.add {
            let add = &add[at + start..][..n];
            let add = if n == lanes {
                load(simd, add)
            } else {
                S::partial_load_f32s(simd, add)
            };
            value = simd.add_f32s(value, add);
        }
        if self.then.relu {
            value = simd.max_f32s(value, simd.splat_f32s(0.0));
        }
        let target = &mut target[at + start - first..];
        if n == lanes || self.in_order && lanes <= target.len() {
            S::as_mut_simd_f32s(&mut target[..lanes]).0[0] = value;
        } else {
            simd.partial_store_f32s(&mut target[..n], value);
        }
        value
    }
}

/// The largest sizes of the numbers of each lane that were seen. Where lanes hold one number nobody asks for them.
pub(crate) struct Sizes<L, S: Simd>(S::f32s, PhantomData<L>);

impl<L: Lane, S: Simd> Sizes<L, S> {
    #[inline(always)]
    pub(crate) fn load(simd: S, sizes: &[f32; WIDE]) -> Self {
        Self(load(simd, sizes), PhantomData)
    }

    #[inline(always)]
    pub(crate) fn see(&mut self, simd: S, values: S::f32s) {
        if L::N > 1 {
            self.0 = simd.max_f32s(self.0, simd.abs_f32s(values));
        }
    }

    #[inline(always)]
    pub(crate) fn store(self, sizes: &mut [f32; WIDE]) {
        S::as_mut_simd_f32s(sizes).0[0] = self.0;
    }
}

/// Writes what [`Sizes`] saw as the peaks of rows.
pub(crate) fn note<L: Lane>(sizes: [f32; WIDE], peaks: &mut [f32]) {
    if L::N > 1 {
        peaks.fill(sizes.into_iter().fold(0.0, f32::max));
    }
}

#[inline(always)]
pub(crate) fn load<S: Simd>(_: S, values: &[f32]) -> S::f32s {
    S::as_simd_f32s(values).0[0]
}

/// Columns of packed weights for so many channels.
pub(crate) fn wide(n_out: usize) -> usize {
    n_out.next_multiple_of(WIDE)
}
