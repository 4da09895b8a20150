//! The kernels that run on a GPU: one `.cu` file per stage, each the twin of a CPU definition, and the PTX made of it.
//!
//! PTX is made by `compile.py` without a GPU and kept in the repository; the driver turns it into code for the GPU at hand.
//! The same sources also compile as C++, and so the tests run them on the processor beside their twins.

mod believe;
mod blend;
mod download;
#[cfg(test)]
mod emulated;
mod flow;
mod frame;
mod level;
mod luma;
mod pyramid;
mod scale;
mod taps;
mod upload;

pub(super) use believe::Belief;
pub(super) use blend::{Blend, Take};
pub(super) use download::Download;
pub(super) use flow::{Search, Spread};
pub(super) use frame::Frame;
pub(super) use level::Level;
pub(super) use luma::Luma;
pub(super) use pyramid::{Halve, Relight};
pub(super) use scale::Scale;
pub(super) use taps::{Filter, Table, Taps};
pub(super) use upload::Upload;

use crate::convert::Arrangement;
use crate::geometry::Window;

/// Address of something in the memory that a kernel sees; 0 is nothing.
pub(super) type Address = u64;

/// PTX of every file of kernels.
pub(super) const PTX: [(&str, &str); 8] = [
    ("believe", include_str!("believe.ptx")),
    ("blend", include_str!("blend.ptx")),
    ("download", include_str!("download.ptx")),
    ("flow", include_str!("flow.ptx")),
    ("luma", include_str!("luma.ptx")),
    ("pyramid", include_str!("pyramid.ptx")),
    ("scale", include_str!("scale.ptx")),
    ("upload", include_str!("upload.ptx")),
];

/// A picture in the network's values. (`Picture` of `kernel.cuh`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Picture {
    pub data: Address,
    width: i32,
    height: i32,
    left: i32,
    top: i32,
    window_width: i32,
    window_height: i32,
    arrangement: i32,
    block: i32,
    is_half: i32,
}

impl Picture {
    /// A picture of `size`, width before height, whose window holds the frame.
    pub(super) fn new(
        data: Address,
        (width, height): (usize, usize),
        window: Window,
        arrangement: Arrangement,
        is_half: bool,
    ) -> Self {
        let (arrangement, block) = match arrangement {
            Arrangement::Planes => (0, 1),
            Arrangement::Blocks(n) => (1, n as i32),
            Arrangement::ChannelBlocks(n) => (2, n as i32),
        };
        Self {
            data,
            width: width as i32,
            height: height as i32,
            left: window.left as i32,
            top: window.top as i32,
            window_width: window.width as i32,
            window_height: window.height as i32,
            arrangement,
            block,
            is_half: is_half.into(),
        }
    }

    /// Three planes of f32 without a border.
    pub(super) fn planes(data: Address, (width, height): (usize, usize)) -> Self {
        let window = Window {
            left: 0,
            top: 0,
            width,
            height,
        };
        Self::new(data, (width, height), window, Arrangement::Planes, false)
    }

    /// A history: red, green and blue of 16 bits; value `(x, y)` of a channel at `(3 y + channel) * width + x`.
    pub(super) fn history(data: Address, size: (usize, usize)) -> Self {
        Self {
            arrangement: 3,
            ..Self::planes(data, size)
        }
    }

    /// Of the whole picture, width before height.
    fn size(&self) -> (usize, usize) {
        (self.width as usize, self.height as usize)
    }

    /// Of the part that holds the frame, width before height.
    fn window_size(&self) -> (usize, usize) {
        (self.window_width as usize, self.window_height as usize)
    }
}
