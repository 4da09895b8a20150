//! GStreamer's CUDA library, opened at run time: the context that elements share, and frames in a GPU's memory.
//!
//! Nothing is linked: without `libgstcuda-1.0.so.0` or a driver, [`load`] says so, and everything else goes on. What is
//! called was declared by `gst/cuda/*.h` of GStreamer 1.22 and has not changed since; functions that came later are used
//! where they are there.

#![expect(unsafe_code, reason = "a C library is called")]

mod context;
mod frame;
mod library;

pub use context::{Context, Slot};
pub use frame::Mapped;
pub use library::{Missing, load};

/// The feature of caps that frames in a GPU's memory have.
pub const FEATURE: &str = "memory:CUDAMemory";
