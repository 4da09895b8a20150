//! Frames of video clips, as photos to learn on.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use gst::prelude::*;
use gst_video::prelude::*;
use image::RgbImage;

/// Frames taken from a second of video: more are too much alike.
const RATE: &str = "5/1";
/// Longest wait for the next frame.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes up to `n` frames, evenly over the first part of the clip, and hands each to `keep`.
///
/// # Errors
/// If the file is no video, or cannot be read to its end.
pub fn frames(path: &Path, n: usize, mut keep: impl FnMut(RgbImage)) -> anyhow::Result<()> {
    gst::init().context("starting GStreamer")?;
    let description = format!(
        "filesrc name=file ! decodebin ! videoconvert ! videorate drop-only=true \
         ! video/x-raw,format=RGB,framerate={RATE} ! appsink name=sink sync=false max-buffers=4"
    );
    let pipeline = gst::parse::launch(&description).context("making a pipeline for clips")?;
    let pipeline = Playing(
        pipeline
            .downcast::<gst::Pipeline>()
            .map_err(|_| anyhow!("several elements make a pipeline"))?,
    );
    let part = |name: &str| {
        pipeline
            .0
            .by_name(name)
            .with_context(|| format!("the pipeline has no `{name}`"))
    };
    part("file")?.set_property("location", path);
    let sink = part("sink")?
        .downcast::<gst_app::AppSink>()
        .map_err(|_| anyhow!("`sink` is no appsink"))?;
    // What went wrong is told on the bus.
    let _ = pipeline.0.set_state(gst::State::Playing);
    for _ in 0..n {
        let wait = gst::ClockTime::from_mseconds(PATIENCE.as_millis() as u64);
        match sink.try_pull_sample(wait) {
            Some(sample) => {
                keep(picture(&sample).with_context(|| format!("reading {}", path.display()))?);
            }
            None => return pipeline.ended(path),
        }
    }
    Ok(())
}

/// A pipeline that stops when it is dropped.
struct Playing(gst::Pipeline);

impl Playing {
    /// What came in place of a frame: the end, an error, or nothing.
    fn ended(&self, path: &Path) -> anyhow::Result<()> {
        let kinds = [gst::MessageType::Error, gst::MessageType::Eos];
        let bus = self.0.bus().context("a pipeline has a bus")?;
        match bus.timed_pop_filtered(gst::ClockTime::from_seconds(1), &kinds) {
            Some(message) => match message.view() {
                gst::MessageView::Error(error) => {
                    bail!(
                        "{} cannot be read as picture or video: {}",
                        path.display(),
                        error.error()
                    )
                }
                _ => Ok(()),
            },
            None => bail!(
                "{} gives no more frames for {} s",
                path.display(),
                PATIENCE.as_secs()
            ),
        }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // It ends either way.
        let _ = self.0.set_state(gst::State::Null);
    }
}

fn picture(sample: &gst::Sample) -> anyhow::Result<RgbImage> {
    let caps = sample.caps().context("a frame without caps")?;
    let info = gst_video::VideoInfo::from_caps(caps)?;
    let buffer = sample.buffer().context("a sample without a frame")?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info)?;
    let (width, stride) = (3 * info.width() as usize, frame.plane_stride()[0] as usize);
    let rows = frame
        .plane_data(0)?
        .chunks(stride)
        .take(info.height() as usize);
    let values = rows.flat_map(|row| &row[..width]).copied().collect();
    RgbImage::from_raw(info.width(), info.height(), values).context("a frame shorter than its caps")
}
