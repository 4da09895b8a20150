//! Motion on its way to the GPU, all of a frame's in one piece.

use std::sync::Arc;

use cudarc::driver::{CudaSlice, CudaStream};

use super::cuda::{Cuda, address};
use super::kernels::Address;
use super::pinned::Pinned;
use crate::error::Result;
use crate::stabilizer::Motion;

/// Motion in both memories: planes of u, v and share, and then whether anything moves in each row of cells.
pub(super) struct SentMotion {
    here: Pinned,
    there: CudaSlice<u8>,
    /// Cells in a row, and rows of cells.
    size: (usize, usize),
}

impl SentMotion {
    /// Room for motion of a size in cells.
    pub(super) fn new(cuda: &Cuda, size: (usize, usize)) -> Result<Self> {
        let n_bytes = 3 * plane_bytes(size) + size.1;
        Ok(Self {
            here: Pinned::new(cuda, n_bytes)?,
            there: cuda.alloc(n_bytes)?,
            size,
        })
    }

    /// Whether there is room for this motion.
    pub(super) fn fits(&self, motion: &Motion) -> bool {
        self.size == (motion.width, motion.height)
    }

    /// Sends motion to the GPU. It is not needed after the call.
    pub(super) fn send(&mut self, stream: &Arc<CudaStream>, motion: &Motion) -> Result<()> {
        // This waits for motion that is still being sent from here.
        let bytes = self.here.bytes_mut()?;
        let (planes, rows) = bytes.split_at_mut(3 * plane_bytes(self.size));
        let values = [&motion.u, &motion.v, &motion.share];
        for (target, plane) in planes.chunks_mut(plane_bytes(self.size)).zip(values) {
            target.copy_from_slice(bytemuck::cast_slice(plane));
        }
        for (target, moves) in rows.iter_mut().zip(motion.rows_that_move()) {
            *target = moves.into();
        }
        self.here.send(stream, &mut self.there)
    }

    /// Where the planes of u, v and share lie.
    pub(super) fn planes(&self) -> [Address; 3] {
        [0, 1, 2].map(|idx| address(&self.there) + (idx * plane_bytes(self.size)) as Address)
    }

    /// Where it lies in which rows anything moves.
    pub(super) fn rows_that_move(&self) -> Address {
        address(&self.there) + (3 * plane_bytes(self.size)) as Address
    }
}

fn plane_bytes((width, height): (usize, usize)) -> usize {
    width * height * size_of::<f32>()
}
