//! Times of the stages and counts of frames.

use std::time::{Duration, Instant};

/// Frames over which times are summed up: about ten seconds of video.
const WINDOW: usize = 300;

/// A stage of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Frame to network input. On CPUs, the first layers of large pictures belong to it: they are made while a frame is read.
    Upload,
    /// The network. On CPUs, the last layers of large pictures belong to the stage that takes what they give.
    Infer,
    /// What keeps the picture steady: motion of the input, and blending with the frame before.
    Stabilize,
    /// Network output to frame.
    Download,
}

impl Stage {
    /// Every stage, in the order of the flow.
    pub const ALL: [Self; 4] = [Self::Upload, Self::Infer, Self::Stabilize, Self::Download];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Infer => "infer",
            Self::Stabilize => "stabilize",
            Self::Download => "download",
        }
    }
}

/// What the last frames took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Half of the frames took no longer.
    pub median: Duration,
    /// 95 of 100 frames took no longer.
    pub p95: Duration,
    /// 99 of 100 frames took no longer.
    pub p99: Duration,
}

impl Times {
    /// Sums up durations; all zero if there are none.
    pub fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |share: f64| {
            let rank = (share * durations.len() as f64).ceil() as usize;
            durations
                .get(rank.saturating_sub(1))
                .copied()
                .unwrap_or_default()
        };
        Self {
            median: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
        }
    }
}

/// Per-stage times of the last frames and counts of all.
#[derive(Clone, Debug)]
pub struct Stats {
    durations: [[Duration; WINDOW]; Stage::ALL.len()],
    n_measured: [usize; Stage::ALL.len()],
    /// Frames submitted.
    pub n_in: u64,
    /// Frames received.
    pub n_out: u64,
    /// Frames received that repeated the one before, and cost no painting.
    pub n_reused: u64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            durations: [[Duration::ZERO; WINDOW]; Stage::ALL.len()],
            n_measured: [0; Stage::ALL.len()],
            n_in: 0,
            n_out: 0,
            n_reused: 0,
        }
    }
}

impl Stats {
    /// Runs `work` as `stage` and notes its time.
    pub(crate) fn time<T>(&mut self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.note(stage, start.elapsed());
        result
    }

    /// Notes what a stage took.
    pub(crate) fn note(&mut self, stage: Stage, duration: Duration) {
        let n_measured = &mut self.n_measured[stage as usize];
        self.durations[stage as usize][*n_measured % WINDOW] = duration;
        *n_measured += 1;
    }

    /// What a stage took in the last 300 frames.
    pub fn times(&self, stage: Stage) -> Times {
        let n = self.n_measured[stage as usize].min(WINDOW);
        Times::of(self.durations[stage as usize][..n].to_vec())
    }

    /// What a stage took when it last ran; zero if it never has.
    pub fn latest(&self, stage: Stage) -> Duration {
        match self.n_measured[stage as usize] {
            0 => Duration::ZERO,
            n => self.durations[stage as usize][(n - 1) % WINDOW],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_frames() {
        let times = Times::of((1..=100).map(Duration::from_millis).collect());
        assert_eq!(times.median, Duration::from_millis(50));
        assert_eq!(times.p95, Duration::from_millis(95));
        assert_eq!(times.p99, Duration::from_millis(99));
        assert_eq!(Times::of(Vec::new()), Times::default());
        assert_eq!(
            Times::of(vec![Duration::from_millis(7)]).p99,
            Duration::from_millis(7)
        );
    }

    #[test]
    fn only_the_window_counts() {
        let mut stats = Stats::default();
        stats.time(Stage::Infer, || {
            std::thread::sleep(Duration::from_millis(20));
        });
        for _ in 0..WINDOW {
            stats.time(Stage::Infer, || ());
        }
        assert!(stats.times(Stage::Infer).p99 < Duration::from_millis(20));
        assert_eq!(stats.times(Stage::Upload), Times::default());
    }
}
