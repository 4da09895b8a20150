//! Stochastic optimisation by moments (Adam; Kingma and Ba 2015).

/// Decay of the first and second moment.
const DECAY: [f32; 2] = [0.9, 0.99];
const EPSILON: f32 = 1e-8;

/// Moments of the gradients by some parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Steps taken.
    pub n_steps: u32,
    /// Mean of the gradients.
    pub first: Vec<f32>,
    /// Mean of their squares.
    pub second: Vec<f32>,
}

impl Moments {
    /// Takes a step of `rate` at most, against the gradient.
    pub fn step(&mut self, parameters: &mut [f32], gradient: &[f32], rate: f32) {
        let n = parameters.len();
        self.first.resize(n, 0.0);
        self.second.resize(n, 0.0);
        self.n_steps += 1;
        let [bias_1, bias_2] = DECAY.map(|decay| 1.0 - decay.powi(self.n_steps as i32));
        let (first, second, gradient) =
            (&mut self.first[..n], &mut self.second[..n], &gradient[..n]);
        for i in 0..n {
            first[i] += (1.0 - DECAY[0]) * (gradient[i] - first[i]);
            second[i] += (1.0 - DECAY[1]) * (gradient[i] * gradient[i] - second[i]);
            parameters[i] -= rate * (first[i] / bias_1) / ((second[i] / bias_2).sqrt() + EPSILON);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bowl_is_descended() {
        let mut moments = Moments::default();
        let mut at = [3.0, -2.0];
        for _ in 0..500 {
            let gradient = [2.0 * at[0], 20.0 * at[1]];
            moments.step(&mut at, &gradient, 0.05);
        }
        assert!(at.iter().all(|value| value.abs() < 0.05), "{at:?}");
    }
}
