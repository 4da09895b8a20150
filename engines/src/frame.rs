//! Pictures as video delivers them: borrowed planes of bytes with a format, a size and a colour space.
//!
//! A [`Frame`] is checked once, when it is made; everything after relies on it. This module knows nothing
//! of where the bytes come from.

use crate::device::{DeviceBytes, DeviceFrame};
use crate::error::{Error, Result};

/// Smallest width and height in pixels that can be painted.
pub const MIN_SIZE_PX: usize = 16;
/// Largest width and height in pixels that can be painted (8K video fits either way up).
pub const MAX_SIZE_PX: usize = 8192;

/// How samples lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// 8 bit 4:2:0, a luma plane and a plane of interleaved U and V.
    Nv12,
    /// 8 bit 4:2:0, planes Y, U, V.
    I420,
    /// 10 bit 4:2:0 in the high bits of little-endian 16 bit words, a luma plane and a plane of U and V.
    P010,
    /// 8 bit R, G, B, alpha.
    Rgba,
    /// 8 bit B, G, R, alpha.
    Bgra,
    /// 8 bit R, G, B, unused.
    Rgbx,
    /// 8 bit B, G, R, unused.
    Bgrx,
    /// 8 bit R, G, B.
    Rgb,
    /// 8 bit B, G, R.
    Bgr,
}

/// Where the samples of a packed RGB format stand within a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Bytes of a pixel, 3 or 4.
    pub bytes: usize,
    /// Byte offsets of red, green and blue.
    pub rgb: [usize; 3],
}

impl PixelFormat {
    /// Every format, in the order in which the element prefers them.
    pub const ALL: [Self; 9] = [
        Self::Nv12,
        Self::I420,
        Self::P010,
        Self::Rgba,
        Self::Bgra,
        Self::Rgbx,
        Self::Bgrx,
        Self::Rgb,
        Self::Bgr,
    ];

    /// The name that GStreamer gives this format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nv12 => "NV12",
            Self::I420 => "I420",
            Self::P010 => "P010_10LE",
            Self::Rgba => "RGBA",
            Self::Bgra => "BGRA",
            Self::Rgbx => "RGBx",
            Self::Bgrx => "BGRx",
            Self::Rgb => "RGB",
            Self::Bgr => "BGR",
        }
    }

    /// Number of planes: 1, 2 or 3.
    pub fn n_planes(self) -> usize {
        match self {
            Self::I420 => 3,
            Self::Nv12 | Self::P010 => 2,
            _ => 1,
        }
    }

    /// Bytes that one row of plane `plane_idx` uses (its stride may be larger) and the number of rows.
    pub fn plane_size(self, plane_idx: usize, width: usize, height: usize) -> (usize, usize) {
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        match (self, plane_idx) {
            (Self::Nv12 | Self::I420, 0) => (width, height),
            (Self::P010, 0) => (width * 2, height),
            (Self::Nv12, _) => (half_width * 2, half_height),
            (Self::I420, _) => (half_width, half_height),
            (Self::P010, _) => (half_width * 4, half_height),
            _ => (
                width * self.packed().map_or(0, |packed| packed.bytes),
                height,
            ),
        }
    }

    pub(crate) fn packed(self) -> Option<Packed> {
        let (bytes, rgb) = match self {
            Self::Nv12 | Self::I420 | Self::P010 => return None,
            Self::Rgba | Self::Rgbx => (4, [0, 1, 2]),
            Self::Bgra | Self::Bgrx => (4, [2, 1, 0]),
            Self::Rgb => (3, [0, 1, 2]),
            Self::Bgr => (3, [2, 1, 0]),
        };
        Some(Packed { bytes, rgb })
    }
}

/// Luma coefficients: how Y, U, V were made of R, G, B.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601, standard definition.
    Bt601,
    /// ITU-R BT.709, high definition.
    #[default]
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
}

/// Which codes black and white have in Y, U, V.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// 16..=235 for luma and 16..=240 for chroma in 8 bits.
    #[default]
    Limited,
    /// 0..=255 in 8 bits.
    Full,
}

