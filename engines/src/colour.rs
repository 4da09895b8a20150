//! Affine maps between the codes of a video frame and the values of a network's channels.
//!
//! Y'CbCr is that of ITU-R BT.601-7, BT.709-6 and BT.2020-2 (non-constant luminance). One map holds
//! matrix, code range, channel order and value range together, so that a pixel is converted once.

use crate::convention::{Channels, ValueRange};
use crate::frame::{FrameFormat, Matrix, PixelFormat, Range};

/// `out[i] = sum over j of rows[i][j] * in[j] + offset[i]`, laid out as kernels expect it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub(crate) struct Affine {
    pub rows: [[f32; 3]; 3],
    pub offset: [f32; 3],
}

impl Matrix {
    /// Weights of red, green and blue in luma.
    pub(crate) fn luma(self) -> [f32; 3] {
        let (red, blue) = match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
        };
        [red, 1.0 - red - blue, blue]
    }
}

impl Affine {
    /// From the frame's codes (Y, U, V or R, G, B) to the network's channels.
    pub(crate) fn into_network(
        format: &FrameFormat,
        channels: Channels,
        range: ValueRange,
    ) -> Self {
        codes_to_rgb(format).then(&rgb_to_values(channels, range))
    }

    /// From the network's channels to the frame's codes.
    pub(crate) fn from_network(
        format: &FrameFormat,
        channels: Channels,
        range: ValueRange,
    ) -> Self {
        values_to_rgb(channels, range).then(&rgb_to_codes(format))
    }

    /// The same map with `shift` added to what it gives.
    pub(crate) fn shift_after(mut self, shift: f32) -> Self {
        self.offset = self.offset.map(|offset| offset + shift);
        self
    }

    /// The same map with `shift` added to what it takes.
    pub(crate) fn shift_before(mut self, shift: f32) -> Self {
        self.offset = self.apply([shift; 3]);
        self
    }

    /// The same map of what was multiplied by `scale` before.
    pub(crate) fn scale_before(mut self, scale: f32) -> Self {
        self.rows = self.rows.map(|row| row.map(|value| value * scale));
        self
    }

    /// The same map with what it gives multiplied by `gain` about `pivot`, and `offset` added.
    pub(crate) fn relight(mut self, gain: f32, pivot: f32, offset: f32) -> Self {
        self.rows = self.rows.map(|row| row.map(|value| value * gain));
        self.offset = self
            .offset
            .map(|value| gain * (value - pivot) + pivot + offset);
        self
    }

    fn then(&self, next: &Self) -> Self {
        let rows = next
            .rows
            .map(|row| std::array::from_fn(|j| (0..3).map(|k| row[k] * self.rows[k][j]).sum()));
        Self {
            rows,
            offset: next.apply(self.offset),
        }
    }

    #[inline(always)]
    pub(crate) fn apply(&self, v: [f32; 3]) -> [f32; 3] {
        let row = |i: usize| {
            let [a, b, c] = self.rows[i];
            a * v[0] + b * v[1] + c * v[2] + self.offset[i]
        };
        [row(0), row(1), row(2)]
    }
}

/// Largest code of a sample: 1023 for 10 bits, else 255.
pub(crate) fn max_code(pixels: PixelFormat) -> f32 {
    if pixels == PixelFormat::P010 {
        1023.0
    } else {
        255.0
    }
}

/// Codes of black and of the span to white in luma, of neutral and of the full span in chroma.
fn code_range(format: &FrameFormat) -> (f32, f32, f32, f32) {
    let scale = if format.pixels == PixelFormat::P010 {
        4.0
    } else {
        1.0
    };
    match format.range {
        Range::Limited => (16.0 * scale, 219.0 * scale, 128.0 * scale, 224.0 * scale),
        Range::Full => {
            let max = max_code(format.pixels);
            (0.0, max, 128.0 * scale, max)
        }
    }
}

fn codes_to_rgb(format: &FrameFormat) -> Affine {
    if format.pixels.packed().is_some() {
        return scaling(1.0 / 255.0, 0.0);
    }
    let (black, luma_span, neutral, chroma_span) = code_range(format);
    let [kr, kg, kb] = format.matrix.luma();
    let (y, c) = (1.0 / luma_span, 1.0 / chroma_span);
    let rows = [
        [y, 0.0, 2.0 * (1.0 - kr) * c],
        [
            y,
            -2.0 * (1.0 - kb) * kb / kg * c,
            -2.0 * (1.0 - kr) * kr / kg * c,
        ],
        [y, 2.0 * (1.0 - kb) * c, 0.0],
    ];
    Affine {
        rows,
        offset: rows.map(|row| -row[0] * black - (row[1] + row[2]) * neutral),
    }
}

