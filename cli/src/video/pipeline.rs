//! The pipeline: what every video needs is built at once, what depends on the clip's tracks when they appear.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use gst::prelude::*;

use super::container::Container;
use super::encoder::Video;
use super::meter::Meter;
use super::probe::Clip;
use super::tracks::Tracks;
use super::{orientation, tracks};
use crate::args::{SteadyArgs, StyleArgs};
use crate::packages::make;

/// Frames that may wait between two stages: enough to even out their times, little enough to stay small at 8K.
const WAITING_FRAMES: u32 = 3;

/// What to make of what.
pub struct Plan<'a> {
    /// The input.
    pub clip: &'a Clip,
    /// How to paint.
    pub style: &'a StyleArgs,
    /// How to keep the picture steady.
    pub steady: &'a SteadyArgs,
    /// How to encode.
    pub video: Video,
    /// Kind of output.
    pub container: &'static Container,
    /// File to write.
    pub target: &'a Path,
}

/// A pipeline that paints a clip. Dropped, it stops and lets go of its files.
pub struct Painting {
    /// The whole.
    pub pipeline: gst::Pipeline,
    /// How far it is.
    pub meter: Arc<Meter>,
    /// What became of the clip's tracks.
    pub tracks: Arc<Tracks>,
    style: gst::Element,
}

impl Painting {
    /// Builds the pipeline; it does not run yet.
    ///
    /// # Errors
    /// If GStreamer lacks an element.
    pub fn build(plan: &Plan<'_>) -> anyhow::Result<Self> {
        let pipeline = gst::Pipeline::new();
        let meter = Arc::new(Meter::default());

        let source = make("filesrc")?;
        source.set_property("location", &plan.clip.path);
        let parser = make("parsebin")?;
        chain(&pipeline, &[source.clone(), parser.clone()])?;

        let muxer = make(plan.container.muxer)?;
        let sink = make("filesink")?;
        sink.set_property("location", plan.target);
        sink.set_property("sync", false);
        chain(&pipeline, &[muxer.clone(), sink.clone()])?;

        let style = make("styletransfer")?;
        plan.style.apply(&style)?;
        plan.steady.apply(&style);
        style.set_property("max-in-flight", frames_in_flight(plan.clip.size));
        let mut frames = deinterlace(plan.clip.is_interlaced)?;
        frames.extend(orientation::turn(plan.clip.orientation)?);
        frames.extend([
            make("videoconvert")?,
            frames_filter(plan.video)?,
            waiting()?,
            style.clone(),
            waiting()?,
            make("videoconvert")?,
        ]);
        frames.extend(crop(plan.video.surplus(plan.clip.size))?);
        frames.extend(plan.video.build()?);
        chain(&pipeline, &frames)?;
        let last = frames.last().expect("an encoder is never nothing");
        tracks::link_to_muxer(last, &muxer, "video_%u", &meter)?;

        meter.watch(
            &source
                .static_pad("src")
                .context("filesrc has a source pad")?,
        );
        meter.watch(&sink.static_pad("sink").context("filesink has a sink pad")?);
        meter.watch(
            &style
                .static_pad("sink")
                .context("styletransfer has a sink pad")?,
        );
        meter.count_frames(
            &style
                .static_pad("src")
                .context("styletransfer has a source pad")?,
        );

        let tracks = Arc::new(Tracks::new(
            plan,
            frames[0].clone(),
            muxer,
            Arc::clone(&meter),
        ));
        tracks.connect(&parser, &pipeline);
        Ok(Self {
            pipeline,
            meter,
            tracks,
            style,
        })
    }

    /// Where and how the network ran.
    pub fn engine(&self) -> String {
        self.style.property("active-engine")
    }

    /// Frames that repeated the one before, and were not painted again.
    pub fn n_reused(&self) -> u64 {
        let stats: gst::Structure = self.style.property("stats");
        stats
            .get("frames-reused")
            .expect("the element counts its frames")
    }
}

impl Drop for Painting {
    fn drop(&mut self) {
        // A pipeline that does not stop is beyond help, and the process is about to end.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Frames in flight: one a core, because cores that share a frame wait for each other, and one that waits for the
/// first core that is free; fewer where every frame needs much memory.
fn frames_in_flight((width, height): (usize, usize)) -> u32 {
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    let limit = match width * height {
        0..=2_100_000 => 5,
        2_100_001..=9_000_000 => 3,
        _ => 1,
    };
    (n_cores + 1).min(limit) as u32
}

/// Adds elements to a pipeline, or a part of one, and links them in order.
///
/// # Errors
/// If two of them do not fit.
pub fn chain(pipeline: &impl IsA<gst::Bin>, elements: &[gst::Element]) -> anyhow::Result<()> {
    pipeline.add_many(elements)?;
    gst::Element::link_many(elements)?;
    Ok(())
}

fn waiting() -> anyhow::Result<gst::Element> {
    let queue = make("queue")?;
    queue.set_property("max-size-buffers", WAITING_FRAMES);
    queue.set_property("max-size-bytes", 0_u32);
    queue.set_property("max-size-time", 0_u64);
    Ok(queue)
}

fn frames_filter(video: Video) -> anyhow::Result<gst::Element> {
    let filter = make("capsfilter")?;
    filter.set_property("caps", video.frames());
    Ok(filter)
}

/// Cuts columns off the right and rows off the bottom.
fn crop((n_columns, n_rows): (usize, usize)) -> anyhow::Result<Option<gst::Element>> {
    if (n_columns, n_rows) == (0, 0) {
        return Ok(None);
    }
    let crop = make("videocrop")?;
    crop.set_property("right", n_columns as i32);
    crop.set_property("bottom", n_rows as i32);
    Ok(Some(crop))
}

/// One frame per frame, not per field: twice the frames would take twice the time to paint.
fn deinterlace(is_interlaced: bool) -> anyhow::Result<Vec<gst::Element>> {
    if !is_interlaced {
        return Ok(Vec::new());
    }
    let deinterlace = make("deinterlace")?;
    deinterlace.set_property_from_str("mode", "auto");
    deinterlace.set_property_from_str("fields", "top");
    deinterlace.set_property_from_str("method", "greedyh");
    Ok(vec![make("videoconvert")?, deinterlace])
}
