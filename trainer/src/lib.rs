//! Learns style networks from paintings.

pub mod adam;
pub mod clip;
pub mod command;
pub mod conv;
pub mod gallery;
pub mod lbfgs;
pub mod lesson;
pub mod loss_network;
pub mod maps;
pub mod measure;
pub mod muon;
pub mod net;
pub mod onnx;
pub mod output;
pub mod paint;
pub mod perceptual;
pub mod photos;
pub mod plot;
pub mod random;
pub mod sheet;
pub mod shipped;
mod simd;
pub mod style_file;
mod text;
pub mod tone;
pub mod train;
pub mod vgg;
