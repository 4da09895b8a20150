//! How a network is trained.

use serde::{Deserialize, Serialize};

use crate::perceptual::Painting;

/// What a style is to look like.
pub enum Target {
    /// The photo itself.
    Identity,
    /// A painting.
    Painting {
        /// Its style.
        painting: Painting,
        /// How much style counts beside content.
        share: f32,
    },
}

/// Lengths, rates and shares of a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Where random numbers come from.
    pub seed: u64,
    /// Crops in a step.
    pub batch: usize,
    /// Pixels of a side of a crop, a multiple of 8.
    pub crop: u32,
    /// Steps with the statistics of each crop.
    pub n_live: usize,
    /// Steps with frozen statistics.
    pub n_frozen: usize,
    /// Rates of the first part, at its start and end: of gains and offsets, and of weights as part of their length.
    pub rate_live: [f32; 2],
    /// Rates of the second part.
    pub rate_frozen: [f32; 2],
    /// How much the difference to the paint of the same scene, moved, noisier and brighter, counts in both parts.
    pub stability: [f32; 2],
    /// How much a pattern that is fixed to the picture's grid counts.
    pub lattice: f32,
    /// How much the roughness counts.
    pub roughness: f32,
    /// How much counts that light and colours of the photo come through, as the painting has them.
    pub tone: f32,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 1,
            batch: 2,
            crop: 192,
            n_live: 2500,
            n_frozen: 2500,
            rate_live: [0.04, 0.004],
            rate_frozen: [0.004, 0.0001],
            stability: [0.0, 20.0],
            lattice: 1000.0,
            roughness: 1.0,
            tone: 20.0,
        }
    }
}

impl Recipe {
    /// For a network that has learnt before: at rates that do not take it so far from where it started that it no longer
    /// mixes with others that started there. A third of the steps is live: what freezing loses takes longer to learn again.
    pub fn finetune(n_steps: usize) -> Self {
        let n_live = n_steps / 3;
        Self {
            n_live,
            n_frozen: n_steps - n_live,
            rate_live: [0.02, 0.002],
            rate_frozen: [0.008, 0.0001],
            stability: [0.0, 10.0],
            ..Self::default()
        }
    }

    /// The rate of a step: a short rise, then half a cosine down, in each part.
    pub fn rate(&self, step: usize) -> f32 {
        const RISE: f32 = 50.0;
        let ([from, to], step, n) = if step < self.n_live {
            (self.rate_live, step, self.n_live)
        } else {
            (self.rate_frozen, step - self.n_live, self.n_frozen)
        };
        let half_turn = std::f32::consts::PI * step as f32 / n.max(1) as f32;
        (to + (from - to) * 0.5 * (1.0 + half_turn.cos())) * ((step + 1) as f32 / RISE).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_and_fall_in_both_parts() {
        let recipe = Recipe {
            n_live: 200,
            n_frozen: 100,
            ..Recipe::default()
        };
        assert!(recipe.rate(0) < 2e-3);
        assert!((recipe.rate(50) - 0.04).abs() < 0.01);
        assert!(recipe.rate(199) < 0.0042);
        assert!(recipe.rate(200) < 1e-3 && recipe.rate(250) > 0.001);
        assert!(recipe.rate(299) < 5e-4);
    }
}
