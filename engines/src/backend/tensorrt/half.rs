//! Networks in half precision: TensorRT computes in the types that the file has, so the file is written anew with float16
//! weights, inputs and outputs.
//!
//! Only for networks of operators that are as good in half precision: a mean or a deviation over a picture is not.

use std::collections::HashSet;

use prost::Message;

use crate::onnx::number::{
    GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO, MODEL_GRAPH,
};
use crate::onnx::{Constant, Graph, ModelProto, Value, element};
use crate::protobuf::{Fields, put};

/// Operators that lose nothing that shows.
const OPERATORS: [&str; 14] = [
    "Add",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "Mul",
    "Pad",
    "Relu",
    "Resize",
    "Slice",
    "SpaceToDepth",
    "Sub",
    "Transpose",
];
/// Largest number that float16 holds.
const LARGEST: f32 = 65504.0;

/// The network with all its floats in half precision. `Err` says why it cannot be.
pub(super) fn halve(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let model = ModelProto::parse(bytes)?;
    let graph = model.graph.as_ref().ok_or("it holds no ONNX graph")?;
    if let Some(node) = graph
        .nodes
        .iter()
        .find(|node| !OPERATORS.contains(&&*node.op))
    {
        return Err(format!(
            "it has the operator {}, which is not exact enough in half precision; set precision to f32",
            node.op
        ));
    }
    let n_inputs = graph.inputs().len();
    if n_inputs != 1 {
        return Err(format!(
            "it has {n_inputs} inputs, wanted one for half precision; set precision to f32"
        ));
    }
    // How much a picture is scaled is no value of a picture, and stays as it is.
    let scales: HashSet<&str> = graph
        .nodes
        .iter()
        .filter(|node| node.op == "Resize")
        .flat_map(|node| node.inputs.iter().skip(1))
        .map(String::as_str)
        .collect();
    let mut edited = Vec::with_capacity(bytes.len());
    for part in Fields(bytes) {
        let part = part.ok_or("it is no ONNX file")?;
        if part.number == MODEL_GRAPH {
            put(
                &mut edited,
                MODEL_GRAPH,
                &halve_graph(part.content, graph, &scales)?,
            );
        } else {
            edited.extend_from_slice(part.whole);
        }
    }
    Ok(edited)
}

fn halve_graph(bytes: &[u8], graph: &Graph, scales: &HashSet<&str>) -> Result<Vec<u8>, String> {
    let constants: HashSet<&str> = graph
        .initializers
        .iter()
        .map(|constant| &*constant.name)
        .collect();
    let mut edited = Vec::with_capacity(bytes.len() / 2);
    for part in Fields(bytes) {
        let part = part.ok_or("its graph is no ONNX graph")?;
        let decode = |error: prost::DecodeError| error.to_string();
        match part.number {
            GRAPH_INITIALIZER => {
                let constant = Constant::decode(part.content).map_err(decode)?;
                match halve_constant(&constant, scales)? {
                    Some(half) => put(&mut edited, GRAPH_INITIALIZER, &half.encode_to_vec()),
                    None => edited.extend_from_slice(part.whole),
                }
            }
            GRAPH_INPUT | GRAPH_OUTPUT => {
                let mut value = Value::decode(part.content).map_err(decode)?;
                // Old files list their constants among the inputs, where they need not be.
                if !constants.contains(value.name()) {
                    value.set_element(element::F16);
                    put(&mut edited, part.number, &value.encode_to_vec());
                }
            }
            // Types of what lies between are found out again.
            GRAPH_VALUE_INFO => {}
            _ => edited.extend_from_slice(part.whole),
        }
    }
    Ok(edited)
}

/// The constant in float16, if it is one of floats and no scale.
fn halve_constant(constant: &Constant, scales: &HashSet<&str>) -> Result<Option<Constant>, String> {
    if constant.element != element::F32 || scales.contains(&*constant.name) {
        return Ok(None);
    }
    let values = constant.floats();
    if let Some(value) = values.iter().find(|value| value.abs() > LARGEST) {
        return Err(format!(
            "its constant `{}` holds {value}, more than half precision does; set precision to f32",
            constant.name
        ));
    }
    Ok(Some(Constant::of_halves(
        &constant.name,
        &constant.dims,
        &values,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Quality;
    use crate::{styles, trunk};

    #[test]
    fn bundled_trunks_are_halved_and_keep_their_values() {
        let model = styles::find(styles::DEFAULT, Quality::Balanced).unwrap();
        let trunk = trunk::cut(&model.bytes).unwrap();
        let half = halve(&trunk.bytes).unwrap();
        let [before, after] = [&trunk.bytes, &half].map(|bytes| ModelProto::parse(bytes).unwrap());
        let [before, after] = [&before, &after].map(|model| model.graph.as_ref().unwrap());
        for port in after.inputs().iter().chain(&after.outputs()) {
            assert_eq!(port.element, element::F16);
        }
        assert_eq!(after.inputs()[0].dims, before.inputs()[0].dims);
        let (before, after) = (before.constants(), after.constants());
        assert_eq!(before.len(), after.len());
        let n_halved = before.iter().filter(|(name, constant)| {
            let half = after[*name];
            if half.element != element::F16 {
                assert_eq!(half, **constant);
                return false;
            }
            let values = half.values().unwrap().unwrap();
            for (a, b) in constant.floats().iter().zip(values) {
                assert!((a - b).abs() <= 1e-3 * a.abs() + 1e-6, "{name}: {a} {b}");
            }
            true
        });
        assert!(n_halved.count() > 10);
    }

    /// A graph with an input.
    fn picture_to_picture() -> Graph {
        let mut bytes = Vec::new();
        let value = Value::picture("x", element::F32, 3);
        put(&mut bytes, GRAPH_INPUT, &value.encode_to_vec());
        Graph::decode(&bytes[..]).unwrap()
    }

    #[test]
    fn what_would_lose_too_much_is_refused_by_name() {
        let network = |op: &str, value: f32| {
            let mut graph = picture_to_picture();
            graph.nodes.push(crate::onnx::Node {
                op: op.to_owned(),
                ..Default::default()
            });
            graph
                .initializers
                .push(Constant::of_floats("w", &[1], &[value]));
            let mut model = ModelProto::default();
            model.graph = Some(graph);
            halve(&model.encode_to_vec())
        };
        assert!(network("Conv", 1.0).is_ok());
        assert!(
            network("ReduceMean", 1.0)
                .unwrap_err()
                .contains("ReduceMean")
        );
        assert!(network("Conv", 1e5).unwrap_err().contains("100000"));
    }
}
