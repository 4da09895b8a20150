//! Frames through an H.264 encoder and back.

use anyhow::{Context, bail};
use gst::prelude::*;
use gst_video::prelude::*;
use image::RgbImage;

use crate::packages;

/// Bit rate in kbit/s: what a video call or a small web video of 640x360 has.
const BIT_RATE: u32 = 1000;

/// Frames per second; the bit rate refers to it.
const FRAME_RATE: u64 = 25;

/// Encodes and decodes.
///
/// # Errors
/// If GStreamer lacks an element, or one of them fails.
pub fn round_trip(frames: &[RgbImage]) -> anyhow::Result<Vec<RgbImage>> {
    gst::init().context("starting GStreamer")?;
    let Some(first) = frames.first() else {
        return Ok(Vec::new());
    };
    let (width, height) = first.dimensions();
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, width, height)
        .fps(gst::Fraction::new(FRAME_RATE as i32, 1))
        .build()?;
    let caps = info.to_caps()?;
    for element in ["appsrc", "appsink"] {
        packages::require(element)?;
    }
    let source = gst_app::AppSrc::builder()
        .caps(&caps)
        .format(gst::Format::Time)
        .build();
    let encoder = packages::make("x264enc")?;
    encoder.set_property("bitrate", BIT_RATE);
    // For the same bits on every call: they depend on the number of threads, and what x264's macroblock tree
    // finds differs from run to run even with one.
    encoder.set_property("threads", 1_u32);
    encoder.set_property("mb-tree", false);
    let sink = gst_app::AppSink::builder().caps(&caps).sync(false).build();
    let elements = [
        source.clone().upcast(),
        packages::make("videoconvert")?,
        encoder,
        packages::make("avdec_h264")?,
        packages::make("videoconvert")?,
        sink.clone().upcast(),
    ];
    let pipeline = gst::Pipeline::new();
    pipeline.add_many(&elements)?;
    gst::Element::link_many(&elements)?;
    let decoded = play(&pipeline, &source, &sink, frames);
    pipeline.set_state(gst::State::Null)?;
    let decoded = decoded.context("sending frames through H.264")?;
    if decoded.len() != frames.len() {
        bail!("{} frames came back of {}", decoded.len(), frames.len());
    }
    Ok(decoded)
}

/// Sends the frames through a pipeline that is ready for them.
fn play(
    pipeline: &gst::Pipeline,
    source: &gst_app::AppSrc,
    sink: &gst_app::AppSink,
    frames: &[RgbImage],
) -> anyhow::Result<Vec<RgbImage>> {
    let caps = source.caps().context("the source has no caps")?;
    let info = gst_video::VideoInfo::from_caps(&caps)?;
    pipeline.set_state(gst::State::Playing)?;
    for (frame_idx, frame) in frames.iter().enumerate() {
        source.push_buffer(packed(frame, frame_idx, &info)?)?;
    }
    source.end_of_stream()?;
    let samples = std::iter::from_fn(|| sink.pull_sample().ok());
    let decoded = samples.map(|sample| unpacked(&sample, &info)).collect();
    let bus = pipeline.bus().expect("a pipeline has a bus");
    match bus.pop_filtered(&[gst::MessageType::Error]) {
        Some(message) => match message.view() {
            gst::MessageView::Error(error) => bail!("{}", error.error()),
            _ => decoded,
        },
        None => decoded,
    }
}

fn packed(
    frame: &RgbImage,
    frame_idx: usize,
    info: &gst_video::VideoInfo,
) -> anyhow::Result<gst::Buffer> {
    let mut bytes = vec![0; info.size()];
    let width_bytes = 3 * info.width() as usize;
    let rows = bytes.chunks_mut(info.stride()[0] as usize);
    for (row, pixels) in rows.zip(frame.as_raw().chunks_exact(width_bytes)) {
        row[..width_bytes].copy_from_slice(pixels);
    }
    let mut buffer = gst::Buffer::from_mut_slice(bytes);
    let writable = buffer.get_mut().expect("nobody else has the buffer yet");
    let duration = gst::ClockTime::SECOND / FRAME_RATE;
    writable.set_pts(duration * frame_idx as u64);
    writable.set_duration(duration);
    Ok(buffer)
}

fn unpacked(sample: &gst::Sample, info: &gst_video::VideoInfo) -> anyhow::Result<RgbImage> {
    let buffer = sample.buffer().context("a sample without a buffer")?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info)?;
    let width_bytes = 3 * info.width() as usize;
    let rows = frame
        .plane_data(0)?
        .chunks(frame.plane_stride()[0] as usize);
    let pixels = rows.flat_map(|row| &row[..width_bytes]).copied().collect();
    RgbImage::from_raw(info.width(), info.height(), pixels).context("a frame of the wrong size")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_much_as_they_were() {
        // A width that GStreamer pads.
        let frame = |idx: u32| {
            RgbImage::from_fn(94, 64, |x, y| {
                image::Rgb([(x + idx) as u8, y as u8 + 90, 120])
            })
        };
        let frames: Vec<_> = (0..5).map(frame).collect();
        let decoded = round_trip(&frames).unwrap();
        for (frame, decoded) in frames.iter().zip(&decoded) {
            let differences = frame
                .iter()
                .zip(decoded.iter())
                .map(|(a, b)| a.abs_diff(*b));
            let mean = differences.map(u64::from).sum::<u64>() / frame.len() as u64;
            assert!(mean <= 4, "{mean}");
        }
    }
}
