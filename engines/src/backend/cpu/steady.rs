//! What the CPU backend keeps from frame to frame.

use std::time::Duration;

use rayon::iter::IndexedParallelIterator;

use crate::frame::FrameFormat;
use crate::geometry::Window;
use crate::stabilizer::{Blender, Fade, HeldBand, History, Motion, Painted, Tracker};

/// The followed frames and the painted history.
pub(super) struct Steady {
    pub tracker: Tracker,
    /// The frame shown last.
    pub history: History,
    next: History,
    blender: Blender,
    interval: Duration,
    /// What was taken over.
    fade: Fade,
}

/// What goes from one backend to the next.
pub(crate) struct Past {
    tracker: Tracker,
    history: History,
}

impl Steady {
    pub(super) fn new(format: &FrameFormat, interval: Duration) -> Self {
        Self {
            tracker: Tracker::new(format, interval),
            history: History::default(),
            next: History::default(),
            blender: Blender::default(),
            interval,
            fade: Fade::default(),
        }
    }

    /// Forgets the frames before.
    pub(super) fn forget(&mut self) {
        self.tracker.reset();
        self.blender.forget();
        self.fade = Fade::default();
    }

    /// The motion, if nothing moves and `painted` can be blended with the history in its place: by [`Steady::hold`].
    pub(super) fn still<'a>(
        &self,
        painted: &Painted<'_>,
        motion: Option<&'a Motion>,
    ) -> Option<&'a Motion> {
        self.usable(painted, motion)
            .filter(|motion| motion.is_still)
    }

    /// Makes `painted`, blended with the history, the new history, band by band as it is taken.
    pub(super) fn hold<'a>(
        &'a mut self,
        painted: Painted<'a>,
        motion: &Motion,
    ) -> impl IndexedParallelIterator<Item = HeldBand<'a>> {
        let fade = self.fade.step();
        self.blender.hold(painted, motion, fade, &mut self.history)
    }

    /// What says where in the history `painted` was.
    fn usable<'a>(&self, painted: &Painted<'_>, motion: Option<&'a Motion>) -> Option<&'a Motion> {
        let Window { width, height, .. } = painted.painting.window();
        motion.filter(|motion| {
            !motion.is_fresh && (self.history.width, self.history.height) == (width, height)
        })
    }

    /// Makes `painted`, blended with the history where there is motion, the new history. False if it is just `painted`.
    pub(super) fn blend(&mut self, painted: &Painted<'_>, motion: Option<&Motion>) -> bool {
        let Window { width, height, .. } = painted.painting.window();
        let motion = self.usable(painted, motion);
        if (self.next.width, self.next.height) != (width, height) {
            self.next = History::new(width, height);
        }
        match motion {
            Some(motion) => {
                let fade = self.fade.step();
                self.blender
                    .blend(painted, motion, fade, &self.history, &mut self.next);
            }
            None => {
                self.blender.take(painted, &mut self.next);
                self.fade = Fade::default();
            }
        }
        std::mem::swap(&mut self.history, &mut self.next);
        motion.is_some()
    }

    pub(super) fn hand_over(&mut self) -> Past {
        let format = self.tracker.format();
        Past {
            tracker: std::mem::replace(&mut self.tracker, Tracker::new(&format, self.interval)),
            history: std::mem::take(&mut self.history),
        }
    }

    /// Goes on with another backend's frames, if their paint has `size`.
    pub(super) fn take_over(&mut self, past: Past, size: (usize, usize)) -> bool {
        let fits = (past.history.width, past.history.height) == size
            && past.tracker.format() == self.tracker.format();
        if fits {
            self.tracker = past.tracker;
            self.history = past.history;
            self.fade = Fade::start(self.interval);
        }
        fits
    }

    /// Whether what was taken over still shows.
    pub(super) fn is_fading(&self) -> bool {
        self.fade.is_on()
    }
}
