//! How much of the history each cell may keep.
//!
//! Flow is believed where luma agrees with where it says things came from, where the flow back leads home
//! (forward-backward check), where the frame before is not left, and where something of the frame before arrives at all:
//! cells that nothing flows into show what was hidden. What does not move is told by the frames alone.

use std::cell::RefCell;

use rayon::prelude::*;

use super::flow::Flow;
use super::motion::Motion;
use super::pyramid::Level;
use super::row::lesser;
use crate::simd::vectorise;

/// Mean differences of luma over 3x3 cells, in codes: up to the first, flow is believed, from the second on, it is not.
const DIFFERENCE: (f32, f32) = (7.0, 20.0);
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
const ARRIVED: (f32, f32) = (0.6, 0.9);
/// Rows of cells that one thread takes at a time, and cells where rows do not matter.
const BAND_ROWS: usize = 16;
const BAND_CELLS: usize = 4096;

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
    room: Vec<f32>,
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
        if evidence.flows.is_none() && !motion.is_still {
            motion.u.fill(0.0);
            motion.v.fill(0.0);
        }
        for plane in [&mut motion.u, &mut motion.v, &mut motion.share] {
            plane.resize(n_cells, 0.0);
        }
        (motion.width, motion.height, motion.is_fresh) = (width, height, false);
        motion.is_still = evidence.flows.is_none();
        self.painted_for.resize(n_cells, 0.0);
        match evidence.flows {
            Some(flows) => self.weigh_flows(evidence, flows, shares, motion),
            None => hold_cells(
                evidence,
                shares.still,
                &mut self.painted_for,
                &mut motion.share,
            ),
        }
    }

    fn weigh_flows(
        &mut self,
        evidence: &Evidence<'_>,
        (there, back): (&Flow, &Flow),
        shares: Shares,
        motion: &mut Motion,
    ) {
        let (width, n_cells) = (motion.width, motion.share.len());
        let Self {
            moved,
            stayed,
            paths,
            arrived,
            moving,
            still,
            room,
            painted_for,
        } = self;
        for plane in [
            &mut *moved,
            &mut *stayed,
            &mut *paths,
            &mut *arrived,
            &mut *moving,
            &mut *still,
            &mut *room,
        ] {
            plane.resize(n_cells, 0.0);
        }
        let planes = [&mut moved[..], &mut stayed[..], &mut paths[..]];
        rayon::join(
            || compare(evidence, there, back, planes),
            || count_arrivals(back, arrived),
        );
        for plane in [&mut *moved, &mut *stayed] {
            by_3x3(plane, room, width, mean);
            std::mem::swap(plane, room);
        }
        let raw = Raw {
            moved,
            stayed,
            paths,
            arrived,
        };
        raw.settle(there, moving, still);
        for plane in [&mut *moving, &mut *still] {
            by_3x3(plane, room, width, least);
            std::mem::swap(plane, room);
        }
        let settled = Settled {
            moving,
            still,
            shares,
        };
        settled.join(evidence.now, there, painted_for, motion);
    }
}

