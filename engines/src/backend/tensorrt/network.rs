//! What an engine is built from and for.

use super::gpu::Gpu;
use super::half::halve;
use crate::backend::cpu;
use crate::convert::Arrangement;
use crate::error::{Error, Result};
use crate::geometry::Geometry;
use crate::model::{Layout, Model, Size};
use crate::settings::Precision;
use crate::trunk;

/// What an engine is built for.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The style's network.
    pub model: &'a Model,
    /// Width and height of the frames in pixels; of any size without.
    pub frame: Option<(usize, usize)>,
    /// Height in pixels at which the network works, 0 = the frame's own.
    pub processing_size: usize,
    /// Number format in which the network computes.
    pub precision: Precision,
    /// Kind of GPU that it is to run on.
    pub gpu: Gpu,
}

/// The network as TensorRT gets it.
pub(super) struct Network {
    /// The ONNX file.
    pub bytes: Vec<u8>,
    /// Position of the picture among the inputs.
    pub input_idx: usize,
    /// Sizes of the picture's axes.
    pub dims: Dims,
    /// What the picture measures, for people: `1312x752`, or `dynamic`.
    pub size: String,
    /// Whether it is in half precision.
    pub is_half: bool,
}

/// Sizes of a picture's axes.
pub(super) enum Dims {
    /// These.
    Fixed([i64; 4]),
    /// Any from the first to the last; the one between is the most usual.
    Range([[i64; 4]; 3]),
}

/// Least, most usual and largest width and height in pixels of what a network for frames of any size sees.
const SIZES: [(usize, usize); 3] = [(64, 64), (1312, 752), (4096, 2304)];

impl Plan<'_> {
    /// Prepares the network: the trunk of one of our own, in the precision asked for. Half, if that is left open, where the
    /// network is of a family trained for it.
    pub(super) fn network(&self) -> Result<Network> {
        let refuse = |reason: String| Error::Style {
            name: self.model.name.clone(),
            reason,
        };
        let convention = cpu::measure(self.model)?;
        let trunk = trunk::cut(&self.model.bytes);
        let arrangement = match (&trunk, convention.layout.value) {
            (Some(trunk), _) => trunk.input,
            (None, Layout::Nchw) => Arrangement::Planes,
            (None, Layout::Nhwc) => Arrangement::Blocks(1),
        };
        let bytes = trunk.map_or_else(|| self.model.bytes.to_vec(), |trunk| trunk.bytes);
        let is_half = match self.precision {
            Precision::Half => true,
            Precision::F32 => false,
            Precision::Auto => self.model.metadata("family").is_some(),
        };
        let fixed = match (self.frame, convention.size.value) {
            (Some(frame), _) => Some(frame),
            (None, Size::Fixed(width, height)) => Some((width, height)),
            (None, Size::Any) => None,
        };
        let (dims, size) = match fixed {
            Some((width, height)) => {
                let seen = Geometry::new(&convention, width, height, self.processing_size)?;
                let (width, height) = (seen.padded_width, seen.padded_height);
                (
                    Dims::Fixed(arrangement.dims((width, height))),
                    format!("{width}x{height}"),
                )
            }
            None => {
                let align = convention.align.map_or(1, |known| known.value).max(1);
                let up = |side: usize| side.next_multiple_of(align);
                let range = SIZES.map(|(width, height)| arrangement.dims((up(width), up(height))));
                (Dims::Range(range), "dynamic".to_owned())
            }
        };
        Ok(Network {
            bytes: if is_half {
                halve(&bytes).map_err(refuse)?
            } else {
                bytes
            },
            input_idx: convention.input_idx,
            dims,
            size,
            is_half,
        })
    }
}
