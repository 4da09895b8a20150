//! Descent with a memory of how the gradient changed (L-BFGS; Nocedal 1980), for a loss that is the same every time.

use std::collections::VecDeque;

use crate::maps::add_scaled;

/// Steps that are remembered.
const MEMORY: usize = 12;
/// Mean change of a parameter in the first step, when nothing is known of the loss.
const FIRST: f64 = 0.01;
/// Part of the decrease foretold by the gradient that a step must bring (Armijo 1966).
const DECREASE: f64 = 1e-4;
/// Times that a step is halved before the way down is given up.
const HALVINGS: usize = 8;

/// A step taken and how it changed the gradient.
struct Pair {
    step: Vec<f32>,
    change: Vec<f32>,
    /// Their scalar product, above 0.
    product: f64,
}

/// Moves `at` downhill, in `n_steps` steps or until nothing is gained any more. `loss` gives the loss at a place and its
/// gradient; `each` is told the loss after each step.
pub fn descend(
    at: &mut [f32],
    n_steps: usize,
    mut loss: impl FnMut(&[f32]) -> (f64, Vec<f32>),
    mut each: impl FnMut(f64),
) {
    let mut memory: VecDeque<Pair> = VecDeque::new();
    let (mut here, mut gradient) = loss(at);
    let mut n_done = 0;
    while n_done < n_steps {
        let way = way(&memory, &gradient);
        let slope = dot(&way, &gradient);
        let mut tried = at.to_vec();
        let mut length = 1.0;
        let mut found = None;
        if slope < 0.0 {
            for _ in 0..=HALVINGS {
                tried.copy_from_slice(at);
                add_scaled(&mut tried, length as f32, &way);
                let there = loss(&tried);
                if there.0 <= here + DECREASE * length * slope {
                    found = Some(there);
                    break;
                }
                length *= 0.5;
            }
        }
        match found {
            Some((loss, new_gradient)) => {
                let difference = |a: &[f32], b: &[f32]| {
                    let mut difference = a.to_vec();
                    add_scaled(&mut difference, -1.0, b);
                    difference
                };
                remember(
                    &mut memory,
                    difference(&tried, at),
                    difference(&new_gradient, &gradient),
                );
                at.copy_from_slice(&tried);
                (here, gradient) = (loss, new_gradient);
                n_done += 1;
                each(here);
            }
            // What was remembered misled: from here the gradient alone tells the way, once.
            None if !memory.is_empty() => memory.clear(),
            None => break,
        }
    }
}

fn remember(memory: &mut VecDeque<Pair>, step: Vec<f32>, change: Vec<f32>) {
    let product = dot(&step, &change);
    // Only where the loss curves upwards is the way of the memory one downwards.
    if product > 1e-10 * dot(&change, &change) {
        if memory.len() == MEMORY {
            memory.pop_front();
        }
        memory.push_back(Pair {
            step,
            change,
            product,
        });
    }
}

/// The way to go: the gradient, turned about and scaled as the memory tells.
fn way(memory: &VecDeque<Pair>, gradient: &[f32]) -> Vec<f32> {
    let mut way: Vec<f32> = gradient.iter().map(|value| -value).collect();
    let mut shares = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let share = dot(&pair.step, &way) / pair.product;
        add_scaled(&mut way, -share as f32, &pair.change);
        shares.push(share);
    }
    let scale = match memory.back() {
        Some(last) => last.product / dot(&last.change, &last.change),
        None => FIRST * (way.len() as f64 / dot(gradient, gradient).max(f64::MIN_POSITIVE)).sqrt(),
    };
    way.iter_mut().for_each(|value| *value *= scale as f32);
    for (pair, share) in memory.iter().zip(shares.into_iter().rev()) {
        let more = share - dot(&pair.change, &way) / pair.product;
        add_scaled(&mut way, more as f32, &pair.step);
    }
    way
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    // In short sums of f32: as exact as is needed, and vectorised.
    a.chunks(256)
        .zip(b.chunks(256))
        .map(|(a, b)| f64::from(a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_curved_valley_is_followed_to_its_end() {
        let mut n_calls = 0;
        let valley = |at: &[f32]| {
            n_calls += 1;
            let (x, y) = (f64::from(at[0]), f64::from(at[1]));
            let (a, b) = (1.0 - x, y - x * x);
            let gradient = [-2.0 * a - 400.0 * x * b, 200.0 * b];
            (
                a * a + 100.0 * b * b,
                gradient.map(|value| value as f32).to_vec(),
            )
        };
        let mut at = [-1.2, 1.0];
        let mut losses = Vec::new();
        descend(&mut at, 80, valley, |loss| losses.push(loss));
        assert!(at.iter().all(|value| (value - 1.0).abs() < 0.01), "{at:?}");
        assert!(losses.is_sorted_by(|a, b| a >= b), "{losses:?}");
        assert!(n_calls < 160, "{n_calls}");
    }

    #[test]
    fn the_bottom_is_the_end() {
        let mut at = [0.0; 4];
        descend(&mut at, 10, |at| (0.0, at.to_vec()), |_| unreachable!());
        assert_eq!(at, [0.0; 4]);
    }
}
