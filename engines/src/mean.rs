//! The weighted mean of networks of one build: what lies between their styles.
//!
//! Styles of one family started from one network and did not go far from it. What lies between two such networks paints
//! what lies between their styles (as with the models that Wortsman et al. 2022, "Model soups", average); of two that
//! started apart, it paints nothing of either.

use std::collections::HashMap;

use prost::Message;

use crate::convention::{Convention, Known};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::onnx::number::{
    GRAPH_INITIALIZER, GRAPH_NODE, MODEL_GRAPH, NODE_DOC, NODE_METADATA, NODE_NAME,
};
use crate::onnx::{Constant, ModelProto, Port, element};
use crate::protobuf::{Fields, field};
use crate::rewrite::rewrite;
use crate::style_file;

/// Numbers of the fields that must be the same byte by byte: of a file its opsets and functions, of a graph its sparse
/// constants.
const MODEL_SAME: [u64; 2] = [8, 25];
const GRAPH_SAME: [u64; 1] = [15];

/// A network and its share of the mean.
pub(crate) struct Parent {
    /// The network.
    pub model: Model,
    /// Its share; those of all parents add up to 1.
    pub share: f32,
}

/// The network between `parents`, of which there is at least one. `name` is for messages.
///
/// # Errors
/// [`Error::Mix`] if they are not of one build.
pub(crate) fn mean(name: String, parents: &[Parent]) -> Result<Model> {
    let first = &parents[0].model;
    let mixed = mixed(parents).map_err(|reason| Error::Mix {
        mix: name.clone(),
        reason,
    })?;
    let words: Vec<_> = style_file::WORDS
        .into_iter()
        .filter_map(|key| Some((key, joined(parents, key)?)))
        .chain([("name", name.clone())])
        .collect();
    Ok(first.reworked(name, mixed.into(), words))
}

fn mixed(parents: &[Parent]) -> std::result::Result<Vec<u8>, String> {
    let builds = parents
        .iter()
        .map(|parent| Build::of(&parent.model))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    for (parent, build) in parents.iter().zip(&builds).skip(1) {
        builds[0].compare(build).map_err(|difference| {
            format!(
                "`{}` and `{}` do not mix: {difference}; mix styles of one family (`impasto styles --inspect STYLE` tells it)",
                parents[0].model.name, parent.model.name
            )
        })?;
    }
    rewrite(&parents[0].model.bytes, &[], |constant| {
        let mut sum: Option<Vec<f32>> = None;
        for (parent, build) in parents.iter().zip(&builds) {
            let of_parent = build
                .constants
                .get(&constant.name)
                .ok_or_else(|| format!("`{}` has gone missing", constant.name))?;
            let Some(values) = of_parent.values() else {
                return Ok(None);
            };
            let values = values?;
            let sum = sum.get_or_insert_with(|| vec![0.0; values.len()]);
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += parent.share * value;
            }
        }
        let make = match constant.element {
            element::F16 => Constant::of_halves,
            _ => Constant::of_floats,
        };
        Ok(sum.map(|values| make(&constant.name, &constant.dims, &values)))
    })
}

/// What the mixed style is called: what its parents are called.
fn joined(parents: &[Parent], key: &str) -> Option<String> {
    let mut values: Vec<&str> = parents
        .iter()
        .filter_map(|parent| parent.model.metadata(key))
        .collect();
    values.dedup();
    (!values.is_empty()).then(|| values.join(" + "))
}

/// What two networks must have in common to be mixed.
struct Build<'a> {
    quality: Option<&'a str>,
    family: Option<&'a str>,
    convention: &'a Convention,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// Operators without their names and remarks.
    nodes: Vec<Vec<u8>>,
    constants: HashMap<String, Constant>,
    /// Constants that are no floats, as the file has them.
    whole: HashMap<String, &'a [u8]>,
    /// What must be the same byte by byte.
    rest: Vec<&'a [u8]>,
}

