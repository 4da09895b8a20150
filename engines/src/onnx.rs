//! The few parts of an ONNX file that say how to feed it: inputs, outputs, operators, constants, metadata.
//!
//! The runtime reads the file again for itself. Field numbers are those of `onnx.proto3`.

use std::collections::{HashMap, HashSet};

use half::f16;
use prost::Message;

/// Element types of ONNX tensors that are told apart here.
pub(crate) mod element {
    pub(crate) const F32: i32 = 1;
    pub(crate) const F16: i32 = 10;
}

/// Numbers of the fields that are told apart when a file is edited.
pub(crate) mod number {
    pub(crate) const MODEL_GRAPH: u64 = 7;
    pub(crate) const MODEL_METADATA: u64 = 14;
    pub(crate) const GRAPH_NODE: u64 = 1;
    pub(crate) const GRAPH_INITIALIZER: u64 = 5;
    pub(crate) const GRAPH_INPUT: u64 = 11;
    pub(crate) const GRAPH_OUTPUT: u64 = 12;
    pub(crate) const GRAPH_VALUE_INFO: u64 = 13;
    pub(crate) const NODE_NAME: u64 = 3;
    pub(crate) const NODE_DOC: u64 = 6;
    pub(crate) const NODE_METADATA: u64 = 9;
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ModelProto {
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    #[prost(message, repeated, tag = "14")]
    metadata: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub nodes: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    pub initializers: Vec<Constant>,
    #[prost(message, repeated, tag = "11")]
    inputs: Vec<Value>,
    #[prost(message, repeated, tag = "12")]
    outputs: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub outputs: Vec<String>,
    #[prost(string, tag = "4")]
    pub op: String,
    #[prost(message, repeated, tag = "5")]
    pub attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(float, tag = "2")]
    float: f32,
    #[prost(int64, tag = "3")]
    int: i64,
    #[prost(bytes = "vec", tag = "4")]
    text: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    tensor: Option<Constant>,
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Constant {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub element: i32,
    #[prost(float, repeated, tag = "4")]
    floats: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    words: Vec<i32>,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw: Vec<u8>,
    #[prost(int32, tag = "14")]
    location: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Value {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Message)]
struct Kind {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorKind>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorKind {
    #[prost(int32, tag = "1")]
    element: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dims: Vec<Dim>,
}

#[derive(Clone, PartialEq, Message)]
struct Dim {
    #[prost(int64, tag = "1")]
    value: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// An input or output of a network.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Port {
    pub name: String,
    pub element: i32,
    /// Sizes; `None` where the file leaves one open.
    pub dims: Vec<Option<usize>>,
}

impl ModelProto {
    /// Decodes a file. `Err` says what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("the file is empty, wanted an ONNX network".to_owned());
        }
        let model = Self::decode(bytes).map_err(|error| {
            format!("it cannot be read as ONNX ({error}); it may be cut short or of another kind")
        })?;
        let graph = model
            .graph
            .as_ref()
            .ok_or("it holds no ONNX graph; it may be of another kind")?;
        if graph.nodes.is_empty() {
            return Err("its ONNX graph has no operators".to_owned());
        }
        if graph
            .initializers
            .iter()
            .any(|constant| constant.location == 1)
        {
            return Err(
                "its weights lie in another file; save it as one file (onnx.save without external data)"
                    .to_owned(),
            );
        }
        Ok(model)
    }

    /// Value of a metadata key.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| entry.value.as_str())
    }
}

impl Graph {
    /// Inputs that are no constants.
    pub(crate) fn inputs(&self) -> Vec<Port> {
        let constants: HashSet<_> = self
            .initializers
            .iter()
            .map(|constant| &constant.name)
            .collect();
        self.inputs
            .iter()
            .filter(|value| !constants.contains(&value.name))
            .map(Value::port)
            .collect()
    }

    /// Outputs.
    pub(crate) fn outputs(&self) -> Vec<Port> {
        self.outputs.iter().map(Value::port).collect()
    }

    /// Constants by name, whether initializers or `Constant` operators.
    pub(crate) fn constants(&self) -> HashMap<&str, &Constant> {
        let operators = self
            .nodes
            .iter()
            .filter(|node| node.op == "Constant")
            .filter_map(|node| {
                let tensor = node
                    .attributes
                    .iter()
                    .find_map(|attribute| attribute.tensor.as_ref())?;
                Some((node.outputs.first()?.as_str(), tensor))
            });
        self.initializers
            .iter()
            .map(|constant| (constant.name.as_str(), constant))
            .chain(operators)
            .collect()
    }
}

impl Node {
    /// An integer attribute.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.int)
    }

    /// An attribute of several integers, empty if absent.
    pub(crate) fn ints(&self, name: &str) -> &[i64] {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map_or(&[], |attribute| &attribute.ints)
    }

    /// A text attribute.
    pub(crate) fn text(&self, name: &str) -> Option<&[u8]> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| &attribute.text[..])
    }

    /// A floating-point attribute.
    pub(crate) fn float(&self, name: &str) -> Option<f32> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.float)
    }
}

