//! Painted frame and history to what is shown.
//!
//! The history is moved, cut to the range of the new frame about each pixel, and blended in by its share. Paint that was
//! moved and averaged has lost some of its finest detail: where things move, it is sharpened by so much that the whole
//! keeps the gradients of frames painted one by one.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::history::{History, store};
use super::hold::{HeldBand, Hold, held_bands};
use super::motion::Motion;
use super::painted::{self, Painted};
use super::row::{gradient, greater, lesser, range_of, sharpen};
use super::segments::{SEGMENT, Segments, ramp};
use super::sharpening::Sharpening;
use super::warp::{Columns, Places, Warp};
use crate::simd::{dispatch, vectorise};

/// History may go beyond the range of the nine pixels about it by this share of white.
pub(crate) const MARGIN: f32 = 0.04 * History::WHITE;
/// Rows above and below that a row sees of the painted picture: sharpened from those beside it, which are cut to the range of
/// those beside them.
const REACH: usize = 2;
/// Bands of rows per thread: more would blend more rows twice, fewer would let threads wait for each other.
const BANDS: usize = 4;
/// Gradients are compared on every so many rows: a prime number, for paint may have a pattern that repeats.
pub(crate) const MEASURED_ROWS: usize = 7;

/// Blends frames; what it keeps is the amount of sharpening.
#[derive(Default)]
pub(crate) struct Blender {
    warp: Warp,
    sharpening: Sharpening,
    segments: Segments,
}

impl Blender {
    /// The present amount of sharpening.
    #[cfg(all(test, feature = "tensorrt-common"))]
    pub(crate) fn sharpening(&self) -> Sharpening {
        self.sharpening
    }

    /// Forgets how much was sharpened.
    pub(crate) fn forget(&mut self) {
        self.sharpening = Sharpening::default();
    }

    /// Takes a painted picture as it is.
    pub(crate) fn take(&mut self, painted: &Painted<'_>, now: &mut History) {
        self.sharpening.begin_scene();
        let (width, row_len) = (now.width, now.row_len());
        let band_rows = band_rows(now.height);
        now.data_mut()
            .par_chunks_mut(row_len * band_rows)
            .enumerate()
            .for_each(|(band_idx, band)| {
                let first = band_idx * band_rows;
                let painted = painted.rows(first..first + band.len() / row_len);
                with_rows(width, |rows| {
                    let row = &mut rows.moved[..];
                    vectorise!(for (i, out) in band.chunks_exact_mut(row_len).enumerate() {
                        painted.load(first + i, row);
                        store(out, row);
                    });
                });
            });
    }

    /// Blends a painted picture with the history `before`, moved by `motion`.
    ///
    /// With `fade`, from 1 down, the history is of another style: all of it is kept to that share, whatever its colours.
    pub(crate) fn blend(
        &mut self,
        painted: &Painted<'_>,
        motion: &Motion,
        fade: Option<f32>,
        before: &History,
        now: &mut History,
    ) {
        let (width, height, row_len) = (now.width, now.height, now.row_len());
        let band_rows = band_rows(height);
        self.segments
            .fill(motion, fade.unwrap_or(1.0), (width, height));
        let Self {
            warp,
            sharpening,
            segments,
        } = self;
        let amount = sharpening.amount();
        let gradients = [AtomicU64::new(0), AtomicU64::new(0)];
        now.data_mut()
            .par_chunks_mut(row_len * band_rows)
            .enumerate()
            .for_each(|(band_idx, band)| {
                let first = band_idx * band_rows;
                let end = first + band.len() / row_len;
                let seen = first.saturating_sub(REACH)..(end + REACH).min(height);
                let work = Work {
                    painted: painted.rows(seen),
                    before,
                    warp,
                    segments,
                    amount,
                    margin: fade.map_or(MARGIN, |_| History::WHITE),
                };
                let found = with_rows(width, |rows| {
                    dispatch(Band {
                        work: &work,
                        rows,
                        first,
                        out: band,
                    })
                });
                for (sum, found) in gradients.iter().zip(found) {
                    sum.fetch_add(found as u64, Ordering::Relaxed);
                }
            });
        let [wanted, found] = gradients.map(|sum| sum.into_inner() as f32);
        sharpening.correct(wanted, found);
    }

