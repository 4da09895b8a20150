//! Training: steps of gradient descent on crops of photos, from nothing to a network without normalisation.

mod checkpoint;
mod pattern;
mod recipe;
mod sample;

pub use self::recipe::{Recipe, Target};

use std::path::Path;

use rayon::prelude::*;

pub use self::sample::Report;
use self::sample::Sample;
use crate::adam::Moments;
use crate::muon;
use crate::net::unit::{AffineGradient, EPSILON};
use crate::net::{Gradients, Network, Style};
use crate::perceptual;
use crate::photos::Photos;
use crate::random::Random;
use crate::vgg::Vgg;

/// Largest length of a gradient by all weights together; longer ones are shortened to it.
const LONGEST: f32 = 5.0;
/// Part of the rate that the last convolution learns at. It is not normalised: its weights' length is the contrast.
const HEAD: f32 = 0.05;
/// Pixels of a side of the crops that statistics are measured on: large enough that borders count little.
const MEASURED_PX: u32 = 320;
/// Photos of each style whose statistics are measured when they are frozen, and that content is judged by.
const N_MEASURED: usize = 48;

/// What a run has come to.
pub struct Run {
    /// How it trains.
    pub recipe: Recipe,
    /// What it trains.
    pub network: Network,
    /// Steps done.
    pub n_steps: usize,
    /// Whether the statistics of normalisation are frozen.
    pub is_frozen: bool,
    /// Mean square of photos at the content layer, once it is known.
    content_energy: Option<f64>,
    weights: Vec<Moments>,
    styles: Vec<Vec<[Moments; 2]>>,
}

impl Run {
    /// A run at its start.
    pub fn new(recipe: Recipe, network: Network) -> Self {
        let mut run = Self {
            recipe,
            network,
            n_steps: 0,
            is_frozen: false,
            content_energy: None,
            weights: Vec::new(),
            styles: Vec::new(),
        };
        run.forget();
        run
    }

    /// A run at its start, of a network that has learnt and whose statistics are folded. They are made anew from photos;
    /// the paint stays.
    pub fn going_on(recipe: Recipe, network: Network, photos: &Photos) -> Self {
        let mut run = Self::new(recipe, network);
        run.calibrate(photos);
        run.is_frozen = run.recipe.n_live == 0;
        run
    }

    /// Goes on from a checkpoint of the same recipe.
    ///
    /// # Errors
    /// If the file cannot be read or is of another network.
    pub fn resume(&mut self, path: &Path) -> anyhow::Result<()> {
        checkpoint::read(path, self)
    }

