//! A compiled network with its request: what OpenVINO runs.

use std::thread;

use openvino::prepostprocess::Pipeline;
use openvino::{
    CompiledModel, DeviceType, Dimension, ElementType, InferRequest, PartialShape, RwPropertyKey,
    Shape,
};

use super::network::Way;
use super::runtime::{core, failed, probe};
use crate::backend::values::MAX_GROWTH;
use crate::convention::Convention;
use crate::convert::Arrangement;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::settings::Precision;
use crate::trunk::{Trunk, arrangements};

/// A picture in the runtime's memory, of f32, arranged as its session says.
pub(crate) struct Tensor {
    tensor: openvino::Tensor,
}

impl Tensor {
    pub(super) fn new(dims: &[i64]) -> Result<Self> {
        let action = "allocating a picture for the network";
        let shape = Shape::new(dims).map_err(|error| failed(action, error))?;
        let tensor = openvino::Tensor::new(ElementType::F32, &shape)
            .map_err(|error| failed(action, error))?;
        Ok(Self { tensor })
    }

    pub(super) fn values(&self) -> Result<&[f32]> {
        self.tensor
            .get_data()
            .map_err(|error| failed("reading a picture", error))
    }

    pub(super) fn values_mut(&mut self) -> Result<&mut [f32]> {
        self.tensor
            .get_data_mut()
            .map_err(|error| failed("writing a picture", error))
    }
}

/// A network compiled for one size, with a request per slot.
pub(super) struct Session {
    slots: Vec<Slot>,
    /// Keeps the code of the request alive.
    _compiled: CompiledModel,
    /// Keeps the values of further inputs alive.
    _constants: Vec<(usize, Tensor)>,
    input_idx: usize,
    output_idx: usize,
    input: Arrangement,
    painted: Arrangement,
    size: (usize, usize),
    painted_size: (usize, usize),
    precision: Precision,
}

struct Slot {
    request: InferRequest,
    /// The tensors that the request holds; setting them again costs time.
    bound: Option<(usize, usize)>,
}

/// What a network is opened for.
pub(super) struct Plan<'a> {
    /// The part of it that runs; the whole of it if none.
    pub trunk: Option<&'a Trunk>,
    /// Width and height of its picture in pixels.
    pub size: (usize, usize),
    /// How it is run.
    pub way: Way,
    /// Whether what it gives is taken by [`Painting::rows`](crate::convert::Painting::rows), so that its last layers may be left
    /// to that.
    pub by_rows: bool,
    /// Pictures that it may work on at once.
    pub n_slots: usize,
}

/// A frame takes no longer than this; what does is taken to hang.
const LONGEST_MS: i64 = 600_000;

