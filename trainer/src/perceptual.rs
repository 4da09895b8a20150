//! The losses that networks are trained by: content, style and roughness (Gatys et al. 2016, Johnson et al. 2016).

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use crate::maps::{Maps, add_scaled};
use crate::tone::{Recoloring, Tone};
use crate::vgg::{CONTENT_LAYER, STYLE_LAYERS, Vgg};

/// What makes the style of a painting: the Gram matrix of each style layer.
#[derive(Clone, Debug)]
pub struct Painting {
    grams: Vec<Gram>,
    /// What its light and colours make of photos.
    pub tone: Recoloring,
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
    /// Mean square of the difference to the photo at the content layer, over the mean square of the photo there, or of
    /// those that [`Aim::among`] takes it with.
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
            tone: Tone::of(painting).recoloring(),
        }
    }
}

/// Mean square of a photo, `[height, width, 3]`, RGB 0..1, at the content layer.
pub fn content_energy(vgg: &Vgg, photo: &Maps) -> f64 {
    mean_square(&content(vgg, photo))
}

/// A photo at the content layer.
fn content(vgg: &Vgg, photo: &Maps) -> Maps {
    let features = vgg.features(photo, CONTENT_LAYER).pop();
    features.expect("features up to the content layer")
}

/// What painted pictures are held against: the style of a painting, and what a photo shows.
pub struct Aim<'a> {
    vgg: &'a Vgg,
    painting: &'a Painting,
    /// The photo at the content layer.
    content: Maps,
    /// Mean square there that differences are judged by.
    content_energy: f64,
}

impl<'a> Aim<'a> {
    /// `photo` is `[height, width, 3]`, RGB 0..1.
    pub fn new(vgg: &'a Vgg, painting: &'a Painting, photo: &Maps) -> Self {
        let content = content(vgg, photo);
        Self {
            vgg,
            painting,
            content_energy: mean_square(&content),
            content,
        }
    }

    /// Mean square of the photo at the content layer.
    pub fn content_energy(&self) -> f64 {
        self.content_energy
    }

    /// Judges content by the mean square of several photos at the content layer, in place of the photo's own: what is
    /// plain may be painted over as boldly as what is not.
    pub fn among(self, content_energy: f64) -> Self {
        Self {
            content_energy,
            ..self
        }
    }

    /// The losses of a painted picture of the photo's size.
    pub fn losses(&self, painted: &Maps) -> Losses {
        let features = self.vgg.features(painted, STYLE_LAYERS[3]);
        let styles = STYLE_LAYERS.iter().zip(&self.painting.grams);
        Losses {
            content: self.content(&features[CONTENT_LAYER]).1,
            style: styles
                .map(|(&layer, wanted)| difference(&Gram::of(&features[layer]).0, &wanted.0).1)
                .sum(),
            roughness: roughness(painted, 0.0, &mut painted.zeros_like()),
        }
    }

    /// The losses, and the gradient of their sum in these shares by the picture.
    pub fn gradient(&self, painted: &Maps, shares: Shares) -> (Losses, Maps) {
        let features = self.vgg.features(painted, STYLE_LAYERS[3]);
        let mut gradients: Vec<Option<Maps>> = features.iter().map(|_| None).collect();
        let mut style = 0.0;
        for (&layer, wanted) in STYLE_LAYERS.iter().zip(&self.painting.grams) {
            let (loss, gradient) = wanted.distance(&features[layer], shares.style);
            style += loss;
            gradients[layer] = Some(gradient);
        }
        let (by_content, content) = self.content(&features[CONTENT_LAYER]);
        let at = gradients[CONTENT_LAYER]
            .as_mut()
            .expect("the content layer is a style layer too");
        add_scaled(&mut at.values, shares.content, &by_content);
        let mut gradient = self.vgg.backward(&features, gradients);
        let roughness = roughness(painted, shares.roughness, &mut gradient);
        let losses = Losses {
            content,
            style,
            roughness,
        };
        (losses, gradient)
    }

