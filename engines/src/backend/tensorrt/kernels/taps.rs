//! The weights that rows and columns are scaled with: those of `fast_image_resize`, which scales for the CPU backend.

use super::Address;

/// What one pixel of a row weighs in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Filter {
    /// Two steps wide when it shrinks.
    Triangle,
    /// Four steps wide when it shrinks (Keys 1981, a = -1/2).
    CatmullRom,
}

impl Filter {
    /// Beyond this many steps, weights are 0.
    fn radius(self) -> f64 {
        match self {
            Self::Triangle => 1.0,
            Self::CatmullRom => 2.0,
        }
    }

    fn weight(self, steps: f64) -> f64 {
        let x = steps.abs();
        match self {
            Self::Triangle => (1.0 - x).max(0.0),
            Self::CatmullRom if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Self::CatmullRom if x < 2.0 => ((2.5 - 0.5 * x) * x - 4.0) * x + 2.0,
            Self::CatmullRom => 0.0,
        }
    }
}

/// Which pixels of a row or column make one of another length.
#[derive(Clone, Debug)]
pub(in super::super) struct Table {
    /// Of every pixel made: the first pixel it is made of, and their number.
    pub spans: Vec<[i32; 2]>,
    /// Weight i of pixel p at `i * spans.len() + p`.
    pub weights: Vec<f32>,
}

impl Table {
    /// Makes `to_px` pixels of `from_px`. At the ends, the weights of pixels that are not there go to those that are.
    pub(in super::super) fn new(from_px: usize, to_px: usize, filter: Filter) -> Self {
        let step = from_px as f64 / to_px as f64;
        let widening = step.max(1.0);
        let radius = filter.radius() * widening;
        let taps: Vec<_> = (0..to_px)
            .map(|idx| {
                let centre = (idx as f64 + 0.5) * step;
                // Pixels whose own centres are nearer than the radius.
                let first = (centre - radius + 0.5).floor().max(0.0) as usize;
                let end = ((centre + radius - 0.5).ceil() as usize).min(from_px);
                let weight = |i: usize| filter.weight((i as f64 + 0.5 - centre) / widening);
                let weights: Vec<_> = (first..end).map(weight).collect();
                let sum: f64 = weights.iter().sum();
                let weights = weights.into_iter().map(|weight| (weight / sum) as f32);
                (first, weights.collect::<Vec<_>>())
            })
            .collect();
        let n_taps = taps.iter().map(|(_, weights)| weights.len()).max();
        let mut weights = vec![0.0; n_taps.unwrap_or(0) * to_px];
        for (idx, (_, own)) in taps.iter().enumerate() {
            for (i, &weight) in own.iter().enumerate() {
                weights[i * to_px + idx] = weight;
            }
        }
        let spans = taps.iter();
        let spans = spans.map(|(first, own)| [*first as i32, own.len() as i32]);
        Self {
            spans: spans.collect(),
            weights,
        }
    }
}

/// A [`Table`] in the memory that a kernel sees. (Fields as in `scale.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Taps {
    pub spans: Address,
    pub weights: Address,
    /// Pixels made.
    pub n_px: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one_and_stay_within_the_picture() {
        for filter in [Filter::Triangle, Filter::CatmullRom] {
            for (from_px, to_px) in [(1, 5), (16, 16), (1080, 360), (360, 1080), (8192, 16)] {
                let table = Table::new(from_px, to_px, filter);
                for (idx, &[first, n_taps]) in table.spans.iter().enumerate() {
                    assert!(first >= 0 && (first + n_taps) as usize <= from_px);
                    let own = table.weights[idx..].iter().step_by(to_px);
                    let sum: f32 = own.take(n_taps as usize).sum();
                    assert!((sum - 1.0).abs() < 1e-5, "{filter:?} {from_px} {to_px}");
                }
            }
        }
    }
}