impl<'a> Build<'a> {
    fn of(model: &'a Model) -> std::result::Result<Self, String> {
        let name = &model.name;
        if model.metadata("mixable") == Some("false") {
            return Err(format!(
                "`{name}` is marked as not to be mixed (impasto.mixable = false); use it by itself"
            ));
        }
        let broken = || format!("`{name}` cannot be read as ONNX");
        let proto = ModelProto::parse(&model.bytes)?;
        let graph = proto
            .graph
            .as_ref()
            .expect("parse refuses a file without a graph");
        let graph_bytes = field(&model.bytes, MODEL_GRAPH).ok_or_else(broken)?;
        let mut build = Self {
            quality: model.metadata("quality"),
            family: model.metadata("family"),
            convention: &model.convention,
            inputs: graph.inputs(),
            outputs: graph.outputs(),
            nodes: Vec::new(),
            constants: HashMap::new(),
            whole: HashMap::new(),
            rest: Fields(&model.bytes)
                .flatten()
                .filter(|part| MODEL_SAME.contains(&part.number))
                .map(|part| part.whole)
                .collect(),
        };
        for part in Fields(graph_bytes) {
            let part = part.ok_or_else(broken)?;
            match part.number {
                GRAPH_NODE => build.nodes.push(bare(part.content)),
                GRAPH_INITIALIZER => {
                    let constant = Constant::decode(part.content).map_err(|_| broken())?;
                    if constant.values().is_none() {
                        build.whole.insert(constant.name.clone(), part.content);
                    }
                    build.constants.insert(constant.name.clone(), constant);
                }
                number if GRAPH_SAME.contains(&number) => build.rest.push(part.whole),
                _ => (),
            }
        }
        Ok(build)
    }

    /// `Err` says what is different.
    fn compare(&self, other: &Self) -> std::result::Result<(), String> {
        let differ = |what: &str, a: &str, b: &str| Err(format!("{what} `{a}` and `{b}` differ"));
        match (self.quality, other.quality) {
            (Some(a), Some(b)) if a != b => return differ("their sizes", a, b),
            _ => (),
        }
        match (self.family, other.family) {
            (Some(a), Some(b)) if a != b => return differ("their families", a, b),
            _ => (),
        }
        let (a, b) = (self.nodes.len(), other.nodes.len());
        if a != b {
            return Err(format!("they have {a} and {b} operators"));
        }
        if let Some(idx) = (0..a).find(|&idx| self.nodes[idx] != other.nodes[idx]) {
            return Err(format!("their operators no. {} differ", idx + 1));
        }
        let (a, b) = (self.constants.len(), other.constants.len());
        if a != b {
            return Err(format!("they have {a} and {b} constants"));
        }
        for (name, constant) in &self.constants {
            let Some(of_other) = other.constants.get(name) else {
                return Err(format!("only one has a constant `{name}`"));
            };
            if constant.dims != of_other.dims {
                return Err(format!(
                    "their `{name}` have the shapes {:?} and {:?}",
                    constant.dims, of_other.dims
                ));
            }
            if constant.element != of_other.element {
                return Err(format!(
                    "their `{name}` are of ONNX types {} and {}",
                    constant.element, of_other.element
                ));
            }
            if self.whole.get(name) != other.whole.get(name) {
                return Err(format!(
                    "their `{name}` differ, and only float32 and float16 can be mixed"
                ));
            }
        }
        if !are_fed_alike(self.convention, other.convention)
            || self.inputs != other.inputs
            || self.outputs != other.outputs
        {
            return Err("they want to be fed in different ways".to_owned());
        }
        if self.rest != other.rest {
            return Err("they are written in different versions of ONNX".to_owned());
        }
        Ok(())
    }
}

/// An operator without what does not matter for what it does.
fn bare(node: &[u8]) -> Vec<u8> {
    Fields(node)
        .flatten()
        .filter(|part| ![NODE_NAME, NODE_DOC, NODE_METADATA].contains(&part.number))
        .flat_map(|part| part.whole)
        .copied()
        .collect()
}

