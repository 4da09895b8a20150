//! How high the picture is that the network works on, whether what moves is followed, and how many frames are worked on at
//! once, where even the smallest network does not keep up at full height. Knows times and nothing of pictures.
//!
//! What takes a frame's time is known by its parts, so that a load is answered by one step to what fits: the network's part
//! goes with the pixels that it works on, that of following falls away without it, and the rest is the frame's own.

use std::time::{Duration, Instant};

/// Heights to choose from, as parts of the frame's own. Halves, thirds and quarters are scaled fastest.
const PARTS: [f64; 5] = [1.0, 0.75, 0.5, 1.0 / 3.0, 0.25];
/// Least height in pixels that still shows something.
const LEAST: f64 = 96.0;
/// Share of what is new in the mean by which a higher picture is hoped for: a moment's disturbance shall not begin the wait
/// anew.
const NEW: f64 = 0.15;
/// How long frames must take too long before that counts.
const PATIENCE: Duration = Duration::from_millis(450);
/// What comes so soon after a change does not count.
const SETTLING: Duration = Duration::from_millis(400);
/// How long a change may take; what takes longer has been refused.
const CHANGING: Duration = Duration::from_secs(5);
/// Share of the time between two frames that another picture may be expected to take. What turns out to be slower than all
/// of that time is left again: between the two it stays as it is.
const FIT: f64 = 0.9;
/// Where a frame takes no more than this, what is expected of a higher picture may be wrong, having been measured under
/// load: it is tried after so many times the wait.
const DOUBT: f64 = 0.7;
const N_WAITS: u32 = 6;
/// What it costs to hold what stands still, in parts of what it costs to follow what moves (`impasto bench`).
const HOLDING: f64 = 0.2;
/// What goes with the pixels when what moves is followed, in parts of what does not (1920x1080 at heights from 270 to 1080,
/// `impasto bench`).
const BLENDING: f64 = 2.0;
/// What a frame takes with two at once, in parts of what it takes alone: while one waits for the network, the other is
/// brought to it or away from it. (1920x1080 at a height of 270, on two cores: 13 ms instead of 23; beside two programs that
/// burn them, less than 33 instead of 40.)
const AT_ONCE: f64 = 0.7;
/// How long there must be room for a higher picture before it is tried, and the longest that failures can make it.
const WAIT: Duration = Duration::from_secs(5);
const MAX_WAIT: Duration = Duration::from_secs(160);

/// How frames are painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Height in pixels that the network works on.
    pub height: u32,
    /// Whether that is the frame's own.
    pub is_whole: bool,
    /// Whether what moves takes its paint along; otherwise only what stands still keeps it.
    pub follows: bool,
    /// Frames that are worked on at the same time; each comes out when the last of them has come.
    pub n_at_once: u32,
}

impl Way {
    /// Whether another network is to be opened to paint in this way instead of `before`.
    pub fn needs_opening(&self, before: &Self) -> bool {
        (self.height, self.n_at_once) != (before.height, before.n_at_once)
    }
}

/// What frames take at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Mean time of a frame.
    pub took: Duration,
    /// The network's share of it.
    pub network: f64,
    /// The stabilizer's share.
    pub stabilizer: f64,
}

/// Chooses the way.
pub struct Pace {
    /// The most beautiful first.
    ways: Vec<Way>,
    idx: usize,
    interval: Duration,
    /// When a change was asked for that is not there yet.
    asked: Option<Instant>,
    /// Since when it has been painted in this way.
    since: Instant,
    /// Since when frames have taken too long.
    slow_since: Option<Instant>,
    /// Since when there has been room for a higher picture.
    room_since: Option<Instant>,
    /// Since when that may be doubted which there seems to be no room for.
    doubt_since: Option<Instant>,
    wait: Duration,
    /// Share of the time between two frames that one has taken of late.
    mean: Option<f64>,
    /// When a higher picture was tried last.
    risen: Option<Instant>,
    /// What it costs to follow what moves, [`BLENDING`] apart, in parts of what goes neither to the network nor to the
    /// stabilizer.
    following: f64,
}

/// Shares of the time between two frames.
struct Costs {
    /// What the network takes of the full height.
    network: f64,
    /// What it takes to follow what moves, [`BLENDING`] apart.
    following: f64,
    rest: f64,
}

