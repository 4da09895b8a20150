//! One crop of one photo, painted in one style: its losses and their gradients.

use super::{Run, Target, pattern};
use crate::conv::Conv;
use crate::maps::Maps;
use crate::net::{Gradients, PAD};
use crate::perceptual::{Aim, Losses, Shares};
use crate::photos::Photos;
use crate::random::Random;
use crate::vgg::Vgg;

/// Farthest that the second look at a scene is moved, in pixels.
const SHIFT: usize = 8;
/// Pixels of the scene round a crop that the network sees besides. Without them it finds out by the zeros round its maps
/// where a crop ends, paints what style there is along the borders, and leaves the middle plain.
const MARGIN: usize = 40;
/// Pixels along the borders of the second look that are not compared: what is beyond is mirrored there.
const BORDER: usize = 4;
/// Largest deviation of the noise in the second look.
const NOISE: f32 = 4.0 / 255.0;
/// Even pictures of a sample.
const N_EVEN: usize = 2;
/// Pixels of a side of an even picture, of which those [`EVEN_BORDER`] from its border do not count.
const EVEN: usize = 96;
/// Pixels that a frame is padded by, see [`crate::net::PAD`].
const EVEN_BORDER: usize = PAD;
/// Deviation of its noise: that of a good camera.
const EVEN_NOISE: f32 = 2.0 / 255.0;
/// How much more a pattern counts there: it is some tenths of a code, made of the noise alone.
const EVEN_SHARE: f32 = 1000.0;
/// How much the identity's error counts.
const LIKENESS: f32 = 40.0;

/// All that a sample needs to know.
pub(super) struct Sample<'a> {
    pub run: &'a Run,
    pub convs: &'a [Conv],
    pub vgg: &'a Vgg,
    pub photos: &'a Photos,
    pub target: &'a Target,
    pub style: usize,
    /// Mean square of photos at the content layer.
    pub content_energy: f64,
}

/// Sums of the losses of samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Samples of paintings.
    pub n_painted: usize,
    /// Their losses.
    pub losses: Losses,
    /// Mean square of the difference in light to what the photo asks for, of the same.
    pub tone: f64,
    /// Samples of the identity.
    pub n_identity: usize,
    /// Their mean square error.
    pub identity: f64,
    /// Mean square difference to a second look at the scene, of all samples.
    pub stability: f64,
    /// Mean square of the pattern on the grid, of all samples.
    pub lattice: f64,
}

impl Report {
    /// Adds other samples.
    pub fn add(&mut self, other: &Self) {
        self.n_painted += other.n_painted;
        self.losses.add(&other.losses);
        self.tone += other.tone;
        self.n_identity += other.n_identity;
        self.identity += other.identity;
        self.stability += other.stability;
        self.lattice += other.lattice;
    }
}

impl Sample<'_> {
    pub(super) fn work(&self, random: &mut Random) -> (Report, Gradients) {
        let recipe = &self.run.recipe;
        let network = &self.run.network;
        let style = &network.styles[self.style];
        let live = !self.run.is_frozen;
        let side = recipe.crop as usize;
        let wide = side + 2 * MARGIN;
        let scene = self.photos.crop((wide + 2 * SHIFT) as u32, random);
        let photo = scene.crop(MARGIN + SHIFT, MARGIN + SHIFT, side, side);
        let mut gradients = network.zero_gradients();
        let mut report = Report::default();

        let seen = scene.crop(SHIFT, SHIFT, wide, wide);
        let (painted, trace) = network.forward(self.convs, style, &seen, live);
        let painted = painted.crop(MARGIN, MARGIN, side, side);
        let mut gradient = painted.zeros_like();
        self.judge(&painted, &photo, random, &mut report, &mut gradient);
        report.lattice += pattern::lattice::<8>(&painted, recipe.lattice, &mut gradient);

        let stability = recipe.stability[usize::from(!live)];
        if stability > 0.0 {
            let [dy, dx] = [0; 2].map(|_| random.below(2 * SHIFT + 1));
            // It ends where its crop does, as a frame does: what is painted there is to be no different.
            let mut second = scene.crop(MARGIN + dy, MARGIN + dx, side, side);
            disturb(&mut second, random);
            let (again, trace) = network.forward(self.convs, style, &second, live);
            let mut by_again = again.zeros_like();
            let offset = [SHIFT.wrapping_sub(dy), SHIFT.wrapping_sub(dx)];
            report.stability += compare(
                &painted,
                &again,
                offset,
                stability,
                [&mut gradient, &mut by_again],
            );
            network.backward(self.convs, style, &trace, &by_again, &mut gradients);
        }
        let mut by_seen = seen.zeros_like();
        by_seen.add_at(MARGIN, MARGIN, &gradient);
        network.backward(self.convs, style, &trace, &by_seen, &mut gradients);

        if !live {
            // Even pictures are to be painted without a trace of the blocks. Live statistics of one mean nothing.
            let share = EVEN_SHARE * recipe.lattice / N_EVEN as f32;
            for _ in 0..N_EVEN {
                let even = even(random);
                let (painted, trace) = network.forward(self.convs, style, &even, false);
                let inside = EVEN - 2 * EVEN_BORDER;
                let painted = painted.crop(EVEN_BORDER, EVEN_BORDER, inside, inside);
                let mut by_inside = painted.zeros_like();
                pattern::lattice::<4>(&painted, share, &mut by_inside);
                let mut gradient = even.zeros_like();
                gradient.add_at(EVEN_BORDER, EVEN_BORDER, &by_inside);
                network.backward(self.convs, style, &trace, &gradient, &mut gradients);
            }
        }
        (report, gradients)
    }

    /// What the target makes of the painted photo.
    fn judge(
        &self,
        painted: &Maps,
        photo: &Maps,
        random: &mut Random,
        report: &mut Report,
        gradient: &mut Maps,
    ) {
        match self.target {
            Target::Identity => {
                let factor = 2.0 * LIKENESS / painted.values.len() as f32;
                for i in 0..painted.values.len() {
                    let difference = painted.values[i] - photo.values[i];
                    report.identity +=
                        f64::from(difference * difference) / painted.values.len() as f64;
                    gradient.values[i] = factor * difference;
                }
                report.n_identity = 1;
            }
            Target::Painting { painting, share } => {
                // At a random place, so that nothing gets used to the loss network's own grid of 8 pixels.
                let side = painted.height - 8;
                let [top, left] = [0; 2].map(|_| random.below(8));
                let crop = |maps: &Maps| maps.crop(top, left, side, side);
                let shares = Shares {
                    content: 1.0,
                    style: *share,
                    roughness: self.run.recipe.roughness,
                };
                let aim = Aim::new(self.vgg, painting, &crop(photo)).among(self.content_energy);
                let (losses, by_crop) = aim.gradient(&crop(painted), shares);
                report.tone = painting
                    .tone
                    .loss(painted, photo, self.run.recipe.tone, gradient);
                report.losses = losses;
                report.n_painted = 1;
                gradient.add_at(top, left, &by_crop);
            }
        }
    }
}

