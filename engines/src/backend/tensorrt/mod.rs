//! The TensorRT backend: networks become engines of NVIDIA's TensorRT-RTX, which are kept on disk.
//!
//! An engine is built for frames of one size (or of any), in one precision, for GPUs of named compute capabilities or the
//! one at hand. Building needs neither a GPU nor a driver. TensorRT is strongly typed: half precision is a property of the
//! network that is handed to it, not of the build.

mod awaited;
mod build;
mod cache;
mod cuda;
#[cfg(test)]
mod fake;
mod flow;
mod frames;
mod gpu;
mod half;
mod jit;
mod kernels;
mod motion;
mod network;
mod open;
mod pinned;
mod pyramid;
mod runtime;
mod scaler;
mod session;
mod staging;
mod steady;
mod tracker;

pub use cache::{Entry, Kept, Made, clear, folder, list, make};
pub(crate) use frames::TensorRt;
pub use gpu::{Device, Gpu, devices};
pub use network::Plan;
pub use runtime::{Runtime, probe};
