//! Frames that repeat the one before: their painting is there already.

use xxhash_rust::xxh3::Xxh3;

use crate::frame::{Frame, FrameMut};
use crate::settings::Look;

/// Knows the last frame by its digest, and keeps its painting.
#[derive(Default)]
pub(crate) struct Repeats {
    last: Option<This>,
    /// The painting's rows, without what lies between them.
    painting: Vec<u8>,
}

/// A frame and how it is to be shown.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct This {
    digest: u128,
    look: Look,
}

impl This {
    /// Reads `frame`.
    pub(crate) fn new(frame: &Frame<'_>, look: Look) -> Self {
        Self {
            digest: digest(frame),
            look,
        }
    }
}

impl Repeats {
    /// Whether `this` is what was submitted before.
    pub(crate) fn are(&self, this: &This) -> bool {
        self.last.as_ref() == Some(this)
    }

    /// Notes what was submitted.
    pub(crate) fn submit(&mut self, this: This) {
        self.last = Some(this);
    }

    /// Keeps the painting of the frame received last.
    pub(crate) fn keep(&mut self, painting: &mut FrameMut<'_>) {
        self.painting.clear();
        for row in painting.rows_mut() {
            self.painting.extend_from_slice(row);
        }
    }

    /// Gives that painting again.
    pub(crate) fn give(&self, target: &mut FrameMut<'_>) {
        let mut rest = &self.painting[..];
        for row in target.rows_mut() {
            let (from, others) = rest.split_at(row.len());
            row.copy_from_slice(from);
            rest = others;
        }
    }

    /// Forgets the last frame.
    pub(crate) fn reset(&mut self) {
        self.last = None;
    }
}

fn digest(frame: &Frame<'_>) -> u128 {
    let format = frame.format();
    let mut hash = Xxh3::new();
    for idx in 0..format.pixels.n_planes() {
        let (_, n_rows) = format.pixels.plane_size(idx, format.width, format.height);
        for y in 0..n_rows {
            hash.update(frame.row(idx, y));
        }
    }
    hash.digest128()
}
