//! The pipeline of a stream: made when the first viewer asks for it, shared by all who come, gone with the last.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use gst::glib;
use gst_rtsp_server::gst_rtsp::{RTSPLowerTrans, RTSPUrl};
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::subclass::prelude::*;
use gst_rtsp_server::{RTSPMedia, RTSPMediaFactory};

use crate::live::encode;
use crate::live::feed::{Entrance, Feed};
use crate::packages::make;
use crate::report::warn;
use crate::video::chain;

/// What makes the pipeline.
pub struct Stream {
    feed: Feed,
    /// How many pipelines there are.
    n: Arc<AtomicUsize>,
}

/// What the server makes pipelines with.
pub fn factory(stream: Stream) -> Factory {
    let factory: Factory = glib::Object::new();
    let imp = factory.imp();
    assert!(imp.stream.set(stream).is_ok(), "it is new");
    factory.set_shared(true);
    factory.set_protocols(RTSPLowerTrans::UDP | RTSPLowerTrans::TCP);
    factory
}

glib::wrapper! {
    /// What the server makes pipelines with.
    pub struct Factory(ObjectSubclass<Making>) @extends RTSPMediaFactory;
}

#[derive(Default)]
pub struct Making {
    stream: OnceLock<Stream>,
    /// Entrances of the pipeline that is being made.
    made: Mutex<Vec<Entrance>>,
}

#[glib::object_subclass]
impl ObjectSubclass for Making {
    const NAME: &'static str = "ImpastoStreamFactory";
    type Type = Factory;
    type ParentType = RTSPMediaFactory;
}

impl ObjectImpl for Making {}

impl RTSPMediaFactoryImpl for Making {
    fn create_element(&self, _: &RTSPUrl) -> Option<gst::Element> {
        match self.stream.get()?.build() {
            Ok((bin, entrances)) => {
                *self.lock() = entrances;
                Some(bin.upcast())
            }
            Err(error) => {
                warn(format!("a viewer gets nothing: {error:#}"));
                None
            }
        }
    }

    fn media_configure(&self, media: &RTSPMedia) {
        self.parent_media_configure(media);
        let pipeline = media.element().parent().and_downcast::<gst::Pipeline>();
        let Some((pipeline, stream)) = pipeline.zip(self.stream.get()) else {
            return;
        };
        stream.feed.time.rule(&pipeline);
        let intake = Intake::open(std::mem::take(&mut *self.lock()), &stream.n);
        let intake = Mutex::new(Some(intake));
        media.connect_unprepared(move |_| {
            intake
                .lock()
                .expect("nobody panics while letting go")
                .take();
        });
    }
}

impl Making {
    fn lock(&self) -> MutexGuard<'_, Vec<Entrance>> {
        self.made.lock().expect("nobody panics while handing on")
    }
}

/// What a pipeline takes in, for as long as it is there.
struct Intake {
    entrances: Vec<Entrance>,
    n: Arc<AtomicUsize>,
}

impl Stream {
    /// One that is fed, and counts its pipelines in `n`.
    pub fn new(feed: Feed, n: Arc<AtomicUsize>) -> Self {
        Self { feed, n }
    }

    /// Frames, and sound if there is any, encoded and ready to be sent.
    ///
    /// # Errors
    /// If GStreamer lacks an element.
    pub fn build(&self) -> anyhow::Result<(gst::Bin, Vec<Entrance>)> {
        let bin = gst::Bin::new();
        let none = gst::ClockTime::ZERO;
        let mut parts = vec![(
            self.feed.frames(none),
            encode::frames(self.feed.format)?,
            "rtph264pay",
        )];
        if self.feed.has_sound {
            parts.push((self.feed.sound(none), encode::sound()?, "rtpmp4gpay"));
        }
        let mut entrances = Vec::new();
        for (idx, (entrance, encoders, sender)) in parts.into_iter().enumerate() {
            let sender = make(sender)?;
            // The server finds them by these names and numbers.
            sender.set_property("name", format!("pay{idx}"));
            sender.set_property("pt", 96 + idx as u32);
            let mut elements = vec![entrance.element(), make("queue")?];
            elements.extend(encoders);
            elements.push(sender);
            chain(&bin, &elements)?;
            entrances.push(entrance);
        }
        Ok((bin, entrances))
    }
}

impl Intake {
    fn open(entrances: Vec<Entrance>, n: &Arc<AtomicUsize>) -> Self {
        entrances.iter().for_each(Entrance::open);
        n.fetch_add(1, Ordering::Relaxed);
        Self {
            entrances,
            n: n.clone(),
        }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.entrances.clear();
        self.n.fetch_sub(1, Ordering::Relaxed);
    }
}
