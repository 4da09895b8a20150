//! Motion brought from cells to the segments of a picture's rows.

use rayon::prelude::*;

use super::motion::Motion;
use super::row::lesser;

/// Pixels of a row that are moved together.
pub(super) const SEGMENT: usize = 8;

/// Rows of cells that one thread takes at least.
const MIN_ROWS: usize = 16;

/// Motion brought from cells to the segments of the picture's rows, at rows of cells.
#[derive(Default)]
pub(super) struct Segments {
    pub n_segments: usize,
    n_rows: usize,
    /// Steps of each segment in pixels.
    u: Vec<f32>,
    v: Vec<f32>,
    /// Share of history at the ends of segments, one more than there are segments.
    share: Vec<f32>,
    /// The same, where things move.
    moving: Vec<f32>,
}

impl Segments {
    /// Takes the motion of a picture of `width` times `height` pixels. All shares of history are multiplied by `fade`.
    /// Where nothing moves, they are all that is taken.
    pub(super) fn fill(&mut self, motion: &Motion, fade: f32, (width, height): (usize, usize)) {
        let n_segments = width.div_ceil(SEGMENT);
        let n_nodes = n_segments + 1;
        (self.n_segments, self.n_rows) = (n_segments, motion.height);
        for steps in [&mut self.u, &mut self.v] {
            steps.resize(n_segments * motion.height, 0.0);
        }
        for shares in [&mut self.share, &mut self.moving] {
            shares.resize(n_nodes * motion.height, 0.0);
        }
        let (wide, high) = (
            width as f32 / motion.width as f32,
            height as f32 / motion.height as f32,
        );
        let cell_at = |px: f32| ((px / wide).max(0.0) as usize).min(motion.width - 1);
        let half = SEGMENT as f32 / 2.0;
        let ends: Vec<_> = (0..n_nodes)
            .map(|node| (node * SEGMENT) as f32)
            .map(|px| (cell_at(px - half), cell_at(px + half - 1.0)))
            .collect();
        let rows = self.share.par_chunks_exact_mut(n_nodes).enumerate();
        rows.with_min_len(MIN_ROWS).for_each(|(row, shares)| {
            let cells = &motion.share[row * motion.width..][..motion.width];
            for (share, &(first, last)) in shares.iter_mut().zip(&ends) {
                *share = fade * cells[first..=last].iter().copied().fold(1.0, lesser);
            }
        });
        if motion.is_still {
            return;
        }
        let middles: Vec<_> = (0..n_segments)
            .map(|segment| cell_at((segment * SEGMENT) as f32 + half))
            .collect();
        let rows = self
            .u
            .par_chunks_exact_mut(n_segments)
            .zip(self.v.par_chunks_exact_mut(n_segments))
            .zip(self.moving.par_chunks_exact_mut(n_nodes))
            .zip(self.share.par_chunks_exact(n_nodes));
        let rows = rows.enumerate().with_min_len(MIN_ROWS);
        rows.for_each(|(row, (((u, v), moving), shares))| {
            let cells = row * motion.width;
            for (segment, &cell) in middles.iter().enumerate() {
                u[segment] = motion.u[cells + cell] * wide;
                v[segment] = motion.v[cells + cell] * high;
            }
            for (node, &(first, last)) in ends.iter().enumerate() {
                let moves = (cells + first..=cells + last)
                    .any(|cell| motion.u[cell] != 0.0 || motion.v[cell] != 0.0);
                moving[node] = if moves { shares[node] } else { 0.0 };
            }
        });
    }

    /// The two rows of cells about pixel row `y` of `height`, and the share of the second.
    #[inline(always)]
    fn about(&self, y: usize, height: usize) -> (usize, usize, f32) {
        let position = (y as f32 + 0.5) * self.n_rows as f32 / height as f32 - 0.5;
        let position = position.clamp(0.0, (self.n_rows - 1) as f32);
        let row = position as usize;
        (row, (row + 1).min(self.n_rows - 1), position - row as f32)
    }

    /// Whether anything moves in pixel row `y` that is kept.
    #[inline(always)]
    pub(super) fn moves(&self, y: usize, height: usize) -> bool {
        let (top, bottom, _) = self.about(y, height);
        let n_nodes = self.n_segments + 1;
        let row = |row: usize| &self.moving[row * n_nodes..][..n_nodes];
        row(top).iter().chain(row(bottom)).any(|&share| share > 0.0)
    }

    /// What holds in pixel row `y` of `height`.
    #[inline(always)]
    pub(super) fn mix(&self, y: usize, height: usize) -> Mix<'_> {
        let (top, bottom, low_share) = self.about(y, height);
        let n_segments = self.n_segments;
        let n_nodes = n_segments + 1;
        let ends = |values| {
            [
                row_of(values, top, n_nodes),
                row_of(values, bottom, n_nodes),
            ]
        };
        let ways = |values| {
            [
                row_of(values, top, n_segments),
                row_of(values, bottom, n_segments),
            ]
        };
        Mix {
            u: ways(&self.u),
            v: ways(&self.v),
            share: ends(&self.share),
            moving: ends(&self.moving),
            low_share,
        }
    }
}

fn row_of(values: &[f32], row: usize, n: usize) -> &[f32] {
    &values[row * n..][..n]
}

/// Two rows of cells, mixed.
pub(super) struct Mix<'a> {
    u: [&'a [f32]; 2],
    v: [&'a [f32]; 2],
    share: [&'a [f32]; 2],
    moving: [&'a [f32]; 2],
    low_share: f32,
}

impl Mix<'_> {
    /// Share of history at the left end of a segment.
    #[inline(always)]
    pub(super) fn share(&self, node: usize) -> f32 {
        let [top, bottom] = self.share;
        top[node] + self.low_share * (bottom[node] - top[node])
    }

    /// Shares of history at the ends of all segments, and the same where things move.
    #[inline(always)]
    pub(super) fn shares(&self, share: &mut [f32], moving: &mut [f32]) {
        self.map(self.share, share, |share| share);
        self.map(self.moving, moving, |share| share);
    }

    /// Steps of all segments in x and y: what `count` makes of those in pixels.
    #[inline(always)]
    pub(super) fn ways(&self, u: &mut [i32], v: &mut [i32], count: impl Fn(f32) -> i32) {
        self.map(self.u, u, &count);
        self.map(self.v, v, &count);
    }

    #[inline(always)]
    fn map<T>(&self, [top, bottom]: [&[f32]; 2], out: &mut [T], to: impl Fn(f32) -> T) {
        for (out, (top, bottom)) in out.iter_mut().zip(top.iter().zip(bottom)) {
            *out = to(top + self.low_share * (bottom - top));
        }
    }
}

/// Values from `start` at the left end of a segment to `end` at its right one.
#[inline(always)]
pub(super) fn ramp(start: f32, end: f32, out: &mut [f32]) {
    let out: &mut [f32; SEGMENT] = out.first_chunk_mut().expect("rows are whole segments");
    let step = (end - start) / SEGMENT as f32;
    for i in 0..SEGMENT {
        out[i] = start + (i as f32 + 0.5) * step;
    }
}
