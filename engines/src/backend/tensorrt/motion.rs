//! Motion on the GPU, where it was found.

use cudarc::driver::{CudaSlice, CudaStream};

use super::awaited::Awaited;
use super::cuda::{Cuda, address};
use super::kernels::Address;
use crate::error::Result;

/// What a frame has to do with the one before: the twin of the stabiliser's `Motion`.
pub(crate) struct Motion {
    /// There is nothing to keep: the first frame, or the first one after a cut.
    pub is_fresh: bool,
    /// Cells in a row, and rows of cells.
    pub size: (usize, usize),
    /// Steps to where each cell was in x, the same in y, and shares of history.
    planes: CudaSlice<f32>,
    /// Whether anything moves in each row of cells that is kept.
    rows: CudaSlice<u8>,
    /// When the rest was found.
    found: Awaited,
}

impl Motion {
    /// Room for motion of a size in cells.
    pub(super) fn new(cuda: &Cuda, size: (usize, usize)) -> Result<Self> {
        Ok(Self {
            is_fresh: true,
            size,
            planes: cuda.alloc(3 * size.0 * size.1)?,
            rows: cuda.alloc(size.1)?,
            found: cuda.new_awaited()?,
        })
    }

    /// Where the planes of u, v and share lie.
    pub(super) fn planes(&self) -> [Address; 3] {
        let plane_bytes = self.size.0 * self.size.1 * size_of::<f32>();
        [0, 1, 2].map(|idx| address(&self.planes) + (idx * plane_bytes) as Address)
    }

    /// Where it lies in which rows anything moves.
    pub(super) fn rows_that_move(&self) -> Address {
        address(&self.rows)
    }

    /// Notes that all work on a stream so far has found it.
    pub(super) fn is_found_by(&mut self, stream: &CudaStream) -> Result<()> {
        self.found.record(stream)
    }

    /// Lets a stream wait until it is found.
    pub(super) fn hold_back(&self, stream: &CudaStream) -> Result<()> {
        self.found.hold_back(stream)
    }
}
