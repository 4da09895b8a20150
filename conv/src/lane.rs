//! What the lanes of vectors hold that products are made of: a number in f32, or two in fixed point.

use std::fmt::Debug;

use pulp::{Arch, Simd, WithSimd};

/// A format of lanes, which are 32 bits. They lie in memory, and in registers, as if each were an f32.
pub(crate) trait Lane: Debug + Send + Sync + 'static {
    /// Numbers in a lane.
    const N: usize;

    /// Does work in the widest vectors whose lanes can be multiplied.
    fn dispatch<W: WithSimd>(work: W) -> W::Output;

    /// What numbers are multiplied by to be kept, of which the largest may be so large.
    fn scale(largest: impl FnOnce() -> f32) -> f32;
    /// What weights are multiplied by to be kept.
    fn weight_scale(weights: impl Iterator<Item = f32>) -> f32;
    /// Numbers that have been multiplied by their scale, as a lane.
    fn pack(scaled: &[f32]) -> f32;

    /// Keeps a row of numbers.
    fn keep_row(values: &[f32], scale: f32, to: &mut [f32]);
    /// Keeps a vector of numbers.
    fn keep<S: Simd>(simd: S, values: S::f32s, scale: f32, to: &mut [f32]);
    /// Adds the products of the numbers in lanes to sums.
    fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, sums: S::f32s) -> S::f32s;
    /// Sums, each times `factor` and its own of `factors`, as numbers.
    fn numbers<S: Simd>(simd: S, sums: S::f32s, factor: f32, factors: &[f32]) -> S::f32s;
}

/// One number in f32. Scales and factors are 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Float;

impl Lane for Float {
    const N: usize = 1;

    fn dispatch<W: WithSimd>(work: W) -> W::Output {
        Arch::new().dispatch(work)
    }

    fn scale(_: impl FnOnce() -> f32) -> f32 {
        1.0
    }

    fn weight_scale(_: impl Iterator<Item = f32>) -> f32 {
        1.0
    }

    fn pack(scaled: &[f32]) -> f32 {
        scaled[0]
    }

    fn keep_row(values: &[f32], _: f32, to: &mut [f32]) {
        to.copy_from_slice(values);
    }

    #[inline(always)]
    fn keep<S: Simd>(_: S, values: S::f32s, _: f32, to: &mut [f32]) {
        S::as_mut_simd_f32s(to).0[0] = values;
    }

    #[inline(always)]
    fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, sums: S::f32s) -> S::f32s {
        simd.mul_add_f32s(a, b, sums)
    }

    #[inline(always)]
    fn numbers<S: Simd>(_: S, sums: S::f32s, _: f32, _: &[f32]) -> S::f32s {
        sums
    }
}
