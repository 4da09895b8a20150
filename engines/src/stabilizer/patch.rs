//! A patch of a picture, and where it is in the next one.

use pulp::Simd;

use super::octet::{N, Octet};
use super::pyramid::{BORDER_PX, Level};

/// Side of a patch in pixels.
pub(super) const PATCH: usize = N;
/// Motions closer than this are not both tried: Gauss-Newton finds the better one anyway.
pub(super) const ALIKE_PX: f32 = 0.25;
/// A step shorter than this many pixels is the last one.
const SHORT_PX: f32 = 0.04;
/// A patch that moves further than this from where it started has lost what it shows.
const FAR_PX: f32 = 4.0;
/// A patch may leave the picture by this much.
const OUTSIDE_PX: f32 = (BORDER_PX - 4) as f32;

/// A patch of the older picture with what Gauss-Newton needs of it.
pub(super) struct Patch<S: Simd> {
    simd: S,
    x: usize,
    y: usize,
    values: [Octet<S>; PATCH],
    /// Derivatives in x and y, less their means.
    slopes: [[Octet<S>; PATCH]; 2],
    /// Inverse of the Hessian: xx, xy, yy.
    inverse: [f32; 3],
}

/// What a patch differs by from where it may have gone. Means are left out: light may change.
struct Residual {
    /// Sum of squares.
    error: f32,
    /// Products with the slopes.
    along: f32,
    down: f32,
}

impl<S: Simd> Patch<S> {
    /// The patch whose first pixel is `(x, y)`, to be searched for.
    #[inline(always)]
    pub(super) fn cut(simd: S, level: &Level, x: usize, y: usize) -> Self {
        let zero = Octet::splat(simd, 0.0);
        let half = Octet::splat(simd, 0.5);
        let mut values = [zero; PATCH];
        let mut slopes = [[zero; PATCH]; 2];
        let mut sums = [zero; 2];
        let mut above = octet(simd, level, x, y, [1, 0]);
        let mut here = octet(simd, level, x, y, [1, 1]);
        for row in 0..PATCH {
            let below = octet(simd, level, x, y + row, [1, 2]);
            let left = octet(simd, level, x, y + row, [0, 1]);
            let right = octet(simd, level, x, y + row, [2, 1]);
            values[row] = here;
            slopes[0][row] = right.sub(left).mul(half);
            slopes[1][row] = below.sub(above).mul(half);
            for i in 0..2 {
                sums[i] = sums[i].add(slopes[i][row]);
            }
            (above, here) = (here, below);
        }
        let (mut xx, mut xy, mut yy) = (zero, zero, zero);
        for i in 0..2 {
            let mean = Octet::splat(simd, sums[i].sum() / (PATCH * PATCH) as f32);
            for row in 0..PATCH {
                slopes[i][row] = slopes[i][row].sub(mean);
            }
        }
        for row in 0..PATCH {
            let (along, down) = (slopes[0][row], slopes[1][row]);
            xx = xx.add_product(along, along);
            xy = xy.add_product(along, down);
            yy = yy.add_product(down, down);
        }
        // A little of the identity keeps patches along an edge from sliding.
        let (xx, xy, yy) = (xx.sum() + 4.0, xy.sum(), yy.sum() + 4.0);
        let scale = 1.0 / (xx * yy - xy * xy);
        Self {
            simd,
            x,
            y,
            values,
            slopes,
            inverse: [yy * scale, -xy * scale, xx * scale],
        }
    }

    /// Calls `row` with what each row differs by from this patch moved by `motion`.
    #[inline(always)]
    pub(super) fn compare(
        &self,
        to: &Level,
        [u, v]: [f32; 2],
        mut row: impl FnMut(usize, Octet<S>),
    ) {
        let moved = Moved::new(self.simd, to, [self.x as f32 + u, self.y as f32 + v]);
        let mut upper = moved.row(to, 0);
        for i in 0..PATCH {
            let lower = moved.row(to, i + 1);
            let value = upper.add_product(moved.low_share, lower.sub(upper));
            row(i, value.sub(self.values[i]));
            upper = lower;
        }
    }

    /// Sum of the squares of what it differs by, less the mean, if it moved by `motion`.
    #[inline(always)]
    pub(super) fn error(&self, to: &Level, motion: [f32; 2]) -> f32 {
        let zero = Octet::splat(self.simd, 0.0);
        let (mut sum, mut squares) = (zero, zero);
        self.compare(to, motion, |_, difference| {
            sum = sum.add(difference);
            squares = squares.add_product(difference, difference);
        });
        less_mean(sum.sum(), squares.sum())
    }

