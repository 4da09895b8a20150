//! How high the picture is that the network works on, where even the smallest network does not keep up at full height.
//! Knows times and nothing of pictures.

use std::time::{Duration, Instant};

/// Heights to choose from, as parts of the frame's own.
const PARTS: [f64; 5] = [1.0, 0.75, 0.5, 0.375, 0.25];
/// Least height in pixels that still shows something.
const LEAST: f64 = 96.0;
/// How long frames must take too long before that counts.
const PATIENCE: Duration = Duration::from_millis(700);
/// What comes so soon after a change does not count.
const SETTLING: Duration = Duration::from_millis(500);
/// How long a change is still felt in what a frame takes: two networks paint while one fades into the other.
const FADING: Duration = Duration::from_millis(1200);
/// Share of the time between two frames that a lower, and that a higher picture may be expected to take.
const FIT: f64 = 0.85;
const ROOM: f64 = 0.9;
/// Where a frame takes no more than this, what is expected of a higher picture may be wrong, having been measured under
/// load: it is tried after so many times the wait.
const DOUBT: f64 = 0.7;
const N_WAITS: u32 = 12;
/// The most that is believed of what a frame takes whatever the height, in parts of what its pixels take.
const MOST_FIXED: f64 = 4.0;
/// How long there must be room for a higher picture before it is tried, and the longest that failures can make it.
const WAIT: Duration = Duration::from_secs(5);
const MAX_WAIT: Duration = Duration::from_secs(160);

/// Chooses the height.
pub struct Pace {
    heights: Vec<u32>,
    idx: usize,
    interval: Duration,
    /// When the height was changed last.
    since: Instant,
    /// Since when frames have taken too long, and since when there has been room for more.
    slow_since: Option<Instant>,
    room_since: Option<Instant>,
    wait: Duration,
    /// When a higher picture was tried last.
    risen: Option<Instant>,
    /// The height before this one and the share of the time that a frame took in it, until that of this one is known.
    before: Option<(usize, f64)>,
    /// What a frame takes whatever the height, in parts of what the pixels of the full height take; nothing, until it is
    /// measured.
    fixed: f64,
}

impl Pace {
    /// For frames of a height that come once in `interval`.
    pub fn new(height: i32, interval: Duration, now: Instant) -> Self {
        let heights = PARTS.map(|part| f64::from(height) * part);
        let is_first = |height: f64| height == heights[0];
        let heights = heights
            .into_iter()
            .filter(|&height| is_first(height) || height >= LEAST)
            .map(|height| height as u32 / 2 * 2)
            .collect();
        Self {
            heights,
            idx: 0,
            interval,
            since: now,
            slow_since: None,
            room_since: None,
            wait: WAIT,
            risen: None,
            before: None,
            fixed: 0.0,
        }
    }

    /// The height that is painted in, and whether it is the frame's own.
    pub fn height(&self) -> (u32, bool) {
        (self.heights[self.idx], self.idx == 0)
    }

    /// Notes that frames take `took` on average at the moment. True if the height is another from now on.
    pub fn note(&mut self, took: Duration, now: Instant) -> bool {
        if now - self.since < SETTLING {
            return false;
        }
        let busy = took.as_secs_f64() / self.interval.as_secs_f64();
        if now - self.since >= FADING {
            self.learn(busy);
        }
        if busy > 1.0 {
            self.room_since = None;
            if now - *self.slow_since.get_or_insert(now) < PATIENCE {
                return false;
            }
            return self.fall(busy, now);
        }
        self.slow_since = None;
        if self.risen.is_some_and(|risen| now - risen > 2 * WAIT) {
            // It has held: the next failure is a first one.
            (self.risen, self.wait) = (None, WAIT);
        }
        let wait = match self.idx.checked_sub(1) {
            Some(higher) if busy * self.work(higher) <= ROOM => self.wait,
            Some(_) if busy <= DOUBT => N_WAITS * self.wait,
            _ => {
                self.room_since = None;
                return false;
            }
        };
        if now - *self.room_since.get_or_insert(now) < wait {
            return false;
        }
        self.risen = Some(now);
        self.change(self.idx - 1, busy, now)
    }

    /// To the highest picture that is expected to fit.
    fn fall(&mut self, busy: f64, now: Instant) -> bool {
        if self.idx + 1 == self.heights.len() {
            return false;
        }
        if self.risen.take().is_some() {
            self.wait = (2 * self.wait).min(MAX_WAIT);
        }
        let fits = |&idx: &usize| busy * self.work(idx) <= FIT;
        let lower = (self.idx + 1..self.heights.len()).find(fits);
        self.change(lower.unwrap_or(self.heights.len() - 1), busy, now)
    }

    /// How many times as long a frame is expected to take in another height.
    fn work(&self, idx: usize) -> f64 {
        (self.fixed + self.pixels(idx)) / (self.fixed + self.pixels(self.idx))
    }

    /// The pixels of a height, in parts of those of the full one.
    fn pixels(&self, idx: usize) -> f64 {
        (f64::from(self.heights[idx]) / f64::from(self.heights[0])).powi(2)
    }

