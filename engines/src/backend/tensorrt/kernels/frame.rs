//! Frames in the memory that a kernel sees.

use super::Address;
use crate::frame::{FrameFormat, PixelFormat};

/// A frame as video delivers it. (`Frame` of `kernel.cuh`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Frame {
    planes: [Address; 3],
    strides: [i32; 3],
    width: i32,
    height: i32,
    pixels: i32,
    bytes: i32,
    red: i32,
    has_alpha: i32,
}

impl Frame {
    /// A frame whose planes are each at an address, with rows of a number of bytes.
    pub(in super::super) fn new(format: &FrameFormat, planes: &[(Address, usize)]) -> Self {
        let plane = |idx: usize| planes.get(idx).copied().unwrap_or((0, 0));
        let (bytes, [red, ..]) = format
            .pixels
            .packed()
            .map_or((0, [0; 3]), |packed| (packed.bytes, packed.rgb));
        Self {
            planes: [0, 1, 2].map(|idx| plane(idx).0),
            strides: [0, 1, 2].map(|idx| plane(idx).1 as i32),
            width: format.width as i32,
            height: format.height as i32,
            pixels: match format.pixels {
                PixelFormat::Nv12 => 0,
                PixelFormat::I420 => 1,
                PixelFormat::P010 => 2,
                _ => 3,
            },
            bytes: bytes as i32,
            red: red as i32,
            has_alpha: matches!(format.pixels, PixelFormat::Rgba | PixelFormat::Bgra).into(),
        }
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.width as usize, self.height as usize)
    }

    /// It has chroma for four pixels each.
    pub(super) fn is_420(&self) -> bool {
        self.pixels != 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::video::Video;

    impl Frame {
        pub(in super::super) fn of(video: &Video) -> Self {
            let planes = video.planes.iter();
            let planes = planes.map(|(data, stride)| (data.as_ptr() as Address, *stride));
            Self::new(&video.format, &planes.collect::<Vec<_>>())
        }

        pub(in super::super) fn of_mut(video: &mut Video) -> Self {
            let planes = video.planes.iter_mut();
            let planes = planes.map(|(data, stride)| (data.as_mut_ptr() as Address, *stride));
            Self::new(&video.format, &planes.collect::<Vec<_>>())
        }
    }
}
