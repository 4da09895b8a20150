//! The clip's tracks, one by one as the demuxer shows them: the video is painted, sound and subtitles go along.
//!
//! All tracks appear before the first of them delivers data, so that the muxer knows them all when it starts.

use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::Context;
use gst::prelude::*;

use super::container::Container;
use super::decoder::decoder;
use super::meter::Meter;
use super::pipeline::{Plan, chain};
use super::{name, orientation, sound, subtitles};
use crate::packages::make;

/// Encoded data that may wait per track: sound runs ahead of the video by as much as the file interleaves.
const WAITING_BYTES: u32 = 128 << 20;

/// What became of the tracks.
pub struct Tracks {
    container: &'static Container,
    muxer: gst::Element,
    /// First element of the video's way.
    frames: gst::Element,
    /// Video stream to paint, if there are several.
    stream_id: Option<String>,
    /// What the first look at the clip told about its streams.
    known: Vec<(String, gst::Caps)>,
    meter: Arc<Meter>,
    fate: Mutex<Fate>,
}

/// What the user is told about tracks.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    has_video: bool,
    /// Tracks that are in the output, and how.
    pub kept: Vec<String>,
    /// Tracks that are not.
    pub left_out: Vec<String>,
}

impl Tracks {
    /// Tracks of a planned painting, none of which has appeared yet.
    pub fn new(
        plan: &Plan<'_>,
        frames: gst::Element,
        muxer: gst::Element,
        meter: Arc<Meter>,
    ) -> Self {
        let mut fate = Fate::default();
        if plan.clip.has_chapters && plan.container.muxer != "matroskamux" {
            fate.left_out.push("chapters".to_owned());
        }
        Self {
            container: plan.container,
            muxer,
            frames,
            stream_id: plan.clip.stream_id.clone(),
            known: plan.clip.streams.clone(),
            meter,
            fate: Mutex::new(fate),
        }
    }

    /// What became of the tracks that have appeared so far.
    pub fn fate(&self) -> Fate {
        self.lock().clone()
    }

    /// Takes care of every track that `parser` shows.
    pub fn connect(self: &Arc<Self>, parser: &gst::Element, pipeline: &gst::Pipeline) {
        let tracks = Arc::clone(self);
        // Not owned by the closure: the pipeline owns the closure.
        let weak = pipeline.downgrade();
        parser.connect_pad_added(move |parser, pad| {
            let Some(pipeline) = weak.upgrade() else {
                return;
            };
            if let Err(error) = tracks.add(&pipeline, pad) {
                gst::element_error!(
                    parser,
                    gst::CoreError::Failed,
                    ["{}", crate::report::chain(&error)]
                );
            }
        });
        let tracks = Arc::clone(self);
        parser.connect("autoplug-continue", false, move |values| {
            let caps: gst::Caps = values[2].get().ok()?;
            // Its next step would strip subtitles of their styling.
            let is_wanted = tracks.container.has_subtitles && tracks.takes("subtitle_%u", &caps);
            Some((!is_wanted).to_value())
        });
        let tracks = Arc::clone(self);
        parser.connect("unknown-type", false, move |values| {
            let caps: gst::Caps = values[2].get().ok()?;
            tracks.lock().left_out.push(format!(
                "a stream of the unknown type {}",
                name::codec(&caps)
            ));
            None
        });
    }

    fn lock(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().expect("nothing panics while it is held")
    }