impl Pace {
    /// For frames of a height that come once in `interval`; with `may_hold`, following may be given up as well. What is left
    /// then is to let frames come out later.
    pub fn new(height: i32, interval: Duration, may_hold: bool, now: Instant) -> Self {
        let heights = PARTS.map(|part| f64::from(height) * part);
        let is_first = |height: f64| height == heights[0];
        let heights = heights
            .into_iter()
            .filter(|&height| is_first(height) || height >= LEAST);
        let way = |height| Way {
            height: height as u32 / 2 * 2,
            is_whole: is_first(height),
            follows: true,
            n_at_once: 1,
        };
        let mut ways: Vec<_> = heights.map(way).collect();
        let last = ways.last().copied().filter(|_| may_hold);
        ways.extend(last.map(|way| Way {
            follows: false,
            ..way
        }));
        let last = ways.last().copied();
        ways.extend(last.map(|way| Way {
            n_at_once: 2,
            ..way
        }));
        Self {
            ways,
            idx: 0,
            interval,
            asked: None,
            since: now,
            slow_since: None,
            room_since: None,
            doubt_since: None,
            wait: WAIT,
            mean: None,
            risen: None,
            following: 0.0,
        }
    }

    /// How frames are to be painted.
    pub fn way(&self) -> Way {
        self.ways[self.idx]
    }

    /// Notes that another network or way paints from now on.
    pub fn arrive(&mut self, now: Instant) {
        (self.asked, self.since, self.mean) = (None, now, None);
        (self.slow_since, self.room_since, self.doubt_since) = (None, None, None);
    }

    /// Notes what frames take. True if the way is another from now on.
    pub fn note(&mut self, load: Load, now: Instant) -> bool {
        if self.asked.is_some_and(|asked| now - asked > CHANGING) {
            self.arrive(now);
        }
        // A network that is being opened takes time of its own.
        if self.asked.is_some() || now - self.since < SETTLING {
            return false;
        }
        let busy = load.took.as_secs_f64() / self.interval.as_secs_f64();
        let before = self.mean.unwrap_or(busy);
        let mean = before + NEW * (busy - before);
        self.mean = Some(mean);
        if busy > 1.0 {
            if now - *self.slow_since.get_or_insert(now) < PATIENCE {
                return false;
            }
            let costs = self.costs(load, busy);
            return self.fall(&costs, now);
        }
        self.slow_since = None;
        if self.risen.is_some_and(|risen| now - risen > 2 * WAIT) {
            // It has held: the next failure is a first one.
            (self.risen, self.wait) = (None, WAIT);
        }
        let costs = self.costs(load, mean);
        let next = self.rise(&costs, mean, now);
        if let Some(idx) = next {
            self.risen = Some(now);
            self.change(idx, now);
        }
        next.is_some()
    }

    /// To the highest picture that is expected to fit, or to the lowest.
    fn fall(&mut self, costs: &Costs, now: Instant) -> bool {
        let last = self.ways.len() - 1;
        if self.idx == last {
            return false;
        }
        if self.risen.take().is_some() {
            self.wait = (2 * self.wait).min(MAX_WAIT);
        }
        let fits = |&idx: &usize| self.expected(costs, self.ways[idx]) <= FIT;
        let lower = (self.idx + 1..=last).find(fits);
        self.change(lower.unwrap_or(last), now);
        true
    }

    /// A higher picture for which there has been room, or a doubt, for long enough.
    fn rise(&mut self, costs: &Costs, busy: f64, now: Instant) -> Option<usize> {
        let fits = |&idx: &usize| self.expected(costs, self.ways[idx]) <= FIT;
        if let Some(idx) = (0..self.idx).find(fits) {
            self.doubt_since = None;
            let since = *self.room_since.get_or_insert(now);
            return (now - since >= self.wait).then_some(idx);
        }
        // What is expected wavers: once it has fitted, it may miss by a little while the wait runs.
        let nearly = |idx| self.expected(costs, self.ways[idx]) <= 1.0;
        if self.room_since.is_some() && self.idx.checked_sub(1).is_some_and(nearly) {
            return None;
        }
        self.room_since = None;
        if busy > DOUBT {
            self.doubt_since = None;
            return None;
        }
        let since = *self.doubt_since.get_or_insert(now);
        (now - since >= N_WAITS * self.wait)
            .then(|| self.idx.checked_sub(1))
            .flatten()
    }

