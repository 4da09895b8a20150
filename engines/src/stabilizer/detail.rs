//! Flow's last look: at the largest level, to the cells that it is found for.

use pulp::{Simd, WithSimd};

use super::flow::{Flow, Patches, STEP, n_patches};
use super::octet::{N, Octet};
use super::patch::{PATCH, Patch, are_alike};
use super::pyramid::Level;

/// Coarser patches agree whose motions are closer than this to those beside them, in pixels of the largest level, or than this
/// share of their way.
const AGREED_PX: f32 = 0.5;
const AGREED_SHARE: f32 = 0.125;
/// Gauss-Newton steps of a patch at most: it starts near.
const N_STEPS: usize = 2;
/// Pixels of the largest level along a side of a cell, and cells along a side of a patch.
const CELL_PX: usize = 2;
const PATCH_CELLS: usize = PATCH / CELL_PX;

/// Finds where the patches of the largest level went, and gives every cell the mean of their motions, weighted by how well
/// each explains it.
///
/// Where the coarser patches agree, theirs is as good and is taken as it is. Edges of what moves get as sharp as the picture.
pub(super) struct Detail<'a> {
    /// Largest levels.
    pub from: &'a Level,
    pub to: &'a Level,
    /// What was found on the next coarser level, that of the cells.
    pub coarse: &'a Patches,
    pub weights: &'a mut Vec<f32>,
    /// Of the size that is wanted; the rest is filled.
    pub flow: &'a mut Flow,
}

/// How much the motion of a patch counts in each of its cells.
type Weights = [[f32; PATCH_CELLS]; PATCH_CELLS];

impl WithSimd for Detail<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            from,
            to,
            coarse,
            weights,
            flow,
        } = self;
        let (n_columns, n_rows) = (n_patches(from.width), n_patches(from.height));
        // Rows are as long as the patches reach, so that none is cut.
        let reach = |n: usize| ((n - 1) * STEP + PATCH) / CELL_PX;
        let wide = reach(n_columns);
        for sums in [&mut flow.u, &mut flow.v, &mut *weights] {
            sums.clear();
            sums.resize(wide * reach(n_rows), 0.0);
        }
        for row in 0..n_rows {
            for column in 0..n_columns {
                let round = coarse.round(column, row);
                let (motion, shares) = match agreed(&round) {
                    Some(motion) => (motion, [[1.0; PATCH_CELLS]; PATCH_CELLS]),
                    None => search(simd, from, to, [column * STEP, row * STEP], &round),
                };
                let by = [motion[0] / CELL_PX as f32, motion[1] / CELL_PX as f32];
                for (i, shares) in shares.iter().enumerate() {
                    let start = (row * STEP / CELL_PX + i) * wide + column * STEP / CELL_PX;
                    add_to(&mut flow.u, start, shares, by[0]);
                    add_to(&mut flow.v, start, shares, by[1]);
                    add_to(weights, start, shares, 1.0);
                }
            }
        }
        let n_cells = flow.width * flow.height;
        for steps in [&mut flow.u, &mut flow.v] {
            for y in 0..flow.height {
                let row = y * wide..y * wide + flow.width;
                for (step, weight) in steps[row.clone()].iter_mut().zip(&weights[row.clone()]) {
                    *step /= weight;
                }
                steps.copy_within(row, y * flow.width);
            }
            steps.truncate(n_cells);
        }
    }
}

/// The mean of four motions, if they are so much the same that there is no edge between them.
#[inline(always)]
fn agreed(&[a, b, c, d]: &[[f32; 2]; 4]) -> Option<[f32; 2]> {
    let u = 0.25 * (a[0] + b[0] + c[0] + d[0]);
    let v = 0.25 * (a[1] + b[1] + c[1] + d[1]);
    let far = AGREED_PX.max(AGREED_SHARE * (u * u + v * v).sqrt());
    let is_edge = !are_alike(a, b, far)
        || !are_alike(a, c, far)
        || !are_alike(d, b, far)
        || !are_alike(d, c, far);
    (!is_edge).then_some([u, v])
}

/// The motion of the patch at `(x, y)`, from the best of `starts`.
#[inline(always)]
fn search<S: Simd>(
    simd: S,
    from: &Level,
    to: &Level,
    [x, y]: [usize; 2],
    starts: &[[f32; 2]; 4],
) -> ([f32; 2], Weights) {
    let patch = Patch::cut(simd, from, x, y);
    let first = (starts[0], patch.error(to, starts[0]));
    let motion = patch.refine(to, patch.best_of(to, first, &starts[1..]), N_STEPS);
    (motion, weights_of(simd, &patch, to, motion))
}

/// How well a motion explains each cell of a patch: 1 over the mean square of what is off there.
#[inline(always)]
fn weights_of<S: Simd>(simd: S, patch: &Patch<S>, to: &Level, motion: [f32; 2]) -> Weights {
    let mut differences = [Octet::splat(simd, 0.0); PATCH];
    let mut sum = Octet::splat(simd, 0.0);
    patch.compare(to, motion, |row, difference| {
        differences[row] = difference;
        sum = sum.add(difference);
    });
    let mean = Octet::splat(simd, sum.sum() / (PATCH * PATCH) as f32);
    let mut weights = [[0.0; PATCH_CELLS]; PATCH_CELLS];
    for (row, weights) in weights.iter_mut().enumerate() {
        let upper = differences[CELL_PX * row].sub(mean);
        let lower = differences[CELL_PX * row + 1].sub(mean);
        let mut squares = [0.0; N];
        upper
            .mul(upper)
            .add_product(lower, lower)
            .store(&mut squares);
        for (column, weight) in weights.iter_mut().enumerate() {
            let sum = squares[CELL_PX * column] + squares[CELL_PX * column + 1];
            *weight = 1.0 / (0.25 * sum).max(1.0);
        }
    }
    weights
}

#[inline(always)]
fn add_to(plane: &mut [f32], start: usize, shares: &[f32; PATCH_CELLS], value: f32) {
    let sums: &mut [f32; PATCH_CELLS] = plane[start..]
        .first_chunk_mut()
        .expect("rows reach as far as patches");
    for i in 0..PATCH_CELLS {
        sums[i] += shares[i] * value;
    }
}
