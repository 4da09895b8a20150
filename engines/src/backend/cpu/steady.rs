//! What the CPU backend keeps from frame to frame.

use std::time::Duration;

use crate::frame::FrameFormat;
use crate::stabilizer::{Blender, History, Motion, Painted, Tracker};

/// Paint of another style fades out within this time.
const FADE: Duration = Duration::from_millis(500);

/// The followed frames and the painted history.
pub(super) struct Steady {
    pub tracker: Tracker,
    /// The frame shown last.
    pub history: History,
    next: History,
    blender: Blender,
    interval: Duration,
    /// Frames until what was taken over is gone.
    n_fading: u32,
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
            n_fading: 0,
        }
    }

    /// Forgets the frames before.
    pub(super) fn forget(&mut self) {
        self.tracker.reset();
        self.n_fading = 0;
    }

    /// Makes `painted`, blended with the history where there is motion, the new history. False if it is just `painted`.
    pub(super) fn blend(&mut self, painted: &Painted<'_>, motion: Option<&Motion>) -> bool {
        let size = (painted.picture.window.width, painted.picture.window.height);
        if (self.next.width, self.next.height) != size {
            self.next = History::new(size.0, size.1);
        }
        let motion = motion
            .filter(|motion| !motion.is_fresh && (self.history.width, self.history.height) == size);
        match motion {
            Some(motion) => {
                // The last step is 0: nothing of the old paint may be left when frames are reused again.
                let step = self.n_fading.checked_sub(1);
                let fade = step.map(|step| step as f32 / self.n_fading as f32);
                self.blender
                    .blend(painted, motion, fade, &self.history, &mut self.next);
                self.n_fading = step.unwrap_or(0);
            }
            None => {
                self.blender.take(painted, &mut self.next);
                self.n_fading = 0;
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
            self.n_fading = (FADE.as_secs_f32() / self.interval.as_secs_f32()).ceil() as u32;
        }
        fits
    }

    /// Whether what was taken over still shows.
    pub(super) fn is_fading(&self) -> bool {
        self.n_fading > 0
    }
}