/// The same scene through another camera: noisier, a little brighter or darker.
fn disturb(picture: &mut Maps, random: &mut Random) {
    let deviation = NOISE * random.unit();
    let gain = 1.0 + 0.06 * (random.unit() - 0.5);
    for value in &mut picture.values {
        *value = (*value * gain + deviation * random.normal()).clamp(0.0, 1.0);
    }
}

/// One colour everywhere, with the noise of a good camera.
fn even(random: &mut Random) -> Maps {
    let mut picture = Maps::zeros(EVEN, EVEN, 3);
    let colour = [0; 3].map(|_| random.unit());
    for pixel in picture.values.chunks_exact_mut(3) {
        for (value, colour) in pixel.iter_mut().zip(colour) {
            *value = (colour + EVEN_NOISE * random.normal()).clamp(0.0, 1.0);
        }
    }
    picture
}

/// Mean square of the difference of two looks where both show the scene, borders left out; adds `share` times the
/// gradients. What the second shows at a place, the first shows `offset` further back; offsets may be negative.
fn compare(
    first: &Maps,
    second: &Maps,
    offset: [usize; 2],
    share: f32,
    gradients: [&mut Maps; 2],
) -> f64 {
    let [by_first, by_second] = gradients;
    let (n, stride) = (first.n_channels, first.stride());
    let inside = |at: usize, len: usize| at >= BORDER && at < len - BORDER;
    let pairs = |len: usize, offset: usize| {
        (BORDER..len - BORDER).filter_map(move |at| {
            let other = at.wrapping_add(offset);
            inside(other, len).then_some((at, other))
        })
    };
    let n_values =
        pairs(first.height, offset[0]).count() * pairs(first.width, offset[1]).count() * n;
    let factor = 2.0 * share / n_values as f32;
    let mut sum = 0.0;
    for (y, y_second) in pairs(first.height, offset[0]) {
        for (x, x_second) in pairs(first.width, offset[1]) {
            let (at, at_second) = (y * stride + x * n, y_second * stride + x_second * n);
            for channel in 0..n {
                let difference = first.values[at + channel] - second.values[at_second + channel];
                sum += f64::from(difference * difference);
                by_first.values[at + channel] += factor * difference;
                by_second.values[at_second + channel] -= factor * difference;
            }
        }
    }
    sum / n_values as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_that_moved_is_the_same_scene() {
        let mut random = Random::of(&[1]);
        let mut scene = Maps::zeros(80, 80, 3);
        scene
            .values
            .iter_mut()
            .for_each(|value| *value = random.unit());
        let first = scene.crop(SHIFT, SHIFT, 64, 64);
        for [dy, dx] in [[8, 8], [0, 3], [16, 11]] {
            let second = scene.crop(dy, dx, 64, 64);
            let offset = [SHIFT.wrapping_sub(dy), SHIFT.wrapping_sub(dx)];
            let [mut a, mut b] = [first.zeros_like(), first.zeros_like()];
            assert_eq!(compare(&first, &second, offset, 1.0, [&mut a, &mut b]), 0.0);
            let wrong = [offset[0].wrapping_add(1), offset[1]];
            assert!(compare(&first, &second, wrong, 1.0, [&mut a, &mut b]) > 0.05);
            let sum: f32 = a.values.iter().chain(&b.values).sum();
            assert!(sum.abs() < 1e-4);
        }
    }
}
