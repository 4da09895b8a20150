//! What tests that cross crates share: pictures and networks made by code, a plain reference, measures.
//!
//! Nothing here is taken from `engines` but its public types: the reference is written a second time, in f64,
//! so that it can disagree.

#![forbid(unsafe_code)]

pub mod card;
pub mod data;
pub mod difference;
pub mod element;
pub mod golden;
pub mod memory;
pub mod network;
mod onnx;
pub mod painting;
pub mod picture;
pub mod reference;
