//! Page-locked memory: the GPU copies to and from it by itself, while this machine goes on.

#![expect(unsafe_code, reason = "memory is given back by hand")]

use std::mem::ManuallyDrop;
use std::sync::Arc;

use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, PinnedHostSlice};

use super::awaited::Awaited;
use super::cuda::{Cuda, failed};
use crate::error::Result;

/// Bytes of this machine, and when the last copy to or from them is done.
///
/// The event that cudarc keeps for such memory is not recorded where streams are told to wait by hand, as ours are.
pub(super) struct Pinned {
    bytes: ManuallyDrop<PinnedHostSlice<u8>>,
    copied: Awaited,
}

impl Pinned {
    /// Room for so many bytes.
    pub(super) fn new(cuda: &Cuda, n_bytes: usize) -> Result<Self> {
        Ok(Self {
            bytes: ManuallyDrop::new(cuda.alloc_pinned(n_bytes)?),
            copied: cuda.new_awaited()?,
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
            .memcpy_htod(&*self.bytes, to)
            .map_err(failed("copying to the GPU"))?;
        self.copied.record(stream)
    }

    /// Starts copying them from the GPU.
    pub(super) fn fetch(
        &mut self,
        stream: &Arc<CudaStream>,
        from: &impl DevicePtr<u8>,
    ) -> Result<()> {
        stream
            .memcpy_dtoh(from, &mut *self.bytes)
            .map_err(failed("copying from the GPU"))?;
        self.copied.record(stream)
    }

    /// Notes that what a stream was given so far is as good as a copy: it is waited for as one.
    pub(super) fn note(&self, stream: &CudaStream) -> Result<()> {
        self.copied.record(stream)
    }

    /// Lets a stream wait until they are copied.
    pub(super) fn hold_back(&self, stream: &CudaStream) -> Result<()> {
        self.copied.hold_back(stream)
    }

    /// Waits until they are copied.
    pub(super) fn wait(&self) -> Result<()> {
        self.copied.wait()
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if self.wait().is_ok() {
            // SAFETY: it is not used any more. Where the GPU no longer answers it stays, for to give it back is to wait.
            unsafe { ManuallyDrop::drop(&mut self.bytes) };
        }
    }
}
