//! Pipelines of the sinks: frames and sound come in, are encoded where the sink wants that, and go out.

use anyhow::{Context, bail, ensure};
use gst::prelude::*;

use super::encode;
use super::feed::{Entrance, Feed};
use super::format::Format;
use super::line::Build;
use super::node;
use super::sink::Sink;
use super::whip;
use crate::packages::{has, make};
use crate::video::chain;

/// How long a muxer waits for the slower of frames and sound.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(500);

/// Builds the pipeline of a sink.
pub struct Outlet {
    /// What it is.
    pub sink: Sink,
    feed: Feed,
    /// Entrances of the pipeline that runs.
    entrances: Vec<Entrance>,
}

impl Outlet {
    /// One that is yet to be built.
    pub fn new(sink: Sink, feed: Feed) -> Self {
        Self {
            sink,
            feed,
            entrances: Vec::new(),
        }
    }

    /// Tells the pipeline that nothing more comes.
    pub fn close(&self) {
        self.entrances.iter().for_each(Entrance::close);
    }

    /// The first element of a pipeline.
    fn enter(&mut self, entrance: Entrance) -> gst::Element {
        let element = entrance.element();
        self.entrances.push(entrance);
        element
    }

    /// Lets sound go through `parts` into an element of the pipeline.
    fn add_sound(
        &mut self,
        pipeline: &gst::Pipeline,
        sound: Entrance,
        parts: Vec<gst::Element>,
        end: &gst::Element,
    ) -> anyhow::Result<()> {
        let mut elements = vec![self.enter(sound), make("queue")?];
        elements.extend(parts);
        chain(pipeline, &elements)?;
        elements.last().context("sound has parts")?.link(end)?;
        Ok(())
    }
}

impl Build for Outlet {
    fn build(&mut self) -> anyhow::Result<gst::Pipeline> {
        let pipeline = gst::Pipeline::new();
        self.feed.time.rule(&pipeline);
        let ends = ends(&self.sink, self.feed.format)?;
        let has_sound = self.sink.wants_sound(self.feed.has_sound);
        match self.sink.muxer() {
            None => {
                let frames = self.enter(self.feed.newest_frame());
                let mut elements = vec![frames, make("videoconvert")?];
                elements.extend(ends.iter().cloned());
                chain(&pipeline, &elements)?;
                if has_sound {
                    let parts = vec![make("audioconvert")?];
                    let sound = self.feed.sound(gst::ClockTime::ZERO);
                    self.add_sound(&pipeline, sound, parts, ends.last().context("a sink")?)?;
                }
            }
            Some(name) => {
                let muxer = make(name)?;
                match name {
                    "flvmux" => muxer.set_property("streamable", true),
                    // Whole packets of the network.
                    "mpegtsmux" => muxer.set_property("alignment", 7),
                    // In pieces, so that what was recorded is there even if the power fails.
                    "mp4mux" => muxer.set_property("fragment-duration", 1000_u32),
                    _ => {}
                }
                chain(&pipeline, &[std::slice::from_ref(&muxer), &ends].concat())?;
                let mut elements = vec![self.enter(self.feed.frames(PATIENCE))];
                elements.extend(encode::frames(self.feed.format)?);
                chain(&pipeline, &elements)?;
                elements.last().context("an encoder")?.link(&muxer)?;
                if has_sound {
                    let sound = self.feed.sound(PATIENCE);
                    self.add_sound(&pipeline, sound, encode::sound()?, &muxer)?;
                }
            }
        }
        self.entrances.iter().for_each(Entrance::open);
        Ok(pipeline)
    }

    fn forget(&mut self) {
        self.entrances.clear();
    }
}

/// The last elements of a sink's pipeline.
fn ends(sink: &Sink, format: Format) -> anyhow::Result<Vec<gst::Element>> {
    let ends = match sink {
        Sink::Window => vec![window()?],
        Sink::PipeWire => vec![pipewire(format)?],
        Sink::V4l2(device) => {
            // What v4l2loopback gets first is what its readers see for as long as it lives.
            let filter = make("capsfilter")?;
            let caps = gst::Caps::builder("video/x-raw")
                .field("format", "YUY2")
                .field("width", format.width)
                .field("height", format.height)
                .field("framerate", gst::Fraction::new(format.fps, 1))
                .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
                .field("interlace-mode", "progressive");
            filter.set_property("caps", caps.build());
            // It cannot take memory that others allocated its way.
            let identity = make("identity")?;
            identity.set_property("drop-allocation", true);
            let sink = make("v4l2sink")?;
            sink.set_property("device", device.to_string_lossy().as_ref());
            vec![filter, identity, sink]
        }
        Sink::Srt(address) => {
            let sink = make("srtsink")?;
            sink.set_property("uri", address);
            sink.set_property("wait-for-connection", false);
            vec![sink]
        }
        Sink::Udp(host, port) => {
            let sink = make("udpsink")?;
            sink.set_property("host", host);
            sink.set_property("port", i32::from(*port));
            vec![sink]
        }
        Sink::Rtmp(address) => {
            let sink = make("rtmp2sink")?;
            sink.set_property("location", address);
            vec![sink]
        }
        Sink::Whip(address) => vec![whip::element(address)?],
        Sink::File(path) => {
            let sink = make("filesink")?;
            sink.set_property("location", path);
            vec![sink]
        }
    };
    let last = ends.last().context("a sink is one element at least")?;
    if last.has_property("sync") {
        // Frames come when they are painted; nothing is won by keeping them.
        last.set_property("sync", false);
    }
    Ok(ends)
}

