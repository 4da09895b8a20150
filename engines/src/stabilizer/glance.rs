//! What a small picture of a frame tells at a glance: whether it shows another scene than the one before, and how its light
//! is to be corrected.

use std::time::Duration;

use super::cut;
use super::exposure::{Guard, Light};
use super::pyramid::Level;

/// Looks at one frame after the other.
pub(crate) struct Glance {
    /// Small pictures as frames came in, before the guard changed their light.
    before: Level,
    now: Level,
    has_before: bool,
    guard: Guard,
}

impl Glance {
    /// At pictures of the size of `small`, of frames that follow each other after `interval`.
    pub(crate) fn new(small: &Level, interval: Duration) -> Self {
        Self {
            before: small.clone(),
            now: small.clone(),
            has_before: false,
            guard: Guard::new(interval),
        }
    }

    /// Looks at a frame whose small picture `fill` makes of another. Says how its light is to be corrected, which with the
    /// guard is kept steady; nothing if it has nothing to do with the frame before.
    pub(crate) fn look(
        &mut self,
        fill: impl FnOnce(&mut Level),
        with_guard: bool,
    ) -> Option<Light> {
        std::mem::swap(&mut self.before, &mut self.now);
        fill(&mut self.now);
        let had_before = std::mem::replace(&mut self.has_before, true);
        if !had_before || cut::is_between(&self.before, &self.now) {
            self.guard.reset();
            return None;
        }
        Some(if with_guard {
            self.guard.follow(&self.before, &self.now)
        } else {
            Light::SAME
        })
    }

    /// Forgets the frame before.
    pub(crate) fn reset(&mut self) {
        self.has_before = false;
        self.guard.reset();
    }
}
