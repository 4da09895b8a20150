//! What is done to rows of pixels.

use super::segments::SEGMENT;

/// Least and greatest of three rows.
#[inline(always)]
pub(super) fn range_of(here: &[f32], beside: [&[f32]; 2], low: &mut [f32], high: &mut [f32]) {
    let n = here.len();
    let (above, below) = (&beside[0][..n], &beside[1][..n]);
    let (low, high) = (&mut low[..n], &mut high[..n]);
    for i in 0..n {
        low[i] = lesser(lesser(above[i], here[i]), below[i]);
        high[i] = greater(greater(above[i], here[i]), below[i]);
    }
}

/// `f32::min` of numbers only, which is one instruction.
#[inline(always)]
pub(super) fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// `f32::max` of numbers only.
#[inline(always)]
pub(super) fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// Adds what each pixel has over the mean of its four neighbours, `4 * amount` times where `moving` is 1.
#[inline(always)]
pub(super) fn sharpen(
    here: &[f32],
    beside: [&[f32]; 2],
    moving: &[f32],
    amount: f32,
    out: &mut [f32],
) {
    let n = here.len();
    let (above, below) = (&beside[0][..n], &beside[1][..n]);
    let (moving, out) = (&moving[..n], &mut out[..n]);
    for i in 1..n - 1 {
        let detail = 4.0 * here[i] - here[i - 1] - here[i + 1] - above[i] - below[i];
        out[i] = here[i] + amount * moving[i] * detail;
    }
    for (i, beside) in [(0, 1), (n - 1, n - 2)] {
        let detail = 3.0 * here[i] - here[beside] - above[i] - below[i];
        out[i] = here[i] + amount * moving[i] * detail;
    }
}

/// Sum of the differences of neighbours along and between two rows, weighted by `moving`.
#[inline(always)]
pub(super) fn gradient(here: &[f32], above: &[f32], moving: &[f32]) -> f32 {
    let mut sums = [0.0; SEGMENT];
    let pairs = here.windows(SEGMENT + 1).step_by(SEGMENT);
    let above = above.as_chunks::<SEGMENT>().0;
    for ((pairs, above), moving) in pairs.zip(above).zip(moving.as_chunks::<SEGMENT>().0) {
        for i in 0..SEGMENT {
            let along = (pairs[i + 1] - pairs[i]).abs();
            sums[i] += (along + (pairs[i] - above[i]).abs()) * moving[i];
        }
    }
    sums.iter().sum()
}
