//! A network as it lies on disk.
//!
//! What the file says about its [`Convention`] is found, what a sidecar says is told, the rest is assumed or, later,
//! measured by the backend that runs it. Nothing here runs the network.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::convention::{self, Convention};
use crate::error::{Error, Result};
use crate::extent;
use crate::memory;
use crate::onnx::ModelProto;
use crate::settings::Quality;
use crate::sidecar::Sidecar;

/// Largest network file that is read, in bytes: ten times the largest style network known.
const MAX_LEN_BYTES: u64 = 256 << 20;

/// A network's file, read and understood.
#[derive(Clone, Debug)]
pub struct Model {
    /// File or style, for messages.
    pub name: String,
    /// The ONNX file.
    pub bytes: Arc<[u8]>,
    /// How it wants to be fed.
    pub convention: Convention,
    /// Largest intermediate pictures together, in f32 values per pixel of input.
    pub(crate) values_per_px: f64,
    /// Multiplications of all convolutions per pixel of input.
    pub(crate) work_per_px: f64,
    metadata: Vec<(&'static str, String)>,
}

impl Model {
    /// Reads a network and the sidecar beside it.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Sidecar`] or [`Error::Style`] if it is not understood.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_with(path, &Sidecar::beside(path)?)
    }

    /// Reads a network; `sidecar` stands in for the file beside it.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Style`] if it is not understood.
    pub fn read_with(path: &Path, sidecar: &Sidecar) -> Result<Self> {
        let bytes = read_limited(path)?;
        Self::parse(path.display().to_string(), bytes.into(), sidecar)
    }

    /// Understands a network that is in memory. `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Style`] if it is no network from picture to picture, or needs what the sidecar does not say.
    pub fn parse(name: String, bytes: Arc<[u8]>, sidecar: &Sidecar) -> Result<Self> {
        let parsed = ModelProto::parse(&bytes).and_then(|proto| {
            let convention = convention::read(&proto, sidecar)?;
            Ok((proto, convention))
        });
        let (proto, convention) = parsed.map_err(|reason| Error::Style {
            name: name.clone(),
            reason,
        })?;
        let metadata = [
            "name",
            "title",
            "artist",
            "year",
            "licence",
            "family",
            "quality",
            "trained_by",
            "mixable",
        ]
        .into_iter()
        .filter_map(|key| Some((key, proto.metadata(&format!("impasto.{key}"))?.to_owned())))
        .collect();
        let graph = proto.graph.as_ref();
        let values_per_px = graph.map_or(0.0, memory::values_per_px);
        let work_per_px = graph.map_or(0.0, extent::work_per_px);
        Ok(Self {
            name,
            bytes,
            convention,
            values_per_px,
            work_per_px,
            metadata,
        })
    }

    /// The network with other values in its constants and other words in its metadata; all else is as it was.
    pub(crate) fn reworked(
        &self,
        name: String,
        bytes: Arc<[u8]>,
        words: Vec<(&'static str, String)>,
    ) -> Self {
        let kept = |(key, _): &&(&'static str, String)| words.iter().all(|(other, _)| other != key);
        let metadata = self.metadata.iter().filter(kept).cloned().collect();
        let mut reworked = Self {
            name,
            bytes,
            metadata,
            ..self.clone()
        };
        reworked.metadata.extend(words);
        reworked
    }

    /// Its size, if it is one of a style's several.
    pub fn quality(&self) -> Option<Quality> {
        self.metadata("quality").and_then(Quality::size)
    }

    /// Value of the metadata key `impasto.<key>`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value.as_str())
    }
}

fn read_limited(path: &Path) -> Result<Vec<u8>> {
    let fail = |source| Error::File {
        action: "reading",
        path: path.to_owned(),
        source,
    };
    let metadata = fs::metadata(path).map_err(fail)?;
    let refuse = |reason: String| Error::Style {
        name: path.display().to_string(),
        reason,
    };
    if metadata.is_dir() {
        return Err(refuse("it is a folder, wanted an .onnx file".to_owned()));
    }
    // Opening a pipe or a device may wait for ever.
    if !metadata.is_file() {
        return Err(refuse(
            "it is no regular file, wanted an .onnx file".to_owned(),
        ));
    }
    if metadata.len() > MAX_LEN_BYTES {
        return Err(refuse(format!(
            "it has {} MiB, wanted at most {} MiB",
            metadata.len() >> 20,
            MAX_LEN_BYTES >> 20
        )));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fail)?;
    file.take(MAX_LEN_BYTES)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convention::{Channels, Known, Layout, Origin, Size, ValueRange};

    fn bundled() -> Model {
        let bytes = include_bytes!("../styles/best.onnx");
        Model::parse(
            "starry-night".to_owned(),
            bytes[..].into(),
            &Sidecar::default(),
        )
        .unwrap()
    }

    #[test]
    fn bundled_networks_say_all_there_is_to_know() {
        let convention = bundled().convention;
        assert_eq!(
            convention.channels,
            Known {
                value: Channels::Rgb,
                origin: Origin::Found
            }
        );
        assert_eq!(convention.layout.value, Layout::Nchw);
        assert_eq!(convention.input_range.unwrap().value, ValueRange::Unit);
        assert_eq!(convention.output_range.unwrap().value, ValueRange::Unit);
        assert_eq!(convention.align.unwrap().value, 4);
        assert_eq!(convention.pad.value, 16);
        assert_eq!(convention.size.value, Size::Any);
    }

    #[test]
    fn a_sidecar_wins_over_the_file() {
        let sidecar = Sidecar {
            channels: Some(Channels::Bgr),
            range: Some(ValueRange::Byte),
            pad: Some(3),
            ..Sidecar::default()
        };
        let model = Model::parse("x".to_owned(), bundled().bytes, &sidecar).unwrap();
        assert_eq!(
            model.convention.channels,
            Known {
                value: Channels::Bgr,
                origin: Origin::Sidecar
            }
        );
        assert_eq!(
            model.convention.output_range.unwrap().value,
            ValueRange::Byte
        );
        assert_eq!(model.convention.pad.value, 3);
    }

    #[test]
    fn a_sidecar_for_another_network_is_refused() {
        let sidecar = Sidecar {
            inputs: [("weights".to_owned(), vec![1.0])].into(),
            ..Sidecar::default()
        };
        let error = Model::parse("x".to_owned(), bundled().bytes, &sidecar).unwrap_err();
        assert!(error.to_string().contains("`weights`"), "{error}");
    }
}
