//! `impasto bench`: what the element costs over the network that it runs.
//!
//! Both are measured in one process and one run, in turns, so that whatever else the machine does hits both.

mod element;
mod pictures;

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use engines::{FrameFormat, Matrix, PixelFormat, Range, Settings, Stage, Times};
use gst::prelude::*;
use serde::Serialize;

use self::element::Element;
use crate::args::NetworkArgs;
use crate::report;

/// Frames in a row through the one, then through the other.
const BLOCK: usize = 10;

/// Measures what painting a frame takes, and what the element adds to the network.
///
/// Sends frames of a moving test picture through the element, and runs its network alone at the same size, in
/// blocks of 10 frames in turns. Times are milliseconds per frame.
#[derive(Args)]
pub struct Bench {
    /// Style: a name from `impasto styles`, or the path of an .onnx file
    #[arg(long, short, value_name = "STYLE", default_value = engines::styles::DEFAULT)]
    style: String,

    #[command(flatten)]
    network: NetworkArgs,

    /// Size of the frames in pixels, 16 to 8192 each way
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x720", value_parser = size)]
    size: (usize, usize),

    /// Pixel format of the frames, as GStreamer names it
    #[arg(long, value_name = "FORMAT", default_value = "NV12", value_parser = format())]
    format: PixelFormat,

    /// Height in pixels at which the network works, 16 to 8192, or 0 for the frame's own
    #[arg(long, value_name = "PIXELS", default_value_t = 0, value_parser = crate::args::processing_size)]
    processing_size: u32,

    /// Frames to measure each, 10 to 100000
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    frames: u32,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Measured {
    style: String,
    quality: &'static str,
    precision: &'static str,
    width: usize,
    height: usize,
    format: &'static str,
    frames: usize,
    engine: String,
    upload: Millis,
    infer: Millis,
    download: Millis,
    element: Millis,
    network: Millis,
    /// Median of the element over median of the network.
    ratio: f64,
}

#[derive(Serialize)]
struct Millis {
    median_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
}

impl Bench {
    /// Measures and tells.
    ///
    /// # Errors
    /// If the style cannot be opened, or stops.
    pub fn run(self) -> anyhow::Result<()> {
        super::start_gstreamer()?;
        let measured = self.measure()?;
        if self.json {
            return report::json(&measured);
        }
        measured.tell()
    }

    fn measure(&self) -> anyhow::Result<Measured> {
        let (width, height) = self.size;
        let format = FrameFormat::new(
            self.format,
            width,
            height,
            Matrix::default(),
            Range::default(),
        )?;
        let settings = Settings {
            processing_size: self.processing_size as usize,
            precision: self.network.precision,
            ..Settings::default()
        };
        let model = engines::styles::find(&self.style, self.network.quality)?;
        let mut network = engines::network_alone(&model, &format, &settings)?;

        let pictures = pictures::moving(&format)?;
        let element = Element::open(&pictures.caps)?;
        element.inner.set_property("style", &self.style);
        element
            .inner
            .set_property_from_str("quality", self.network.quality.name());
        element
            .inner
            .set_property_from_str("precision", self.network.precision.name());
        element
            .inner
            .set_property("processing-size", self.processing_size);
        element.start(&pictures.caps)?;

        let n_frames = self.frames as usize;
        let (mut of_element, mut of_network) = (Vec::new(), Vec::new());
        let mut frames = pictures.frames.iter().cycle();
        while of_element.len() < n_frames {
            // The first of a block is not counted: it finds the other's data in the caches.
            let n_block = BLOCK.min(n_frames - of_element.len());
            for idx in 0..=n_block {
                let frame = frames.next().expect("there are pictures, for ever");
                let took = element.paint(frame)?;
                of_element.extend((idx > 0).then_some(took));
            }
            for idx in 0..=n_block {
                crate::interrupt::check()?;
                let took = network.run()?;
                of_network.extend((idx > 0).then_some(took));
            }
        }
        let stage = |stage: Stage| element.stage(stage);
        let (of_element, of_network) = (Times::of(of_element), Times::of(of_network));
        Ok(Measured {
            style: self.style.clone(),
            quality: self.network.quality.name(),
            precision: self.network.precision.name(),
            width,
            height,
            format: self.format.name(),
            frames: n_frames,
            engine: element.inner.property("active-engine"),
            upload: stage(Stage::Upload).into(),
            infer: stage(Stage::Infer).into(),
            download: stage(Stage::Download).into(),
            ratio: round(of_element.median.as_secs_f64() / of_network.median.as_secs_f64()),
            element: of_element.into(),
            network: of_network.into(),
        })
    }
}

impl Measured {
    fn tell(&self) -> anyhow::Result<()> {
        report::line(format!(
            "{} {}, {} frames of {}x{} {}, {}",
            self.style,
            self.quality,
            self.frames,
            self.width,
            self.height,
            self.format,
            self.engine
        ))?;
        report::line("ms per frame      median     p95     p99")?;
        for (name, times) in [
            ("upload", &self.upload),
            ("infer", &self.infer),
            ("download", &self.download),
            ("whole element", &self.element),
            ("network alone", &self.network),
        ] {
            report::line(format!(
                "{name:<15} {:>8.2}{:>8.2}{:>8.2}",
                times.median_ms, times.p95_ms, times.p99_ms
            ))?;
        }
        report::line(format!("element / network: {:.3}", self.ratio))
    }
}

impl From<Times> for Millis {
    fn from(times: Times) -> Self {
        let ms = |time: Duration| round(time.as_secs_f64() * 1e3);
        Self {
            median_ms: ms(times.median),
            p95_ms: ms(times.p95),
            p99_ms: ms(times.p99),
        }
    }
}

fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn size(text: &str) -> Result<(usize, usize), String> {
    let sides = text
        .split_once('x')
        .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    sides
        .filter(|&(width, height)| {
            let sides = engines::MIN_SIZE_PX..=engines::MAX_SIZE_PX;
            sides.contains(&width) && sides.contains(&height)
        })
        .ok_or_else(|| "wanted WIDTHxHEIGHT, each 16 to 8192 pixels".to_owned())
}

fn format() -> impl TypedValueParser<Value = PixelFormat> {
    PossibleValuesParser::new(PixelFormat::ALL.map(PixelFormat::name)).try_map(|name| {
        PixelFormat::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or("wanted one of the formats")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("1280x720"), Ok((1280, 720)));
        for text in ["1280", "1280x", "x720", "15x720", "1280x8193", "-1x20"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