/// A window: the first kind that this screen opens.
fn window() -> anyhow::Result<gst::Element> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let mut kinds = Vec::new();
    if is_set("WAYLAND_DISPLAY") {
        kinds.push("waylandsink");
    }
    if is_set("DISPLAY") {
        kinds.extend(["xvimagesink", "glimagesink", "ximagesink"]);
    }
    ensure!(
        !kinds.is_empty(),
        "there is no screen: neither WAYLAND_DISPLAY nor DISPLAY is set; paint somewhere else with --to"
    );
    for kind in kinds.iter().filter(|kind| has(kind)) {
        let sink = make(kind)?;
        if sink.set_state(gst::State::Ready).is_ok() {
            return Ok(sink);
        }
        // One that does not open has nothing to close.
        let _ = sink.set_state(gst::State::Null);
    }
    bail!(
        "no window opens on this screen; tried {}, of the packages gstreamer1.0-x, gstreamer1.0-gl and \
         gstreamer1.0-plugins-bad",
        kinds.join(", ")
    );
}

/// The name of our PipeWire node, different from that of any other process.
pub fn node_name() -> String {
    format!("impasto-{}", std::process::id())
}

/// A node that PipeWire's clients take for a camera.
fn pipewire(format: Format) -> anyhow::Result<gst::Element> {
    let sink = make("pipewiresink")?;
    sink.set_property_from_str("mode", "provide");
    let properties = gst::Structure::builder("props")
        .field("media.class", "Video/Source")
        .field("media.role", "Camera")
        .field("node.name", node_name())
        .field("node.description", "Impasto");
    sink.set_property("stream-properties", properties.build());
    node::prepare(&sink, format.fps);
    Ok(sink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// Puts something that gives frames out again in the place of the last element, which needs a device.
    fn without_device(pipeline: &gst::Pipeline, device: &str) -> gst_app::AppSink {
        let elements = pipeline.iterate_elements().into_iter().flatten();
        let is_device = |element: &gst::Element| {
            element
                .factory()
                .is_some_and(|factory| factory.name() == device)
        };
        let sink = elements.into_iter().find(is_device).unwrap();
        let before = sink.static_pad("sink").unwrap().peer().unwrap();
        pipeline.remove(&sink).unwrap();
        let end = gst_app::AppSink::builder().sync(false).build();
        pipeline.add(&end).unwrap();
        before.link(&end.static_pad("sink").unwrap()).unwrap();
        end
    }

    #[test]
    fn a_virtual_camera_gets_frames_of_one_form_whenever_it_is_opened() {
        let feed = Feed::small();
        let mut outlet = Outlet::new(Sink::V4l2("/dev/video9".into()), feed.clone());
        let mut forms = Vec::new();
        for _ in 0..2 {
            let pipeline = outlet.build().unwrap();
            let end = without_device(&pipeline, "v4l2sink");
            let [n_forms, n_offers] = [0; 2].map(|_| Arc::new(AtomicUsize::new(0)));
            let (told, asked) = (n_forms.clone(), n_offers.clone());
            let kinds = gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::QUERY_DOWNSTREAM;
            let pad = end.static_pad("sink").unwrap();
            pad.add_probe(kinds, move |_, info| {
                if info
                    .event()
                    .is_some_and(|event| event.type_() == gst::EventType::Caps)
                {
                    told.fetch_add(1, Ordering::Relaxed);
                }
                if info
                    .query()
                    .is_some_and(|query| query.type_() == gst::QueryType::Allocation)
                {
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                gst::PadProbeReturn::Ok
            });
            pipeline.set_state(gst::State::Playing).unwrap();
            for _ in 0..5 {
                std::thread::sleep(Duration::from_millis(5));
                feed.give();
                let patience = gst::ClockTime::from_seconds(10);
                let sample = end.try_pull_sample(patience).unwrap();
                forms.push(sample.caps_owned().unwrap());
            }
            pipeline.set_state(gst::State::Null).unwrap();
            outlet.forget();
            assert_eq!(n_forms.load(Ordering::Relaxed), 1);
            assert_eq!(
                n_offers.load(Ordering::Relaxed),
                0,
                "it allocates by itself"
            );
        }
        let form = forms[0].structure(0).unwrap();
        assert!(forms[0].is_fixed() && forms.iter().all(|other| *other == forms[0]));
        assert_eq!(form.get("format"), Ok("YUY2"));
        assert_eq!([form.get("width"), form.get("height")], [Ok(64), Ok(48)]);
        assert_eq!(form.get("framerate"), Ok(gst::Fraction::new(25, 1)));
    }
}
