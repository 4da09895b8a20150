//! How good a style is, on photos that it was not trained on.

use rayon::prelude::*;

use crate::conv::Conv;
use crate::maps::Maps;
use crate::net::Network;
use crate::perceptual::{Aim, Losses, Painting};
use crate::random::Random;
use crate::vgg::Vgg;

/// Photos whose content is judged by the mean square of all of them, so that plain ones do not outweigh the others.
const N_TOGETHER: usize = 4;
/// Noisy versions of a photo.
const N_NOISY: usize = 8;
/// Photos that noise is measured on.
const N_PHOTOS_NOISY: usize = 4;
/// Deviation of that noise.
const NOISE: f32 = 2.0 / 255.0;
/// Pixels of a side of even pictures.
const EVEN_PX: usize = 256;
/// Periods in pixels at which a network that works on blocks may leave a pattern.
const PERIODS: [usize; 3] = [2, 4, 8];
/// Frequencies on each side that a period is compared with.
const N_NEIGHBOURS: usize = 6;

/// Figures of a style.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Mean of the content loss, four photos together: the squares of their differences over their own.
    pub content: f64,
    /// Mean of the style loss.
    pub style: f64,
    /// Deviation of the paint over that of the noise, on a still picture with noise of 2/255.
    pub noise_gain: f64,
    /// On even pictures with noise of 2/255: energy at periods of 2, 4 and 8 pixels over the median of neighbouring
    /// frequencies, the largest of both axes. 1 is no pattern.
    pub lattice: f64,
}

/// Measures the first style of a network, whose statistics are frozen. `photos` are `[height, width, 3]`, with sides that are
/// multiples of 8.
pub fn measure(network: &Network, vgg: &Vgg, painting: &Painting, photos: &[Maps]) -> Figures {
    let convs = network.convs();
    let paint = |photo: &Maps| paint(network, &convs, photo);
    let losses = mean_losses(&paint, vgg, painting, photos);
    let noisy: Vec<f64> = photos
        .iter()
        .take(N_PHOTOS_NOISY)
        .map(|photo| noise_gain(&paint, photo))
        .collect();
    Figures {
        content: losses.content,
        style: losses.style,
        noise_gain: noisy.iter().sum::<f64>() / noisy.len() as f64,
        lattice: lattice(&paint),
    }
}

/// Means of the losses of a network's first style.
pub fn losses(network: &Network, vgg: &Vgg, painting: &Painting, photos: &[Maps]) -> Losses {
    let convs = network.convs();
    let paint = |photo: &Maps| paint(network, &convs, photo);
    mean_losses(&paint, vgg, painting, photos)
}

fn mean_losses(
    paint: &(impl Fn(&Maps) -> Maps + Sync),
    vgg: &Vgg,
    painting: &Painting,
    photos: &[Maps],
) -> Losses {
    let of_group = |photos: &[Maps]| {
        let aims: Vec<Aim<'_>> = photos
            .par_iter()
            .map(|photo| Aim::new(vgg, painting, photo))
            .collect();
        let energy = aims.iter().map(Aim::content_energy).sum::<f64>() / aims.len() as f64;
        let pairs = aims.into_par_iter().zip(photos);
        let losses = pairs.map(|(aim, photo)| aim.among(energy).losses(&paint(photo)));
        losses.collect::<Vec<Losses>>()
    };
    let losses: Vec<Losses> = photos.chunks(N_TOGETHER).flat_map(of_group).collect();
    let mut sum = Losses::default();
    losses.iter().for_each(|losses| sum.add(losses));
    sum.times(1.0 / losses.len() as f64)
}

fn paint(network: &Network, convs: &[Conv], photo: &Maps) -> Maps {
    let (mut painted, _) = network.forward(convs, &network.styles[0], photo, false);
    painted
        .values
        .iter_mut()
        .for_each(|value| *value = value.clamp(0.0, 1.0));
    painted
}

fn add_noise(picture: &Maps, random: &mut Random) -> Maps {
    let mut noisy = picture.clone();
    noisy
        .values
        .iter_mut()
        .for_each(|value| *value = (*value + NOISE * random.normal()).clamp(0.0, 1.0));
    noisy
}