    /// Takes the time of a frame apart, as it would be if no other were worked on.
    fn costs(&mut self, load: Load, busy: f64) -> Costs {
        let way = self.way();
        let busy = busy / at_once(way);
        let network = busy * load.network;
        let stabilizer = busy * load.stabilizer;
        let rest = (busy - network - stabilizer).max(0.0);
        if way.follows && rest > 0.0 {
            self.following = stabilizer / rest / self.blending(way);
        }
        Costs {
            network: network / self.pixels(way),
            following: self.following * rest,
            rest,
        }
    }

    fn change(&mut self, idx: usize, now: Instant) {
        (self.idx, self.asked) = (idx, Some(now));
        (self.slow_since, self.room_since, self.doubt_since) = (None, None, None);
    }

    /// What a frame is expected to take in another way.
    fn expected(&self, costs: &Costs, way: Way) -> f64 {
        let kept = if way.follows { 1.0 } else { HOLDING };
        let following = costs.following * self.blending(way) * kept;
        (costs.rest + costs.network * self.pixels(way) + following) * at_once(way)
    }

    /// How many times as much it costs to follow what moves as that which does not go with the pixels.
    fn blending(&self, way: Way) -> f64 {
        1.0 + BLENDING * self.pixels(way)
    }

    /// The pixels that the network works on, in parts of those of the frame.
    fn pixels(&self, way: Way) -> f64 {
        (f64::from(way.height) / f64::from(self.ways[0].height)).powi(2)
    }
}