    fn add(&self, pipeline: &gst::Pipeline, pad: &gst::Pad) -> anyhow::Result<()> {
        let caps = self.caps(pad);
        let kind = caps
            .structure(0)
            .map_or("", |structure| structure.name().as_str());
        let codec = name::codec(&caps);
        let word = match kind.split('/').next() {
            Some("video" | "image") => "video",
            Some("audio") => "sound",
            Some("text" | "subpicture" | "subtitle") => "subtitles",
            _ if kind.starts_with("application/x-") => "subtitles",
            _ => "data",
        };
        let title = format!("{word} ({codec}{})", language(pad));
        let kept = match word {
            "video" => self.paint(pipeline, pad, &caps)?.then_some("painted"),
            "sound" => Some(
                self.add_sound(pipeline, pad, &caps)
                    .with_context(|| title.clone())?,
            ),
            "subtitles" => self.add_subtitles(pipeline, pad, &caps)?,
            _ => None,
        };
        match kept {
            Some(how) => self.lock().kept.push(format!("{title}, {how}")),
            None => {
                leave_out(pipeline, pad)?;
                self.lock().left_out.push(title);
            }
        }
        Ok(())
    }

    /// What a pad of `parsebin` delivers. The pad has often seen no more than what the demuxer says; the first look
    /// went deeper, down to the layer of MPEG sound.
    fn caps(&self, pad: &gst::Pad) -> gst::Caps {
        let told = pad
            .current_caps()
            .or_else(|| pad.stream()?.caps())
            .unwrap_or_else(|| pad.query_caps(None));
        let known = self
            .known
            .iter()
            .find(|(id, _)| pad.stream_id().is_some_and(|found| found == *id));
        match known {
            Some((_, known)) if known.is_fixed() && known.is_subset(&told) => known.clone(),
            _ => told,
        }
    }

    /// Decodes the video to paint. False for any other video.
    fn paint(
        &self,
        pipeline: &gst::Pipeline,
        pad: &gst::Pad,
        caps: &gst::Caps,
    ) -> anyhow::Result<bool> {
        let is_chosen = match &self.stream_id {
            Some(chosen) => pad.stream_id().is_some_and(|id| id == *chosen),
            None => !self.lock().has_video,
        };
        if !is_chosen {
            return Ok(false);
        }
        self.lock().has_video = true;
        let elements: Vec<_> = [waiting()?].into_iter().chain(decoder(caps)?).collect();
        chain(pipeline, &elements)?;
        elements
            .last()
            .context("a queue is there")?
            .link(&self.frames)?;
        start(pad, &elements)?;
        Ok(true)
    }

