//! Eight values at once, in as many vector registers as this processor needs for them.

use pulp::Simd;

/// Values of an [`Octet`].
pub(super) const N: usize = 8;

/// Eight values of f32.
#[derive(Clone, Copy)]
pub(super) struct Octet<S: Simd> {
    simd: S,
    /// The first `N / S::F32_LANES` are used.
    parts: [S::f32s; N],
}

impl<S: Simd> Octet<S> {
    const N_PARTS: usize = {
        assert!(
            N.is_multiple_of(S::F32_LANES),
            "registers of at most eight values"
        );
        N / S::F32_LANES
    };

    #[inline(always)]
    pub(super) fn splat(simd: S, value: f32) -> Self {
        let parts = [simd.splat_f32s(value); N];
        Self { simd, parts }
    }

    /// One octet of each value. Not by `map` of arrays, which may become a call: its code would be without the vector
    /// instructions of `S`.
    #[inline(always)]
    pub(super) fn splat_each(simd: S, [a, b, c, d]: &[f32; 4]) -> [Self; 4] {
        [
            Self::splat(simd, *a),
            Self::splat(simd, *b),
            Self::splat(simd, *c),
            Self::splat(simd, *d),
        ]
    }

    #[expect(clippy::manual_memcpy, reason = "one register is no call of memcpy")]
    #[inline(always)]
    pub(super) fn load(simd: S, values: &[f32; N]) -> Self {
        let mut octet = Self::splat(simd, 0.0);
        let parts = S::as_simd_f32s(values).0;
        for i in 0..Self::N_PARTS {
            octet.parts[i] = parts[i];
        }
        octet
    }

    #[expect(clippy::manual_memcpy, reason = "one register is no call of memcpy")]
    #[inline(always)]
    pub(super) fn store(&self, values: &mut [f32; N]) {
        let parts = S::as_mut_simd_f32s(values).0;
        for i in 0..Self::N_PARTS {
            parts[i] = self.parts[i];
        }
    }

    #[inline(always)]
    pub(super) fn add(mut self, other: Self) -> Self {
        for i in 0..Self::N_PARTS {
            self.parts[i] = self.simd.add_f32s(self.parts[i], other.parts[i]);
        }
        self
    }

    #[inline(always)]
    pub(super) fn sub(mut self, other: Self) -> Self {
        for i in 0..Self::N_PARTS {
            self.parts[i] = self.simd.sub_f32s(self.parts[i], other.parts[i]);
        }
        self
    }

    #[inline(always)]
    pub(super) fn mul(mut self, other: Self) -> Self {
        for i in 0..Self::N_PARTS {
            self.parts[i] = self.simd.mul_f32s(self.parts[i], other.parts[i]);
        }
        self
    }

    /// `self + a * b`.
    #[inline(always)]
    pub(super) fn add_product(mut self, a: Self, b: Self) -> Self {
        for i in 0..Self::N_PARTS {
            self.parts[i] = self
                .simd
                .mul_add_e_f32s(a.parts[i], b.parts[i], self.parts[i]);
        }
        self
    }

    /// Sum of all eight.
    #[inline(always)]
    pub(super) fn sum(self) -> f32 {
        let mut sum = 0.0;
        for i in 0..Self::N_PARTS {
            sum += self.simd.reduce_sum_f32s(self.parts[i]);
        }
        sum
    }
}