/// What a frame takes in parts of what it takes where none is worked on at the same time.
fn at_once(way: Way) -> f64 {
    if way.n_at_once > 1 { AT_ONCE } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine and its clock.
    struct Machine {
        pace: Pace,
        now: Instant,
        /// Milliseconds that the network takes of the whole height, and that following and all else take.
        network: f64,
        following: f64,
        rest: f64,
        /// How many times as long everything takes.
        load: f64,
        /// How long a change takes, and when the next is there.
        opening: Duration,
        ready: Option<Instant>,
    }

    impl Machine {
        fn new(height: i32, [network, following, rest]: [f64; 3]) -> Self {
            let now = Instant::now();
            Self {
                pace: Pace::new(height, Duration::from_millis(33), true, now),
                now,
                network,
                following,
                rest,
                load: 1.0,
                opening: Duration::from_millis(300),
                ready: None,
            }
        }

        /// Milliseconds that a frame takes.
        fn frame(&self) -> [f64; 3] {
            let way = self.pace.way();
            let kept = if way.follows { 1.0 } else { HOLDING };
            let network = self.network * self.pace.pixels(way);
            let following = kept * self.following * self.pace.blending(way);
            [network, following, self.rest].map(|part| part * self.load * at_once(way))
        }

        /// Paints for so long and gives the heights it came to, those without following negative, those of two at once
        /// beyond 10,000, and the tenths of a second that each took.
        fn run(&mut self, seconds: f64) -> Vec<(i32, u32)> {
            let start = self.now;
            let mut changes = Vec::new();
            while self.now - start < Duration::from_secs_f64(seconds) {
                self.now += Duration::from_millis(50);
                if self.ready.is_some_and(|ready| self.now >= ready) {
                    self.ready = None;
                    self.pace.arrive(self.now);
                }
                let [network, stabilizer, rest] = self.frame();
                let took = network + stabilizer + rest;
                let load = Load {
                    took: Duration::from_secs_f64(took / 1000.0),
                    network: network / took,
                    stabilizer: stabilizer / took,
                };
                if self.pace.note(load, self.now) {
                    self.ready = Some(self.now + self.opening);
                    let way = self.pace.way();
                    let sign = if way.follows { 1 } else { -1 };
                    let height = way.height + if way.n_at_once > 1 { 10_000 } else { 0 };
                    let tenths = (self.now - start).as_millis() / 100;
                    changes.push((sign * height as i32, tenths as u32));
                }
            }
            changes
        }

        fn heights(&mut self, seconds: f64) -> Vec<i32> {
            self.run(seconds)
                .iter()
                .map(|&(height, _)| height)
                .collect()
        }
    }

    #[test]
    fn a_load_is_answered_within_a_second_by_what_fits() {
        let mut machine = Machine::new(720, [12.0, 5.0, 4.0]);
        assert!(machine.run(10.0).is_empty());
        machine.load = 2.0;
        // 29.7 ms are allowed: half of the height takes 24, three quarters 31.5.
        assert_eq!(machine.run(60.0), [(360, 5)]);
    }

    #[test]
    fn following_is_given_up_last() {
        let mut machine = Machine::new(1080, [20.0, 8.0, 4.0]);
        machine.run(5.0);
        machine.load = 3.0;
        // The lowest picture takes 42.75 ms with following, 21.15 without.
        assert_eq!(machine.heights(30.0), [-270]);
    }

    #[test]
    fn frames_come_later_before_they_are_lost() {
        let mut machine = Machine::new(1080, [20.0, 8.0, 4.0]);
        machine.load = 5.0;
        // The lowest picture takes 35.25 ms without following, 24.7 with two at once.
        assert_eq!(machine.heights(60.0), [-10_270]);
        machine.load = 3.5;
        // 24.7 ms without the other.
        assert_eq!(machine.heights(30.0), [-270]);
    }

    #[test]
    fn who_names_a_stabilizer_keeps_it() {
        let now = Instant::now();
        let mut machine = Machine::new(1080, [20.0, 8.0, 4.0]);
        machine.pace = Pace::new(1080, Duration::from_millis(33), false, now);
        machine.load = 3.0;
        assert_eq!(machine.heights(60.0), [10_270]);
        assert!(machine.pace.way().follows);
    }

    #[test]
    fn all_comes_back_at_once_when_the_load_goes() {
        let mut machine = Machine::new(1080, [14.0, 3.0, 5.0]);
        assert!(machine.heights(20.0).is_empty());
        machine.load = 3.5;
        assert_eq!(machine.heights(20.0), [-270]);
        machine.load = 1.0;
        // All of it takes 28 ms of the 29.7 that a higher picture may be expected to.
        assert_eq!(machine.run(30.0), [(1080, 50)]);
    }

    #[test]
    fn a_load_that_comes_and_goes_does_not_make_it_swing() {
        let mut machine = Machine::new(720, [12.0, 5.0, 4.0]);
        let mut heights = Vec::new();
        for second in 0..120 {
            machine.load = if second % 2 == 0 { 2.0 } else { 1.0 };
            heights.extend(machine.heights(1.0));
        }
        assert_eq!(heights, [360]);
    }

    #[test]
    fn a_height_that_fails_is_tried_less_and_less_often() {
        let mut machine = Machine::new(720, [12.0, 5.0, 4.0]);
        machine.load = 2.0;
        machine.run(3.0);
        // There is room in the lower picture, and never in the higher: what is expected of it is wrong.
        let mut n_changes = 0;
        for _ in 0..20 * 120 {
            machine.load = if machine.pace.way().height <= 360 {
                1.0
            } else {
                2.0
            };
            n_changes += machine.run(0.05).len();
        }
        assert!((4..=10).contains(&n_changes), "{n_changes}");
    }

    #[test]
    fn what_is_expected_is_doubted_in_the_long_run() {
        let mut machine = Machine::new(720, [40.0, 0.0, 2.0]);
        assert_eq!(machine.heights(20.0), [540]);
        // 24.5 ms now, and 42 at full height; one day it is 32 there, which is still more than is hoped for.
        assert!(machine.heights(10.0).is_empty());
        (machine.network, machine.rest) = (32.0, 0.0);
        assert!(machine.heights(25.0).is_empty());
        assert_eq!(machine.heights(10.0), [720]);
    }

    #[test]
    fn nothing_is_judged_while_a_change_is_on_its_way_unless_it_never_comes() {
        let mut machine = Machine::new(720, [60.0, 5.0, 4.0]);
        machine.opening = Duration::from_secs(3600);
        assert_eq!(machine.heights(4.0), [360]);
        machine.load = 2.0;
        assert!(machine.heights(1.0).is_empty());
        assert_eq!(machine.heights(4.0).len(), 1);
    }

    #[test]
    fn small_pictures_have_fewer_steps() {
        let now = Instant::now();
        let heights = |height| {
            let pace = Pace::new(height, Duration::from_millis(33), true, now);
            let heights = pace.ways.iter().map(|way| way.height);
            heights.collect::<Vec<_>>()
        };
        assert_eq!(heights(180), [180, 134, 134, 134]);
        assert_eq!(heights(64), [64, 64, 64]);
    }
}
