//! Painted frame and history to what is shown, where nothing moves.
//!
//! A pixel needs no other: it is blended where the history has it, on its way out, so that the painting is read once and
//! the history stays in the nearest caches.

use rayon::prelude::*;

use super::history::{History, cut, extend, inner_mut, to_u16};
use super::painted::{Painted, Rows};
use super::segments::{SEGMENT, Segments, ramp};
use crate::convert::{Band, TILE_PX};

/// What is kept of the history.
#[derive(Clone, Copy)]
pub(super) struct Hold<'a> {
    pub segments: &'a Segments,
    /// Width and height of the picture.
    pub size: (usize, usize),
}

/// Rows of the history that become what is shown when they are taken. Values are from 0 to [`History::WHITE`].
pub(crate) struct HeldBand<'a> {
    hold: Hold<'a>,
    painted: Rows<'a>,
    first: usize,
    rows: &'a mut [u16],
    row_len: usize,
}

/// All bands of a history.
pub(super) fn held_bands<'a>(
    hold: Hold<'a>,
    painted: Painted<'a>,
    history: &'a mut History,
) -> impl IndexedParallelIterator<Item = HeldBand<'a>> {
    let row_len = history.row_len();
    let n_rows = painted.painting.band_rows();
    let bands = history.data_mut().par_chunks_mut(row_len * n_rows);
    bands.enumerate().map(move |(band_idx, rows)| {
        let first = band_idx * n_rows;
        HeldBand {
            hold,
            painted: painted.rows(first..first + rows.len() / row_len),
            first,
            rows,
            row_len,
        }
    })
}

impl Hold<'_> {
    /// Blends pixels of row `y` from `x` on, a whole number of segments, into `row` of the history, and gives what they are.
    #[inline(always)]
    fn tile(
        &self,
        painted: &Rows<'_>,
        [x, y]: [usize; 2],
        row: &mut [u16],
        mut out: [&mut [f32]; 3],
    ) {
        let ((width, height), n) = (self.size, out[0].len());
        painted.load_part(y, x, out.each_mut().map(|out| &mut out[..]));
        let mix = self.segments.mix(y, height);
        let mut share = [0.0; TILE_PX];
        let segments = x / SEGMENT..(x + n).div_ceil(SEGMENT);
        for (segment, share) in segments.zip(share.chunks_exact_mut(SEGMENT)) {
            ramp(mix.share(segment), mix.share(segment + 1), share);
        }
        let share = &share[..n];
        let (low, scale) = painted.scale();
        for (channel, out) in out.into_iter().enumerate() {
            let row = &mut inner_mut(row, channel, width)[x..][..n];
            let out = &mut out[..n];
            for i in 0..n {
                let value = cut((out[i] - low) * scale);
                let shown = to_u16(value + share[i] * (f32::from(row[i]) - value));
                row[i] = shown;
                out[i] = f32::from(shown);
            }
        }
        if x + n == width {
            extend(row, width);
        }
    }

    /// Blends row `y` into `row` of the history.
    #[inline(always)]
    pub(super) fn whole_row(&self, painted: &Rows<'_>, y: usize, row: &mut [u16]) {
        let (width, _) = self.size;
        for x in (0..width).step_by(TILE_PX) {
            let mut out = [[0.0; TILE_PX]; 3];
            let n = TILE_PX.min(width - x);
            let out = out.each_mut().map(|out| &mut out[..n]);
            self.tile(painted, [x, y], row, out);
        }
    }
}

impl HeldBand<'_> {
    /// Blends all of it for later.
    pub(crate) fn take_all(&mut self) {
        let Self {
            hold,
            painted,
            first,
            rows,
            row_len,
        } = self;
        crate::simd::vectorise!(
            for (i, row) in rows.chunks_exact_mut(*row_len).enumerate() {
                hold.whole_row(painted, *first + i, row);
            }
        );
    }
}

impl Band for HeldBand<'_> {
    #[inline(always)]
    fn take(&mut self, y: usize, x: usize, out: [&mut [f32]; 3]) {
        let row = &mut self.rows[(y - self.first) * self.row_len..][..self.row_len];
        self.hold.tile(&self.painted, [x, y], row, out);
    }
}
