//! `NAME.toml` beside `NAME.onnx`: what the network's file cannot tell about itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::convention::{Channels, Layout, ValueRange};
use crate::error::{Error, Result};

/// Largest sidecar that is read, in bytes; one with 100,000 input values stays far below.
const MAX_LEN_BYTES: u64 = 4 << 20;

/// What a sidecar may say. Every key may be left out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sidecar {
    /// Title of the style, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who painted the model picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artist: Option<String>,
    /// Licence of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Order of the colour channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// Values of black and white at the input, and at the output unless `output-range` says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<ValueRange>,
    /// Values of black and white at the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_range: Option<ValueRange>,
    /// Order of the axes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// Width and height must be multiples of this many pixels, `1..=256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub align: Option<usize>,
    /// Reflected border in pixels that the network wants round the picture, `0..=256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pad: Option<usize>,
    /// Values of further inputs, by name, in row-major order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Vec<f32>>,
}

impl Sidecar {
    /// Path of the sidecar of a network's file.
    pub fn path_for(network: &Path) -> PathBuf {
        network.with_extension("toml")
    }

    /// Reads the sidecar of a network's file; an absent one is an empty one.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Sidecar`] if it cannot be understood.
    pub fn beside(network: &Path) -> Result<Self> {
        let path = Self::path_for(network);
        let len_bytes = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => {
                return Err(Error::File {
                    action: "reading",
                    path,
                    source,
                });
            }
        };
        if len_bytes > MAX_LEN_BYTES {
            let reason = format!("{len_bytes} bytes, wanted at most {MAX_LEN_BYTES}");
            return Err(Error::Sidecar { path, reason });
        }
        let text = fs::read_to_string(&path).map_err(|source| Error::File {
            action: "reading",
            path: path.clone(),
            source,
        })?;
        Self::parse(&text).map_err(|reason| Error::Sidecar { path, reason })
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let sidecar: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        match sidecar {
            Self { align: Some(n), .. } if !(1..=256).contains(&n) => {
                Err(format!("align is {n}, wanted 1 to 256 pixels"))
            }
            Self { pad: Some(n), .. } if n > 256 => {
                Err(format!("pad is {n}, wanted 0 to 256 pixels"))
            }
            _ => Ok(sidecar),
        }
    }

    /// Takes from `other` every key that it has.
    pub fn overlay(&mut self, other: Self) {
        macro_rules! take {
            ($($key:ident),*) => { $(if other.$key.is_some() { self.$key = other.$key; })* };
        }
        take!(
            title,
            artist,
            licence,
            channels,
            range,
            output_range,
            layout,
            align,
            pad
        );
        self.inputs.extend(other.inputs);
    }

    /// The file's text.
    pub(crate) fn to_toml(&self) -> String {
        toml::to_string(self).expect("strings, numbers and lists of numbers are always valid TOML")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_and_written() {
        let text = "title = \"Candy\"\nchannels = \"bgr\"\nrange = \"0..255\"\noutput-range = \"-1..1\"\n\
                    layout = \"nhwc\"\nalign = 4\npad = 16\n[inputs]\nstyle_weights = [0.0, 1.0]\n";
        let sidecar = Sidecar::parse(text).unwrap();
        assert_eq!(sidecar.channels, Some(Channels::Bgr));
        assert_eq!(sidecar.output_range, Some(ValueRange::Signed));
        assert_eq!(sidecar.inputs["style_weights"], [0.0, 1.0]);
        assert_eq!(Sidecar::parse(&sidecar.to_toml()).unwrap(), sidecar);
    }

    #[test]
    fn misspelt_keys_and_values_are_refused_by_name() {
        for (text, word) in [
            ("chanels = \"bgr\"", "chanels"),
            ("channels = \"gbr\"", "gbr"),
            ("range = \"0..254\"", "0..254"),
            ("align = 0", "align is 0"),
            ("pad = 300", "pad is 300"),
        ] {
            let error = Sidecar::parse(text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
