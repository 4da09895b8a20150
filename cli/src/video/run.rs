//! Runs a painting to its end, and notices when it does not get there.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;
use gst::prelude::*;

use super::failure;
use super::pipeline::Painting;
use super::progress::Progress;
use crate::interrupt;

/// How often messages and interruptions are looked for while nothing happens.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// How long nothing may move while the processor rests.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long nothing may move although the processor works: the largest networks take minutes per frame at 8K.
const LONG_PATIENCE: Duration = Duration::from_secs(20 * 60);

/// Runs `painting` until the last frame is written.
///
/// # Errors
/// What stopped the pipeline, an interruption, or that nothing has moved for too long.
pub fn run(painting: &Painting, progress: &mut Progress, output: &Path) -> anyhow::Result<()> {
    let bus = painting.pipeline.bus().expect("a pipeline has a bus");
    // If it fails, the reason is a message on the bus.
    let _ = painting.pipeline.set_state(gst::State::Playing);
    let mut life = Life::new();
    loop {
        interrupt::check()?;
        if let Some(message) = bus.timed_pop(TICK) {
            match message.view() {
                gst::MessageView::Eos(_) => break,
                gst::MessageView::Error(_) => {
                    let errors: Vec<_> =
                        [message].into_iter().chain(further_errors(&bus)).collect();
                    return Err(failure::tell(&errors, output));
                }
                gst::MessageView::Latency(_) => {
                    // Only of use to live pipelines; an answer is good manners.
                    let _ = painting.pipeline.recalculate_latency();
                }
                _ => {}
            }
        }
        progress.show(&painting.meter)?;
        life.check(painting.meter.n_seen())?;
    }
    if painting.meter.n_frames() == 0 {
        bail!("not a single frame of the video could be decoded; it may be damaged");
    }
    Ok(())
}

/// Errors that follow the first: of one cause, the first to complain is not always the one that knows.
fn further_errors(bus: &gst::Bus) -> impl Iterator<Item = gst::Message> {
    let wait = gst::ClockTime::from_mseconds(200);
    std::iter::from_fn(move || bus.timed_pop_filtered(wait, &[gst::MessageType::Error])).take(8)
}

/// Signs of life.
struct Life {
    n_seen: u64,
    last_move: Instant,
    processor: Option<Duration>,
}

impl Life {
    fn new() -> Self {
        Self {
            n_seen: 0,
            last_move: Instant::now(),
            processor: None,
        }
    }

    fn check(&mut self, n_seen: u64) -> anyhow::Result<()> {
        if n_seen != self.n_seen {
            *self = Self {
                n_seen,
                ..Self::new()
            };
            return Ok(());
        }
        let quiet = self.last_move.elapsed();
        if self.processor.is_none() && quiet > PATIENCE / 2 {
            self.processor = Some(processor_time());
        }
        let is_resting = || {
            self.processor
                .is_some_and(|before| processor_time() - before < Duration::from_secs(1))
        };
        if quiet > LONG_PATIENCE || (quiet > PATIENCE && is_resting()) {
            bail!(
                "nothing has moved for {} seconds; the clip may be damaged, or interleaved so that its tracks wait \
                 for each other",
                quiet.as_secs()
            );
        }
        Ok(())
    }
}

/// Processor time that this process has used so far; zero if the system does not tell.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    Duration::from_millis(processor_ticks(&stat).unwrap_or(0) * 10)
}

/// User and system time in Linux's ticks of 10 ms: fields 14 and 15; the second may hold spaces, in parentheses.
fn processor_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_past_odd_names() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20";
        assert_eq!(processor_ticks(stat), Some(175));
        assert_eq!(processor_ticks(""), None);
    }

    #[test]
    fn movement_renews_the_patience() {
        let mut life = Life::new();
        life.last_move -= 2 * PATIENCE;
        assert!(life.check(1).is_ok());
        life.last_move -= 2 * PATIENCE;
        // The first look only notes the processor time; nothing is used until the second.
        assert!(life.check(1).is_err());
    }
}
