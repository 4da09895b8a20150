//! A compiled network with its request: what OpenVINO runs.

use openvino::prepostprocess::Pipeline;
use openvino::{
    CompiledModel, DeviceType, Dimension, ElementType, InferRequest, PartialShape, RwPropertyKey,
    Shape,
};

use super::runtime::{core, failed, probe};
use crate::error::{Error, Result};
use crate::model::{Convention, Layout, Model};
use crate::settings::Precision;

/// Largest output a network may have per pixel of input: a few pixels more are cut, a picture of four times
/// the size is scaled down, beyond that the file is taken to be wrong or hostile.
const MAX_GROWTH: usize = 16;

/// A picture in the runtime's memory, `[1, 3, height, width]` of f32.
pub(crate) struct Tensor {
    tensor: openvino::Tensor,
}

impl Tensor {
    fn new(dims: &[i64]) -> Result<Self> {
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

/// A network compiled for one size, with its one request.
pub(super) struct Session {
    request: InferRequest,
    /// What a network of `[1, h, w, 3]` takes and gives.
    interleaved: Option<(Tensor, Tensor)>,
    /// Keeps the code of the request alive.
    _compiled: CompiledModel,
    /// Keeps the values of further inputs alive.
    _constants: Vec<Tensor>,
    input_idx: usize,
    output_idx: usize,
    size: (usize, usize),
    painted_size: (usize, usize),
    /// The tensors that the request holds; setting them again costs time.
    bound: Option<(usize, usize)>,
}

impl Session {
    /// Compiles `model` for pictures of `size`, width before height.
    ///
    /// # Errors
    /// [`Error::OpenVinoMissing`], or [`Error::Style`] if the network cannot be compiled or gives no picture.
    pub(super) fn open(
        model: &Model,
        convention: &Convention,
        size: (usize, usize),
        precision: Precision,
    ) -> Result<Self> {
        let refuse = |reason: String| Error::Style {
            name: model.name.clone(),
            reason,
        };
        let runtime = probe()?;
        let mut core = core()?;
        let opened = Self::compile(&mut core, model, convention, size, precision.hint(&runtime));
        let layout = convention.layout.value;
        let (mut compiled, painted_dims) = opened.map_err(|error| match error {
            Error::Runtime { action, reason } => refuse(format!("{action}: {reason}")),
            other => other,
        })?;
        drop(core);
        let painted_size = match (layout, &painted_dims[..]) {
            (Layout::Nchw, &[1, 3, height, width]) | (Layout::Nhwc, &[1, height, width, 3]) => {
                (width, height)
            }
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
        let mut request = compiled
            .create_infer_request()
            .map_err(|error| failed("allocating the network's memory", error))?;
        let constants = convention
            .constants
            .iter()
            .map(|constant| {
                let dims: Vec<i64> = constant.dims.iter().map(|&n| n as i64).collect();
                let mut tensor = Tensor::new(&dims)?;
                tensor.values_mut()?.copy_from_slice(&constant.values);
                request
                    .set_input_tensor_by_index(constant.input_idx, &tensor.tensor)
                    .map_err(|error| failed("setting a further input", error))?;
                Ok(tensor)
            })
            .collect::<Result<Vec<_>>>()?;
        let interleaved = match layout {
            Layout::Nchw => None,
            Layout::Nhwc => Some((
                Tensor::new(&dims(layout, size))?,
                Tensor::new(&dims(layout, painted_size))?,
            )),
        };
        Ok(Self {
            request,
            interleaved,
            _compiled: compiled,
            _constants: constants,
            input_idx: convention.input_idx,
            output_idx: convention.output_idx,
            size,
            painted_size,
            bound: None,
        })
    }

    fn compile(
        core: &mut openvino::Core,
        model: &Model,
        convention: &Convention,
        (width, height): (usize, usize),
        precision: &str,
    ) -> Result<(CompiledModel, Vec<usize>)> {
        let reading = |error| failed("reading the network", error);
        let mut network = core
            .read_model_from_buffer(&model.bytes, None)
            .map_err(reading)?;
        reshape(&mut network, convention, width, height)?;
        let dims = dims(convention.layout.value, (width, height));
        let network = in_f32(network, convention, &dims)?;

        let setting = |error| failed("setting up the CPU", error);
        for (key, value) in [
            (RwPropertyKey::HintInferencePrecision, precision),
            (RwPropertyKey::HintPerformanceMode, "LATENCY"),
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

    /// Width and height of the network's output in pixels.
    pub(super) fn painted_size(&self) -> (usize, usize) {
        self.painted_size
    }

    pub(super) fn alloc_input(&self) -> Result<Tensor> {
        Tensor::new(&dims(Layout::Nchw, self.size))
    }

    pub(super) fn alloc_painted(&self) -> Result<Tensor> {
        Tensor::new(&dims(Layout::Nchw, self.painted_size))
    }

    /// Runs the network on `[1, 3, h, w]`, whatever its own layout.
    pub(super) fn infer(&mut self, input: &Tensor, painted: &mut Tensor) -> Result<()> {
        let Some((mut own_input, mut own_painted)) = self.interleaved.take() else {
            return self.run(input, painted);
        };
        interleave(input.values()?, own_input.values_mut()?);
        let done = self.run(&own_input, &mut own_painted);
        if done.is_ok() {
            separate(own_painted.values()?, painted.values_mut()?);
        }
        self.interleaved = Some((own_input, own_painted));
        done
    }

    fn run(&mut self, input: &Tensor, painted: &mut Tensor) -> Result<()> {
        let running = |error| failed("running the network", error);
        let wanted = (
            input.tensor.as_c_ptr() as usize,
            painted.tensor.as_c_ptr() as usize,
        );
        if self.bound != Some(wanted) {
            self.request
                .set_input_tensor_by_index(self.input_idx, &input.tensor)
                .map_err(running)?;
            self.request
                .set_output_tensor_by_index(self.output_idx, &painted.tensor)
                .map_err(running)?;
            self.bound = Some(wanted);
        }
        self.request.infer().map_err(running)
    }
}

/// Sizes of the axes of a picture of `size`, width before height.
fn dims(layout: Layout, (width, height): (usize, usize)) -> [i64; 4] {
    let (width, height) = (width as i64, height as i64);
    match layout {
        Layout::Nchw => [1, 3, height, width],
        Layout::Nhwc => [1, height, width, 3],
    }
}

/// Fixes the sizes of all inputs.
pub(super) fn reshape(
    network: &mut openvino::Model,
    convention: &Convention,
    width: usize,
    height: usize,
) -> Result<()> {
    let reshaping = |error| failed("fitting the network to the picture's size", error);
    let picture = dims(convention.layout.value, (width, height)).to_vec();
    let constants = convention.constants.iter().map(|constant| {
        (
            constant.input_idx,
            constant.dims.iter().map(|&n| n as i64).collect(),
        )
    });
    let shapes = std::iter::once((convention.input_idx, picture))
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

/// `[1, h, w, 3]` from `[1, 3, h, w]`.
fn interleave(planar: &[f32], interleaved: &mut [f32]) {
    let area = planar.len() / 3;
    let (first, rest) = planar.split_at(area);
    let (second, third) = rest.split_at(area);
    let (pixels, _) = interleaved.as_chunks_mut::<3>();
    for (((pixel, &a), &b), &c) in pixels.iter_mut().zip(first).zip(second).zip(third) {
        *pixel = [a, b, c];
    }
}

/// `[1, 3, h, w]` from `[1, h, w, 3]`.
fn separate(interleaved: &[f32], planar: &mut [f32]) {
    let area = planar.len() / 3;
    let (first, rest) = planar.split_at_mut(area);
    let (second, third) = rest.split_at_mut(area);
    let (pixels, _) = interleaved.as_chunks::<3>();
    for (((&[a, b, c], first), second), third) in pixels.iter().zip(first).zip(second).zip(third) {
        (*first, *second, *third) = (a, b, c);
    }
}
