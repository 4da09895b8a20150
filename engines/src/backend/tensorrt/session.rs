//! An engine on a GPU, ready to run.

#![expect(unsafe_code, reason = "TensorRT is given addresses")]

use std::ffi::c_void;
use std::sync::{Mutex, OnceLock, PoisonError};

use cudarc::driver::CudaSlice;
use trtx::{CudaEngine, ExecutionContext, LogHandler, Logger, Severity, TensorIOMode};

use super::cache::Made;
use super::cuda::{Cuda, address, failed};
use super::kernels::Address;
use crate::error::{Error, Result};
use crate::model::ConstantInput;

/// What TensorRT said last that was an error. It returns no reasons.
static SAID: Mutex<String> = Mutex::new(String::new());

/// A network that paints on a GPU.
pub(super) trait Infer: Send {
    /// Sizes of the axes of what the network gives.
    fn painted_dims(&self) -> &[i64];

    /// Starts the network on what lies at `input`, on the stream of what comes; what it gives goes to `painted`.
    ///
    /// # Safety
    /// Both are memory on this GPU, as large as the network's input and output, and stay so until it has run.
    unsafe fn run(&mut self, cuda: &Cuda, input: Address, painted: Address) -> Result<()>;
}

/// An engine with its context.
///
/// TensorRT's objects may be used from any thread, by one at a time.
pub(super) struct Session {
    // In the order in which they have to go.
    context: ExecutionContext<'static>,
    _engine: CudaEngine<'static>,
    _runtime: trtx::Runtime<'static>,
    input: String,
    output: String,
    /// Values of further inputs.
    _constants: Vec<CudaSlice<f32>>,
    /// Sizes of the axes of what it gives.
    painted_dims: Vec<i64>,
}

// SAFETY: TensorRT asks that no two threads use an engine or a context at the same time, which `&mut self` sees to. What of
// the bindings counts references does so within this struct alone.
unsafe impl Send for Session {}

impl Session {
    /// Makes a built engine ready, with the values of inputs besides the picture.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the GPU does not take the engine.
    pub(super) fn open(
        cuda: &Cuda,
        made: &Made,
        constants: &[ConstantInput],
        output_idx: usize,
    ) -> Result<Self> {
        cuda.bind()?;
        let refuse = |error: trtx::Error| Error::Gpu {
            reason: format!(
                "{} does not run on {}: {}",
                made.entry,
                cuda.name,
                said(&error)
            ),
        };
        let mut runtime = trtx::Runtime::new(logger()?).map_err(refuse)?;
        let mut engine = runtime
            .deserialize_cuda_engine(&made.engine)
            .map_err(refuse)?;
        let mut context = engine.create_execution_context().map_err(refuse)?;
        let ports = |mode: TensorIOMode| -> trtx::Result<Vec<String>> {
            let mut names = Vec::new();
            for idx in 0..engine.nb_io_tensors()? {
                let name = engine.io_tensor_name(idx)?;
                if engine.tensor_io_mode(&name)? == mode {
                    names.push(name);
                }
            }
            Ok(names)
        };
        let is_constant = |name: &&String| constants.iter().any(|constant| constant.name == **name);
        let inputs = ports(TensorIOMode::kINPUT).map_err(refuse)?;
        let outputs = ports(TensorIOMode::kOUTPUT).map_err(refuse)?;
        let input = inputs.iter().find(|name| !is_constant(name)).cloned();
        let output = outputs.get(output_idx).cloned();
        let (Some(input), Some(output)) = (input, output) else {
            return Err(Error::Gpu {
                reason: format!("{} has no picture to take or to give", made.entry),
            });
        };
        let mut values = Vec::new();
        for constant in constants {
            let mut memory = cuda.alloc::<f32>(constant.values.len())?;
            cuda.coming
                .memcpy_htod(&constant.values[..], &mut memory)
                .map_err(failed("sending the values of an input"))?;
            // SAFETY: it is as large as the input, and lives as long as the context.
            unsafe { context.set_input_tensor_address(&constant.name, pointer(address(&memory))) }
                .map_err(refuse)?;
            values.push(memory);
        }
        let painted_dims = engine.tensor_shape(&output).map_err(refuse)?;
        Ok(Self {
            context,
            _engine: engine,
            _runtime: runtime,
            input,
            output,
            _constants: values,
            painted_dims,
        })
    }
}

impl Infer for Session {
    fn painted_dims(&self) -> &[i64] {
        &self.painted_dims
    }

    unsafe fn run(&mut self, cuda: &Cuda, input: Address, painted: Address) -> Result<()> {
        cuda.bind()?;
        let stream = cuda.coming.cu_stream().cast();
        // SAFETY: the caller's.
        unsafe {
            self.context
                .set_input_tensor_address(&self.input, pointer(input))
                .and_then(|()| {
                    self.context
                        .set_output_tensor_address(&self.output, pointer(painted).cast_mut())
                })
                .and_then(|()| self.context.enqueue_v3(stream))
        }
        .map_err(|error| Error::Runtime {
            action: "painting on the GPU",
            reason: said(&error),
        })
    }
}

fn pointer(address: Address) -> *const c_void {
    address as *const c_void
}

/// The process's logger for what runs.
fn logger() -> Result<&'static Logger> {
    static LOGGER: OnceLock<Logger> = OnceLock::new();
    if let Some(logger) = LOGGER.get() {
        return Ok(logger);
    }
    let logger = Logger::new(Listener).map_err(|error| Error::Runtime {
        action: "starting TensorRT",
        reason: error.to_string(),
    })?;
    Ok(LOGGER.get_or_init(|| logger))
}

struct Listener;

impl LogHandler for Listener {
    fn log(&self, severity: Severity, message: &str) {
        if severity <= Severity::Error {
            *SAID.lock().unwrap_or_else(PoisonError::into_inner) = message.to_owned();
        }
    }
}

/// What TensorRT said about an error, or the error itself.
fn said(error: &trtx::Error) -> String {
    let said = std::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner));
    if said.is_empty() {
        error.to_string()
    } else {
        said
    }
}