thread_local! {
    /// Rows of a band and of those about it: differences, and what does not move.
    static ROWS: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// Shares of the history where nothing is known of what moves: all in one go, band by band.
fn hold_cells(evidence: &Evidence<'_>, still: f32, painted_for: &mut [f32], share: &mut [f32]) {
    let (width, height) = (evidence.now.width, evidence.now.height);
    let bands = share.par_chunks_mut(width * BAND_ROWS);
    let bands = bands.zip(painted_for.par_chunks_mut(width * BAND_ROWS));
    bands
        .enumerate()
        .for_each(|(band_idx, (share, painted_for))| {
            let first = band_idx * BAND_ROWS;
            let end = first + share.len() / width;
            let compared = first.saturating_sub(2)..(end + 2).min(height);
            let settled = first.saturating_sub(1)..(end + 1).min(height);
            ROWS.with_borrow_mut(|[differences, stays]| {
                differences.resize((BAND_ROWS + 4) * width, 0.0);
                stays.resize((BAND_ROWS + 2) * width, 0.0);
                vectorise!({
                    for (y, row) in compared.clone().zip(differences.chunks_exact_mut(width)) {
                        compare_place(evidence, y, row);
                    }
                    for (y, row) in settled.clone().zip(stays.chunks_exact_mut(width)) {
                        join_row(
                            about(differences, width, compared.start, y, height),
                            row,
                            mean,
                        );
                        for value in row {
                            *value = f32::from(u8::from(*value < STILL_DIFFERENCE));
                        }
                    }
                    let rows = share.chunks_exact_mut(width);
                    for ((y, share), painted_for) in
                        (first..).zip(rows).zip(painted_for.chunks_exact_mut(width))
                    {
                        join_row(about(stays, width, settled.start, y, height), share, least);
                        for ((share, now), painted_for) in
                            share.iter_mut().zip(evidence.now.row(y)).zip(painted_for)
                        {
                            let behind = now - *painted_for;
                            *share *= still * held(behind);
                            *painted_for += (1.0 - *share) * behind;
                        }
                    }
                });
            });
        });
}

/// Row `y` and its neighbours of a plane of `height` rows, of which `plane` has those from `first` on.
#[inline(always)]
fn about(plane: &[f32], width: usize, first: usize, y: usize, height: usize) -> [&[f32]; 3] {
    [y.saturating_sub(1), y, (y + 1).min(height - 1)]
        .map(|y| &plane[(y - first) * width..][..width])
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
    fn settle(&self, there: &Flow, moving: &mut [f32], still: &mut [f32]) {
        let moving = moving.par_chunks_mut(BAND_CELLS);
        let bands = moving.zip(still.par_chunks_mut(BAND_CELLS)).enumerate();
        bands.for_each(|(band_idx, (moving, still))| {
            vectorise!(self.settle_cells(there, band_idx * BAND_CELLS, moving, still));
        });
    }

    /// The same of the cells from `first` on.
    #[inline(always)]
    fn settle_cells(&self, there: &Flow, first: usize, moving: &mut [f32], still: &mut [f32]) {
        let n = moving.len();
        let still = &mut still[..n];
        let (moved, stayed) = (&self.moved[first..][..n], &self.stayed[first..][..n]);
        let (paths, arrived) = (&self.paths[first..][..n], &self.arrived[first..][..n]);
        let (u, v) = (&there.u[first..][..n], &there.v[first..][..n]);
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
    fn join(&self, now: &Level, there: &Flow, painted_for: &mut [f32], motion: &mut Motion) {
        let width = motion.width;
        let rows = motion.share.par_chunks_exact_mut(width);
        let rows = rows
            .zip(motion.u.par_chunks_exact_mut(width))
            .zip(motion.v.par_chunks_exact_mut(width))
            .zip(painted_for.par_chunks_exact_mut(width));
        let rows = rows.enumerate().with_min_len(BAND_ROWS);
        rows.for_each(|(y, (((share, u), v), painted_for))| {
            vectorise!({
                let first = y * width;
                self.share_row(now.row(y), first, painted_for, share);
                self.move_row(there, first, [u, v]);
            });
        });
    }

    #[inline(always)]
    fn share_row(&self, now: &[f32], first: usize, painted_for: &mut [f32], share: &mut [f32]) {
        let n = share.len();
        let (moving, still) = (&self.moving[first..][..n], &self.still[first..][..n]);
        let (now, painted_for) = (&now[..n], &mut painted_for[..n]);
        for x in 0..n {
            let behind = now[x] - painted_for[x];
            let held = still[x] * self.shares.still * held(behind);
            let stays = still[x] > 0.5;
            share[x] = if stays {
                held
            } else {
                moving[x] * self.shares.moving
            };
            painted_for[x] += if stays { (1.0 - held) * behind } else { behind };
        }
    }

    /// Steps of what moves.
    #[inline(always)]
    fn move_row(&self, there: &Flow, first: usize, [u, v]: [&mut [f32]; 2]) {
        let n = u.len();
        let (still, v) = (&self.still[first..][..n], &mut v[..n]);
        let (from_u, from_v) = (&there.u[first..][..n], &there.v[first..][..n]);
        for x in 0..n {
            let moves = if still[x] > 0.5 { 0.0 } else { 1.0 };
            u[x] = moves * from_u[x];
            v[x] = moves * from_v[x];
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

/// Share of what stays that is held, if luma is so many codes away from what the history was painted for.
///
/// If light changes slowly, a little from frame to frame, the history would fall far behind: the further it has, the less
/// of it is kept.
#[inline(always)]
fn held(behind: f32) -> f32 {
    1.0 - rise(behind.abs(), BEHIND)
}

#[inline(always)]
fn mean(a: f32, b: f32, c: f32) -> f32 {
    (a + b + c) * (1.0 / 3.0)
}

#[inline(always)]
fn least(a: f32, b: f32, c: f32) -> f32 {
    lesser(lesser(a, b), c)
}

/// Joins three cells in a column, then three of these in a row; the border is repeated outwards.
fn by_3x3(
    plane: &[f32],
    out: &mut [f32],
    width: usize,
    join: impl Fn(f32, f32, f32) -> f32 + Copy + Sync,
) {
    let height = plane.len() / width;
    let bands = out.par_chunks_mut(width * BAND_ROWS).enumerate();
    bands.for_each(|(band_idx, band)| {
        vectorise!(for (i, out) in band.chunks_exact_mut(width).enumerate() {
            let y = band_idx * BAND_ROWS + i;
            join_row(about(plane, width, 0, y, height), out, join);
        });
    });
}

/// Cells of a row whose columns are joined together.
const TILE_CELLS: usize = 254;

#[inline(always)]
fn join_row(rows: [&[f32]; 3], out: &mut [f32], join: impl Fn(f32, f32, f32) -> f32) {
    let width = out.len();
    // A tile and the cells left and right of it.
    let mut columns = [0.0; TILE_CELLS + 2];
    for (first, out) in (0..width)
        .step_by(TILE_CELLS)
        .zip(out.chunks_mut(TILE_CELLS))
    {
        let n = out.len();
        let (left, right) = (first.saturating_sub(1), (first + n + 1).min(width));
        let inner = &mut columns[left + 1 - first..][..right - left];
        let [above, here, below] = rows.map(|row| &row[left..right]);
        for (i, column) in inner.iter_mut().enumerate() {
            *column = join(above[i], here[i], below[i]);
        }
        if first == 0 {
            columns[0] = columns[1];
        }
        if first + n == width {
            columns[n + 1] = columns[n];
        }
        for (out, columns) in out.iter_mut().zip(columns.windows(3)) {
            *out = join(columns[0], columns[1], columns[2]);
        }
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
        search.find(now, before, &mut there);
        search.find(before, now, &mut back);
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
