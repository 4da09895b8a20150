//! Style networks: one set of convolutions for many styles, each with its own gain and offset for every channel
//! (conditional instance normalisation, Dumoulin et al. 2017).

pub mod plan;
mod shuffle;
pub mod unit;

use self::plan::{Plan, Size, Step};
use self::unit::{Affine, AffineGradient, Passed, Sums};
use crate::conv::Conv;
use crate::maps::{self, Maps};
use crate::random::Random;

/// Pixels of reflection that are added round a picture before the network sees it.
pub const PAD: usize = 16;

/// Variance of a convolution's sum for inputs of variance 1, at the start. Normalisation makes up for any; what is small is
/// turned faster by the optimiser, whose steps have one size (0.15 reached in 160 steps what 2 did in 300).
const SPREAD: f32 = 0.15;

/// Weights and styles of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Which size.
    pub size: Size,
    /// Its layers.
    pub plan: Plan,
    /// Of each unit: `[n_out, n_in, 3, 3]`.
    pub weights: Vec<Vec<f32>>,
    /// Styles.
    pub styles: Vec<Style>,
}

/// What tells one style from another.
#[derive(Clone, Debug, PartialEq)]
pub struct Style {
    /// Its name in files.
    pub name: String,
    /// One for each unit.
    pub units: Vec<Affine>,
}

/// Gradients by everything that a picture depends on.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    /// By the weights of each unit; empty if they are not learnt.
    pub weights: Vec<Vec<f32>>,
    /// By gain and offset of each unit, of the picture's style.
    pub units: Vec<AffineGradient>,
}

/// What the way back needs of the way there.
pub struct Trace {
    units: Vec<Passed>,
}

impl Network {
    /// A network that has learnt nothing, with room for styles.
    pub fn new(size: Size, styles: &[String], seed: u64) -> Self {
        let plan = size.plan();
        let mut weights = Vec::new();
        for (idx, unit) in plan.units.iter().enumerate() {
            let mut random = Random::of(&[seed, idx as u64]);
            let deviation = (SPREAD / (9 * unit.n_in) as f32).sqrt();
            let n_kernel = 9 * unit.n_in;
            // The same kernel for all pixels of a block (Aitken et al. 2017), lest blocks show from the start.
            let n_colours = unit.n_out / (unit.block * unit.block);
            let kernels: Vec<f32> = (0..n_colours * n_kernel)
                .map(|_| deviation * random.normal())
                .collect();
            weights.push(kernels.repeat(unit.block * unit.block));
        }
        let styles = styles.iter().map(|name| Style::new(name, &plan)).collect();
        Self {
            size,
            plan,
            weights,
            styles,
        }
    }

    /// The convolutions, ready to run; to be made anew after weights change.
    pub fn convs(&self) -> Vec<Conv> {
        let units = self.plan.units.iter().zip(&self.weights);
        units
            .map(|(unit, weights)| Conv::new(weights, unit.n_in, unit.n_out, unit.walk))
            .collect()
    }

    /// Gradients of 0.
    pub fn zero_gradients(&self, with_weights: bool) -> Gradients {
        let zeros = |unit: &plan::Unit| AffineGradient {
            gain: vec![0.0; unit.n_out],
            offset: vec![0.0; unit.n_out],
        };
        Gradients {
            weights: if with_weights {
                self.weights
                    .iter()
                    .map(|weights| vec![0.0; weights.len()])
                    .collect()
            } else {
                Vec::new()
            },
            units: self.plan.units.iter().map(zeros).collect(),
        }
    }

    /// Paints a picture `[height, width, 3]` of RGB 0..1, whose sides are multiples of [`Plan::align`]; the result may
    /// leave 0..1. `live` normalises by the picture's own statistics, else by the style's running ones.
    pub fn forward(
        &self,
        convs: &[Conv],
        style: &Style,
        picture: &Maps,
        live: bool,
    ) -> (Maps, Trace) {
        let mut maps = shuffle::blocks(&shuffle::pad(picture, PAD), self.plan.block, -0.5);
        let mut units: Vec<Passed> = Vec::new();
        let mut forks = Vec::new();
        for step in &self.plan.steps {
            match *step {
                Step::Unit(idx) => {
                    let passed = unit::forward(
                        &self.plan.units[idx],
                        &convs[idx],
                        &style.units[idx],
                        maps,
                        live,
                    );
                    maps = passed.output().clone();
                    units.push(passed);
                }
                Step::Fork => forks.push(maps.clone()),
                Step::Join => maps::add(
                    &mut maps.values,
                    &forks.pop().expect("a fork for each join").values,
                ),
                Step::Double => maps = shuffle::double(&maps),
            }
        }
        let painted = shuffle::pixels(&maps, self.plan.block, 0.5);
        (
            painted.crop(PAD, PAD, picture.height, picture.width),
            Trace { units },
        )
    }

