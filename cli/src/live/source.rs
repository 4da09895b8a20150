//! Where frames and sound come from.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use gst::glib;
use gst::prelude::*;
use gst_app::AppSink;

use super::format::{Choice, Format};
use super::line::Build;
use super::relay::Relay;
use super::sound::{self, Track};
use super::time::Time;
use crate::packages::make;
use crate::video::chain;

/// What is painted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A moving test picture and a tick.
    Test,
    /// A camera: a device of V4L2.
    Camera(PathBuf),
    /// The camera that PipeWire offers, or the one of that name.
    PipeWire(Option<String>),
    /// A film, over and over, as fast as it was filmed.
    File(PathBuf),
    /// Another machine's stream.
    Address(String),
}

/// Where sound comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sound {
    /// From where the frames come from.
    Source,
    /// From nowhere.
    None,
    /// From the default source of the sound server.
    Pulse,
    /// From PipeWire's default source.
    PipeWire,
    /// From an ALSA device.
    Device(String),
}

/// Streams that are taken from other machines.
const SCHEMES: [&str; 7] = ["rtsp", "rtsps", "srt", "udp", "rtmp", "http", "https"];
/// How long streams over a network are held back so that what comes unevenly plays evenly.
const JITTER_MS: u32 = 200;

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme {
                "file" => Ok(Self::File(rest.into())),
                _ if SCHEMES.contains(&scheme) => Ok(Self::Address(text.to_owned())),
                _ => Err(format!("wanted an address of {}", SCHEMES.join(", "))),
            };
        }
        Ok(match text {
            "test" => Self::Test,
            "camera" => Self::Camera("/dev/video0".into()),
            "pipewire" => Self::PipeWire(None),
            "" => {
                return Err(
                    "wanted test, camera, /dev/videoN, pipewire, a film or an address".to_owned(),
                );
            }
            _ => match text.strip_prefix("pipewire:") {
                Some(name) => Self::PipeWire(Some(name.to_owned())),
                None if text.starts_with("/dev/video") => Self::Camera(text.into()),
                None => Self::File(text.into()),
            },
        })
    }
}

impl FromStr for Sound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "source" => Self::Source,
            "none" => Self::None,
            "pulse" => Self::Pulse,
            "pipewire" => Self::PipeWire,
            "" => return Err("wanted source, none, pulse, pipewire or an ALSA device".to_owned()),
            device => Self::Device(device.to_owned()),
        })
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Test => write!(f, "the test picture"),
            Self::Camera(device) => write!(f, "camera {}", device.display()),
            Self::PipeWire(None) => write!(f, "PipeWire's camera"),
            Self::PipeWire(Some(name)) => write!(f, "PipeWire's camera {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

impl Source {
    /// Refuses what can never work.
    ///
    /// # Errors
    /// If a film or a device is not there.
    pub fn check(&self) -> anyhow::Result<()> {
        match self {
            Self::File(path) => {
                ensure!(path.is_file(), "{} is no file", path.display());
            }
            Self::Camera(device) if !device.exists() => {
                bail!(
                    "there is no camera {}; `v4l2-ctl --list-devices` names those that there are, and --from test needs none",
                    device.display()
                );
            }
            _ => {}
        }
        Ok(())
    }

    /// What the card says while no frames come.
    pub fn lost(&self) -> &'static str {
        match self {
            Self::Camera(_) | Self::PipeWire(_) => "camera lost",
            _ => "source lost",
        }
    }

    /// Whether it begins anew when it ends.
    pub fn loops(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Whether it goes on at once when it has rested; a camera takes its time.
    pub fn wakes_at_once(&self) -> bool {
        matches!(self, Self::Test | Self::File(_))
    }

    /// Whether it would run ahead of time if nobody held it back.
    fn is_paced(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Address(address) => address.starts_with("http"),
            _ => false,
        }
    }

    /// Whether it gives each of its streams by itself, to be decoded.
    ///
    /// `uridecodebin` would decode them, but no longer looks for streams when `rtspsrc` says that it has shown all, which
    /// that says too soon if two begin at once: one of them is never heard of again.
    fn is_of_streams(&self) -> bool {
        matches!(self, Self::Address(address) if address.starts_with("rtsp"))
    }

    /// Elements that give streams to be decoded, or raw frames and sound.
    fn elements(&self) -> anyhow::Result<Vec<gst::Element>> {
        Ok(match self {
            Self::Test => Vec::new(),
            Self::Camera(device) => {
                let source = make("v4l2src")?;
                source.set_property("device", device.to_string_lossy().as_ref());
                vec![source, make("decodebin")?]
            }
            Self::PipeWire(name) => {
                let source = make("pipewiresrc")?;
                source.set_property("target-object", name.as_deref());
                // Not every camera tells times.
                source.set_property("do-timestamp", true);
                vec![source, once()?, make("decodebin")?]
            }
            Self::File(path) => {
                let source = make("filesrc")?;
                source.set_property("location", path);
                vec![source, make("decodebin")?]
            }
            Self::Address(address) if self.is_of_streams() => {
                let source = make("rtspsrc")?;
                source.set_property("location", address);
                source.set_property("latency", JITTER_MS);
                vec![source]
            }
            Self::Address(address) => {
                let source = make("uridecodebin")?;
                source.set_property("uri", address);
                source.connect("source-setup", false, |values| {
                    let made: gst::Element = values[1].get().ok()?;
                    for name in ["latency", "latency-ms"] {
                        if made.has_property(name) {
                            made.set_property_from_str(name, &JITTER_MS.to_string());
                        }
                    }
                    None
                });
                vec![source]
            }
        })
    }
}

