//! Two fixed-point numbers of 16 bits in a lane.
//!
//! Numbers of a band of rows are scaled by the largest of them, and the weights of each column by the sum of their sizes,
//! so that no sum of products leaves 32 bits. AVX-512 VNNI makes two products for each lane and adds both in one
//! instruction, where f32 takes one for one product.

use std::any::Any;

use bytemuck::{cast, cast_slice_mut};
use pulp::x86::V4;
use pulp::{NullaryFnOnce, Simd, WithSimd, simd_type};

use crate::lane::Lane;

/// What the largest number becomes. Rounding does not take it past 16 bits.
const LARGEST: f32 = 32766.0;
/// What the sizes of a column's weights add up to at most: times the largest number that is less than 31 bits, even if all
/// of a thousand weights are rounded up.
const SUM: f32 = 65000.0;
/// So that nothing is divided by 0.
const TINY: f32 = 1e-30;

simd_type! {
    struct Vnni {
        sse: "sse",
        sse2: "sse2",
        fxsr: "fxsr",
        sse3: "sse3",
        ssse3: "ssse3",
        sse4_1: "sse4.1",
        sse4_2: "sse4.2",
        popcnt: "popcnt",
        avx: "avx",
        avx2: "avx2",
        bmi1: "bmi1",
        bmi2: "bmi2",
        fma: "fma",
        lzcnt: "lzcnt",
        avx512f: "avx512f",
        avx512bw: "avx512bw",
        avx512cd: "avx512cd",
        avx512dq: "avx512dq",
        avx512vl: "avx512vl",
        avx512vnni: "avx512vnni",
    }
}

/// Whether this processor multiplies such lanes faster than f32.
pub(crate) fn is_known() -> bool {
    Vnni::is_available()
}

/// Two numbers in fixed point. Vectors are those of AVX-512.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed;

/// Work, and what its vectors are.
struct Call<W>(V4, W);

impl<W: WithSimd> NullaryFnOnce for Call<W> {
    type Output = W::Output;

    #[inline(always)]
    fn call(self) -> W::Output {
        let Self(simd, work) = self;
        work.with_simd(simd)
    }
}

impl Lane for Fixed {
    const N: usize = 2;

    fn dispatch<W: WithSimd>(work: W) -> W::Output {
        let vnni = Vnni::try_new().zip(V4::try_new());
        let (vnni, simd) = vnni.expect("nothing is kept in fixed point where this is not known");
        vnni.vectorize(Call(simd, work))
    }

    fn scale(largest: impl FnOnce() -> f32) -> f32 {
        LARGEST / largest().max(TINY)
    }

    fn weight_scale(weights: impl Iterator<Item = f32>) -> f32 {
        let both = |(sum, largest): (f32, f32), weight: f32| {
            (sum + weight.abs(), largest.max(weight.abs()))
        };
        let (sum, largest) = weights.fold((TINY, TINY), both);
        (SUM / sum).min(LARGEST / largest)
    }

    fn pack(scaled: &[f32]) -> f32 {
        cast([scaled[0], scaled[1]].map(|value| value.round() as i16))
    }

    fn keep_row(values: &[f32], scale: f32, to: &mut [f32]) {
        Self::dispatch(KeepRow { values, scale, to });
    }

    #[inline(always)]
    fn keep<S: Simd>(simd: S, values: S::f32s, scale: f32, to: &mut [f32]) {
        let scaled = simd.mul_f32s(values, simd.splat_f32s(scale));
        let v4 = v4(simd).avx512f;
        let whole = v4._mm512_cvtps_epi32(cast(scaled));
        let to: &mut [[f32; 8]] = cast_slice_mut(&mut to[..8]);
        to[0] = cast(v4._mm512_cvtsepi32_epi16(whole));
    }

    #[inline(always)]
    fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, sums: S::f32s) -> S::f32s {
        let v4 = v4(simd);
        // The compiler makes one instruction of both.
        let products = v4.avx512bw._mm512_madd_epi16(cast(a), cast(b));
        cast(v4.avx512f._mm512_add_epi32(cast(sums), products))
    }

    #[inline(always)]
    fn numbers<S: Simd>(simd: S, sums: S::f32s, factor: f32, factors: &[f32]) -> S::f32s {
        let sums = cast(v4(simd).avx512f._mm512_cvtepi32_ps(cast(sums)));
        let factor = simd.splat_f32s(factor);
        let factors = S::as_simd_f32s(factors).0[0];
        simd.mul_f32s(sums, simd.mul_f32s(factor, factors))
    }
}

#[inline(always)]
fn v4<S: Simd>(simd: S) -> V4 {
    let simd: &dyn Any = &simd;
    *simd.downcast_ref().expect("work is dispatched to AVX-512")
}

struct KeepRow<'a> {
    values: &'a [f32],
    scale: f32,
    to: &'a mut [f32],
}

impl WithSimd for KeepRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (vectors, rest) = S::as_simd_f32s(self.values);
        let n_lanes = S::F32_LANES / Fixed::N;
        let (to, to_rest) = self.to.split_at_mut(vectors.len() * n_lanes);
        for (&values, to) in vectors.iter().zip(to.chunks_exact_mut(n_lanes)) {
            Fixed::keep(simd, values, self.scale, to);
        }
        let mut last = [0.0; 8];
        Fixed::keep(
            simd,
            S::partial_load_f32s(simd, rest),
            self.scale,
            &mut last,
        );
        to_rest.copy_from_slice(&last[..to_rest.len()]);
    }
}
