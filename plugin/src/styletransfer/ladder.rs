//! Which size of network a live stream is painted with when nobody names one: the largest that keeps up. Knows times and
//! nothing of networks.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use engines::{Quality, Rung};

/// Painted frames over which the time of one is averaged; fewer if they have taken the time that so many may take.
const N_FRAMES: usize = 8;
const FEWEST_FRAMES: usize = 3;
/// Late frames within [`LATE_WITHIN`] that are too many.
const N_LATE: usize = 4;
const LATE_WITHIN: Duration = Duration::from_secs(1);
/// What comes so soon after a change of size says nothing about the new one: its memory is cold, and the frames that
/// piled up meanwhile are late.
const SETTLING: Duration = Duration::from_secs(1);
/// Share of the frame interval that a larger size may take.
const ROOM: f64 = 0.7;
/// How long there must be room for a larger size before it is tried, and the longest that failures can make it.
const WAIT: Duration = Duration::from_secs(5);
const MAX_WAIT: Duration = Duration::from_secs(320);

/// The sizes of a style and the one that is right at the moment.
#[derive(Debug)]
pub(super) struct Ladder {
    rungs: Vec<Rung>,
    interval: Duration,
    /// The size that paints.
    idx: usize,
    /// The size that is to paint.
    wanted_idx: usize,
    /// Since when the size paints.
    since: Instant,
    /// Times of the last frames, newest last.
    took: VecDeque<Duration>,
    late: VecDeque<Instant>,
    /// Since when there has been room for a larger size.
    room_since: Option<Instant>,
    wait: Duration,
    /// When a larger size was tried last.
    risen: Option<Instant>,
    /// The size before and the time of its frames, until those of this one are known.
    before: Option<(usize, f64)>,
    /// How many times longer a size takes than the one below it, by position; what it takes for the work, until measured.
    ratios: Vec<f64>,
}

/// A change of size.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub from: Quality,
    pub to: Quality,
    pub reason: Reason,
}

/// Why a size is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reason {
    /// Frames take longer than the time between two.
    Slow { took: Duration, interval: Duration },
    /// Frames came too late to be painted.
    Late,
    /// The larger size is expected to fit.
    Room {
        expected: Duration,
        interval: Duration,
    },
}

impl Ladder {
    /// A ladder that stands on the size `quality`, if the style has it.
    pub(super) fn new(
        rungs: Vec<Rung>,
        quality: Quality,
        interval: Duration,
        now: Instant,
    ) -> Option<Self> {
        let idx = rungs.iter().position(|rung| rung.quality == quality)?;
        let ratios = std::iter::once(1.0)
            .chain(rungs.windows(2).map(|pair| {
                let ratio = pair[1].work_per_px / pair[0].work_per_px;
                if ratio.is_finite() {
                    ratio.max(1.0)
                } else {
                    1.0
                }
            }))
            .collect();
        Some(Self {
            rungs,
            interval,
            idx,
            wanted_idx: idx,
            since: now,
            took: VecDeque::with_capacity(N_FRAMES),
            late: VecDeque::new(),
            room_since: None,
            wait: WAIT,
            risen: None,
            before: None,
            ratios,
        })
    }

    /// The size that is to paint.
    pub(super) fn wanted(&self) -> Quality {
        self.rungs[self.wanted_idx].quality
    }

    /// Whether it leads over the same sizes.
    pub(super) fn leads_over(&self, rungs: &[Rung]) -> bool {
        let words = |rungs: &[Rung]| rungs.iter().map(|rung| rung.quality).collect::<Vec<_>>();
        words(&self.rungs) == words(rungs)
    }

    /// Notes that another network paints from now on, of this size.
    pub(super) fn arrive(&mut self, quality: Quality, now: Instant) {
        let found = self.rungs.iter().position(|rung| rung.quality == quality);
        let idx = found.unwrap_or(self.idx);
        self.before = self
            .mean()
            .filter(|_| idx.abs_diff(self.idx) == 1)
            .map(|mean| (self.idx, mean));
        if idx > self.idx {
            self.risen = Some(now);
        }
        self.idx = idx;
        self.wanted_idx = idx;
        self.settle(now);
    }

    /// Notes that the wanted size could not be opened.
    pub(super) fn refuse(&mut self, now: Instant) {
        if self.wanted_idx > self.idx {
            self.fail();
        }
        self.wanted_idx = self.idx;
        self.settle(now);
    }

    /// Notes a frame that came too late to be painted.
    pub(super) fn note_late(&mut self, now: Instant) -> Option<Step> {
        if !self.is_judging(now) {
            return None;
        }
        self.room_since = None;
        self.late.push_back(now);
        while self
            .late
            .front()
            .is_some_and(|&then| now - then > LATE_WITHIN)
        {
            self.late.pop_front();
        }
        if self.late.len() < N_LATE {
            return None;
        }
        self.step_down(Reason::Late)
    }

