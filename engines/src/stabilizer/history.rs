//! The painted frame before, kept to be moved and blended.

use crate::convert::Pixels;

/// Pixels left of a row that repeat its first one, and right of it that repeat its last one.
const MARGIN_PX: usize = 24;

/// A painted picture: red, green and blue from 0 to 65535, without the border that the network saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    pub width: usize,
    pub height: usize,
    stride: usize,
    /// Row by row; in a row channel by channel, each with its margins.
    data: Vec<u16>,
}

impl History {
    /// The value of white.
    pub(crate) const WHITE: f32 = 65535.0;

    /// A black picture.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let stride = width + 2 * MARGIN_PX;
        Self {
            width,
            height,
            stride,
            data: vec![0; 3 * stride * height],
        }
    }

    /// Values of a row.
    pub(super) fn row_len(&self) -> usize {
        3 * self.stride
    }

    /// All rows to be written, `row_len` values each.
    pub(super) fn data_mut(&mut self) -> &mut [u16] {
        &mut self.data
    }

    /// Row `y` with its margins, `row_len` values.
    #[inline(always)]
    pub(super) fn whole_row(&self, y: usize) -> &[u16] {
        &self.data[y * self.row_len()..][..self.row_len()]
    }

    /// What a filter of four by four pixels sees of the eight pixels from `(x, y)` on. Beyond the picture its border is
    /// repeated.
    #[inline(always)]
    pub(super) fn windows(&self, [x, y]: [isize; 2]) -> Windows<'_> {
        let last = (self.stride - WINDOW) as isize;
        let x = (x - 1 + MARGIN_PX as isize).clamp(0, last) as usize;
        let mut starts = [0; 4];
        for (i, start) in starts.iter_mut().enumerate() {
            let y = (y - 1 + i as isize).clamp(0, self.height as isize - 1) as usize;
            *start = 3 * y * self.stride + x;
        }
        Windows {
            history: self,
            starts,
        }
    }
}

/// Pixels of a row that a filter for eight pixels reads: more than it needs, but two times eight.
pub(super) const WINDOW: usize = 16;

/// Four rows of [`WINDOW`] pixels.
#[derive(Clone, Copy)]
pub(super) struct Windows<'a> {
    history: &'a History,
    starts: [usize; 4],
}

impl Windows<'_> {
    /// Whether it begins `n` pixels right of another one.
    #[inline(always)]
    pub(super) fn is_beside(&self, other: &Self, n: usize) -> bool {
        self.starts == other.starts.map(|start| start + n)
    }

    /// Row `row` of a channel.
    #[inline(always)]
    pub(super) fn of(&self, channel: usize, row: usize) -> &[u16; WINDOW] {
        self.history.data[self.starts[row] + channel * self.history.stride..]
            .first_chunk()
            .expect("clamped to the row")
    }
}

impl Pixels for History {
    #[inline(always)]
    fn load(&self, y: usize, x: usize, out: [&mut [f32]; 3]) {
        for (channel, out) in out.into_iter().enumerate() {
            let row = &self.data[(3 * y + channel) * self.stride + MARGIN_PX + x..][..out.len()];
            for (out, &value) in out.iter_mut().zip(row) {
                *out = f32::from(value);
            }
        }
    }
}

/// Writes a row: `values` are its channels one after the other, without margins.
#[inline(always)]
pub(super) fn store(row: &mut [u16], values: &[f32]) {
    let width = values.len() / 3;
    for (channel, values) in values.chunks_exact(width).enumerate() {
        for (out, &value) in inner_mut(row, channel, width).iter_mut().zip(values) {
            *out = to_u16(cut(value));
        }
    }
    extend(row, width);
}

/// A channel of a row, without its margins.
#[inline(always)]
pub(super) fn inner_mut(row: &mut [u16], channel: usize, width: usize) -> &mut [u16] {
    let stride = row.len() / 3;
    &mut row[channel * stride + MARGIN_PX..][..width]
}

/// Fills the margins of a row whose pixels are written.
#[inline(always)]
pub(super) fn extend(row: &mut [u16], width: usize) {
    for row in row.chunks_exact_mut(width + 2 * MARGIN_PX) {
        let (first, last) = (row[MARGIN_PX], row[MARGIN_PX + width - 1]);
        row[..MARGIN_PX].fill(first);
        row[MARGIN_PX + width..].fill(last);
    }
}

/// A value cut to what fits; not-a-number is 0.
#[expect(
    clippy::manual_clamp,
    reason = "clamp keeps not-a-number, max and min do not"
)]
#[inline(always)]
pub(super) fn cut(value: f32) -> f32 {
    value.max(0.0).min(History::WHITE)
}

/// The nearest integer to a value that fits. (See `to_u8` of the frame's samples.)
#[inline(always)]
pub(super) fn to_u16(value: f32) -> u16 {
    (value + 8_388_608.0).to_bits() as u16
}
