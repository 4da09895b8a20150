//! What the stabiliser knows of a frame: where everything was in the frame before, and how far that is to be believed.

/// A grid of cells over the frame, with planes of a value per cell, row by row.
#[derive(Debug, Default)]
pub(crate) struct Motion {
    /// There is nothing to keep: the first frame, or the first one after a cut.
    pub is_fresh: bool,
    /// Nothing moves: all steps are 0.
    pub is_still: bool,
    /// Cells in a row.
    pub width: usize,
    /// Rows of cells.
    pub height: usize,
    /// Steps to where it was, in cells, in x.
    pub u: Vec<f32>,
    /// The same in y.
    pub v: Vec<f32>,
    /// Share of the history in what is shown, `0.0..=1.0`.
    pub share: Vec<f32>,
}

#[cfg(all(test, feature = "tensorrt-common"))]
impl Motion {
    /// Whether anything moves in each row of cells that is kept.
    pub(crate) fn rows_that_move(&self) -> impl Iterator<Item = bool> + '_ {
        let kept = |idx: usize| self.share[idx] > 0.0 && (self.u[idx] != 0.0 || self.v[idx] != 0.0);
        (0..self.height).map(move |y| (y * self.width..(y + 1) * self.width).any(kept))
    }
}