    /// The best of `motion`, with its error, and `others`.
    #[inline(always)]
    pub(super) fn best_of(
        &self,
        to: &Level,
        (mut motion, mut least): ([f32; 2], f32),
        others: &[[f32; 2]],
    ) -> [f32; 2] {
        for &other in others {
            if !are_alike(other, motion, ALIKE_PX) {
                let error = self.error(to, other);
                if error < least {
                    (motion, least) = (other, error);
                }
            }
        }
        motion
    }

    #[inline(always)]
    fn residual(&self, to: &Level, motion: [f32; 2]) -> Residual {
        let zero = Octet::splat(self.simd, 0.0);
        let (mut sum, mut squares, mut along, mut down) = (zero, zero, zero, zero);
        self.compare(to, motion, |row, difference| {
            sum = sum.add(difference);
            squares = squares.add_product(difference, difference);
            along = along.add_product(difference, self.slopes[0][row]);
            down = down.add_product(difference, self.slopes[1][row]);
        });
        Residual {
            error: less_mean(sum.sum(), squares.sum()),
            along: along.sum(),
            down: down.sum(),
        }
    }

    /// The motion that Gauss-Newton finds from `start` in at most so many steps, in pixels.
    #[inline(always)]
    pub(super) fn refine(&self, to: &Level, start: [f32; 2], n_steps: usize) -> [f32; 2] {
        let (mut motion, mut least, mut next) = (start, f32::INFINITY, start);
        for _ in 0..n_steps {
            let Residual { error, along, down } = self.residual(to, next);
            if error > least {
                break;
            }
            (motion, least) = (next, error);
            let [xx, xy, yy] = self.inverse;
            let (du, dv) = (xx * along + xy * down, xy * along + yy * down);
            if du * du + dv * dv < SHORT_PX * SHORT_PX {
                break;
            }
            next = [motion[0] - du, motion[1] - dv];
            let (far_u, far_v) = (next[0] - start[0], next[1] - start[1]);
            if far_u * far_u + far_v * far_v > FAR_PX * FAR_PX {
                return start;
            }
        }
        motion
    }
}

/// Whether two motions are no farther from each other than `far`.
#[inline(always)]
pub(super) fn are_alike(a: [f32; 2], b: [f32; 2], far: f32) -> bool {
    let (du, dv) = (a[0] - b[0], a[1] - b[1]);
    du * du + dv * dv <= far * far
}

/// Sum of squares of differences from their mean.
#[inline(always)]
fn less_mean(sum: f32, squares: f32) -> f32 {
    squares - sum * sum / (PATCH * PATCH) as f32
}

/// Eight values of a level from `(x - 1 + dx, y - 1 + dy)` on.
#[inline(always)]
fn octet<S: Simd>(simd: S, level: &Level, x: usize, y: usize, [dx, dy]: [usize; 2]) -> Octet<S> {
    let window = level.window(x as isize - 1, (y + dy) as isize - 1);
    Octet::load(simd, window[dx..].first_chunk().expect("dx is at most 2"))
}

/// A place between pixels.
struct Moved<S: Simd> {
    simd: S,
    left: isize,
    top: isize,
    right_share: Octet<S>,
    low_share: Octet<S>,
}

impl<S: Simd> Moved<S> {
    #[inline(always)]
    fn new(simd: S, to: &Level, [x, y]: [f32; 2]) -> Self {
        let last = |side: usize| side as f32 - PATCH as f32 + OUTSIDE_PX;
        // Moved by a whole border, so that what is cut off is below zero nowhere.
        let x = x.max(-OUTSIDE_PX).min(last(to.width)) + BORDER_PX as f32;
        let y = y.max(-OUTSIDE_PX).min(last(to.height)) + BORDER_PX as f32;
        let (left, top) = (x as usize, y as usize);
        Self {
            simd,
            left: left as isize - BORDER_PX as isize,
            top: top as isize - BORDER_PX as isize,
            right_share: Octet::splat(simd, x - left as f32),
            low_share: Octet::splat(simd, y - top as f32),
        }
    }

    /// Row `i` between the pixels in x.
    #[inline(always)]
    fn row(&self, to: &Level, i: usize) -> Octet<S> {
        let window = to.window(self.left, self.top + i as isize);
        let left = Octet::load(self.simd, window.first_chunk().expect("ten values"));
        let right = Octet::load(self.simd, window[1..].first_chunk().expect("ten values"));
        left.add_product(self.right_share, right.sub(left))
    }
}
