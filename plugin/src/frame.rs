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

/// A mapped frame for the engine to read.
pub(crate) fn readable<'a>(
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
pub(crate) fn writable<'a>(
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
