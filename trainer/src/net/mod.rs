//! Style networks: one set of convolutions for many styles, each with its own gain and offset for every channel
//! (conditional instance normalisation, Dumoulin et al. 2017).

pub mod plan;
mod shuffle;
pub mod unit;

use anyhow::ensure;
use half::f16;

use self::plan::{Plan, Size, Step};
use self::unit::{Affine, AffineGradient, Passed, Sums};
use crate::conv::Conv;
use crate::maps::{self, Maps};
use crate::random::Random;

/// Pixels of reflection that are added round a picture before the network sees it.
pub const PAD: usize = 16;

/// Variance of a convolution's sum for inputs of variance 1, at the start. Normalisation makes up for any; the last
/// convolution, which is not normalised, starts with a faint picture.
const SPREAD: f32 = 0.15;

/// Weights of a side of a kernel.
const SIDE: usize = 3;
/// Weights of a kernel: 3 rows of 3.
const KERNEL: usize = SIDE * SIDE;

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
    /// By the weights of each unit.
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
            let n_kernel = KERNEL * unit.n_in;
            let deviation = (SPREAD / n_kernel as f32).sqrt();
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

    /// Brings the exit to answer even maps with the same colour at every pixel of a block, and maps that change in one
    /// direction only with colours that do too: gains and offsets, and sums of the kernels' rows and columns, become
    /// their means over the block, over its columns and over its rows. What it can paint besides stays, and no pattern
    /// of blocks shows where a picture is even, nor teeth along an edge or a border.
    pub fn level_blocks(&mut self) {
        let Some((head, weights)) = self.plan.units.last().zip(self.weights.last_mut()) else {
            return;
        };
        let block = head.block;
        let n_each = head.n_out / (block * block);
        for colour in 0..n_each {
            for input in 0..head.n_in {
                let kernel = |[y, x]: [usize; 2]| {
                    (((y * block + x) * n_each + colour) * head.n_in + input) * KERNEL
                };
                // Columns last: they leave level rows level.
                for y in 0..block {
                    let row: Vec<usize> = (0..block).map(|x| kernel([y, x])).collect();
                    (0..SIDE).for_each(|at| level_sums(weights, &row, |i| at * SIDE + i));
                }
                for x in 0..block {
                    let column: Vec<usize> = (0..block).map(|y| kernel([y, x])).collect();
                    (0..SIDE).for_each(|at| level_sums(weights, &column, |i| i * SIDE + at));
                }
            }
        }
        let units = self
            .styles
            .iter_mut()
            .filter_map(|style| style.units.last_mut());
        for affine in units {
            for values in [&mut affine.gain, &mut affine.offset] {
                for colour in 0..n_each {
                    let of_colour = values.iter().skip(colour).step_by(n_each);
                    let mean = of_colour.sum::<f32>() / (head.block * head.block) as f32;
                    let of_colour = values.iter_mut().skip(colour).step_by(n_each);
                    of_colour.for_each(|value| *value = mean);
                }
            }
        }
    }

    /// Weights and biases of a unit that come to the same as its convolution and what the style does to its channels.
    pub fn folded(&self, style: &Style, unit_idx: usize) -> [Vec<f32>; 2] {
        let [scale, shift] = style.units[unit_idx].folded();
        let n_each = KERNEL * self.plan.units[unit_idx].n_in;
        let kernels = self.weights[unit_idx].chunks_exact(n_each).zip(&scale);
        let weights =
            kernels.flat_map(|(kernel, scale)| kernel.iter().map(move |weight| weight * scale));
        [weights.collect(), shift]
    }

    /// The network between the first style of this, of which it has `share`, and that of another: the mean of what both
    /// come to when they are folded.
    pub fn mixed(&self, other: &Self, share: f32) -> Self {
        let mut mixed = self.clone();
        mixed.styles.truncate(1);
        for (idx, unit) in self.plan.units.iter().enumerate() {
            let [own, of_other] =
                [self, other].map(|network| network.folded(&network.styles[0], idx));
            let [weights, offset] = [0, 1].map(|part| {
                let pairs = own[part].iter().zip(&of_other[part]);
                let mean = pairs.map(|(own, other)| share * own + (1.0 - share) * other);
                mean.collect()
            });
            mixed.weights[idx] = weights;
            mixed.styles[0].units[idx] = Affine {
                offset,
                ..Affine::neutral(unit.n_out)
            };
        }
        mixed
    }

    /// The weights of all units in half precision.
    ///
    /// # Errors
    /// If one is more than that holds.
    pub fn halves(&self) -> anyhow::Result<Vec<Vec<f16>>> {
        let largest = |most: f32, weight: &f32| most.max(weight.abs());
        let largest = self.weights.iter().flatten().fold(0.0, largest);
        ensure!(
            largest <= f16::MAX.to_f32(),
            "the largest weight is {largest}, more than half precision holds; train at lower rates"
        );
        let halves = |weights: &Vec<f32>| weights.iter().copied().map(f16::from_f32).collect();
        Ok(self.weights.iter().map(halves).collect())
    }

    /// The convolutions, ready to run; to be made anew after weights change.
    pub fn convs(&self) -> Vec<Conv> {
        let units = self.plan.units.iter().zip(&self.weights);
        units
            .map(|(unit, weights)| Conv::new(weights, unit.n_in, unit.n_out, unit.walk))
            .collect()
    }

    /// Gradients of 0.
    pub fn zero_gradients(&self) -> Gradients {
        let zeros = |unit: &plan::Unit| AffineGradient {
            gain: vec![0.0; unit.n_out],
            offset: vec![0.0; unit.n_out],
        };
        Gradients {
            weights: self
                .weights
                .iter()
                .map(|weights| vec![0.0; weights.len()])
                .collect(),
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
        let mut maps = shuffle::blocks(&picture.mirrored(PAD), self.plan.block, -0.5);
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
                        weights: &mut sums.weights[idx],
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

    /// Mean and variance of each unit's channels before normalisation, for a picture that was painted in `style`; none of
    /// those that are not normalised.
    pub fn moments(&self, style: &Style, trace: &Trace) -> Vec<Option<[Vec<f32>; 2]>> {
        let units = self.plan.units.iter().zip(&trace.units).zip(&style.units);
        units
            .map(|((unit, passed), affine)| unit.norm.then(|| passed.moments(affine)))
            .collect()
    }
}

/// Brings sums of as many weights as a kernel has on a side to the mean of those sums: those `place`s of kernels that start
/// at `kernels`.
fn level_sums(weights: &mut [f32], kernels: &[usize], place: impl Fn(usize) -> usize) {
    let sum = |&at: &usize| (0..SIDE).map(|i| weights[at + place(i)]).sum::<f32>();
    let sums: Vec<f32> = kernels.iter().map(sum).collect();
    let mean = sums.iter().sum::<f32>() / sums.len() as f32;
    for (at, sum) in kernels.iter().zip(sums) {
        (0..SIDE).for_each(|i| weights[at + place(i)] += (mean - sum) / SIDE as f32);
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
        let mut picture = Maps::zeros(64, 64, 3);
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
        let mut sums = network.zero_gradients();
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
                let mut ratios = [1.5e-3, 3e-3, 6e-3].map(|length| {
                    let [mut less, mut more] = [network.clone(), network.clone()];
                    let step = length / square.sqrt();
                    maps::add_scaled(parameters(&mut less, idx), -step, gradient);
                    maps::add_scaled(parameters(&mut more, idx), step, gradient);
                    let found = (loss(&more) - loss(&less)) / f64::from(2.0 * step);
                    found / f64::from(square)
                });
                // Each is off by a few parts in a hundred where its step crosses cuts at 0.
                ratios.sort_by(f64::total_cmp);
                let ratio = ratios[1];
                assert!(
                    (ratio - 1.0).abs() < 0.05,
                    "{size:?} {live} {idx} {kind}: {ratio}"
                );
            }
        }
    }

    #[test]
    fn even_pictures_show_no_blocks_once_the_exit_is_level() {
        for size in Size::ALL {
            let mut network = Network::new(size, &["a".to_owned()], 3);
            let mut random = Random::of(&[7]);
            let head = network.weights.last_mut().unwrap();
            head.iter_mut()
                .for_each(|weight| *weight += 0.1 * random.normal());
            let affine = network.styles[0].units.last_mut().unwrap();
            affine
                .gain
                .iter_mut()
                .for_each(|gain| *gain += random.normal());
            affine
                .offset
                .iter_mut()
                .for_each(|offset| *offset += random.normal());
            let mut even = Maps::zeros(128, 128, 3);
            even.values
                .chunks_exact_mut(3)
                .for_each(|pixel| pixel.copy_from_slice(&[0.2, 0.5, 0.9]));
            // Far from the borders, where maps end in zeros.
            let spread = |network: &Network| {
                let (painted, _) =
                    network.forward(&network.convs(), &network.styles[0], &even, false);
                let block = painted.crop(60, 60, 8, 8);
                let values = block.values.chunks_exact(3);
                values
                    .flat_map(|pixel| [0, 1, 2].map(|i| (pixel[i] - block.values[i]).abs()))
                    .fold(0.0, f32::max)
            };
            // Maps that change in one direction only, and for another reason than the picture: next to a border.
            let teeth = |network: &Network| {
                let (painted, _) =
                    network.forward(&network.convs(), &network.styles[0], &even, false);
                let pairs = (60..68).flat_map(|along| (0..2).map(move |across| (along, across)));
                let differences = pairs.flat_map(|(along, across)| {
                    let of = |a: &[f32], b: &[f32]| {
                        a.iter()
                            .zip(b)
                            .map(|(a, b)| (a - b).abs())
                            .fold(0.0, f32::max)
                    };
                    [
                        of(
                            painted.pixel(across, along),
                            painted.pixel(across, along + 1),
                        ),
                        of(
                            painted.pixel(along, across),
                            painted.pixel(along + 1, across),
                        ),
                    ]
                });
                differences.fold(0.0, f32::max)
            };
            assert!(spread(&network) > 0.1 && teeth(&network) > 0.1);
            network.level_blocks();
            assert!(spread(&network) < 1e-4, "{size:?}: {}", spread(&network));
            assert!(teeth(&network) < 1e-4, "{size:?}: {}", teeth(&network));
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
