//! A style of the gallery as it lies on disk: a safetensors file with what tells the style from the others of its
//! family, for each size of network, and with its title and origin.
//!
//! `QUALITY/UNIT.scale` and `QUALITY/UNIT.shift`, f32 `[n_out]`, are factor and summand of each channel that the
//! convolution `UNIT` gives.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, ensure};
use bytemuck::{cast_slice, pod_collect_to_vec};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::net::plan::Size;
use crate::net::unit::{Affine, EPSILON};
use crate::net::{Network, Style};

/// The trainer, by name and version.
pub const TRAINED_BY: &str = concat!("impasto-train ", env!("CARGO_PKG_VERSION"));

/// What is told of a style; empty where nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Title of the painting.
    pub title: String,
    /// Who painted it.
    pub artist: String,
    /// When.
    pub year: String,
    /// Licence of the style, as an SPDX expression.
    pub licence: String,
    /// Who trained it.
    pub trained_by: String,
    /// Whether its convolutions are those that all styles of the family share, so that it mixes with them. True of
    /// every style that lies in such a file.
    pub is_mixable: bool,
}

impl Facts {
    /// Key and value of each word.
    pub(crate) fn words(&self) -> [(&'static str, &str); 5] {
        [
            ("title", &self.title),
            ("artist", &self.artist),
            ("year", &self.year),
            ("licence", &self.licence),
            ("trained_by", &self.trained_by),
        ]
    }
}

/// The file of a network's style. Where `existing` is such a file, it keeps the sizes that this network is not of.
///
/// # Errors
/// If `existing` is no safetensors file.
///
/// # Panics
/// If there is no style at `style_idx`.
pub fn write(
    network: &Network,
    style_idx: usize,
    facts: &Facts,
    existing: Option<&[u8]>,
) -> anyhow::Result<Vec<u8>> {
    let own = format!("{}/", network.size.name());
    let existing = existing.map(parse).transpose()?;
    let mut tensors: BTreeMap<String, TensorView<'_>> = BTreeMap::new();
    if let Some(existing) = &existing {
        let kept = existing.iter().filter(|(name, _)| !name.starts_with(&own));
        tensors.extend(kept.map(|(name, view)| (name.to_owned(), view)));
    }
    let units = network.plan.units.iter();
    let folded: Vec<(&str, [Vec<f32>; 2])> = units
        .zip(&network.styles[style_idx].units)
        .map(|(unit, affine)| (unit.name.as_str(), affine.folded()))
        .collect();
    for (unit, numbers) in &folded {
        for (what, values) in ["scale", "shift"].iter().zip(numbers) {
            let view = TensorView::new(Dtype::F32, vec![values.len()], cast_slice(values))?;
            tensors.insert(format!("{own}{unit}.{what}"), view);
        }
    }
    let words: HashMap<String, String> = facts
        .words()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    safetensors::serialize(tensors, Some(words)).context("writing a style file")
}

/// A size of a style, whose statistics are folded into gain and offset, and what is told of it.
///
/// # Errors
/// If the bytes are no style file, or the style lacks that size or has other units.
pub fn read(bytes: &[u8], name: &str, size: Size) -> anyhow::Result<(Style, Facts)> {
    let file = parse(bytes)?;
    let (_, header) = SafeTensors::read_metadata(bytes).context("reading a style file")?;
    let words = header.metadata().clone().unwrap_or_default();
    let numbers = |unit: &str, what: &str, n_wanted: usize| {
        let name = format!("{}/{unit}.{what}", size.name());
        let tensor = file
            .tensor(&name)
            .with_context(|| format!("it has no tensor `{name}`"))?;
        ensure!(
            tensor.dtype() == Dtype::F32 && tensor.shape() == [n_wanted],
            "its tensor `{name}` is {:?} {:?}, wanted F32 [{n_wanted}]",
            tensor.dtype(),
            tensor.shape()
        );
        Ok(pod_collect_to_vec::<u8, f32>(tensor.data()))
    };
    let plan = size.plan();
    let units = plan.units.iter().map(|unit| {
        Ok(Affine {
            gain: numbers(&unit.name, "scale", unit.n_out)?,
            offset: numbers(&unit.name, "shift", unit.n_out)?,
            mean: vec![0.0; unit.n_out],
            variance: vec![1.0 - EPSILON; unit.n_out],
        })
    });
    let style = Style {
        name: name.to_owned(),
        units: units.collect::<anyhow::Result<_>>()?,
    };
    let word = |key: &str| words.get(key).cloned().unwrap_or_default();
    let facts = Facts {
        title: word("title"),
        artist: word("artist"),
        year: word("year"),
        licence: word("licence"),
        trained_by: word("trained_by"),
        is_mixable: true,
    };
    Ok((style, facts))
}

fn parse(bytes: &[u8]) -> anyhow::Result<SafeTensors<'_>> {
    SafeTensors::deserialize(bytes).context("it cannot be read as a style file (safetensors)")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::random::Random;

