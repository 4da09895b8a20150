//! The element by itself: a frame is pushed in and comes out in the same call, so that the call's time is the
//! element's and no queue's.

use std::time::{Duration, Instant};

use anyhow::Context;
use engines::{Stage, Times};
use gst::prelude::*;

use crate::packages;
use crate::video::failure;

/// An element `styletransfer` between two loose pads.
pub struct Element {
    /// The element itself, for its properties.
    pub inner: gst::Element,
    source: gst::Pad,
    /// Owned, because the element's own pad only borrows its peer.
    _sink: gst::Pad,
    bus: gst::Bus,
}

impl Element {
    /// Makes the element; its properties can be set until it is started.
    ///
    /// # Errors
    /// If it is not there.
    pub fn open(caps: &gst::Caps) -> anyhow::Result<Self> {
        let inner = packages::make("styletransfer")?;
        let bus = gst::Bus::new();
        inner.set_bus(Some(&bus));
        let source = gst::Pad::builder(gst::PadDirection::Src)
            .name("source")
            .build();
        let taken = caps.clone();
        let sink = gst::Pad::builder(gst::PadDirection::Sink)
            .name("sink")
            .chain_function(|_, _, _| Ok(gst::FlowSuccess::Ok))
            .query_function(move |pad, parent, query| {
                if let gst::QueryViewMut::Caps(query) = query.view_mut() {
                    query.set_result(&taken);
                    return true;
                }
                gst::Pad::query_default(pad, parent, query)
            })
            .build();
        let pad = |name| {
            inner
                .static_pad(name)
                .with_context(|| format!("styletransfer has no pad {name}"))
        };
        source.link(&pad("sink")?)?;
        pad("src")?.link(&sink)?;
        source.set_active(true)?;
        sink.set_active(true)?;
        Ok(Self {
            inner,
            source,
            _sink: sink,
            bus,
        })
    }

    /// Gets it ready for frames of `caps`.
    ///
    /// # Errors
    /// If the style cannot be opened.
    pub fn start(&self, caps: &gst::Caps) -> anyhow::Result<()> {
        self.inner
            .set_state(gst::State::Playing)
            .map_err(|_| self.failure())?;
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        let events = [
            gst::event::StreamStart::new("bench"),
            gst::event::Caps::new(caps),
            gst::event::Segment::new(&segment),
        ];
        for event in events {
            if !self.source.push_event(event) {
                return Err(self.failure());
            }
        }
        Ok(())
    }

    /// Pushes a frame through, and says how long that took.
    ///
    /// # Errors
    /// What stopped the element.
    pub fn paint(&self, frame: &gst::Buffer) -> anyhow::Result<Duration> {
        let frame = frame.clone();
        let start = Instant::now();
        self.source.push(frame).map_err(|_| self.failure())?;
        Ok(start.elapsed())
    }

    /// What a stage took in the latest frames.
    pub fn stage(&self, stage: Stage) -> Times {
        let stats: gst::Structure = self.inner.property("stats");
        let time = |share: &str| {
            Duration::from_nanos(
                stats
                    .get(format!("{}-{share}", stage.name()).as_str())
                    .unwrap_or(0),
            )
        };
        Times {
            median: time("median"),
            p95: time("p95"),
            p99: time("p99"),
        }
    }

    fn failure(&self) -> anyhow::Error {
        let errors: Vec<_> =
            std::iter::from_fn(|| self.bus.pop_filtered(&[gst::MessageType::Error])).collect();
        failure::tell(&errors, "nothing".as_ref())
    }
}

impl Drop for Element {
    fn drop(&mut self) {
        let _ = self.inner.set_state(gst::State::Null);
    }
}