impl Sound {
    fn element(&self) -> anyhow::Result<Option<gst::Element>> {
        Ok(match self {
            Self::Source | Self::None => None,
            Self::Pulse => Some(make("pulsesrc")?),
            Self::PipeWire => Some(make("pipewiresrc")?),
            Self::Device(device) => {
                let source = make("alsasrc")?;
                source.set_property("device", device);
                Some(source)
            }
        })
    }
}

/// Where frames and sound of a source go.
#[derive(Clone)]
pub struct Inlet {
    /// The time of the run.
    pub time: Time,
    /// Size and rate.
    pub choice: Arc<Choice>,
    /// Gets the frames.
    pub frames: Arc<Relay>,
    /// Gets the sound.
    pub track: Arc<Track>,
}

/// Builds the pipeline of a source.
pub struct Camera {
    /// What it is.
    pub source: Source,
    /// Whether its sound is wanted.
    pub with_sound: bool,
    /// Where it all goes.
    pub inlet: Inlet,
}

/// Builds the pipeline of sound that does not come with the frames.
pub struct Microphone {
    /// What it is.
    pub sound: Sound,
    /// Where it goes.
    pub inlet: Inlet,
}

impl Build for Camera {
    fn build(&mut self) -> anyhow::Result<gst::Pipeline> {
        let pipeline = gst::Pipeline::new();
        self.inlet.time.pace(&pipeline);
        // Frames and sound of one start are moved in time together.
        let shift = Arc::new(Shift::default());
        let video = self
            .inlet
            .video_end(&pipeline, self.source.is_paced(), &shift)?;
        let audio = self
            .with_sound
            .then(|| {
                self.inlet
                    .audio_end(&pipeline, self.source.is_paced(), &shift)
            })
            .transpose()?;
        let elements = self.source.elements()?;
        let Some(last) = elements.last() else {
            let format = self.inlet.choice.ideal();
            test_picture(&pipeline, format, &video, audio.as_ref())?;
            return Ok(pipeline);
        };
        chain(&pipeline, &elements)?;
        let ends = Ends {
            pipeline: pipeline.downgrade(),
            video,
            audio,
        };
        if self.source.is_of_streams() {
            last.connect_pad_added(move |_, pad| ends.decode(pad));
        } else {
            last.connect_pad_added(move |_, pad| ends.take(pad));
        }
        Ok(pipeline)
    }
}

impl Build for Microphone {
    fn build(&mut self) -> anyhow::Result<gst::Pipeline> {
        let pipeline = gst::Pipeline::new();
        self.inlet.time.pace(&pipeline);
        let end = self
            .inlet
            .audio_end(&pipeline, false, &Arc::new(Shift::default()))?;
        let source = self
            .sound
            .element()?
            .context("no source of sound is named")?;
        pipeline.add(&source)?;
        source.link(&end)?;
        Ok(pipeline)
    }
}

/// How much later than it says what comes is handed on: what a pipeline holds it back by. Found with the first thing
/// that comes, so that frames are handed on with the time of now, and the same for all that follows.
#[derive(Default)]
struct Shift(std::sync::OnceLock<gst::ClockTime>);

impl Shift {
    fn apply(&self, due: gst::ClockTime, now: gst::ClockTime) -> gst::ClockTime {
        due + *self.0.get_or_init(|| now.saturating_sub(due))
    }
}