    /// Finds out what does not go with the pixels, from what a frame took in the height before and takes in this one.
    fn learn(&mut self, busy: f64) {
        let Some((before, busy_before)) = self.before.take() else {
            return;
        };
        let ratio = busy_before / busy;
        let fixed = (self.pixels(before) - ratio * self.pixels(self.idx)) / (ratio - 1.0);
        // Where the load has changed meanwhile, it may be anything.
        if fixed.is_finite() {
            self.fixed = fixed.clamp(0.0, MOST_FIXED);
        }
    }

    fn change(&mut self, idx: usize, busy: f64, now: Instant) -> bool {
        self.before = Some((self.idx, busy));
        (self.idx, self.since) = (idx, now);
        (self.slow_since, self.room_since) = (None, None);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a pace over seconds of a load, told 20 times a second; what a frame takes goes with the pixels. Returns the
    /// heights it came to.
    fn run(pace: &mut Pace, now: &mut Instant, seconds: u64, took_ms_at_720: f64) -> Vec<u32> {
        let mut heights = Vec::new();
        for _ in 0..20 * seconds {
            *now += Duration::from_millis(50);
            let part = f64::from(pace.height().0) / 720.0;
            let took = Duration::from_secs_f64(took_ms_at_720 * part * part / 1000.0);
            if pace.note(took, *now) {
                heights.push(pace.height().0);
            }
        }
        heights
    }

    fn pace() -> (Pace, Instant) {
        let now = Instant::now();
        (Pace::new(720, Duration::from_millis(33), now), now)
    }

    #[test]
    fn an_overload_is_answered_within_two_seconds_by_what_fits() {
        let (mut pace, mut now) = pace();
        assert!(run(&mut pace, &mut now, 3, 20.0).is_empty());
        assert_eq!(run(&mut pace, &mut now, 2, 80.0), [360]);
        assert!(run(&mut pace, &mut now, 30, 80.0).is_empty());
    }

    #[test]
    fn what_does_not_go_with_the_pixels_is_found_out() {
        let (mut pace, mut now) = pace();
        // 26 ms of every frame are there at any height: half of it takes 41 ms, three eighths 34, a quarter 30.
        let mut run = |seconds| {
            let mut heights = Vec::new();
            for _ in 0..20 * seconds {
                now += Duration::from_millis(50);
                let part = f64::from(pace.height().0) / 720.0;
                let took = 26.0 + 60.0 * part * part;
                if pace.note(Duration::from_secs_f64(took / 1000.0), now) {
                    heights.push(pace.height().0);
                }
            }
            heights
        };
        assert_eq!(run(3), [360, 180]);
        assert!(run(3).is_empty());
    }

    #[test]
    fn what_was_given_up_under_load_comes_back_though_pixels_are_the_least_of_it() {
        let (mut pace, mut now) = pace();
        // 17 ms at any height, and 12 ms more for all of it; under load, three times as long.
        let mut run = |seconds, load: f64| {
            for _ in 0..20 * seconds {
                now += Duration::from_millis(50);
                let part = f64::from(pace.height().0) / 720.0;
                let took = load * (17.0 + 12.0 * part * part);
                pace.note(Duration::from_secs_f64(took / 1000.0), now);
            }
            pace.height().0
        };
        assert_eq!(run(5, 1.0), 720);
        assert_eq!(run(5, 3.0), 180);
        assert_eq!(run(40, 1.0), 720);
    }

    #[test]
    fn what_is_expected_is_doubted_in_the_long_run() {
        let (mut pace, mut now) = pace();
        run(&mut pace, &mut now, 5, 80.0);
        assert_eq!((pace.height().0, pace.fixed), (360, 0.0));
        // Now frames take 20 ms at any height; what was measured says that 540 lines would take 45.
        let mut n_seconds = 0;
        while pace.height().0 == 360 && n_seconds < 1000 {
            n_seconds += 1;
            for _ in 0..20 {
                now += Duration::from_millis(50);
                pace.note(Duration::from_millis(20), now);
            }
        }
        assert!((55..65).contains(&n_seconds), "{n_seconds}");
    }

    #[test]
    fn what_was_given_up_comes_back_step_by_step() {
        let (mut pace, mut now) = pace();
        run(&mut pace, &mut now, 3, 80.0);
        assert_eq!(run(&mut pace, &mut now, 20, 20.0), [540, 720]);
        assert!(pace.height().1);
    }

    #[test]
    fn a_height_that_fails_is_tried_less_and_less_often() {
        let (mut pace, mut now) = pace();
        run(&mut pace, &mut now, 3, 80.0);
        // There is room in the lower picture, and never in the higher: what else takes time does not go with pixels.
        let mut n_changes = 0;
        for _ in 0..20 * 60 {
            now += Duration::from_millis(50);
            let took = if pace.height().0 <= 360 { 9 } else { 40 };
            n_changes += usize::from(pace.note(Duration::from_millis(took), now));
        }
        assert!((4..=10).contains(&n_changes), "{n_changes}");
    }

    #[test]
    fn small_pictures_have_fewer_steps() {
        let now = Instant::now();
        let pace = Pace::new(180, Duration::from_millis(33), now);
        assert_eq!(pace.heights, [180, 134]);
        assert_eq!(Pace::new(64, Duration::from_millis(33), now).heights, [64]);
    }
}
