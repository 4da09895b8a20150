//! A network's output as the blend takes it.

use std::ops::Range;

use super::history::{History, cut};
use crate::convert::{self, Painting, Pixels};

/// What was painted, with what its values mean.
#[derive(Clone, Copy)]
pub(crate) struct Painted<'a> {
    /// Its window is the picture.
    pub painting: Painting<'a>,
    /// Values of black and white.
    pub bounds: (f32, f32),
    /// Its first channel is blue.
    pub is_bgr: bool,
}

/// Some rows of it.
pub(super) struct Rows<'a> {
    rows: convert::PaintedRows<'a>,
    bounds: (f32, f32),
    is_bgr: bool,
}

impl<'a> Painted<'a> {
    /// Some rows, made by the thread at hand if they are not there.
    pub(super) fn rows(&self, rows: Range<usize>) -> Rows<'a> {
        Rows {
            rows: self.painting.rows(rows),
            bounds: self.bounds,
            is_bgr: self.is_bgr,
        }
    }
}

impl Rows<'_> {
    /// Row `y` of the picture as red, green and blue, one after the other, from 0 to 65535.
    #[inline(always)]
    pub(super) fn load(&self, y: usize, row: &mut [f32]) {
        self.load_values(y, row);
        let (low, scale) = self.scale();
        for value in row {
            *value = cut((*value - low) * scale);
        }
    }

    /// The value of black, and what makes 65535 of white.
    #[inline(always)]
    pub(super) fn scale(&self) -> (f32, f32) {
        let (low, high) = self.bounds;
        (low, History::WHITE / (high - low))
    }

    /// Row `y` as red, green and blue, in the network's values.
    #[inline(always)]
    fn load_values(&self, y: usize, row: &mut [f32]) {
        let width = row.len() / 3;
        let (first, rest) = row.split_at_mut(width);
        let (second, third) = rest.split_at_mut(width);
        self.load_part(y, 0, [first, second, third]);
    }

    /// Pixels of row `y` from pixel `x` on, in the network's values.
    #[inline(always)]
    pub(super) fn load_part(&self, y: usize, x: usize, [red, green, blue]: [&mut [f32]; 3]) {
        let picture = self.rows.picture();
        if self.is_bgr {
            picture.load(y, x, [blue, green, red]);
        } else {
            picture.load(y, x, [red, green, blue]);
        }
    }
}
