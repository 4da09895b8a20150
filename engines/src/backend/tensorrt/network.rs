//! What an engine is built from and for.

use super::gpu::Gpu;
use super::half::halve;
use crate::backend::cpu;
use crate::convention::Size;
use crate::error::{Error, Result};
use crate::geometry::Geometry;
use crate::model::Model;
use crate::onnx::number::{GRAPH_OUTPUT, MODEL_GRAPH};
use crate::protobuf::{Fields, put};
use crate::settings::Precision;
use crate::trunk;

/// What an engine is built for.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The style's network.
    pub model: &'a Model,
    /// Width and height of the frames in pixels; of any size without.
    pub frame: Option<(usize, usize)>,
    /// Height in pixels at which the network works, 0 = the frame's own.
    pub processing_size: usize,
    /// Number format in which the network computes.
    pub precision: Precision,
    /// Kind of GPU that it is to run on.
    pub gpu: Gpu,
    /// Name of that GPU, if it is one of this machine.
    pub gpu_name: Option<&'a str>,
}

/// The network as TensorRT gets it.
pub(super) struct Network {
    /// The ONNX file.
    pub bytes: Vec<u8>,
    /// Position of the picture among the inputs.
    pub input_idx: usize,
    /// Positions of further inputs, and sizes of their axes.
    pub constants: Vec<(usize, Vec<i64>)>,
    /// Sizes of the picture's axes.
    pub dims: Dims,
    /// What the picture measures, for people: `1312x752`, or `dynamic`.
    pub size: String,
    /// Whether it is in half precision.
    pub is_half: bool,
}

/// Sizes of a picture's axes.
pub(super) enum Dims {
    /// These.
    Fixed([i64; 4]),
    /// Any from the first to the last; the one between is the most usual.
    Range([[i64; 4]; 3]),
}

/// Least, most usual and largest width and height in pixels of what a network for frames of any size sees.
const SIZES: [(usize, usize); 3] = [(64, 64), (1312, 752), (4096, 2304)];

impl Plan<'_> {
    /// Prepares the network: the trunk of one of our own, in the precision asked for. Half, if that is left open, where the
    /// network is of a family trained for it: nothing is measured.
    pub(super) fn network(&self) -> Result<Network> {
        let refuse = |reason: String| Error::Style {
            name: self.model.name.clone(),
            reason,
        };
        let convention = cpu::measure(self.model)?;
        let fixed = match (self.frame, convention.size.value) {
            (Some(frame), _) => Some(frame),
            (None, Size::Fixed(width, height)) => Some((width, height)),
            (None, Size::Any) => None,
        };
        let seen = fixed
            .map(|(width, height)| Geometry::new(&convention, width, height, self.processing_size))
            .transpose()?;
        let trunk = match fixed.zip(seen) {
            Some((frame, seen)) => trunk::fitting(self.model, &seen, frame),
            None => trunk::cut(&self.model.bytes),
        };
        let [arrangement, _] = trunk::arrangements(trunk.as_ref(), convention.layout.value);
        let bytes = trunk.map_or_else(|| self.model.bytes.to_vec(), |trunk| trunk.bytes);
        let bytes = only_output(&bytes, convention.output_idx).map_err(refuse)?;
        let is_family = self.model.metadata("family").is_some();
        let half = match self.precision {
            Precision::Half => Some(halve(&bytes).map_err(refuse)?),
            Precision::Auto if is_family => halve(&bytes).ok(),
            Precision::Auto | Precision::F32 => None,
        };
        let (dims, size) = match seen {
            Some(seen) => {
                let (width, height) = (seen.padded_width, seen.padded_height);
                (
                    Dims::Fixed(arrangement.dims((width, height))),
                    format!("{width}x{height}"),
                )
            }
            None => {
                let align = convention.align.map_or(1, |known| known.value).max(1);
                let up = |side: usize| side.next_multiple_of(align);
                let range = SIZES.map(|(width, height)| arrangement.dims((up(width), up(height))));
                (Dims::Range(range), "dynamic".to_owned())
            }
        };
        let constants = convention.constants.iter().map(|constant| {
            let dims = constant.dims.iter().map(|&n| n as i64).collect();
            (constant.input_idx, dims)
        });
        Ok(Network {
            input_idx: convention.input_idx,
            constants: constants.collect(),
            dims,
            size,
            is_half: half.is_some(),
            bytes: half.unwrap_or(bytes),
        })
    }
}

/// The network with one of its outputs alone: TensorRT computes all that there are, and wants room for each.
fn only_output(bytes: &[u8], idx: usize) -> std::result::Result<Vec<u8>, String> {
    let mut edited = Vec::with_capacity(bytes.len());
    for part in Fields(bytes) {
        let part = part.ok_or("it is no ONNX file")?;
        if part.number != MODEL_GRAPH {
            edited.extend_from_slice(part.whole);
            continue;
        }
        let mut graph = Vec::with_capacity(part.content.len());
        let mut n_outputs = 0;
        for part in Fields(part.content) {
            let part = part.ok_or("its graph is no ONNX graph")?;
            let is_output = part.number == GRAPH_OUTPUT;
            if !is_output || n_outputs == idx {
                graph.extend_from_slice(part.whole);
            }
            n_outputs += usize::from(is_output);
        }
        put(&mut edited, MODEL_GRAPH, &graph);
    }
    Ok(edited)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{ModelProto, Node, Value, element};
    use prost::Message;

    #[test]
    fn one_output_is_left() {
        let mut graph = Vec::new();
        let node = Node {
            op: "Relu".to_owned(),
            ..Node::default()
        };
        put(&mut graph, 1, &node.encode_to_vec());
        for name in ["a", "b", "c"] {
            let value = Value::picture(name, element::F32, 3);
            put(&mut graph, GRAPH_OUTPUT, &value.encode_to_vec());
        }
        let mut bytes = Vec::new();
        put(&mut bytes, MODEL_GRAPH, &graph);
        let left = only_output(&bytes, 1).unwrap();
        let model = ModelProto::parse(&left).unwrap();
        let outputs = model.graph.unwrap().outputs();
        let names: Vec<_> = outputs.iter().map(|port| port.name.as_str()).collect();
        assert_eq!(names, ["b"]);
        assert!(only_output(b"no network", 0).is_err());
    }
}
