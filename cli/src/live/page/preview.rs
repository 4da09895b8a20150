//! What is painted, as small JPEG pictures: made while somebody looks, and once for all who do.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use gst::prelude::*;
use gst_app::{AppSink, AppSrc};

use crate::live::format::{Format, within};
use crate::live::relay::Relay;
use crate::packages::{make, require};
use crate::report::warn;
use crate::video::chain;

/// Time between two pictures.
const INTERVAL: Duration = Duration::from_millis(100);
/// Largest size in pixels.
const LARGEST: (i32, i32) = (864, 486);
/// Quality of JPEG: no blocks are seen, and a picture has some 50 KB.
const QUALITY: i32 = 80;
/// How long a picture may take to be made.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// What is painted, for all who look.
#[derive(Clone)]
pub struct Preview(Arc<Shared>);

struct Shared {
    painted: Arc<Relay>,
    format: Format,
    inner: Mutex<Inner>,
    /// A picture is new, or there will be none.
    news: Condvar,
}

#[derive(Default)]
struct Inner {
    n_viewers: usize,
    /// Number of the picture, from 1.
    number: u64,
    jpeg: Arc<[u8]>,
    encoder: Option<JoinHandle<()>>,
    /// The encoder goes on, as it has found when it looked last.
    is_encoding: bool,
    is_over: bool,
}

/// One who looks.
pub struct Viewer {
    preview: Preview,
    /// Number of the picture that was seen last.
    seen: u64,
}

impl Preview {
    /// That of a relay.
    ///
    /// # Errors
    /// If GStreamer has nothing that makes JPEG.
    pub fn new(painted: &Arc<Relay>, format: Format) -> anyhow::Result<Self> {
        require("jpegenc")?;
        Ok(Self(Arc::new(Shared {
            painted: painted.clone(),
            format,
            inner: Mutex::default(),
            news: Condvar::new(),
        })))
    }

    /// Looks, until what is returned is dropped.
    pub fn watch(&self) -> Viewer {
        let mut inner = self.lock();
        inner.n_viewers += 1;
        if !inner.is_encoding && !inner.is_over {
            let preview = self.clone();
            inner.encoder = thread::Builder::new()
                .name("page-preview".to_owned())
                .spawn(move || preview.encode())
                .ok();
            inner.is_encoding = inner.encoder.is_some();
        }
        Viewer {
            seen: inner.number,
            preview: self.clone(),
        }
    }

    /// Whether somebody looks.
    pub fn is_watched(&self) -> bool {
        self.lock().n_viewers > 0
    }

    /// Sends all away.
    pub fn end(&self) {
        let encoder = {
            let mut inner = self.lock();
            inner.is_over = true;
            inner.encoder.take()
        };
        self.0.news.notify_all();
        if let Some(encoder) = encoder {
            // If it has panicked, that was said.
            let _ = encoder.join();
        }
    }

    /// Makes pictures while somebody looks.
    fn encode(&self) {
        if let Err(error) = self.try_encode() {
            warn(format!("the page's preview: {error:#}"));
            self.lock().is_encoding = false;
        }
    }

    fn try_encode(&self) -> anyhow::Result<()> {
        let encoder = Encoder::start(self.0.format)?;
        let mut last = None;
        while self.goes_on() {
            let start = Instant::now();
            let painted = self.0.painted.last();
            let pts = painted.as_ref().and_then(|buffer| buffer.pts());
            if let Some(painted) = painted.filter(|_| pts != last) {
                last = pts;
                let jpeg = encoder.encode(painted)?;
                let mut inner = self.lock();
                inner.number += 1;
                inner.jpeg = jpeg.into();
                drop(inner);
                self.0.news.notify_all();
            }
            thread::sleep(INTERVAL.saturating_sub(start.elapsed()));
        }
        Ok(())
    }

    /// Whether pictures are wanted, noted where nobody can begin to look meanwhile.
    fn goes_on(&self) -> bool {
        let mut inner = self.lock();
        inner.is_encoding = inner.n_viewers > 0 && !inner.is_over;
        inner.is_encoding
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().expect("nobody panics while looking")
    }
}