    /// Blends a painted picture with a history of which nothing moves, in its place and band by band as it is taken.
    pub(crate) fn hold<'a>(
        &'a mut self,
        painted: Painted<'a>,
        motion: &Motion,
        fade: Option<f32>,
        history: &'a mut History,
    ) -> impl IndexedParallelIterator<Item = HeldBand<'a>> {
        let size = (history.width, history.height);
        self.segments.fill(motion, fade.unwrap_or(1.0), size);
        let hold = Hold {
            segments: &self.segments,
            size,
        };
        held_bands(hold, painted, history)
    }
}

/// Rows that one thread takes at a time.
fn band_rows(height: usize) -> usize {
    height.div_ceil(BANDS * rayon::current_num_threads()).max(8)
}

/// What a band needs to know.
struct Work<'a> {
    painted: painted::Rows<'a>,
    before: &'a History,
    warp: &'a Warp,
    segments: &'a Segments,
    /// What is added of four times a pixel's difference to the mean of its neighbours, where things move.
    amount: f32,
    /// What history may go beyond the range of the nine pixels about it.
    margin: f32,
}

/// Rows that one thread works on; each is three channels one after the other. Row `y` is in place `y % 4`.
struct Rows {
    width: usize,
    painted: [Vec<f32>; 4],
    /// Blended rows, not yet sharpened.
    blended: [Vec<f32>; 4],
    shown: [Vec<f32>; 4],
    /// Share of history where things move, one channel.
    moving: [Vec<f32>; 4],
    /// Which row is in each place.
    painted_idx: [usize; 4],
    blended_idx: [usize; 4],
    places: Places,
    columns: Columns,
    /// Shares of history at the ends of segments, and the same where things move.
    nodes: [Vec<f32>; 2],
    moved: Vec<f32>,
    /// Least and greatest of three rows, one channel.
    low: Vec<f32>,
    high: Vec<f32>,
    /// Share of history, one channel.
    share: Vec<f32>,
}

/// No row.
const NONE: usize = usize::MAX;

thread_local! {
    static ROWS: RefCell<Rows> = RefCell::new(Rows::new(0));
}

/// Calls `work` with this thread's rows, made for pictures of `width` pixels.
fn with_rows<T>(width: usize, work: impl FnOnce(&mut Rows) -> T) -> T {
    ROWS.with_borrow_mut(|rows| {
        if rows.width != width {
            *rows = Rows::new(width);
        }
        work(rows)
    })
}

impl Rows {
    fn new(width: usize) -> Self {
        let n_segments = width.div_ceil(SEGMENT);
        let three = || vec![0.0; 3 * width];
        let threes = || std::array::from_fn(|_| three());
        // Rows of one value per pixel are filled segment by segment.
        let one = || vec![0.0; n_segments * SEGMENT];
        Self {
            width,
            painted: threes(),
            blended: threes(),
            shown: threes(),
            moving: std::array::from_fn(|_| one()),
            painted_idx: [NONE; 4],
            blended_idx: [NONE; 4],
            places: Places::new(n_segments),
            columns: Columns::new(n_segments),
            nodes: std::array::from_fn(|_| vec![0.0; n_segments + 1]),
            moved: three(),
            low: vec![0.0; width],
            high: vec![0.0; width],
            share: one(),
        }
    }
}

/// Values at the ends of segments to values of all their pixels.
#[inline(always)]
fn spread(nodes: &[f32], out: &mut [f32]) {
    let ends = nodes.iter().zip(&nodes[1..]);
    for (out, (&left, &right)) in out.chunks_exact_mut(SEGMENT).zip(ends) {
        ramp(left, right, out);
    }
}

