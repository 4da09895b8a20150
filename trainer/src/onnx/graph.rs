//! The operators of a network, in the order in which they run.

use super::proto::{Attribute, Constant, Graph, Node, Value, element};
use crate::net::plan::{Plan, Step, Unit};

/// Name of the picture that goes in.
const INPUT: &str = "input";
/// Name of the picture that comes out.
const OUTPUT: &str = "output";

/// Number formats of what lies between the two pictures, which are always f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    Full,
    /// 16 bits: half the file, and faster on graphics cards. Between operators too, with a cast at either end.
    Half,
}

/// What the graph is made of, so far.
struct Builder {
    graph: Graph,
    /// Name of the value that the next operator takes.
    last: String,
}

/// The graph of a plan: `input` and `output` are `[n, 3, h, w]` of RGB 0..1. The constants of the convolutions, which
/// `constants` gives, are `NAME.weight` and `NAME.bias`.
pub(super) fn graph(
    plan: &Plan,
    precision: Precision,
    mut constants: impl FnMut(usize, &Unit) -> [Constant; 2],
) -> Graph {
    let mut builder = Builder::new();
    let block = [Attribute::int("blocksize", plan.block)];
    builder.push("Sub", "centred", &["half"], &[]);
    builder.push("SpaceToDepth", "blocks", &[], &block);
    if precision == Precision::Half {
        builder.cast("narrow", element::F16);
    }
    let mut forks = Vec::new();
    let [mut n_joins, mut n_doubled] = [0; 2];
    for step in &plan.steps {
        match *step {
            Step::Unit(idx) => {
                let unit = &plan.units[idx];
                builder.graph.constants.extend(constants(idx, unit));
                builder.unit(unit);
            }
            Step::Fork => forks.push(builder.last.clone()),
            Step::Join => {
                let fork = forks.pop().expect("a fork for each join");
                builder.push("Add", &format!("sum{n_joins}"), &[&fork], &[]);
                n_joins += 1;
            }
            Step::Double => {
                builder.double(&format!("doubled{n_doubled}"));
                n_doubled += 1;
            }
        }
    }
    if precision == Precision::Half {
        builder.cast("wide", element::F32);
    }
    let [block] = block;
    // Channels are `[dy, dx, colour]`, as the convolutions of a block of pixels give them.
    let to_pixels = [block, Attribute::text("mode", "DCR")];
    builder.push("DepthToSpace", "pixels", &[], &to_pixels);
    builder.push("Add", "raised", &["half"], &[]);
    builder.push("Clip", OUTPUT, &["black", "white"], &[]);
    builder.graph
}

impl Builder {
    fn new() -> Self {
        let scalar = |name: &str, value| Constant::full(name, &[], &[value]);
        let constants = vec![
            scalar("half", 0.5),
            scalar("black", 0.0),
            scalar("white", 1.0),
            Constant::full("twice", &[4], &[1.0, 1.0, 2.0, 2.0]),
        ];
        Self {
            graph: Graph {
                name: "impasto".to_owned(),
                constants,
                inputs: vec![Value::picture(INPUT)],
                outputs: vec![Value::picture(OUTPUT)],
                nodes: Vec::new(),
            },
            last: INPUT.to_owned(),
        }
    }

    /// Appends an operator that takes the last value and others, and gives the value `output`.
    fn push(&mut self, op: &str, output: &str, others: &[&str], attributes: &[Attribute]) {
        let mut inputs = vec![std::mem::replace(&mut self.last, output.to_owned())];
        inputs.extend(others.iter().map(|&input| input.to_owned()));
        self.graph.nodes.push(Node {
            inputs,
            outputs: vec![output.to_owned()],
            name: output.to_owned(),
            op: op.to_owned(),
            attributes: attributes.to_vec(),
        });
    }

    fn unit(&mut self, unit: &Unit) {
        let (weight, bias) = (
            format!("{}.weight", unit.name),
            format!("{}.bias", unit.name),
        );
        let dilation = unit.walk.dilation;
        let attributes = [
            Attribute::ints("dilations", &[dilation; 2]),
            Attribute::ints("kernel_shape", &[3; 2]),
            Attribute::ints("pads", &[dilation; 4]),
            Attribute::ints("strides", &[unit.walk.stride; 2]),
        ];
        let output = format!("{}.conv", unit.name);
        self.push("Conv", &output, &[&weight, &bias], &attributes);
        if unit.relu {
            self.push("Relu", &format!("{}.relu", unit.name), &[], &[]);
        }
    }

    fn double(&mut self, output: &str) {
        let attributes = [
            Attribute::text("coordinate_transformation_mode", "asymmetric"),
            Attribute::text("mode", "nearest"),
            Attribute::text("nearest_mode", "floor"),
        ];
        self.push("Resize", output, &["", "twice"], &attributes);
    }

    fn cast(&mut self, output: &str, element: i32) {
        let to = Attribute::int("to", element as usize);
        self.push("Cast", output, &[], &[to]);
    }
}
