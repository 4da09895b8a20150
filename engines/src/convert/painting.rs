//! What a network has painted: a picture, or what is left to make into one. That is done as its rows are taken, while they are
//! in the caches.

use std::cell::Cell;
use std::mem::replace;
use std::ops::Range;

use aligned_vec::AVec;

#[cfg(test)]
use super::Arrangement;
use super::picture::{Canvas, Picture};
use super::write::Band;
use super::{BAND_ROWS, Pixels};
use crate::geometry::Window;

/// Bands per thread where rows are made.
const BANDS: usize = 4;
/// Rows of a band at most, so that they stay in the caches: a multiple of [`BAND_ROWS`].
const MOST_ROWS: usize = 4 * BAND_ROWS;

thread_local! {
    /// Memory for rows.
    static ROWS: Cell<AVec<f32>> = Cell::new(AVec::new(0));
}

/// What a network has painted.
#[derive(Clone, Copy)]
pub(crate) enum Painting<'a> {
    /// The picture.
    Whole(Picture<'a>),
    /// Numbers that become such a picture.
    Unfinished {
        values: &'a [f32],
        canvas: Canvas,
        finish: &'a dyn Finish,
    },
}

/// The end of a network.
pub(crate) trait Finish: Sync {
    /// Writes rows of the picture that `values` become, or of its blocks, as if there were no others.
    fn finish(&self, values: &[f32], rows: Range<usize>, out: &mut [f32]);
}

/// An end that copies: values are the picture.
#[cfg(test)]
pub(crate) struct Copies(pub Canvas);

#[cfg(test)]
impl Finish for Copies {
    fn finish(&self, values: &[f32], rows: Range<usize>, out: &mut [f32]) {
        let n_parts = match self.0.arrangement {
            Arrangement::Planes => 3,
            _ => 1,
        };
        let n_row = self.0.block_row() / n_parts;
        let parts = values.chunks_exact(values.len() / n_parts);
        for (part, out) in parts.zip(out.chunks_exact_mut(n_row * rows.len())) {
            out.copy_from_slice(&part[n_row * rows.start..n_row * rows.end]);
        }
    }
}

/// Some rows of what a network has painted.
pub(crate) enum PaintedRows<'a> {
    /// All of the picture.
    Held(Picture<'a>),
    /// No others.
    Made(MadeRows),
}

/// Rows in a thread's memory, from `top` on.
pub(crate) struct MadeRows {
    top: usize,
    n_values: usize,
    canvas: Canvas,
    memory: AVec<f32>,
}

impl<'a> Painting<'a> {
    /// Where the frame is.
    pub(crate) fn window(&self) -> Window {
        match self {
            Self::Whole(picture) => picture.window(),
            Self::Unfinished { canvas, .. } => canvas.window,
        }
    }

    /// Rows of the bands that it is taken in. Where rows are made, those at the border of a band are made more than once: bands
    /// are as large as leaves each thread some.
    pub(crate) fn band_rows(&self) -> usize {
        match self {
            Self::Whole(_) => BAND_ROWS,
            Self::Unfinished { canvas, .. } => {
                let share = canvas.window.height / (BANDS * rayon::current_num_threads());
                (share / BAND_ROWS * BAND_ROWS).clamp(BAND_ROWS, MOST_ROWS)
            }
        }
    }

    /// Rows of the window, made on the thread at hand if they are not there.
    pub(crate) fn rows(&self, rows: Range<usize>) -> PaintedRows<'a> {
        match *self {
            Self::Whole(picture) => PaintedRows::Held(picture),
            Self::Unfinished {
                values,
                canvas,
                finish,
            } => {
                let (n, top) = (canvas.arrangement.block(), canvas.window.top);
                let blocks = (top + rows.start) / n..(top + rows.end).div_ceil(n);
                let n_values = blocks.len() * canvas.block_row();
                let mut memory = ROWS.replace(AVec::new(0));
                if memory.len() < n_values {
                    memory.resize(n_values, 0.0);
                }
                finish.finish(values, blocks.clone(), &mut memory[..n_values]);
                PaintedRows::Made(MadeRows {
                    top: blocks.start * n,
                    n_values,
                    canvas,
                    memory,
                })
            }
        }
    }
}

impl Drop for MadeRows {
    fn drop(&mut self) {
        ROWS.set(replace(&mut self.memory, AVec::new(0)));
    }
}

impl PaintedRows<'_> {
    /// The picture that they are rows of.
    #[inline(always)]
    pub(crate) fn picture(&self) -> Picture<'_> {
        match self {
            Self::Held(picture) => *picture,
            Self::Made(made) => {
                let values = &made.memory[..made.n_values];
                Picture::from_row(made.top, values, made.canvas)
            }
        }
    }
}

impl Band for PaintedRows<'_> {
    #[inline(always)]
    fn take(&mut self, y: usize, x: usize, out: [&mut [f32]; 3]) {
        self.picture().load(y, x, out);
    }
}
