//! Networks as ONNX files: whole ones of a single style, and templates that any style of the family is folded into.
//!
//! Nothing here runs a network. The files say in their metadata how they want to be fed.

mod graph;
mod proto;

use anyhow::{Context, bail, ensure};
use prost::Message as _;

pub use self::graph::Precision;
use self::proto::{Constant, Entry, Graph, Model, OperatorSet};
use crate::net::plan::{Size, Unit};
use crate::net::{Network, PAD};
use crate::style_file::Facts;

/// The networks whose styles can be mixed; goes up when the shared network is trained anew or layers change.
pub const FAMILY: &str = "impasto-1";

/// Oldest versions of format and operators that have all that is needed.
const IR_VERSION: i64 = 7;
const OPERATORS_VERSION: i64 = 13;

/// A whole network of one style: each convolution with the style's factors and summands in its weights and biases.
///
/// Takes `input` and gives `output`, both f32 `[n, 3, h, w]`, RGB 0..1.
///
/// # Panics
/// If there is no style at `style_idx`.
pub fn write_style(
    network: &Network,
    style_idx: usize,
    facts: &Facts,
    precision: Precision,
) -> Vec<u8> {
    let style = &network.styles[style_idx];
    let graph = graph::graph(&network.plan, precision, |idx, unit| {
        let [weights, biases] = network.folded(style, idx);
        constants(unit, &weights, &biases, precision, precision)
    });
    let mut metadata = vec![("name", style.name.clone())];
    metadata.extend(
        facts
            .words()
            .map(|(key, value)| (key, value.to_owned()))
            .into_iter()
            .filter(|(_, value)| !value.is_empty()),
    );
    metadata.push(("mixable", facts.is_mixable.to_string()));
    file(network.size, graph, metadata)
}

/// The convolutions that styles start from, and share unless they have their own: weights of float16, biases of 0. It
/// paints nothing until a style is folded into it.
pub fn write_template(network: &Network) -> Vec<u8> {
    let graph = graph::graph(&network.plan, Precision::Full, |idx, unit| {
        let biases = vec![0.0; unit.n_out];
        let precisions = [Precision::Half, Precision::Full];
        let [of_weights, of_biases] = precisions;
        constants(unit, &network.weights[idx], &biases, of_weights, of_biases)
    });
    file(network.size, graph, Vec::new())
}

/// The network of a template, without styles.
///
/// # Errors
/// If it is no template of [`FAMILY`], or its convolutions are not those of its size.
pub fn read_template(bytes: &[u8]) -> anyhow::Result<Network> {
    let model = Model::decode(bytes).context("it cannot be read as ONNX; it may be cut short")?;
    let word = |key: &str| {
        let entry = model.metadata.iter().find(|entry| entry.key == key);
        entry
            .map(|entry| entry.value.as_str())
            .with_context(|| format!("it has no metadata {key}; wanted a template of {FAMILY}"))
    };
    let quality = word("impasto.quality")?;
    let size = Size::ALL
        .into_iter()
        .find(|size| size.name() == quality)
        .with_context(|| format!("its size is `{quality}`, wanted fast, balanced or best"))?;
    let (found, wanted) = (word("impasto.family")?, family(size));
    ensure!(
        found == wanted,
        "it is of the family `{found}`, wanted `{wanted}`"
    );
    let graph = model.graph.as_ref().context("it holds no ONNX graph")?;
    let plan = size.plan();
    let weights = plan.units.iter().map(|unit| read_weights(graph, unit));
    Ok(Network {
        size,
        weights: weights.collect::<anyhow::Result<_>>()?,
        plan,
        styles: Vec::new(),
    })
}

fn read_weights(graph: &Graph, unit: &Unit) -> anyhow::Result<Vec<f32>> {
    let name = format!("{}.weight", unit.name);
    let constant = graph
        .constants
        .iter()
        .find(|constant| constant.name == name)
        .with_context(|| format!("it has no constant `{name}`"))?;
    let wanted = unit.weight_dims();
    ensure!(
        constant.dims == wanted.map(|dim| dim as i64),
        "its constant `{name}` has the shape {:?}, wanted {wanted:?}",
        constant.dims
    );
    let Some(values) = constant.values() else {
        bail!(
            "its constant `{name}` is of ONNX type {}, wanted float32 or float16",
            constant.element
        );
    };
    ensure!(
        values.len() == wanted.iter().product::<usize>(),
        "its constant `{name}` of shape {wanted:?} holds {} values",
        values.len()
    );
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        bail!("its constant `{name}` holds {value}, wanted finite numbers");
    }
    Ok(values)
}

/// Weights and biases of a convolution.
fn constants(
    unit: &Unit,
    weights: &[f32],
    biases: &[f32],
    of_weights: Precision,
    of_biases: Precision,
) -> [Constant; 2] {
    let constant = |name: &str, dims: &[usize], values: &[f32], precision| {
        let name = format!("{}.{name}", unit.name);
        match precision {
            Precision::Full => Constant::full(&name, dims, values),
            Precision::Half => Constant::half(&name, dims, values),
        }
    };
    [
        constant("weight", &unit.weight_dims(), weights, of_weights),
        constant("bias", &[unit.n_out], biases, of_biases),
    ]
}

fn family(size: Size) -> String {
    format!("{FAMILY}.{}", size.name())
}

fn file(size: Size, graph: Graph, mut metadata: Vec<(&str, String)>) -> Vec<u8> {
    metadata.extend([
        ("family", family(size)),
        ("quality", size.name().to_owned()),
        ("input", "rgb01".to_owned()),
        ("output", "rgb01".to_owned()),
        ("align", size.plan().align.to_string()),
        ("pad", PAD.to_string()),
    ]);
    let entry = |(key, value): (&str, String)| Entry {
        key: format!("impasto.{key}"),
        value,
    };
    let model = Model {
        ir_version: IR_VERSION,
        producer: "impasto-train".to_owned(),
        graph: Some(graph),
        operators: vec![OperatorSet {
            domain: String::new(),
            version: OPERATORS_VERSION,
        }],
        metadata: metadata.into_iter().map(entry).collect(),
    };
    model.encode_to_vec()
}

#[cfg(test)]
mod tests;