    /// Writes a checkpoint; a file that is there is replaced as a whole.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&mut self, path: &Path) -> anyhow::Result<()> {
        checkpoint::write(path, self)
    }

    /// Steps that the recipe has.
    pub fn n_wanted(&self) -> usize {
        self.recipe.n_live + self.recipe.n_frozen
    }

    /// Takes the next step.
    pub fn step(&mut self, vgg: &Vgg, photos: &Photos, targets: &[Target]) -> Report {
        if !self.is_frozen && self.n_steps >= self.recipe.n_live {
            self.freeze(photos);
        }
        let content_energy = match self.content_energy {
            Some(known) => known,
            None => *self.content_energy.insert(self.content_energy(vgg, photos)),
        };
        let convs = self.network.convs();
        let places = self.n_steps * self.recipe.batch..(self.n_steps + 1) * self.recipe.batch;
        let samples: Vec<(usize, Report, Gradients)> = places
            .into_par_iter()
            .map(|place| {
                let style = self.style_at(place);
                let sample = Sample {
                    run: self,
                    convs: &convs,
                    vgg,
                    photos,
                    target: &targets[style],
                    style,
                    content_energy,
                };
                let (report, gradients) =
                    sample.work(&mut Random::of(&[self.recipe.seed, 1, place as u64]));
                (style, report, gradients)
            })
            .collect();
        let mut report = Report::default();
        for (_, part, _) in &samples {
            report.add(part);
        }
        self.descend(&samples);
        self.n_steps += 1;
        report
    }

    /// Writes folded styles anew, as gain and offset of what is normalised by the statistics of photos, which learn
    /// well; what the network paints stays the same.
    fn calibrate(&mut self, photos: &Photos) {
        self.is_frozen = true;
        let mut measured = self.measured(photos);
        for (style, old) in measured.iter_mut().zip(&self.network.styles) {
            for (affine, old) in style.units.iter_mut().zip(&old.units) {
                affine.keep_paint_of(old);
            }
        }
        self.network.styles = measured;
        self.forget();
    }

    /// Replaces normalisation by what it comes to on average over photos (the start of a fine-tune without it).
    pub fn freeze(&mut self, photos: &Photos) {
        self.network.styles = self.measured(photos);
        self.is_frozen = true;
        self.forget();
    }

    /// The styles with the statistics of some photos in place of their own.
    fn measured(&self, photos: &Photos) -> Vec<Style> {
        let convs = self.network.convs();
        let of_photo = |style_idx: usize, idx: usize| {
            let mut random = Random::of(&[self.recipe.seed, 2, style_idx as u64, idx as u64]);
            let photo = photos.crop(MEASURED_PX, &mut random);
            let style = &self.network.styles[style_idx];
            let (_, trace) = self.network.forward(&convs, style, &photo, !self.is_frozen);
            self.network.moments(style, &trace)
        };
        let styles = self.network.styles.iter().enumerate();
        styles
            .map(|(style_idx, style)| {
                let photos = (0..N_MEASURED).into_par_iter();
                let moments: Vec<_> = photos.map(|idx| of_photo(style_idx, idx)).collect();
                style.with_moments(&moments)
            })
            .collect()
    }

    /// Mean square of photos at the content layer, over crops as steps take them.
    fn content_energy(&self, vgg: &Vgg, photos: &Photos) -> f64 {
        let of_crop = |idx: usize| {
            let mut random = Random::of(&[self.recipe.seed, 4, idx as u64]);
            perceptual::content_energy(vgg, &photos.crop(self.recipe.crop, &mut random))
        };
        let crops = (0..N_MEASURED).into_par_iter().map(of_crop);
        crops.collect::<Vec<f64>>().iter().sum::<f64>() / N_MEASURED as f64
    }

    /// Each style once in a random order, then again in another.
    fn style_at(&self, place: usize) -> usize {
        let n = self.network.styles.len();
        let mut random = Random::of(&[self.recipe.seed, 3, (place / n) as u64]);
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, random.below(i + 1));
        }
        order[place % n]
    }

    /// Follows the gradients of a batch downhill.
    fn descend(&mut self, samples: &[(usize, Report, Gradients)]) {
        let share = 1.0 / samples.len() as f32;
        let mut sum = self.network.zero_gradients();
        for (_, _, gradients) in samples {
            for (sum, more) in sum.weights.iter_mut().zip(&gradients.weights) {
                crate::maps::add_scaled(sum, share, more);
            }
        }
        let length = sum
            .weights
            .iter()
            .flatten()
            .map(|value| value * value)
            .sum::<f32>()
            .sqrt();
        let shorter = (LONGEST / length.max(f32::MIN_POSITIVE)).min(1.0);
        let rate = self.recipe.rate(self.n_steps);
        for (idx, gradient) in sum.weights.iter_mut().enumerate() {
            gradient.iter_mut().for_each(|value| *value *= shorter);
            let unit = &self.network.plan.units[idx];
            let (moments, weights) = (&mut self.weights[idx], &mut self.network.weights[idx]);
            if unit.norm {
                muon::step(moments, weights, gradient, unit.n_out, rate);
            } else {
                moments.step(weights, gradient, HEAD * rate);
            }
        }
        for (style_idx, style) in self.network.styles.iter_mut().enumerate() {
            let own: Vec<_> = samples.iter().filter(|(of, ..)| *of == style_idx).collect();
            if own.is_empty() {
                continue;
            }
            let units = style.units.iter_mut().zip(&mut self.styles[style_idx]);
            for (unit_idx, (affine, [gains, offsets])) in units.enumerate() {
                let mut sum = AffineGradient {
                    gain: vec![0.0; affine.gain.len()],
                    offset: vec![0.0; affine.gain.len()],
                };
                for (_, _, gradients) in &own {
                    crate::maps::add(&mut sum.gain, &gradients.units[unit_idx].gain);
                    crate::maps::add(&mut sum.offset, &gradients.units[unit_idx].offset);
                }
                gains.step(&mut affine.gain, &sum.gain, rate);
                offsets.step(&mut affine.offset, &sum.offset, rate);
            }
        }
        self.network.level_blocks();
    }

    /// Drops what is remembered of earlier gradients.
    fn forget(&mut self) {
        self.weights = vec![Moments::default(); self.network.weights.len()];
        let units = self.network.plan.units.len();
        self.styles = vec![vec![<[Moments; 2]>::default(); units]; self.network.styles.len()];
    }
}

