//! What goes wrong on a GPU, and what is left behind.

use std::thread;
use std::time::{Duration, Instant};

use super::clip::{clip, play};
use super::model::Kind;
use super::network::open;
use super::{Hurry, Memory, with_driver};
use crate::backend::tensorrt::devices;
use crate::convert::video::{format, largest_difference};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::frame::{FrameFormat, PixelFormat};
use crate::settings::{Precision, Settings};

fn frames() -> FrameFormat {
    format(PixelFormat::Nv12, 133, 91)
}

fn settings() -> Settings {
    Settings {
        precision: Precision::F32,
        processing_size: 48,
        max_in_flight: 2,
        ..Settings::default()
    }
}

fn engine(settings: &Settings) -> Result<Box<dyn Engine>> {
    Ok(Box::new(open(Kind::Planes, &frames(), settings)?))
}

#[test]
fn nothing_is_left_of_an_engine_that_goes_with_frames_inside() {
    with_driver(|driver| {
        let clip = clip(frames());
        for hurry in Hurry::ALL {
            driver.hurry(hurry);
            for n_painted in [0, 1, 4] {
                let mut engine = engine(&settings()).unwrap();
                play(&mut *engine, &clip[..n_painted], None).unwrap();
                assert!(driver.live().iter().all(|&n_live| n_live > 0));
                engine.submit(&clip[n_painted].frame()).unwrap();
                engine.submit(&clip[n_painted + 1].frame()).unwrap();
                drop(engine);
                assert_eq!(driver.live(), [0, 0], "{hurry:?} {n_painted}");
            }
        }
    });
}

#[test]
fn an_engine_goes_from_thread_to_thread() {
    with_driver(|driver| {
        let clip = clip(frames());
        let wanted = play(&mut *engine(&settings()).unwrap(), &clip, None).unwrap();
        let engine = engine(&settings()).unwrap();
        let (mut engine, found) = thread::scope(|scope| {
            let painting = scope.spawn(|| {
                let mut engine = engine;
                let found = play(&mut *engine, &clip, None).unwrap();
                (engine, found)
            });
            painting.join().unwrap()
        });
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(largest_difference(found, wanted), 0.0);
        }
        let past = engine.hand_over();
        thread::scope(|scope| {
            scope.spawn(|| drop((past, engine)));
        });
        assert_eq!(driver.live(), [0, 0]);
    });
}

#[test]
fn too_little_memory_is_an_error_that_says_what_helps() {
    with_driver(|driver| {
        for (memory, words) in [
            (Memory::Gpu, "processing-size"),
            (Memory::Pinned, "max-in-flight"),
        ] {
            let mut n_refused = 0;
            loop {
                driver.limit(memory, n_refused * 4096);
                let Err(error) = engine(&settings()) else {
                    break;
                };
                assert!(matches!(error, Error::GpuMemory { .. }), "{error}");
                assert!(error.to_string().contains(words), "{error}");
                assert_eq!(driver.live(), [0, 0]);
                n_refused += 1;
            }
            assert!(n_refused > 10, "{memory:?} {n_refused}");
            driver.limit(memory, usize::MAX);
        }
        let mut engine = engine(&settings()).unwrap();
        let clip = clip(frames());
        // Once it is open, it needs no more of it, but for what takes the place of what it gives away.
        for memory in [Memory::Gpu, Memory::Pinned] {
            driver.limit(memory, 0);
        }
        let found = play(&mut *engine, &clip, None).unwrap();
        assert!(engine.hand_over().is_none());
        for memory in [Memory::Gpu, Memory::Pinned] {
            driver.limit(memory, usize::MAX);
        }
        let wanted = play(&mut *self::engine(&settings()).unwrap(), &clip, None).unwrap();
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(largest_difference(found, wanted), 0.0);
        }
    });
}

#[test]
fn frames_cost_no_memory() {
    with_driver(|driver| {
        let mut engine = engine(&settings()).unwrap();
        let clip = clip(frames());
        let n_allocated = driver.n_allocated();
        play(&mut *engine, &clip, Some(4)).unwrap();
        assert_eq!(driver.n_allocated(), n_allocated);
    });
}

#[test]
fn every_gpu_can_be_chosen_and_no_other() {
    with_driver(|driver| {
        let n_devices = devices().unwrap().len();
        let on = |device| {
            engine(&Settings {
                device,
                ..settings()
            })
        };
        let clip = clip(frames());
        let mut engines: Vec<_> = (0..n_devices).map(|device| on(device).unwrap()).collect();
        let wanted = play(&mut *engines[0], &clip, None).unwrap();
        let past = engines[0].hand_over().expect("it has painted");
        // Its paint lies on another GPU, and so this one begins anew.
        engines[1].take_over(past);
        let found = play(&mut *engines[1], &clip, None).unwrap();
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(largest_difference(found, wanted), 0.0);
        }
        drop(engines);
        let error = on(n_devices).err().expect("an error");
        assert!(
            matches!(error, Error::Setting { name: "device", .. }),
            "{error}"
        );
        assert_eq!(driver.live(), [0, 0]);
    });
}

#[test]
fn a_gpu_that_answers_no_more_is_an_error_and_no_hang() {
    with_driver(|driver| {
        let clip = clip(frames());
        let mut alone = engine(&settings()).unwrap();
        let mut waiting = engine(&settings()).unwrap();
        waiting.submit(&clip[0].frame()).unwrap();
        driver.hang();
        let start = Instant::now();
        for refused in [
            waiting.drain(),
            waiting.submit(&clip[1].frame()),
            waiting.submit(&clip[1].frame()),
            alone.submit(&clip[0].frame()),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("has not answered"), "{error}");
        }
        waiting.reset();
        assert!(waiting.hand_over().is_none());
        drop((waiting, alone));
        // Each engine has been patient once.
        assert!(start.elapsed() < Duration::from_secs(30));
    });
}
