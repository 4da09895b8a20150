//! Frames and pictures that tests are made of.

use super::Arrangement;
use crate::frame::{Frame, FrameFormat, FrameMut, Matrix, PixelFormat, Plane, PlaneMut, Range};

pub(crate) const ARRANGEMENTS: [Arrangement; 6] = [
    Arrangement::Planes,
    Arrangement::Blocks(1),
    Arrangement::Blocks(2),
    Arrangement::Blocks(4),
    Arrangement::ChannelBlocks(2),
    Arrangement::ChannelBlocks(4),
];

/// A video frame in memory with padded strides; padding bytes are 0xEE.
#[derive(Clone)]
pub(crate) struct Video {
    pub(crate) format: FrameFormat,
    pub(crate) planes: Vec<(Vec<u8>, usize)>,
}

impl Video {
    pub(crate) fn new(
        format: FrameFormat,
        extra_bytes: usize,
        byte: impl Fn(usize, usize, usize) -> u8,
    ) -> Self {
        let planes = (0..format.pixels.n_planes())
            .map(|idx| {
                let (width, rows) = format.pixels.plane_size(idx, format.width, format.height);
                let stride = width + extra_bytes;
                let mut data = vec![0xEE; stride * rows];
                for (y, row) in data.chunks_mut(stride).enumerate() {
                    for (x, sample) in row[..width].iter_mut().enumerate() {
                        *sample = byte(idx, x, y);
                    }
                }
                (data, stride)
            })
            .collect();
        Self { format, planes }
    }

    pub(crate) fn frame(&self) -> Frame<'_> {
        let planes: Vec<_> = self
            .planes
            .iter()
            .map(|(data, stride_bytes)| Plane {
                data,
                stride_bytes: *stride_bytes,
            })
            .collect();
        Frame::new(self.format, &planes).unwrap()
    }

    pub(crate) fn frame_mut(&mut self) -> FrameMut<'_> {
        let planes = self.planes.iter_mut().map(|(data, stride_bytes)| PlaneMut {
            data,
            stride_bytes: *stride_bytes,
        });
        FrameMut::new(self.format, planes).unwrap()
    }

    /// Codes of all samples, plane by plane.
    pub(crate) fn codes(&self) -> Vec<f32> {
        let FrameFormat {
            pixels,
            width,
            height,
            ..
        } = self.format;
        let rows = (0..pixels.n_planes()).flat_map(|idx| {
            let (_, n_rows) = pixels.plane_size(idx, width, height);
            (0..n_rows).map(move |y| (idx, y))
        });
        let rows = rows.map(|(idx, y)| self.frame().row(idx, y));
        rows.flat_map(|row| match pixels {
            PixelFormat::P010 => {
                let words = row.chunks(2);
                let codes = words.map(|word| u16::from_le_bytes([word[0], word[1]]) >> 6);
                codes.map(f32::from).collect::<Vec<_>>()
            }
            _ => row.iter().copied().map(f32::from).collect(),
        })
        .collect()
    }
}

pub(crate) fn format(pixels: PixelFormat, width: usize, height: usize) -> FrameFormat {
    FrameFormat::new(pixels, width, height, Matrix::Bt709, Range::Limited).unwrap()
}

/// Samples of any value.
pub(crate) fn noise(format: FrameFormat, extra_bytes: usize) -> Video {
    Video::new(format, extra_bytes, |plane, x, y| {
        let place = (plane * 8192 + y) * 16384 + x;
        ((place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    })
}

pub(crate) fn largest_difference(a: &Video, b: &Video) -> f32 {
    let differences = a.codes().into_iter().zip(b.codes());
    differences.fold(0.0, |largest, (a, b)| largest.max((a - b).abs()))
}

/// Three planes, each scaled by a library of its own.
pub(crate) fn resized(
    planes: &[f32],
    (width, height): (usize, usize),
    (to_width, to_height): (usize, usize),
    filter: fast_image_resize::FilterType,
) -> Vec<f32> {
    use fast_image_resize::images::{Image, ImageRef};
    use fast_image_resize::{PixelType, ResizeAlg, ResizeOptions, Resizer};

    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    let size = |width: usize, height: usize| (width as u32, height as u32);
    let planes = planes.chunks_exact(width * height).flat_map(|plane| {
        let (width, height) = size(width, height);
        let bytes = bytemuck::cast_slice(plane);
        let from = ImageRef::new(width, height, bytes, PixelType::F32).unwrap();
        let (to_width, to_height) = size(to_width, to_height);
        let mut to = Image::new(to_width, to_height, PixelType::F32);
        Resizer::new().resize(&from, &mut to, &options).unwrap();
        bytemuck::cast_slice::<u8, f32>(to.buffer()).to_vec()
    });
    planes.collect()
}
