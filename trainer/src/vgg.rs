//! The loss network: VGG16 up to its tenth convolution (Simonyan and Zisserman 2015).

use std::path::Path;

use anyhow::{Context, ensure};
use bytemuck::pod_collect_to_vec;
use safetensors::{Dtype, SafeTensors};

use crate::conv::{Conv, Then, Walk};
use crate::maps::{Maps, add, through_relu};
use crate::simd::vectorise;

/// Convolutions: name, channels in and out.
const LAYERS: [(&str, usize, usize); 10] = [
    ("conv1_1", 3, 64),
    ("conv1_2", 64, 64),
    ("conv2_1", 64, 128),
    ("conv2_2", 128, 128),
    ("conv3_1", 128, 256),
    ("conv3_2", 256, 256),
    ("conv3_3", 256, 256),
    ("conv4_1", 256, 512),
    ("conv4_2", 512, 512),
    ("conv4_3", 512, 512),
];

/// Layers that are halved before the next one.
const POOLED: [usize; 3] = [1, 3, 6];

/// Layers whose Gram matrices make the style: `relu1_2`, `2_2`, `3_3`, `4_3` (Johnson et al. 2016).
pub const STYLE_LAYERS: [usize; 4] = [1, 3, 6, 9];

/// Layer whose values make the content: `relu3_3`.
pub const CONTENT_LAYER: usize = 6;

/// Mean and deviation of the colours that it was trained with.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// Least side of a picture in pixels: three times halved, there is one left.
pub const LEAST_PX: usize = 8;

/// The loss network, ready to run.
pub struct Vgg {
    layers: Vec<(Conv, Vec<f32>)>,
}

impl Vgg {
    /// Reads its weights: safetensors, f32, `conv1_1.weight` `[64, 3, 3, 3]` to `conv4_3.bias` `[512]`.
    ///
    /// # Errors
    /// If the file cannot be read or holds something else.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path)
            .with_context(|| format!("reading the loss network {}", path.display()))?;
        Self::parse(&bytes).with_context(|| {
            format!(
                "{} does not hold the weights of VGG16; `./setup trainer` fetches them",
                path.display()
            )
        })
    }

    fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let file = SafeTensors::deserialize(bytes).context("it is no safetensors file")?;
        let read = |name: &str, shape: &[usize]| {
            let tensor = file
                .tensor(name)
                .with_context(|| format!("`{name}` is missing"))?;
            ensure!(
                tensor.dtype() == Dtype::F32 && tensor.shape() == shape,
                "`{name}` is {:?} {:?}, wanted F32 {shape:?}",
                tensor.dtype(),
                tensor.shape()
            );
            Ok(pod_collect_to_vec::<u8, f32>(tensor.data()))
        };
        let layers = LAYERS.iter().map(|&(name, n_in, n_out)| {
            let weights = read(&format!("{name}.weight"), &[n_out, n_in, 3, 3])?;
            Ok((
                Conv::new(&weights, n_in, n_out, Walk::DENSE),
                read(&format!("{name}.bias"), &[n_out])?,
            ))
        });
        Ok(Self {
            layers: layers.collect::<anyhow::Result<_>>()?,
        })
    }

    /// What the layers up to and with `last` make of a picture `[height, width, 3]`, RGB 0..1, each cut off at 0.
    pub fn features(&self, picture: &Maps, last: usize) -> Vec<Maps> {
        let mut input = picture.clone();
        for pixel in input.values.chunks_exact_mut(3) {
            for i in 0..3 {
                pixel[i] = (pixel[i] - MEAN[i]) / DEVIATION[i];
            }
        }
        let mut features: Vec<Maps> = Vec::with_capacity(last + 1);
        for (idx, (conv, bias)) in self.layers[..=last].iter().enumerate() {
            let then = Then {
                bias: Some(bias),
                add: None,
                relu: true,
            };
            let made = match features.last() {
                None => conv.forward(&input, then),
                Some(last) if POOLED.contains(&(idx - 1)) => conv.forward(&pool(last), then),
                Some(last) => conv.forward(last, then),
            };
            features.push(made);
        }
        features
    }

    /// Gradient by the picture from those by its features; where a layer has none, nothing of the loss hangs on it.
    pub fn backward(&self, features: &[Maps], mut gradients: Vec<Option<Maps>>) -> Maps {
        let mut from_above: Option<Maps> = None;
        for idx in (0..features.len()).rev() {
            let mut gradient = match (from_above.take(), gradients[idx].take()) {
                (Some(mut above), Some(own)) => {
                    add(&mut above.values, &own.values);
                    above
                }
                (Some(gradient), None) | (None, Some(gradient)) => gradient,
                (None, None) => continue,
            };
            through_relu(&mut gradient.values, &features[idx].values);
            let [height, width] = match idx.checked_sub(1) {
                Some(below) if POOLED.contains(&below) => {
                    [features[below].height / 2, features[below].width / 2]
                }
                _ => [gradient.height, gradient.width],
            };
            let mut below = self.layers[idx].0.backward(&gradient, height, width);
            if let Some(pooled) = idx.checked_sub(1).filter(|below| POOLED.contains(below)) {
                below = unpool(&features[pooled], &below);
            }
            from_above = Some(below);
        }
        let mut gradient = from_above.expect("a gradient for one layer at least");
        for pixel in gradient.values.chunks_exact_mut(3) {
            for i in 0..3 {
                pixel[i] /= DEVIATION[i];
            }
        }
        gradient
    }
}

