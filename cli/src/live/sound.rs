//! Sound without gaps: silence stands in for what does not come, so that no muxer waits for it.

use std::sync::{Arc, Mutex};

use super::relay::Relay;

/// Samples a second.
pub const RATE: u64 = 48_000;
/// Bytes of a sample: two channels of 16 bits.
const SAMPLE: usize = 4;
/// How long sound may be late before silence takes its place.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(200);
/// Gaps and overlaps below this are those of clocks that differ a little, and are let pass; where sound begins anew, as a
/// film does, it begins on time.
const SLACK: gst::ClockTime = gst::ClockTime::from_mseconds(40);
/// Silence comes in pieces of this length at most.
const PIECE: gst::ClockTime = gst::ClockTime::from_mseconds(20);

/// The caps of the sound.
pub fn caps() -> gst::Caps {
    gst::Caps::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("layout", "interleaved")
        .field("rate", RATE as i32)
        .field("channels", 2)
        .build()
}

/// Sound on its way to the sinks.
pub struct Track {
    relay: Arc<Relay>,
    /// Where the sound that was handed on ends.
    end: Mutex<gst::ClockTime>,
}

impl Track {
    /// Sound that begins at `start`.
    pub fn new(relay: Arc<Relay>, start: gst::ClockTime) -> Self {
        Self {
            relay,
            end: Mutex::new(start),
        }
    }

    /// Hands on sound that is due at `time`, after silence where there was a gap, and without what came too late.
    pub fn pass(&self, buffer: &gst::Buffer, time: gst::ClockTime) {
        let begins = buffer.flags().contains(gst::BufferFlags::DISCONT);
        let slack = if begins { gst::ClockTime::ZERO } else { SLACK };
        let mut end = self.lock();
        if time > *end + slack {
            self.silence(&mut end, time);
        }
        let late = end.saturating_sub(time);
        let skipped = if late > slack { samples(late) } else { 0 };
        let n_samples = buffer.size() / SAMPLE;
        if skipped >= n_samples {
            return;
        }
        let rest = (skipped * SAMPLE)..(n_samples * SAMPLE);
        let Ok(part) = buffer.copy_region(gst::BufferCopyFlags::MEMORY, rest) else {
            return;
        };
        self.give(&mut end, part, n_samples - skipped);
    }

    /// Fills up with silence what should have come long ago.
    pub fn fill(&self, now: gst::ClockTime) {
        let mut end = self.lock();
        let due = now.saturating_sub(PATIENCE);
        if due > *end + PIECE {
            self.silence(&mut end, due);
        }
    }

    fn silence(&self, end: &mut gst::ClockTime, until: gst::ClockTime) {
        while until > *end {
            let n_samples = samples((until - *end).min(PIECE));
            if n_samples == 0 {
                return;
            }
            self.give(
                end,
                gst::Buffer::from_slice(vec![0_u8; n_samples * SAMPLE]),
                n_samples,
            );
        }
    }

    /// Hands on `n_samples` samples, right behind those before.
    fn give(&self, end: &mut gst::ClockTime, mut buffer: gst::Buffer, n_samples: usize) {
        let length = gst::ClockTime::from_nseconds(n_samples as u64 * 1_000_000_000 / RATE);
        buffer.make_mut().set_duration(length);
        self.relay.pass(buffer, *end);
        *end += length;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, gst::ClockTime> {
        self.end.lock().expect("nobody panics while handing on")
    }
}

/// Samples in a time.
fn samples(time: gst::ClockTime) -> usize {
    (time.nseconds() * RATE / 1_000_000_000) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst::prelude::*;

    const MS: fn(u64) -> gst::ClockTime = gst::ClockTime::from_mseconds;

    /// Sound of a length.
    fn tone(length: gst::ClockTime) -> gst::Buffer {
        gst::Buffer::from_slice(vec![1_u8; samples(length) * SAMPLE])
    }

    /// Total length and share of tone in what was handed on.
    fn heard(source: &gst_app::AppSrc, sink: &gst_app::AppSink) -> (u64, u64) {
        source.end_of_stream().unwrap();
        let (mut total, mut tone, mut end) = (0, 0, 0);
        while let Ok(sample) = sink.pull_sample() {
            let buffer = sample.buffer().unwrap();
            let bytes = buffer.map_readable().unwrap();
            assert!(
                buffer.pts().unwrap().nseconds().abs_diff(end) < 100_000,
                "no gap"
            );
            end = (buffer.pts().unwrap() + buffer.duration().unwrap()).nseconds();
            total += bytes.len();
            tone += bytes.iter().filter(|&&byte| byte == 1).count();
        }
        let ms = |bytes: usize| (bytes / SAMPLE) as u64 * 1000 / RATE;
        (ms(total), ms(tone))
    }

    /// What comes out of a track that `work` was done on.
    fn run(work: impl FnOnce(&Track)) -> (u64, u64) {
        gst::init().unwrap();
        let pipeline = gst::Pipeline::new();
        let source = gst_app::AppSrc::builder()
            .caps(&caps())
            .format(gst::Format::Time)
            .build();
        let sink = gst_app::AppSink::builder().sync(false).build();
        pipeline
            .add_many([source.upcast_ref::<gst::Element>(), sink.upcast_ref()])
            .unwrap();
        source.link(&sink).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let relay = Arc::new(Relay::default());
        relay.add(source.clone());
        work(&Track::new(relay, gst::ClockTime::ZERO));
        let found = heard(&source, &sink);
        pipeline.set_state(gst::State::Null).unwrap();
        found
    }

    #[test]
    fn silence_fills_what_does_not_come() {
        let found = run(|track| {
            track.fill(MS(500));
            track.pass(&tone(MS(100)), MS(400));
            track.fill(MS(600));
        });
        assert_eq!(found, (500, 100));
    }

    #[test]
    fn what_comes_too_late_is_cut_and_small_differences_are_not() {
        let found = run(|track| {
            track.fill(MS(1200));
            track.pass(&tone(MS(200)), MS(900));
            track.pass(&tone(MS(100)), MS(1110));
        });
        assert_eq!(found, (1200, 200));
    }

    #[test]
    fn what_begins_anew_begins_on_time() {
        let anew = || {
            let mut buffer = tone(MS(100));
            let flags = gst::BufferFlags::DISCONT;
            buffer.make_mut().set_flags(flags);
            buffer
        };
        let found = run(|track| {
            track.pass(&anew(), MS(0));
            track.pass(&anew(), MS(130));
            track.pass(&tone(MS(100)), MS(260));
            track.pass(&anew(), MS(310));
        });
        assert_eq!(found, (410, 380));
    }
}
