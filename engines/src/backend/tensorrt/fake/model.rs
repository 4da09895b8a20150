//! Networks that move values and hardly change them, as files.

use prost::Message;

use crate::model::Model;
use crate::onnx::number::MODEL_GRAPH;
use crate::onnx::{Constant, Graph, ModelProto, Node};
use crate::protobuf::{Fields, put};
use crate::sidecar::Sidecar;
use crate::trunk;

/// What a network does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Nothing, to planes.
    Planes,
    /// It cuts values to the range from black to white. Its trunk does nothing, to blocks of pixels from which half of white
    /// is taken on the way in.
    Trunk,
    /// It swaps red and blue.
    Swap,
    /// It leaves [`CROP`] pixels away on every side.
    Crop,
}

/// Pixels.
pub(super) const CROP: usize = 2;

/// A network with the ports and the convention of a bundled one.
pub(super) fn model(kind: Kind) -> Model {
    let bytes = include_bytes!("../../../../styles/fast.onnx");
    let mut graph = ModelProto::parse(bytes).unwrap().graph.unwrap();
    let node = |op: &str, inputs: &[&String], output: &String| Node {
        inputs: inputs.iter().copied().cloned().collect(),
        outputs: vec![output.clone()],
        op: op.to_owned(),
        attributes: Vec::new(),
    };
    let (input, output) = (&graph.inputs()[0].name, &graph.outputs()[0].name);
    graph.nodes = match kind {
        Kind::Planes => vec![node("Identity", &[input], output)],
        Kind::Trunk => ends(&graph, |from, to| node("Identity", &[from], to)),
        Kind::Swap | Kind::Crop => {
            let weights = match kind {
                Kind::Swap => filter([2, 1, 0], 1),
                _ => filter([0, 1, 2], 2 * CROP + 1),
            };
            let conv = node("Conv", &[input, &weights.name], output);
            graph.initializers.push(weights);
            vec![conv]
        }
    };
    let mut edited = Vec::new();
    for part in Fields(bytes).map(Option::unwrap) {
        if part.number == MODEL_GRAPH {
            put(&mut edited, MODEL_GRAPH, &graph.encode_to_vec());
        } else {
            edited.extend_from_slice(part.whole);
        }
    }
    let model = Model::parse(format!("{kind:?}"), edited.into(), &Sidecar::default()).unwrap();
    assert_eq!(trunk::cut(&model.bytes).is_some(), kind == Kind::Trunk);
    model
}

/// Weights of a convolution that takes the pixel in the middle of so many times as many, channels in an order.
fn filter(order: [usize; 3], side: usize) -> Constant {
    let mut weights = vec![0.0; 9 * side * side];
    for (to, from) in order.into_iter().enumerate() {
        weights[(3 * to + from) * side * side + side * side / 2] = 1.0;
    }
    let dims = [3, 3, side as i64, side as i64];
    Constant::of_floats("impasto_test_filter", &dims, &weights)
}

/// The operators that a trunk is cut from, joined by another one.
fn ends(graph: &Graph, join: impl Fn(&String, &String) -> Node) -> Vec<Node> {
    let at = |op: &str| graph.nodes.iter().position(|node| node.op == op).unwrap();
    let (entrance, exit) = (at("SpaceToDepth"), at("DepthToSpace"));
    let mut nodes = graph.nodes[..=entrance].to_vec();
    nodes.push(join(
        &graph.nodes[entrance].outputs[0],
        &graph.nodes[exit].inputs[0],
    ));
    nodes.extend_from_slice(&graph.nodes[exit..]);
    nodes
}
