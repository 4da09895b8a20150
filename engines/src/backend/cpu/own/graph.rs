//! The layers of a network's graph.

use std::collections::HashMap;

use conv::{Conv, Walk};

use super::Layer;
use crate::onnx::{Constant, Graph, Node};
use crate::settings::Precision;

/// What a name in the graph stands for.
#[derive(Clone, Copy)]
struct Named {
    value: usize,
    /// Whether each pixel of the value stands for 2x2.
    doubled: bool,
}

/// The layers of a graph between two transpositions.
pub(super) fn layers(graph: &Graph, precision: Precision) -> Option<Vec<Layer>> {
    let constants = graph.constants();
    let (first, last) = (graph.nodes.first()?, graph.nodes.last()?);
    if first.op != "Transpose" || last.op != "Transpose" || graph.nodes.len() < 3 {
        return None;
    }
    let mut named = HashMap::new();
    let picture = Named {
        value: 0,
        doubled: false,
    };
    named.insert(first.outputs.first()?.as_str(), picture);
    let mut layers: Vec<Layer> = Vec::new();
    for node in &graph.nodes[1..graph.nodes.len() - 1] {
        let of = |idx: usize| {
            let name = node.inputs.get(idx)?;
            named.get(name.as_str()).copied()
        };
        let newest = layers.len();
        // What follows a convolution changes its value: nobody else may see it before.
        let alone = |idx: usize| {
            let name = &node.inputs[idx];
            let reads = |node: &&Node| node.inputs.contains(name);
            let n_readers = graph.nodes.iter().filter(reads).count();
            n_readers == 1 && of(idx).is_some_and(|of| of.value == newest && !of.doubled)
        };
        let mut output = Named {
            value: newest,
            doubled: false,
        };
        match node.op.as_str() {
            "Conv" => {
                layers.push(layer(node, of(0)?, &constants, precision)?);
                output.value += 1;
            }
            "Relu" if alone(0) => {
                let layer = layers.last_mut().filter(|layer| !layer.relu)?;
                layer.relu = true;
            }
            "Add" => {
                let other = match (alone(0), alone(1)) {
                    (true, _) => of(1)?,
                    (_, true) => of(0)?,
                    _ => return None,
                };
                let layer = layers.last_mut()?;
                if layer.relu || layer.add.is_some() || other.doubled || other.value == newest {
                    return None;
                }
                layer.add = Some(other.value);
            }
            "Resize" if doubles(node, &constants) => {
                output = of(0).filter(|of| !of.doubled)?;
                output.doubled = true;
            }
            _ => return None,
        }
        named.insert(node.outputs.first()?.as_str(), output);
    }
    let painted = named.get(last.inputs.first()?.as_str())?;
    (painted.value == layers.len() && !painted.doubled).then_some(layers)
}

fn layer(
    node: &Node,
    input: Named,
    constants: &HashMap<&str, &Constant>,
    precision: Precision,
) -> Option<Layer> {
    let constant = |idx: usize| constants.get(node.inputs.get(idx)?.as_str());
    let weight = constant(1)?;
    let weights = weight.values()?.ok()?;
    let &[n_out, n_in, 3, 3] = &weight.dims[..] else {
        return None;
    };
    let (n_out, n_in) = (usize::try_from(n_out).ok()?, usize::try_from(n_in).ok()?);
    let bias = match node.inputs.get(2) {
        Some(_) => constant(2)?.values()?.ok()?,
        None => vec![0.0; n_out],
    };
    let same = |name: &str| match node.ints(name) {
        [] => Some(1),
        [first, others @ ..] if others.iter().all(|other| other == first) => {
            usize::try_from(*first).ok().filter(|&n| n > 0)
        }
        _ => None,
    };
    let walk = Walk {
        stride: same("strides")?,
        dilation: same("dilations")?,
        doubled: input.doubled,
    };
    let is_plain = node.int("group").is_none_or(|group| group == 1)
        && node.text("auto_pad").is_none()
        && node.ints("pads").len() == 4
        && same("pads")? == walk.dilation;
    if !is_plain
        || bias.len() != n_out
        || weights.is_empty()
        || walk.stride > 2
        || walk.dilation > 8
    {
        return None;
    }
    let conv = match precision {
        Precision::Half => Conv::fixed(&weights, n_in, n_out, walk)?,
        Precision::F32 | Precision::Auto => Conv::new(&weights, n_in, n_out, walk)?,
    };
    Some(Layer {
        conv,
        walk,
        n_in,
        bias,
        input: input.value,
        add: None,
        relu: false,
        is_led_on: false,
    })
}

/// Whether an operator repeats every pixel twice in both directions.
fn doubles(node: &Node, constants: &HashMap<&str, &Constant>) -> bool {
    let scales = node
        .inputs
        .get(2)
        .and_then(|name| constants.get(name.as_str()));
    scales.is_some_and(|scales| scales.floats() == [1.0, 1.0, 2.0, 2.0])
        && node.text("mode").is_none_or(|mode| mode == b"nearest")
        && node.text("coordinate_transformation_mode") == Some(b"asymmetric")
        && node.text("nearest_mode") == Some(b"floor")
}
