//! Installing a style.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use engines::{Channels, Layout, Model, Sidecar, ValueRange};

use crate::report;
use crate::trial::try_out;

/// Installs a network as a style for this user, after a trial run.
///
/// What the network's file does not tell about itself is read from FILE's sidecar (NAME.toml beside NAME.onnx), told by
/// the options below, or found out by running it. See `impasto styles --inspect FILE`.
#[derive(Args)]
pub struct Add {
    /// Network from picture to picture, an .onnx file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Name of the style: small letters, digits, - and _; without it, that of the file
    #[arg(long)]
    name: Option<String>,

    /// Title of the style, for people
    #[arg(long)]
    title: Option<String>,

    /// Order of the colour channels: rgb or bgr
    #[arg(long, value_name = "ORDER", value_parser = channels())]
    channels: Option<Channels>,

    /// Values of black and white: 0..255, 0..1 or -1..1
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true, value_parser = range())]
    range: Option<ValueRange>,

    /// Values of black and white at the output, where they differ: 0..255, 0..1 or -1..1
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true, value_parser = range())]
    output_range: Option<ValueRange>,

    /// Order of the axes: nchw or nhwc
    #[arg(long, value_name = "ORDER", value_parser = layout())]
    layout: Option<Layout>,

    /// Number of which width and height must be multiples, in pixels, 1 to 256
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..=256))]
    align: Option<u16>,

    /// Reflected border that the network wants round the picture, in pixels, 0 to 256
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(0..=256))]
    pad: Option<u16>,

    /// Values of a further input, in row-major order; may be given several times
    #[arg(long, value_name = "NAME=V1,V2,...", value_parser = input)]
    input: Vec<(String, Vec<f32>)>,

    /// Replace an installed style of that name
    #[arg(long)]
    overwrite: bool,
}

impl Add {
    /// Installs the style.
    ///
    /// # Errors
    /// If the network does not paint, or the name is taken.
    pub fn run(self, json: bool) -> anyhow::Result<()> {
        let name = self.name.clone().unwrap_or_else(|| stem(&self.file));
        if !self.overwrite && is_installed(&name)? {
            bail!(
                "a style `{name}` is installed already; choose another --name, or replace it with --overwrite"
            );
        }
        let told = self.sidecar();
        let adding = || format!("adding {}", self.file.display());
        let mut sidecar = Sidecar::beside(&self.file).with_context(adding)?;
        sidecar.overlay(told.clone());
        let engine = Model::read_with(&self.file, &sidecar)
            .map_err(Into::into)
            .and_then(|model| try_out(&model));
        let engine = engine.with_context(adding)?;
        let path = engines::styles::add(&self.file, &name, told).with_context(adding)?;
        if json {
            return report::json(
                &serde_json::json!({ "name": name, "file": path, "engine": engine }),
            );
        }
        report::line(format!("installed {}", path.display()))?;
        report::line(format!("use it: impasto video IN -o OUT --style {name}"))
    }

    fn sidecar(&self) -> Sidecar {
        Sidecar {
            title: self.title.clone(),
            channels: self.channels,
            range: self.range,
            output_range: self.output_range,
            layout: self.layout,
            align: self.align.map(usize::from),
            pad: self.pad.map(usize::from),
            inputs: self.input.iter().cloned().collect(),
            ..Sidecar::default()
        }
    }
}

fn is_installed(name: &str) -> anyhow::Result<bool> {
    let Some(folder) = engines::styles::data_folder().map(|folder| folder.join("styles")) else {
        return Ok(false);
    };
    let listed = engines::styles::list()?;
    Ok(listed
        .iter()
        .any(|style| style.name == name && style.folder.as_ref() == Some(&folder)))
}

/// The file's name as a style's name: `Candy Crush.onnx` becomes `candy-crush`.
fn stem(file: &Path) -> String {
    let stem = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    stem.chars().map(plain).collect()
}

fn channels() -> impl TypedValueParser<Value = Channels> {
    PossibleValuesParser::new(["rgb", "bgr"]).map(|word| {
        if word == "rgb" {
            Channels::Rgb
        } else {
            Channels::Bgr
        }
    })
}

fn layout() -> impl TypedValueParser<Value = Layout> {
    PossibleValuesParser::new(["nchw", "nhwc"]).map(|word| {
        if word == "nchw" {
            Layout::Nchw
        } else {
            Layout::Nhwc
        }
    })
}

fn range() -> impl TypedValueParser<Value = ValueRange> {
    PossibleValuesParser::new(["0..255", "0..1", "-1..1"]).map(|word| match word.as_str() {
        "0..255" => ValueRange::Byte,
        "0..1" => ValueRange::Unit,
        _ => ValueRange::Signed,
    })
}

fn input(text: &str) -> Result<(String, Vec<f32>), String> {
    let (name, values) = text.split_once('=').ok_or("wanted NAME=V1,V2,...")?;
    let values = values
        .split(',')
        .map(|value| {
            value
                .trim()
                .parse()
                .map_err(|_| format!("`{value}` is no number"))
        })
        .collect::<Result<_, _>>()?;
    Ok((name.to_owned(), values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_inputs_are_read() {
        assert_eq!(
            input("w=0, 1.5,-2").unwrap(),
            ("w".to_owned(), vec![0.0, 1.5, -2.0])
        );
        assert!(input("w").is_err());
        assert_eq!(input("w=1,x").unwrap_err(), "`x` is no number");
    }

    #[test]
    fn file_names_become_names_of_styles() {
        assert_eq!(stem(Path::new("/a/Candy Crush_2.onnx")), "candy-crush_2");
    }

    #[test]
    fn words_become_values() {
        use clap::Parser;
        #[derive(Parser)]
        struct Cli {
            #[command(flatten)]
            add: Add,
        }
        let add = Cli::parse_from([
            "x",
            "a.onnx",
            "--range",
            "-1..1",
            "--channels=bgr",
            "--pad",
            "16",
        ])
        .add;
        let sidecar = add.sidecar();
        assert_eq!(sidecar.range, Some(ValueRange::Signed));
        assert_eq!(sidecar.channels, Some(Channels::Bgr));
        assert_eq!(sidecar.pad, Some(16));
    }
}
