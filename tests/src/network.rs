//! Tiny ONNX networks made by code, so that what they do to a picture is known exactly.
//!
//! A network is a chain: each operator takes what the one before gave. The first takes the input `image`, what the last
//! gives is the painting.

use std::fs;
use std::path::Path;

use prost::Message;

use crate::onnx::{
    Attribute, Constant, Dim, Entry, F16, F32, Graph, I8, I64, Kind, Model, Node, Opset, Shape,
    TensorKind, Value,
};

/// An axis whose size the file leaves open.
pub const OPEN: i64 = -1;

/// Axes of a picture of any size, `[n, c, h, w]`.
pub const NCHW: [i64; 4] = [OPEN, 3, OPEN, OPEN];

/// Axes of a picture of any size, `[n, h, w, c]`.
pub const NHWC: [i64; 4] = [OPEN, OPEN, OPEN, 3];

/// A network under construction.
#[derive(Clone, Debug)]
pub struct Network {
    graph: Graph,
    metadata: Vec<Entry>,
    element: i32,
    dims: Vec<i64>,
    /// Name of what the last operator gives.
    last: String,
}

impl Network {
    /// A network of f32 whose picture, at input and output, has the axes `dims`.
    pub fn new(dims: &[i64]) -> Self {
        Self::of(F32, dims)
    }

    /// A network of float16 throughout.
    pub fn half(dims: &[i64]) -> Self {
        Self::of(F16, dims)
    }

    /// A network that takes and gives 8 bit integers.
    pub fn of_int8(dims: &[i64]) -> Self {
        Self::of(I8, dims)
    }

    fn of(element: i32, dims: &[i64]) -> Self {
        let graph = Graph {
            name: "test".to_owned(),
            inputs: vec![value("image", element, dims)],
            ..Graph::default()
        };
        Self {
            graph,
            metadata: Vec::new(),
            element,
            dims: dims.to_vec(),
            last: "image".to_owned(),
        }
    }

