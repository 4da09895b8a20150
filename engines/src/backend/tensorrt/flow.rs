//! Flow on the GPU: the twin of `stabilizer/flow.rs` and `stabilizer/detail.rs`, there and back at once.

#![expect(unsafe_code, reason = "kernels are given addresses")]

use cudarc::driver::CudaSlice;

use super::cuda::{Cuda, address};
use super::kernels::{Address, Search, Spread};
use super::pyramid::Pyramid;
use crate::error::Result;
use crate::stabilizer::FLOW_LEVEL;
use crate::stabilizer::pyramid::Pyramid as Twin;

/// How far off the patches are that hear each other, one time after the other. Measured on four pairs of MPI-Sintel: more
/// times find no more, and without the far ones, what moves by many patches is found less often.
pub(super) const REACHES: [i32; 2] = [3, 1];

/// Finds flow; its buffers live as long as it does.
pub(super) struct Flow {
    /// What is known of patches: of the next coarser level, and twice of this one.
    found: [CudaSlice<f32>; 3],
    /// The same of the largest level.
    details: CudaSlice<f32>,
    /// Cells in a row, and rows of cells.
    size: (usize, usize),
    flows: CudaSlice<f32>,
}

impl Flow {
    /// Between pyramids such as `twin`.
    pub(super) fn new(cuda: &Cuda, twin: &Twin) -> Result<Self> {
        let size_of = |idx: usize| (twin.levels[idx].width, twin.levels[idx].height);
        let size = size_of(FLOW_LEVEL);
        let patches = |size| cuda.alloc(Search::VALUES * Search::n_patches(size));
        Ok(Self {
            found: [patches(size)?, patches(size)?, patches(size)?],
            details: patches(size_of(0))?,
            size,
            flows: cuda.alloc(Spread::VALUES * size.0 * size.1)?,
        })
    }

    /// Where steps lie in x and then in y from the newer picture to the older one, and then the same of the way back.
    pub(super) fn address(&self) -> Address {
        address(&self.flows)
    }

    /// Finds flow between two pictures, in cells.
    pub(super) fn find(&mut self, cuda: &Cuda, now: &Pyramid, before: &Pyramid) -> Result<()> {
        let stream = &cuda.following;
        let mut coarse: Option<Search> = None;
        for idx in (FLOW_LEVEL..now.n_levels()).rev() {
            let [_, one, other] = self.found.each_ref().map(address);
            let pictures = [now.level(idx), before.level(idx)];
            let mut job = Search::new(pictures, one);
            if let Some(coarse) = &coarse {
                job = job.after(coarse);
            }
            // SAFETY: there is room for the patches of the level of cells, which has most of these, and all is used on this
            // stream alone.
            unsafe { cuda.launch(stream, "search", &job, job.grid())? };
            for (reach, [heard, found]) in REACHES.into_iter().zip([[one, other], [other, one]]) {
                job = job.heard(heard, found, reach);
                // SAFETY: as above.
                unsafe { cuda.launch(stream, "hear", &job, job.grid())? };
            }
            self.found.swap(0, 1);
            coarse = Some(job);
        }
        let coarse = coarse.expect("there are levels");
        let pictures = [now.level(0), before.level(0)];
        let job = Search::new(pictures, address(&self.details)).after(&coarse);
        // SAFETY: as above, and there is room for the patches of the largest level.
        unsafe { cuda.launch(stream, "detail", &job, job.grid())? };
        let job = job.spread(self.size, self.address());
        // SAFETY: as above, and there are as many steps as cells.
        unsafe { cuda.launch(stream, "spread", &job, job.grid()) }
    }
}
