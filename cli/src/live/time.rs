//! One time for all pipelines: how long the program has been live.

use gst::prelude::*;

/// The clock that all pipelines follow, and when it all began.
#[derive(Clone)]
pub struct Time {
    clock: gst::Clock,
    start: gst::ClockTime,
}

impl Time {
    /// Time that begins now.
    pub fn start() -> Self {
        let clock = gst::SystemClock::obtain();
        let start = clock.time();
        Self { clock, start }
    }

    /// Time since the start.
    pub fn now(&self) -> gst::ClockTime {
        self.clock.time().saturating_sub(self.start)
    }

    /// Lets a pipeline's time be this one, from before it runs.
    pub fn rule(&self, pipeline: &gst::Pipeline) {
        self.pace(pipeline);
        pipeline.set_start_time(gst::ClockTime::NONE);
        pipeline.set_base_time(self.start);
    }

    /// Lets a pipeline run on the same clock, with a time of its own that begins when it plays.
    pub fn pace(&self, pipeline: &gst::Pipeline) {
        pipeline.use_clock(Some(&self.clock));
    }

    /// When a buffer of a pipeline that is only paced is due, in this time; nothing if it bears no time.
    pub fn of(&self, sample: &gst::Sample, pipeline: &gst::Pipeline) -> Option<gst::ClockTime> {
        let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
        let running = segment.to_running_time(sample.buffer()?.pts()?)?;
        (running + pipeline.base_time()?).checked_sub(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipelines_share_the_time() {
        gst::init().unwrap();
        let time = Time::start();
        let pipeline = gst::parse::launch(
            "videotestsrc is-live=true num-buffers=3 ! fakesink name=end sync=false",
        );
        let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
        time.rule(&pipeline);
        std::thread::sleep(std::time::Duration::from_millis(300));
        pipeline.set_state(gst::State::Playing).unwrap();
        let bus = pipeline.bus().unwrap();
        let end =
            bus.timed_pop_filtered(gst::ClockTime::from_seconds(10), &[gst::MessageType::Eos]);
        assert!(end.is_some());
        let sink = pipeline.by_name("end").unwrap();
        let last: Option<gst::Sample> = sink.property("last-sample");
        let pts = last.unwrap().buffer().unwrap().pts().unwrap();
        pipeline.set_state(gst::State::Null).unwrap();
        assert!(pts >= gst::ClockTime::from_mseconds(300), "{pts}");
        assert!(pts <= time.now());
    }
}
