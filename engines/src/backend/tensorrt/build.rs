//! From a network to an engine.

use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, PoisonError};

use trtx::trtx_sys::Dims64;
use trtx::{
    Builder, BuilderConfig, BuilderFlag, LogHandler, Logger, OnnxParser, OptProfileSelector,
    Severity,
};

use super::gpu::{Gpu, devices};
use super::network::{Dims, Network};
use super::runtime;
use crate::error::{Error, Result};

/// Builds the engine of a network called `name`. Needs neither a GPU nor a driver, if TensorRT knows the kind of GPU.
///
/// # Errors
/// [`Error::TensorRtMissing`], [`Error::Gpu`] if it cannot build for such GPUs here, or [`Error::Style`] if TensorRT does
/// not take the network.
pub(super) fn build(name: &str, network: &Network, gpu: Gpu) -> Result<Vec<u8>> {
    runtime::probe()?;
    if !can_aim(gpu) && !devices()?.iter().any(|device| device.gpu == gpu) {
        return Err(Error::Gpu {
            reason: format!(
                "an engine for compute capability {gpu} can only be built where there is such a GPU, and here is none"
            ),
        });
    }
    let told = Told::default();
    run(network, gpu, &told).map_err(|error| Error::Style {
        name: name.to_owned(),
        reason: format!(
            "TensorRT does not build it: {}; engine=cpu may take it",
            told.cause(&error)
        ),
    })
}

fn run(network: &Network, gpu: Gpu, told: &Told) -> trtx::Result<Vec<u8>> {
    let logger = Logger::new(told.clone())?;
    let mut builder = Builder::new(&logger)?;
    // Strongly typed, as all networks of TensorRT-RTX are.
    let definition = builder.create_network(0)?;
    let mut parser = OnnxParser::new(definition, &logger)?;
    parser.parse(&network.bytes)?;
    let definition = parser.network_mut();
    let mut config = builder.create_config()?;
    aim(&mut config, gpu)?;
    if !network.is_half {
        // Else products of f32 may be computed with 10 bits.
        config.clear_flag(BuilderFlag::kTF32);
    }
    for (idx, dims) in &network.constants {
        definition
            .input(*idx as i32)?
            .set_dimensions(definition, dims);
    }
    let mut input = definition.input(network.input_idx as i32)?;
    match &network.dims {
        Dims::Fixed(dims) => input.set_dimensions(definition, dims),
        Dims::Range(range) => {
            let name = input.name(definition)?;
            allow(&mut builder, &mut config, &name, range)?;
        }
    }
    let engine = builder.build_serialized_network(definition, &mut config)?;
    Ok(engine.to_vec())
}

/// Whether engines for this kind of GPU can be built where there is none.
fn can_aim(gpu: Gpu) -> bool {
    cfg!(not(feature = "tensorrt-enterprise")) && Gpu::ALL.contains(&gpu)
}

/// Names the kind of GPU to build for, if TensorRT knows it; it is that of this machine else.
#[cfg(not(feature = "tensorrt-enterprise"))]
fn aim(config: &mut BuilderConfig<'_>, gpu: Gpu) -> trtx::Result<()> {
    use trtx::ComputeCapability;

    let capability = match (gpu.major, gpu.minor) {
        (7, 5) => ComputeCapability::kSM75,
        (8, 0) => ComputeCapability::kSM80,
        (8, 6) => ComputeCapability::kSM86,
        (8, 9) => ComputeCapability::kSM89,
        (12, 0) => ComputeCapability::kSM120,
        (12, 1) => ComputeCapability::kSM121,
        _ => ComputeCapability::kCURRENT,
    };
    config.set_nb_compute_capabilities(1)?;
    config.set_compute_capability(capability, 0)
}

/// The full TensorRT builds for the GPU of this machine alone.
#[cfg(feature = "tensorrt-enterprise")]
fn aim(_config: &mut BuilderConfig<'_>, _gpu: Gpu) -> trtx::Result<()> {
    Ok(())
}

/// Lets the picture have any size of a range.
fn allow<'a>(
    builder: &mut Builder<'a>,
    config: &mut BuilderConfig<'a>,
    name: &str,
    range: &[[i64; 4]; 3],
) -> trtx::Result<()> {
    // The builder owns it; to drop it here as well would destroy it twice.
    let mut profile = ManuallyDrop::new(builder.creata_optimization_profile()?);
    let ends = [
        OptProfileSelector::kMIN,
        OptProfileSelector::kOPT,
        OptProfileSelector::kMAX,
    ];
    for (end, dims) in ends.into_iter().zip(range) {
        profile.set_dimensions(name, end, &Dims64::from_slice(dims))?;
    }
    config.add_optimization_profile(&mut profile)?;
    Ok(())
}

/// How the runtime says that there is no driver or no GPU, which building does not need.
const NO_DRIVER: [&str; 2] = ["cudaError 35:", "cudaError 100:"];

/// What TensorRT has said while it worked.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl LogHandler for Told {
    fn log(&self, severity: Severity, message: &str) {
        if severity <= Severity::Error {
            let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            told.push(message.to_owned());
        }
    }
}

impl Told {
    /// Why it failed, in its own words and in one line. What it says of a driver that is not there is left out: building
    /// needs none.
    fn cause(&self, error: &trtx::Error) -> String {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = told.iter().flat_map(|message| message.lines());
        let mut causes: Vec<&str> = lines
            .filter(|line| {
                line.contains("Error Code") && !NO_DRIVER.iter().any(|word| line.contains(word))
            })
            .collect();
        causes.dedup();
        match causes.first() {
            Some(cause) => (*cause).to_owned(),
            None => error
                .to_string()
                .lines()
                .take(2)
                .collect::<Vec<_>>()
                .join("; "),
        }
    }
}
