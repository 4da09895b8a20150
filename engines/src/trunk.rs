//! The trunk of a network of our own design: what is left when the space-to-depth at its entrance and the
//! depth-to-space at its exit are cut off.
//!
//! Both only move values. Upload and download move every value anyway, so they do it on the way, and the
//! runtime is spared four passes over the picture. The trunk takes and gives blocks of pixels,
//! `[1, h / n, w / n, 3 * n * n]`, as [`Arrangement`] has them.
//!
//! The file is edited as protobuf fields and not decoded as a whole, so that nothing of it gets lost.

use prost::Message;

use crate::convention::Layout;
use crate::convert::Arrangement;
use crate::geometry::Geometry;
use crate::model::Model;
use crate::onnx::number::{GRAPH_INPUT, GRAPH_NODE, GRAPH_OUTPUT, GRAPH_VALUE_INFO, MODEL_GRAPH};
use crate::onnx::{Attribute, Graph, ModelProto, Node, Value, element};
use crate::protobuf::{Fields, field, put};

/// A trunk and what upload and download have to do in place of what was cut off.
#[derive(Clone, Debug)]
pub(crate) struct Trunk {
    /// The trunk as an ONNX file.
    pub bytes: Vec<u8>,
    /// How it takes pictures.
    pub input: Arrangement,
    /// How it gives them.
    pub painted: Arrangement,
    /// Added to every value of the input.
    pub input_shift: f32,
    /// Added to every value of the output.
    pub output_shift: f32,
}

/// Operators at an end of the network.
struct End<'a> {
    /// Positions of the operators to cut off.
    nodes: Vec<usize>,
    block: i64,
    shift: f32,
    /// The value at the cut.
    value: &'a str,
}

/// Cuts the trunk out of `bytes`. None if the network is of another design.
pub(crate) fn cut(bytes: &[u8]) -> Option<Trunk> {
    let model = ModelProto::parse(bytes).ok()?;
    let graph = model.graph.as_ref()?;
    let (entrance, exit) = (entrance(graph)?, exit(graph)?);
    let block = usize::try_from(entrance.block)
        .ok()
        .filter(|block| [2, 4].contains(block))?;
    if exit.block != entrance.block {
        return None;
    }
    let last = &graph.nodes[*exit.nodes.last()?];
    let is_by_channel = match last.text("mode") {
        None | Some(b"DCR") => false,
        Some(b"CRD") => true,
        _ => return None,
    };
    let graph_bytes = edit_graph(field(bytes, MODEL_GRAPH)?, &entrance, &exit)?;
    let mut edited = Vec::with_capacity(bytes.len());
    for part in Fields(bytes) {
        let part = part?;
        if part.number == MODEL_GRAPH {
            put(&mut edited, MODEL_GRAPH, &graph_bytes);
        } else {
            edited.extend_from_slice(part.whole);
        }
    }
    Some(Trunk {
        bytes: edited,
        input: Arrangement::Blocks(block),
        painted: if is_by_channel {
            Arrangement::ChannelBlocks(block)
        } else {
            Arrangement::Blocks(block)
        },
        input_shift: entrance.shift,
        output_shift: exit.shift,
    })
}

/// The trunk of a network, if it has one that may stand in for it where frames of width and height `frame` are seen as
/// `seen` and scaled as planes. Where they are scaled none may: pictures are cut to the range from black to white before
/// they are scaled, which a trunk leaves to those who take them, and scaling works on planes.
#[cfg(feature = "tensorrt-common")]
pub(crate) fn fitting(model: &Model, seen: &Geometry, frame: (usize, usize)) -> Option<Trunk> {
    if seen.scales(frame.0, frame.1) {
        return None;
    }
    of(model, seen)
}

/// The trunk of a network, if it has one that may stand in for it where frames are seen as `seen`. Who takes its pictures
/// cuts them to the range from black to white.
pub(crate) fn of(model: &Model, seen: &Geometry) -> Option<Trunk> {
    cut(&model.bytes).filter(|trunk| seen.has_blocks(trunk.input.block()))
}

/// How pictures lie at the entrance and at the exit of a network of this layout, or of the trunk that stands in for it.
pub(crate) fn arrangements(trunk: Option<&Trunk>, layout: Layout) -> [Arrangement; 2] {
    match (trunk, layout) {
        (Some(trunk), _) => [trunk.input, trunk.painted],
        (None, Layout::Nchw) => [Arrangement::Planes; 2],
        (None, Layout::Nhwc) => [Arrangement::Blocks(1); 2],
    }
}

/// `input → [Sub constant] → SpaceToDepth`.
fn entrance(graph: &Graph) -> Option<End<'_>> {
    let inputs = graph.inputs();
    let [input] = &inputs[..] else { return None };
    let (mut idx, mut node) = only_reader(graph, &input.name)?;
    let mut nodes = vec![idx];
    let mut shift = 0.0;
    if node.op == "Sub" && node.inputs[0] == input.name {
        shift = -scalar(graph, node.inputs.get(1)?)?;
        (idx, node) = only_reader(graph, node.outputs.first()?)?;
        nodes.push(idx);
    }
    if node.op != "SpaceToDepth" {
        return None;
    }
    let value = node.outputs.first()?;
    Some(End {
        nodes,
        block: node.int("blocksize")?,
        shift,
        value,
    })
}

