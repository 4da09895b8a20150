//! How far it is, while it runs: a bar for people, lines of JSON for programs.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::meter::Meter;
use crate::report;

/// How often something new is shown.
const INTERVAL: Duration = Duration::from_millis(500);

/// Shows how far a painting is.
pub struct Progress {
    start: Instant,
    shown: Option<Instant>,
    duration: Option<gst::ClockTime>,
    way: Way,
}

enum Way {
    Bar(ProgressBar),
    Json,
}

#[derive(Serialize)]
struct Event {
    event: &'static str,
    frames: u64,
    fps: f64,
    position_s: f64,
    duration_s: Option<f64>,
}

impl Progress {
    /// Starts the clock. The bar appears only on a terminal.
    pub fn new(duration: Option<gst::ClockTime>, json: bool) -> Self {
        let way = if json {
            Way::Json
        } else {
            Way::Bar(bar(duration))
        };
        Self {
            start: Instant::now(),
            shown: None,
            duration,
            way,
        }
    }

    /// Shows the latest state, if that was not done just now.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn show(&mut self, meter: &Meter) -> anyhow::Result<()> {
        if self.shown.is_some_and(|shown| shown.elapsed() < INTERVAL) {
            return Ok(());
        }
        self.shown = Some(Instant::now());
        let frames = meter.n_frames();
        let fps = frames as f64 / self.start.elapsed().as_secs_f64();
        match &self.way {
            Way::Bar(bar) => {
                bar.set_position(meter.position().mseconds());
                bar.set_message(format!("{frames} frames, {fps:.1} fps"));
                Ok(())
            }
            // Opening the network takes a while: a count of nothing helps nobody.
            Way::Json if frames == 0 => Ok(()),
            Way::Json => report::json(&Event {
                event: "progress",
                frames,
                fps: rounded(fps),
                position_s: seconds(meter.position()),
                duration_s: self.duration.map(seconds),
            }),
        }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Way::Bar(bar) = &self.way {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Seconds to the millisecond.
pub fn seconds(time: gst::ClockTime) -> f64 {
    rounded(time.nseconds() as f64 / 1e9)
}

/// Three digits behind the point, as many as mean anything here.
pub fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn bar(duration: Option<gst::ClockTime>) -> ProgressBar {
    let (bar, template) = match duration {
        Some(duration) => (
            ProgressBar::new(duration.mseconds()),
            "{wide_bar} {percent}% {msg}, {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the template is a constant"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bars_can_be_drawn() {
        bar(Some(gst::ClockTime::SECOND)).tick();
        bar(None).tick();
        assert_eq!(rounded(1.23456), 1.235);
    }
}
