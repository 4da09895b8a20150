//! Pictures in memory in every format that video comes in, with strides and alpha of their own.

use engines::{Frame, FrameFormat, FrameMut, PixelFormat, Plane, PlaneMut};

use crate::card::noise;
use crate::reference::{self, Rgb};

/// What lies between the rows of a picture and must stay there.
pub const PADDING: u8 = 0xEE;

/// A picture with the bytes of its planes.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Format, size and colour space.
    pub format: FrameFormat,
    /// Bytes and stride of every plane.
    pub planes: Vec<(Vec<u8>, usize)>,
}

impl Picture {
    /// A picture of zeros whose rows are `padding_bytes` longer than they need to be.
    pub fn blank(format: FrameFormat, padding_bytes: usize) -> Self {
        let planes = (0..format.pixels.n_planes()).map(|idx| {
            let (width_bytes, n_rows) = format.pixels.plane_size(idx, format.width, format.height);
            let stride_bytes = width_bytes + padding_bytes;
            let mut data = vec![PADDING; stride_bytes * n_rows];
            for row in data.chunks_mut(stride_bytes) {
                row[..width_bytes].fill(0);
            }
            (data, stride_bytes)
        });
        Self {
            planes: planes.collect(),
            format,
        }
    }

    /// A picture of a test card; alpha, where there is one, is noise.
    pub fn of(
        format: FrameFormat,
        padding_bytes: usize,
        card: impl Fn(usize, usize) -> [f64; 3],
    ) -> Self {
        let mut picture = Self::blank(format, padding_bytes);
        if has_alpha(format.pixels) {
            picture.each_sample(|x, y| u16::from(noise(x, y)));
        }
        reference::write(&Rgb::of(format.width, format.height, card), &mut picture);
        picture
    }

    /// A picture of noise: codes below black, above white and beyond every colour that a screen shows.
    pub fn of_noise(format: FrameFormat, padding_bytes: usize) -> Self {
        let mut picture = Self::blank(format, padding_bytes);
        let scale = if format.pixels == PixelFormat::P010 {
            4
        } else {
            1
        };
        picture.each_sample(|x, y| u16::from(noise(x, y)) * scale);
        picture
    }

    /// For the engine to read.
    pub fn frame(&self) -> Frame<'_> {
        let planes: Vec<_> = self
            .planes
            .iter()
            .map(|(data, stride_bytes)| Plane {
                data,
                stride_bytes: *stride_bytes,
            })
            .collect();
        Frame::new(self.format, &planes).expect("planes are made to fit")
    }

    /// For the engine to write.
    pub fn frame_mut(&mut self) -> FrameMut<'_> {
        let planes = self.planes.iter_mut().map(|(data, stride_bytes)| PlaneMut {
            data,
            stride_bytes: *stride_bytes,
        });
        FrameMut::new(self.format, planes).expect("planes are made to fit")
    }

    /// Sample `x` of row `y` of a plane: a byte, or a 10 bit code.
    pub fn sample(&self, plane_idx: usize, x: usize, y: usize) -> u16 {
        let (data, stride_bytes) = &self.planes[plane_idx];
        let row = &data[y * stride_bytes..];
        if self.format.pixels == PixelFormat::P010 {
            u16::from_le_bytes([row[2 * x], row[2 * x + 1]]) >> 6
        } else {
            u16::from(row[x])
        }
    }

    /// Sets what [`Picture::sample`] gives.
    pub fn put(&mut self, plane_idx: usize, x: usize, y: usize, code: u16) {
        let (data, stride_bytes) = &mut self.planes[plane_idx];
        let row = &mut data[y * *stride_bytes..];
        if self.format.pixels == PixelFormat::P010 {
            row[2 * x..2 * x + 2].copy_from_slice(&(code << 6).to_le_bytes());
        } else {
            row[x] = code as u8;
        }
    }

    /// All samples, plane by plane and row by row, without what lies between the rows.
    pub fn samples(&self) -> Vec<u16> {
        let places = self.places();
        places
            .into_iter()
            .map(|(plane_idx, x, y)| self.sample(plane_idx, x, y))
            .collect()
    }

    /// Plane, x and y of the sample that has this index in [`Picture::samples`].
    pub fn place(&self, sample_idx: usize) -> (usize, usize, usize) {
        self.places()[sample_idx]
    }

    /// Whether everything between the rows is as it was.
    pub fn padding_is_untouched(&self) -> bool {
        self.planes
            .iter()
            .enumerate()
            .all(|(idx, (data, stride_bytes))| {
                let FrameFormat {
                    pixels,
                    width,
                    height,
                    ..
                } = self.format;
                let (width_bytes, _) = pixels.plane_size(idx, width, height);
                let mut rows = data.chunks(*stride_bytes);
                rows.all(|row| row[width_bytes..].iter().all(|&byte| byte == PADDING))
            })
    }

    fn each_sample(&mut self, code: impl Fn(usize, usize) -> u16) {
        for (plane_idx, x, y) in self.places() {
            self.put(plane_idx, x, y, code(x + 7 * plane_idx, y));
        }
    }

    fn places(&self) -> Vec<(usize, usize, usize)> {
        let FrameFormat {
            pixels,
            width,
            height,
            ..
        } = self.format;
        let bytes = if pixels == PixelFormat::P010 { 2 } else { 1 };
        let mut places = Vec::new();
        for plane_idx in 0..pixels.n_planes() {
            let (width_bytes, n_rows) = pixels.plane_size(plane_idx, width, height);
            for y in 0..n_rows {
                places.extend((0..width_bytes / bytes).map(|x| (plane_idx, x, y)));
            }
        }
        places
    }
}

/// Whether a format has an alpha channel.
pub fn has_alpha(pixels: PixelFormat) -> bool {
    matches!(pixels, PixelFormat::Rgba | PixelFormat::Bgra)
}
