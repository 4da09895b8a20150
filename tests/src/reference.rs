//! Frames to red, green and blue and back, written plainly in f64 from the standards: what the engines must agree with.
//!
//! Y'CbCr by ITU-R BT.601-7, BT.709-6 and BT.2020-2. 4:2:0 chroma sits left in x and in the middle of two rows.

use engines::{Matrix, PixelFormat, Range};

use crate::picture::Picture;

/// A picture of red, green and blue where black is 0 and white is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Rgb {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Row by row.
    pub pixels: Vec<[f64; 3]>,
}

impl Rgb {
    /// A picture made pixel by pixel.
    pub fn of(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [f64; 3]) -> Self {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self {
            width,
            height,
            pixels: places.map(|(x, y)| pixel(x, y)).collect(),
        }
    }

    /// A pixel; places beyond the border are mirrored at the border pixels.
    pub fn mirrored(&self, x: isize, y: isize) -> [f64; 3] {
        self.pixels[mirror(y, self.height) * self.width + mirror(x, self.width)]
    }

    /// Every pixel changed.
    pub fn map(&self, pixel: impl Fn([f64; 3]) -> [f64; 3]) -> Self {
        Self {
            pixels: self.pixels.iter().copied().map(pixel).collect(),
            ..*self
        }
    }

    /// A square kernel of odd side, in row-major order, over the mirrored picture.
    pub fn filtered(&self, kernel: &[f32]) -> Self {
        let side = (kernel.len() as f64).sqrt() as isize;
        Self::of(self.width, self.height, |x, y| {
            let mut sums = [0.0; 3];
            for (idx, &weight) in kernel.iter().enumerate() {
                let (dx, dy) = (
                    idx as isize % side - side / 2,
                    idx as isize / side - side / 2,
                );
                let pixel = self.mirrored(x as isize + dx, y as isize + dy);
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += f64::from(weight) * value;
                }
            }
            sums
        })
    }
}

fn mirror(i: isize, n: usize) -> usize {
    let n = n as isize;
    let i = if i < 0 { -i } else { i };
    (if i >= n { 2 * (n - 1) - i } else { i }) as usize
}

/// Weights of red, green and blue in luma.
pub fn luma_weights(matrix: Matrix) -> [f64; 3] {
    match matrix {
        Matrix::Bt601 => [0.299, 0.587, 0.114],
        Matrix::Bt709 => [0.2126, 0.7152, 0.0722],
        Matrix::Bt2020 => [0.2627, 0.6780, 0.0593],
    }
}

/// Colours of every pixel. Colours that no screen shows stay outside `0.0..=1.0`.
pub fn read(picture: &Picture) -> Rgb {
    let format = picture.format;
    Rgb::of(format.width, format.height, |x, y| {
        if let Some((bytes, order)) = packed(format.pixels) {
            return order.map(|byte| f64::from(picture.sample(0, x * bytes + byte, y)) / 255.0);
        }
        let codes = Codes::of(picture);
        let luma = (f64::from(picture.sample(0, x, y)) - codes.black) / codes.luma_span;
        let [blue_difference, red_difference] = [0, 1].map(|c| {
            let code = chroma_at(picture, c, x as f64 / 2.0, (y as f64 - 0.5) / 2.0);
            (code - codes.neutral) / codes.chroma_span
        });
        let [red_weight, green_weight, blue_weight] = luma_weights(format.matrix);
        let red = luma + 2.0 * (1.0 - red_weight) * red_difference;
        let blue = luma + 2.0 * (1.0 - blue_weight) * blue_difference;
        let green = (luma - red_weight * red - blue_weight * blue) / green_weight;
        [red, green, blue]
    })
}

/// Puts colours into a picture, cut to what a screen shows. Alpha stays, unused bytes become 255.
pub fn write(colours: &Rgb, picture: &mut Picture) {
    let colours = colours.map(|pixel| pixel.map(|value| value.clamp(0.0, 1.0)));
    let format = picture.format;
    for y in 0..format.height {
        for x in 0..format.width {
            let pixel = colours.mirrored(x as isize, y as isize);
            if let Some((bytes, order)) = packed(format.pixels) {
                for (byte, value) in order.into_iter().zip(pixel) {
                    picture.put(0, x * bytes + byte, y, (value * 255.0).round() as u16);
                }
                if matches!(format.pixels, PixelFormat::Rgbx | PixelFormat::Bgrx) {
                    picture.put(0, x * bytes + 3, y, 255);
                }
            } else {
                let codes = Codes::of(picture);
                let luma = codes.black + codes.luma_span * luma_of(format.matrix, pixel);
                picture.put(0, x, y, luma.round() as u16);
            }
        }
    }
    if packed(format.pixels).is_none() {
        write_chroma(&colours, picture);
    }
}

