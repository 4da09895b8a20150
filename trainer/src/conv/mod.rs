//! Convolutions by 3x3 and what backpropagation needs of them.

mod patches;

pub use ::conv::{Then, Walk};

use crate::maps::Maps;

/// Taps of a kernel.
const TAPS: usize = 9;

/// A convolution that is ready to run, forwards and back.
pub struct Conv {
    walk: Walk,
    n_in: usize,
    n_out: usize,
    forward: ::conv::Conv,
    backward: Backward,
}

/// The way to the gradient by the input.
enum Backward {
    /// At stride 1 it is a convolution too: with taps turned by half a circle and channels exchanged.
    Conv(::conv::Conv),
    /// By the weights of the way there, `[9 * n_in, n_out]`.
    Spread(Vec<f32>),
}

impl Conv {
    /// From weights `[n_out, n_in, 3, 3]`.
    ///
    /// # Panics
    /// If there are not as many of them, or the walk is none of [`crate::net::plan`].
    pub fn new(weights: &[f32], n_in: usize, n_out: usize, walk: Walk) -> Self {
        let conv = |weights: &[f32], n_in: usize, n_out: usize| {
            let conv = ::conv::Conv::new(weights, n_in, n_out, walk);
            conv.expect("strides and taps apart come one by one")
        };
        let forward = conv(weights, n_in, n_out);
        let mut other = vec![0.0; weights.len()];
        for (out, weights) in weights.chunks_exact(TAPS * n_in).enumerate() {
            for (from, taps) in weights.chunks_exact(TAPS).enumerate() {
                for (tap, &weight) in taps.iter().enumerate() {
                    if walk.stride == 1 {
                        other[(from * n_out + out) * TAPS + TAPS - 1 - tap] = weight;
                    } else {
                        other[(tap * n_in + from) * n_out + out] = weight;
                    }
                }
            }
        }
        let backward = if walk.stride == 1 {
            Backward::Conv(conv(&other, n_out, n_in))
        } else {
            Backward::Spread(other)
        };
        Self {
            walk,
            n_in,
            n_out,
            forward,
            backward,
        }
    }

    /// Convolves.
    pub fn forward(&self, maps: &Maps, then: Then<'_>) -> Maps {
        self.run(&self.forward, self.n_out, maps, then)
    }

    /// Gradient by the input, which had `height` and `width`, from that by the output.
    pub fn backward(&self, gradient: &Maps, height: usize, width: usize) -> Maps {
        match &self.backward {
            Backward::Conv(conv) => self.run(conv, self.n_in, gradient, Then::default()),
            Backward::Spread(weights) => {
                let sum = Maps::zeros(height, width, self.n_in);
                patches::spread(gradient, weights, sum, self.walk)
            }
        }
    }

    fn run(&self, conv: &::conv::Conv, n_out: usize, maps: &Maps, then: Then<'_>) -> Maps {
        let [height, width] = self.walk.size([maps.height, maps.width]);
        let mut output = Maps::scratch(height, width, n_out);
        let input = ::conv::Maps {
            values: &maps.values,
            height: maps.height,
            width: maps.width,
            peaks: None,
        };
        let output_maps = ::conv::MapsMut {
            values: &mut output.values,
            peaks: &mut vec![0.0; height],
        };
        conv.run(input, then, output_maps);
        output
    }

