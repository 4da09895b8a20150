//! The parts of an ONNX file that networks of this crate need. Field numbers are those of `onnx.proto3`.

use bytemuck::{cast_slice, pod_collect_to_vec};
use half::f16;
use prost::Message;

/// Element types of tensors.
pub(super) mod element {
    pub(in crate::onnx) const F32: i32 = 1;
    pub(in crate::onnx) const F16: i32 = 10;
}

/// Kinds of attributes.
mod kind {
    pub(super) const INT: i32 = 2;
    pub(super) const TEXT: i32 = 3;
    pub(super) const INTS: i32 = 7;
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Model {
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    #[prost(string, tag = "2")]
    pub producer: String,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    pub operators: Vec<OperatorSet>,
    #[prost(message, repeated, tag = "14")]
    pub metadata: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Entry {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub nodes: Vec<Node>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub constants: Vec<Constant>,
    #[prost(message, repeated, tag = "11")]
    pub inputs: Vec<Value>,
    #[prost(message, repeated, tag = "12")]
    pub outputs: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub outputs: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op: String,
    #[prost(message, repeated, tag = "5")]
    pub attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int64, tag = "3")]
    pub int: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub text: Vec<u8>,
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Constant {
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
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Value {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Kind {
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorKind>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorKind {
    #[prost(int32, tag = "1")]
    pub element: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub dims: Vec<Dim>,
}

/// Either a number or a name.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Dim {
    #[prost(int64, optional, tag = "1")]
    pub value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
}

impl Attribute {
    pub(super) fn int(name: &str, int: usize) -> Self {
        Self {
            name: name.to_owned(),
            int: int as i64,
            kind: kind::INT,
            ..Self::default()
        }
    }

    pub(super) fn ints(name: &str, ints: &[usize]) -> Self {
        Self {
            name: name.to_owned(),
            ints: ints.iter().map(|&int| int as i64).collect(),
            kind: kind::INTS,
            ..Self::default()
        }
    }

    pub(super) fn text(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: text.as_bytes().to_vec(),
            kind: kind::TEXT,
            ..Self::default()
        }
    }
}

impl Constant {
    /// A constant of f32.
    pub(super) fn full(name: &str, dims: &[usize], values: &[f32]) -> Self {
        Self::of(name, dims, element::F32, cast_slice(values).to_vec())
    }

    /// A constant of float16; values are rounded.
    pub(super) fn half(name: &str, dims: &[usize], values: &[f32]) -> Self {
        let raw = values
            .iter()
            .flat_map(|&value| f16::from_f32(value).to_le_bytes());
        Self::of(name, dims, element::F16, raw.collect())
    }

    fn of(name: &str, dims: &[usize], element: i32, raw: Vec<u8>) -> Self {
        Self {
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            element,
            name: name.to_owned(),
            raw,
            ..Self::default()
        }
    }

    /// The values of an f32 or float16 constant, `None` for other types.
    pub(super) fn values(&self) -> Option<Vec<f32>> {
        Some(match self.element {
            element::F32 if self.raw.is_empty() => self.floats.clone(),
            element::F32 => pod_collect_to_vec(&self.raw),
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
        })
    }
}

impl Value {
    /// A picture of f32, `[n, 3, h, w]`, of any size.
    pub(super) fn picture(name: &str) -> Self {
        let named = |name: &str| Dim {
            value: None,
            name: Some(name.to_owned()),
        };
        let colours = Dim {
            value: Some(3),
            name: None,
        };
        let dims = vec![named("n"), colours, named("h"), named("w")];
        let tensor = TensorKind {
            element: element::F32,
            shape: Some(Shape { dims }),
        };
        Self {
            name: name.to_owned(),
            kind: Some(Kind {
                tensor: Some(tensor),
            }),
        }
    }
}
