//! Pictures scaled on the GPU, where the network works at another size than the frame's.

#![expect(unsafe_code, reason = "kernels are given addresses")]

use std::sync::Arc;

use cudarc::driver::{CudaSlice, CudaStream};

use super::cuda::{Cuda, address, failed};
use super::kernels::{Filter, Picture, Scale, Table, Taps};
use crate::error::Result;

/// Scales pictures of one size to another one.
pub(super) struct Scaler {
    across: Weights,
    down: Weights,
    /// Pictures half scaled.
    between: CudaSlice<f32>,
}

/// A table on the GPU.
struct Weights {
    spans: CudaSlice<i32>,
    weights: CudaSlice<f32>,
    n_px: usize,
}

impl Weights {
    fn new(cuda: &Cuda, table: &Table) -> Result<Self> {
        let spans = table.spans.as_flattened();
        let mut sent = Self {
            spans: cuda.alloc(spans.len())?,
            weights: cuda.alloc(table.weights.len())?,
            n_px: table.spans.len(),
        };
        cuda.coming
            .memcpy_htod(spans, &mut sent.spans)
            .and_then(|()| {
                cuda.coming
                    .memcpy_htod(&table.weights[..], &mut sent.weights)
            })
            .map_err(failed("sending weights"))?;
        cuda.catch_up(&cuda.coming)?;
        Ok(sent)
    }

    fn taps(&self) -> Taps {
        Taps {
            spans: address(&self.spans),
            weights: address(&self.weights),
            n_px: self.n_px as i32,
        }
    }
}

impl Scaler {
    /// From pictures of one size, width before height, to those of another.
    pub(super) fn new(
        cuda: &Cuda,
        from: (usize, usize),
        to: (usize, usize),
        filter: Filter,
    ) -> Result<Self> {
        Ok(Self {
            across: Weights::new(cuda, &Table::new(from.0, to.0, filter))?,
            down: Weights::new(cuda, &Table::new(from.1, to.1, filter))?,
            between: cuda.alloc(3 * to.0 * from.1)?,
        })
    }

    /// Scales the window of a picture to that of another, whose border is then its mirror image.
    ///
    /// # Safety
    /// Both are memory on this GPU, of the sizes that they say, with windows of the sizes that this was made for.
    pub(super) unsafe fn scale(
        &self,
        cuda: &Cuda,
        stream: &Arc<CudaStream>,
        from: Picture,
        to: Picture,
    ) -> Result<()> {
        let job = Scale {
            from,
            between: address(&self.between),
            to,
            across: self.across.taps(),
            down: self.down.taps(),
        };
        // SAFETY: the caller's, and tables and `between` were made for these sizes.
        unsafe {
            cuda.launch(stream, "scale_rows", &job, job.rows_grid())?;
            cuda.launch(stream, "scale_columns", &job, job.columns_grid())
        }
    }
}
