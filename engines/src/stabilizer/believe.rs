//! How much of the history each cell may keep.
//!
//! Flow is believed where luma agrees with where it says things came from, where the flow back leads home
//! (forward-backward check), where the frame before is not left, and where something of the frame before arrives at all:
//! cells that nothing flows into show what was hidden. What does not move is told by the frames alone.

use rayon::prelude::*;

use super::flow::Flow;
use super::motion::Motion;
use super::pyramid::Level;
use crate::simd::vectorise;

/// Mean differences of luma over 3x3 cells, in codes: up to the first, flow is believed, from the second on, it is not.
const DIFFERENCE: (f32, f32) = (3.0, 10.0);
/// The same of what does not move; between the two lies sensor noise.
const STILL_DIFFERENCE: f32 = 2.25;
/// And it has not moved by as many cells, as far as flow can tell.
const STILL_WAY: f32 = 0.5;
/// What does not move agrees at least as well with the same place as with where flow says it came from, but for this.
const STILL_MARGIN: f32 = 1.0;
/// What stays may be painted for a light that was off by so many codes: up to the first it is held as ever, from the
/// second on not at all.
const BEHIND: (f32, f32) = (1.5, 4.5);
/// Distances in cells at which the way forth and back may end from home.
const HOME: (f32, f32) = (1.0, 2.0);
/// The further a cell moves, the further from home it may end: by this share of its way.
const HOME_SHARE: f32 = 0.05;
/// What arrives at a cell, as shares of a cell.
const ARRIVED: (f32, f32) = (0.65, 0.92);
/// Rows of cells that one thread takes at a time.
const BAND_ROWS: usize = 16;

/// Planes that are filled for every frame, of a value per cell.
#[derive(Default)]
pub(crate) struct Belief {
    /// Differences of luma to where flow says it came from.
    moved: Vec<f32>,
    /// Differences of luma to the same place.
    stayed: Vec<f32>,
    /// Whether the way back leads home.
    paths: Vec<f32>,
    /// What of the older frame arrives.
    arrived: Vec<f32>,
    /// Shares before neighbours have had their say, of what moves and of what does not.
    moving: Vec<f32>,
    still: Vec<f32>,
    room: [Vec<f32>; 2],
    /// Luma that the history of what stays was painted for: it lags as the history does.
    painted_for: Vec<f32>,
}

/// What two frames say about each other.
pub(crate) struct Evidence<'a> {
    /// Luma of the newer frame.
    pub now: &'a Level,
    /// Luma of the older one.
    pub before: &'a Level,
    /// Flow from the newer to the older one and back; none: only what does not move is found.
    pub flows: Option<(&'a Flow, &'a Flow)>,
}

/// Shares of history.
#[derive(Clone, Copy)]
pub(crate) struct Shares {
    /// Of what moves.
    pub moving: f32,
    /// Of what does not.
    pub still: f32,
}

impl Belief {
    /// Takes a frame that is shown as it was painted.
    pub(crate) fn start(&mut self, now: &Level) {
        self.painted_for.resize(now.width * now.height, 0.0);
        for (y, row) in self.painted_for.chunks_exact_mut(now.width).enumerate() {
            row.copy_from_slice(now.row(y));
        }
    }

    /// Fills `motion`.
    pub(crate) fn weigh(&mut self, evidence: &Evidence<'_>, shares: Shares, motion: &mut Motion) {
        let (width, height) = (evidence.now.width, evidence.now.height);
        let n_cells = width * height;
        for plane in [&mut motion.u, &mut motion.v, &mut motion.share] {
            plane.resize(n_cells, 0.0);
        }
        (motion.width, motion.height, motion.is_fresh) = (width, height, false);
        let Self {
            moved,
            stayed,
            paths,
            arrived,
            moving,
            still,
            room: [one, other],
            painted_for,
        } = self;
        for plane in [
            &mut *moved,
            &mut *stayed,
            &mut *paths,
            &mut *arrived,
            &mut *moving,
            &mut *still,
            &mut *one,
            &mut *other,
            &mut *painted_for,
        ] {
            plane.resize(n_cells, 0.0);
        }
        match evidence.flows {
            Some((there, back)) => {
                let planes = [&mut moved[..], &mut stayed[..], &mut paths[..]];
                rayon::join(
                    || compare(evidence, there, back, planes),
                    || count_arrivals(back, arrived),
                );
                rayon::join(
                    || mean_3x3(moved, one, width),
                    || mean_3x3(stayed, other, width),
                );
            }
            None => {
                compare_places(evidence, stayed);
                mean_3x3(stayed, other, width);
            }
        }
        let raw = Raw {
            moved,
            stayed,
            paths,
            arrived,
        };
        {
            let (moving, still) = (&mut moving[..], &mut still[..]);
            vectorise!(raw.settle(evidence.flows, moving, still));
        }
        if evidence.flows.is_some() {
            rayon::join(
                || least_3x3(moving, one, width),
                || least_3x3(still, other, width),
            );
        } else {
            least_3x3(still, other, width);
        }
        let settled = Settled {
            moving,
            still,
            shares,
        };
        vectorise!(settled.join(evidence, painted_for, motion));
    }
}

