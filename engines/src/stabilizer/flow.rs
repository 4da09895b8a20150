//! Dense optical flow by inverse search.
//!
//! After Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search" (ECCV 2016): square patches
//! are aligned by Gauss-Newton steps from coarse to fine, with gradient and Hessian of the patch in the older picture.
//! Instead of their variational refinement, a patch starts from the best of several motions: those found for the coarser
//! patches around it and for its neighbours. On the largest level ([`Detail`]) only what the coarser patches disagree about
//! is searched for.

use pulp::{Simd, WithSimd};

use super::FLOW_LEVEL;
use super::detail::Detail;
use super::patch::{ALIKE_PX, PATCH, Patch, are_alike};
use super::pyramid::{Level, Pyramid};
use crate::simd::dispatch;

/// Distance between patches in pixels.
pub(super) const STEP: usize = 4;
/// Gauss-Newton steps of a patch at most.
const N_STEPS: usize = 6;
/// A patch whose sum of squared differences without any motion is below this has not moved, if nothing round it has.
const STILL: f32 = 0.1 * (PATCH * PATCH) as f32;

/// Motion of every cell of a picture, which is a pixel of level [`FLOW_LEVEL`]: it went from `(x, y)` to `(x + u, y + v)`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    pub width: usize,
    pub height: usize,
    /// Steps in x in cells, row by row.
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
pub(super) struct Patches {
    n_columns: usize,
    n_rows: usize,
    motions: Vec<[f32; 2]>,
}

impl Search {
    /// Flow from `from` to `to`.
    pub(crate) fn find(&mut self, from: &Pyramid, to: &Pyramid, flow: &mut Flow) {
        self.coarse.n_columns = 0;
        let levels = from.levels.iter().zip(&to.levels);
        for (from, to) in levels.skip(FLOW_LEVEL).rev() {
            dispatch(Pass {
                from,
                to,
                coarse: &self.coarse,
                fine: &mut self.fine,
            });
            std::mem::swap(&mut self.coarse, &mut self.fine);
        }
        let cells = &from.levels[FLOW_LEVEL];
        (flow.width, flow.height) = (cells.width, cells.height);
        dispatch(Detail {
            from: &from.levels[0],
            to: &to.levels[0],
            coarse: &self.coarse,
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
                let error = patch.error(to, [0.0; 2]);
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
                if error < STILL
                    && candidates
                        .iter()
                        .all(|&way| are_alike(way, [0.0; 2], ALIKE_PX))
                {
                    continue;
                }
                let best = patch.best_of(to, ([0.0; 2], error), &candidates);
                fine.motions[idx] = patch.refine(to, best, N_STEPS);
            }
        }
    }
}

impl Patches {
    /// Motions of the four patches whose centres lie nearest round that of a patch of the next finer level, in pixels of
    /// that level.
    #[inline(always)]
    pub(super) fn round(&self, column: usize, row: usize) -> [[f32; 2]; 4] {
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

    /// Mean end-point error in cells; the motion that is wanted is given in pixels.
    fn error_of(from: &Pyramid, to: &Pyramid, wanted: impl Fn(f32, f32) -> [f32; 2]) -> f32 {
        let mut flow = Flow::default();
        Search::default().find(from, to, &mut flow);
        let (mut sum, mut n) = (0.0, 0.0);
        for y in 6..flow.height - 6 {
            for x in 6..flow.width - 6 {
                let idx = y * flow.width + x;
                let [u, v] = wanted(2.0 * x as f32 + 0.5, 2.0 * y as f32 + 0.5);
                sum += (flow.u[idx] - 0.5 * u).hypot(flow.v[idx] - 0.5 * v);
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
        assert!(error < 0.05, "{error} cells off on average");
    }

    #[test]
    fn a_zoom_is_found() {
        let from = Pyramid::of(160, 96, wall);
        let to = Pyramid::of(160, 96, |x, y| {
            wall(80.0 + (x - 80.0) / 1.04, 48.0 + (y - 48.0) / 1.04)
        });
        let error = error_of(&from, &to, |x, y| [0.04 * (x - 80.0), 0.04 * (y - 48.0)]);
        assert!(error < 0.1, "{error} cells off on average");
    }

    #[test]
    fn an_edge_of_what_moves_is_sharp() {
        // The wall left of 80 moves by 3 pixels over the one behind it.
        let at = |time: f32| {
            Pyramid::of(160, 96, |x, y| {
                if x < 80.0 + 3.0 * time {
                    wall(x - 3.0 * time, y)
                } else {
                    wall(x + 300.0, y + 200.0)
                }
            })
        };
        let mut flow = Flow::default();
        Search::default().find(&at(0.0), &at(1.0), &mut flow);
        let u = |x: usize| {
            let column = (6..42).map(|y| flow.u[y * flow.width + x]);
            column.sum::<f32>() / 36.0
        };
        // Two cells before the edge, and two behind what is covered.
        assert!((u(37) - 1.5).abs() < 0.15, "{}", u(37));
        assert!(u(43).abs() < 0.15, "{}", u(43));
    }

    #[test]
    fn light_that_changes_is_no_motion() {
        let from = Pyramid::of(160, 96, wall);
        let to = Pyramid::of(160, 96, |x, y| wall(x, y) + 20.0);
        let error = error_of(&from, &to, |_, _| [0.0; 2]);
        assert!(error < 0.02, "{error} cells off on average");
    }

    #[test]
    fn plain_and_tiny_pictures_have_finite_flow() {
        for (width, height) in [(8, 8), (9, 31), (64, 8)] {
            let plain = Pyramid::of(width, height, |_, _| 50.0);
            let busy = Pyramid::of(width, height, |x, y| (x * 37.0 + y * 91.0) % 255.0);
            let mut flow = Flow::default();
            Search::default().find(&plain, &busy, &mut flow);
            assert_eq!(flow.u.len(), (width / 2) * (height / 2));
            assert!(flow.u.iter().chain(&flow.v).all(|value| value.is_finite()));
        }
    }
}