fn rgb_to_codes(format: &FrameFormat) -> Affine {
    if format.pixels.packed().is_some() {
        return scaling(255.0, 0.0);
    }
    let (black, luma_span, neutral, chroma_span) = code_range(format);
    let luma = format.matrix.luma();
    let [kr, _, kb] = luma;
    let difference = |idx: usize, k: f32| {
        let scale = chroma_span / (2.0 * (1.0 - k));
        std::array::from_fn(|j| (f32::from(u8::from(j == idx)) - luma[j]) * scale)
    };
    Affine {
        rows: [
            luma.map(|k| k * luma_span),
            difference(2, kb),
            difference(0, kr),
        ],
        offset: [black, neutral, neutral],
    }
}

fn rgb_to_values(channels: Channels, range: ValueRange) -> Affine {
    let (low, high) = range.bounds();
    permuted(scaling(high - low, low), channels)
}

fn values_to_rgb(channels: Channels, range: ValueRange) -> Affine {
    let (low, high) = range.bounds();
    permuted(scaling(1.0 / (high - low), -low / (high - low)), channels)
}

fn scaling(scale: f32, offset: f32) -> Affine {
    let rows = [[scale, 0.0, 0.0], [0.0, scale, 0.0], [0.0, 0.0, scale]];
    Affine {
        rows,
        offset: [offset; 3],
    }
}

fn permuted(mut affine: Affine, channels: Channels) -> Affine {
    if channels == Channels::Bgr {
        affine.rows.swap(0, 2);
    }
    affine
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(pixels: PixelFormat, matrix: Matrix, range: Range) -> FrameFormat {
        FrameFormat {
            pixels,
            width: 16,
            height: 16,
            matrix,
            range,
        }
    }

    fn near(found: [f32; 3], wanted: [f32; 3], tolerance: f32) {
        let close = found
            .iter()
            .zip(wanted)
            .all(|(a, b)| (a - b).abs() <= tolerance);
        assert!(close, "{found:?}, wanted {wanted:?}");
    }

    #[test]
    fn known_codes_give_known_colours() {
        // BT.709 limited: pure red is 63, 102, 240 (BT.709-6, rounded to 8 bits).
        let format = format(PixelFormat::Nv12, Matrix::Bt709, Range::Limited);
        let map = Affine::into_network(&format, Channels::Rgb, ValueRange::Unit);
        near(map.apply([63.0, 102.0, 240.0]), [1.0, 0.0, 0.0], 0.01);
        near(map.apply([16.0, 128.0, 128.0]), [0.0; 3], 1e-6);
        near(map.apply([235.0, 128.0, 128.0]), [1.0; 3], 1e-6);
    }

    #[test]
    fn every_map_is_undone_by_its_inverse() {
        for pixels in PixelFormat::ALL {
            for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020] {
                for range in [Range::Limited, Range::Full] {
                    for channels in [Channels::Rgb, Channels::Bgr] {
                        for values in [ValueRange::Unit, ValueRange::Byte, ValueRange::Signed] {
                            let format = format(pixels, matrix, range);
                            let there = Affine::into_network(&format, channels, values);
                            let back = Affine::from_network(&format, channels, values);
                            let codes = [max_code(pixels) * 0.4, 100.0, 150.0];
                            near(back.apply(there.apply(codes)), codes, 0.01);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn shifts_are_part_of_the_map() {
        let format = format(PixelFormat::Rgb, Matrix::Bt709, Range::Full);
        let there =
            Affine::into_network(&format, Channels::Rgb, ValueRange::Unit).shift_after(-0.5);
        near(there.apply([0.0, 127.5, 255.0]), [-0.5, 0.0, 0.5], 1e-6);
        let back = Affine::from_network(&format, Channels::Rgb, ValueRange::Unit).shift_before(0.5);
        near(back.apply([-0.5, 0.0, 0.5]), [0.0, 127.5, 255.0], 1e-4);
    }

    #[test]
    fn channel_order_and_range_are_part_of_the_map() {
        let format = format(PixelFormat::Rgb, Matrix::Bt709, Range::Full);
        let map = Affine::into_network(&format, Channels::Bgr, ValueRange::Signed);
        near(map.apply([255.0, 0.0, 0.0]), [-1.0, -1.0, 1.0], 1e-6);
        let map = Affine::into_network(&format, Channels::Rgb, ValueRange::Byte);
        near(map.apply([10.0, 20.0, 30.0]), [10.0, 20.0, 30.0], 1e-5);
    }
}