impl Viewer {
    /// Waits for a picture that is newer than the last; none comes any more when the run is over, or the encoder has
    /// failed.
    pub fn next(&mut self) -> Option<Arc<[u8]>> {
        let mut inner = self.preview.lock();
        while inner.number == self.seen {
            if inner.is_over || !inner.is_encoding {
                return None;
            }
            let waited = self.preview.0.news.wait_timeout(inner, INTERVAL);
            inner = waited.expect("nobody panics while looking").0;
        }
        self.seen = inner.number;
        Some(inner.jpeg.clone())
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.preview.lock().n_viewers -= 1;
    }
}

/// Makes small JPEG pictures of frames.
struct Encoder {
    pipeline: gst::Pipeline,
    entrance: AppSrc,
    exit: AppSink,
}

impl Encoder {
    fn start(format: Format) -> anyhow::Result<Self> {
        let pipeline = gst::Pipeline::new();
        let entrance = AppSrc::builder()
            .caps(&format.caps())
            .format(gst::Format::Time)
            .max_buffers(1)
            .build();
        let (width, height) = within((format.width, format.height), LARGEST);
        let filter = make("capsfilter")?;
        let caps = gst::Caps::builder("video/x-raw")
            .field("width", width)
            .field("height", height);
        filter.set_property("caps", caps.build());
        let jpeg = make("jpegenc")?;
        jpeg.set_property("quality", QUALITY);
        let exit = AppSink::builder().sync(false).max_buffers(1).build();
        let elements = [
            entrance.clone().upcast(),
            make("videoscale")?,
            filter,
            jpeg,
            exit.clone().upcast(),
        ];
        chain(&pipeline, &elements)?;
        let encoder = Self {
            pipeline,
            entrance,
            exit,
        };
        encoder
            .pipeline
            .set_state(gst::State::Playing)
            .context("starting the encoder")?;
        Ok(encoder)
    }

    fn encode(&self, frame: gst::Buffer) -> anyhow::Result<Vec<u8>> {
        self.entrance.push_buffer(frame).context("encoding")?;
        let sample = self.exit.try_pull_sample(PATIENCE);
        let sample = sample.context("no picture comes from the encoder")?;
        let buffer = sample.buffer().context("a picture has bytes")?;
        Ok(buffer.map_readable()?.to_vec())
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // A pipeline that does not stop is beyond help.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format {
        width: 1280,
        height: 720,
        fps: 30,
    };

    fn pass(painted: &Relay, ms: u64) {
        let frame = gst::Buffer::from_slice(vec![100_u8; 1280 * 720 * 3 / 2]);
        painted.pass(frame, gst::ClockTime::from_mseconds(ms));
    }

    #[test]
    fn pictures_are_made_only_while_somebody_looks() {
        gst::init().unwrap();
        let painted = Arc::<Relay>::default();
        let preview = Preview::new(&painted, FORMAT).unwrap();
        pass(&painted, 10);
        assert!(!preview.is_watched());
        for round in 1..=2 {
            let mut viewer = preview.watch();
            let jpeg = viewer.next().unwrap();
            let picture = image::load_from_memory(&jpeg).unwrap();
            assert_eq!((picture.width(), picture.height()), (864, 486));
            drop(viewer);
            while preview.lock().is_encoding {
                thread::sleep(INTERVAL);
            }
            pass(&painted, 10 + round);
            assert_eq!(preview.lock().number, round);
        }
    }

    #[test]
    fn viewers_are_sent_away_at_the_end() {
        gst::init().unwrap();
        let painted = Arc::<Relay>::default();
        let preview = Preview::new(&painted, FORMAT).unwrap();
        let mut viewer = preview.watch();
        let waits = thread::spawn(move || viewer.next().is_none());
        preview.end();
        assert!(waits.join().unwrap());
        assert!(preview.watch().next().is_none());
    }
}
