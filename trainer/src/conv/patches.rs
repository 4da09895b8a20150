//! Gradients as one product of matrices: each place's patch of 3x3 pixels, laid out as a row.

use std::cell::RefCell;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::Walk;
use crate::maps::{self, Maps};

/// Numbers that a band of patches has at most: they stay in the second-level cache.
const BAND: usize = 1 << 18;

thread_local! {
    static PATCHES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Gradient by the input, whose shape `sum` has, with weights `[9 * n_in, n_out]` of the way there.
pub(super) fn spread(gradient: &Maps, weights: &[f32], mut sum: Maps, walk: Walk) -> Maps {
    let n_row = 9 * sum.n_channels;
    let weights = MatRef::from_row_major_slice(weights, n_row, gradient.n_channels);
    let n_rows = band_rows(&sum, gradient.width);
    for (band, source) in gradient
        .values
        .chunks(n_rows * gradient.stride())
        .enumerate()
    {
        let n_places = source.len() / gradient.n_channels;
        with_patches(n_places * n_row, |patches| {
            let source = MatRef::from_row_major_slice(source, n_places, gradient.n_channels);
            let target = MatMut::from_row_major_slice_mut(patches, n_places, n_row);
            matmul(
                target,
                Accum::Replace,
                source,
                weights.transpose(),
                1.0,
                Par::Seq,
            );
            scatter(patches, band * n_rows, gradient.width, walk, &mut sum);
        });
    }
    sum
}

/// Gradient by the weights, `[9 * n_in, n_out]`.
pub(super) fn correlate(input: &Maps, gradient: &Maps, walk: Walk) -> Vec<f32> {
    let (n_row, n_out) = (9 * input.n_channels, gradient.n_channels);
    let mut sum = vec![0.0; n_row * n_out];
    let n_rows = band_rows(input, gradient.width);
    for (band, source) in gradient
        .values
        .chunks(n_rows * gradient.stride())
        .enumerate()
    {
        let n_places = source.len() / n_out;
        with_patches(n_places * n_row, |patches| {
            gather(input, band * n_rows, gradient.width, walk, patches);
            let patches = MatRef::from_row_major_slice(&*patches, n_places, n_row);
            let source = MatRef::from_row_major_slice(source, n_places, n_out);
            let target = MatMut::from_row_major_slice_mut(&mut sum, n_row, n_out);
            matmul(
                target,
                Accum::Add,
                patches.transpose(),
                source,
                1.0,
                Par::Seq,
            );
        });
    }
    sum
}

/// Rows of places whose patches are laid out at a time.
fn band_rows(input: &Maps, width: usize) -> usize {
    (BAND / (9 * input.n_channels * width)).max(1)
}

fn with_patches(len: usize, work: impl FnOnce(&mut [f32])) {
    PATCHES.with_borrow_mut(|patches| {
        if patches.len() < len {
            patches.resize(len, 0.0);
        }
        work(&mut patches[..len]);
    });
}

/// Row and column of the maps under a tap; `None` outside.
fn under(place: usize, tap: usize, walk: Walk, len: usize) -> Option<usize> {
    (place * walk.stride + tap * walk.dilation)
        .checked_sub(walk.dilation)
        .filter(|&at| at < len)
}

/// Lays out the patches of some rows of places, `[places, 9, n_in]`, from row `first` on.
fn gather(input: &Maps, first: usize, width: usize, walk: Walk, patches: &mut [f32]) {
    let n = input.n_channels;
    for (row, patches) in patches.chunks_exact_mut(width * 9 * n).enumerate() {
        for (x, patch) in patches.chunks_exact_mut(9 * n).enumerate() {
            for (tap, values) in patch.chunks_exact_mut(n).enumerate() {
                let y = under(first + row, tap / 3, walk, input.height);
                let x = under(x, tap % 3, walk, input.width);
                match y.zip(x) {
                    Some((y, x)) => values.copy_from_slice(input.pixel(y, x)),
                    None => values.fill(0.0),
                }
            }
        }
    }
}

/// Adds the numbers of patches to the pixels that [`gather`] takes them from.
fn scatter(patches: &[f32], first: usize, width: usize, walk: Walk, sum: &mut Maps) {
    let (n, stride) = (sum.n_channels, sum.stride());
    for (row, patches) in patches.chunks_exact(width * 9 * n).enumerate() {
        for (x, patch) in patches.chunks_exact(9 * n).enumerate() {
            for (tap, values) in patch.chunks_exact(n).enumerate() {
                let y = under(first + row, tap / 3, walk, sum.height);
                let x = under(x, tap % 3, walk, sum.width);
                if let Some((y, x)) = y.zip(x) {
                    maps::add(&mut sum.values[y * stride + x * n..][..n], values);
                }
            }
        }
    }
}
