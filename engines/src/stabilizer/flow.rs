//! Dense optical flow by inverse search.
//!
//! After Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search" (ECCV 2016): square patches
//! are aligned by Gauss-Newton steps from coarse to fine, with gradient and Hessian of the patch in the older picture,
//! and every pixel takes the mean of the patches over it, weighted by how well each explains it. Instead of their
//! variational refinement, a patch starts from the best of several motions: those found for the coarser patches around
//! it and for its neighbours.

use pulp::{Simd, WithSimd};

use super::octet::Octet;
use super::patch::{PATCH, Patch};
use super::pyramid::{Level, Pyramid};
use crate::simd::dispatch;

/// Distance between patches in pixels.
const STEP: usize = 4;
/// Motions closer than this are not both tried: Gauss-Newton finds the better one anyway.
const ALIKE_PX: f32 = 0.25;
/// A patch whose sum of squared differences without any motion is below this has not moved, if nothing round it has.
const STILL: f32 = 0.1 * (PATCH * PATCH) as f32;

/// Motion of every pixel of a picture: it went from `(x, y)` to `(x + u, y + v)`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    pub width: usize,
    pub height: usize,
    /// Steps in x in pixels of this grid, row by row.
    pub u: Vec<f32>,
    /// Steps in y.
    pub v: Vec<f32>,
}

/// Finds flow; its buffers live as long as it does.
#[derive(Default)]
pub(crate) struct Search {
    coarse: Patches,
    fine: Patches,
    weights: Vec<f32>,
}

/// Motions of the patches of one level.
#[derive(Default)]
struct Patches {
    n_columns: usize,
    n_rows: usize,
    motions: Vec<[f32; 2]>,
}

impl Search {
    /// Flow from `from` to `to` at level `finest` of their pyramids, in pixels of that level.
    pub(crate) fn find(&mut self, from: &Pyramid, to: &Pyramid, finest: usize, flow: &mut Flow) {
        self.coarse.n_columns = 0;
        for (from, to) in from.levels.iter().zip(&to.levels).skip(finest).rev() {
            dispatch(Pass {
                from,
                to,
                coarse: &self.coarse,
                fine: &mut self.fine,
            });
            std::mem::swap(&mut self.coarse, &mut self.fine);
        }
        dispatch(Spread {
            from: &from.levels[finest],
            to: &to.levels[finest],
            patches: &self.coarse,
            weights: &mut self.weights,
            flow,
        });
    }
}

/// Number of patches along a side: the last one may reach over the end.
pub(crate) fn n_patches(side: usize) -> usize {
    side.saturating_sub(PATCH).div_ceil(STEP) + 1
}

/// The search on one level.
struct Pass<'a> {
    from: &'a Level,
    to: &'a Level,
    coarse: &'a Patches,
    fine: &'a mut Patches,
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            from,
            to,
            coarse,
            fine,
        } = self;
        let (n_columns, n_rows) = (n_patches(from.width), n_patches(from.height));
        fine.n_columns = n_columns;
        fine.n_rows = n_rows;
        fine.motions.clear();
        fine.motions.resize(n_columns * n_rows, [0.0; 2]);
        for row in 0..n_rows {
            for column in 0..n_columns {
                let patch = Patch::cut(simd, from, column * STEP, row * STEP);
                let idx = row * n_columns + column;
                let (mut motion, mut error) = ([0.0; 2], patch.error(to, [0.0; 2]));
                let mut candidates = [[0.0; 2]; 6];
                if coarse.n_columns > 0 {
                    candidates[..4].copy_from_slice(&coarse.round(column, row));
                }
                if column > 0 {
                    candidates[4] = fine.motions[idx - 1];
                }
                if row > 0 {
                    candidates[5] = fine.motions[idx - n_columns];
                }
                // Plain surfaces tell nothing by themselves and follow what is round them.
                if error < STILL && candidates.iter().all(|&way| are_alike(way, [0.0; 2])) {
                    continue;
                }
                for candidate in candidates {
                    if !are_alike(candidate, motion) {
                        let found = patch.error(to, candidate);
                        if found < error {
                            (motion, error) = (candidate, found);
                        }
                    }
                }
                fine.motions[idx] = patch.refine(to, motion);
            }
        }
    }
}

#[inline(always)]
fn are_alike(a: [f32; 2], b: [f32; 2]) -> bool {
    let (du, dv) = (a[0] - b[0], a[1] - b[1]);
    du * du + dv * dv <= ALIKE_PX * ALIKE_PX
}

impl Patches {
    /// Motions of the four patches whose centres lie nearest round that of a patch of the next finer level, in pixels of
    /// that level.
    #[inline(always)]
    fn round(&self, column: usize, row: usize) -> [[f32; 2]; 4] {
        let left = (column.saturating_sub(1) / 2).min(self.n_columns - 1);
        let top = (row.saturating_sub(1) / 2).min(self.n_rows - 1);
        let right = (left + 1).min(self.n_columns - 1);
        let bottom = (top + 1).min(self.n_rows - 1);
        let mut motions = [[0.0; 2]; 4];
        for (i, (x, y)) in [(left, top), (right, top), (left, bottom), (right, bottom)]
            .into_iter()
            .enumerate()
        {
            let [u, v] = self.motions[y * self.n_columns + x];
            motions[i] = [2.0 * u, 2.0 * v];
        }
        motions
    }
}