/// Format, size and colour space of the frames of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameFormat {
    /// How samples lie in memory.
    pub pixels: PixelFormat,
    /// Width in pixels, `MIN_SIZE_PX..=MAX_SIZE_PX`.
    pub width: usize,
    /// Height in pixels, `MIN_SIZE_PX..=MAX_SIZE_PX`.
    pub height: usize,
    /// Luma coefficients; of RGB formats, those by which `keep-colors` tells luma from colour.
    pub matrix: Matrix,
    /// Code range of Y, U, V; RGB formats are always full.
    pub range: Range,
}

impl FrameFormat {
    /// Checks the size.
    ///
    /// # Errors
    /// [`Error::FrameSize`] if a side is outside `MIN_SIZE_PX..=MAX_SIZE_PX`.
    pub fn new(
        pixels: PixelFormat,
        width: usize,
        height: usize,
        matrix: Matrix,
        range: Range,
    ) -> Result<Self> {
        let sides = MIN_SIZE_PX..=MAX_SIZE_PX;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(Error::FrameSize { width, height });
        }
        Ok(Self {
            pixels,
            width,
            height,
            matrix,
            range,
        })
    }
}

/// A borrowed plane: rows of `stride_bytes`, of which [`PixelFormat::plane_size`] are used.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// First byte of the first row up to at least the last used byte of the last one.
    pub data: &'a [u8],
    /// Distance between the starts of two rows.
    pub stride_bytes: usize,
}

/// A borrowed plane that can be written.
#[derive(Debug)]
pub struct PlaneMut<'a> {
    /// As in [`Plane`].
    pub data: &'a mut [u8],
    /// As in [`Plane`].
    pub stride_bytes: usize,
}

/// A borrowed picture.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    format: FrameFormat,
    planes: [Plane<'a>; 3],
    /// Where it is instead, if it is on a GPU; its planes are empty then.
    on_gpu: Option<DeviceBytes>,
}

/// A borrowed picture that can be written.
#[derive(Debug)]
pub struct FrameMut<'a> {
    format: FrameFormat,
    planes: [PlaneMut<'a>; 3],
    /// As in [`Frame`].
    on_gpu: Option<DeviceBytes>,
}

impl<'a> Frame<'a> {
    /// Joins planes to a picture. Planes beyond the format's own are ignored; missing ones may be left out.
    ///
    /// # Errors
    /// [`Error::Plane`] if a plane is missing, its stride is shorter than a row, or it ends too early.
    pub fn new(format: FrameFormat, planes: &[Plane<'a>]) -> Result<Self> {
        check(
            &format,
            planes
                .iter()
                .map(|plane| (plane.data.len(), plane.stride_bytes)),
        )?;
        let empty = Plane {
            data: &[],
            stride_bytes: 1,
        };
        let plane = |idx: usize| planes.get(idx).copied().unwrap_or(empty);
        Ok(Self {
            format,
            planes: [plane(0), plane(1), plane(2)],
            on_gpu: None,
        })
    }

    /// A picture that lies in a GPU's memory, for an engine that works in its context.
    pub fn on_gpu(frame: DeviceFrame<'a>) -> Self {
        let nothing = Plane {
            data: &[],
            stride_bytes: 1,
        };
        Self {
            format: frame.format(),
            planes: [nothing; 3],
            on_gpu: Some(frame.bytes()),
        }
    }

    /// Where it lies, if that is on a GPU.
    pub(crate) fn device(&self) -> Option<DeviceBytes> {
        self.on_gpu
    }

    /// Format, size and colour space.
    pub fn format(&self) -> &FrameFormat {
        &self.format
    }

    /// The used bytes of row `y` of plane `plane_idx`.
    pub(crate) fn row(&self, plane_idx: usize, y: usize) -> &'a [u8] {
        let plane = &self.planes[plane_idx];
        let (width_bytes, _) =
            self.format
                .pixels
                .plane_size(plane_idx, self.format.width, self.format.height);
        &plane.data[y * plane.stride_bytes..][..width_bytes]
    }
}

impl<'a> FrameMut<'a> {
    /// Joins planes to a picture, as [`Frame::new`].
    ///
    /// # Errors
    /// [`Error::Plane`] if a plane is missing, its stride is shorter than a row, or it ends too early.
    pub fn new(
        format: FrameFormat,
        planes: impl IntoIterator<Item = PlaneMut<'a>>,
    ) -> Result<Self> {
        let mut planes = planes.into_iter();
        let planes = std::array::from_fn(|_| {
            planes.next().unwrap_or(PlaneMut {
                data: &mut [],
                stride_bytes: 1,
            })
        });
        check(
            &format,
            planes
                .iter()
                .map(|plane| (plane.data.len(), plane.stride_bytes)),
        )?;
        Ok(Self {
            format,
            planes,
            on_gpu: None,
        })
    }

