//! Feature maps and what makes one of another: convolution, a floor at 0, pooling.

use image::RgbImage;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, ShapeBuilder};
use rayon::prelude::*;

use super::weights::Conv;

/// Rows of pixels that are convolved at a time. Even, so that none of them is pooled with another band's.
const BAND_ROWS: usize = 4;

/// Mean and deviation of the colours that VGG16 was trained with.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// Features of a picture: `[height + 2, width + 2, channels]` with zeros round the edges.
pub struct Features {
    width: usize,
    height: usize,
    n_channels: usize,
    values: Vec<f32>,
}

/// What is made of the features of a convolution.
#[derive(Clone, Copy)]
pub struct Then {
    /// Halve width and height: the greatest of four.
    pub pool: bool,
    /// Sum up the products of all pairs of channels.
    pub gram: bool,
}

impl Features {
    /// The network's input.
    pub fn of(picture: &RgbImage) -> Self {
        let (width, height) = picture.dimensions();
        let mut features = Self::zeros(width as usize, height as usize, 3);
        let stride = features.stride();
        let rows = features.values[stride..].chunks_exact_mut(stride);
        for (row, pixels) in rows.zip(picture.rows()) {
            for (values, pixel) in row[3..].chunks_exact_mut(3).zip(pixels) {
                for channel in 0..3 {
                    let value = f32::from(pixel[channel]) / 255.0;
                    values[channel] = (value - MEAN[channel]) / DEVIATION[channel];
                }
            }
        }
        features
    }

    fn zeros(width: usize, height: usize, n_channels: usize) -> Self {
        Self {
            width,
            height,
            n_channels,
            values: vec![0.0; (width + 2) * (height + 2) * n_channels],
        }
    }

    /// Values in a row.
    fn stride(&self) -> usize {
        (self.width + 2) * self.n_channels
    }

    /// Convolves, cuts off what is below 0, and does what is wanted next. The matrix is the Gram matrix
    /// `[channels, channels]` over channels, width and height; pooling comes after it.
    pub fn convolve(&self, conv: &Conv, then: Then) -> (Self, Option<Array2<f64>>) {
        let n_out = conv.bias.len();
        let shrink = if then.pool { 2 } else { 1 };
        let mut next = Self::zeros(self.width / shrink, self.height / shrink, n_out);
        let stride = next.stride();
        let end = stride * (next.height + 1);
        let bands = next.values[stride..end].chunks_mut(stride * BAND_ROWS / shrink);
        let mut bands: Vec<_> = bands.collect();
        // An odd last row is pooled with nothing, yet belongs to the Gram matrix.
        bands.resize_with(self.height.div_ceil(BAND_ROWS), Default::default);
        let grams: Vec<_> = bands
            .into_par_iter()
            .enumerate()
            .map(|(idx, target)| {
                let first = idx * BAND_ROWS;
                let n_rows = BAND_ROWS.min(self.height - first);
                let band = self.band(conv, first, n_rows);
                let target_rows = target.chunks_exact_mut(stride);
                let rows = band.chunks_exact(self.width * n_out);
                if then.pool {
                    for (target, rows) in target_rows.zip(band.chunks_exact(2 * self.width * n_out))
                    {
                        pool(rows, n_out, &mut target[n_out..stride - n_out]);
                    }
                } else {
                    for (target, row) in target_rows.zip(rows) {
                        target[n_out..stride - n_out].copy_from_slice(row);
                    }
                }
                then.gram.then(|| products(&band, n_out))
            })
            .collect();
        let size = (n_out * self.width * self.height) as f64;
        let gram = then.gram.then(|| {
            let mut sum = Array2::zeros((n_out, n_out));
            for gram in grams.into_iter().flatten() {
                sum += &gram.mapv(f64::from);
            }
            sum / size
        });
        (next, gram)
    }

    /// Some rows after convolution, with a floor at 0: `[rows, width, out channels]`.
    fn band(&self, conv: &Conv, first: usize, n_rows: usize) -> Vec<f32> {
        let n_out = conv.bias.len();
        let padded = self.width + 2;
        // Neighbours in a row lie one behind the other, so that a window one pixel further is a row of a matrix
        // that overlaps the last. Windows over the ends of two rows make values that are left out below.
        let n_windows = n_rows * padded - 2;
        let mut values: Vec<f32> = conv
            .bias
            .iter()
            .copied()
            .cycle()
            .take(n_windows * n_out)
            .collect();
        let mut target = ArrayViewMut2::from_shape((n_windows, n_out), &mut values)
            .expect("as many values as the shape has");
        for (row, weights) in conv.rows.iter().enumerate() {
            let shape = (n_windows, 3 * self.n_channels).strides((self.n_channels, 1));
            let windows = &self.values[(first + row) * self.stride()..];
            let windows = ArrayView2::from_shape(shape, windows)
                .expect("the last window ends where the row does");
            general_mat_mul(1.0, &windows, weights, 1.0, &mut target);
        }
        let rows = values.chunks(padded * n_out);
        let inner = rows.flat_map(|row| &row[..self.width * n_out]);
        inner.map(|value| value.max(0.0)).collect()
    }
}