impl Style {
    /// The same style with the statistics of photos in place of its own: mean of the means, and the variance of all
    /// pixels together.
    fn with_moments(&self, photos: &[Vec<Option<[Vec<f32>; 2]>>]) -> Self {
        let mut style = self.clone();
        let n = photos.len() as f32;
        for (idx, affine) in style.units.iter_mut().enumerate() {
            let moments: Vec<&[Vec<f32>; 2]> = photos
                .iter()
                .filter_map(|units| units[idx].as_ref())
                .collect();
            if moments.is_empty() {
                continue;
            }
            for channel in 0..affine.mean.len() {
                let mean = moments.iter().map(|[mean, _]| mean[channel]).sum::<f32>() / n;
                let spread = moments
                    .iter()
                    .map(|[at, _]| (at[channel] - mean).powi(2))
                    .sum::<f32>()
                    / n;
                let within = moments
                    .iter()
                    .map(|[_, variance]| variance[channel])
                    .sum::<f32>()
                    / n;
                affine.mean[channel] = mean;
                affine.variance[channel] = (within + spread).max(EPSILON);
            }
        }
        style
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::plan::Size;
    use crate::perceptual::Painting;

    /// A small run, its photos and targets.
    fn small() -> (Run, Vgg, Photos, Vec<Target>) {
        let recipe = Recipe {
            batch: 2,
            crop: 32,
            n_live: 3,
            n_frozen: 3,
            ..Recipe::default()
        };
        let names = ["a".to_owned(), "identity".to_owned()];
        let (vgg, photos) = (Vgg::random(1), Photos::random(3));
        let painting = Painting::new(&vgg, &photos.crop(48, &mut Random::of(&[9])));
        let targets = vec![
            Target::Painting {
                painting,
                share: 1.0,
            },
            Target::Identity,
        ];
        (
            Run::new(recipe, Network::new(Size::Fast, &names, 1)),
            vgg,
            photos,
            targets,
        )
    }

    #[test]
    fn a_run_that_was_killed_ends_as_if_it_had_not_been() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoint");
        let (mut run, vgg, photos, targets) = small();
        for _ in 0..4 {
            run.step(&vgg, &photos, &targets);
        }
        run.save(&file).unwrap();
        let (mut resumed, ..) = small();
        resumed.resume(&file).unwrap();
        for run in [&mut run, &mut resumed] {
            while run.n_steps < run.n_wanted() {
                run.step(&vgg, &photos, &targets);
            }
        }
        assert!(run.is_frozen);
        assert_eq!(run.network, resumed.network);
    }

    #[test]
    fn a_checkpoint_of_another_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoint");
        small().0.save(&file).unwrap();
        let (mut other, ..) = small();
        other.recipe.seed += 1;
        let error = other.resume(&file).unwrap_err();
        assert!(error.to_string().contains("another recipe"), "{error}");
        std::fs::write(&file, "no checkpoint").unwrap();
        let error = small().0.resume(&file).unwrap_err();
        assert!(error.to_string().contains("remove it"), "{error}");
    }

    #[test]
    fn calibration_keeps_the_paint() {
        let (mut run, _, photos, _) = small();
        for affine in &mut run.network.styles[0].units {
            affine.gain.iter_mut().for_each(|gain| *gain = 0.5);
            affine.offset.iter_mut().for_each(|offset| *offset = 0.2);
        }
        let photo = photos.crop(32, &mut Random::of(&[4]));
        let paint = |run: &Run| {
            run.network
                .forward(&run.network.convs(), &run.network.styles[0], &photo, false)
                .0
        };
        let before = paint(&run);
        run.calibrate(&photos);
        assert_ne!(run.network.styles[0].units[0].mean[0], 0.0);
        let after = paint(&run);
        let error = before
            .values
            .iter()
            .zip(&after.values)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(error < 1e-3, "{error}");
    }
}
