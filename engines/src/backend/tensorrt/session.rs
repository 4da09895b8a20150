//! An engine on a GPU, ready to run.

#![expect(unsafe_code, reason = "TensorRT is given addresses")]

use std::ffi::c_void;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cudarc::driver::{CudaContext, CudaSlice, CudaStream};
use trtx::{CudaEngine, DataType, ExecutionContext, LogHandler, Logger, Severity, TensorIOMode};

use super::awaited::Watch;
use super::cache::Kernels;
use super::cuda::{Cuda, address, failed};
use super::jit;
use super::kernels::Address;
use crate::convention::ConstantInput;
use crate::error::{Error, Result};

/// How long TensorRT may take to start a network: the first time, it compiles what it needs.
const STARTING: Duration = Duration::from_secs(120);

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

/// What a session is made of.
pub(super) struct Parts {
    /// The engine, and what to call it.
    pub engine: Vec<u8>,
    pub name: String,
    /// Whether its pictures are in half precision.
    pub is_half: bool,
    /// Inputs besides the picture.
    pub constants: Vec<ConstantInput>,
    /// What the GPU compiled of it before.
    pub kernels: Kernels,
}

/// An engine with its context. They live on a thread of their own: TensorRT's objects borrow from each other, and stay where
/// they were made.
pub(super) struct Session {
    /// Where to send the addresses of input and output; none once it is over.
    work: Option<SyncSender<[Address; 2]>>,
    started: Receiver<Result<()>>,
    worker: Option<JoinHandle<()>>,
    painted_dims: Vec<i64>,
    watch: Watch,
}

impl Session {
    /// Makes a built engine ready.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the GPU does not take the engine.
    pub(super) fn open(cuda: &Cuda, parts: Parts) -> Result<Self> {
        let mut constants = Vec::new();
        for constant in &parts.constants {
            let mut memory = cuda.alloc::<f32>(constant.values.len())?;
            cuda.coming
                .memcpy_htod(&constant.values[..], &mut memory)
                .map_err(failed("sending the values of an input"))?;
            constants.push((constant.name.clone(), memory));
        }
        let worker = Worker {
            context: cuda.context().clone(),
            stream: cuda.coming.clone(),
            gpu: cuda.name.clone(),
            parts,
            constants,
        };
        let (work, orders) = sync_channel(1);
        let (opened, is_open) = sync_channel(1);
        let (done, started) = sync_channel(1);
        let worker = thread::Builder::new()
            .name("tensorrt".to_owned())
            .spawn(move || worker.work(&orders, &opened, &done))
            .map_err(|error| Error::Runtime {
                action: "starting a thread for TensorRT",
                reason: error.to_string(),
            })?;
        let painted_dims = is_open.recv().unwrap_or_else(|_| Err(gone()))?;
        Ok(Self {
            work: Some(work),
            started,
            worker: Some(worker),
            painted_dims,
            watch: cuda.watch.clone(),
        })
    }
}

impl Infer for Session {
    fn painted_dims(&self) -> &[i64] {
        &self.painted_dims
    }

