//! A convolution, the normalisation after it, and perhaps a cut at 0: forwards and back.

use crate::conv::{Conv, Then};
use crate::maps::{Maps, through_relu};

use super::plan::Unit;

/// Added to variances, so that channels without contrast stay finite.
pub const EPSILON: f32 = 1e-5;

/// What a style does to the channels of one unit: `gain * (x - mean) / sqrt(variance + EPSILON) + offset`.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// Learnt.
    pub gain: Vec<f32>,
    /// Learnt.
    pub offset: Vec<f32>,
    /// Mean over photos, once it is frozen.
    pub mean: Vec<f32>,
    /// Variance over photos, once it is frozen.
    pub variance: Vec<f32>,
}

/// Gradient by what is learnt of an [`Affine`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AffineGradient {
    /// By the gains.
    pub gain: Vec<f32>,
    /// By the offsets.
    pub offset: Vec<f32>,
}

/// What the way back needs of the way there.
pub struct Passed {
    input: Maps,
    /// After normalisation, before gain and offset.
    normal: Maps,
    /// One over the deviation of each channel.
    scale: Vec<f32>,
    /// The picture's own mean and variance, where they were used.
    measured: Option<[Vec<f32>; 2]>,
    output: Maps,
}

impl Affine {
    /// Leaves what it gets as it is.
    pub fn neutral(n: usize) -> Self {
        Self {
            gain: vec![1.0; n],
            offset: vec![0.0; n],
            mean: vec![0.0; n],
            variance: vec![1.0 - EPSILON; n],
        }
    }

    /// Factor and summand of each channel that come to the same.
    pub fn folded(&self) -> [Vec<f32>; 2] {
        let scale: Vec<f32> = self
            .gain
            .iter()
            .zip(&self.variance)
            .map(|(gain, variance)| gain / (variance + EPSILON).sqrt())
            .collect();
        let shift = self
            .offset
            .iter()
            .zip(&scale)
            .zip(&self.mean)
            .map(|((offset, scale), mean)| offset - scale * mean);
        let shift = shift.collect();
        [scale, shift]
    }

    /// Sets gain and offset so that, with the statistics that this has, it does what `other` does.
    pub fn keep_paint_of(&mut self, other: &Self) {
        let [scale, shift] = other.folded();
        for i in 0..scale.len() {
            let deviation = (self.variance[i] + EPSILON).sqrt();
            self.gain[i] = scale[i] * deviation;
            self.offset[i] = shift[i] + scale[i] * self.mean[i];
        }
    }
}

/// Runs a unit. `live` normalises by the picture's own mean and variance, else by the running ones.
pub fn forward(unit: &Unit, conv: &Conv, affine: &Affine, input: Maps, live: bool) -> Passed {
    let mut normal = conv.forward(&input, Then::default());
    let measured = (live && unit.norm).then(|| moments(&normal));
    let (mean, variance) = match &measured {
        Some([mean, variance]) => (mean, variance),
        None => (&affine.mean, &affine.variance),
    };
    let scale: Vec<f32> = variance
        .iter()
        .map(|variance| 1.0 / (variance + EPSILON).sqrt())
        .collect();
    let mut output = Maps::scratch(normal.height, normal.width, normal.n_channels);
    let n = unit.n_out;
    let (gain, offset) = (&affine.gain[..n], &affine.offset[..n]);
    let (mean, scaled) = (&mean[..n], &scale[..n]);
    for (normal, output) in normal
        .values
        .chunks_exact_mut(n)
        .zip(output.values.chunks_exact_mut(n))
    {
        for i in 0..n {
            normal[i] = (normal[i] - mean[i]) * scaled[i];
            output[i] = normal[i] * gain[i] + offset[i];
        }
        if unit.relu {
            for value in output {
                *value = value.max(0.0);
            }
        }
    }
    Passed {
        input,
        normal,
        scale,
        measured,
        output,
    }
}

impl Passed {
    /// What the unit gave.
    pub fn output(&self) -> &Maps {
        &self.output
    }