    /// Notes a painted frame and the time that it took.
    pub(super) fn note(&mut self, took: Duration, now: Instant) -> Option<Step> {
        if !self.is_judging(now) {
            return None;
        }
        if self.took.len() == N_FRAMES {
            self.took.pop_front();
        }
        self.took.push_back(took);
        let mean = self.mean()?;
        self.learn(mean);
        if self
            .risen
            .is_some_and(|risen| now - risen > self.wait.max(2 * WAIT))
        {
            // It has held: the next failure is a first one.
            self.risen = None;
            self.wait = WAIT;
        }
        let interval = self.interval.as_secs_f64();
        if mean > interval {
            let took = Duration::from_secs_f64(mean);
            let reason = Reason::Slow {
                took,
                interval: self.interval,
            };
            return self.step_down(reason);
        }
        let next = self.idx + 1;
        let expected = self.ratios.get(next).map(|ratio| mean * ratio);
        let Some(expected) = expected.filter(|expected| *expected <= ROOM * interval) else {
            self.room_since = None;
            return None;
        };
        if now - *self.room_since.get_or_insert(now) < self.wait {
            return None;
        }
        self.wanted_idx = next;
        Some(self.step(Reason::Room {
            expected: Duration::from_secs_f64(expected),
            interval: self.interval,
        }))
    }

    fn step_down(&mut self, reason: Reason) -> Option<Step> {
        self.room_since = None;
        let below = self.idx.checked_sub(1)?;
        if self.risen.take().is_some() {
            self.fail();
        }
        self.wanted_idx = below;
        // Late frames are told of once.
        self.late.clear();
        Some(self.step(reason))
    }

    fn step(&self, reason: Reason) -> Step {
        Step {
            from: self.rungs[self.idx].quality,
            to: self.rungs[self.wanted_idx].quality,
            reason,
        }
    }

    fn fail(&mut self) {
        self.wait = (2 * self.wait).min(MAX_WAIT);
    }

    /// Nothing is judged while a network is being opened, which keeps cores busy, and until the new one has settled.
    fn is_judging(&self, now: Instant) -> bool {
        self.wanted_idx == self.idx && now.saturating_duration_since(self.since) >= SETTLING
    }

    fn settle(&mut self, now: Instant) {
        self.since = now;
        self.took.clear();
        self.late.clear();
        self.room_since = None;
    }

    /// Mean time of the last frames in seconds, once there are enough of them.
    fn mean(&self) -> Option<f64> {
        let sum: Duration = self.took.iter().sum();
        let n = self.took.len();
        let is_plain = n >= FEWEST_FRAMES && sum >= N_FRAMES as u32 * self.interval;
        (n == N_FRAMES || is_plain).then(|| sum.as_secs_f64() / n as f64)
    }

