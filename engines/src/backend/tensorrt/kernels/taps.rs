//! The weights that rows and columns are scaled with, on the GPU.

use super::Address;

pub(in super::super) use crate::convert::{Filter, Table};

/// A [`Table`] in the memory that a kernel sees. (Fields as in `scale.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Taps {
    pub spans: Address,
    pub weights: Address,
    /// Pixels made.
    pub n_px: i32,
}
