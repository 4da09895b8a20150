//! Page-locked memory: the GPU copies to and from it by itself, while this machine goes on.

use std::sync::Arc;

use cudarc::driver::{CudaEvent, CudaSlice, CudaStream, DevicePtr, PinnedHostSlice};

use super::cuda::{Cuda, failed};
use crate::error::Result;

/// Bytes of this machine, and when the last copy to or from them is done.
///
/// The event that cudarc keeps for such memory is not recorded where streams are told to wait by hand, as ours are.
pub(super) struct Pinned {
    bytes: PinnedHostSlice<u8>,
    copied: CudaEvent,
}

impl Pinned {
    /// Room for so many bytes.
    pub(super) fn new(cuda: &Cuda, n_bytes: usize) -> Result<Self> {
        Ok(Self {
            bytes: cuda.alloc_pinned(n_bytes)?,
            copied: cuda.new_event()?,
        })
    }

    /// The bytes, once they are copied.
    pub(super) fn bytes(&self) -> Result<&[u8]> {
        self.wait()?;
        self.bytes.as_slice().map_err(failed("reading memory"))
    }

    /// The bytes to be written, once they are copied.
    pub(super) fn bytes_mut(&mut self) -> Result<&mut [u8]> {
        self.wait()?;
        self.bytes.as_mut_slice().map_err(failed("writing memory"))
    }

    /// Starts copying them to the GPU.
    pub(super) fn send(&mut self, stream: &Arc<CudaStream>, to: &mut CudaSlice<u8>) -> Result<()> {
        stream
            .memcpy_htod(&self.bytes, to)
            .and_then(|()| self.copied.record(stream))
            .map_err(failed("copying to the GPU"))
    }

    /// Starts copying them from the GPU.
    pub(super) fn fetch(
        &mut self,
        stream: &Arc<CudaStream>,
        from: &impl DevicePtr<u8>,
    ) -> Result<()> {
        stream
            .memcpy_dtoh(from, &mut self.bytes)
            .and_then(|()| self.copied.record(stream))
            .map_err(failed("copying from the GPU"))
    }

    /// Lets a stream wait until they are copied.
    pub(super) fn hold_back(&self, stream: &CudaStream) -> Result<()> {
        stream
            .wait(&self.copied)
            .map_err(failed("waiting for a copy"))
    }

    fn wait(&self) -> Result<()> {
        self.copied
            .synchronize()
            .map_err(failed("waiting for a copy"))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // Where the GPU no longer answers, there is no copy to wait for.
        let _ = self.wait();
    }
}
