//! Pictures in, pictures out: repaints video frames with style networks.
//!
//! ```text
//! Frame → follow → upload → infer → blend → download → Frame
//! ```
//!
//! [`styles::find`] reads a style, [`open`] makes an [`Engine`] of it for one format of frames, and
//! [`Engine::submit`] and [`Engine::receive`] carry frames through. This crate knows nothing of GStreamer, of
//! command lines and of picture files.
//!
//! ```no_run
//! use engines::{Frame, FrameFormat, FrameMut, Matrix, PixelFormat, Plane, PlaneMut, Quality, Range};
//!
//! # fn main() -> engines::Result<()> {
//! let (photo, mut painting) = (vec![0; 640 * 360 * 3], vec![0; 640 * 360 * 3]);
//! let format = FrameFormat::new(PixelFormat::Rgb, 640, 360, Matrix::Bt709, Range::Full)?;
//! let photo = Frame::new(format, &[Plane { data: &photo, stride_bytes: 640 * 3 }])?;
//! let plane = PlaneMut { data: &mut painting, stride_bytes: 640 * 3 };
//! let mut painting = FrameMut::new(format, [plane])?;
//!
//! let model = engines::styles::find("starry-night", Quality::Best)?;
//! let mut engine = engines::open(&model, &format, &engines::Settings::default())?;
//! engine.submit(&photo)?;
//! assert!(engine.receive(&photo, &mut painting)?);
//! # Ok(())
//! # }
//! ```

#[cfg(all(feature = "tensorrt", feature = "tensorrt-enterprise"))]
compile_error!("the features `tensorrt` and `tensorrt-enterprise` exclude each other; choose one");

mod backend;
mod colour;
mod convention;
mod convert;
mod device;
mod engine;
mod error;
mod extent;
mod files;
mod fit;
mod fold;
mod frame;
mod gallery;
mod geometry;
mod library;
mod mean;
mod memory;
mod mix;
mod model;
mod onnx;
mod protobuf;
mod repeat;
mod rewrite;
mod settings;
mod sidecar;
mod simd;
#[expect(
    clippy::needless_range_loop,
    reason = "loops over several slices by one index become vector instructions where nested zips do not"
)]
mod stabilizer;
mod stats;
mod style_file;
pub mod styles;
mod stylizer;
mod trunk;

pub use backend::HAS_TENSORRT;
pub use backend::cpu::{NetworkAlone, Runtime};
#[cfg(feature = "tensorrt-common")]
pub use backend::tensorrt;
pub use convention::{
    Channels, ConstantInput, Convention, Known, Layout, Origin, Size, ValueRange,
};
pub use device::{DeviceFrame, DevicePlane, GpuContext};
pub use engine::{Engine, Past, measure, network_alone, open, prepare, probe};
pub use error::{Error, Result};
pub use fit::{Fit, Rung, open_fitting, rungs};
pub use frame::{
    Frame, FrameFormat, FrameMut, MAX_SIZE_PX, MIN_SIZE_PX, Matrix, PixelFormat, Plane, PlaneMut,
    Range,
};
pub use mix::Mix;
pub use model::Model;
pub use settings::{Look, Place, Precision, Quality, Settings, Stabilizer};
pub use sidecar::Sidecar;
pub use stabilizer::{FlowField, flow_between};
pub use stats::{Stage, Stats, Times};
