//! The options that say how to paint, the same for every command that paints.

use anyhow::Context;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use engines::{Look, Model, Precision, Quality, Settings};
use gst::prelude::*;

/// How to paint.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Painting")]
pub struct StyleArgs {
    /// Style: a name from `impasto styles`, or the path of an .onnx file
    #[arg(long, short, value_name = "STYLE", default_value = engines::styles::DEFAULT)]
    pub style: String,

    /// How much of the painting replaces the photo, from 0 (photo) to 1 (painting)
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, value_parser = share)]
    pub strength: f32,

    /// Paint in the colours of the input: its chroma stays, only its luma is painted
    #[arg(long)]
    pub keep_colors: bool,

    #[command(flatten)]
    pub network: NetworkArgs,

    /// Height in pixels at which the network works, 16 to 8192, or 0 for the frame's own; the paint is scaled
    /// to the frame. Smaller is faster and gives larger strokes
    #[arg(long, value_name = "PIXELS", default_value_t = 0, value_parser = processing_size)]
    pub processing_size: u32,
}

/// Which network of a style to run, and how.
#[derive(Args, Clone, Copy, Debug)]
pub struct NetworkArgs {
    /// Size of network: `balanced` keeps up with 1280x720 on a few cores, `best` paints finest
    #[arg(long, value_name = "QUALITY", default_value_t = Quality::default(), value_parser = quality())]
    pub quality: Quality,

    /// Number format of the network: `f32`, `half` (bfloat16 or float16, whichever the processor has), or
    /// `auto`: half where it gives the same picture
    #[arg(long, value_name = "FORMAT", default_value_t = Precision::default(), value_parser = precision())]
    pub precision: Precision,
}

impl StyleArgs {
    /// Reads the style's network.
    ///
    /// # Errors
    /// If there is no such style, or it is not usable.
    pub fn model(&self) -> anyhow::Result<Model> {
        engines::styles::find(&self.style, self.network.quality)
            .with_context(|| format!("opening the style `{}`", self.style))
    }

    /// What an engine is opened with.
    pub fn settings(&self) -> Settings {
        Settings {
            processing_size: self.processing_size as usize,
            precision: self.network.precision,
            ..Settings::default()
        }
    }

    /// How the painting is laid over the photo.
    pub fn look(&self) -> Look {
        Look {
            strength: self.strength,
            keep_colors: self.keep_colors,
        }
    }

    /// Sets the properties of the element `styletransfer`.
    pub fn apply(&self, element: &gst::Element) {
        element.set_property("style", &self.style);
        element.set_property("strength", self.strength);
        element.set_property("keep-colors", self.keep_colors);
        element.set_property_from_str("quality", self.network.quality.name());
        element.set_property("processing-size", self.processing_size);
        element.set_property_from_str("precision", self.network.precision.name());
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        style: StyleArgs,
    }

    fn parse(args: &[&str]) -> Result<StyleArgs, clap::Error> {
        Ok(Cli::try_parse_from([&["x"], args].concat())?.style)
    }

    #[test]
    fn defaults_are_those_of_the_engine() {
        let style = parse(&[]).unwrap();
        assert_eq!(style.style, engines::styles::DEFAULT);
        assert_eq!(style.settings(), Settings::default());
        assert_eq!(style.look(), Look::default());
        assert_eq!(style.network.quality, Quality::default());
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
        ] {
            assert!(parse(&args).is_err(), "{args:?}");
        }
        assert_eq!(
            parse(&["--quality", "best"]).unwrap().network.quality,
            Quality::Best
        );
        assert_eq!(
            parse(&["--processing-size", "16"]).unwrap().processing_size,
            16
        );
    }
}
