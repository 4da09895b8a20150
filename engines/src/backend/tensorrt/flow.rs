//! Flow on the GPU: the twin of `stabilizer/flow.rs`, there and back at once.

#![expect(unsafe_code, reason = "kernels are given addresses")]

use cudarc::driver::CudaSlice;

use super::cuda::{Cuda, address};
use super::kernels::{Address, Search, Spread};
use super::pyramid::Pyramid;
use crate::error::Result;
use crate::stabilizer::FLOW_LEVEL;

/// How far off the patches are that hear each other, one time after the other. Measured on four pairs of MPI-Sintel: more
/// times find no more, and without the far ones, what moves by many patches is found less often.
pub(super) const REACHES: [i32; 2] = [3, 1];

/// Finds flow; its buffers live as long as it does.
pub(super) struct Flow {
    /// What is known of patches: of the next coarser level, and twice of this one.
    found: [CudaSlice<f32>; 3],
    flows: CudaSlice<f32>,
}

impl Flow {
    /// At level [`FLOW_LEVEL`] of pyramids, which is of that size.
    pub(super) fn new(cuda: &Cuda, size: (usize, usize)) -> Result<Self> {
        let patches = || cuda.alloc(Search::VALUES * Search::n_patches(size));
        Ok(Self {
            found: [patches()?, patches()?, patches()?],
            flows: cuda.alloc(Spread::VALUES * size.0 * size.1)?,
        })
    }

    /// Where steps lie in x and then in y from the newer picture to the older one, and then the same of the way back.
    pub(super) fn address(&self) -> Address {
        address(&self.flows)
    }

    /// Finds flow between two pictures, in pixels of the finest level searched.
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
            // SAFETY: there is room for the patches of the finest level, which has most, and all is used on this stream alone.
            unsafe { cuda.launch(stream, "search", &job, job.grid())? };
            for (reach, [heard, found]) in REACHES.into_iter().zip([[one, other], [other, one]]) {
                job = job.heard(heard, found, reach);
                // SAFETY: as above.
                unsafe { cuda.launch(stream, "hear", &job, job.grid())? };
            }
            self.found.swap(0, 1);
            coarse = Some(job);
        }
        let job = coarse.expect("there are levels").spread(self.address());
        // SAFETY: as above, and there are as many steps as pixels of the level.
        unsafe { cuda.launch(stream, "spread", &job, job.grid()) }
    }
}
