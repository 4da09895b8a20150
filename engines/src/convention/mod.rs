//! How a network wants to be fed.

mod read;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use self::read::read;

/// Order of the colour channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Order of the axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[n, c, h, w]`.
    Nchw,
    /// `[n, h, w, c]`.
    Nhwc,
}

/// Values of black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum ValueRange {
    /// 0 to 1.
    #[serde(rename = "0..1")]
    Unit,
    /// 0 to 255.
    #[serde(rename = "0..255")]
    Byte,
    /// -1 to 1.
    #[serde(rename = "-1..1")]
    Signed,
}

impl ValueRange {
    /// Values of black and of white.
    pub(crate) fn bounds(self) -> (f32, f32) {
        match self {
            Self::Unit => (0.0, 1.0),
            Self::Byte => (0.0, 255.0),
            Self::Signed => (-1.0, 1.0),
        }
    }
}

impl fmt::Display for ValueRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.bounds();
        write!(f, "{low}..{high}")
    }
}

/// Width and height that the network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Only this width and height, in pixels.
    Fixed(usize, usize),
    /// Any.
    Any,
}

/// Where a part of the convention comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The network's file says so.
    Found,
    /// The sidecar says so.
    Sidecar,
    /// Neither says so; this is what most style networks do.
    Assumed,
    /// The network was run on a test picture.
    Measured,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Found => "found in the file",
            Self::Sidecar => "from the sidecar",
            Self::Assumed => "assumed",
            Self::Measured => "measured",
        })
    }
}

/// A value and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

/// A further input with its fixed values.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstantInput {
    /// Position among the network's inputs.
    pub input_idx: usize,
    /// Name in the file.
    pub name: String,
    /// Sizes of its axes.
    pub dims: Vec<usize>,
    /// Values in row-major order.
    pub values: Arc<[f32]>,
}

/// How a network wants to be fed. `None` means that only running it can tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Convention {
    /// Order of the colour channels.
    pub channels: Known<Channels>,
    /// Order of the axes.
    pub layout: Known<Layout>,
    /// Values of black and white at the input.
    pub input_range: Option<Known<ValueRange>>,
    /// Values of black and white at the output.
    pub output_range: Option<Known<ValueRange>>,
    /// Width and height.
    pub size: Known<Size>,
    /// Width and height must be multiples of this many pixels.
    pub align: Option<Known<usize>>,
    /// Reflected border in pixels round the picture.
    pub pad: Known<usize>,
    /// Position of the picture among the inputs.
    pub input_idx: usize,
    /// Position of the picture among the outputs.
    pub output_idx: usize,
    /// Further inputs.
    pub constants: Vec<ConstantInput>,
}

impl Convention {
    /// Values of black and white at input and output, once they are measured.
    pub(crate) fn ranges(&self) -> (ValueRange, ValueRange) {
        let output = self
            .output_range
            .map_or(ValueRange::Byte, |known| known.value);
        (self.input_range.map_or(output, |known| known.value), output)
    }
}
