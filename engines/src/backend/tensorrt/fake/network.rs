//! Networks that move values and hardly change them, as copies on the fake driver.

#![expect(unsafe_code, reason = "memory of the GPU is copied")]

use std::time::Duration;

use cudarc::driver::DriverError;
use cudarc::driver::result::{memcpy_dtod_async, memcpy_dtoh_async, memcpy_htod_async};

use super::super::cache::Entry;
use super::super::cuda::{Cuda, failed};
use super::super::frames::{Ready, TensorRt};
use super::super::kernels::Address;
use super::super::session::Infer;
use super::model::{CROP, Kind, model};
use crate::backend::cpu;
use crate::convert::Arrangement;
use crate::error::Result;
use crate::frame::FrameFormat;
use crate::geometry::Geometry;
use crate::settings::{Precision, Settings};
use crate::stylizer::Stylizer;
use crate::trunk;

/// How long the fake GPU may take: it does its work when it is asked whether that is done.
const PATIENCE: Duration = Duration::from_millis(300);

/// A piece of what a network gives, in bytes.
#[derive(Clone, Copy)]
struct Piece {
    from: usize,
    to: usize,
    n_bytes: usize,
}

/// The network on the fake driver.
struct Copies {
    painted_dims: Vec<i64>,
    pieces: Vec<Piece>,
    /// It cuts values of f32 to 0..1.
    cuts: bool,
}

impl Infer for Copies {
    fn painted_dims(&self) -> &[i64] {
        &self.painted_dims
    }

    unsafe fn run(&mut self, cuda: &Cuda, input: Address, painted: Address) -> Result<()> {
        cuda.bind()?;
        for &Piece { from, to, n_bytes } in &self.pieces {
            let (from, to) = (input + from as Address, painted + to as Address);
            // SAFETY: the caller's.
            unsafe { memcpy_dtod_async(to, from, n_bytes, cuda.coming.cu_stream()) }
                .map_err(failed("painting on the GPU"))?;
        }
        if self.cuts {
            let n_bytes: usize = self.pieces.iter().map(|piece| piece.n_bytes).sum();
            // SAFETY: the caller's.
            unsafe { cut(cuda, painted, n_bytes / size_of::<f32>()) }
                .map_err(failed("painting on the GPU"))?;
        }
        Ok(())
    }
}

/// Cuts values on the GPU to 0..1.
///
/// # Safety
/// There are so many values at that address.
unsafe fn cut(
    cuda: &Cuda,
    address: Address,
    n_values: usize,
) -> std::result::Result<(), DriverError> {
    let mut values = vec![0.0_f32; n_values];
    let stream = cuda.coming.cu_stream();
    // SAFETY: the caller's; what is not page-locked is copied before the call returns.
    unsafe { memcpy_dtoh_async(&mut values, address, stream)? };
    for value in &mut values {
        *value = value.clamp(0.0, 1.0);
    }
    // SAFETY: as above.
    unsafe { memcpy_htod_async(address, &values, stream) }
}

/// Pieces of a picture of this size, with so many bytes per value.
fn pieces(kind: Kind, (width, height): (usize, usize), bytes: usize) -> Vec<Piece> {
    let plane = bytes * width * height;
    let thirds = |order: [usize; 3]| {
        let third = |(to, from)| Piece {
            from: from * plane,
            to: to * plane,
            n_bytes: plane,
        };
        order.into_iter().enumerate().map(third).collect()
    };
    match kind {
        Kind::Planes | Kind::Trunk => thirds([0, 1, 2]),
        Kind::Swap => thirds([2, 1, 0]),
        Kind::Crop => {
            let (n_rows, n_bytes) = (height - 2 * CROP, bytes * (width - 2 * CROP));
            let row = |idx: usize| Piece {
                from: bytes * (((idx / n_rows) * height + idx % n_rows + CROP) * width + CROP),
                to: idx * n_bytes,
                n_bytes,
            };
            (0..3 * n_rows).map(row).collect()
        }
    }
}

/// The GPU backend with such a network, in the flow of every engine.
pub(super) fn open(
    kind: Kind,
    format: &FrameFormat,
    settings: &Settings,
) -> Result<Stylizer<TensorRt>> {
    let model = model(kind);
    let seen = Geometry::new(
        &cpu::measure(&model)?,
        format.width,
        format.height,
        settings.processing_size,
    )?;
    let (width, height) = (seen.padded_width, seen.padded_height);
    let trunk = trunk::fitting(&model, &seen, (format.width, format.height));
    let arrangement = trunk
        .as_ref()
        .map_or(Arrangement::Planes, |trunk| trunk.input);
    let is_half = settings.precision == Precision::Half;
    let painted_size = match kind {
        Kind::Crop => (width - 2 * CROP, height - 2 * CROP),
        _ => (width, height),
    };
    let network = Copies {
        painted_dims: arrangement.dims(painted_size).to_vec(),
        pieces: pieces(kind, (width, height), if is_half { 2 } else { 4 }),
        cuts: kind == Kind::Trunk && trunk.is_none(),
    };
    let entry = Entry {
        style: model.name.clone(),
        quality: None,
        size: format!("{width}x{height}"),
        precision: settings.precision.to_string(),
        gpu: "8.9".to_owned(),
        built_by: "a test".to_owned(),
    };
    let mut cuda = Cuda::open(settings.device, settings.context.as_ref())?;
    cuda.watch.patience = PATIENCE;
    let ready = Ready {
        cuda,
        network: Box::new(network),
        entry: &entry,
        model: &model,
    };
    Stylizer::new(TensorRt::new(ready, format, settings)?, *format, settings)
}
