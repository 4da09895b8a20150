//! The element for tests: registered, with styles of known effect, and buffers as pictures.

use std::fs;
use std::sync::Once;

use engines::{FrameFormat, Matrix, PixelFormat, Range};
use gst::prelude::*;
use gst_video::prelude::*;

use crate::data;
use crate::network::{NCHW, Network};
use crate::picture::Picture;

/// How long a test waits for what must happen soon, on a machine that is busy.
pub const SOON: gst::ClockTime = gst::ClockTime::from_seconds(30);

/// Starts GStreamer and registers the element.
///
/// # Panics
/// If that fails.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().expect("GStreamer starts");
        gstimpasto::plugin_register_static().expect("the plugin registers");
    });
}

/// Path of a style that paints the negative of every pixel.
pub fn negative() -> String {
    style("negative", |network| network.affine([-1.0; 3], [1.0; 3], 2))
}

/// Path of a style that paints every pixel as it is.
pub fn same() -> String {
    style("same", |network| network.op("Identity"))
}

/// Path of a style made by code, for the element to read.
///
/// # Panics
/// If it cannot be written.
pub fn style(name: &str, layers: impl Fn(Network) -> Network) -> String {
    let folder = data::of_build("styles");
    fs::create_dir_all(&folder).expect("the build's folder is writable");
    let path = folder.join(format!("{name}.onnx"));
    // Tests run side by side: none may read what another has half written.
    let partial = tempfile::NamedTempFile::new_in(&folder).expect("the build's folder is writable");
    let network = layers(Network::new(&NCHW)).metadata("impasto.align", "1");
    network
        .metadata("impasto.input", "RGB 0..1")
        .metadata("impasto.output", "RGB 0..1")
        .write(partial.path());
    partial
        .persist(&path)
        .expect("the build's folder is writable");
    path.into_os_string().into_string().expect("a UTF-8 path")
}

/// Makes the element paint every frame by itself: what was painted before does not count.
pub fn paint_frame_by_frame(element: &gst::Element) {
    element.set_property_from_str("stabilizer", "off");
    element.set_property("exposure-guard", false);
}

/// Caps of raw video at 30 frames per second.
pub fn caps(format: &str, width: usize, height: usize) -> gst::Caps {
    init();
    gst::Caps::builder("video/x-raw")
        .field("format", format)
        .field("width", width as i32)
        .field("height", height as i32)
        .field("framerate", gst::Fraction::new(30, 1))
        .build()
}

/// What the engine must make of caps.
///
/// # Panics
/// If they are not of a format that can be painted.
pub fn format_of(caps: &gst::Caps) -> FrameFormat {
    let info = info_of(caps);
    let name = info.format().to_str().to_string();
    let pixels = PixelFormat::ALL
        .into_iter()
        .find(|pixels| pixels.name() == name);
    let matrix = match info.colorimetry().matrix() {
        gst_video::VideoColorMatrix::Bt601 => Matrix::Bt601,
        gst_video::VideoColorMatrix::Bt2020 => Matrix::Bt2020,
        _ => Matrix::Bt709,
    };
    let range = match info.colorimetry().range() {
        gst_video::VideoColorRange::Range0_255 => Range::Full,
        _ => Range::Limited,
    };
    let pixels = pixels.expect("a format that can be painted");
    FrameFormat::new(
        pixels,
        info.width() as usize,
        info.height() as usize,
        matrix,
        range,
    )
    .expect("a size that can be painted")
}

/// Caps, understood.
///
/// # Panics
/// If they are no raw video.
pub fn info_of(caps: &gst::Caps) -> gst_video::VideoInfo {
    gst_video::VideoInfo::from_caps(caps).expect("caps of raw video")
}

/// A buffer of a picture, laid out as caps have it by default, at `n` frames of 1/30 s.
///
/// # Panics
/// If the picture is not of these caps.
pub fn buffer(picture: &Picture, caps: &gst::Caps, n: u64) -> gst::Buffer {
    let info = info_of(caps);
    let mut buffer = gst::Buffer::with_size(info.size()).expect("memory for a frame");
    let writable = buffer.make_mut();
    writable.set_pts(time(n));
    writable.set_duration(time(n + 1) - time(n));
    fill(writable, &info, picture);
    buffer
}

/// Time of frame `n` at 30 frames per second.
pub fn time(n: u64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(n * 1_000_000_000 / 30)
}

/// Copies a picture into a buffer.
///
/// # Panics
/// If it does not fit.
pub fn fill(buffer: &mut gst::BufferRef, info: &gst_video::VideoInfo, picture: &Picture) {
    let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info)
        .expect("a frame that fits");
    for (idx, (data, stride_bytes)) in picture.planes.iter().enumerate() {
        let FrameFormat {
            pixels,
            width,
            height,
            ..
        } = picture.format;
        let (width_bytes, n_rows) = pixels.plane_size(idx, width, height);
        let target_stride = frame.plane_stride()[idx] as usize;
        let target = frame
            .plane_data_mut(idx as u32)
            .expect("as many planes as the format has");
        for y in 0..n_rows {
            target[y * target_stride..][..width_bytes]
                .copy_from_slice(&data[y * stride_bytes..][..width_bytes]);
        }
    }
}

/// The picture in a buffer.
///
/// # Panics
/// If the buffer is not of these caps.
pub fn picture(buffer: &gst::BufferRef, caps: &gst::Caps) -> Picture {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info_of(caps))
        .expect("a frame that fits");
    let mut picture = Picture::blank(format_of(caps), 0);
    for (idx, (data, stride_bytes)) in picture.planes.iter_mut().enumerate() {
        let source = frame
            .plane_data(idx as u32)
            .expect("as many planes as the format has");
        let source_stride = frame.plane_stride()[idx] as usize;
        for (row, source) in data
            .chunks_mut(*stride_bytes)
            .zip(source.chunks(source_stride))
        {
            row.copy_from_slice(&source[..*stride_bytes]);
        }
    }
    picture
}

/// Plays a pipeline to its end and stops it.
///
/// # Panics
/// If it posts an error, or does not come to an end soon.
pub fn run(pipeline: &gst::Pipeline) {
    pipeline
        .set_state(gst::State::Playing)
        .expect("a pipeline that starts");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus
        .timed_pop_filtered(4 * SOON, &ends)
        .expect("a pipeline that comes to an end");
    if let gst::MessageView::Error(error) = message.view() {
        panic!("{}: {:?}", error.error(), error.debug());
    }
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline that stops");
}

/// Makes a pipeline of a text.
///
/// # Panics
/// If it is not understood.
pub fn pipeline(text: &str) -> gst::Pipeline {
    init();
    let made = gst::parse::launch(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    made.downcast().expect("more than one element")
}
