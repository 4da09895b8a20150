//! How large the pictures within a network are, and how much work it is, relative to the picture that it is given.

use std::collections::HashMap;

use crate::onnx::{Graph, Node};

/// Size of an intermediate picture relative to the network's input.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub channels: f64,
    /// Share of the input's width times height.
    pub area: f64,
}

/// Sizes of all intermediate pictures by name, found by following convolutions and changes of size through the graph. An
/// operator that is not known keeps the size of its input.
pub(crate) fn extents(graph: &Graph) -> HashMap<&str, Extent> {
    let constants = graph.constants();
    let start = Extent {
        channels: 3.0,
        area: 1.0,
    };
    let mut extents: HashMap<&str, Extent> = HashMap::new();
    for node in &graph.nodes {
        let input = node
            .inputs
            .iter()
            .find_map(|name| extents.get(name.as_str()))
            .copied();
        let input = input.unwrap_or(start);
        let weight_dims = node
            .inputs
            .get(1)
            .and_then(|name| constants.get(name.as_str()))
            .map_or(&[][..], |constant| &constant.dims);
        let scales = || {
            let floats = node
                .inputs
                .iter()
                .skip(1)
                .filter_map(|name| constants.get(name.as_str()));
            floats
                .map(|constant| constant.floats())
                .find(|values| values.len() == 4)
        };
        let output = output_extent(node, input, weight_dims, scales);
        for name in &node.outputs {
            extents.insert(name, output);
        }
    }
    extents
}

/// Multiplications of all convolutions per pixel of input.
pub(crate) fn work_per_px(graph: &Graph) -> f64 {
    let (constants, extents) = (graph.constants(), extents(graph));
    let work = |node: &Node| {
        let weight = constants.get(node.inputs.get(1)?.as_str())?;
        let output = extents.get(node.outputs.first()?.as_str())?;
        let n_weights: f64 = weight.dims.iter().map(|&n| n as f64).product();
        Some(n_weights * output.area)
    };
    let convolutions = graph.nodes.iter().filter(|node| node.op == "Conv");
    convolutions.filter_map(work).sum()
}

fn output_extent(
    node: &Node,
    input: Extent,
    weight_dims: &[i64],
    scales: impl Fn() -> Option<Vec<f32>>,
) -> Extent {
    let dim = |idx: usize| weight_dims.get(idx).map_or(input.channels, |&n| n as f64);
    let area = |ints: &[i64]| ints.iter().map(|&n| n as f64).product::<f64>().max(1.0);
    let block = node
        .int("blocksize")
        .map_or(1.0, |n| (n as f64 * n as f64).max(1.0));
    match node.op.as_str() {
        "Conv" => Extent {
            channels: dim(0),
            area: input.area / area(node.ints("strides")),
        },
        "ConvTranspose" => Extent {
            channels: dim(1),
            area: input.area * area(node.ints("strides")),
        },
        "SpaceToDepth" => Extent {
            channels: input.channels * block,
            area: input.area / block,
        },
        "DepthToSpace" => Extent {
            channels: input.channels / block,
            area: input.area * block,
        },
        "Resize" | "Upsample" => {
            let factor = scales().map_or(4.0, |values| f64::from(values[2] * values[3]));
            Extent {
                area: input.area * factor,
                ..input
            }
        }
        _ => input,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::ModelProto;

    #[test]
    fn larger_networks_are_more_work() {
        let work =
            |bytes: &[u8]| work_per_px(ModelProto::parse(bytes).unwrap().graph.as_ref().unwrap());
        let fast = work(include_bytes!("../styles/fast.onnx"));
        let balanced = work(include_bytes!("../styles/balanced.onnx"));
        let best = work(include_bytes!("../styles/best.onnx"));
        assert!(100.0 < fast && fast < balanced && balanced < best && best < 1e6);
    }
}