impl Session {
    /// Compiles a network.
    ///
    /// # Errors
    /// [`Error::OpenVinoMissing`], or [`Error::Style`] if the network cannot be compiled or gives no picture.
    pub(super) fn open(model: &Model, convention: &Convention, plan: &Plan<'_>) -> Result<Self> {
        let &Plan {
            trunk,
            size,
            way,
            n_slots,
            ..
        } = plan;
        let precision = way.precision();
        let refuse = |reason: String| Error::Style {
            name: model.name.clone(),
            reason,
        };
        let runtime = probe()?;
        let mut core = core()?;
        let bytes = trunk.map_or(&model.bytes[..], |trunk| &trunk.bytes);
        let [input, painted] = arrangements(trunk, convention.layout.value);
        let picture = input.dims(size);
        let n_cores = thread::available_parallelism().map_or(1, usize::from);
        let hints = Hints {
            precision: precision.hint(&runtime),
            n_streams: n_slots.min(n_cores),
        };
        let opened = Self::compile(&mut core, bytes, convention, &picture, &hints);
        let (mut compiled, painted_dims) = opened.map_err(|error| match error {
            Error::Runtime { action, reason } => refuse(format!("{action}: {reason}")),
            other => other,
        })?;
        drop(core);
        let painted_size = match (painted, &painted_dims[..]) {
            (Arrangement::Planes, &[1, 3, height, width]) => (width, height),
            (
                Arrangement::Blocks(n) | Arrangement::ChannelBlocks(n),
                &[1, height, width, channels],
            ) if channels == 3 * n * n => (width * n, height * n),
            _ => {
                return Err(refuse(format!(
                    "its output has the shape {painted_dims:?}, wanted a picture of 3 channels"
                )));
            }
        };
        let (painted_area, area) = (painted_size.0 * painted_size.1, size.0 * size.1);
        if painted_area > area * MAX_GROWTH || painted_area * MAX_GROWTH < area {
            return Err(refuse(format!(
                "it turns {}x{} pixels into {}x{}, wanted about as many",
                size.0, size.1, painted_size.0, painted_size.1
            )));
        }
        let constants = convention
            .constants
            .iter()
            .map(|constant| {
                let dims: Vec<i64> = constant.dims.iter().map(|&n| n as i64).collect();
                let mut tensor = Tensor::new(&dims)?;
                tensor.values_mut()?.copy_from_slice(&constant.values);
                Ok((constant.input_idx, tensor))
            })
            .collect::<Result<Vec<_>>>()?;
        let allocating = |error| failed("allocating the network's memory", error);
        let slots = (0..n_slots)
            .map(|_| {
                let mut request = compiled.create_infer_request().map_err(allocating)?;
                for (input_idx, tensor) in &constants {
                    request
                        .set_input_tensor_by_index(*input_idx, &tensor.tensor)
                        .map_err(|error| failed("setting a further input", error))?;
                }
                Ok(Slot {
                    request,
                    bound: None,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            slots,
            _compiled: compiled,
            _constants: constants,
            input_idx: convention.input_idx,
            output_idx: convention.output_idx,
            input,
            painted,
            size,
            painted_size,
            precision,
        })
    }

    fn compile(
        core: &mut openvino::Core,
        bytes: &[u8],
        convention: &Convention,
        picture: &[i64; 4],
        hints: &Hints,
    ) -> Result<(CompiledModel, Vec<usize>)> {
        let reading = |error| failed("reading the network", error);
        let mut network = core.read_model_from_buffer(bytes, None).map_err(reading)?;
        reshape(&mut network, convention, picture)?;
        let network = in_f32(network, convention, picture)?;

        let setting = |error| failed("setting up the CPU", error);
        let mode = if hints.n_streams == 1 {
            "LATENCY"
        } else {
            "THROUGHPUT"
        };
        let n_streams = hints.n_streams.to_string();
        for (key, value) in [
            (RwPropertyKey::HintInferencePrecision, hints.precision),
            (RwPropertyKey::HintPerformanceMode, mode),
            (RwPropertyKey::NumStreams, &n_streams),
            (RwPropertyKey::HintEnableCpuPinning, "NO"),
        ] {
            core.set_property(&DeviceType::CPU, &key, value)
                .map_err(setting)?;
        }
        let compiled = core
            .compile_model(&network, DeviceType::CPU)
            .map_err(|error| failed("compiling the network", error))?;
        let output = compiled
            .get_output_by_index(convention.output_idx)
            .map_err(reading)?;
        let shape = output.get_shape().map_err(reading)?;
        let dims = shape
            .get_dimensions()
            .iter()
            .map(|&n| usize::try_from(n).unwrap_or(0))
            .collect();
        Ok((compiled, dims))
    }

    /// What it computes in.
    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    /// Width and height of the network's output in pixels.
    pub(super) fn painted_size(&self) -> (usize, usize) {
        self.painted_size
    }

    /// How the channels of the picture that it takes lie in memory.
    pub(super) fn input_arrangement(&self) -> Arrangement {
        self.input
    }

    /// How the channels of the picture that it gives lie in memory.
    pub(super) fn painted_arrangement(&self) -> Arrangement {
        self.painted
    }

    pub(super) fn alloc_input(&self) -> Result<Tensor> {
        Tensor::new(&self.input.dims(self.size))
    }

    pub(super) fn alloc_painted(&self) -> Result<Tensor> {
        Tensor::new(&self.painted.dims(self.painted_size))
    }

    /// Starts the network in a slot; until [`Session::wait`] both tensors belong to it.
    pub(super) fn infer(
        &mut self,
        slot_idx: usize,
        input: &Tensor,
        painted: &mut Tensor,
    ) -> Result<()> {
        let running = |error| failed("running the network", error);
        let wanted = (
            input.tensor.as_c_ptr() as usize,
            painted.tensor.as_c_ptr() as usize,
        );
        let Slot { request, bound } = &mut self.slots[slot_idx];
        if *bound != Some(wanted) {
            request
                .set_input_tensor_by_index(self.input_idx, &input.tensor)
                .map_err(running)?;
            request
                .set_output_tensor_by_index(self.output_idx, &painted.tensor)
                .map_err(running)?;
            *bound = Some(wanted);
        }
        request.infer_async().map_err(running)
    }

    /// Waits for the network in a slot.
    pub(super) fn wait(&mut self, slot_idx: usize) -> Result<()> {
        let request = &mut self.slots[slot_idx].request;
        request
            .wait(LONGEST_MS)
            .map_err(|error| failed("running the network", error))
    }
}

/// What the runtime is told about the use of a network.
struct Hints {
    precision: &'static str,
    n_streams: usize,
}

/// Fixes the sizes of all inputs.
pub(super) fn reshape(
    network: &mut openvino::Model,
    convention: &Convention,
    picture: &[i64; 4],
) -> Result<()> {
    let reshaping = |error| failed("fitting the network to the picture's size", error);
    let constants = convention.constants.iter().map(|constant| {
        (
            constant.input_idx,
            constant.dims.iter().map(|&n| n as i64).collect(),
        )
    });
    let shapes = std::iter::once((convention.input_idx, picture.to_vec()))
        .chain(constants)
        .map(|(idx, dims)| {
            let dims: Vec<_> = dims.iter().map(|&n| Dimension::new(n, n)).collect();
            let shape = PartialShape::new(dims.len() as i64, &dims).map_err(reshaping)?;
            Ok((idx, shape))
        })
        .collect::<Result<Vec<_>>>()?;
    let shapes: Vec<_> = shapes.iter().map(|(idx, shape)| (*idx, shape)).collect();
    network.reshape_by_port_indexes(&shapes).map_err(reshaping)
}

/// Has the runtime convert where the network holds elements other than f32.
fn in_f32(
    network: openvino::Model,
    convention: &Convention,
    dims: &[i64],
) -> Result<openvino::Model> {
    let wrapping = |error| failed("fitting the network's element type", error);
    let input = network
        .get_input_by_index(convention.input_idx)
        .map_err(wrapping)?;
    let output = network
        .get_output_by_index(convention.output_idx)
        .map_err(wrapping)?;
    let is_f32 =
        |node: &openvino::Node| Ok(node.get_element_type().map_err(wrapping)? == ElementType::F32);
    if is_f32(&input)? && is_f32(&output)? {
        return Ok(network);
    }
    let pipeline = Pipeline::new(&network).map_err(wrapping)?;
    let example = Tensor::new(dims)?;
    let input = pipeline
        .get_input_info_by_index(convention.input_idx)
        .map_err(wrapping)?;
    input
        .get_tensor_info()
        .and_then(|mut info| info.set_from(&example.tensor))
        .map_err(wrapping)?;
    let output = pipeline
        .get_output_info_by_index(convention.output_idx)
        .map_err(wrapping)?;
    output
        .get_tensor_info()
        .and_then(|mut info| info.set_element_type(ElementType::F32))
        .map_err(wrapping)?;
    pipeline.build_new_model().map_err(wrapping)
}
