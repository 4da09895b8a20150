//! Paint of another style that fades out.

use std::time::Duration;

/// It is gone within this time.
const TIME: Duration = Duration::from_millis(500);

/// Frames until what was taken over is gone; none if there is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fade(u32);

impl Fade {
    /// Begins with frames that follow each other after `interval`.
    pub(crate) fn start(interval: Duration) -> Self {
        Self((TIME.as_secs_f32() / interval.as_secs_f32()).ceil() as u32)
    }

    /// Whether old paint still shows.
    pub(crate) fn is_on(self) -> bool {
        self.0 > 0
    }

    /// Share that is left for the next frame, if anything is. The last one is 0: nothing of the old paint may be left when
    /// frames are reused again.
    pub(crate) fn step(&mut self) -> Option<f32> {
        let left = self.0.checked_sub(1)?;
        let share = left as f32 / self.0 as f32;
        self.0 = left;
        Some(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_leaves_nothing() {
        let mut fade = Fade::start(Duration::from_millis(125));
        let steps: Vec<f32> = std::iter::from_fn(|| fade.step()).collect();
        assert_eq!(steps, [3.0 / 4.0, 2.0 / 3.0, 1.0 / 2.0, 0.0]);
        assert!(!fade.is_on());
    }
}
