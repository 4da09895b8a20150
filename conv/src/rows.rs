//! Some rows of maps.

use std::ops::Range;

use crate::Maps;
use crate::product::largest;

/// Rows of maps from `top` on. All others count as zeros.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub values: &'a [f32],
    /// As [`Maps::peaks`], of these rows.
    pub peaks: Option<&'a [f32]>,
    pub top: usize,
    /// Numbers of a row.
    pub len: usize,
    /// Pixels of a row.
    pub width: usize,
}

/// Rows of maps from `top` on that are written.
pub(crate) struct RowsMut<'a> {
    pub values: &'a mut [f32],
    /// As [`MapsMut::peaks`](crate::MapsMut::peaks), of these rows.
    pub peaks: &'a mut [f32],
    pub top: usize,
    /// Whether they are shared among the threads: else the thread at hand makes them all.
    pub is_shared: bool,
}

impl<'a> Rows<'a> {
    /// All rows of maps that are not empty.
    pub(crate) fn all(maps: Maps<'a>) -> Self {
        Self {
            values: maps.values,
            peaks: maps.peaks,
            top: 0,
            len: maps.values.len() / maps.height,
            width: maps.width,
        }
    }

    /// Row `y`, if it is one of these.
    #[inline(always)]
    pub(crate) fn get(&self, y: usize) -> Option<&'a [f32]> {
        let idx = y.wrapping_sub(self.top);
        let is_here = idx < self.values.len() / self.len;
        is_here.then(|| &self.values[idx * self.len..][..self.len])
    }

    /// The largest size of a number of some rows, as far as they are here, or more.
    pub(crate) fn largest(&self, rows: Range<usize>) -> f32 {
        let n_rows = self.values.len() / self.len;
        let [start, end] = [rows.start, rows.end].map(|y| y.saturating_sub(self.top).min(n_rows));
        match self.peaks {
            Some(peaks) => peaks[start..end].iter().copied().fold(0.0, f32::max),
            None => largest(&self.values[start * self.len..end * self.len]),
        }
    }
}

impl RowsMut<'_> {
    /// The fewest bands that a thread takes: all of them if they are not shared.
    pub(crate) fn min_bands(&self) -> usize {
        if self.is_shared { 1 } else { usize::MAX }
    }

    /// Rows of a band if each thread gets one.
    pub(crate) fn share(&self) -> usize {
        if self.is_shared {
            share(self.peaks.len())
        } else {
            self.peaks.len()
        }
    }
}

/// How many of `n_rows` a thread gets.
pub(crate) fn share(n_rows: usize) -> usize {
    n_rows.div_ceil(rayon::current_num_threads())
}
