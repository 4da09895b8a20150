//! The options that say how to paint, the same for every command that paints.

use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use engines::{Look, Mix, Model, Place, Precision, Quality, Settings, Stabilizer};
use gst::prelude::*;

/// How to paint.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Painting")]
pub struct StyleArgs {
    /// Style: a name from `impasto styles`, the path of an .onnx file, or a mix of styles of one family:
    /// `starry-night:0.7+great-wave:0.3`. Weights are brought to a sum of 1, in steps of 1/16
    #[arg(long, short, value_name = "STYLE", default_value = engines::styles::DEFAULT)]
    pub style: String,

    /// How much of the painting replaces the photo, from 0 (photo) to 1 (painting)
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, value_parser = share)]
    pub strength: f32,

    /// What strength is taken from: `pixels` lays the painting over the photo, `weights` mixes the network with one that
    /// paints the photo as it is, in steps of 1/16: the strokes themselves become fainter. Only for styles of Impasto's
    /// own family
    #[arg(long, value_name = "WHAT", default_value = "pixels")]
    pub strength_by: StrengthBy,

    /// Paint in the colours of the input: its chroma stays, only its luma is painted
    #[arg(long)]
    pub keep_colors: bool,

    #[command(flatten)]
    pub network: NetworkArgs,

    #[command(flatten)]
    pub engine: EngineArgs,

    /// Height in pixels at which the network works, 16 to 8192, or 0 for the frame's own; the paint is scaled
    /// to the frame. Smaller is faster and gives larger strokes
    #[arg(long, value_name = "PIXELS", default_value_t = 0, value_parser = processing_size)]
    pub processing_size: u32,
}

/// How to keep the picture steady from frame to frame.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Steadiness")]
pub struct SteadyArgs {
    /// How to keep the picture steady: `off` paints every frame by itself, `gate` holds what does not move, `flow` lets
    /// what moves take its paint along as well, `auto`: flow, as files need not keep time
    #[arg(long, value_name = "WAY", default_value_t = Stabilizer::default(), value_parser = stabilizer())]
    pub stabilizer: Stabilizer,

    /// Largest share of motion-compensated history at a moving pixel, from 0 to 0.95: more is steadier and softer; 0 is the
    /// same as `--stabilizer off`
    #[arg(long, value_name = "SHARE", default_value_t = Look::default().persistence, value_parser = persistence)]
    pub persistence: f32,

    /// Let a camera's automatic exposure that hunts for its level (0.3 to 3 Hz) into the paint
    #[arg(long)]
    pub no_exposure_guard: bool,
}

/// What a style's strength is taken from.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrengthBy {
    /// The painting is laid over the photo.
    Pixels,
    /// The network is mixed with the one that paints the photo as it is.
    Weights,
}

/// Which network of a style to run, and how.
#[derive(Args, Clone, Copy, Debug)]
pub struct NetworkArgs {
    /// Size of network: `fast` keeps up with 1280x720 on two cores, `balanced` on a few, `best` paints finest. `auto`:
    /// videos are painted in the largest that paints as fast as they play, pictures in the largest there is, and figures
    /// are of `balanced`
    #[arg(long, value_name = "QUALITY", default_value_t = Quality::default(), value_parser = quality())]
    pub quality: Quality,

    /// Number format of the network: `f32`, `half` (16 bits: bfloat16, float16 or fixed point, what the processor is fastest
    /// in), or `auto`: half where it gives the same picture sooner
    #[arg(long, value_name = "FORMAT", default_value_t = Precision::default(), value_parser = precision())]
    pub precision: Precision,
}

/// Where the network runs.
#[derive(Args, Clone, Copy, Debug)]
pub struct EngineArgs {
    /// Where the network runs: `cpu`, `tensorrt` (an NVIDIA GPU, in builds that have it), or `auto`: the processor, until the
    /// way through a GPU has been shown on one
    #[arg(long, value_name = "ENGINE", default_value_t = Place::default(), value_parser = engine())]
    pub engine: Place,

    /// Index of the GPU, where the network runs on one; `impasto doctor` lists them
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..256))]
    pub device: u32,
}

