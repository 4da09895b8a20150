//! How much moved paint is sharpened: so much that it keeps the gradients of frames painted one by one.

/// To begin with, and at most.
const START: f32 = 0.2;
const MOST: f32 = 1.5;
/// Share of the gradients that is kept: a little less than all, for part of them is noise.
const KEPT: f32 = 0.97;

/// An amount of sharpening that corrects itself from frame to frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sharpening(f32);

impl Default for Sharpening {
    fn default() -> Self {
        Self(START)
    }
}

impl Sharpening {
    /// What is added of four times a pixel's difference to the mean of its four neighbours.
    pub(crate) fn amount(self) -> f32 {
        0.25 * self.0
    }

    /// Notes the sums of gradients of moving paint: as painted, and as shown.
    pub(crate) fn correct(&mut self, painted: f32, shown: f32) {
        if shown > 0.0 {
            self.0 = (self.0 + KEPT * painted / shown - 1.0).clamp(0.0, MOST);
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
}
