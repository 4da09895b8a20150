//! Frames between this machine's memory and the GPU's.

#![expect(unsafe_code, reason = "frames on the GPU are copied by address")]

use std::sync::Arc;

use cudarc::driver::{CudaSlice, CudaStream, sys};

use super::cuda::{Cuda, address, failed};
use super::kernels::{self, Address};
use super::pinned::Pinned;
use crate::device::DeviceBytes;
use crate::error::Result;
use crate::frame::{Frame, FrameFormat, FrameMut};

/// Rows and planes begin at multiples of this many bytes, which the GPU reads at once.
const ALIGN_BYTES: usize = 256;

/// Where the planes of a frame lie in one piece of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// First byte of each plane.
    pub offsets: [usize; 3],
    /// Bytes from row to row.
    pub strides: [usize; 3],
    /// Bytes of the whole.
    pub n_bytes: usize,
}

impl Layout {
    /// For frames of a format.
    pub(super) fn of(format: &FrameFormat) -> Self {
        let mut layout = Self::default();
        for idx in 0..format.pixels.n_planes() {
            let (width, n_rows) = format.pixels.plane_size(idx, format.width, format.height);
            layout.offsets[idx] = layout.n_bytes;
            layout.strides[idx] = width.next_multiple_of(ALIGN_BYTES);
            layout.n_bytes += layout.strides[idx] * n_rows;
        }
        layout
    }

    /// Copies a frame into bytes that are laid out so.
    fn pack(&self, frame: &Frame<'_>, bytes: &mut [u8]) {
        let format = frame.format();
        for idx in 0..format.pixels.n_planes() {
            let (_, n_rows) = format.pixels.plane_size(idx, format.width, format.height);
            let plane = &mut bytes[self.offsets[idx]..];
            let rows = plane.chunks_mut(self.strides[idx]).take(n_rows);
            for (y, target) in rows.enumerate() {
                let row = frame.row(idx, y);
                target[..row.len()].copy_from_slice(row);
            }
        }
    }

    /// Copies bytes that are laid out so into a frame.
    fn unpack(&self, bytes: &[u8], frame: &mut FrameMut<'_>) {
        let format = *frame.format();
        let sources = (0..format.pixels.n_planes()).flat_map(|idx| {
            let (width, n_rows) = format.pixels.plane_size(idx, format.width, format.height);
            let rows = bytes[self.offsets[idx]..].chunks(self.strides[idx]);
            rows.take(n_rows).map(move |row| &row[..width])
        });
        for (target, source) in frame.rows_mut().zip(sources) {
            target.copy_from_slice(source);
        }
    }
}

/// A frame in both memories.
pub(super) struct Staging {
    layout: Layout,
    here: Pinned,
    there: CudaSlice<u8>,
}

impl Staging {
    /// Room for a frame of a format.
    pub(super) fn new(cuda: &Cuda, format: &FrameFormat) -> Result<Self> {
        let layout = Layout::of(format);
        Ok(Self {
            layout,
            here: Pinned::new(cuda, layout.n_bytes)?,
            there: cuda.alloc(layout.n_bytes)?,
        })
    }

    /// Sends a frame to the GPU, or copies it there, if it is on the GPU already. It is not needed after the call.
    pub(super) fn send(&mut self, stream: &Arc<CudaStream>, frame: &Frame<'_>) -> Result<()> {
        if let Some(bytes) = frame.device() {
            self.copy(stream, frame.format(), bytes)?;
            self.here.note(stream)?;
            // Whoever has it may change it when this returns.
            return self.here.wait();
        }
        // This waits for a frame that is still being sent from here.
        self.layout.pack(frame, self.here.bytes_mut()?);
        self.here.send(stream, &mut self.there)
    }