impl StyleArgs {
    /// Reads the style's network.
    ///
    /// # Errors
    /// If there is no such style, or it is not usable.
    pub fn model(&self) -> anyhow::Result<Model> {
        let opening = || format!("opening the style `{}`", self.style);
        let style = self.faded_style().with_context(opening)?;
        let found = engines::styles::find(&style, self.network.quality);
        if let (Err(engines::Error::Mix { .. }), StrengthBy::Weights) = (&found, self.strength_by) {
            return found.with_context(|| {
                format!(
                    "the strength of `{}` cannot be put into its network, which is not of the family of the bundled \
                     styles; use --strength-by pixels",
                    self.style
                )
            });
        }
        found.with_context(opening)
    }

    /// The style with its strength in it, where that is asked for.
    fn faded_style(&self) -> engines::Result<String> {
        Ok(match self.strength_by {
            StrengthBy::Pixels => self.style.clone(),
            StrengthBy::Weights => Mix::parse(&self.style)?.faded(self.strength).to_string(),
        })
    }

    /// How much of the painting replaces the photo, pixel by pixel.
    fn strength_of_pixels(&self) -> f32 {
        match self.strength_by {
            StrengthBy::Pixels => self.strength,
            StrengthBy::Weights => 1.0,
        }
    }

    /// What an engine is opened with.
    pub fn settings(&self) -> Settings {
        Settings {
            engine: self.engine.engine,
            device: self.engine.device as usize,
            processing_size: self.processing_size as usize,
            precision: self.network.precision,
            ..Settings::default()
        }
    }

    /// How the painting of a single picture is laid over the photo: what was painted before does not count.
    pub fn look(&self) -> Look {
        Look {
            strength: self.strength_of_pixels(),
            keep_colors: self.keep_colors,
            stabilizer: Stabilizer::Off,
            exposure_guard: false,
            reuse: false,
            ..Look::default()
        }
    }

    /// Sets the properties of the element `styletransfer`.
    ///
    /// # Errors
    /// If the style is a mix that is not understood.
    pub fn apply(&self, element: &gst::Element) -> anyhow::Result<()> {
        element.set_property("style", self.faded_style()?);
        element.set_property("strength", self.strength_of_pixels());
        element.set_property("keep-colors", self.keep_colors);
        element.set_property_from_str("quality", self.network.quality.name());
        element.set_property("processing-size", self.processing_size);
        element.set_property_from_str("precision", self.network.precision.name());
        element.set_property_from_str("engine", self.engine.engine.name());
        element.set_property("device", self.engine.device);
        Ok(())
    }
}

impl NetworkArgs {
    /// The size of which figures are taken: they are only worth something beside those of the same size.
    pub fn quality_of_figures(&self) -> Quality {
        match self.quality {
            Quality::Auto => Quality::Balanced,
            named => named,
        }
    }
}

impl SteadyArgs {
    /// Sets the properties of the element `styletransfer`.
    pub fn apply(&self, element: &gst::Element) {
        element.set_property_from_str("stabilizer", self.stabilizer.name());
        element.set_property("persistence", self.persistence);
        element.set_property("exposure-guard", !self.no_exposure_guard);
    }
}

/// Reads the word for a way to keep the picture steady.
pub fn stabilizer() -> impl TypedValueParser<Value = Stabilizer> {
    PossibleValuesParser::new(Stabilizer::ALL.map(Stabilizer::name)).try_map(|word| word.parse())
}

/// Reads a share of history: 0 to 0.95.
///
/// # Errors
/// If it is not.
fn persistence(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(share) if (0.0..=0.95).contains(&share) => Ok(share),
        _ => Err("wanted a number from 0 to 0.95".to_owned()),
    }
}

fn engine() -> impl TypedValueParser<Value = Place> {
    PossibleValuesParser::new(Place::ALL.map(Place::name)).try_map(|word| word.parse())
}

fn quality() -> impl TypedValueParser<Value = Quality> {
    PossibleValuesParser::new(Quality::ALL.map(Quality::name)).try_map(|word| word.parse())
}

