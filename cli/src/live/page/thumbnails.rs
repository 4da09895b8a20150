//! The present frame in every style, painted small, when somebody asks for it: by a thread that yields to all others and
//! rests between two styles.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use engines::{Look, Model, Precision, Settings, Stabilizer};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, RgbImage};
use rustix::process::nice;
use serde::Serialize;

use crate::live::format::{Format, within};
use crate::live::relay::Relay;
use crate::picture::{Painter, Picture};
use crate::report;

/// Largest size in pixels. At half of it the strokes are so large beside the picture that little of it is seen.
const LARGEST: (i32, i32) = (384, 216);
/// Quality of JPEG.
const QUALITY: u8 = 85;
/// How far it yields to the threads that paint: further than there is.
const NICENESS: i32 = 40;
/// Longest rest between two styles; else as long as one took.
const LONGEST_REST: Duration = Duration::from_millis(500);
/// How long the frame may take to be made small.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(5);

/// The present frame in every style.
#[derive(Clone)]
pub struct Thumbnails(Arc<Shared>);

struct Shared {
    names: Vec<String>,
    unpainted: Arc<Relay>,
    format: Format,
    /// What the page calls the styles.
    styles: OnceLock<String>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// In the order of the names.
    painted: Vec<Thumbnail>,
    painter: Option<JoinHandle<()>>,
    is_over: bool,
}

#[derive(Clone, Default)]
struct Thumbnail {
    /// How often it was painted.
    version: u32,
    jpeg: Option<Arc<[u8]>>,
    /// Why it was not, the last time.
    error: Option<String>,
}

/// What is painted.
#[derive(Serialize)]
pub struct Progress {
    /// How often each style was painted.
    versions: Vec<u32>,
    /// Why some were not.
    errors: Vec<String>,
    is_painting: bool,
}

/// What the page calls a style.
#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    title: Option<String>,
    artist: Option<String>,
}

impl Thumbnails {
    /// Those of the frames of a relay.
    pub fn new(names: &[String], unpainted: &Arc<Relay>, format: Format) -> Self {
        Self(Arc::new(Shared {
            names: names.to_vec(),
            unpainted: unpainted.clone(),
            format,
            styles: OnceLock::new(),
            inner: Mutex::new(Inner {
                painted: vec![Thumbnail::default(); names.len()],
                ..Inner::default()
            }),
        }))
    }

    /// Paints the present frame in every style, unless that is being done.
    ///
    /// # Errors
    /// If no frame has come yet, or no thread can be had.
    pub fn paint(&self) -> anyhow::Result<()> {
        let mut inner = self.lock();
        if inner.is_over || is_running(inner.painter.as_ref()) {
            return Ok(());
        }
        let frame = self.0.unpainted.last();
        let frame = frame.context("no frame has come yet that could be painted")?;
        let thumbnails = self.clone();
        let painter = thread::Builder::new().name("page-thumbs".to_owned());
        inner.painter = Some(painter.spawn(move || thumbnails.paint_all(&frame))?);
        Ok(())
    }

    /// What is painted so far.
    pub fn progress(&self) -> Progress {
        let inner = self.lock();
        Progress {
            versions: inner.painted.iter().map(|found| found.version).collect(),
            errors: inner
                .painted
                .iter()
                .filter_map(|found| found.error.clone())
                .collect(),
            is_painting: is_running(inner.painter.as_ref()),
        }
    }

    /// The thumbnail of a style, by its place in the list; nothing before it is painted.
    pub fn jpeg(&self, idx: usize) -> Option<Arc<[u8]>> {
        self.lock().painted.get(idx)?.jpeg.clone()
    }

    /// The styles of the list, as JSON.
    pub fn styles_json(&self) -> String {
        let called = |name| {
            let model = smallest(name).ok();
            let word = |key| model.as_ref()?.metadata(key).map(str::to_owned);
            Called {
                name,
                title: word("title"),
                artist: word("artist"),
            }
        };
        let list = || {
            let styles: Vec<_> = self.0.names.iter().map(|name| called(name)).collect();
            serde_json::to_string(&styles).expect("texts are JSON")
        };
        self.0.styles.get_or_init(list).clone()
    }

    /// Stops painting, and waits for the style that is being painted.
    pub fn end(&self) {
        let painter = {
            let mut inner = self.lock();
            inner.is_over = true;
            inner.painter.take()
        };
        if let Some(painter) = painter {
            // If it has panicked, that was said.
            let _ = painter.join();
        }
    }

