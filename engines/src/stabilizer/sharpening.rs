//! How much moved paint is sharpened: so much that it keeps the gradients of frames painted one by one.

/// To begin with, and at most.
const START: f32 = 0.2;
const MOST: f32 = 1.5;
/// Share of the gradients that is kept: a little less than all, for part of them is noise.
const KEPT: f32 = 0.97;
/// How far the first corrections of a scene go. What is lost is lost again with every move, so that the first frames show
/// a part of it only.
const FIRST_STEPS: [f32; 2] = [3.0, 2.0];

/// An amount of sharpening that corrects itself from frame to frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sharpening {
    strength: f32,
    /// Corrections since the scene began.
    n_corrected: usize,
}

impl Default for Sharpening {
    fn default() -> Self {
        Self {
            strength: START,
            n_corrected: 0,
        }
    }
}

impl Sharpening {
    /// What is added of four times a pixel's difference to the mean of its four neighbours.
    pub(crate) fn amount(self) -> f32 {
        0.25 * self.strength
    }

    /// A scene begins, in the same paint: it needs about what the scene before it needed.
    pub(crate) fn begin_scene(&mut self) {
        self.n_corrected = 0;
    }

    /// Notes the sums of gradients of moving paint: as painted, and as shown.
    pub(crate) fn correct(&mut self, painted: f32, shown: f32) {
        if shown > 0.0 {
            let step = FIRST_STEPS.get(self.n_corrected).unwrap_or(&1.0);
            let lost = KEPT * painted / shown - 1.0;
            self.strength = (self.strength + step * lost).clamp(0.0, MOST);
            self.n_corrected += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_where_gradients_are_lost_within_bounds() {
        let mut sharpening = Sharpening::default();
        let before = sharpening.amount();
        sharpening.correct(0.0, 0.0);
        assert_eq!(sharpening.amount(), before);
        sharpening.correct(1.2, 1.0);
        assert!(sharpening.amount() > before);
        (0..20).for_each(|_| sharpening.correct(2.0, 1.0));
        assert_eq!(sharpening.amount(), 0.25 * MOST);
        (0..20).for_each(|_| sharpening.correct(1.0, 3.0));
        assert_eq!(sharpening.amount(), 0.0);
    }

    #[test]
    fn a_scene_begins_with_the_amount_of_the_last_and_corrects_it_faster() {
        let mut sharpening = Sharpening::default();
        (0..5).for_each(|_| sharpening.correct(1.1, 1.0));
        let (kept, mut late) = (sharpening.amount(), sharpening);
        sharpening.begin_scene();
        assert_eq!(sharpening.amount(), kept);
        sharpening.correct(1.1, 1.0);
        late.correct(1.1, 1.0);
        assert!(sharpening.amount() - kept > 2.0 * (late.amount() - kept));
    }
}