/// The greatest of each 2x2 pixels; an odd last row or column is left out.
fn pool(maps: &Maps) -> Maps {
    let mut pooled = Maps::scratch(maps.height / 2, maps.width / 2, maps.n_channels);
    let (n, stride, from) = (maps.n_channels, pooled.stride(), maps.stride());
    let target = &mut pooled.values;
    vectorise!({
        for (target, rows) in target
            .chunks_exact_mut(stride)
            .zip(maps.values.chunks_exact(2 * from))
        {
            for (x, target) in target.chunks_exact_mut(n).enumerate() {
                let [a, b, c, d] = square(rows, from, x, n);
                for i in 0..n {
                    target[i] = a[i].max(b[i]).max(c[i].max(d[i]));
                }
            }
        }
    });
    pooled
}

/// The pixels of 2x2, upper row first, out of two rows of `from` numbers.
#[inline(always)]
fn square(rows: &[f32], from: usize, x: usize, n: usize) -> [&[f32]; 4] {
    let (upper, lower) = (
        &rows[2 * x * n..][..2 * n],
        &rows[from + 2 * x * n..][..2 * n],
    );
    [&upper[..n], &upper[n..], &lower[..n], &lower[n..]]
}

/// Gives each gradient to the greatest of its 2x2 pixels: to all of them where several are.
fn unpool(maps: &Maps, gradient: &Maps) -> Maps {
    let is_covered = maps.height.is_multiple_of(2) && maps.width.is_multiple_of(2);
    let mut spread = if is_covered {
        Maps::scratch(maps.height, maps.width, maps.n_channels)
    } else {
        maps.zeros_like()
    };
    let (n, stride, from) = (maps.n_channels, gradient.stride(), maps.stride());
    let target = &mut spread.values;
    vectorise!({
        let rows = target
            .chunks_exact_mut(2 * from)
            .zip(maps.values.chunks_exact(2 * from));
        for ((target, rows), gradient) in rows.zip(gradient.values.chunks_exact(stride)) {
            for (x, gradient) in gradient.chunks_exact(n).enumerate() {
                let [a, b, c, d] = square(rows, from, x, n);
                let (upper, lower) = target.split_at_mut(from);
                let (to_a, to_b) = upper[2 * x * n..][..2 * n].split_at_mut(n);
                let (to_c, to_d) = lower[2 * x * n..][..2 * n].split_at_mut(n);
                for i in 0..n {
                    let greatest = a[i].max(b[i]).max(c[i].max(d[i]));
                    to_a[i] = if a[i] == greatest { gradient[i] } else { 0.0 };
                    to_b[i] = if b[i] == greatest { gradient[i] } else { 0.0 };
                    to_c[i] = if c[i] == greatest { gradient[i] } else { 0.0 };
                    to_d[i] = if d[i] == greatest { gradient[i] } else { 0.0 };
                }
            }
        }
    });
    spread
}

#[cfg(test)]
impl Vgg {
    /// A loss network of random weights: good enough to have gradients.
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = crate::random::Random::of(&[seed]);
        let layers = LAYERS.iter().map(|&(_, n_in, n_out)| {
            let deviation = (2.0 / (9 * n_in) as f32).sqrt();
            let weights: Vec<f32> = (0..9 * n_in * n_out)
                .map(|_| deviation * random.normal())
                .collect();
            (
                Conv::new(&weights, n_in, n_out, Walk::DENSE),
                vec![0.0; n_out],
            )
        });
        Self {
            layers: layers.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_go_to_the_greatest() {
        let maps = Maps {
            height: 3,
            width: 2,
            n_channels: 1,
            values: vec![1.0, 4.0, 2.0, 3.0, 9.0, 9.0],
        };
        assert_eq!(pool(&maps).values, [4.0]);
        let gradient = Maps {
            height: 1,
            width: 1,
            n_channels: 1,
            values: vec![5.0],
        };
        assert_eq!(
            unpool(&maps, &gradient).values,
            [0.0, 5.0, 0.0, 0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn other_files_are_refused_by_what_they_lack() {
        let error = Vgg::parse(b"no weights").err().unwrap();
        assert!(format!("{error:#}").contains("safetensors"), "{error:#}");
        let empty = safetensors::serialize(
            Vec::<(&str, safetensors::tensor::TensorView<'_>)>::new(),
            None,
        )
        .unwrap();
        let error = Vgg::parse(&empty).err().unwrap();
        assert!(format!("{error:#}").contains("conv1_1.weight"), "{error:#}");
    }
}
