//! Where frames or sound go on from one pipeline to others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use gst_app::AppSrc;

/// Hands what comes to all who are there; nobody waits for anybody.
#[derive(Default)]
pub struct Relay {
    outlets: Mutex<Outlets>,
    n_passed: AtomicU64,
}

#[derive(Default)]
struct Outlets {
    sources: Vec<AppSrc>,
    /// Time of what was passed last.
    last: Option<gst::ClockTime>,
}

impl Relay {
    /// From now on hands things to `source` as well.
    pub fn add(&self, source: AppSrc) {
        self.lock().sources.push(source);
    }

    /// From now on no longer does.
    pub fn remove(&self, source: &AppSrc) {
        self.lock().sources.retain(|found| found != source);
    }

    /// Hands on what is due at `time`. What is older than what went before is dropped: time never goes back.
    pub fn pass(&self, mut buffer: gst::Buffer, time: gst::ClockTime) {
        let mut outlets = self.lock();
        if outlets.last.is_some_and(|last| time <= last) {
            return;
        }
        outlets.last = Some(time);
        let stamped = buffer.make_mut();
        stamped.set_pts(time);
        stamped.set_dts(gst::ClockTime::NONE);
        for source in &outlets.sources {
            // One that is being torn down refuses; its line sees to that.
            let _ = source.push_buffer(buffer.clone());
        }
        self.n_passed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many things were handed on.
    pub fn n_passed(&self) -> u64 {
        self.n_passed.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Outlets> {
        self.outlets.lock().expect("nobody panics while handing on")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst::prelude::*;

    #[test]
    fn all_get_everything_and_time_never_goes_back() {
        gst::init().unwrap();
        let relay = Relay::default();
        let sources: Vec<AppSrc> = (0..2).map(|_| AppSrc::builder().build()).collect();
        for source in &sources {
            source.set_state(gst::State::Paused).unwrap();
            relay.add(source.clone());
        }
        for ms in [10, 20, 15, 20, 30] {
            relay.pass(
                gst::Buffer::with_size(7).unwrap(),
                gst::ClockTime::from_mseconds(ms),
            );
        }
        relay.remove(&sources[1]);
        relay.pass(
            gst::Buffer::with_size(7).unwrap(),
            gst::ClockTime::from_mseconds(40),
        );
        assert_eq!(relay.n_passed(), 4);
        let levels: Vec<u64> = sources.iter().map(AppSrc::current_level_buffers).collect();
        for source in &sources {
            source.set_state(gst::State::Null).unwrap();
        }
        assert_eq!(levels, [4, 3]);
    }
}
