//! Luma of a frame on the GPU at several sizes: the twin of `stabilizer/pyramid.rs`.

#![expect(unsafe_code, reason = "kernels are given addresses")]

use cudarc::driver::{CudaSlice, CudaView};

use super::cuda::{Cuda, address};
use super::kernels::{Address, Frame, Halve, Level, Luma, Relight};
use crate::error::Result;
use crate::frame::FrameFormat;
use crate::stabilizer::{Light, luma, pyramid};

/// All levels in one piece of memory, the largest first.
pub(super) struct Pyramid {
    values: CudaSlice<f32>,
    /// Width and height of each, and where it begins.
    levels: Vec<((usize, usize), usize)>,
    format: FrameFormat,
    step: usize,
}

impl Pyramid {
    /// For frames of a format: `twin` is one of them at as many sizes.
    pub(super) fn new(cuda: &Cuda, format: &FrameFormat, twin: &pyramid::Pyramid) -> Result<Self> {
        let mut n_values = 0;
        let levels = twin.levels.iter().map(|level| {
            let (size, start) = ((level.width, level.height), n_values);
            n_values += Level::n_values(size);
            (size, start)
        });
        let levels = levels.collect();
        Ok(Self {
            values: cuda.alloc(n_values)?,
            levels,
            format: *format,
            step: luma::step(format),
        })
    }

    /// Number of levels.
    pub(super) fn n_levels(&self) -> usize {
        self.levels.len()
    }

    /// A level as kernels see it.
    pub(super) fn level(&self, idx: usize) -> Level {
        let (size, start) = self.levels[idx];
        Level::new(self.address_of(start), size)
    }

    /// Where a value lies.
    fn address_of(&self, value_idx: usize) -> Address {
        address(&self.values) + (value_idx * size_of::<f32>()) as Address
    }

    /// The smallest level, with its border.
    pub(super) fn smallest(&self) -> CudaView<'_, f32> {
        let (_, start) = self.levels[self.n_levels() - 1];
        self.values.slice(start..)
    }

    /// Fills all levels.
    ///
    /// # Safety
    /// The frame lies on this GPU, in the format that this was made for, and stays there until it is read.
    pub(super) unsafe fn read(&mut self, cuda: &Cuda, frame: Frame) -> Result<()> {
        let stream = &cuda.following;
        let job = Luma::new(frame, &self.format, self.step, self.level(0));
        // SAFETY: the levels are as large as they say, and used on this stream alone; the rest is the caller's.
        unsafe { cuda.launch(stream, "luma", &job, job.grid())? };
        for idx in 1..self.n_levels() {
            let job = Halve {
                large: self.level(idx - 1),
                small: self.level(idx),
            };
            // SAFETY: as above.
            unsafe { cuda.launch(stream, "halve", &job, job.grid())? };
        }
        Ok(())
    }

    /// Changes the light.
    pub(super) fn relight(&mut self, cuda: &Cuda, light: Light) -> Result<()> {
        let job = Relight::new(address(&self.values), self.values.len(), light);
        // SAFETY: there are as many values, which are used on this stream alone.
        unsafe { cuda.launch(&cuda.following, "relight", &job, job.grid()) }
    }
}
