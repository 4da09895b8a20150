//! Frames in a GPU's memory.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use engines::{DeviceFrame, DevicePlane, Frame, FrameFormat, FrameMut};
use gst::ffi::{GST_MAP_FLAG_LAST, GST_MAP_READ, GST_MAP_WRITE, GstMapFlags, GstMemory};
use gst::glib::translate::{ToGlibPtr, from_glib};
use gst::glib::{BoolError, bool_error};
use gst_video::ffi::{
    GST_VIDEO_FRAME_MAP_FLAG_NO_REF, GstVideoFrame, gst_video_frame_map, gst_video_frame_unmap,
};

use crate::context::{Context, loaded};
use crate::library::RawContext;

/// `GST_MAP_CUDA`: the GPU's memory is wanted, not a copy in this machine's.
const MAP_CUDA: GstMapFlags = GST_MAP_FLAG_LAST << 1;

/// How a `GstCudaMemory` begins.
#[repr(C)]
struct CudaMemory {
    memory: GstMemory,
    context: *mut RawContext,
}

/// A frame that is mapped where it is, in memory of a context.
pub struct Mapped<'a> {
    frame: GstVideoFrame,
    is_writable: bool,
    context: usize,
    buffer: PhantomData<&'a gst::BufferRef>,
}

impl Context {
    /// Whether a frame is in memory of this context. Else it is to be read and written in this machine's memory, where
    /// GStreamer copies it to and from when it is mapped.
    pub fn has(&self, buffer: &gst::BufferRef) -> bool {
        self.memory_of(buffer).is_some()
    }

    /// The one piece of memory that a frame is in, if it is this context's.
    fn memory_of(&self, buffer: &gst::BufferRef) -> Option<*mut GstMemory> {
        let memory = match buffer.n_memory() {
            1 => buffer.peek_memory(0).as_mut_ptr(),
            _ => return None,
        };
        // SAFETY: it is memory.
        if unsafe { (loaded().is_cuda_memory)(memory) } == gst::glib::ffi::GFALSE {
            return None;
        }
        // SAFETY: memory of this kind begins so, and has a context as long as it lives.
        let owner = unsafe {
            let owner = (*memory.cast::<CudaMemory>()).context;
            (loaded().context_get_handle)(owner)
        };
        (owner.expose_provenance() == self.handle()).then_some(memory)
    }
}

impl<'a> Mapped<'a> {
    /// A frame in memory of `context`, to be read.
    ///
    /// # Errors
    /// If it is not, or cannot be mapped.
    pub fn read(
        buffer: &'a gst::BufferRef,
        info: &gst_video::VideoInfo,
        context: &Context,
    ) -> Result<Self, BoolError> {
        Self::map(buffer, info, context, GST_MAP_READ)
    }

    /// A frame in memory of `context`, to be written.
    ///
    /// # Errors
    /// If it is not, or cannot be mapped.
    pub fn write(
        buffer: &'a mut gst::BufferRef,
        info: &gst_video::VideoInfo,
        context: &Context,
    ) -> Result<Self, BoolError> {
        Self::map(buffer, info, context, GST_MAP_WRITE)
    }

    fn map(
        buffer: &gst::BufferRef,
        info: &gst_video::VideoInfo,
        context: &Context,
        flags: GstMapFlags,
    ) -> Result<Self, BoolError> {
        let memory = context
            .memory_of(buffer)
            .ok_or_else(|| bool_error!("the frame is not in memory of this context"))?;
        let mut frame = MaybeUninit::uninit();
        // SAFETY: buffer and info are what they are; whoever asks to write has the buffer to themselves.
        let is_mapped: bool = unsafe {
            from_glib(gst_video_frame_map(
                frame.as_mut_ptr(),
                info.to_glib_none().0.cast_mut(),
                buffer.as_mut_ptr(),
                GST_VIDEO_FRAME_MAP_FLAG_NO_REF | MAP_CUDA | flags,
            ))
        };
        if !is_mapped {
            return Err(bool_error!("the frame cannot be mapped on the GPU"));
        }
        let mapped = Self {
            // SAFETY: it has been filled.
            frame: unsafe { frame.assume_init() },
            is_writable: flags == GST_MAP_WRITE,
            context: context.handle(),
            buffer: PhantomData,
        };
        if let Some(sync) = loaded().memory_sync {
            // SAFETY: it is memory of this kind. What others have begun with it is done when this returns.
            unsafe { sync(memory) };
        }
        Ok(mapped)
    }

    /// The frame, for an engine that is done with it when it returns.
    ///
    /// # Errors
    /// [`engines::Error::Plane`].
    pub fn frame(&self, format: FrameFormat) -> engines::Result<Frame<'_>> {
        self.planes(format).map(Frame::on_gpu)
    }

    /// The frame to be painted, for an engine that is done with it when it returns.
    ///
    /// # Errors
    /// [`engines::Error::Plane`].
    ///
    /// # Panics
    /// If it was mapped to be read.
    pub fn frame_mut(&mut self, format: FrameFormat) -> engines::Result<FrameMut<'_>> {
        assert!(self.is_writable, "this frame was mapped to be read");
        self.planes(format).map(FrameMut::on_gpu)
    }

    fn planes(&self, format: FrameFormat) -> engines::Result<DeviceFrame<'_>> {
        let planes: [DevicePlane; 3] = std::array::from_fn(|idx| DevicePlane {
            address: self.frame.data[idx].expose_provenance() as u64,
            // Strides of the formats that are taken here run forward.
            stride_bytes: usize::try_from(self.frame.info.stride[idx]).unwrap_or(0),
        });
        let planes = &planes[..format.pixels.n_planes()];
        // SAFETY: GStreamer gives these addresses, in memory of that context, which is mapped as long as this is there.
        unsafe { DeviceFrame::new(format, self.context, planes) }
    }
}

impl Drop for Mapped<'_> {
    fn drop(&mut self) {
        // SAFETY: it is mapped.
        unsafe { gst_video_frame_unmap(&raw mut self.frame) };
    }
}
