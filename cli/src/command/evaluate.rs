//! `impasto evaluate`: how steady a style paints video, in numbers.

use std::path::PathBuf;

use anyhow::Context;
use clap::{ArgGroup, Args};
use engines::{Look, Settings, Stabilizer};

use crate::args::{NetworkArgs, SteadyArgs};
use crate::evaluate::{self, GramDistance, Report, Source, Studio, Survey};
use crate::output::Output;
use crate::{interrupt, report};

/// Measures how steady painted video is.
///
/// Paints scenes whose motion is known twice, frame by frame and stabilised, follows every pixel from a frame to the
/// next, and tells how much its paint changed on the way (`e_stab`: root mean square, 0 to 1).
#[derive(Args)]
#[command(group = ArgGroup::new("what").args(["scenes", "synthetic"]).required(true).multiple(true))]
pub struct Evaluate {
    /// Scenes: folders laid out as those of MPI-Sintel, with frames `frame_0001.png`, `frame_0002.png`... and the motion
    /// to the next one in `gt/frame_0001.flo`..., or folders of such folders
    #[arg(value_name = "SCENE")]
    scenes: Vec<PathBuf>,

    /// Make scenes whose motion is known exactly, of the pictures among SCENE or, if there are none, of procedural ones
    #[arg(long)]
    synthetic: bool,

    /// Style to measure: a name from `impasto styles`, the path of an .onnx file, or a mix (`a:0.7+b:0.3`); may be given
    /// several times
    #[arg(long = "style", short, value_name = "STYLE", default_value = engines::styles::DEFAULT)]
    styles: Vec<String>,

    #[command(flatten)]
    network: NetworkArgs,

    /// Height in pixels at which the network works, 16 to 8192, or 0 for the frame's own
    #[arg(long, value_name = "PIXELS", default_value_t = 0, value_parser = crate::args::processing_size)]
    processing_size: u32,

    /// Measure besides how far the stabilizer's own optical flow is off, and what it takes
    #[arg(long)]
    flow: bool,

    /// Measure besides what needs no known motion: noise, drift, background, exposure, fade and cut
    #[arg(long)]
    probes: bool,

    /// Seconds that a picture stands still to measure drift, 2 to 3600
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(2..=3600))]
    drift_seconds: u32,

    /// VGG16 as a .safetensors file: measures besides how far the frames are from PAINTING in style. Takes seconds
    /// per frame
    #[arg(long, value_name = "FILE", requires = "painting")]
    vgg: Option<PathBuf>,

    /// The painting that the style was trained on
    #[arg(long, value_name = "PAINTING", requires = "vgg")]
    painting: Option<PathBuf>,

    #[command(flatten)]
    steady: SteadyArgs,

    /// Picture (.png) to draw frames of each scene in, as they were and painted, with what changed from frame to frame
    #[arg(long, value_name = "FILE", help_heading = "Output", value_parser = png)]
    sheet: Option<PathBuf>,

    /// Print JSON
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// File to write the JSON to
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,

    /// Replace files that exist
    #[arg(long, help_heading = "Output")]
    overwrite: bool,
}

impl Evaluate {
    /// Measures and tells.
    ///
    /// # Errors
    /// If a scene or style cannot be read or painted.
    pub fn run(self) -> anyhow::Result<()> {
        interrupt::watch()?;
        let sources = Source::find(&self.scenes, self.synthetic)?;
        let output = self.create(self.output.as_ref())?;
        let sheet = self.create(self.sheet.as_ref())?;
        let models = self
            .styles
            .iter()
            .map(|style| {
                engines::styles::find(style, self.network.quality_of_figures())
                    .with_context(|| format!("opening the style `{style}`"))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut survey = Survey {
            sources,
            look: self.look(),
            quality: self.network.quality_of_figures(),
            flow: self.flow,
            probe_seconds: self.probes.then_some(self.drift_seconds),
            gram: self.gram()?,
            kept: sheet.as_ref().map(|_| Vec::new()),
            is_talking: !self.json,
        };
        let mut styles = Vec::new();
        for (style, model) in self.styles.iter().zip(models) {
            let mut studio = Studio::new(model, self.settings());
            styles.push(survey.measure(style.clone(), &mut studio)?);
        }
        if let (Some(sheet), Some(kept)) = (sheet, &survey.kept) {
            evaluate::draw(sheet, kept)?;
        }
        let report = Report {
            stabilizer: self.steady.stabilizer.name(),
            persistence: self.steady.persistence,
            exposure_guard: survey.look.exposure_guard,
            quality: self.network.quality_of_figures().name(),
            precision: self.network.precision.name(),
            processing_size: self.processing_size,
            styles,
        };
        if let Some(output) = output {
            report.write(output)?;
        }
        if self.json {
            report::json(&report)?;
        }
        Ok(())
    }

    fn create(&self, path: Option<&PathBuf>) -> anyhow::Result<Option<Output>> {
        path.map(|path| Output::create(path, self.overwrite, &[]))
            .transpose()
    }

    fn gram(&self) -> anyhow::Result<Option<GramDistance>> {
        let (Some(vgg), Some(painting)) = (&self.vgg, &self.painting) else {
            return Ok(None);
        };
        let painting = evaluate::rgb(painting)?;
        GramDistance::open(vgg, &painting).map(Some)
    }

    fn settings(&self) -> Settings {
        Settings {
            processing_size: self.processing_size as usize,
            precision: self.network.precision,
            ..Settings::default()
        }
    }

    fn look(&self) -> Look {
        Look {
            stabilizer: self.steady.stabilizer,
            persistence: self.steady.persistence,
            // Off leaves every frame to itself, its light too.
            exposure_guard: !self.steady.no_exposure_guard
                && self.steady.stabilizer != Stabilizer::Off,
            // What is only given again would be as steady as can be.
            reuse: false,
            ..Look::default()
        }
    }
}

fn png(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("png") => Ok(path),
        _ => Err("wanted a file name that ends with .png".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        evaluate: Evaluate,
    }

    fn parse(args: &[&str]) -> Result<Evaluate, clap::Error> {
        Ok(Cli::try_parse_from([&["x"], args].concat())?.evaluate)
    }

    #[test]
    fn without_scenes_it_says_what_to_give() {
        let error = parse(&[]).err().unwrap().to_string();
        assert!(error.contains("<SCENE|--synthetic>"), "{error}");
    }

    #[test]
    fn repeated_frames_are_painted_again() {
        let evaluate = parse(&["--synthetic"]).unwrap();
        let wanted = Look {
            reuse: false,
            ..Look::default()
        };
        assert_eq!(evaluate.look(), wanted);
        assert_eq!(evaluate.settings(), Settings::default());
    }

    #[test]
    fn without_a_stabilizer_exposure_is_left_alone() {
        let guards = |args: &[&str]| {
            parse(&[&["--synthetic"], args].concat())
                .unwrap()
                .look()
                .exposure_guard
        };
        assert!(guards(&[]));
        assert!(!guards(&["--no-exposure-guard"]));
        assert!(!guards(&["--stabilizer", "off"]));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for args in [
            ["--drift-seconds", "1"],
            ["--sheet", "sheet.jpg"],
            ["--vgg", "vgg.safetensors"],
            ["--painting", "wave.jpg"],
        ] {
            assert!(
                parse(&[&["--synthetic"], &args[..]].concat()).is_err(),
                "{args:?}"
            );
        }
    }
}