    fn paint_all(&self, frame: &gst::Buffer) {
        // Where that is refused, it takes its share as others do.
        let _ = nice(NICENESS);
        let photo = small(frame, self.0.format);
        for (idx, name) in self.0.names.iter().enumerate() {
            let start = Instant::now();
            let painted = match &photo {
                Ok(photo) => paint(name, photo),
                Err(error) => Err(anyhow::anyhow!("{error:#}")),
            };
            let mut inner = self.lock();
            let thumbnail = &mut inner.painted[idx];
            match painted {
                Ok(jpeg) => {
                    *thumbnail = Thumbnail {
                        version: thumbnail.version + 1,
                        jpeg: Some(jpeg.into()),
                        error: None,
                    }
                }
                Err(error) => thumbnail.error = Some(format!("{name}: {}", report::chain(&error))),
            }
            let is_over = inner.is_over;
            drop(inner);
            if is_over {
                return;
            }
            thread::sleep(start.elapsed().min(LONGEST_REST));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().expect("nobody panics while noting")
    }
}

fn is_running(painter: Option<&JoinHandle<()>>) -> bool {
    painter.is_some_and(|painter| !painter.is_finished())
}

/// A frame, made small.
fn small(frame: &gst::Buffer, format: Format) -> anyhow::Result<RgbImage> {
    let (width, height) = within((format.width, format.height), LARGEST);
    let sample = gst::Sample::builder()
        .buffer(frame)
        .caps(&format.caps())
        .build();
    // Without a shape of the pixels: it gives way where the sides do not divide, and there are no borders.
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "RGB")
        .field("width", width)
        .field("height", height)
        .build();
    let small = gst_video::convert_sample(&sample, &caps, Some(PATIENCE))
        .context("making the frame small")?;
    let info = gst_video::VideoInfo::from_caps(&caps)?;
    let buffer = small.buffer().context("a frame has bytes")?;
    let bytes = buffer.map_readable()?;
    let row = width as usize * 3;
    let rows = bytes
        .chunks(info.stride()[0] as usize)
        .take(height as usize);
    let pixels = rows.flat_map(|bytes| &bytes[..row]).copied().collect();
    RgbImage::from_raw(width as u32, height as u32, pixels).context("a frame has all its rows")
}

/// The smallest network of a style.
fn smallest(style: &str) -> engines::Result<Model> {
    let sizes = engines::styles::sizes(style)?;
    engines::styles::find(style, sizes.first().copied().unwrap_or_default())
}

/// A picture in a style, as JPEG.
fn paint(style: &str, photo: &RgbImage) -> anyhow::Result<Vec<u8>> {
    let model = smallest(style)?;
    // What would be gained by half is less than what it takes to find out.
    let settings = Settings {
        precision: Precision::F32,
        ..Settings::default()
    };
    let look = Look {
        stabilizer: Stabilizer::Off,
        exposure_guard: false,
        reuse: false,
        ..Look::default()
    };
    let mut picture = Picture {
        pixels: DynamicImage::ImageRgb8(photo.clone()),
        icc_profile: None,
    };
    Painter::of(model, settings, look).paint(&mut picture)?;
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
    picture.pixels.write_with_encoder(encoder)?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_become_small_and_keep_their_shape() {
        gst::init().unwrap();
        for (width, height, wanted) in [
            (1280, 720, (384, 216)),
            (404, 720, (121, 216)),
            (98, 98, (98, 98)),
        ] {
            let format = Format {
                width,
                height,
                fps: 30,
            };
            let info = gst_video::VideoInfo::from_caps(&format.caps()).unwrap();
            let frame = gst::Buffer::from_slice(vec![128_u8; info.size()]);
            let photo = small(&frame, format).unwrap();
            assert_eq!(photo.dimensions(), wanted);
            // Luma 128 of 16 to 235, without colour.
            assert!(
                photo
                    .pixels()
                    .all(|pixel| pixel.0.iter().all(|value| value.abs_diff(130) < 3))
            );
        }
    }

    #[test]
    fn nothing_is_painted_of_no_frame_and_nothing_after_the_end() {
        let thumbnails = Thumbnails::new(
            &["udnie".to_owned()],
            &Arc::default(),
            Format {
                width: 64,
                height: 48,
                fps: 30,
            },
        );
        let error = thumbnails.paint().unwrap_err().to_string();
        assert!(error.contains("no frame"), "{error}");
        assert!(thumbnails.jpeg(0).is_none() && thumbnails.jpeg(1).is_none());
        thumbnails.end();
        assert!(thumbnails.paint().is_ok());
        assert!(!thumbnails.progress().is_painting);
    }
}
