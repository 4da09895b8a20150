//! Luma at several sizes, each half of the one before.

use rayon::prelude::*;

use super::exposure::Light;
use crate::simd::vectorise;

/// Pixels round every level that repeat its border.
pub(crate) const BORDER_PX: usize = 16;

/// Smallest side of the smallest level in pixels.
const MIN_SIDE_PX: usize = 18;

/// One size of a picture. Values are luma from black, 0, to white, 255.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    pub width: usize,
    pub height: usize,
    stride: usize,
    /// Rows with a border of [`BORDER_PX`] on all sides.
    data: Vec<f32>,
}

/// Luma at several sizes, largest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pyramid {
    pub levels: Vec<Level>,
    column: Vec<f32>,
}

impl Level {
    fn new(width: usize, height: usize) -> Self {
        let stride = width + 2 * BORDER_PX;
        Self {
            width,
            height,
            stride,
            data: vec![0.0; stride * (height + 2 * BORDER_PX)],
        }
    }

    /// Ten values of row `y` from `x` on, which may lie in the border.
    #[inline(always)]
    pub(crate) fn window(&self, x: isize, y: isize) -> &[f32; 10] {
        let border = BORDER_PX as isize;
        let start = (y + border) as usize * self.stride + (x + border) as usize;
        self.data[start..]
            .first_chunk()
            .expect("callers stay within the border")
    }

    /// Row `y`, without its border.
    #[inline(always)]
    pub(crate) fn row(&self, y: usize) -> &[f32] {
        &self.data[(y + BORDER_PX) * self.stride + BORDER_PX..][..self.width]
    }

    /// All rows to be written; [`Pyramid::build`] follows when they are.
    pub(crate) fn rows_mut(&mut self) -> impl IndexedParallelIterator<Item = &mut [f32]> {
        let (stride, width) = (self.stride, self.width);
        let rows = &mut self.data[BORDER_PX * stride..][..self.height * stride];
        rows.par_chunks_exact_mut(stride)
            .map(move |row| &mut row[BORDER_PX..][..width])
    }

    /// Row `y` to be written, without its border.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        &mut self.data[(y + BORDER_PX) * self.stride + BORDER_PX..][..self.width]
    }

    /// Changes the light.
    pub(crate) fn relight(&mut self, light: Light) {
        for value in &mut self.data {
            *value = light.gain * *value + light.offset;
        }
    }

    /// Repeats the border pixels outwards.
    pub(crate) fn extend(&mut self) {
        let Self {
            width,
            height,
            stride,
            ..
        } = *self;
        for row in self
            .data
            .chunks_exact_mut(stride)
            .skip(BORDER_PX)
            .take(height)
        {
            let (first, last) = (row[BORDER_PX], row[BORDER_PX + width - 1]);
            row[..BORDER_PX].fill(first);
            row[BORDER_PX + width..].fill(last);
        }
        let (first, last) = (BORDER_PX * stride, (BORDER_PX + height - 1) * stride);
        for y in 0..BORDER_PX {
            self.data.copy_within(first..first + stride, y * stride);
            let below = (BORDER_PX + height + y) * stride;
            self.data.copy_within(last..last + stride, below);
        }
    }

    /// Halves the picture, weighting 1 3 3 1 each way: what is too fine for the smaller picture must not alias, or flow
    /// goes astray.
    #[inline(always)]
    fn shrink(&self, small: &mut Self, column: &mut Vec<f32>) {
        let stride = self.stride;
        column.resize(stride, 0.0);
        for y in 0..small.height {
            let rows = &self.data[(2 * y + BORDER_PX - 1) * stride..][..4 * stride];
            let (upper, lower) = rows.split_at(2 * stride);
            let (first, second) = upper.split_at(stride);
            let (third, fourth) = lower.split_at(stride);
            let rows = first.iter().zip(second).zip(third).zip(fourth);
            for (sum, (((a, b), c), d)) in column.iter_mut().zip(rows) {
                *sum = (a + d + 3.0 * (b + c)) * (1.0 / 64.0);
            }
            let (near, far) = (
                column[BORDER_PX - 1..].as_chunks::<2>().0,
                column[BORDER_PX + 1..].as_chunks::<2>().0,
            );
            for (small, (near, far)) in small.row_mut(y).iter_mut().zip(near.iter().zip(far)) {
                *small = near[0] + far[1] + 3.0 * (near[1] + far[0]);
            }
        }
        small.extend();
    }
}

#[cfg(test)]
impl Pyramid {
    /// A pyramid of a picture that is given pixel by pixel.
    pub(crate) fn of(width: usize, height: usize, luma: impl Fn(f32, f32) -> f32 + Sync) -> Self {
        let mut pyramid = Self::new(width, height);
        pyramid.levels[0]
            .rows_mut()
            .enumerate()
            .for_each(|(y, row)| {
                for (x, value) in row.iter_mut().enumerate() {
                    *value = luma(x as f32, y as f32);
                }
            });
        pyramid.build();
        pyramid
    }
}

impl Pyramid {
    /// A pyramid whose largest level is `width` times `height` pixels.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let (mut width, mut height) = (width, height);
        let mut levels = vec![Level::new(width, height)];
        // Flow is found at the second level, so there always is one.
        while levels.len() < 2 || width.min(height) >= 2 * MIN_SIDE_PX {
            (width, height) = (width / 2, height / 2);
            levels.push(Level::new(width, height));
        }
        Self {
            levels,
            column: Vec::new(),
        }
    }

    /// The smallest level.
    pub(crate) fn smallest(&self) -> &Level {
        self.levels.last().expect("there are at least two")
    }

    /// Fills the smaller levels when the largest one is.
    pub(crate) fn build(&mut self) {
        self.levels[0].extend();
        let (mut rest, column) = (&mut self.levels[..], &mut self.column);
        while let [large, smaller @ ..] = rest {
            if let Some(small) = smaller.first_mut() {
                let (large, column) = (&*large, &mut *column);
                vectorise!(large.shrink(small, column));
            }
            rest = smaller;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_picture_is_plain_at_every_size() {
        let pyramid = Pyramid::of(101, 67, |_, _| 77.0);
        assert!(pyramid.levels.len() >= 2);
        for level in &pyramid.levels {
            for y in 0..level.height {
                assert!(level.row(y).iter().all(|value| (value - 77.0).abs() < 1e-3));
            }
        }
    }

    #[test]
    fn what_is_too_fine_does_not_alias() {
        // Stripes of one pixel: at half the size nothing of them may be left.
        let pyramid = Pyramid::of(128, 64, |x, _| 100.0 + 50.0 * (x % 2.0));
        let row = &pyramid.levels[1].row(10)[2..62];
        assert!(
            row.iter().all(|value| (value - 125.0).abs() < 1e-3),
            "{row:?}"
        );
    }

    #[test]
    fn even_the_smallest_frames_have_a_second_level() {
        assert_eq!(Pyramid::new(16, 16).levels.len(), 2);
    }
}
