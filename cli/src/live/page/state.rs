//! What the page shows in figures and controls: how it is painted, and how it goes.

use std::sync::Mutex;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::routes::Desk;
use super::thumbnails::Progress;
use crate::live::controls::Chosen;
use crate::live::run::Meters;

/// All that changes.
#[derive(Serialize)]
pub struct State {
    #[serde(flatten)]
    chosen: Chosen,
    /// Nothing in the first second.
    meters: Option<Figures>,
    thumbnails: Progress,
}

/// How it goes: rates over the last second, counts since the start.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    format: String,
    fps: f64,
    delay_ms: f64,
    frames_left_out: u64,
    frames_reused: u64,
    cards: u64,
    quality: String,
    processing_height: u32,
    /// Share of a core that this process takes.
    cpu_percent: f64,
}

/// The meters of the moment.
#[derive(Default)]
pub struct Board(Mutex<Option<Entry>>);

struct Entry {
    figures: Figures,
    count: Count,
}

/// What rates are made of.
#[derive(Clone, Copy, Default)]
struct Count {
    seconds: f64,
    frames_out: u64,
    cpu: Duration,
}

impl State {
    /// That of now.
    pub fn of(desk: &Desk) -> Self {
        Self {
            chosen: desk.controls.chosen(),
            meters: desk.board.figures(),
            thumbnails: desk.thumbnails.progress(),
        }
    }

    /// The text that goes to the page.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and lists are JSON")
    }
}

impl Board {
    /// Puts up how it goes.
    pub fn show(&self, meters: &Meters) {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let cpu = Duration::try_from(time).unwrap_or_default();
        self.note(meters, cpu);
    }

    fn note(&self, meters: &Meters, cpu: Duration) {
        let count = Count {
            seconds: meters.seconds,
            frames_out: meters.frames_out,
            cpu,
        };
        let mut entry = self.0.lock().expect("nobody panics while counting");
        let before = entry.as_ref().map(|entry| entry.count).unwrap_or_default();
        let seconds = (count.seconds - before.seconds).max(0.001);
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        let n_frames = count.frames_out.saturating_sub(before.frames_out);
        let worked = count.cpu.saturating_sub(before.cpu);
        let figures = Figures {
            format: meters.format.clone(),
            fps: tenths(n_frames as f64 / seconds),
            delay_ms: meters.delay_ms,
            frames_left_out: meters.frames_left_out,
            frames_reused: meters.frames_reused,
            cards: meters.cards,
            quality: meters.quality.clone(),
            processing_height: meters.processing_height,
            cpu_percent: (worked.as_secs_f64() / seconds * 100.0).round(),
        };
        *entry = Some(Entry { figures, count });
    }

    fn figures(&self) -> Option<Figures> {
        let entry = self.0.lock().expect("nobody panics while counting");
        entry.as_ref().map(|entry| entry.figures.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_since_the_last_look() {
        let board = Board::default();
        assert!(board.figures().is_none());
        let meters = |seconds, frames_out| Meters {
            seconds,
            frames_out,
            format: "320x180 at 15 fps".to_owned(),
            frames_in: 100,
            frames_left_out: 3,
            frames_unwatched: 0,
            frames_reused: 2,
            quality: "fast".to_owned(),
            processing_height: 180,
            delay_ms: 12.5,
            delay_most_ms: 20.0,
            cards: 1,
        };
        board.note(&meters(10.0, 100), Duration::from_secs(5));
        board.note(&meters(12.0, 131), Duration::from_secs(6));
        let figures = board.figures().unwrap();
        assert_eq!((figures.fps, figures.cpu_percent), (15.5, 50.0));
        assert_eq!((figures.frames_left_out, figures.delay_ms), (3, 12.5));
    }
}
