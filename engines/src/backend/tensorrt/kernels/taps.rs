//! The weights that rows and columns are scaled with, as a kernel sees them.

use super::Address;
use crate::convert::spans;

pub(in super::super) use crate::convert::Filter;

/// Which pixels of a row or column make one of another length.
#[derive(Clone, Debug)]
pub(in super::super) struct Table {
    /// Of every pixel made: the first pixel it is made of, and their number.
    pub spans: Vec<[i32; 2]>,
    /// Weight i of pixel p at `i * spans.len() + p`.
    pub weights: Vec<f32>,
}

impl Table {
    /// Makes `to_px` pixels of `from_px`.
    pub(in super::super) fn new(from_px: usize, to_px: usize, filter: Filter) -> Self {
        let taps = spans(from_px, to_px, filter);
        let n_taps = taps.iter().map(|span| span.weights.len()).max();
        let mut weights = vec![0.0; n_taps.unwrap_or(0) * to_px];
        for (idx, span) in taps.iter().enumerate() {
            for (i, &weight) in span.weights.iter().enumerate() {
                weights[i * to_px + idx] = weight as f32;
            }
        }
        let spans = taps.iter();
        let spans = spans.map(|span| [span.first as i32, span.weights.len() as i32]);
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
