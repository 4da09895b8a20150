//! The losses that networks are trained by: content, style and roughness (Gatys et al. 2016, Johnson et al. 2016).

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use crate::maps::{Maps, add_scaled};
use crate::vgg::{CONTENT_LAYER, STYLE_LAYERS, Vgg};

/// What makes the style of a painting: the Gram matrix of each style layer.
#[derive(Clone, Debug)]
pub struct Painting {
    grams: Vec<Gram>,
}

/// Sums over pixels of the products of all pairs of channels, over channels, width and height.
#[derive(Clone, Debug)]
struct Gram(Vec<f32>);

/// How much each loss counts.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// Of the content.
    pub content: f32,
    /// Of the style.
    pub style: f32,
    /// Of the roughness.
    pub roughness: f32,
}

/// Losses of one picture.
#[derive(Clone, Copy, Debug, Default)]
pub struct Losses {
    /// Mean square of the difference to the photo at the content layer, over the mean square of the photo there.
    pub content: f64,
    /// Sum over style layers of the square of the difference of Gram matrices over the square of the painting's.
    pub style: f64,
    /// Mean square of the difference of neighbouring pixels.
    pub roughness: f64,
}

impl Painting {
    /// From a painting `[height, width, 3]`, RGB 0..1. Its scale decides the size of the strokes.
    pub fn new(vgg: &Vgg, painting: &Maps) -> Self {
        let features = vgg.features(painting, STYLE_LAYERS[3]);
        Self {
            grams: STYLE_LAYERS
                .iter()
                .map(|&layer| Gram::of(&features[layer]))
                .collect(),
        }
    }
}

/// The losses of a picture that was painted from a photo of the same size, and their gradient by it.
pub fn losses(
    vgg: &Vgg,
    painting: &Painting,
    painted: &Maps,
    photo: &Maps,
    shares: Shares,
) -> (Losses, Maps) {
    let wanted = vgg
        .features(photo, CONTENT_LAYER)
        .pop()
        .expect("features up to the content layer");
    let features = vgg.features(painted, STYLE_LAYERS[3]);
    let mut gradients: Vec<Option<Maps>> = features.iter().map(|_| None).collect();
    let mut style = 0.0;
    for (&layer, wanted) in STYLE_LAYERS.iter().zip(&painting.grams) {
        let (loss, gradient) = wanted.distance(&features[layer], shares.style);
        style += loss;
        gradients[layer] = Some(gradient);
    }
    let (content, by_content) = distance(&features[CONTENT_LAYER], &wanted, shares.content);
    let at = gradients[CONTENT_LAYER]
        .as_mut()
        .expect("the content layer is a style layer too");
    crate::maps::add(&mut at.values, &by_content.values);
    let mut gradient = vgg.backward(&features, gradients);
    let roughness = roughness(painted, shares.roughness, &mut gradient);
    (
        Losses {
            content,
            style,
            roughness,
        },
        gradient,
    )
}

impl Losses {
    /// Adds other losses.
    pub fn add(&mut self, other: &Self) {
        self.content += other.content;
        self.style += other.style;
        self.roughness += other.roughness;
    }

    /// A multiple.
    pub fn times(&self, factor: f64) -> Self {
        Self {
            content: factor * self.content,
            style: factor * self.style,
            roughness: factor * self.roughness,
        }
    }
}

impl Gram {
    fn of(maps: &Maps) -> Self {
        let n = maps.n_channels;
        let mut products = vec![0.0; n * n];
        let values = MatRef::from_row_major_slice(&maps.values, maps.n_pixels(), n);
        let target = MatMut::from_row_major_slice_mut(&mut products, n, n);
        matmul(
            target,
            Accum::Replace,
            values.transpose(),
            values,
            1.0 / maps.values.len() as f32,
            Par::Seq,
        );
        Self(products)
    }

    /// How far maps are from this, as part of this, and `share` times the gradient by them.
    fn distance(&self, maps: &Maps, share: f32) -> (f64, Maps) {
        let n = maps.n_channels;
        let Self(mut difference) = Self::of(maps);
        add_scaled(&mut difference, -1.0, &self.0);
        let own = square(&self.0).max(f64::MIN_POSITIVE);
        let loss = square(&difference) / own;
        // The matrix is symmetric: each pair of channels counts twice, and each loss is a square.
        let factor = (4.0 * f64::from(share) / own / maps.values.len() as f64) as f32;
        let mut gradient = Maps::scratch(maps.height, maps.width, n);
        matmul(
            MatMut::from_row_major_slice_mut(&mut gradient.values, maps.n_pixels(), n),
            Accum::Replace,
            MatRef::from_row_major_slice(&maps.values, maps.n_pixels(), n),
            MatRef::from_row_major_slice(&difference, n, n),
            factor,
            Par::Seq,
        );
        (loss, gradient)
    }
}

