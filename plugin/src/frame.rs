//! GStreamer's video frames as the engine's: the only file that knows both.

use engines::{Frame, FrameFormat, FrameMut, Matrix, PixelFormat, Plane, PlaneMut, Range};
use gst_video::prelude::*;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoTransferFunction};

/// The format that negotiated caps stand for, or why it cannot be painted.
pub(crate) fn format_of(info: &gst_video::VideoInfo) -> Result<FrameFormat, String> {
    if info.is_interlaced() {
        let mode = info.interlace_mode().to_str();
        return Err(format!(
            "video is interlaced ({mode}), wanted progressive; put `deinterlace` before styletransfer"
        ));
    }
    let colorimetry = info.colorimetry();
    if matches!(
        colorimetry.transfer(),
        VideoTransferFunction::Smpte2084 | VideoTransferFunction::AribStdB67
    ) {
        return Err(format!(
            "video is HDR ({:?}), wanted standard dynamic range; tone-map it first, for example with ffmpeg's zscale and tonemap filters",
            colorimetry.transfer()
        ));
    }
    let pixels = PixelFormat::ALL
        .into_iter()
        .find(|pixels| pixels.name() == info.format().to_str())
        .ok_or_else(|| {
            format!(
                "video is {}; put `videoconvert` before styletransfer",
                info.format()
            )
        })?;
    let (width, height) = (info.width() as usize, info.height() as usize);
    let matrix = match colorimetry.matrix() {
        VideoColorMatrix::Bt601 | VideoColorMatrix::Fcc => Matrix::Bt601,
        VideoColorMatrix::Bt2020 => Matrix::Bt2020,
        _ => Matrix::Bt709,
    };
    let range = match colorimetry.range() {
        VideoColorRange::Range0_255 => Range::Full,
        _ => Range::Limited,
    };
    FrameFormat::new(pixels, width, height, matrix, range).map_err(|error| error.to_string())
}

/// The formats that the element takes.
pub(crate) fn formats() -> impl Iterator<Item = VideoFormat> {
    PixelFormat::ALL
        .into_iter()
        .map(|pixels| VideoFormat::from_string(pixels.name()))
}

/// Whether frames of these caps are in a GPU's memory.
pub(crate) fn is_on_gpu(caps: &gst::CapsRef) -> bool {
    caps.features(0)
        .is_some_and(|features| features.contains(gstcuda::FEATURE))
}

/// The part of caps whose frames are in this machine's memory.
pub(crate) fn without_gpu(caps: &gst::Caps) -> gst::Caps {
    caps.iter_with_features()
        .filter(|(_, features)| !features.contains(gstcuda::FEATURE))
        .map(|(structure, features)| (structure.to_owned(), features.to_owned()))
        .collect()
}

/// A frame that is mapped where it is, for the engine to read.
pub(crate) enum Source<'a> {
    Here(gst_video::VideoFrameRef<&'a gst::BufferRef>),
    There(gstcuda::Mapped<'a>),
}

impl<'a> Source<'a> {
    /// Maps a frame, on the GPU if it is in memory of `context`.
    pub(crate) fn map(
        buffer: &'a gst::BufferRef,
        info: &gst_video::VideoInfo,
        context: Option<&gstcuda::Context>,
    ) -> Result<Self, gst::ErrorMessage> {
        let refuse = |error| {
            gst::error_msg!(
                gst::ResourceError::Read,
                ("input frame cannot be mapped: {error}")
            )
        };
        if let Some(context) = context.filter(|context| context.has(buffer)) {
            let mapped = gstcuda::Mapped::read(buffer, info, context).map_err(refuse)?;
            return Ok(Self::There(mapped));
        }
        gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info)
            .map(Self::Here)
            .map_err(refuse)
    }

    pub(crate) fn frame(&self, format: FrameFormat) -> engines::Result<Frame<'_>> {
        match self {
            Self::Here(mapped) => readable(mapped, format),
            Self::There(mapped) => mapped.frame(format),
        }
    }
}

/// A frame that is mapped where it is, for the engine to write.
pub(crate) enum Target<'a> {
    Here(gst_video::VideoFrameRef<&'a mut gst::BufferRef>),
    There(gstcuda::Mapped<'a>),
}

impl<'a> Target<'a> {
    /// As [`Source::map`].
    pub(crate) fn map(
        buffer: &'a mut gst::BufferRef,
        info: &gst_video::VideoInfo,
        context: Option<&gstcuda::Context>,
    ) -> Result<Self, gst::ErrorMessage> {
        let refuse = |error| {
            gst::error_msg!(
                gst::ResourceError::Write,
                ("output frame cannot be mapped: {error}")
            )
        };
        if let Some(context) = context.filter(|context| context.has(buffer)) {
            let mapped = gstcuda::Mapped::write(buffer, info, context).map_err(refuse)?;
            return Ok(Self::There(mapped));
        }
        gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info)
            .map(Self::Here)
            .map_err(refuse)
    }

    pub(crate) fn frame(&mut self, format: FrameFormat) -> engines::Result<FrameMut<'_>> {
        match self {
            Self::Here(mapped) => writable(mapped, format),
            Self::There(mapped) => mapped.frame_mut(format),
        }
    }
}

/// A mapped frame for the engine to read.
fn readable<'a>(
    frame: &'a gst_video::VideoFrameRef<&gst::BufferRef>,
    format: FrameFormat,
) -> engines::Result<Frame<'a>> {
    let data = frame.planes_data();
    let strides = frame.plane_stride();
    let planes: [Plane<'a>; 3] = std::array::from_fn(|idx| Plane {
        data: data[idx],
        stride_bytes: stride(strides, idx),
    });
    Frame::new(format, &planes[..format.pixels.n_planes()])
}

/// A mapped frame for the engine to write.
fn writable<'a>(
    frame: &'a mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
    format: FrameFormat,
) -> engines::Result<FrameMut<'a>> {
    let strides: [usize; 3] = std::array::from_fn(|idx| stride(frame.plane_stride(), idx));
    let planes = frame.planes_data_mut().into_iter().zip(strides);
    let planes = planes.map(|(data, stride_bytes)| PlaneMut { data, stride_bytes });
    FrameMut::new(format, planes.take(format.pixels.n_planes()))
}

/// A stride in bytes; GStreamer's are signed, but those of the formats taken here run forward.
fn stride(strides: &[i32], idx: usize) -> usize {
    strides
        .get(idx)
        .map_or(1, |&stride| usize::try_from(stride).unwrap_or(0))
}
