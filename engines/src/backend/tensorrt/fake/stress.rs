//! Very many frames, with everything else that can happen between them.

use std::collections::VecDeque;
use std::fs;

use super::model::Kind;
use super::network::open;
use super::{Driver, Hurry, with_driver};
use crate::convert::video::{Video, format};
use crate::engine::Engine;
use crate::frame::{FrameFormat, PixelFormat};
use crate::settings::{Look, Precision, Settings, Stabilizer};

/// Tones that frames have in turn, so that one in the place of another shows.
const N_TONES: u64 = 29;

/// Memory that a process may come to need besides what it had after the first frames: of the allocator's, of the standard
/// library's.
const MAX_GROWTH_BYTES: usize = 4 << 20;

/// Frames after which memory is not to grow.
const WARM: u64 = 500;

/// Numbers that look random, the same in each run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, n: u64) -> u64 {
        // Marsaglia's xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn frames() -> FrameFormat {
    format(PixelFormat::Nv12, 20, 18)
}

fn tone(frame_idx: u64) -> u8 {
    (20 + 7 * (frame_idx % N_TONES)) as u8
}

fn look(dice: &mut Dice) -> Look {
    let stabilizer = [Stabilizer::Off, Stabilizer::Gate, Stabilizer::Flow][dice.throw(3) as usize];
    let follows = stabilizer != Stabilizer::Off;
    Look {
        stabilizer,
        exposure_guard: follows && dice.throw(2) == 0,
        strength: [1.0, 0.5][dice.throw(2) as usize],
        keep_colors: dice.throw(4) == 0,
        ..Look::default()
    }
}

/// An engine, and what is known of the frames inside.
struct Run {
    engine: Box<dyn Engine>,
    look: Look,
    /// Frames inside, and whether each was submitted to be painted by itself.
    inside: VecDeque<(u64, bool)>,
    n_in: u64,
    n_out: u64,
    n_forgotten: u64,
    painting: Video,
}

impl Run {
    fn submit(&mut self) {
        let tone = tone(self.n_in);
        let video = Video::new(
            frames(),
            3,
            |plane, _, _| if plane == 0 { tone } else { 128 },
        );
        self.engine.submit(&video.frame()).unwrap();
        let is_alone = self.look.stabilizer == Stabilizer::Off;
        self.inside.push_back((self.n_in, is_alone));
        self.n_in += 1;
    }

    /// Receives a frame, if one is ready, and checks that it is the oldest.
    fn receive(&mut self) {
        let Some(&(frame_idx, is_alone)) = self.inside.front() else {
            assert!(!self.engine.is_ready());
            return;
        };
        let tone = tone(frame_idx);
        let source = Video::new(
            frames(),
            3,
            |plane, _, _| if plane == 0 { tone } else { 128 },
        );
        let mut target = self.painting.frame_mut();
        if !self.engine.receive(&source.frame(), &mut target).unwrap() {
            assert!(self.inside.len() < self.engine.max_in_flight());
            return;
        }
        self.inside.pop_front();
        self.n_out += 1;
        if is_alone {
            let found = self.painting.planes[0].0[0];
            assert!(
                found.abs_diff(tone) <= 2,
                "{frame_idx}: {found}, wanted {tone}"
            );
        }
    }

    fn forget(&mut self) {
        self.engine.reset();
        self.n_forgotten += self.inside.len() as u64;
        self.inside.clear();
    }
}

/// Bytes of this process that are in memory.
fn resident_bytes() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn stress(driver: &Driver, n_frames: u64, max_in_flight: usize, seed: u64) {
    let settings = Settings {
        precision: Precision::F32,
        max_in_flight,
        ..Settings::default()
    };
    let mut dice = Dice(seed);
    driver.hurry(Hurry::ALL[dice.throw(4) as usize]);
    let mut run = Run {
        engine: Box::new(open(Kind::Planes, &frames(), &settings).unwrap()),
        look: Look::default(),
        inside: VecDeque::new(),
        n_in: 0,
        n_out: 0,
        n_forgotten: 0,
        painting: Video::new(frames(), 3, |_, _, _| 0),
    };
    let n_allocated = driver.n_allocated();
    let mut warm_bytes = 0;
    while run.n_in < n_frames {
        match dice.throw(100) {
            0 => run.forget(),
            1..3 => run.engine.drain().unwrap(),
            3..8 => {
                run.look = look(&mut dice);
                run.engine.set(run.look);
            }
            8..60 if run.inside.len() < max_in_flight => run.submit(),
            _ => run.receive(),
        }
        if run.n_in == WARM {
            warm_bytes = resident_bytes();
        }
    }
    run.engine.drain().unwrap();
    while !run.inside.is_empty() {
        run.receive();
    }
    let grown = resident_bytes().saturating_sub(warm_bytes);
    println!(
        "{max_in_flight} in flight: {} in, {} out, {} forgotten, {} KiB grown",
        run.n_in,
        run.n_out,
        run.n_forgotten,
        grown / 1024
    );
    assert_eq!(run.n_in, run.n_out + run.n_forgotten);
    assert!(run.n_forgotten > 0 && run.n_out > n_frames / 2);
    assert_eq!(driver.n_allocated(), n_allocated, "frames cost memory");
    assert!(grown < MAX_GROWTH_BYTES, "{grown} bytes");
    drop(run);
    assert_eq!(driver.live(), [0, 0]);
}

#[test]
fn thousands_of_frames_come_out_in_order_and_leave_nothing() {
    with_driver(|driver| {
        for (max_in_flight, seed) in [(1, 7), (3, 8)] {
            stress(driver, 2_500, max_in_flight, seed);
        }
    });
}

#[test]
#[ignore = "takes minutes"]
fn a_hundred_thousand_frames_come_out_in_order_and_leave_nothing() {
    with_driver(|driver| {
        for (max_in_flight, seed) in [(1, 9), (3, 10)] {
            stress(driver, 50_000, max_in_flight, seed);
        }
    });
}