fn write_chroma(colours: &Rgb, picture: &mut Picture) {
    let format = picture.format;
    let codes = Codes::of(picture);
    let weights = luma_weights(format.matrix);
    for y in 0..format.height.div_ceil(2) {
        for x in 0..format.width.div_ceil(2) {
            let rows = 2 * y..(2 * y + 2).min(format.height);
            let mut mean = [0.0; 3];
            let n_rows = rows.len() as f64;
            for row in rows {
                for (column, weight) in [(-1, 0.25), (0, 0.5), (1, 0.25)] {
                    let column = (2 * x as isize + column).clamp(0, format.width as isize - 1);
                    let pixel = colours.pixels[row * format.width + column as usize];
                    for (mean, value) in mean.iter_mut().zip(pixel) {
                        *mean += weight * value / n_rows;
                    }
                }
            }
            let luma = luma_of(format.matrix, mean);
            for (c, idx) in [(0, 2), (1, 0)] {
                let difference = (mean[idx] - luma) / (2.0 * (1.0 - weights[idx]));
                let code = codes.neutral + codes.chroma_span * difference;
                put_chroma(picture, c, x, y, code.round().clamp(0.0, codes.max) as u16);
            }
        }
    }
}

/// Luma, `0.0..=1.0`, of a colour.
pub fn luma_of(matrix: Matrix, pixel: [f64; 3]) -> f64 {
    luma_weights(matrix)
        .iter()
        .zip(pixel)
        .map(|(weight, value)| weight * value)
        .sum()
}

/// Codes of black, neutral grey and the spans to white and full colour.
struct Codes {
    black: f64,
    luma_span: f64,
    neutral: f64,
    chroma_span: f64,
    max: f64,
}

impl Codes {
    fn of(picture: &Picture) -> Self {
        let (unit, max) = match picture.format.pixels {
            PixelFormat::P010 => (4.0, 1023.0),
            _ => (1.0, 255.0),
        };
        match picture.format.range {
            Range::Limited => Self {
                black: 16.0 * unit,
                luma_span: 219.0 * unit,
                neutral: 128.0 * unit,
                chroma_span: 224.0 * unit,
                max,
            },
            Range::Full => Self {
                black: 0.0,
                luma_span: max,
                neutral: 128.0 * unit,
                chroma_span: max,
                max,
            },
        }
    }
}

/// Bytes of a pixel and where red, green and blue stand in it.
fn packed(pixels: PixelFormat) -> Option<(usize, [usize; 3])> {
    match pixels {
        PixelFormat::Rgba | PixelFormat::Rgbx => Some((4, [0, 1, 2])),
        PixelFormat::Bgra | PixelFormat::Bgrx => Some((4, [2, 1, 0])),
        PixelFormat::Rgb => Some((3, [0, 1, 2])),
        PixelFormat::Bgr => Some((3, [2, 1, 0])),
        PixelFormat::Nv12 | PixelFormat::I420 | PixelFormat::P010 => None,
    }
}

/// Chroma `c`, 0 for blue and 1 for red, between its samples.
fn chroma_at(picture: &Picture, c: usize, x: f64, y: f64) -> f64 {
    let (width, height) = (
        picture.format.width.div_ceil(2),
        picture.format.height.div_ceil(2),
    );
    let (left, top) = (x.floor(), y.floor());
    let mut sum = 0.0;
    for (column, row) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let weight = (1.0 - (x - left - column).abs()) * (1.0 - (y - top - row).abs());
        let column = (left + column).clamp(0.0, width as f64 - 1.0) as usize;
        let row = (top + row).clamp(0.0, height as f64 - 1.0) as usize;
        let code = match picture.format.pixels {
            PixelFormat::I420 => picture.sample(1 + c, column, row),
            _ => picture.sample(1, 2 * column + c, row),
        };
        sum += weight * f64::from(code);
    }
    sum
}

fn put_chroma(picture: &mut Picture, c: usize, x: usize, y: usize, code: u16) {
    match picture.format.pixels {
        PixelFormat::I420 => picture.put(1 + c, x, y, code),
        _ => picture.put(1, 2 * x + c, y, code),
    }
}