/// Where decoded streams go in.
#[derive(Clone)]
struct Ends {
    pipeline: glib::WeakRef<gst::Pipeline>,
    video: gst::Element,
    audio: Option<gst::Element>,
}

impl Ends {
    /// Links raw frames and sound to where they go in, the first of each.
    fn take(&self, pad: &gst::Pad) {
        let Some(pipeline) = self.pipeline.upgrade() else {
            return;
        };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let kind = caps
            .structure(0)
            .map(|structure| structure.name().to_string());
        let end = match kind.as_deref() {
            Some("video/x-raw") => Some(&self.video),
            Some("audio/x-raw") => self.audio.as_ref(),
            _ => None,
        };
        let free = end
            .and_then(|end| end.static_pad("sink"))
            .filter(|sink| !sink.is_linked());
        if free.is_none_or(|sink| pad.link(&sink).is_err()) {
            // A stream that nobody takes would stop the others.
            swallow(&pipeline, pad);
        }
    }

    /// Decodes a stream, and links what comes of it.
    fn decode(&self, pad: &gst::Pad) {
        let Some(pipeline) = self.pipeline.upgrade() else {
            return;
        };
        let link = || -> anyhow::Result<()> {
            let decoder = make("decodebin")?;
            let ends = self.clone();
            decoder.connect_pad_added(move |_, pad| ends.take(pad));
            pipeline.add(&decoder)?;
            pad.link(&decoder.static_pad("sink").context("it has an entrance")?)?;
            Ok(decoder.sync_state_with_parent()?)
        };
        if let Err(error) = link() {
            gst::element_error!(pipeline, gst::CoreError::Pad, ("{error:#}"));
        }
    }
}

impl Inlet {
    /// Adds what brings frames into the format and hands them on. Returns where they go in.
    fn video_end(
        &self,
        pipeline: &gst::Pipeline,
        is_paced: bool,
        shift: &Arc<Shift>,
    ) -> anyhow::Result<gst::Element> {
        let (entrance, rate) = (queue()?, make("videorate")?);
        rate.set_property("drop-only", true);
        let scale = make("videoscale")?;
        scale.set_property("add-borders", true);
        let filter = make("capsfilter")?;
        let sink = end(is_paced);
        let choice = self.choice.clone();
        let weak = filter.downgrade();
        let pad = entrance
            .static_pad("sink")
            .context("a queue has an entrance")?;
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view())
                && let Some(filter) = weak.upgrade()
            {
                filter.set_property("caps", choice.make(Some(caps.caps())).caps());
            }
            gst::PadProbeReturn::Ok
        });
        let frames = self.frames.clone();
        self.take(&sink, pipeline, shift, move |buffer, time| {
            frames.pass(buffer, time);
        });
        let convert = make("videoconvert")?;
        chain(
            pipeline,
            &[
                entrance.clone(),
                rate,
                scale,
                convert,
                filter,
                sink.upcast(),
            ],
        )?;
        Ok(entrance)
    }

    /// Adds what brings sound into its form and hands it on. Returns where it goes in.
    fn audio_end(
        &self,
        pipeline: &gst::Pipeline,
        is_paced: bool,
        shift: &Arc<Shift>,
    ) -> anyhow::Result<gst::Element> {
        let (entrance, filter) = (queue()?, make("capsfilter")?);
        filter.set_property("caps", sound::caps());
        let sink = end(is_paced);
        let track = self.track.clone();
        self.take(&sink, pipeline, shift, move |buffer, time| {
            track.pass(&buffer, time);
        });
        let elements = [
            entrance.clone(),
            make("audioconvert")?,
            make("audioresample")?,
            filter,
            sink.upcast(),
        ];
        chain(pipeline, &elements)?;
        Ok(entrance)
    }

    /// Hands on whatever comes to the end of a pipeline.
    fn take(
        &self,
        sink: &AppSink,
        pipeline: &gst::Pipeline,
        shift: &Arc<Shift>,
        give: impl Fn(gst::Buffer, gst::ClockTime) + Send + 'static,
    ) {
        let (time, shift, pipeline) = (self.time.clone(), shift.clone(), pipeline.downgrade());
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let due = pipeline
                .upgrade()
                .and_then(|pipeline| time.of(&sample, &pipeline));
            if let (Some(due), Some(buffer)) = (due, sample.buffer_owned()) {
                give(buffer, shift.apply(due, time.now()));
            }
            Ok(gst::FlowSuccess::Ok)
        });
        sink.set_callbacks(callbacks.build());
    }
}