    /// A picture to be painted in a GPU's memory, by an engine that works in its context.
    pub fn on_gpu(frame: DeviceFrame<'a>) -> Self {
        let nothing = |_| PlaneMut {
            data: &mut [][..],
            stride_bytes: 1,
        };
        Self {
            format: frame.format(),
            planes: [0, 1, 2].map(nothing),
            on_gpu: Some(frame.bytes()),
        }
    }

    /// Where it lies, if that is on a GPU.
    pub(crate) fn device(&self) -> Option<DeviceBytes> {
        self.on_gpu
    }

    /// Format, size and colour space.
    pub fn format(&self) -> &FrameFormat {
        &self.format
    }

    pub(crate) fn planes(&mut self) -> &mut [PlaneMut<'a>; 3] {
        &mut self.planes
    }

    /// The used bytes of every row of every plane.
    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let format = self.format;
        let planes = self.planes.iter_mut().take(format.pixels.n_planes());
        planes.enumerate().flat_map(move |(idx, plane)| {
            let (width_bytes, n_rows) = format.pixels.plane_size(idx, format.width, format.height);
            let rows = plane.data.chunks_mut(plane.stride_bytes).take(n_rows);
            rows.map(move |row| &mut row[..width_bytes])
        })
    }
}

/// Checks that planes of so many bytes, at such strides, hold their rows.
pub(crate) fn check(
    format: &FrameFormat,
    planes: impl Iterator<Item = (usize, usize)>,
) -> Result<()> {
    let mut planes = planes;
    for plane_idx in 0..format.pixels.n_planes() {
        let (width_bytes, n_rows) =
            format
                .pixels
                .plane_size(plane_idx, format.width, format.height);
        let (len_bytes, stride_bytes) = planes.next().unwrap_or((0, 0));
        let wanted_bytes = stride_bytes * (n_rows - 1) + width_bytes;
        if stride_bytes < width_bytes || len_bytes < wanted_bytes {
            return Err(Error::Plane {
                format: format.pixels.name(),
                plane_idx,
                len_bytes,
                stride_bytes,
                width_bytes,
                n_rows,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(pixels: PixelFormat) -> FrameFormat {
        FrameFormat::new(pixels, 17, 19, Matrix::Bt709, Range::Limited).unwrap()
    }

    #[test]
    fn sizes_outside_the_range_are_refused() {
        for (width, height) in [(15, 100), (100, 15), (8193, 100), (0, 0)] {
            let made =
                FrameFormat::new(PixelFormat::Rgb, width, height, Matrix::Bt709, Range::Full);
            assert!(
                matches!(made, Err(Error::FrameSize { .. })),
                "{width}x{height}"
            );
        }
    }

    #[test]
    fn odd_sizes_round_chroma_up() {
        assert_eq!(PixelFormat::Nv12.plane_size(1, 17, 19), (18, 10));
        assert_eq!(PixelFormat::I420.plane_size(2, 17, 19), (9, 10));
        assert_eq!(PixelFormat::P010.plane_size(1, 17, 19), (36, 10));
        assert_eq!(PixelFormat::Bgr.plane_size(0, 17, 19), (51, 19));
    }

    #[test]
    fn short_planes_are_refused() {
        let luma = vec![0; 32 * 19];
        let chroma = vec![0; 32 * 10];
        let plane = |data| Plane {
            data,
            stride_bytes: 32,
        };
        assert!(Frame::new(format(PixelFormat::Nv12), &[plane(&luma), plane(&chroma)]).is_ok());
        assert!(Frame::new(format(PixelFormat::Nv12), &[plane(&luma)]).is_err());
        let short = &chroma[..32 * 9];
        assert!(Frame::new(format(PixelFormat::Nv12), &[plane(&luma), plane(short)]).is_err());
        let narrow = Plane {
            data: &luma,
            stride_bytes: 16,
        };
        assert!(Frame::new(format(PixelFormat::Nv12), &[narrow, plane(&chroma)]).is_err());
    }
}