    /// Gradient of the content loss by what is found at the content layer, and the loss.
    fn content(&self, found: &Maps) -> (Vec<f32>, f64) {
        let wanted = self.content_energy * found.values.len() as f64;
        let mut difference = found.values.clone();
        add_scaled(&mut difference, -1.0, &self.content.values);
        let loss = square(&difference) / wanted;
        let factor = (2.0 / wanted) as f32;
        difference.iter_mut().for_each(|value| *value *= factor);
        (difference, loss)
    }
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
        let (difference, loss) = difference(&Self::of(maps).0, &self.0);
        // The matrix is symmetric: each pair of channels counts twice, and each loss is a square.
        let factor = 4.0 * f64::from(share) / energy(&self.0) / maps.values.len() as f64;
        let mut gradient = Maps::scratch(maps.height, maps.width, n);
        matmul(
            MatMut::from_row_major_slice_mut(&mut gradient.values, maps.n_pixels(), n),
            Accum::Replace,
            MatRef::from_row_major_slice(&maps.values, maps.n_pixels(), n),
            MatRef::from_row_major_slice(&difference, n, n),
            factor as f32,
            Par::Seq,
        );
        (loss, gradient)
    }
}

/// Sum of squares, above 0.
fn energy(values: &[f32]) -> f64 {
    square(values).max(f64::MIN_POSITIVE)
}

/// Above 0.
fn mean_square(maps: &Maps) -> f64 {
    energy(&maps.values) / maps.values.len() as f64
}

fn square(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum()
}

/// The difference, and its energy as part of that of what is wanted.
fn difference(found: &[f32], wanted: &[f32]) -> (Vec<f32>, f64) {
    let mut difference = found.to_vec();
    add_scaled(&mut difference, -1.0, wanted);
    let loss = square(&difference) / energy(wanted);
    (difference, loss)
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
        let aim = Aim::new(&vgg, &painting, &photo);
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
                let losses = aim.losses(painted);
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
            let (losses, gradient) = aim.gradient(&painted, shares);
            let alone = aim.losses(&painted);
            assert!((losses.content - alone.content).abs() < 1e-9);
            assert!((losses.style - alone.style).abs() < 1e-9);
            assert!((losses.roughness - alone.roughness).abs() < 1e-9);
            let step = 0.03 / square(&gradient.values).sqrt();
            let [mut less, mut more] = [painted.clone(), painted.clone()];
            add_scaled(&mut less.values, -step as f32, &gradient.values);
            add_scaled(&mut more.values, step as f32, &gradient.values);
            let ratio = (total(&more) - total(&less)) / (2.0 * step) / square(&gradient.values);
            assert!((ratio - 1.0).abs() < 0.03, "{shares:?}: {ratio}");
        }
    }

    #[test]
    fn content_is_judged_by_the_photo_or_by_several() {
        let vgg = Vgg::random(2);
        let mut random = Random::of(&[5]);
        let mut noise = || {
            let mut maps = Maps::zeros(24, 24, 3);
            maps.values
                .iter_mut()
                .for_each(|value| *value = random.unit());
            maps
        };
        let (painting, photo, painted) = (Painting::new(&vgg, &noise()), noise(), noise());
        let own = Aim::new(&vgg, &painting, &photo);
        let energy = content_energy(&vgg, &photo);
        assert!((own.content_energy() / energy - 1.0).abs() < 1e-9);
        let content = own.losses(&painted).content;
        let among = own.among(4.0 * energy).losses(&painted).content;
        assert!(
            (4.0 * among / content - 1.0).abs() < 1e-6,
            "{among} {content}"
        );
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
        let style = Painting::new(&vgg, &painting);
        let (losses, gradient) = Aim::new(&vgg, &style, &painting).gradient(&painting, shares);
        assert!(losses.content == 0.0 && losses.style < 1e-9);
        assert!(gradient.values.iter().all(|value| value.abs() < 1e-6));
    }
}
