//! What the element adds to the latency of a live pipeline.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Frames between two looks at whether it has changed.
pub(super) const CHECK_FRAMES: u64 = 30;

/// What was told last; the streaming thread changes it, queries read it.
#[derive(Default)]
pub(super) struct Latency {
    nanos: AtomicU64,
    /// Whether upstream is live, which it says in answers to queries.
    is_live: AtomicBool,
}

impl Latency {
    /// What the answer to a query adds.
    pub(super) fn get(&self) -> gst::ClockTime {
        gst::ClockTime::from_nseconds(self.nanos.load(Ordering::Relaxed))
    }

    /// Sets it, whatever it was.
    pub(super) fn set(&self, latency: Duration) {
        self.nanos
            .store(latency.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Sets it if it has changed by more than a fifth: smaller changes are not worth a new latency for the whole pipeline. Says
    /// whether the pipeline wants to hear of it.
    pub(super) fn renew(&self, latency: Duration) -> bool {
        let told = self.nanos.load(Ordering::Relaxed);
        let is_new = (latency.as_nanos() as u64).abs_diff(told) * 5 > told;
        if is_new {
            self.set(latency);
        }
        is_new && self.is_live()
    }

    pub(super) fn is_live(&self) -> bool {
        self.is_live.load(Ordering::Relaxed)
    }

    /// Keeps what upstream has said.
    pub(super) fn note_live(&self, is_live: bool) {
        self.is_live.store(is_live, Ordering::Relaxed);
    }
}

/// Latency of frames that take `time` each: at most one frame duration, because a frame that takes longer delays the next, which
/// no latency cures; and a frame duration for every further frame in flight.
pub(super) fn of_frames(time: Duration, fps: gst::Fraction, max_in_flight: usize) -> Duration {
    let n_waiting = max_in_flight as u32 - 1;
    match (u64::try_from(fps.numer()), u64::try_from(fps.denom())) {
        (Ok(numer), Ok(denom)) if numer > 0 => {
            let duration = Duration::from_nanos(1_000_000_000 * denom / numer);
            time.min(duration) + n_waiting * duration
        }
        _ => time * (n_waiting + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_frame_adds_its_time_and_one_duration_for_each_that_waits() {
        let fps = gst::Fraction::new(50, 1);
        assert_eq!(of_frames(5 * MS, fps, 1), 5 * MS);
        assert_eq!(of_frames(70 * MS, fps, 1), 20 * MS);
        assert_eq!(of_frames(5 * MS, fps, 3), 45 * MS);
        // Of no known rate.
        assert_eq!(of_frames(5 * MS, gst::Fraction::new(0, 1), 3), 15 * MS);
    }

    #[test]
    fn small_changes_are_not_told_and_no_pipeline_hears_of_any_that_is_not_live() {
        let latency = Latency::default();
        latency.set(10 * MS);
        latency.note_live(true);
        assert!(!latency.renew(12 * MS));
        assert_eq!(latency.get(), gst::ClockTime::from_mseconds(10));
        assert!(latency.renew(13 * MS));
        latency.note_live(false);
        assert!(!latency.renew(20 * MS));
        assert_eq!(latency.get(), gst::ClockTime::from_mseconds(20));
    }
}