/// Differences of luma to the same place.
fn compare_places(evidence: &Evidence<'_>, stayed: &mut [f32]) {
    let width = evidence.now.width;
    vectorise!(
        for (y, stayed) in stayed.chunks_exact_mut(width).enumerate() {
            compare_place(evidence, y, stayed);
        }
    );
}

#[inline(always)]
fn compare_place(evidence: &Evidence<'_>, y: usize, stayed: &mut [f32]) {
    let n = stayed.len();
    let (now, before) = (&evidence.now.row(y)[..n], &evidence.before.row(y)[..n]);
    for i in 0..n {
        stayed[i] = (now[i] - before[i]).abs();
    }
}

/// Differences of luma, and whether flow leads home.
fn compare(
    evidence: &Evidence<'_>,
    there: &Flow,
    back: &Flow,
    [moved, stayed, paths]: [&mut [f32]; 3],
) {
    let width = evidence.now.width;
    let rows = moved
        .par_chunks_exact_mut(width)
        .zip(stayed.par_chunks_exact_mut(width))
        .zip(paths.par_chunks_exact_mut(width));
    let rows = rows.enumerate().with_min_len(BAND_ROWS);
    rows.for_each(|(y, ((moved, stayed), paths))| {
        vectorise!({
            compare_place(evidence, y, stayed);
            compare_row(evidence, there, back, y, moved, paths);
        });
    });
}

/// How much of the older frame arrives at every cell of the newer one: a cell spreads over the four that it lands on.
fn count_arrivals(back: &Flow, arrived: &mut [f32]) {
    let (width, height) = (back.width, back.height);
    arrived.fill(0.0);
    vectorise!(for y in 0..height {
        for x in 0..width {
            let idx = y * width + x;
            let (to_x, to_y) = (x as f32 + back.u[idx], y as f32 + back.v[idx]);
            let (left, top) = (to_x.floor(), to_y.floor());
            let (right_share, low_share) = (to_x - left, to_y - top);
            if left < 0.0 || top < 0.0 || left >= (width - 1) as f32 || top >= (height - 1) as f32 {
                // What lands on the border itself is not kept either.
                continue;
            }
            let idx = top as usize * width + left as usize;
            arrived[idx] += (1.0 - right_share) * (1.0 - low_share);
            arrived[idx + 1] += right_share * (1.0 - low_share);
            arrived[idx + width] += (1.0 - right_share) * low_share;
            arrived[idx + width + 1] += right_share * low_share;
        }
    });
}

/// Evidence of all cells.
struct Raw<'a> {
    moved: &'a [f32],
    stayed: &'a [f32],
    paths: &'a [f32],
    arrived: &'a [f32],
}

impl Raw<'_> {
    /// Shares of each cell by itself: of what moves, and of what does not.
    #[inline(always)]
    fn settle(&self, flows: Option<(&Flow, &Flow)>, moving: &mut [f32], still: &mut [f32]) {
        let n = moving.len();
        let still = &mut still[..n];
        let (moved, stayed) = (&self.moved[..n], &self.stayed[..n]);
        let (paths, arrived) = (&self.paths[..n], &self.arrived[..n]);
        let Some((there, _)) = flows else {
            for i in 0..n {
                still[i] = f32::from(u8::from(stayed[i] < STILL_DIFFERENCE));
            }
            moving.fill(0.0);
            return;
        };
        let (u, v) = (&there.u[..n], &there.v[..n]);
        for i in 0..n {
            let arrived = rise(arrived[i], ARRIVED);
            let way = u[i] * u[i] + v[i] * v[i];
            let stays = way < STILL_WAY * STILL_WAY
                && stayed[i] < STILL_DIFFERENCE
                && stayed[i] <= moved[i] + STILL_MARGIN;
            moving[i] = paths[i] * arrived * (1.0 - rise(moved[i], DIFFERENCE));
            still[i] = if stays { arrived } else { 0.0 };
        }
    }
}

/// Shares of each cell after its neighbours have had their say.
struct Settled<'a> {
    moving: &'a [f32],
    still: &'a [f32],
    shares: Shares,
}