    pub(crate) fn facts() -> Facts {
        Facts {
            title: "Waves".to_owned(),
            artist: "Somebody".to_owned(),
            year: String::new(),
            licence: "CC0-1.0".to_owned(),
            trained_by: "a test".to_owned(),
            is_mixable: true,
        }
    }

    /// A network with a style that changes everything.
    pub(crate) fn network(size: Size, seed: u64) -> Network {
        let mut network = Network::new(size, &["waves".to_owned()], seed);
        let mut random = Random::of(&[seed, 9]);
        for affine in &mut network.styles[0].units {
            for i in 0..affine.gain.len() {
                affine.gain[i] = 0.5 + 0.3 * random.normal();
                affine.offset[i] = 0.2 * random.normal();
                affine.mean[i] = 0.2 * random.normal();
                affine.variance[i] = random.between(0.3, 1.5);
            }
        }
        network
    }

    #[test]
    fn a_style_is_read_back() {
        let network = network(Size::Fast, 3);
        let bytes = write(&network, 0, &facts(), None).unwrap();
        let (style, told) = read(&bytes, "waves", Size::Fast).unwrap();
        assert_eq!(told, facts());
        for (found, wanted) in style.units.iter().zip(&network.styles[0].units) {
            for (found, wanted) in found.folded().iter().zip(wanted.folded()) {
                let pairs = found.iter().zip(&wanted);
                let error = pairs
                    .map(|(a, b)| (a - b).abs() / b.abs().max(1e-3))
                    .fold(0.0, f32::max);
                assert!(error < 1e-6, "{error}");
            }
        }
    }

    #[test]
    fn only_the_size_of_the_network_is_replaced() {
        let [fast, best, other] = [(Size::Fast, 1), (Size::Best, 1), (Size::Fast, 2)]
            .map(|(size, seed)| network(size, seed));
        let first = write(&fast, 0, &facts(), None).unwrap();
        let both = write(&best, 0, &facts(), Some(&first)).unwrap();
        let replaced = write(&other, 0, &facts(), Some(&both)).unwrap();
        let read = |bytes: &[u8], size| read(bytes, "waves", size).unwrap().0;
        assert_eq!(read(&both, Size::Fast), read(&first, Size::Fast));
        assert_eq!(read(&replaced, Size::Best), read(&both, Size::Best));
        assert_ne!(read(&replaced, Size::Fast), read(&both, Size::Fast));
        assert_eq!(replaced.len(), both.len());
    }

    #[test]
    fn what_is_missing_is_named() {
        let bytes = write(&network(Size::Fast, 1), 0, &facts(), None).unwrap();
        let error = read(&bytes, "waves", Size::Best).unwrap_err();
        assert!(format!("{error:#}").contains("best/c0.scale"), "{error:#}");
        let error = read(b"no style", "waves", Size::Best).unwrap_err();
        assert!(format!("{error:#}").contains("safetensors"), "{error:#}");
    }
}
