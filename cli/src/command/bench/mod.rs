//! `impasto bench`: what the element costs over the network that it runs.
//!
//! Both are measured in one process and one run, in turns, so that whatever else the machine does hits both. After them,
//! in the same run, comes what it costs to keep the picture steady.

mod element;
mod pictures;
mod steady;

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use engines::{FrameFormat, Matrix, PixelFormat, Range, Settings, Stabilizer, Stage, Times};
use gst::prelude::*;
use serde::Serialize;

use self::element::Element;
use self::pictures::Pictures;
use self::steady::{Setup, Steady};
use crate::args::NetworkArgs;
use crate::report;

/// Frames in a row through the one, then through the other.
const BLOCK: usize = 10;
/// Frames that are painted at most each way to measure what steadiness costs.
const MAX_STEADY_FRAMES: usize = 100;

/// Measures what painting a frame takes, and what the element adds to the network.
///
/// Sends frames of a moving test picture through the element, and runs its network alone at the same size, in
/// blocks of 10 frames in turns. Then paints as many frames again, at most 100, with each stabilizer, and as many that
/// repeat the one before. Times are milliseconds per frame.
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

    /// Stabilizer of the element, with the exposure guard: `off`, without the guard, paints every frame by itself, as the
    /// network alone does; `gate`; `flow`; `auto`
    #[arg(long, value_name = "WAY", default_value_t = Stabilizer::Off, value_parser = crate::args::stabilizer())]
    stabilizer: Stabilizer,

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
    stabilizer: &'static str,
    upload: Millis,
    infer: Millis,
    stabilize: Millis,
    download: Millis,
    element: Millis,
    network: Millis,
    /// Median of the element over median of the network.
    ratio: f64,
    steady: SteadyMillis,
}

/// What keeping the picture steady costs, whatever the element's stabilizer.
#[derive(Serialize)]
struct SteadyMillis {
    /// Added to a moving frame by each.
    flow: Millis,
    gate: Millis,
    /// All that a frame takes which repeats the one before.
    held: Millis,
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
        let model = engines::styles::find(&self.style, self.network.quality_of_figures())?;
        let mut network = engines::network_alone(&model, &format, &settings)?;

        let pictures = Pictures::render(&format)?;
        let element = Element::open(&pictures.caps)?;
        element.inner.set_property("style", &self.style);
        element
            .inner
            .set_property_from_str("quality", self.network.quality_of_figures().name());
        element
            .inner
            .set_property_from_str("precision", self.network.precision.name());
        element
            .inner
            .set_property("processing-size", self.processing_size);
        element
            .inner
            .set_property_from_str("stabilizer", self.stabilizer.name());
        element
            .inner
            .set_property("exposure-guard", self.stabilizer != Stabilizer::Off);
        element.start(&pictures.caps)?;

        let n_frames = self.frames as usize;
        let (mut of_element, mut of_network) = (Vec::new(), Vec::new());
        let mut frames = pictures.there_and_back();
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
        let [upload, infer, stabilize, download] =
            Stage::ALL.map(|stage| element.stage(stage).into());
        let (of_element, of_network) = (Times::of(of_element), Times::of(of_network));
        let engine = element.inner.property("active-engine");
        // Their memory is wanted for the next engines.
        drop((element, network));
        let setup = Setup {
            model: &model,
            format,
            settings,
            pictures: &pictures,
        };
        let steady = Steady::measure(&setup, n_frames.min(MAX_STEADY_FRAMES))?;
        Ok(Measured {
            style: self.style.clone(),
            quality: self.network.quality_of_figures().name(),
            precision: self.network.precision.name(),
            width,
            height,
            format: self.format.name(),
            frames: n_frames,
            engine,
            stabilizer: self.stabilizer.name(),
            upload,
            infer,
            stabilize,
            download,
            ratio: round(of_element.median.as_secs_f64() / of_network.median.as_secs_f64()),
            element: of_element.into(),
            network: of_network.into(),
            steady: SteadyMillis {
                flow: steady.flow.into(),
                gate: steady.gate.into(),
                held: steady.held.into(),
            },
        })
    }
}

impl Measured {
    fn tell(&self) -> anyhow::Result<()> {
        report::line(format!(
            "{} {}, {} frames of {}x{} {}, stabilizer {}, {}",
            self.style,
            self.quality,
            self.frames,
            self.width,
            self.height,
            self.format,
            self.stabilizer,
            self.engine
        ))?;
        table(
            "ms per frame",
            &[
                ("upload", &self.upload),
                ("infer", &self.infer),
                ("stabilize", &self.stabilize),
                ("download", &self.download),
                ("whole element", &self.element),
                ("network alone", &self.network),
            ],
        )?;
        report::line(format!("element / network: {:.3}", self.ratio))?;
        table(
            "stabilizer, ms",
            &[
                ("flow adds", &self.steady.flow),
                ("gate adds", &self.steady.gate),
                ("held, in all", &self.steady.held),
            ],
        )
    }
}

fn table(title: &str, rows: &[(&str, &Millis)]) -> anyhow::Result<()> {
    report::line(format!("{title:<15}   median     p95     p99"))?;
    for (name, times) in rows {
        report::line(format!(
            "{name:<15} {:>8.2}{:>8.2}{:>8.2}",
            times.median_ms, times.p95_ms, times.p99_ms
        ))?;
    }
    Ok(())
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
