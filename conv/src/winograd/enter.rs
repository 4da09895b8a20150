//! Pixels to tiles.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::{EMPTY, Grid, PLACES, TILE};
use crate::Conv;
use crate::lane::Lane;
use crate::product::load;
use crate::rows::Rows;

/// Transforms tiles, `B' d B`, into `[36, tiles, n_in]`.
pub(super) struct Enter<'a, L> {
    pub conv: &'a Conv,
    pub input: Rows<'a>,
    pub grid: Grid,
    /// As many as a row of the input has numbers.
    pub zeros: &'a [f32],
    pub tiles: &'a mut [f32],
    /// Lanes from one place to the next.
    pub step: usize,
    /// Of the numbers of each place.
    pub scales: &'a [f32; PLACES],
    pub lane: PhantomData<L>,
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