/// Whether one picture can be given to both, wherever that is known from.
fn are_fed_alike(a: &Convention, b: &Convention) -> bool {
    fn value<T>(known: Option<Known<T>>) -> Option<T> {
        known.map(|known| known.value)
    }
    a.channels.value == b.channels.value
        && a.layout.value == b.layout.value
        && value(a.input_range) == value(b.input_range)
        && value(a.output_range) == value(b.output_range)
        && a.size.value == b.size.value
        && value(a.align) == value(b.align)
        && a.pad.value == b.pad.value
        && a.constants == b.constants
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gallery::pieces;
    use crate::settings::Quality;
    use crate::sidecar::Sidecar;
    use crate::styles::{DEFAULT, IDENTITY};

    fn bundled(name: &str, quality: Quality) -> Model {
        let mut pieces = pieces();
        let piece = pieces.find(|piece| piece.name == name && piece.quality == quality);
        piece.unwrap().model().unwrap()
    }

    fn parents(models: [Model; 2], share: f32) -> [Parent; 2] {
        let mut shares = [share, 1.0 - share].into_iter();
        models.map(|model| Parent {
            model,
            share: shares.next().unwrap(),
        })
    }

    fn constants(model: &Model) -> HashMap<String, Vec<f32>> {
        let proto = ModelProto::parse(&model.bytes).unwrap();
        let graph = proto.graph.unwrap();
        let floats = |constant: &Constant| Some(constant.values()?.unwrap());
        graph
            .initializers
            .iter()
            .filter_map(|constant| Some((constant.name.clone(), floats(constant)?)))
            .collect()
    }

    /// The model with other words and constants.
    fn changed(
        model: &Model,
        words: &[(&str, &str)],
        change: impl Fn(&Constant) -> Option<Constant>,
    ) -> Model {
        let words: Vec<_> = words
            .iter()
            .map(|(key, value)| (format!("impasto.{key}"), (*value).to_owned()))
            .collect();
        let bytes = rewrite(&model.bytes, &words, |constant| Ok(change(constant))).unwrap();
        Model::parse("changed".to_owned(), bytes.into(), &Sidecar::default()).unwrap()
    }

    #[test]
    fn every_constant_is_the_weighted_mean() {
        for quality in Quality::SIZES {
            let models = [DEFAULT, IDENTITY].map(|name| bundled(name, quality));
            let [a, b] = models.each_ref().map(constants);
            let mixed = mean("mix".to_owned(), &parents(models, 0.25)).unwrap();
            assert_eq!(mixed.metadata("quality"), Some(quality.name()));
            for (name, found) in constants(&mixed) {
                for (found, (a, b)) in found.iter().zip(a[&name].iter().zip(&b[&name])) {
                    let wanted = 0.25 * a + 0.75 * b;
                    assert!(
                        (found - wanted).abs() <= 1e-5 * (1.0 + wanted.abs()),
                        "{name}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_style_mixed_with_itself_stays() {
        let model = bundled(DEFAULT, Quality::Fast);
        let wanted = constants(&model);
        let mixed = mean("mix".to_owned(), &parents([model.clone(), model], 0.5)).unwrap();
        assert_eq!(constants(&mixed), wanted);
    }

    #[test]
    fn words_of_both_are_told() {
        let [a, b] = [DEFAULT, IDENTITY].map(|name| bundled(name, Quality::Fast));
        let titles = [&a, &b].map(|model| model.metadata("title").unwrap().to_owned());
        let licence = a.metadata("licence").unwrap().to_owned();
        let b = changed(&b, &[("licence", &licence)], |_| None);
        let mixed = mean("mix".to_owned(), &parents([a, b], 0.5)).unwrap();
        assert_eq!(mixed.metadata("title"), Some(&*titles.join(" + ")));
        assert_eq!(mixed.metadata("licence"), Some(&*licence));
        assert_eq!(mixed.name, "mix");
    }

    #[test]
    fn networks_of_another_build_are_refused_by_what_differs() {
        let own = bundled(DEFAULT, Quality::Fast);
        let convolution = |constant: &Constant| constant.name.ends_with(".bias");
        let renamed = changed(&own, &[], |constant| {
            let values = constant.values()?.unwrap();
            let name = format!("{}.new", constant.name);
            convolution(constant).then(|| Constant::of_floats(&name, &constant.dims, &values))
        });
        let reshaped = changed(&own, &[], |constant| {
            let values = constant.values()?.unwrap();
            convolution(constant)
                .then(|| Constant::of_floats(&constant.name, &[values.len() as i64, 1], &values))
        });
        let retyped = changed(&own, &[], |constant| {
            let values = constant.values()?.unwrap();
            convolution(constant)
                .then(|| Constant::of_halves(&constant.name, &constant.dims, &values))
        });
        let short = changed(&own, &[], |constant| {
            convolution(constant)
                .then(|| Constant::of_floats(&constant.name, &constant.dims, &[1.0]))
        });
        for (other, word) in [
            (bundled(DEFAULT, Quality::Best), "sizes `fast` and `best`"),
            (changed(&own, &[("family", "other")], |_| None), "`other`"),
            (changed(&own, &[("mixable", "false")], |_| None), "mixable"),
            (changed(&own, &[("pad", "3")], |_| None), "fed"),
            (changed(&own, &[("output", "0..255")], |_| None), "fed"),
            (renamed, "only one has"),
            (reshaped, "shapes"),
            (retyped, "types 1 and 10"),
            (short, "holds 1 values"),
        ] {
            let error = mean("a+b".to_owned(), &parents([own.clone(), other], 0.5)).unwrap_err();
            assert!(matches!(error, Error::Mix { .. }), "{error}");
            let error = error.to_string();
            assert!(
                error.contains(word) && error.contains("a+b"),
                "no `{word}` in: {error}"
            );
        }
        let plain = changed(
            &bundled(DEFAULT, Quality::Best),
            &[("quality", "fast"), ("family", "x")],
            |_| None,
        );
        let own = changed(&own, &[("family", "x"), ("align", "4")], |_| None);
        let error = mean("a+b".to_owned(), &parents([own, plain], 0.5)).unwrap_err();
        assert!(error.to_string().contains("operators"), "{error}");
    }
}
