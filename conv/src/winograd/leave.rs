//! Products to pixels.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::{EMPTY, Grid, PLACES, STEP, TILE};
use crate::lane::Lane;
use crate::product::{Finish, Sizes, WIDE, load};

/// Transforms products back into pixels: `A' m A`.
pub(super) struct Leave<'a, L> {
    /// `[tiles, columns / 16, 36, 16]`.
    pub products: &'a [f32],
    /// Products of a tile.
    pub of_tile: usize,
    pub grid: Grid,
    pub doubled: bool,
    pub finish: Finish<'a>,
    pub width: usize,
    /// Whole rows of pixels.
    pub target: &'a mut [f32],
    /// The largest sizes of what was written.
    pub sizes: &'a mut [f32; WIDE],
    pub lane: PhantomData<L>,
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
