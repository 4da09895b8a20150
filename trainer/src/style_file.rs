//! A style of the gallery as it lies on disk: a safetensors file with what tells the style from the others of its
//! family, for each size of network, and with its title and origin.
//!
//! `QUALITY/UNIT.scale` and `QUALITY/UNIT.shift`, f32 `[n_out]`, are factor and summand of each channel that the
//! convolution `UNIT` gives. `QUALITY/UNIT.weight`, f16 `[n_out, n_in, 3, 3]`, are its weights, where they are not those
//! of the template.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use bytemuck::{cast_slice, pod_collect_to_vec};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use crate::net::plan::{Size, Unit};
use crate::net::{Network, Style};
use crate::output::write_whole;

/// The style that paints photos as they are.
pub const IDENTITY: &str = "identity";

/// The trainer, by name and version.
pub const TRAINED_BY: &str = concat!("impasto-train ", env!("CARGO_PKG_VERSION"));

/// Which convolutions a style has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convolutions {
    /// Those of the template of its size.
    Shared,
    /// Its own.
    Own,
}

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
    /// Whether it started from the network that all styles of the family started from, so that it mixes with them. True
    /// of every style that lies in such a file.
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

/// The file of a network's style, with its convolutions unless they are those of the template. Where `existing` is such
/// a file, it keeps the sizes that this network is not of.
///
/// # Errors
/// If `existing` is no safetensors file, or a weight is more than half precision holds.
///
/// # Panics
/// If there is no style at `style_idx`.
pub fn write(
    network: &Network,
    style_idx: usize,
    facts: &Facts,
    existing: Option<&[u8]>,
    convolutions: Convolutions,
) -> anyhow::Result<Vec<u8>> {
    let own = format!("{}/", network.size.name());
    let existing = existing.map(parse).transpose()?;
    let mut tensors: BTreeMap<String, TensorView<'_>> = BTreeMap::new();
    if let Some(existing) = &existing {
        let kept = existing.iter().filter(|(name, _)| !name.starts_with(&own));
        tensors.extend(kept.map(|(name, view)| (name.to_owned(), view)));
    }
    let units = network.plan.units.iter();
    let folded: Vec<(&Unit, [Vec<f32>; 2])> = units
        .zip(&network.styles[style_idx].units)
        .map(|(unit, affine)| (unit, affine.folded()))
        .collect();
    for (unit, numbers) in &folded {
        for (what, values) in ["scale", "shift"].iter().zip(numbers) {
            let view = TensorView::new(Dtype::F32, vec![values.len()], cast_slice(values))?;
            tensors.insert(format!("{own}{}.{what}", unit.name), view);
        }
    }
    let halves = match convolutions {
        Convolutions::Shared => Vec::new(),
        Convolutions::Own => network.halves()?,
    };
    for (unit, values) in network.plan.units.iter().zip(&halves) {
        let view = TensorView::new(
            Dtype::F16,
            unit.weight_dims().to_vec(),
            cast_slice(values.reinterpret_cast()),
        )?;
        tensors.insert(format!("{own}{}.weight", unit.name), view);
    }
    let words: HashMap<String, String> = facts
        .words()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    safetensors::serialize(tensors, Some(words)).context("writing a style file")
}

/// Writes a network's style to its file in a folder. Other sizes that are there are kept.
///
/// # Errors
/// As [`write()`], or if the file cannot be read or written.
pub fn put(
    folder: &Path,
    network: &Network,
    style_idx: usize,
    facts: &Facts,
    convolutions: Convolutions,
) -> anyhow::Result<()> {
    let path = path_in(folder, &network.styles[style_idx].name);
    let existing = match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        // Its other sizes would be lost.
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let bytes = write(network, style_idx, facts, existing.as_deref(), convolutions)?;
    write_whole(&path, &bytes)
}

/// The path of a style's file in a folder.
pub fn path_in(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.safetensors"))
}

/// Whether a style file holds its style in a size.
///
/// # Errors
/// If the bytes are no style file.
pub fn has(bytes: &[u8], size: Size) -> anyhow::Result<bool> {
    let own = format!("{}/", size.name());
    let file = parse(bytes)?;
    let mut names = file.names().into_iter();
    Ok(names.any(|name| name.starts_with(&own)))
}