/// A band of the new history.
struct Band<'a> {
    work: &'a Work<'a>,
    rows: &'a mut Rows,
    first: usize,
    out: &'a mut [u16],
}

impl WithSimd for Band<'_> {
    /// Sums of gradients of moving paint, as painted and as shown.
    type Output = [f32; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f32; 2] {
        let Self {
            work,
            rows,
            first,
            out,
        } = self;
        rows.painted_idx = [NONE; 4];
        rows.blended_idx = [NONE; 4];
        let mut gradients = [0.0; 2];
        for (i, out) in out.chunks_exact_mut(work.before.row_len()).enumerate() {
            let y = first + i;
            if work.segments.moves(y, work.before.height) {
                work.show(simd, rows, y, out);
                if y % MEASURED_ROWS == 1 && i > 0 {
                    work.measure(rows, y, &mut gradients);
                }
            } else {
                out.copy_from_slice(work.before.whole_row(y));
                work.hold().whole_row(&work.painted, y, out);
            }
        }
        gradients
    }
}

impl Work<'_> {
    /// What nothing moves in.
    fn hold(&self) -> Hold<'_> {
        Hold {
            segments: self.segments,
            size: (self.before.width, self.before.height),
        }
    }

    /// Has painted row `y` in its place.
    #[inline(always)]
    fn load(&self, rows: &mut Rows, y: usize) {
        if rows.painted_idx[y % 4] != y {
            rows.painted_idx[y % 4] = y;
            self.painted.load(y, &mut rows.painted[y % 4]);
        }
    }

    /// Has row `y`, blended but not yet sharpened, in its place.
    #[inline(always)]
    fn blend_row<S: Simd>(&self, simd: S, rows: &mut Rows, y: usize) {
        if rows.blended_idx[y % 4] == y {
            return;
        }
        rows.blended_idx[y % 4] = y;
        let height = self.before.height;
        let (y_above, y_below) = (y.saturating_sub(1), (y + 1).min(height - 1));
        for y in [y_above, y, y_below] {
            self.load(rows, y);
        }
        let has_history = self.move_row(simd, rows, y);
        let Rows {
            width,
            painted,
            blended,
            moved,
            low,
            high,
            share,
            ..
        } = rows;
        let (n, here) = (*width, &painted[y % 4]);
        let out = &mut blended[y % 4];
        if !has_history {
            out.copy_from_slice(here);
            return;
        }
        let share = &share[..n];
        for channel in 0..3 {
            let span = channel * n..(channel + 1) * n;
            let (out, here) = (&mut out[span.clone()], &here[span.clone()]);
            let (low, high) = (&mut low[..n], &mut high[..n]);
            let above = &painted[y_above % 4][span.clone()];
            let below = &painted[y_below % 4][span.clone()];
            range_of(here, [above, below], low, high);
            let (out, here, moved) = (&mut out[..n], &here[..n], &moved[span][..n]);
            let keep = |i: usize, low: f32, high: f32| {
                let kept = greater(lesser(moved[i], high + self.margin), low - self.margin);
                here[i] + share[i] * (kept - here[i])
            };
            for i in 1..n - 1 {
                let low = lesser(lesser(low[i - 1], low[i]), low[i + 1]);
                let high = greater(greater(high[i - 1], high[i]), high[i + 1]);
                out[i] = keep(i, low, high);
            }
            for (i, beside) in [(0, 1), (n - 1, n - 2)] {
                out[i] = keep(
                    i,
                    lesser(low[i], low[beside]),
                    greater(high[i], high[beside]),
                );
            }
        }
    }

    /// Moves the history of row `y`; false if nothing of it is kept.
    #[inline(always)]
    fn move_row<S: Simd>(&self, simd: S, rows: &mut Rows, y: usize) -> bool {
        let mix = self.segments.mix(y, self.before.height);
        let Rows {
            moved,
            share,
            moving,
            places,
            columns,
            nodes: [share_nodes, moving_nodes],
            ..
        } = rows;
        mix.shares(share_nodes, moving_nodes);
        spread(share_nodes, share);
        spread(moving_nodes, &mut moving[y % 4]);
        let has_history = places.fill(&mix, share_nodes);
        if has_history {
            self.warp
                .filter_columns(simd, self.before, y, places, columns);
            self.warp.filter_rows(simd, places, columns, moved);
        }
        has_history
    }

    /// Blends row `y`, sharpens it where things move, and writes it.
    #[inline(always)]
    fn show<S: Simd>(&self, simd: S, rows: &mut Rows, y: usize, out: &mut [u16]) {
        let (y_above, y_below) = (y.saturating_sub(1), (y + 1).min(self.before.height - 1));
        for y in [y_above, y, y_below] {
            self.blend_row(simd, rows, y);
        }
        let Rows {
            width,
            blended,
            moving,
            shown,
            ..
        } = rows;
        let moving = &moving[y % 4][..*width];
        for channel in 0..3 {
            let span = channel * *width..(channel + 1) * *width;
            let row = |y: usize| &blended[y % 4][span.clone()];
            let shown = &mut shown[y % 4][span.clone()];
            sharpen(
                row(y),
                [row(y_above), row(y_below)],
                moving,
                self.amount,
                shown,
            );
        }
        store(out, &shown[y % 4]);
    }

    /// Adds the gradients of row `y` and the one above it.
    #[inline(always)]
    fn measure(&self, rows: &Rows, y: usize, gradients: &mut [f32; 2]) {
        let moving = &rows.moving[y % 4];
        for channel in 0..3 {
            let span = channel * rows.width..(channel + 1) * rows.width;
            let of = |rows: &[Vec<f32>; 4]| {
                let (here, above) = (&rows[y % 4], &rows[(y - 1) % 4]);
                gradient(&here[span.clone()], &above[span.clone()], moving)
            };
            gradients[0] += of(&rows.painted);
            gradients[1] += of(&rows.shown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::{Canvas, Copies, Painting, Picture, Pixels};

    const WIDTH: usize = 75;
    const HEIGHT: usize = 50;

    /// A picture of three planes, 0 to 1.
    fn planes(value: impl Fn(usize, usize, usize) -> f32) -> Vec<f32> {
        let places =
            (0..3).flat_map(|c| (0..HEIGHT).flat_map(move |y| (0..WIDTH).map(move |x| (c, y, x))));
        places.map(|(c, y, x)| value(c, y, x)).collect()
    }

    fn painted(data: &[f32]) -> Painted<'_> {
        let picture = Picture::new(data, Canvas::planes((WIDTH, HEIGHT)));
        Painted {
            painting: Painting::Whole(picture),
            bounds: (0.0, 1.0),
            is_bgr: false,
        }
    }

    /// Blends, also as what is still to be finished.
    fn blend(old: &[f32], new: &[f32], motion: &Motion, fade: Option<f32>) -> History {
        let whole = blend_with(painted, old, new, motion, fade);
        let canvas = Canvas::planes((WIDTH, HEIGHT));
        let finish = Copies(canvas);
        let finished = blend_with(
            |values| Painted {
                painting: Painting::Unfinished {
                    values,
                    canvas,
                    finish: &finish,
                },
                ..painted(values)
            },
            old,
            new,
            motion,
            fade,
        );
        assert!(whole == finished, "finished row by row is not the same");
        whole
    }

    /// Every cell of eight pixels has gone the same way.
    fn motion([u, v]: [f32; 2], share: f32) -> Motion {
        let (width, height) = (WIDTH.div_ceil(8), HEIGHT.div_ceil(8));
        let n = width * height;
        Motion {
            is_fresh: false,
            is_still: [u, v] == [0.0; 2],
            width,
            height,
            u: vec![u * width as f32 / WIDTH as f32; n],
            v: vec![v * height as f32 / HEIGHT as f32; n],
            share: vec![share; n],
        }
    }

    fn value(history: &History, channel: usize, y: usize, x: usize) -> f32 {
        let mut rows = [[0.0; 1]; 3];
        history.load(y, x, rows.each_mut().map(|row| &mut row[..]));
        rows[channel][0] / History::WHITE
    }

    fn blend_with<'a>(
        painted: impl Fn(&'a [f32]) -> Painted<'a>,
        old: &'a [f32],
        new: &'a [f32],
        motion: &Motion,
        fade: Option<f32>,
    ) -> History {
        let mut blender = Blender::default();
        let (mut before, mut now) = (History::new(WIDTH, HEIGHT), History::new(WIDTH, HEIGHT));
        blender.take(&painted(old), &mut before);
        blender.blend(&painted(new), motion, fade, &before, &mut now);
        if motion.is_still {
            let held = blender.hold(painted(new), motion, fade, &mut before);
            held.for_each(|mut band| band.take_all());
            assert!(before == now, "in place is not the same");
        }
        now
    }

    #[test]
    fn what_stays_is_mixed_by_its_share() {
        let (old, new) = (
            planes(|c, _, x| 0.1 * (c + x % 3) as f32),
            planes(|_, y, _| 0.01 * y as f32),
        );
        let shown = blend(&old, &new, &motion([0.0; 2], 0.75), None);
        for (channel, y, x) in [(0, 0, 0), (1, 25, 40), (2, HEIGHT - 1, WIDTH - 1)] {
            let idx = (channel * HEIGHT + y) * WIDTH + x;
            let wanted = 0.25 * new[idx] + 0.75 * old[idx];
            let found = value(&shown, channel, y, x);
            assert!((found - wanted).abs() < 1e-4, "{found}, wanted {wanted}");
        }
    }

    #[test]
    fn what_moves_takes_its_paint_along() {
        // A slope is what a cubic filter gives back exactly, and what sharpening leaves alone.
        let slope = |shift: f32| {
            planes(move |c, y, x| {
                0.2 + 0.004 * (x as f32 + shift) + 0.002 * y as f32 + 0.1 * c as f32
            })
        };
        let (old, new) = (slope(0.0), slope(-2.5));
        let shown = blend(&old, &new, &motion([-2.5, 0.0], 0.9), None);
        for (channel, y, x) in [(0, 10, 20), (1, 33, 9), (2, 20, 60)] {
            let wanted = new[(channel * HEIGHT + y) * WIDTH + x];
            let found = value(&shown, channel, y, x);
            assert!((found - wanted).abs() < 1e-3, "{found}, wanted {wanted}");
        }
    }

    #[test]
    fn moving_paint_stays_within_the_range_of_the_new() {
        let (old, new) = (planes(|_, _, _| 0.9), planes(|_, _, _| 0.2));
        let shown = blend(&old, &new, &motion([1.5, 0.5], 0.9), None);
        let found = value(&shown, 1, 20, 30);
        assert!(
            (0.2..=0.2 + MARGIN / History::WHITE + 1e-3).contains(&found),
            "{found}"
        );
    }

    #[test]
    fn paint_of_another_style_fades() {
        let (old, new) = (planes(|_, _, _| 0.9), planes(|_, _, _| 0.2));
        for way in [[0.0; 2], [1.5, 0.5]] {
            let found = value(&blend(&old, &new, &motion(way, 1.0), Some(0.5)), 0, 20, 30);
            assert!((found - 0.55).abs() < 1e-3, "{found}");
            let found = value(&blend(&old, &new, &motion(way, 1.0), Some(0.0)), 0, 20, 30);
            assert!((found - 0.2).abs() < 1e-3, "{found}");
        }
    }

    #[test]
    fn blue_first_comes_out_red_first() {
        let data = planes(|c, _, _| 0.3 * c as f32);
        let mut source = painted(&data);
        source.is_bgr = true;
        let mut now = History::new(WIDTH, HEIGHT);
        Blender::default().take(&source, &mut now);
        assert!((value(&now, 0, 3, 3) - 0.6).abs() < 1e-4);
        assert!(value(&now, 2, 3, 3) < 1e-4);
    }
}
