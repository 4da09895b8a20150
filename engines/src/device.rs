//! Frames that lie in a GPU's memory, and the context that they lie in, as others hand them over: by address.
//!
//! Nothing here asks the driver: whoever makes these vouches for them, and the GPU's backend relies on it.

#![expect(unsafe_code, reason = "whoever has addresses vouches for them")]

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::frame::{FrameFormat, check};

/// A CUDA context that others made and an engine is to work in, so that it can take their frames where they are.
#[derive(Clone)]
pub struct GpuContext {
    handle: usize,
    keeper: Arc<dyn Any + Send + Sync>,
}

impl GpuContext {
    /// A context by its handle, a `CUcontext`.
    ///
    /// # Safety
    /// It is a context of the GPU that [`Settings::device`](crate::Settings::device) names, and lives as long as `keeper`.
    pub unsafe fn new(handle: usize, keeper: Arc<dyn Any + Send + Sync>) -> Self {
        Self { handle, keeper }
    }

    /// The `CUcontext`.
    pub fn handle(&self) -> usize {
        self.handle
    }
}

/// The same if it is the same context: as long as one of them is there, no other has its handle.
impl PartialEq for GpuContext {
    fn eq(&self, other: &Self) -> bool {
        self.handle == other.handle
    }
}

impl Eq for GpuContext {}

impl fmt::Debug for GpuContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_users = Arc::strong_count(&self.keeper);
        write!(f, "GpuContext({:#x}, {n_users} users)", self.handle)
    }
}

/// A plane of a frame in a GPU's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DevicePlane {
    /// Where its first row begins.
    pub address: u64,
    /// Bytes from row to row.
    pub stride_bytes: usize,
}

/// A borrowed picture in a GPU's memory.
#[derive(Debug)]
pub struct DeviceFrame<'a> {
    format: FrameFormat,
    planes: [DevicePlane; 3],
    context: usize,
    memory: PhantomData<&'a mut [u8]>,
}

impl DeviceFrame<'_> {
    /// Joins planes to a picture, in memory of a context by its handle.
    ///
    /// # Errors
    /// [`Error::Plane`] if a plane is missing or its stride is shorter than a row.
    ///
    /// # Safety
    /// Every plane has all its rows in memory of that context, which nothing writes to as long as this is there; if a
    /// [`FrameMut`](crate::FrameMut) is made of it, nothing else reads it either.
    pub unsafe fn new(format: FrameFormat, context: usize, planes: &[DevicePlane]) -> Result<Self> {
        // How much memory there is behind an address is the caller's word.
        let rows = planes.iter().map(|plane| match plane.address {
            0 => (0, 0),
            _ => (usize::MAX, plane.stride_bytes),
        });
        check(&format, rows)?;
        let too_long = |plane: &DevicePlane| i32::try_from(plane.stride_bytes).is_err();
        if let Some(plane_idx) = planes.iter().position(too_long) {
            let (width_bytes, n_rows) =
                format
                    .pixels
                    .plane_size(plane_idx, format.width, format.height);
            return Err(Error::Plane {
                format: format.pixels.name(),
                plane_idx,
                len_bytes: 0,
                stride_bytes: planes[plane_idx].stride_bytes,
                width_bytes,
                n_rows,
            });
        }
        let plane = |idx: usize| planes.get(idx).copied().unwrap_or_default();
        Ok(Self {
            format,
            planes: [0, 1, 2].map(plane),
            context,
            memory: PhantomData,
        })
    }

    /// What its bytes are.
    pub(crate) fn bytes(&self) -> DeviceBytes {
        DeviceBytes {
            planes: self.planes,
            context: self.context,
        }
    }

    pub(crate) fn format(&self) -> FrameFormat {
        self.format
    }
}

/// Where the planes of a frame lie, and in which context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeviceBytes {
    #[cfg_attr(
        not(feature = "tensorrt-common"),
        expect(dead_code, reason = "only GPUs read from there")
    )]
    pub planes: [DevicePlane; 3],
    pub context: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Matrix, PixelFormat, Range};

    #[test]
    fn planes_that_hold_no_rows_are_refused() {
        let format =
            FrameFormat::new(PixelFormat::Nv12, 64, 48, Matrix::Bt709, Range::Limited).unwrap();
        let plane = |address, stride_bytes| DevicePlane {
            address,
            stride_bytes,
        };
        let frame = |planes: &[DevicePlane]| {
            // SAFETY: nobody reads it.
            unsafe { DeviceFrame::new(format, 1, planes) }
        };
        assert!(frame(&[plane(4096, 64), plane(8192, 100)]).is_ok());
        for (planes, why) in [
            (vec![plane(4096, 64)], "one is missing"),
            (vec![plane(4096, 64), plane(0, 64)], "one is nowhere"),
            (vec![plane(4096, 63), plane(8192, 64)], "rows overlap"),
            (
                vec![plane(4096, 64), plane(8192, 1 << 31)],
                "rows are too far",
            ),
        ] {
            assert!(matches!(frame(&planes), Err(Error::Plane { .. })), "{why}");
        }
    }
}