impl Settled<'_> {
    /// Flow and share of each cell.
    ///
    /// What stays is held for long. If its light changes slowly, a little from frame to frame, the history would fall
    /// far behind: the further it has, the less of it is kept.
    #[inline(always)]
    fn join(&self, evidence: &Evidence<'_>, painted_for: &mut [f32], motion: &mut Motion) {
        let Self {
            moving,
            still,
            shares,
        } = self;
        let width = motion.width;
        for y in 0..motion.height {
            let span = y * width..(y + 1) * width;
            let now = &evidence.now.row(y)[..width];
            let (moving, still) = (&moving[span.clone()], &still[span.clone()]);
            let painted_for = &mut painted_for[span.clone()];
            let share = &mut motion.share[span.clone()];
            for x in 0..width {
                let behind = now[x] - painted_for[x];
                let held = still[x] * shares.still * (1.0 - rise(behind.abs(), BEHIND));
                let stays = still[x] > 0.5;
                share[x] = if stays {
                    held
                } else {
                    moving[x] * shares.moving
                };
                painted_for[x] += if stays { (1.0 - held) * behind } else { behind };
            }
            let (u, v) = (&mut motion.u[span.clone()], &mut motion.v[span.clone()]);
            match evidence.flows {
                Some((there, _)) => {
                    let (from_u, from_v) = (&there.u[span.clone()], &there.v[span]);
                    for x in 0..width {
                        let moves = if still[x] > 0.5 { 0.0 } else { 1.0 };
                        u[x] = moves * from_u[x];
                        v[x] = moves * from_v[x];
                    }
                }
                None => {
                    u.fill(0.0);
                    v.fill(0.0);
                }
            }
        }
    }
}

#[inline(always)]
fn compare_row(
    evidence: &Evidence<'_>,
    there: &Flow,
    back: &Flow,
    y: usize,
    moved: &mut [f32],
    paths: &mut [f32],
) {
    let (width, height) = (there.width, there.height);
    let (now, paths) = (&evidence.now.row(y)[..width], &mut paths[..width]);
    let moved = &mut moved[..width];
    let (u, v) = (
        &there.u[y * width..][..width],
        &there.v[y * width..][..width],
    );
    let (max_x, max_y) = ((width - 1) as f32, (height - 1) as f32);
    for x in 0..width {
        let (u, v) = (u[x], v[x]);
        let (from_x, from_y) = (x as f32 + u, y as f32 + v);
        let (clamped_x, clamped_y) = (from_x.clamp(0.0, max_x), from_y.clamp(0.0, max_y));
        let (left, top) = (clamped_x as usize, clamped_y as usize);
        let (right_share, low_share) = (clamped_x - left as f32, clamped_y - top as f32);
        let window = |row: usize| evidence.before.window(left as isize, row as isize);
        let (upper, lower) = (window(top), window(top + 1));
        let upper = upper[0] + right_share * (upper[1] - upper[0]);
        let lower = lower[0] + right_share * (lower[1] - lower[0]);
        moved[x] = (now[x] - (upper + low_share * (lower - upper))).abs();

        // The nearest cell's way back is near enough.
        let nearest = (clamped_y + 0.5) as usize * width + (clamped_x + 0.5) as usize;
        let (off_u, off_v) = (u + back.u[nearest], v + back.v[nearest]);
        let off = (off_u * off_u + off_v * off_v).sqrt() - HOME_SHARE * (u * u + v * v).sqrt();
        let is_inside =
            from_x >= 1.0 && from_x <= max_x - 1.0 && from_y >= 1.0 && from_y <= max_y - 1.0;
        paths[x] = if is_inside {
            1.0 - rise(off, HOME)
        } else {
            0.0
        };
    }
}