    /// Copies sound that the container takes, and encodes the rest.
    fn add_sound(
        &self,
        pipeline: &gst::Pipeline,
        pad: &gst::Pad,
        caps: &gst::Caps,
    ) -> anyhow::Result<&'static str> {
        let mut elements = vec![waiting()?];
        let how = if let Some(parser) = self.repack(caps)? {
            elements.push(parser);
            "copied"
        } else if self.takes("audio_%u", caps) {
            "copied"
        } else {
            elements.extend(decoder(caps)?);
            elements.extend(sound::place_channels(caps)?);
            elements.extend([make("audioconvert")?, make("audioresample")?]);
            elements.push(sound::encoder(self.container.sound_encoders, caps)?);
            "encoded anew"
        };
        chain(pipeline, &elements)?;
        let last = elements.last().context("a queue is there")?;
        link_to_muxer(last, &self.muxer, "audio_%u", &self.meter)?;
        start(pad, &elements)?;
        Ok(how)
    }

    /// Copies subtitles that the container takes.
    fn add_subtitles(
        &self,
        pipeline: &gst::Pipeline,
        pad: &gst::Pad,
        caps: &gst::Caps,
    ) -> anyhow::Result<Option<&'static str>> {
        let mut elements = vec![waiting()?];
        let text = gst::Caps::builder("text/x-raw")
            .field("format", "utf8")
            .build();
        let markup = gst::Caps::builder("text/x-raw")
            .field("format", "pango-markup")
            .build();
        let is_markup = caps.can_intersect(&markup) && !caps.can_intersect(&text);
        let takes = |caps| self.container.has_subtitles && self.takes("subtitle_%u", caps);
        if is_markup && takes(&text) {
            let relabel = make("capssetter")?;
            relabel.set_property("caps", &text);
            let keep_tags = self.container.muxer == "matroskamux";
            let plain = relabel
                .static_pad("src")
                .context("capssetter has a source pad")?;
            subtitles::unescape_at(&plain, keep_tags);
            elements.push(relabel);
        } else if !takes(caps) {
            return Ok(None);
        }
        chain(pipeline, &elements)?;
        let last = elements.last().context("a queue is there")?;
        if self.container.muxer != "matroskamux" {
            subtitles::end_last_at(&last.static_pad("src").context("a queue has a source pad")?);
        }
        link_to_muxer(last, &self.muxer, "subtitle_%u", &self.meter)?;
        start(pad, &elements)?;
        Ok(Some("copied"))
    }

    /// Whether the muxer has a place for `caps`. Asked of the factory: looking at the templates of the element itself
    /// frees those of GStreamer 1.22's `webmmux`, which nobody owns.
    fn takes(&self, template: &str, caps: &gst::Caps) -> bool {
        self.muxer.factory().is_some_and(|factory| {
            factory
                .static_pad_templates()
                .iter()
                .any(|pad| pad.name_template() == template && pad.caps().can_intersect(caps))
        })
    }

    /// A parser that brings AAC from a broadcast's packaging (ADTS), if it has that, into that of files.
    fn repack(&self, caps: &gst::Caps) -> anyhow::Result<Option<gst::Element>> {
        let Some(aac) = caps
            .structure(0)
            .filter(|s| s.name() == "audio/mpeg" && s.has_field("stream-format"))
        else {
            return Ok(None);
        };
        let mut raw = aac.to_owned();
        raw.set("stream-format", "raw");
        let raw = gst::Caps::builder_full().structure(raw).build();
        if self.takes("audio_%u", &raw) {
            Ok(Some(make("aacparse")?))
        } else {
            Ok(None)
        }
    }
}

/// Links an element to a new pad of the muxer.
///
/// # Errors
/// If the muxer does not take what the element gives.
pub fn link_to_muxer(
    element: &gst::Element,
    muxer: &gst::Element,
    template: &str,
    meter: &Arc<Meter>,
) -> anyhow::Result<()> {
    let pad = muxer
        .request_pad_simple(template)
        .with_context(|| format!("{} takes no more {template}", muxer.name()))?;
    element.link_pads(Some("src"), muxer, Some(&pad.name()))?;
    orientation::forget(&pad);
    meter.note_end(&pad);
    Ok(())
}

fn waiting() -> anyhow::Result<gst::Element> {
    let queue = make("queue")?;
    queue.set_property("max-size-bytes", WAITING_BYTES);
    queue.set_property("max-size-buffers", 0_u32);
    queue.set_property("max-size-time", 0_u64);
    Ok(queue)
}

/// Lets elements that were added to a running pipeline run too, the last first, then feeds them from `pad`.
fn start(pad: &gst::Pad, elements: &[gst::Element]) -> anyhow::Result<()> {
    for element in elements.iter().rev() {
        element.sync_state_with_parent()?;
    }
    let first = elements.first().context("a queue is there")?;
    pad.link(&first.static_pad("sink").context("a queue has a sink pad")?)?;
    Ok(())
}

/// Swallows a track: one that led nowhere could stop the demuxer.
fn leave_out(pipeline: &gst::Pipeline, pad: &gst::Pad) -> anyhow::Result<()> {
    let sink = make("fakesink")?;
    sink.set_property("sync", false);
    sink.set_property("async", false);
    pipeline.add(&sink)?;
    start(pad, &[sink])
}

fn language(pad: &gst::Pad) -> String {
    let tags = pad.stream().and_then(|stream| stream.tags());
    let code = tags.and_then(|tags| Some(tags.get::<gst::tags::LanguageCode>()?.get().to_owned()));
    code.map_or(String::new(), |code| format!(", {code}"))
}