    /// Adds to `sums` what `gradient`, by the painted picture, makes of them.
    pub fn backward(
        &self,
        convs: &[Conv],
        style: &Style,
        trace: &Trace,
        gradient: &Maps,
        sums: &mut Gradients,
    ) {
        let mut padded = Maps::zeros(gradient.height + 2 * PAD, gradient.width + 2 * PAD, 3);
        padded.add_at(PAD, PAD, gradient);
        let mut gradient = shuffle::blocks(&padded, self.plan.block, 0.0);
        let mut joins = Vec::new();
        for step in self.plan.steps.iter().rev() {
            match *step {
                Step::Unit(idx) => {
                    let into = Sums {
                        weights: sums.weights.get_mut(idx).map(Vec::as_mut_slice),
                        affine: &mut sums.units[idx],
                    };
                    let (unit, conv, affine) =
                        (&self.plan.units[idx], &convs[idx], &style.units[idx]);
                    match trace.units[idx].backward(unit, conv, affine, gradient, into, idx > 0) {
                        Some(by_input) => gradient = by_input,
                        None => return,
                    }
                }
                Step::Join => joins.push(gradient.clone()),
                Step::Fork => maps::add(
                    &mut gradient.values,
                    &joins.pop().expect("a join for each fork").values,
                ),
                Step::Double => gradient = shuffle::halve(&gradient),
            }
        }
    }
}

impl Style {
    /// A style that changes nothing.
    pub fn new(name: &str, plan: &Plan) -> Self {
        Self {
            name: name.to_owned(),
            units: plan
                .units
                .iter()
                .map(|unit| Affine::neutral(unit.n_out))
                .collect(),
        }
    }
}

impl Trace {
    /// The picture's own mean and variance of each unit, where they were used.
    pub fn moments(self) -> Vec<Option<[Vec<f32>; 2]>> {
        self.units
            .into_iter()
            .map(|passed| passed.measured)
            .collect()
    }

    /// The picture's mean and variance before normalisation by `style`, which it was painted in.
    pub fn moments_before(self, style: &Style) -> Vec<Option<[Vec<f32>; 2]>> {
        let units = self.units.iter().zip(&style.units);
        units
            .map(|(passed, affine)| Some(passed.moments_before(affine)))
            .collect()
    }
}

impl Gradients {
    /// Adds other gradients.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.weights.iter_mut().zip(&other.weights) {
            maps::add(sum, more);
        }
        for (sum, more) in self.units.iter_mut().zip(&other.units) {
            maps::add(&mut sum.gain, &more.gain);
            maps::add(&mut sum.offset, &more.offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each gradient beside the difference that a small change of the parameter makes.
    fn check(size: Size, live: bool) {
        let mut network = Network::new(size, &["a".to_owned()], 3);
        // As large as training makes them: what is smaller drowns in rounding.
        network
            .weights
            .iter_mut()
            .flatten()
            .for_each(|weight| *weight *= 3.0);
        let mut random = Random::of(&[5]);
        for affine in &mut network.styles[0].units {
            affine
                .gain
                .iter_mut()
                .for_each(|gain| *gain += 0.3 * random.normal());
            affine
                .offset
                .iter_mut()
                .for_each(|offset| *offset += 0.3 * random.normal());
            affine
                .mean
                .iter_mut()
                .for_each(|mean| *mean += 0.1 * random.normal());
        }
        let mut picture = Maps::zeros(24, 32, 3);
        picture
            .values
            .iter_mut()
            .for_each(|value| *value = random.unit());
        let mut wanted = picture.zeros_like();
        wanted
            .values
            .iter_mut()
            .for_each(|value| *value = random.normal());
        let loss = |network: &Network| {
            let (painted, _) =
                network.forward(&network.convs(), &network.styles[0], &picture, live);
            let products = painted
                .values
                .iter()
                .zip(&wanted.values)
                .map(|(a, b)| f64::from(a * b));
            products.sum::<f64>()
        };
        let convs = network.convs();
        let (_, trace) = network.forward(&convs, &network.styles[0], &picture, live);
        let mut sums = network.zero_gradients(true);
        network.backward(&convs, &network.styles[0], &trace, &wanted, &mut sums);
        for idx in 0..network.plan.units.len() {
            type Part = fn(&mut Network, usize) -> &mut Vec<f32>;
            let of: [(&[f32], Part); 3] = [
                (&sums.weights[idx], |network, idx| &mut network.weights[idx]),
                (&sums.units[idx].gain, |network, idx| {
                    &mut network.styles[0].units[idx].gain
                }),
                (&sums.units[idx].offset, |network, idx| {
                    &mut network.styles[0].units[idx].offset
                }),
            ];
            for (kind, (gradient, parameters)) in of.into_iter().enumerate() {
                // Along the gradient, where the difference is largest.
                let square: f32 = gradient.iter().map(|value| value * value).sum();
                let [mut less, mut more] = [network.clone(), network.clone()];
                let step = 1.5e-3 / square.sqrt();
                maps::add_scaled(parameters(&mut less, idx), -step, gradient);
                maps::add_scaled(parameters(&mut more, idx), step, gradient);
                let found = (loss(&more) - loss(&less)) / f64::from(2.0 * step);
                let ratio = found / f64::from(square);
                // Off by a few parts in a hundred where the step crosses cuts at 0.
                assert!(
                    (ratio - 1.0).abs() < 0.15,
                    "{size:?} {live} {idx} {kind}: {ratio}"
                );
            }
        }
    }

    #[test]
    fn gradients_are_differences_with_live_statistics() {
        Size::ALL.into_iter().for_each(|size| check(size, true));
    }

    #[test]
    fn gradients_are_differences_with_running_statistics() {
        Size::ALL.into_iter().for_each(|size| check(size, false));
    }
}