/// The network of a style, whose statistics are folded into gain and offset, of the size of `template`, and what is told
/// of it. Convolutions are those of `template` unless it has its own.
///
/// # Errors
/// If the bytes are no style file, or the style lacks that size or has other units.
pub fn read(bytes: &[u8], name: &str, template: &Network) -> anyhow::Result<(Network, Facts)> {
    let file = parse(bytes)?;
    let (_, header) = SafeTensors::read_metadata(bytes).context("reading a style file")?;
    let words = header.metadata().clone().unwrap_or_default();
    let size = template.size.name();
    let tensor = |name: &str, element: Dtype, dims: &[usize]| {
        let tensor = file
            .tensor(name)
            .with_context(|| format!("it has no tensor `{name}`"))?;
        ensure!(
            tensor.dtype() == element && tensor.shape() == dims,
            "its tensor `{name}` is {:?} {:?}, wanted {element:?} {dims:?}",
            tensor.dtype(),
            tensor.shape()
        );
        Ok(tensor.data())
    };
    let mut network = template.clone();
    let mut style = Style::new(name, &network.plan);
    for ((unit, weights), affine) in network
        .plan
        .units
        .iter()
        .zip(&mut network.weights)
        .zip(&mut style.units)
    {
        let floats = |what: &str| {
            let data = tensor(
                &format!("{size}/{}.{what}", unit.name),
                Dtype::F32,
                &[unit.n_out],
            )?;
            anyhow::Ok(pod_collect_to_vec::<u8, f32>(data))
        };
        affine.gain = floats("scale")?;
        affine.offset = floats("shift")?;
        let name = format!("{size}/{}.weight", unit.name);
        if file.tensor(&name).is_ok() {
            let data = tensor(&name, Dtype::F16, &unit.weight_dims())?;
            let halves = pod_collect_to_vec::<u8, u16>(data).into_iter();
            *weights = halves.map(|half| f16::from_bits(half).to_f32()).collect();
        }
    }
    network.styles = vec![style];
    let word = |key: &str| words.get(key).cloned().unwrap_or_default();
    let facts = Facts {
        title: word("title"),
        artist: word("artist"),
        year: word("year"),
        licence: word("licence"),
        trained_by: word("trained_by"),
        is_mixable: true,
    };
    Ok((network, facts))
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

    /// What the style file of a network holds, over a template with other convolutions.
    fn read_over(bytes: &[u8], size: Size) -> Network {
        read(bytes, "waves", &network(size, 77)).unwrap().0
    }

    #[test]
    fn a_style_is_read_back() {
        let wanted = network(Size::Fast, 3);
        for convolutions in [Convolutions::Shared, Convolutions::Own] {
            let bytes = write(&wanted, 0, &facts(), None, convolutions).unwrap();
            let template = network(Size::Fast, 77);
            let (found, told) = read(&bytes, "waves", &template).unwrap();
            assert_eq!(told, facts());
            let halves = match convolutions {
                Convolutions::Shared => template.halves(),
                Convolutions::Own => wanted.halves(),
            };
            // Weights of the template are not rounded again.
            assert_eq!(found.halves().unwrap(), halves.unwrap());
            let units = found.styles[0].units.iter();
            for (found, wanted) in units.zip(&wanted.styles[0].units) {
                for (found, wanted) in found.folded().iter().zip(wanted.folded()) {
                    let pairs = found.iter().zip(&wanted);
                    let error = pairs
                        .map(|(a, b)| (a - b).abs() / b.abs().max(1e-3))
                        .fold(0.0, f32::max);
                    assert!(error < 1e-6, "{error}");
                }
            }
        }
    }

    #[test]
    fn only_the_size_of_the_network_is_replaced() {
        let [fast, best, other] = [(Size::Fast, 1), (Size::Best, 1), (Size::Fast, 2)]
            .map(|(size, seed)| network(size, seed));
        let put = |network: &Network, existing: Option<&[u8]>, convolutions| {
            write(network, 0, &facts(), existing, convolutions).unwrap()
        };
        let first = put(&fast, None, Convolutions::Own);
        let both = put(&best, Some(&first), Convolutions::Own);
        let replaced = put(&other, Some(&both), Convolutions::Own);
        assert_eq!(read_over(&both, Size::Fast), read_over(&first, Size::Fast));
        assert_eq!(
            read_over(&replaced, Size::Best),
            read_over(&both, Size::Best)
        );
        assert_ne!(
            read_over(&replaced, Size::Fast),
            read_over(&both, Size::Fast)
        );
        assert_eq!(replaced.len(), both.len());
        // Convolutions that are shared again are not kept.
        let shared = put(&fast, Some(&both), Convolutions::Shared);
        let weights = read_over(&shared, Size::Fast).weights;
        assert_eq!(weights, network(Size::Fast, 77).weights);
    }

    #[test]
    fn what_is_missing_is_named() {
        let bytes = write(
            &network(Size::Fast, 1),
            0,
            &facts(),
            None,
            Convolutions::Shared,
        );
        let template = network(Size::Best, 1);
        let error = read(&bytes.unwrap(), "waves", &template).unwrap_err();
        assert!(format!("{error:#}").contains("best/c0.scale"), "{error:#}");
        let error = read(b"no style", "waves", &template).unwrap_err();
        assert!(format!("{error:#}").contains("safetensors"), "{error:#}");
    }

    #[test]
    fn weights_beyond_half_precision_are_refused() {
        let mut network = network(Size::Fast, 1);
        network.weights[2][5] = 70_000.0;
        let error = write(&network, 0, &facts(), None, Convolutions::Own).unwrap_err();
        assert!(error.to_string().contains("70000"), "{error}");
    }
}