fn precision() -> impl TypedValueParser<Value = Precision> {
    PossibleValuesParser::new(Precision::ALL.map(Precision::name)).try_map(|word| word.parse())
}

fn share(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("wanted a number from 0 to 1".to_owned()),
    }
}

/// Reads a height for the network to work at: 0 or 16 to 8192.
///
/// # Errors
/// If it is neither.
pub fn processing_size(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(size) if size == 0 || (16..=8192).contains(&size) => Ok(size),
        _ => Err("wanted 0 or a number of pixels from 16 to 8192".to_owned()),
    }
}

/// Reads the width and height of frames in pixels, 16 to 8192 each.
///
/// # Errors
/// If they are not.
pub fn size(text: &str) -> Result<(i32, i32), String> {
    let side = |text: &str| text.parse().ok().filter(|side| (16..=8192).contains(side));
    text.split_once('x')
        .and_then(|(width, height)| Some((side(width)?, side(height)?)))
        .ok_or_else(|| "wanted WIDTHxHEIGHT, each from 16 to 8192, such as 1280x720".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("640x360"), Ok((640, 360)));
        for text in ["640", "x", "640x8", "0x0", "-1x100", "640x99999"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        style: StyleArgs,
        #[command(flatten)]
        steady: SteadyArgs,
    }

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["x"], args].concat())
    }

    #[test]
    fn defaults_are_those_of_the_engine() {
        let Cli { style, steady } = parse(&[]).unwrap();
        assert_eq!(style.style, engines::styles::DEFAULT);
        assert_eq!(style.settings(), Settings::default());
        assert_eq!(style.network.quality, Quality::default());
        let wanted = Look::default();
        let found = Look {
            stabilizer: steady.stabilizer,
            persistence: steady.persistence,
            exposure_guard: !steady.no_exposure_guard,
            reuse: wanted.reuse,
            ..style.look()
        };
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_single_picture_is_painted_by_itself() {
        let look = parse(&[]).unwrap().style.look();
        assert_eq!(look.stabilizer, Stabilizer::Off);
        assert!(!look.exposure_guard && !look.reuse);
    }

    #[test]
    fn strength_by_weights_is_in_the_style_and_not_in_the_pixels() {
        let args = [
            "--style",
            "a",
            "--strength",
            "0.25",
            "--strength-by",
            "weights",
        ];
        let style = parse(&args).unwrap().style;
        assert_eq!(style.faded_style().unwrap(), "a:0.25+identity:0.75");
        assert_eq!(style.look().strength, 1.0);
        let style = parse(&args[..4]).unwrap().style;
        assert_eq!(style.faded_style().unwrap(), "a");
        assert_eq!(style.look().strength, 0.25);
    }

    #[test]
    fn figures_are_of_one_size() {
        let quality = |args: &[&str]| parse(args).unwrap().style.network.quality_of_figures();
        assert_eq!(quality(&[]), Quality::Balanced);
        assert_eq!(quality(&["--quality", "fast"]), Quality::Fast);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for args in [
            ["--strength", "1.5"],
            ["--strength", "nan"],
            ["--strength=-0.1", "--keep-colors"],
            ["--processing-size", "15"],
            ["--processing-size", "8193"],
            ["--quality", "superb"],
            ["--precision", "int4"],
            ["--strength-by", "magic"],
            ["--stabilizer", "glue"],
            ["--persistence", "0.96"],
            ["--persistence", "nan"],
        ] {
            assert!(parse(&args).is_err(), "{args:?}");
        }
        let best = parse(&["--quality", "best"]).unwrap();
        assert_eq!(best.style.network.quality, Quality::Best);
        let small = parse(&["--processing-size", "16"]).unwrap();
        assert_eq!(small.style.processing_size, 16);
        let steady = parse(&["--stabilizer", "gate", "--persistence", "0.95"]).unwrap();
        assert_eq!(steady.steady.stabilizer, Stabilizer::Gate);
        assert_eq!(steady.steady.persistence, 0.95);
    }
}