impl Attribute {
    /// An attribute of several integers.
    pub(crate) fn of_ints(name: &str, ints: &[i64]) -> Self {
        /// `AttributeProto.INTS`.
        const INTS: i32 = 7;
        Self {
            name: name.to_owned(),
            ints: ints.to_vec(),
            kind: INTS,
            ..Self::default()
        }
    }
}

impl Constant {
    /// A constant of f32.
    pub(crate) fn of_floats(name: &str, dims: &[i64], values: &[f32]) -> Self {
        Self {
            dims: dims.to_vec(),
            element: element::F32,
            name: name.to_owned(),
            raw: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            ..Self::default()
        }
    }

    /// A constant of float16; values are rounded.
    pub(crate) fn of_halves(name: &str, dims: &[i64], values: &[f32]) -> Self {
        let raw = values
            .iter()
            .flat_map(|&value| f16::from_f32(value).to_le_bytes());
        Self {
            dims: dims.to_vec(),
            element: element::F16,
            name: name.to_owned(),
            raw: raw.collect(),
            ..Self::default()
        }
    }

    /// The values of an f32 constant, empty for other types.
    pub(crate) fn floats(&self) -> Vec<f32> {
        if self.element != element::F32 || !self.floats.is_empty() {
            return self.floats.clone();
        }
        self.raw
            .chunks_exact(4)
            .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect()
    }

    /// The values of an f32 or float16 constant, `None` for other types. `Err` if there are not as many as its axes ask
    /// for.
    pub(crate) fn values(&self) -> Option<Result<Vec<f32>, String>> {
        let values = match self.element {
            element::F32 => self.floats(),
            element::F16 if self.raw.is_empty() => self
                .words
                .iter()
                .map(|&word| f16::from_bits(word as u16).to_f32())
                .collect(),
            element::F16 => self
                .raw
                .chunks_exact(2)
                .map(|word| f16::from_le_bytes([word[0], word[1]]).to_f32())
                .collect(),
            _ => return None,
        };
        let n_wanted = self
            .dims
            .iter()
            .try_fold(1_usize, |n, &dim| n.checked_mul(usize::try_from(dim).ok()?));
        Some(if n_wanted == Some(values.len()) {
            Ok(values)
        } else {
            Err(format!(
                "its constant `{}` of shape {:?} holds {} values",
                self.name,
                self.dims,
                values.len()
            ))
        })
    }
}

impl Value {
    /// An input or output of shape `[?, ?, ?, channels]`.
    pub(crate) fn picture(name: &str, element: i32, channels: i64) -> Self {
        let dims = [0, 0, 0, channels].map(|value| Dim { value }).to_vec();
        let tensor = TensorKind {
            element,
            shape: Some(Shape { dims }),
        };
        Self {
            name: name.to_owned(),
            kind: Some(Kind {
                tensor: Some(tensor),
            }),
        }
    }

    /// Its name.
    #[cfg(feature = "tensorrt-common")]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Lets it hold elements of another type.
    #[cfg(feature = "tensorrt-common")]
    pub(crate) fn set_element(&mut self, element: i32) {
        if let Some(tensor) = self.kind.as_mut().and_then(|kind| kind.tensor.as_mut()) {
            tensor.element = element;
        }
    }

    fn port(&self) -> Port {
        let tensor = self.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
        let dims = tensor
            .and_then(|tensor| tensor.shape.as_ref())
            .map_or(&[][..], |shape| &shape.dims);
        Port {
            name: self.name.clone(),
            element: tensor.map_or(0, |tensor| tensor.element),
            dims: dims
                .iter()
                .map(|dim| usize::try_from(dim.value).ok().filter(|&n| n > 0))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rubbish_is_refused_in_words() {
        for (bytes, word) in [
            (&b""[..], "empty"),
            (&b"just some text, no network"[..], "ONNX"),
            (&[0x3a, 0x7f, 0x00][..], "ONNX"),
        ] {
            let error = ModelProto::parse(bytes).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn values_of_both_float_types_are_read_and_counted() {
        let values = [1.5, -0.25, 1.0 / 3.0];
        let full = Constant::of_floats("w", &[3], &values);
        assert_eq!(full.values(), Some(Ok(values.to_vec())));
        let half = Constant::of_halves("w", &[3, 1], &values);
        let read = half.values().unwrap().unwrap();
        assert_eq!(read[..2], values[..2]);
        assert!((read[2] - values[2]).abs() < 1e-3);
        let short = Constant::of_floats("w", &[2, 2], &values);
        let error = short.values().unwrap().unwrap_err();
        assert!(
            error.contains("`w`") && error.contains("3 values"),
            "{error}"
        );
        let huge = Constant::of_floats("w", &[i64::MAX, 9], &values);
        assert!(huge.values().unwrap().is_err());
    }

    #[test]
    fn bundled_networks_tell_their_ports() {
        let bytes = include_bytes!("../styles/balanced.onnx");
        let model = ModelProto::parse(bytes).unwrap();
        let graph = model.graph.as_ref().unwrap();
        let inputs = graph.inputs();
        assert_eq!(inputs.len(), 1);
        assert_eq!(inputs[0].dims, [None, Some(3), None, None]);
        assert_eq!(inputs[0].element, element::F32);
        assert_eq!(model.metadata("impasto.align"), Some("4"));
    }
}