/// Gives every pixel the mean of the motions of the patches over it, weighted by how well each explains it.
struct Spread<'a> {
    from: &'a Level,
    to: &'a Level,
    patches: &'a Patches,
    weights: &'a mut Vec<f32>,
    flow: &'a mut Flow,
}

impl WithSimd for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            from,
            to,
            patches,
            weights,
            flow,
        } = self;
        // Rows are as long as the patches reach, so that none is cut.
        let reach = |n: usize| (n - 1) * STEP + PATCH;
        let (width, height) = (reach(patches.n_columns), reach(patches.n_rows));
        for sums in [&mut flow.u, &mut flow.v, &mut *weights] {
            sums.clear();
            sums.resize(width * height, 0.0);
        }
        let one = Octet::splat(simd, 1.0);
        for row in 0..patches.n_rows {
            for column in 0..patches.n_columns {
                let motion = patches.motions[row * patches.n_columns + column];
                let (x, y) = (column * STEP, row * STEP);
                let way = [Octet::splat(simd, motion[0]), Octet::splat(simd, motion[1])];
                let mut differences = [one; PATCH];
                let mut sum = Octet::splat(simd, 0.0);
                let patch = Patch::values(simd, from, x, y);
                patch.compare(to, motion, |row, difference| {
                    differences[row] = difference;
                    sum = sum.add(difference);
                });
                let mean = Octet::splat(simd, sum.sum() / (PATCH * PATCH) as f32);
                for (i, difference) in differences.into_iter().enumerate() {
                    let off = difference.sub(mean);
                    let weight = one.div(off.mul(off).max(one));
                    let start = (y + i) * width + x;
                    add_to(&mut flow.u, start, weight.mul(way[0]));
                    add_to(&mut flow.v, start, weight.mul(way[1]));
                    add_to(weights, start, weight);
                }
            }
        }
        flow.width = from.width;
        flow.height = from.height;
        for y in 0..from.height {
            for x in 0..from.width {
                let (wide, narrow) = (y * width + x, y * from.width + x);
                let scale = 1.0 / weights[wide];
                flow.u[narrow] = flow.u[wide] * scale;
                flow.v[narrow] = flow.v[wide] * scale;
            }
        }
        flow.u.truncate(from.width * from.height);
        flow.v.truncate(from.width * from.height);
    }
}

#[inline(always)]
fn add_to<S: Simd>(plane: &mut [f32], start: usize, octet: Octet<S>) {
    let values = plane[start..]
        .first_chunk_mut()
        .expect("rows reach as far as patches");
    Octet::load(octet.simd(), values).add(octet).store(values);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Luma of a wall with detail of all sizes.
    fn wall(x: f32, y: f32) -> f32 {
        let wave = |scale: f32, turn: f32| (x * scale * turn.cos() + y * scale * turn.sin()).sin();
        120.0
            + 40.0 * wave(0.11, 0.3)
            + 30.0 * wave(0.23, 1.4)
            + 20.0 * wave(0.57, 2.2)
            + 8.0 * wave(1.1, 0.9)
    }

    fn error_of(from: &Pyramid, to: &Pyramid, wanted: impl Fn(f32, f32) -> [f32; 2]) -> f32 {
        let mut flow = Flow::default();
        Search::default().find(from, to, 0, &mut flow);
        let (mut sum, mut n) = (0.0, 0.0);
        for y in 12..flow.height - 12 {
            for x in 12..flow.width - 12 {
                let idx = y * flow.width + x;
                let [u, v] = wanted(x as f32, y as f32);
                sum += (flow.u[idx] - u).hypot(flow.v[idx] - v);
                n += 1.0;
            }
        }
        sum / n
    }

    #[test]
    fn a_shift_is_found_between_pixels() {
        let from = Pyramid::of(160, 96, wall);
        let to = Pyramid::of(160, 96, |x, y| wall(x - 5.3, y + 2.6));
        let error = error_of(&from, &to, |_, _| [5.3, -2.6]);
        assert!(error < 0.05, "{error} pixels off on average");
    }

    #[test]
    fn a_zoom_is_found() {
        let from = Pyramid::of(160, 96, wall);
        let to = Pyramid::of(160, 96, |x, y| {
            wall(80.0 + (x - 80.0) / 1.04, 48.0 + (y - 48.0) / 1.04)
        });
        let error = error_of(&from, &to, |x, y| [0.04 * (x - 80.0), 0.04 * (y - 48.0)]);
        assert!(error < 0.1, "{error} pixels off on average");
    }

    #[test]
    fn light_that_changes_is_no_motion() {
        let from = Pyramid::of(160, 96, wall);
        let to = Pyramid::of(160, 96, |x, y| wall(x, y) + 20.0);
        let error = error_of(&from, &to, |_, _| [0.0; 2]);
        assert!(error < 0.02, "{error} pixels off on average");
    }

    #[test]
    fn plain_and_tiny_pictures_have_finite_flow() {
        for (width, height) in [(8, 8), (9, 31), (64, 8)] {
            let plain = Pyramid::of(width, height, |_, _| 50.0);
            let busy = Pyramid::of(width, height, |x, y| (x * 37.0 + y * 91.0) % 255.0);
            let mut flow = Flow::default();
            Search::default().find(&plain, &busy, 1, &mut flow);
            assert_eq!(flow.u.len(), (width / 2) * (height / 2));
            assert!(flow.u.iter().chain(&flow.v).all(|value| value.is_finite()));
        }
    }
}
