//! How far the work is: counted by probes on pads, read by the main thread.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use gst::prelude::*;

/// Counts of one painting.
#[derive(Debug, Default)]
pub struct Meter {
    /// Frames that left the element.
    n_frames: AtomicU64,
    /// End of the latest frame, in nanoseconds from the start.
    position_ns: AtomicU64,
    /// End of the latest piece of any track that reached the muxer, in nanoseconds from the start.
    end_ns: AtomicU64,
    /// Buffers seen anywhere: a sign of life.
    n_seen: AtomicU64,
}

impl Meter {
    /// Frames painted so far.
    pub fn n_frames(&self) -> u64 {
        self.n_frames.load(Relaxed)
    }

    /// How far into the video they reach.
    pub fn position(&self) -> gst::ClockTime {
        gst::ClockTime::from_nseconds(self.position_ns.load(Relaxed))
    }

    /// How far into the clip the longest track reaches.
    pub fn end(&self) -> gst::ClockTime {
        gst::ClockTime::from_nseconds(self.end_ns.load(Relaxed))
    }

    /// A number that grows while anything moves.
    pub fn n_seen(&self) -> u64 {
        self.n_seen.load(Relaxed)
    }

    /// Counts the frames that leave `pad`.
    pub fn count_frames(self: &Arc<Self>, pad: &gst::Pad) {
        self.follow(pad, |meter, end| {
            meter.n_frames.fetch_add(1, Relaxed);
            meter.position_ns.fetch_max(end.nseconds(), Relaxed);
        });
    }

    /// Notes how far the track of `pad` reaches.
    pub fn note_end(self: &Arc<Self>, pad: &gst::Pad) {
        self.follow(pad, |meter, end| {
            meter.end_ns.fetch_max(end.nseconds(), Relaxed);
        });
    }

    /// Takes every buffer at `pad` for a sign of life.
    pub fn watch(self: &Arc<Self>, pad: &gst::Pad) {
        self.follow(pad, |_, _| ());
    }

    fn follow(
        self: &Arc<Self>,
        pad: &gst::Pad,
        note: impl Fn(&Self, gst::ClockTime) + Send + Sync + 'static,
    ) {
        let meter = Arc::clone(self);
        let segment = Mutex::new(gst::FormattedSegment::<gst::ClockTime>::new());
        let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(mask, move |_, info| {
            let mut segment = segment.lock().expect("nothing panics while it is held");
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => {
                    meter.n_seen.fetch_add(1, Relaxed);
                    note(&meter, end(buffer, &segment));
                }
                Some(gst::PadProbeData::Event(event)) => {
                    if let gst::EventView::Segment(new) = event.view()
                        && let Some(new) = new.segment().downcast_ref::<gst::ClockTime>()
                    {
                        *segment = new.clone();
                    }
                }
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
    }
}

/// Where a buffer ends in running time; zero if it does not say.
fn end(buffer: &gst::BufferRef, segment: &gst::FormattedSegment<gst::ClockTime>) -> gst::ClockTime {
    let start = buffer.pts().and_then(|pts| segment.to_running_time(pts));
    start.map_or(gst::ClockTime::ZERO, |start| {
        start + buffer.duration().unwrap_or_default()
    })
}