/// The end of a source's pipeline, where nothing waits to grow old.
fn end(is_paced: bool) -> AppSink {
    AppSink::builder()
        .sync(is_paced)
        // What never comes, as the sound of a silent source, is not waited for.
        .async_(false)
        .max_buffers(2)
        .build()
}

/// A moving picture and a tick, as from a camera with a microphone.
fn test_picture(
    pipeline: &gst::Pipeline,
    format: Format,
    video: &gst::Element,
    audio: Option<&gst::Element>,
) -> anyhow::Result<()> {
    let (source, filter) = (make("videotestsrc")?, make("capsfilter")?);
    source.set_property("is-live", true);
    source.set_property_from_str("pattern", "smpte");
    source.set_property("horizontal-speed", 3);
    filter.set_property("caps", format.caps());
    chain(pipeline, &[source, filter.clone()])?;
    filter.link(video)?;
    if let Some(audio) = audio {
        let source = make("audiotestsrc")?;
        source.set_property("is-live", true);
        source.set_property_from_str("wave", "ticks");
        pipeline.add(&source)?;
        source.link(audio)?;
    }
    Ok(())
}

/// What lets a source of PipeWire agree on a format, once: to a peer that takes anything it offers nothing, and asked again
/// it begins anew, which takes seconds, while the format that is painted is found further on.
fn once() -> anyhow::Result<gst::Element> {
    let filter = make("capsfilter")?;
    filter.set_property_from_str("caps", "video/x-raw; image/jpeg");
    let pad = filter
        .static_pad("sink")
        .context("a filter has an entrance")?;
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, |_, info| {
        let kind = info.event().map(|event| event.type_());
        if kind != Some(gst::EventType::Reconfigure) {
            return gst::PadProbeReturn::Ok;
        }
        // Dropped, it would be let go of by the bindings and by GStreamer.
        drop(info.take_event());
        gst::PadProbeReturn::Handled
    });
    Ok(filter)
}

/// Takes what comes from a pad and throws it away.
fn swallow(pipeline: &gst::Pipeline, pad: &gst::Pad) {
    let Ok(sink) = make("fakesink") else {
        return;
    };
    sink.set_property("sync", false);
    sink.set_property("async", false);
    let is_linked = pipeline.add(&sink).is_ok()
        && sink.sync_state_with_parent().is_ok()
        && sink
            .static_pad("sink")
            .is_some_and(|end| pad.link(&end).is_ok());
    if !is_linked {
        gst::warning!(gst::CAT_DEFAULT, obj = pad, "nobody takes this stream");
    }
}

/// Room to wait between threads.
fn queue() -> anyhow::Result<gst::Element> {
    let queue = make("queue")?;
    queue.set_property("max-size-buffers", 4_u32);
    queue.set_property("max-size-bytes", 0_u32);
    queue.set_property("max-size-time", 500_000_000_u64);
    Ok(queue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart_by_their_names() {
        for (text, wanted) in [
            ("test", Source::Test),
            ("camera", Source::Camera("/dev/video0".into())),
            ("/dev/video3", Source::Camera("/dev/video3".into())),
            ("pipewire", Source::PipeWire(None)),
            (
                "pipewire:webcam",
                Source::PipeWire(Some("webcam".to_owned())),
            ),
            ("film.mp4", Source::File("film.mp4".into())),
            ("file:///a/b.mkv", Source::File("/a/b.mkv".into())),
            ("rtsp://host/x", Source::Address("rtsp://host/x".to_owned())),
            ("srt://:9000", Source::Address("srt://:9000".to_owned())),
        ] {
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
        assert!(
            "gopher://host"
                .parse::<Source>()
                .unwrap_err()
                .contains("rtsp")
        );
        assert!("".parse::<Source>().is_err());
        assert_eq!("hw:1".parse(), Ok(Sound::Device("hw:1".to_owned())));
    }

    #[test]
    fn what_can_never_work_is_refused() {
        let error = Source::File("/nowhere.mp4".into()).check().unwrap_err();
        assert!(error.to_string().contains("/nowhere.mp4"));
        let error = Source::Camera("/dev/video99".into()).check().unwrap_err();
        assert!(error.to_string().contains("--from test"));
        assert!(Source::Test.check().is_ok());
    }

    #[test]
    fn the_time_of_now_is_kept_for_all_that_follows() {
        let (shift, ms) = (Shift::default(), gst::ClockTime::from_mseconds);
        assert_eq!(shift.apply(ms(100), ms(300)), ms(300));
        assert_eq!(shift.apply(ms(140), ms(500)), ms(340));
    }
}