/// `DepthToSpace → [Add constant] → [Clip] → output`; what is cut off by `Clip`, download cuts off.
fn exit(graph: &Graph) -> Option<End<'_>> {
    let outputs = graph.outputs();
    let [output] = &outputs[..] else { return None };
    let (mut idx, mut node) = writer(graph, &output.name)?;
    let mut nodes = vec![idx];
    let mut shift = 0.0;
    if node.op == "Clip" {
        (idx, node) = writer(graph, node.inputs.first()?)?;
        nodes.push(idx);
    }
    if node.op == "Add" {
        shift = scalar(graph, node.inputs.get(1)?)?;
        (idx, node) = writer(graph, node.inputs.first()?)?;
        nodes.push(idx);
    }
    if node.op != "DepthToSpace" {
        return None;
    }
    let value = node.inputs.first()?;
    Some(End {
        nodes,
        block: node.int("blocksize")?,
        shift,
        value,
    })
}

fn only_reader<'a>(graph: &'a Graph, value: &str) -> Option<(usize, &'a Node)> {
    let reads = |(_, node): &(usize, &Node)| node.inputs.iter().any(|input| input == value);
    let mut readers = graph.nodes.iter().enumerate().filter(reads);
    let reader = readers.next()?;
    readers.next().is_none().then_some(reader)
}

/// The operator that makes a value which nothing but one operator, or the output, takes.
fn writer<'a>(graph: &'a Graph, value: &str) -> Option<(usize, &'a Node)> {
    let n_readers = graph
        .nodes
        .iter()
        .flat_map(|node| &node.inputs)
        .filter(|input| *input == value);
    let is_output = graph.outputs().iter().any(|output| output.name == value);
    if n_readers.count() + usize::from(is_output) != 1 {
        return None;
    }
    graph
        .nodes
        .iter()
        .enumerate()
        .find(|(_, node)| node.outputs.iter().any(|out| out == value))
}

fn scalar(graph: &Graph, name: &str) -> Option<f32> {
    match graph.constants().get(name)?.floats()[..] {
        [value] => Some(value),
        _ => None,
    }
}

/// The graph without its ends, between two transpositions that the runtime knows how to leave out.
fn edit_graph(graph: &[u8], entrance: &End<'_>, exit: &End<'_>) -> Option<Vec<u8>> {
    let (input, output) = ("impasto_blocks", "impasto_painted_blocks");
    let channels = 3 * entrance.block * entrance.block;
    let mut edited = Vec::with_capacity(graph.len());
    put(
        &mut edited,
        GRAPH_INPUT,
        &Value::picture(input, element::F32, channels).encode_to_vec(),
    );
    put(
        &mut edited,
        GRAPH_OUTPUT,
        &Value::picture(output, element::F32, channels).encode_to_vec(),
    );
    let to_planes = transpose(input, entrance.value, &[0, 3, 1, 2]);
    put(&mut edited, GRAPH_NODE, &to_planes.encode_to_vec());
    let mut node_idx = 0;
    for part in Fields(graph) {
        let part = part?;
        let keep = match part.number {
            GRAPH_NODE => {
                node_idx += 1;
                !entrance.nodes.contains(&(node_idx - 1)) && !exit.nodes.contains(&(node_idx - 1))
            }
            number => ![GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO].contains(&number),
        };
        if keep {
            edited.extend_from_slice(part.whole);
        }
    }
    let to_blocks = transpose(exit.value, output, &[0, 2, 3, 1]);
    put(&mut edited, GRAPH_NODE, &to_blocks.encode_to_vec());
    Some(edited)
}

fn transpose(input: &str, output: &str, axes: &[i64]) -> Node {
    Node {
        inputs: vec![input.to_owned()],
        outputs: vec![output.to_owned()],
        op: "Transpose".to_owned(),
        attributes: vec![Attribute::of_ints("perm", axes)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_networks_have_trunks() {
        for bytes in [
            &include_bytes!("../styles/fast.onnx")[..],
            &include_bytes!("../styles/balanced.onnx")[..],
            &include_bytes!("../styles/best.onnx")[..],
        ] {
            let trunk = cut(bytes).unwrap();
            assert_eq!((trunk.input_shift, trunk.output_shift), (-0.5, 0.5));
            assert_eq!(trunk.input, Arrangement::Blocks(2));
            assert_eq!(trunk.painted, Arrangement::Blocks(2));
            let model = ModelProto::parse(&trunk.bytes).unwrap();
            let graph = model.graph.as_ref().unwrap();
            assert!(graph.nodes.iter().all(|node| !node.op.contains("Depth")));
            assert_eq!(graph.inputs()[0].dims, [None, None, None, Some(12)]);
            assert_eq!(model.metadata("impasto.pad"), Some("16"));
            assert!(cut(&trunk.bytes).is_none());
        }
    }

    #[test]
    fn bytes_that_are_no_message_have_none() {
        assert!(cut(b"").is_none());
        assert!(cut(b"no network").is_none());
        let bytes = include_bytes!("../styles/balanced.onnx");
        assert!(cut(&bytes[..bytes.len() / 2]).is_none());
    }
}