    /// Adds the gradient by the weights, `[n_out, n_in, 3, 3]`, to `sum`.
    pub fn backward_weights(&self, input: &Maps, gradient: &Maps, sum: &mut [f32]) {
        let taps = patches::correlate(input, gradient, self.walk);
        for (out, weights) in sum.chunks_exact_mut(9 * self.n_in).enumerate() {
            for (from, weights) in weights.chunks_exact_mut(9).enumerate() {
                for (tap, weight) in weights.iter_mut().enumerate() {
                    *weight += taps[(tap * self.n_in + from) * self.n_out + out];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn noise(n: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::of(&[seed]);
        (0..n).map(|_| random.unit() - 0.5).collect()
    }

    fn maps(height: usize, width: usize, n_channels: usize, seed: u64) -> Maps {
        Maps {
            height,
            width,
            n_channels,
            values: noise(height * width * n_channels, seed),
        }
    }

    /// The convolution by its definition: calls `each(output pixel, input pixel, tap)`.
    fn walk_over(input: &Maps, walk: Walk, mut each: impl FnMut([usize; 2], [usize; 2], usize)) {
        let [height, width] = [input.height, input.width].map(|side| side.div_ceil(walk.stride));
        for y in 0..height {
            for x in 0..width {
                for tap in 0..9 {
                    let y_in =
                        (y * walk.stride + tap / 3 * walk.dilation).wrapping_sub(walk.dilation);
                    let x_in =
                        (x * walk.stride + tap % 3 * walk.dilation).wrapping_sub(walk.dilation);
                    if y_in < input.height && x_in < input.width {
                        each([y, x], [y_in, x_in], tap);
                    }
                }
            }
        }
    }

    fn assert_close(found: &[f32], wanted: &[f32]) {
        assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 2e-4, "{found} for {wanted}");
        }
    }

    const DENSE: Walk = Walk::DENSE;
    const CASES: [(usize, usize, usize, usize, Walk); 6] = [
        (9, 14, 16, 32, DENSE),
        (4, 4, 32, 16, DENSE),
        (37, 70, 16, 16, DENSE),
        (7, 10, 3, 12, DENSE),
        (
            8,
            11,
            5,
            16,
            Walk {
                dilation: 2,
                ..DENSE
            },
        ),
        (9, 12, 12, 16, Walk { stride: 2, ..DENSE }),
    ];

    #[test]
    fn a_convolution_is_what_it_is_by_definition() {
        for (height, width, n_in, n_out, walk) in CASES {
            let (input, weights) = (maps(height, width, n_in, 1), noise(n_out * n_in * 9, 2));
            let bias = noise(n_out, 3);
            let conv = Conv::new(&weights, n_in, n_out, walk);
            let found = conv.forward(
                &input,
                Then {
                    bias: Some(&bias),
                    add: None,
                    relu: true,
                },
            );
            let mut wanted = Maps::zeros(
                height.div_ceil(walk.stride),
                width.div_ceil(walk.stride),
                n_out,
            );
            for pixel in wanted.values.chunks_exact_mut(n_out) {
                pixel.copy_from_slice(&bias);
            }
            let stride = wanted.stride();
            walk_over(&input, walk, |[y, x], [y_in, x_in], tap| {
                for out in 0..n_out {
                    for (from, value) in input.pixel(y_in, x_in).iter().enumerate() {
                        wanted.values[y * stride + x * n_out + out] +=
                            value * weights[(out * n_in + from) * 9 + tap];
                    }
                }
            });
            wanted
                .values
                .iter_mut()
                .for_each(|value| *value = value.max(0.0));
            assert_close(&found.values, &wanted.values);
        }
    }

    #[test]
    fn gradients_are_what_they_are_by_definition() {
        for (height, width, n_in, n_out, walk) in CASES {
            let (input, weights) = (maps(height, width, n_in, 4), noise(n_out * n_in * 9, 5));
            let conv = Conv::new(&weights, n_in, n_out, walk);
            let shape = conv.forward(&input, Then::default());
            let gradient = maps(shape.height, shape.width, n_out, 6);
            let mut by_input = input.zeros_like();
            let mut by_weights = vec![1.0; weights.len()];
            let stride = input.stride();
            walk_over(&input, walk, |[y, x], [y_in, x_in], tap| {
                for (out, gradient) in gradient.pixel(y, x).iter().enumerate() {
                    for from in 0..n_in {
                        let weight = (out * n_in + from) * 9 + tap;
                        let at = y_in * stride + x_in * n_in + from;
                        by_input.values[at] += gradient * weights[weight];
                        by_weights[weight] += gradient * input.values[at];
                    }
                }
            });
            assert_close(
                &conv.backward(&gradient, height, width).values,
                &by_input.values,
            );
            let mut found = vec![1.0; weights.len()];
            conv.backward_weights(&input, &gradient, &mut found);
            assert_close(&found, &by_weights);
        }
    }
}
