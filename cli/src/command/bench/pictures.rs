//! A moving test picture, rendered beforehand.

use anyhow::Context;
use engines::FrameFormat;
use gst::prelude::*;

use crate::packages;

/// Frames that are rendered; they are shown over and over.
const N_FRAMES: i32 = 8;

/// Frames and what they are.
pub struct Pictures {
    /// Format of the frames.
    pub caps: gst::Caps,
    /// The frames.
    pub frames: Vec<gst::Buffer>,
}

/// Renders a picture that moves.
///
/// # Errors
/// If GStreamer's test source is missing, or fails.
pub fn moving(format: &FrameFormat) -> anyhow::Result<Pictures> {
    for element in ["videotestsrc", "capsfilter", "appsink"] {
        packages::require(element)?;
    }
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", format.pixels.name())
        .field("width", format.width as i32)
        .field("height", format.height as i32)
        .field("framerate", gst::Fraction::new(25, 1))
        .build();
    let source = gst::ElementFactory::make("videotestsrc")
        .property_from_str("pattern", "zone-plate")
        .property("num-buffers", N_FRAMES)
        .property("kx2", 20_i32)
        .property("ky2", 20_i32)
        .property("kt", 5_i32)
        .build()?;
    let sink = gst_app::AppSink::builder().caps(&caps).sync(false).build();
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([&source, sink.upcast_ref()])?;
    source.link(&sink)?;
    pipeline
        .set_state(gst::State::Playing)
        .context("rendering the test picture")?;
    let samples: Vec<_> = std::iter::from_fn(|| sink.pull_sample().ok()).collect();
    pipeline.set_state(gst::State::Null)?;
    let caps = samples
        .first()
        .and_then(|sample| sample.caps_owned())
        .with_context(|| format!("GStreamer's test source gave no frames of {caps}"))?;
    Ok(Pictures {
        caps,
        frames: samples
            .iter()
            .filter_map(|sample| sample.buffer_owned())
            .collect(),
    })
}