fn square(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum()
}

/// Mean square of the difference over that of what is wanted, and `share` times the gradient.
fn distance(found: &Maps, wanted: &Maps, share: f32) -> (f64, Maps) {
    let own = square(&wanted.values).max(f64::MIN_POSITIVE);
    let mut gradient = found.clone();
    add_scaled(&mut gradient.values, -1.0, &wanted.values);
    let loss = square(&gradient.values) / own;
    let factor = (2.0 * f64::from(share) / own) as f32;
    gradient
        .values
        .iter_mut()
        .for_each(|value| *value *= factor);
    (loss, gradient)
}

/// Mean square of the differences to the right and downwards; adds `share` times the gradient.
fn roughness(picture: &Maps, share: f32, gradient: &mut Maps) -> f64 {
    let (stride, n) = (picture.stride(), picture.n_channels);
    let mut sum = [0.0f64; 2];
    let n_right = (picture.height * (picture.width - 1) * n) as f32;
    let n_down = ((picture.height - 1) * stride) as f32;
    let mut pair = |a: usize, b: usize, kind: usize, count: f32| {
        let difference = picture.values[a] - picture.values[b];
        sum[kind] += f64::from(difference * difference / count);
        let by = 2.0 * share * difference / count;
        gradient.values[a] += by;
        gradient.values[b] -= by;
    };
    for y in 0..picture.height {
        for at in y * stride..(y + 1) * stride {
            if at + n < (y + 1) * stride {
                pair(at + n, at, 0, n_right);
            }
            if y + 1 < picture.height {
                pair(at + stride, at, 1, n_down);
            }
        }
    }
    sum[0] + sum[1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn the_gradient_is_a_difference() {
        let vgg = Vgg::random(2);
        let mut random = Random::of(&[3]);
        let mut noise = |low: f32| {
            let mut maps = Maps::zeros(24, 32, 3);
            maps.values
                .iter_mut()
                .for_each(|value| *value = low + 0.5 * random.unit());
            maps
        };
        let (painting, photo, painted) = (Painting::new(&vgg, &noise(0.0)), noise(0.2), noise(0.5));
        for shares in [
            [1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [0.0, 0.0, 1.0],
            [2.0, 3.0, 5.0],
        ] {
            let [content, style, roughness] = shares;
            let shares = Shares {
                content,
                style,
                roughness,
            };
            let total = |painted: &Maps| {
                let (losses, _) = losses(&vgg, &painting, painted, &photo, shares);
                let parts = [
                    (content, losses.content),
                    (style, losses.style),
                    (roughness, losses.roughness),
                ];
                parts
                    .iter()
                    .map(|&(share, loss)| f64::from(share) * loss)
                    .sum::<f64>()
            };
            let (_, gradient) = losses(&vgg, &painting, &painted, &photo, shares);
            let step = 0.03 / square(&gradient.values).sqrt();
            let [mut less, mut more] = [painted.clone(), painted.clone()];
            add_scaled(&mut less.values, -step as f32, &gradient.values);
            add_scaled(&mut more.values, step as f32, &gradient.values);
            let ratio = (total(&more) - total(&less)) / (2.0 * step) / square(&gradient.values);
            assert!((ratio - 1.0).abs() < 0.03, "{shares:?}: {ratio}");
        }
    }

    #[test]
    fn a_painting_is_of_its_own_style() {
        let vgg = Vgg::random(2);
        let mut painting = Maps::zeros(24, 24, 3);
        let mut random = Random::of(&[1]);
        painting
            .values
            .iter_mut()
            .for_each(|value| *value = random.unit());
        let shares = Shares {
            content: 1.0,
            style: 1.0,
            roughness: 0.0,
        };
        let (losses, gradient) = losses(
            &vgg,
            &Painting::new(&vgg, &painting),
            &painting,
            &painting,
            shares,
        );
        assert!(losses.content == 0.0 && losses.style < 1e-9);
        assert!(gradient.values.iter().all(|value| value.abs() < 1e-6));
    }
}
