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
    /// What was passed last.
    last: Option<gst::Buffer>,
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
        let before = outlets.last.as_ref().and_then(|last| last.pts());
        if before.is_some_and(|before| time <= before) {
            return;
        }
        let stamped = buffer.make_mut();
        stamped.set_pts(time);
        stamped.set_dts(gst::ClockTime::NONE);
        for source in &outlets.sources {
            // One that is being torn down refuses; its line sees to that.
            let _ = source.push_buffer(buffer.clone());
        }
        outlets.last = Some(buffer);
        self.n_passed.fetch_add(1, Ordering::Relaxed);
    }

    /// What was handed on last.
    pub fn last(&self) -> Option<gst::Buffer> {
        self.lock().last.clone()
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
        let viewer = || {
            let (source, sink) = (
                AppSrc::builder().build(),
                gst_app::AppSink::builder().sync(false).build(),
            );
            source.set_format(gst::Format::Time);
            let pipeline = gst::Pipeline::new();
            pipeline
                .add_many([source.upcast_ref::<gst::Element>(), sink.upcast_ref()])
                .unwrap();
            source.link(&sink).unwrap();
            pipeline.set_state(gst::State::Playing).unwrap();
            relay.add(source.clone());
            (pipeline, source, sink)
        };
        let viewers = [viewer(), viewer()];
        let pass = |ms| {
            relay.pass(
                gst::Buffer::with_size(7).unwrap(),
                gst::ClockTime::from_mseconds(ms),
            );
        };
        [10, 20, 15, 20, 30].into_iter().for_each(pass);
        relay.remove(&viewers[1].1);
        pass(40);
        assert_eq!(relay.n_passed(), 4);
        assert_eq!(
            relay.last().unwrap().pts(),
            Some(gst::ClockTime::from_mseconds(40))
        );
        let seen = viewers.map(|(pipeline, source, sink)| {
            source.end_of_stream().unwrap();
            let samples = std::iter::from_fn(|| sink.pull_sample().ok());
            let times: Vec<u64> = samples
                .map(|sample| sample.buffer().unwrap().pts().unwrap().mseconds())
                .collect();
            pipeline.set_state(gst::State::Null).unwrap();
            times
        });
        assert_eq!(seen, [vec![10, 20, 30, 40], vec![10, 20, 30]]);
    }
}