    /// The picture's mean and variance of each channel before normalisation by `affine`.
    pub fn moments(&self, affine: &Affine) -> [Vec<f32>; 2] {
        if let Some(measured) = &self.measured {
            return measured.clone();
        }
        let [mut mean, mut variance] = moments(&self.normal);
        for i in 0..mean.len() {
            let deviation = (affine.variance[i] + EPSILON).sqrt();
            mean[i] = affine.mean[i] + deviation * mean[i];
            variance[i] *= deviation * deviation;
        }
        [mean, variance]
    }

    /// From the gradient by the output: adds those by the weights and by the affine part, returns that by the input
    /// unless it is not wanted.
    pub fn backward(
        &self,
        unit: &Unit,
        conv: &Conv,
        affine: &Affine,
        mut gradient: Maps,
        sums: Sums<'_>,
        wants_input: bool,
    ) -> Option<Maps> {
        if unit.relu {
            through_relu(&mut gradient.values, &self.output.values);
        }
        let n = unit.n_out;
        let [mut by_offset, mut by_gain] = [vec![0.0f32; n], vec![0.0f32; n]];
        for (gradient, normal) in gradient
            .values
            .chunks_exact(n)
            .zip(self.normal.values.chunks_exact(n))
        {
            for i in 0..n {
                by_offset[i] += gradient[i];
                by_gain[i] += gradient[i] * normal[i];
            }
        }
        let n_pixels = gradient.n_pixels() as f32;
        let is_live = if self.measured.is_some() {
            1.0 / n_pixels
        } else {
            0.0
        };
        let factor: Vec<f32> = affine
            .gain
            .iter()
            .zip(&self.scale)
            .map(|(gain, scale)| gain * scale)
            .collect();
        let (factor, by_offset, by_gain) = (&factor[..n], &by_offset[..n], &by_gain[..n]);
        for (gradient, normal) in gradient
            .values
            .chunks_exact_mut(n)
            .zip(self.normal.values.chunks_exact(n))
        {
            for i in 0..n {
                let common = is_live * (by_offset[i] + normal[i] * by_gain[i]);
                gradient[i] = factor[i] * (gradient[i] - common);
            }
        }
        crate::maps::add(&mut sums.affine.gain, by_gain);
        crate::maps::add(&mut sums.affine.offset, by_offset);
        conv.backward_weights(&self.input, &gradient, sums.weights);
        wants_input.then(|| conv.backward(&gradient, self.input.height, self.input.width))
    }
}

/// Where gradients are summed up.
pub struct Sums<'a> {
    /// By the weights.
    pub weights: &'a mut [f32],
    /// By gain and offset.
    pub affine: &'a mut AffineGradient,
}

/// Mean and variance of each channel.
fn moments(maps: &Maps) -> [Vec<f32>; 2] {
    let n = maps.n_channels;
    let [mut sum, mut squares] = [vec![0.0f64; n], vec![0.0f64; n]];
    for row in maps.values.chunks_exact(maps.stride()) {
        let [mut row_sum, mut row_squares] = [vec![0.0f32; n], vec![0.0f32; n]];
        let (row_sum, row_squares) = (&mut row_sum[..n], &mut row_squares[..n]);
        for pixel in row.chunks_exact(n) {
            for i in 0..n {
                row_sum[i] += pixel[i];
                row_squares[i] += pixel[i] * pixel[i];
            }
        }
        for i in 0..n {
            sum[i] += f64::from(row_sum[i]);
            squares[i] += f64::from(row_squares[i]);
        }
    }
    let n_pixels = maps.n_pixels() as f64;
    let mean: Vec<f64> = sum.iter().map(|sum| sum / n_pixels).collect();
    let variance = squares
        .iter()
        .zip(&mean)
        .map(|(squares, mean)| (squares / n_pixels - mean * mean).max(0.0) as f32);
    [
        mean.iter().map(|&mean| mean as f32).collect(),
        variance.collect(),
    ]
}
