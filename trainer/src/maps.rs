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

    /// Maps with a border that mirrors them, without repeating their outermost pixels.
    pub fn mirrored(&self, border: usize) -> Self {
        let [height, width] = [self.height, self.width].map(|side| side + 2 * border);
        let mut padded = Self::scratch(height, width, self.n_channels);
        let (n, stride) = (self.n_channels, padded.stride());
        for (y, row) in padded.values.chunks_exact_mut(stride).enumerate() {
            let y = mirror(y, border, self.height);
            for (x, pixel) in row.chunks_exact_mut(n).enumerate() {
                pixel.copy_from_slice(self.pixel(y, mirror(x, border, self.width)));
            }
        }
        padded
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

/// Where a place of the side with a border is in the side of `len` itself; folded as often as it takes.
fn mirror(at: usize, border: usize, len: usize) -> usize {
    let period = 2 * (len - 1).max(1);
    let at = (at + period * border.div_ceil(period) - border) % period;
    at.min(period - at).min(len - 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_mirror() {
        let mut maps = Maps::zeros(1, 3, 1);
        maps.values.copy_from_slice(&[0.0, 1.0, 2.0]);
        let wide = maps.mirrored(4);
        assert_eq!(wide.pixel(0, 0)[0], 0.0);
        let row: Vec<f32> = (0..11).map(|x| wide.pixel(2, x)[0]).collect();
        assert_eq!(row, [0.0, 1.0, 2.0, 1.0, 0.0, 1.0, 2.0, 1.0, 0.0, 1.0, 2.0]);
    }
}
