//! Luma in the memory that a kernel sees.

use super::Address;
use crate::stabilizer::pyramid::BORDER_PX;

/// Luma at one size, with its border. (`Level` of `kernel.cuh`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Level {
    data: Address,
    width: i32,
    height: i32,
}

impl Level {
    /// Of a size without the border, width before height.
    pub(in super::super) fn new(data: Address, (width, height): (usize, usize)) -> Self {
        Self {
            data,
            width: width as i32,
            height: height as i32,
        }
    }

    /// Values of a level of this size, with its border.
    pub(in super::super) fn n_values(size: (usize, usize)) -> usize {
        let (width, height) = bordered(size);
        width * height
    }

    /// Without the border, width before height.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.width as usize, self.height as usize)
    }

    /// Places of a kernel that fills it and its border.
    pub(super) fn grid(&self) -> (usize, usize) {
        bordered(self.size())
    }
}

fn bordered((width, height): (usize, usize)) -> (usize, usize) {
    (width + 2 * BORDER_PX, height + 2 * BORDER_PX)
}

/// Levels of the definitions, as kernels would have them.
#[cfg(test)]
pub(super) mod twin {
    use super::*;
    use crate::stabilizer::pyramid;

    /// Values of a level with its border, which repeats its own.
    pub(in super::super) fn values(level: &pyramid::Level) -> Vec<f32> {
        let border = BORDER_PX as isize;
        let within = |at: isize, side: usize| at.clamp(0, side as isize - 1) as usize;
        let rows = (-border..level.height as isize + border).map(|y| within(y, level.height));
        let columns = || (-border..level.width as isize + border).map(|x| within(x, level.width));
        rows.flat_map(|y| columns().map(move |x| level.row(y)[x]))
            .collect()
    }

    /// Room for a level of this size.
    pub(in super::super) fn empty(size: (usize, usize)) -> Vec<f32> {
        vec![f32::NAN; Level::n_values(size)]
    }

    /// Such values as a kernel sees them.
    pub(in super::super) fn seen(values: &mut [f32], size: (usize, usize)) -> Level {
        assert_eq!(values.len(), Level::n_values(size));
        Level::new(values.as_mut_ptr() as Address, size)
    }

    /// Largest difference between values.
    pub(in super::super) fn largest(found: &[f32], wanted: &[f32]) -> f32 {
        assert_eq!(found.len(), wanted.len());
        assert!(found.iter().all(|value| value.is_finite()));
        let differences = found.iter().zip(wanted);
        differences.fold(0.0, |largest, (a, b)| largest.max((a - b).abs()))
    }
}