    /// Keeps how much longer the larger of two sizes takes.
    fn learn(&mut self, mean: f64) {
        let Some((idx_before, mean_before)) = self.before.take() else {
            return;
        };
        let (upper, ratio) = if self.idx > idx_before {
            (self.idx, mean / mean_before)
        } else {
            (idx_before, mean_before / mean)
        };
        if ratio.is_finite() {
            self.ratios[upper] = ratio.max(1.0);
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow { took, interval } => {
                write!(f, "a frame takes {took:.1?} of {interval:.1?}")
            }
            Self::Late => f.write_str("frames come too late to be painted"),
            Self::Room { expected, interval } => {
                write!(
                    f,
                    "a frame of the larger size is expected to take {expected:.1?} of {interval:.1?}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(40);

    /// A machine: what a frame of each size takes, in milliseconds, and its clock.
    struct Machine {
        ladder: Ladder,
        millis: [u64; 3],
        now: Instant,
    }

    impl Machine {
        /// A machine that paints in the middle size.
        fn new(millis: [u64; 3]) -> Self {
            let rungs = [Quality::Fast, Quality::Balanced, Quality::Best]
                .into_iter()
                .zip([1.0, 4.0, 16.0])
                .map(|(quality, work_per_px)| Rung {
                    quality,
                    work_per_px,
                });
            let now = Instant::now();
            let ladder = Ladder::new(rungs.collect(), Quality::Balanced, INTERVAL, now).unwrap();
            Self {
                ladder,
                millis,
                now,
            }
        }

        /// Paints for so long and gives the steps, each of which arrives at once.
        fn run(&mut self, seconds: u64) -> Vec<(Quality, u64)> {
            let (start, mut steps) = (self.now, Vec::new());
            while self.now - start < Duration::from_secs(seconds) {
                self.now += INTERVAL;
                let took = Duration::from_millis(self.millis[self.ladder.idx]);
                if let Some(step) = self.ladder.note(took, self.now) {
                    assert_eq!(step.to, self.ladder.wanted());
                    steps.push((step.to, (self.now - start).as_secs()));
                    self.ladder.arrive(step.to, self.now);
                }
            }
            steps
        }
    }

    #[test]
    fn a_size_that_fits_and_leaves_no_room_is_kept() {
        assert_eq!(Machine::new([5, 20, 80]).run(600), []);
    }

    #[test]
    fn a_size_that_is_too_slow_is_left_soon() {
        let steps = Machine::new([10, 50, 200]).run(600);
        assert_eq!(steps, [(Quality::Fast, 1)]);
    }

    #[test]
    fn a_size_that_is_far_too_slow_is_left_after_three_frames() {
        let mut machine = Machine::new([20, 200, 800]);
        machine.now += SETTLING;
        let mut frames = (1..).map(|n| {
            (
                n,
                machine.ladder.note(Duration::from_millis(200), machine.now),
            )
        });
        let (n, step) = frames.find(|(_, step)| step.is_some()).unwrap();
        assert_eq!((n, step.map(|step| step.to)), (3, Some(Quality::Fast)));
    }

    #[test]
    fn nothing_is_smaller_than_the_smallest() {
        let mut machine = Machine::new([90, 100, 200]);
        assert_eq!(machine.run(600), [(Quality::Fast, 1)]);
        assert_eq!(machine.ladder.wanted(), Quality::Fast);
    }

    #[test]
    fn a_larger_size_is_tried_when_there_has_been_room_for_five_seconds() {
        let steps = Machine::new([2, 5, 20]).run(600);
        assert_eq!(steps, [(Quality::Best, 6)]);
    }

    #[test]
    fn a_step_up_that_fails_is_not_repeated_while_the_machine_stays_as_it_is() {
        let steps = Machine::new([2, 5, 60]).run(3600);
        assert_eq!(steps.len(), 2, "{steps:?}");
        assert_eq!(steps[1].0, Quality::Balanced);
    }

    #[test]
    fn every_failure_doubles_the_wait() {
        let mut machine = Machine::new([2, 5, 60]);
        let mut rises = Vec::new();
        for _ in 0..4 {
            let start = machine.now;
            while machine.ladder.idx == 1 {
                // Whatever was learned is forgotten: as if the load came and went.
                machine.ladder.ratios = vec![1.0, 4.0, 4.0];
                machine.run(1);
                assert!(machine.now - start < Duration::from_secs(600));
            }
            rises.push((machine.now - start).as_secs());
            machine.run(3);
        }
        for pair in rises.windows(2) {
            assert!(pair[1] > pair[0] + pair[0] / 2, "{rises:?}");
        }
    }

    #[test]
    fn a_burden_that_passes_is_forgiven() {
        let mut machine = Machine::new([2, 5, 20]);
        machine.run(60);
        machine.millis = [8, 20, 80];
        assert_eq!(machine.run(60), [(Quality::Balanced, 0)]);
        machine.millis = [2, 5, 20];
        let steps = machine.run(120);
        assert_eq!(steps.len(), 1, "{steps:?}");
        assert_eq!(steps[0].0, Quality::Best);
    }

    #[test]
    fn late_frames_count_when_they_come_together() {
        let mut machine = Machine::new([5, 20, 80]);
        machine.run(3);
        for _ in 0..20 {
            machine.now += LATE_WITHIN;
            assert_eq!(machine.ladder.note_late(machine.now), None);
        }
        let mut steps = Vec::new();
        for _ in 0..N_LATE {
            machine.now += INTERVAL;
            steps.extend(machine.ladder.note_late(machine.now));
        }
        let step = Step {
            from: Quality::Balanced,
            to: Quality::Fast,
            reason: Reason::Late,
        };
        assert_eq!(steps, [step]);
    }

    #[test]
    fn nothing_is_judged_while_a_size_is_on_its_way() {
        let mut machine = Machine::new([10, 50, 200]);
        let step = loop {
            machine.now += INTERVAL;
            let step = machine.ladder.note(Duration::from_millis(50), machine.now);
            if let Some(step) = step {
                break step;
            }
        };
        assert_eq!(step.to, Quality::Fast);
        for _ in 0..100 {
            machine.now += INTERVAL;
            let slow = Duration::from_secs(1);
            assert_eq!(machine.ladder.note(slow, machine.now), None);
            assert_eq!(machine.ladder.note_late(machine.now), None);
        }
        machine.ladder.refuse(machine.now);
        assert_eq!(machine.ladder.wanted(), Quality::Balanced);
    }
}