fn noise_gain(paint: &(impl Fn(&Maps) -> Maps + Sync), photo: &Maps) -> f64 {
    let draw = |draw: usize| paint(&add_noise(photo, &mut Random::of(&[draw as u64])));
    let painted: Vec<Maps> = (0..N_NOISY).into_par_iter().map(draw).collect();
    let n = N_NOISY as f64;
    let deviation = |idx: usize| {
        let values = painted.iter().map(|maps| f64::from(maps.values[idx]));
        let mean = values.clone().sum::<f64>() / n;
        (values.map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
    };
    let sum: f64 = (0..photo.values.len()).map(deviation).sum();
    sum / photo.values.len() as f64 / f64::from(NOISE)
}

fn lattice(paint: &(impl Fn(&Maps) -> Maps + Sync)) -> f64 {
    let colours: Vec<[f32; 3]> = (0..8)
        .map(|idx| [0, 1, 2].map(|bit| if idx >> bit & 1 == 0 { 0.25 } else { 0.75 }))
        .collect();
    let painted: Vec<Maps> = colours
        .par_iter()
        .enumerate()
        .map(|(idx, colour)| {
            let mut even = Maps::zeros(EVEN_PX, EVEN_PX, 3);
            even.values
                .chunks_exact_mut(3)
                .for_each(|pixel| pixel.copy_from_slice(colour));
            paint(&add_noise(&even, &mut Random::of(&[idx as u64, 1])))
        })
        .collect();
    let ratios = [false, true]
        .into_iter()
        .flat_map(|down| PERIODS.map(|period| (down, period)));
    ratios
        .map(|(down, period)| ratio(&painted, down, period))
        .fold(0.0, f64::max)
}

/// Energy at a period over the median of its neighbours', along rows or `down` columns.
fn ratio(pictures: &[Maps], down: bool, period: usize) -> f64 {
    let at = EVEN_PX / period;
    // Half of the sampling frequency has neighbours on one side only.
    let near = (at - N_NEIGHBOURS..=at + N_NEIGHBOURS).filter(|&k| k != at && k < EVEN_PX / 2);
    let mut near: Vec<f64> = near.map(|k| energy(pictures, down, k)).collect();
    near.sort_by(f64::total_cmp);
    energy(pictures, down, at) / near[near.len() / 2].max(f64::MIN_POSITIVE)
}

/// Energy of the wave with `k` periods in the picture, summed over all lines.
fn energy(pictures: &[Maps], down: bool, k: usize) -> f64 {
    let wave =
        |at: usize| (std::f64::consts::TAU * (k * at % EVEN_PX) as f64 / EVEN_PX as f64).sin_cos();
    let waves: Vec<(f64, f64)> = (0..EVEN_PX).map(wave).collect();
    let line = |picture: &Maps, line: usize, channel: usize| {
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (at, (sin, cos)) in waves.iter().enumerate() {
            let [y, x] = if down { [at, line] } else { [line, at] };
            let value = f64::from(picture.pixel(y, x)[channel]);
            sine += sin * value;
            cosine += cos * value;
        }
        sine * sine + cosine * cosine
    };
    let of = |picture: &Maps| -> f64 {
        (0..EVEN_PX)
            .flat_map(|y| [0, 1, 2].map(|channel| (y, channel)))
            .map(|(y, channel)| line(picture, y, channel))
            .sum()
    };
    pictures.par_iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_is_left_alone_has_no_lattice_and_a_gain_of_1() {
        let paint = |picture: &Maps| picture.clone();
        let ratio = lattice(&paint);
        assert!((0.8..1.3).contains(&ratio), "{ratio}");
        let mut photo = Maps::zeros(64, 64, 3);
        photo.values.fill(0.5);
        let gain = noise_gain(&paint, &photo);
        assert!((gain - 0.96).abs() < 0.04, "{gain}");
    }

    #[test]
    fn patterns_of_each_period_and_axis_are_found() {
        for period in PERIODS {
            for down in [false, true] {
                let paint = |picture: &Maps| {
                    let mut painted = picture.clone();
                    let stride = painted.stride();
                    for (idx, value) in painted.values.iter_mut().enumerate() {
                        let at = if down { idx / stride } else { idx % stride / 3 };
                        if at % period == 0 {
                            *value += 0.01;
                        }
                    }
                    painted
                };
                assert!(lattice(&paint) > 5.0, "{period} {down}");
            }
        }
    }
}