    /// A metadata entry.
    pub fn metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata.push(Entry {
            key: key.to_owned(),
            value: value.to_owned(),
        });
        self
    }

    /// The output's axes, where they are not the input's.
    pub fn painted(mut self, dims: &[i64]) -> Self {
        self.dims = dims.to_vec();
        self
    }

    /// An operator of one input and no attributes: `Identity`, `Tanh`, `Sigmoid`.
    pub fn op(self, op: &str) -> Self {
        self.node(op, &[], Vec::new())
    }

    /// `gain * value + offset` per channel; `channel_axis` counts from the last axis, 0 for `[n, h, w, c]`.
    pub fn affine(self, gain: [f32; 3], offset: [f32; 3], channel_axis: usize) -> Self {
        let mut dims = vec![3];
        dims.resize(1 + channel_axis, 1);
        let (gain, this) = self.constant(&dims, &gain);
        let (offset, this) = this.constant(&dims, &offset);
        this.node("Mul", &[&gain], Vec::new())
            .node("Add", &[&offset], Vec::new())
    }

    /// A convolution of `[n, 3, h, w]` by the same square kernel, in row-major order, in every channel. `border` rows
    /// and columns of zeros are added on every side.
    pub fn filter(self, kernel: &[f32], border: i64) -> Self {
        let side = (kernel.len() as f64).sqrt() as usize;
        let mut weights = Vec::new();
        for (to, from) in (0..3).flat_map(|to| (0..3).map(move |from| (to, from))) {
            weights.extend(
                kernel
                    .iter()
                    .map(|weight| if to == from { *weight } else { 0.0 }),
            );
        }
        let (weights, this) = self.constant(&[3, 3, side as i64, side as i64], &weights);
        this.node(
            "Conv",
            &[&weights],
            vec![Attribute::ints("pads", &[border; 4])],
        )
    }

    /// A convolution of `[n, 3, h, w]` with a row of three weights per channel given.
    pub fn mix(self, rows: [[f32; 3]; 3]) -> Self {
        let (weights, this) = self.constant(&[3, 3, 1, 1], rows.as_flattened());
        this.node("Conv", &[&weights], Vec::new())
    }

    /// Cuts values to a range.
    pub fn clip(self, low: f32, high: f32) -> Self {
        let (low, this) = self.constant(&[], &[low]);
        let (high, this) = this.constant(&[], &[high]);
        this.node("Clip", &[&low, &high], Vec::new())
    }

    /// Puts the axes into another order.
    pub fn transpose(self, order: [i64; 4]) -> Self {
        self.node("Transpose", &[], vec![Attribute::ints("perm", &order)])
    }

    /// Repeats the picture's border `border` times on every side of `[n, 3, h, w]`.
    pub fn widen(mut self, border: i64) -> Self {
        let raw = [0, 0, border, border, 0, 0, border, border];
        let raw = raw.iter().flat_map(|n: &i64| n.to_le_bytes()).collect();
        let name = format!("c{}", self.graph.initializers.len());
        let constant = Constant {
            dims: vec![8],
            element: I64,
            name: name.clone(),
            raw,
            ..Constant::default()
        };
        self.graph.initializers.push(constant);
        self.node("Pad", &[&name], vec![Attribute::text("mode", "edge")])
    }

    /// Takes `[n, 3, h, w]` apart into blocks and puts it together again: the same picture, but width and height must
    /// be multiples of the block.
    pub fn blocks(self, side: i64) -> Self {
        let block = || vec![Attribute::int("blocksize", side)];
        self.node("SpaceToDepth", &[], block())
            .node("DepthToSpace", &[], block())
    }

    /// Brings every channel of `[n, 3, h, w]` to the mean `offset` and the deviation `gain`.
    pub fn normalized(self, gain: f32, offset: f32) -> Self {
        let (gain, this) = self.constant(&[3], &[gain; 3]);
        let (offset, this) = this.constant(&[3], &[offset; 3]);
        this.node("InstanceNormalization", &[&gain, &offset], Vec::new())
    }

    /// Makes a block of 2 by 2 of every pixel of `[n, 3, h, w]`.
    pub fn doubled(self) -> Self {
        let from = |to: usize| (0..3).map(move |from| if to % 3 == from { 1.0 } else { 0.0 });
        let weights: Vec<f32> = (0..12).flat_map(from).collect();
        let (weights, this) = self.constant(&[12, 3, 1, 1], &weights);
        let block = vec![Attribute::int("blocksize", 2)];
        this.node("Conv", &[&weights], Vec::new())
            .node("DepthToSpace", &[], block)
    }

    /// Makes the mean of every block of 2 by 2 of `[n, 3, h, w]`.
    pub fn halved(self) -> Self {
        let window = vec![
            Attribute::ints("kernel_shape", &[2, 2]),
            Attribute::ints("strides", &[2, 2]),
        ];
        self.node("AveragePool", &[], window)
    }

    /// Mixes the channels of `[n, 3, h, w]` to `n` channels of equal brightness.
    pub fn channel(self, n: usize) -> Self {
        let (weights, this) = self.constant(&[n as i64, 3, 1, 1], &vec![1.0 / 3.0; 3 * n]);
        this.node("Conv", &[&weights], Vec::new())
    }

    /// A convolution whose weights are for pictures of seven channels.
    pub fn broken_filter(self) -> Self {
        let (weights, this) = self.constant(&[3, 7, 1, 1], &[0.5; 21]);
        this.node("Conv", &[&weights], Vec::new())
    }

    /// Shrinks `[n, 3, h, w]` to one mean per channel.
    pub fn mean(self) -> Self {
        self.op("GlobalAveragePool")
    }

    /// A further input of f32, which is multiplied with the picture.
    pub fn second_input(mut self, name: &str, dims: &[i64]) -> Self {
        self.graph.inputs.push(value(name, F32, dims));
        self.node("Mul", &[name], Vec::new())
    }

    /// Puts a further input, as [`Network::second_input`], before the picture.
    pub fn first_input(self, name: &str, dims: &[i64]) -> Self {
        let mut this = self.second_input(name, dims);
        this.graph.inputs.rotate_right(1);
        this
    }

    /// Lists the constants so far among the inputs, before the picture, as files of old opsets do.
    pub fn list_constants(mut self) -> Self {
        for constant in &self.graph.initializers {
            let listed = value(&constant.name, constant.element, &constant.dims);
            self.graph.inputs.insert(0, listed);
        }
        self
    }

    /// Gives a mean of the picture so far as a further output, before the painting.
    pub fn first_output(mut self, name: &str) -> Self {
        self.graph.nodes.push(Node {
            inputs: vec![self.last.clone()],
            outputs: vec![name.to_owned()],
            op: "ReduceMean".to_owned(),
            attributes: vec![Attribute::int("keepdims", 0)],
        });
        self.graph.outputs.push(value(name, self.element, &[]));
        self
    }

    /// A constant of the network's weights that lies in another file.
    pub fn external_weights(self) -> Self {
        let (name, mut this) = self.constant(&[3, 1, 1], &[1.0; 3]);
        let constant = this
            .graph
            .initializers
            .last_mut()
            .expect("it was just added");
        constant.raw.clear();
        constant.location = 1;
        constant.external = vec![Entry {
            key: "location".to_owned(),
            value: "weights.bin".to_owned(),
        }];
        this.node("Mul", &[&name], Vec::new())
    }

    /// The ONNX file.
    pub fn bytes(mut self) -> Vec<u8> {
        let painted = value(&self.last, self.element, &self.dims);
        self.graph.outputs.push(painted);
        let opset = Opset {
            domain: String::new(),
            version: 13,
        };
        let model = Model {
            ir_version: 8,
            graph: Some(self.graph),
            opsets: vec![opset],
            metadata: self.metadata,
        };
        model.encode_to_vec()
    }

    /// Writes the ONNX file.
    ///
    /// # Panics
    /// If that fails.
    pub fn write(self, path: &Path) {
        fs::write(path, self.bytes()).expect("a folder for tests is writable");
    }

    fn node(mut self, op: &str, further: &[&str], attributes: Vec<Attribute>) -> Self {
        let output = format!("v{}", self.graph.nodes.len());
        let last = std::mem::replace(&mut self.last, output.clone());
        let further = further.iter().map(|&name| name.to_owned());
        let node = Node {
            inputs: std::iter::once(last).chain(further).collect(),
            outputs: vec![output],
            op: op.to_owned(),
            attributes,
        };
        self.graph.nodes.push(node);
        self
    }

    /// Adds a constant of the network's element type and gives it a name.
    fn constant(mut self, dims: &[i64], values: &[f32]) -> (String, Self) {
        let raw = match self.element {
            F16 => values
                .iter()
                .flat_map(|&value| half(value).to_le_bytes())
                .collect(),
            _ => values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        };
        let name = format!("c{}", self.graph.initializers.len());
        let element = if self.element == F16 { F16 } else { F32 };
        let constant = Constant {
            dims: dims.to_vec(),
            element,
            name: name.clone(),
            raw,
            ..Constant::default()
        };
        self.graph.initializers.push(constant);
        (name, self)
    }
}

fn value(name: &str, element: i32, dims: &[i64]) -> Value {
    let dim = |(axis, &n): (usize, &i64)| match n {
        OPEN => Dim {
            value: None,
            name: Some(format!("{name}_{axis}")),
        },
        _ => Dim {
            value: Some(n),
            name: None,
        },
    };
    let shape = Shape {
        dims: dims.iter().enumerate().map(dim).collect(),
    };
    let tensor = TensorKind {
        element,
        shape: Some(shape),
    };
    Value {
        name: name.to_owned(),
        kind: Some(Kind {
            tensor: Some(tensor),
        }),
    }
}

/// IEEE 754 binary16 of a value within its normal range, or of zero; cut, not rounded.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    if value == 0.0 {
        return sign;
    }
    let exponent = (bits >> 23 & 0xff) as u16 - (127 - 15);
    sign | exponent << 10 | (bits >> 13) as u16 & 0x3ff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_those_of_the_standard() {
        for (value, bits) in [
            (0.0, 0),
            (1.0, 0x3c00),
            (-1.0, 0xbc00),
            (0.5, 0x3800),
            (255.0, 0x5bf8),
        ] {
            assert_eq!(half(value), bits, "{value}");
        }
    }
}