    /// Copies a frame that is on the GPU.
    fn copy(&self, stream: &CudaStream, format: &FrameFormat, from: DeviceBytes) -> Result<()> {
        let start = address(&self.there);
        for idx in 0..format.pixels.n_planes() {
            let (width_bytes, n_rows) = format.pixels.plane_size(idx, format.width, format.height);
            let plane = from.planes[idx];
            let job = sys::CUDA_MEMCPY2D {
                srcXInBytes: 0,
                srcY: 0,
                srcMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_DEVICE,
                srcHost: std::ptr::null(),
                srcDevice: plane.address,
                srcArray: std::ptr::null_mut(),
                srcPitch: plane.stride_bytes,
                dstXInBytes: 0,
                dstY: 0,
                dstMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_DEVICE,
                dstHost: std::ptr::null_mut(),
                dstDevice: start + self.layout.offsets[idx] as Address,
                dstArray: std::ptr::null_mut(),
                dstPitch: self.layout.strides[idx],
                WidthInBytes: width_bytes,
                Height: n_rows,
            };
            // SAFETY: the frame's maker vouches for its planes, and the layout has room for each.
            unsafe { sys::cuMemcpy2DAsync_v2(&job, stream.cu_stream()) }
                .result()
                .map_err(failed("copying on the GPU"))?;
        }
        Ok(())
    }

    /// Waits until a stream has done all that it was given.
    pub(super) fn catch_up(&self, stream: &CudaStream) -> Result<()> {
        self.here.note(stream)?;
        self.here.wait()
    }

    /// Lets another stream wait until the frame is there.
    pub(super) fn hold_back(&self, stream: &CudaStream) -> Result<()> {
        self.here.hold_back(stream)
    }

    /// Fetches a frame from the GPU, once the stream has made it.
    pub(super) fn fetch(
        &mut self,
        stream: &Arc<CudaStream>,
        frame: &mut FrameMut<'_>,
    ) -> Result<()> {
        self.here.fetch(stream, &self.there)?;
        // This waits for it.
        self.layout.unpack(self.here.bytes()?, frame);
        Ok(())
    }

    /// The frame on the GPU.
    pub(super) fn frame(&self, format: &FrameFormat) -> kernels::Frame {
        let start = address(&self.there);
        let plane = |idx: usize| {
            let offset = self.layout.offsets[idx] as Address;
            (start + offset, self.layout.strides[idx])
        };
        kernels::Frame::new(format, &[0, 1, 2].map(plane))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Matrix, PixelFormat, Plane, PlaneMut, Range};

    #[test]
    fn frames_of_every_format_come_back_as_they_went() {
        use PixelFormat::{Bgr, Bgra, I420, Nv12, P010, Rgba};

        for pixels in [Nv12, I420, P010, Rgba, Bgra, Bgr] {
            let format = FrameFormat::new(pixels, 129, 67, Matrix::Bt709, Range::Limited).unwrap();
            let layout = Layout::of(&format);
            let size = |idx| pixels.plane_size(idx, format.width, format.height);
            let bytes: Vec<Vec<u8>> = (0..pixels.n_planes())
                .map(|idx| (0..(size(idx).0 + 3) * size(idx).1).map(move |at| (at * 7 + idx) as u8))
                .map(Iterator::collect)
                .collect();
            let planes: Vec<_> = (0..pixels.n_planes())
                .map(|idx| Plane {
                    data: &bytes[idx],
                    stride_bytes: size(idx).0 + 3,
                })
                .collect();
            let frame = Frame::new(format, &planes).unwrap();
            let mut packed = vec![0; layout.n_bytes];
            layout.pack(&frame, &mut packed);

            let mut back: Vec<Vec<u8>> = bytes.iter().map(|plane| vec![0; plane.len()]).collect();
            let targets = back.iter_mut().enumerate().map(|(idx, data)| PlaneMut {
                data,
                stride_bytes: size(idx).0 + 3,
            });
            layout.unpack(&packed, &mut FrameMut::new(format, targets).unwrap());
            for idx in 0..pixels.n_planes() {
                let rows = |bytes: &'_ [u8]| -> Vec<Vec<u8>> {
                    let rows = bytes.chunks_exact(size(idx).0 + 3);
                    rows.map(|row| row[..size(idx).0].to_vec()).collect()
                };
                assert_eq!(rows(&back[idx]), rows(&bytes[idx]), "{pixels:?} {idx}");
                assert!(layout.strides[idx].is_multiple_of(ALIGN_BYTES));
            }
        }
    }
}
