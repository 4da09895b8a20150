//! The element with frames in a GPU's memory: GStreamer's own CUDA library and the whole way through the engine, on a CUDA
//! driver and a TensorRT that have no GPU (`fakes.rs`).

#![expect(
    unsafe_code,
    reason = "the fake libraries are asked what they have seen"
)]

mod fakes;
mod frames;
mod kernels;
mod missing;
