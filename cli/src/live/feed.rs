//! What sinks are fed with: the painted frames and the sound of the run.

use std::sync::Arc;

use gst::prelude::*;
use gst_app::{AppLeakyType, AppSrc};

use super::format::Format;
use super::relay::Relay;
use super::sound;
use super::time::Time;

/// Frames or pieces of sound that wait for an encoder; older ones are dropped.
const WAITING: u64 = 60;

/// Frames and sound, for whoever takes them.
#[derive(Clone)]
pub struct Feed {
    /// The time of the run.
    pub time: Time,
    /// Size and rate of the frames.
    pub format: Format,
    /// Where frames come from.
    pub frames: Arc<Relay>,
    /// Where sound comes from.
    pub sound: Arc<Relay>,
    /// Whether there is any.
    pub has_sound: bool,
}

/// Where frames or sound come into a pipeline, for as long as this lives.
pub struct Entrance {
    relay: Arc<Relay>,
    source: AppSrc,
}

impl Feed {
    /// An entrance for frames; those behind it may wait `patience` for sound.
    pub fn frames(&self, patience: gst::ClockTime) -> Entrance {
        Entrance::new(&self.frames, &self.format.caps(), patience, WAITING)
    }

    /// An entrance for frames that are looked at as they come: of those that have to wait, only the newest goes on, or all that
    /// follow would be late as well.
    pub fn newest_frame(&self) -> Entrance {
        Entrance::new(&self.frames, &self.format.caps(), gst::ClockTime::ZERO, 1)
    }

    /// An entrance for sound; those behind it may wait `patience` for frames.
    pub fn sound(&self, patience: gst::ClockTime) -> Entrance {
        Entrance::new(&self.sound, &sound::caps(), patience, WAITING)
    }
}

impl Entrance {
    fn new(relay: &Arc<Relay>, caps: &gst::Caps, patience: gst::ClockTime, n_waiting: u64) -> Self {
        let source = AppSrc::builder()
            .caps(caps)
            .format(gst::Format::Time)
            .is_live(true)
            .max_buffers(n_waiting)
            .leaky_type(AppLeakyType::Downstream)
            .build();
        source.set_latency(patience, gst::ClockTime::NONE);
        Self {
            relay: relay.clone(),
            source,
        }
    }

    /// The first element of its pipeline.
    pub fn element(&self) -> gst::Element {
        self.source.clone().upcast()
    }

    /// From now on things come.
    pub fn open(&self) {
        self.relay.add(self.source.clone());
    }

    /// Tells the pipeline that nothing more comes.
    pub fn close(&self) {
        self.relay.remove(&self.source);
        // If it is no longer running, it has ended already.
        let _ = self.source.end_of_stream();
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.relay.remove(&self.source);
    }
}

#[cfg(test)]
impl Feed {
    /// One of small frames and sound, that begins now.
    pub fn small() -> Self {
        gst::init().unwrap();
        let [frames, sound] = [0; 2].map(|_| Arc::new(Relay::default()));
        Self {
            time: Time::start(),
            format: Format {
                width: 64,
                height: 48,
                fps: 25,
            },
            frames,
            sound,
            has_sound: true,
        }
    }

    /// Feeds a grey frame and as much silence.
    pub fn give(&self) {
        let now = self.time.now();
        let frame = gst::Buffer::from_slice([90; 64 * 48 * 3 / 2]);
        let silence = gst::Buffer::from_slice([0; 48_000 / 25 * 4]);
        self.frames.pass(frame, now);
        self.sound.pass(silence, now);
    }
}