/// The greatest of each 2x2 pixels of two rows.
fn pool(rows: &[f32], n_channels: usize, target: &mut [f32]) {
    let (upper, lower) = rows.split_at(rows.len() / 2);
    let pairs = upper
        .chunks_exact(2 * n_channels)
        .zip(lower.chunks_exact(2 * n_channels));
    for (target, (upper, lower)) in target.chunks_exact_mut(n_channels).zip(pairs) {
        for (channel, value) in target.iter_mut().enumerate() {
            let right = channel + n_channels;
            *value = upper[channel]
                .max(upper[right])
                .max(lower[channel])
                .max(lower[right]);
        }
    }
}

/// Sum over pixels of the products of all pairs of channels.
fn products(pixels: &[f32], n_channels: usize) -> Array2<f32> {
    let pixels = ArrayView2::from_shape((pixels.len() / n_channels, n_channels), pixels)
        .expect("whole pixels");
    pixels.t().dot(&pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(width: usize, height: usize, n_channels: usize, values: &[f32]) -> Features {
        let mut features = Features::zeros(width, height, n_channels);
        let stride = features.stride();
        for (idx, &value) in values.iter().enumerate() {
            let (y, at) = (idx / (width * n_channels), idx % (width * n_channels));
            features.values[(y + 1) * stride + n_channels + at] = value;
        }
        features
    }

    fn inner(features: &Features) -> Vec<f32> {
        let (stride, n) = (features.stride(), features.n_channels);
        let rows = features
            .values
            .chunks_exact(stride)
            .skip(1)
            .take(features.height);
        rows.flat_map(|row| row[n..stride - n].to_vec()).collect()
    }

    /// The convolution by its definition.
    fn by_hand(from: &Features, weights: &[f32], bias: &[f32]) -> Vec<f32> {
        let mut values = Vec::new();
        for y in 0..from.height {
            for x in 0..from.width {
                for (out, bias) in bias.iter().enumerate() {
                    let mut sum = *bias;
                    for tap in 0..9 * from.n_channels {
                        let (channel, row, column) = (tap / 9, tap / 3 % 3, tap % 3);
                        let at = (y + row) * from.stride() + (x + column) * from.n_channels;
                        sum += from.values[at + channel] * weights[out * 9 * from.n_channels + tap];
                    }
                    values.push(sum.max(0.0));
                }
            }
        }
        values
    }

    #[test]
    fn convolution_is_what_it_is_by_definition() {
        // More rows than a band has, and an incomplete band.
        let (width, height) = (5, 7);
        let values: Vec<_> = (0..width * height * 2)
            .map(|idx| (idx * 7 % 11) as f32 - 5.0)
            .collect();
        let from = features(width, height, 2, &values);
        let weights: Vec<_> = (0..9 * 2 * 3)
            .map(|idx| (idx * 5 % 13) as f32 - 6.0)
            .collect();
        let bias = vec![1.0, -20.0, 0.5];
        let wanted = by_hand(&from, &weights, &bias);
        let then = Then {
            pool: false,
            gram: false,
        };
        let (to, gram) = from.convolve(&Conv::new(&weights, bias), then);
        assert_eq!(inner(&to), wanted);
        assert!(gram.is_none());
    }

    #[test]
    fn an_identity_is_pooled_and_multiplied() {
        // The fifth row makes a band alone, and is in no pair of rows.
        let values = [
            1.0, -2.0, 9.0, 3.0, 2.0, 9.0, 0.0, 0.0, 1.0, 0.0, -7.0, 0.0, 4.0, 0.0, 0.0,
        ];
        let from = features(3, 5, 1, &values);
        let mut weights = vec![0.0; 18];
        weights[4] = 1.0;
        weights[13] = -1.0;
        let then = Then {
            pool: true,
            gram: true,
        };
        let (to, gram) = from.convolve(&Conv::new(&weights, vec![0.0; 2]), then);
        assert_eq!(inner(&to), [3.0, 2.0, 0.0, 7.0]);
        // 1 + 81 + 9 + 4 + 81 + 1 + 16, and 4 + 49, over 2 channels of 3x5.
        let wanted = [193.0 / 30.0, 0.0, 0.0, 53.0 / 30.0];
        let found = gram.unwrap().into_raw_vec_and_offset().0;
        assert!(
            found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9),
            "{found:?}"
        );
    }
}
