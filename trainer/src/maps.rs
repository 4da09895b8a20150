//! Feature maps: what layers take and give.

use std::cell::RefCell;
use std::mem::take;

use crate::simd::vectorise;

/// Feature maps of one picture, or the gradient of a loss by them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maps {
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
    /// Numbers of one pixel.
    pub n_channels: usize,
    /// `[height, width, n_channels]`.
    pub values: Vec<f32>,
}

thread_local! {
    /// Memory of maps that are gone. The same shapes come again with every picture, and fresh memory costs more than
    /// what is done to it.
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Pieces of spare memory that a thread keeps.
const N_SPARE: usize = 64;

impl Drop for Maps {
    fn drop(&mut self) {
        let values = take(&mut self.values);
        // When the thread ends, its memory may have gone before its maps.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < N_SPARE {
                spare.push(values);
            }
        });
    }
}

impl Maps {
    /// Maps of zeros.
    pub fn zeros(height: usize, width: usize, n_channels: usize) -> Self {
        let mut maps = Self::scratch(height, width, n_channels);
        maps.values.fill(0.0);
        maps
    }

    /// Maps of any numbers, for those who overwrite them all.
    pub fn scratch(height: usize, width: usize, n_channels: usize) -> Self {
        let len = height * width * n_channels;
        let fits = |values: &Vec<f32>| values.capacity() >= len && values.capacity() <= 2 * len;
        let spare = SPARE.with_borrow_mut(|spare| {
            spare
                .iter()
                .rposition(fits)
                .map(|idx| spare.swap_remove(idx))
        });
        let mut values = spare.unwrap_or_default();
        values.resize(len, 0.0);
        Self {
            height,
            width,
            n_channels,
            values,
        }
    }

    /// The numbers alone.
    pub fn into_values(mut self) -> Vec<f32> {
        take(&mut self.values)
    }

    /// Zeros of the same shape.
    pub fn zeros_like(&self) -> Self {
        Self::zeros(self.height, self.width, self.n_channels)
    }

    /// Numbers in a row of pixels.
    pub fn stride(&self) -> usize {
        self.width * self.n_channels
    }

    /// Pixels.
    pub fn n_pixels(&self) -> usize {
        self.height * self.width
    }

    /// The numbers of a pixel.
    pub fn pixel(&self, y: usize, x: usize) -> &[f32] {
        &self.values[y * self.stride() + x * self.n_channels..][..self.n_channels]
    }

    /// A rectangle of the maps.
    pub fn crop(&self, top: usize, left: usize, height: usize, width: usize) -> Self {
        let mut crop = Self::scratch(height, width, self.n_channels);
        let stride = crop.stride();
        for (y, row) in crop.values.chunks_exact_mut(stride).enumerate() {
            let from = (top + y) * self.stride() + left * self.n_channels;
            row.copy_from_slice(&self.values[from..from + stride]);
        }
        crop
    }

    /// Adds maps to the rectangle that starts at `top` and `left`: what [`Self::crop`] takes, given back.
    pub fn add_at(&mut self, top: usize, left: usize, other: &Self) {
        let stride = self.stride();
        for (y, row) in other.values.chunks_exact(other.stride()).enumerate() {
            let at = (top + y) * stride + left * self.n_channels;
            add(&mut self.values[at..at + row.len()], row);
        }
    }
}

/// Adds numbers to numbers.
pub fn add(sum: &mut [f32], more: &[f32]) {
    add_scaled(sum, 1.0, more);
}

/// Adds a multiple of numbers to numbers.
pub fn add_scaled(sum: &mut [f32], factor: f32, more: &[f32]) {
    let more = &more[..sum.len()];
    vectorise!({
        for i in 0..sum.len() {
            sum[i] += factor * more[i];
        }
    });
}

/// Sets the gradient to 0 wherever `output`, which was cut off at 0 from below, is.
pub fn through_relu(gradient: &mut [f32], output: &[f32]) {
    let output = &output[..gradient.len()];
    vectorise!({
        for i in 0..gradient.len() {
            gradient[i] = if output[i] > 0.0 { gradient[i] } else { 0.0 };
        }
    });
}