/// 0 up to the first value, 1 from the second on, smooth between.
#[inline(always)]
fn rise(value: f32, (first, second): (f32, f32)) -> f32 {
    let share = ((value - first) / (second - first)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

/// Replaces a plane by its means over 3x3 cells; the border is repeated outwards.
fn mean_3x3(plane: &mut [f32], room: &mut [f32], width: usize) {
    vectorise!(by_3x3(plane, room, width, |a, b, c| (a + b + c) * (1.0 / 3.0)));
}

/// Replaces a plane by the least of 3x3 cells.
fn least_3x3(plane: &mut [f32], room: &mut [f32], width: usize) {
    vectorise!(by_3x3(plane, room, width, |a, b, c| a.min(b).min(c)));
}

/// Joins three cells in a column, then three of these in a row.
#[inline(always)]
fn by_3x3(plane: &mut [f32], room: &mut [f32], width: usize, join: impl Fn(f32, f32, f32) -> f32) {
    let height = plane.len() / width;
    for y in 0..height {
        let row = |y: usize| &plane[y * width..][..width];
        let (above, here) = (row(y.saturating_sub(1)), row(y));
        let below = row((y + 1).min(height - 1));
        let out = &mut room[y * width..][..width];
        for x in 0..width {
            out[x] = join(above[x], here[x], below[x]);
        }
    }
    for y in 0..height {
        let row = &room[y * width..][..width];
        let out = &mut plane[y * width..][..width];
        let last = width - 1;
        for x in 1..last {
            out[x] = join(row[x - 1], row[x], row[x + 1]);
        }
        out[0] = join(row[0], row[0], row[1]);
        out[last] = join(row[last - 1], row[last], row[last]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stabilizer::flow::Search;
    use crate::stabilizer::pyramid::Pyramid;

    const SHARES: Shares = Shares {
        moving: 0.8,
        still: 0.96,
    };

    fn wall(x: f32, y: f32) -> f32 {
        120.0 + 50.0 * (x * 0.21).sin() + 40.0 * (y * 0.17 + x * 0.05).cos()
    }

    fn motion(before: &Pyramid, now: &Pyramid, with_flow: bool) -> Motion {
        let (mut there, mut back) = (Flow::default(), Flow::default());
        let mut search = Search::default();
        search.find(now, before, 1, &mut there);
        search.find(before, now, 1, &mut back);
        let evidence = Evidence {
            now: &now.levels[1],
            before: &before.levels[1],
            flows: with_flow.then_some((&there, &back)),
        };
        let (mut belief, mut motion) = (Belief::default(), Motion::default());
        belief.start(evidence.before);
        belief.weigh(&evidence, SHARES, &mut motion);
        motion
    }

    #[test]
    fn what_stays_is_held() {
        let picture = Pyramid::of(160, 96, wall);
        for with_flow in [false, true] {
            let motion = motion(&picture, &picture, with_flow);
            let held = motion.share.iter().filter(|&&share| share > 0.95).count();
            let n_cells = motion.share.len();
            // With flow, nothing arrives for sure at the very border.
            assert!(
                held * 10 >= n_cells * 8,
                "{held} of {n_cells} cells are held"
            );
            assert!(motion.u.iter().chain(&motion.v).all(|&way| way == 0.0));
        }
    }

    #[test]
    fn what_moves_takes_its_share_along() {
        let before = Pyramid::of(160, 96, wall);
        let now = Pyramid::of(160, 96, |x, y| wall(x - 4.6, y - 1.2));
        let motion = motion(&before, &now, true);
        let middle = 24 * motion.width + 40;
        assert!((motion.u[middle] + 2.3).abs() < 0.1, "{}", motion.u[middle]);
        assert!((motion.v[middle] + 0.6).abs() < 0.1, "{}", motion.v[middle]);
        assert!(motion.share[middle] > 0.75);
        // What came into the picture from the left was never painted.
        assert_eq!(motion.share[24 * motion.width], 0.0);
    }

    #[test]
    fn without_flow_what_moves_has_no_history() {
        let before = Pyramid::of(160, 96, wall);
        let now = Pyramid::of(160, 96, |x, y| wall(x - 9.0, y - 5.0));
        let motion = motion(&before, &now, false);
        let mean = motion.share.iter().sum::<f32>() / motion.share.len() as f32;
        assert!(mean < 0.1, "{mean}");
    }

    #[test]
    fn what_appears_has_no_history() {
        let ball = |x: f32, y: f32| (x - 80.0).hypot(y - 48.0) < 16.0;
        let before = Pyramid::of(160, 96, wall);
        let now = Pyramid::of(160, 96, |x, y| if ball(x, y) { 20.0 } else { wall(x, y) });
        for with_flow in [false, true] {
            let motion = motion(&before, &now, with_flow);
            assert!(motion.share[24 * motion.width + 40] < 0.01);
        }
    }

    #[test]
    fn history_does_not_fall_far_behind_slow_light() {
        let mut belief = Belief::default();
        let mut motion = Motion::default();
        let (mut before, mut painted) = (Pyramid::of(64, 64, wall), None);
        for idx in 1..60 {
            // A code from frame to frame is less than what is taken for noise.
            let now = Pyramid::of(64, 64, |x, y| wall(x, y) - idx as f32);
            let evidence = Evidence {
                now: &now.levels[1],
                before: &before.levels[1],
                flows: None,
            };
            belief.weigh(&evidence, SHARES, &mut motion);
            let (cell, luma) = (16 * motion.width + 16, now.levels[1].row(16)[16]);
            let old = painted.unwrap_or(luma);
            painted = Some(luma + motion.share[cell] * (old - luma));
            before = now;
        }
        let behind = painted.unwrap() - before.levels[1].row(16)[16];
        assert!((0.0..4.5).contains(&behind), "{behind} codes behind");
    }
}