    unsafe fn run(&mut self, _: &Cuda, input: Address, painted: Address) -> Result<()> {
        let work = self.work.as_ref().ok_or_else(gone)?;
        work.send([input, painted]).map_err(|_| gone())?;
        match self.started.recv_timeout(STARTING) {
            Ok(started) => started,
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
            Err(RecvTimeoutError::Timeout) => Err(self.watch.lose()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.work = None;
        // Where the GPU no longer answers, neither does the thread.
        if let Some(worker) = self.worker.take().filter(|_| !self.watch.is_lost()) {
            // If it has panicked, that was said.
            let _ = worker.join();
        }
    }
}

fn gone() -> Error {
    Error::Runtime {
        action: "painting on the GPU",
        reason: "TensorRT's thread has ended".to_owned(),
    }
}

/// The thread's side.
struct Worker {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    gpu: String,
    parts: Parts,
    constants: Vec<(String, CudaSlice<f32>)>,
}

impl Worker {
    /// Opens the engine, and starts it whenever it is told to, until nobody is there to tell.
    fn work(
        self,
        orders: &Receiver<[Address; 2]>,
        opened: &SyncSender<Result<Vec<i64>>>,
        done: &SyncSender<Result<()>>,
    ) {
        let said = Said::default();
        let run = || -> trtx::Result<()> {
            let logger = Logger::new(said.clone())?;
            let mut runtime = trtx::Runtime::new(&logger)?;
            let mut engine = runtime.deserialize_cuda_engine(&self.parts.engine)?;
            let (mut context, mut compiled) = jit::context(&mut engine, &self.parts.kernels)?;
            said.forget();
            let ports = match self.ports(&engine)? {
                Ok(ports) => ports,
                Err(reason) => {
                    // Nobody waits any more if this is not taken.
                    let _ = opened.send(Err(self.refuse(&reason)));
                    return Ok(());
                }
            };
            for (name, memory) in &self.constants {
                // SAFETY: it is as large as the input, and lives as long as the context.
                unsafe { context.set_input_tensor_address(name, pointer(address(memory)))? };
            }
            let _ = opened.send(Ok(ports.painted_dims.clone()));
            for (n_started, [input, painted]) in orders.iter().enumerate() {
                let started = self.start(&mut context, &ports, input, painted);
                let started = started.map_err(|error| Error::Runtime {
                    action: "painting on the GPU",
                    reason: said.take(&error),
                });
                if done.send(started).is_err() {
                    break;
                }
                if n_started == 0 {
                    compiled.keep();
                }
            }
            compiled.keep();
            Ok(())
        };
        let bound = self.context.bind_to_thread();
        let outcome = match bound {
            Ok(()) => run().map_err(|error| self.refuse(&said.take(&error))),
            Err(error) => Err(failed("using the GPU")(error)),
        };
        if let Err(error) = outcome {
            // As above.
            let _ = opened.send(Err(error));
        }
    }

    fn refuse(&self, reason: &str) -> Error {
        Error::Gpu {
            reason: format!("{} does not run on {}: {reason}", self.parts.name, self.gpu),
        }
    }

    /// Finds the engine's picture and painting. `Err` inside says what is wrong with them.
    fn ports(&self, engine: &CudaEngine<'_>) -> trtx::Result<std::result::Result<Ports, String>> {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for idx in 0..engine.nb_io_tensors()? {
            let name = engine.io_tensor_name(idx)?;
            match engine.tensor_io_mode(&name)? {
                TensorIOMode::kOUTPUT => outputs.push(name),
                _ if self.constants.iter().all(|(constant, _)| *constant != name) => {
                    inputs.push(name);
                }
                _ => {}
            }
        }
        let ([input], [output]) = (&inputs[..], &outputs[..]) else {
            return Ok(Err(format!(
                "it takes {inputs:?} and gives {outputs:?}, wanted one picture each"
            )));
        };
        let wanted = if self.parts.is_half {
            DataType::kHALF
        } else {
            DataType::kFLOAT
        };
        for name in [input, output] {
            let found = engine.tensor_data_type(name)?;
            if found != wanted {
                return Ok(Err(format!(
                    "`{name}` holds {found:?}, wanted {wanted:?}; set precision to half or f32, whichever the file has"
                )));
            }
        }
        Ok(Ok(Ports {
            painted_dims: engine.tensor_shape(output)?,
            input: input.clone(),
            output: output.clone(),
        }))
    }

    fn start(
        &self,
        context: &mut ExecutionContext<'_>,
        ports: &Ports,
        input: Address,
        painted: Address,
    ) -> trtx::Result<()> {
        // SAFETY: who calls `run` vouches for both addresses.
        unsafe {
            context.set_input_tensor_address(&ports.input, pointer(input))?;
            context.set_output_tensor_address(&ports.output, pointer(painted).cast_mut())?;
            context.enqueue_v3(self.stream.cu_stream().cast())
        }
    }
}

/// An engine's picture and painting.
struct Ports {
    input: String,
    output: String,
    painted_dims: Vec<i64>,
}

fn pointer(address: Address) -> *const c_void {
    address as *const c_void
}

/// What TensorRT said first that was an error; what it says later follows from that. It returns no reasons.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Option<String>>>);

impl LogHandler for Said {
    fn log(&self, severity: Severity, message: &str) {
        if severity <= Severity::Error {
            let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            said.get_or_insert_with(|| message.to_owned());
        }
    }
}

impl Said {
    /// Forgets what was said of something that came to a good end.
    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What was said about an error, or the error itself.
    fn take(&self, error: &trtx::Error) -> String {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        said.unwrap_or_else(|| error.to_string())
    }
}
