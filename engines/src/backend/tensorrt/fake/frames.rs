//! Frames on the GPU backend beside the same frames on the CPU backend.

use super::case::{Case, Difference, EVEN, ODD, look};
use super::clip::{clip, play};
use super::model::Kind;
use super::{Driver, Hurry, with_driver};
use crate::engine::Engine;
use crate::frame::PixelFormat;
use crate::settings::{Look, Precision, Stabilizer};

#[test]
fn frames_of_every_format_are_those_of_the_definition() {
    with_driver(|_| {
        for pixels in [
            PixelFormat::Nv12,
            PixelFormat::I420,
            PixelFormat::P010,
            PixelFormat::Rgba,
        ] {
            for size in [EVEN, ODD] {
                for stabilizer in [Stabilizer::Off, Stabilizer::Flow] {
                    let case = Case {
                        pixels,
                        size,
                        look: look(stabilizer),
                        ..Case::default()
                    };
                    case.check();
                }
            }
        }
    });
}

#[test]
fn every_setting_does_what_the_definition_does() {
    let strength = Look {
        strength: 0.6,
        ..Look::default()
    };
    let keep_colors = Look {
        keep_colors: true,
        ..Look::default()
    };
    with_driver(|_| {
        for pixels in [PixelFormat::Nv12, PixelFormat::Rgba] {
            let case = Case {
                pixels,
                size: ODD,
                ..Case::default()
            };
            for case in [
                Case {
                    look: strength,
                    ..case
                },
                Case {
                    look: keep_colors,
                    kind: Kind::Swap,
                    ..case
                },
                Case {
                    processing_size: 48,
                    ..case
                },
                Case {
                    processing_size: 120,
                    look: strength,
                    ..case
                },
                Case {
                    kind: Kind::Trunk,
                    ..case
                },
                Case {
                    kind: Kind::Trunk,
                    processing_size: 48,
                    ..case
                },
                Case {
                    kind: Kind::Crop,
                    ..case
                },
                Case {
                    kind: Kind::Crop,
                    processing_size: 48,
                    precision: Precision::Half,
                    ..case
                },
                Case {
                    kind: Kind::Swap,
                    max_in_flight: 3,
                    ..case
                },
                Case {
                    reset_before: Some(3),
                    ..case
                },
                Case {
                    reset_before: Some(4),
                    max_in_flight: 3,
                    ..case
                },
                Case {
                    is_live: true,
                    look: look(Stabilizer::Flow),
                    ..case
                },
                Case {
                    precision: Precision::Half,
                    ..case
                },
                Case {
                    precision: Precision::Half,
                    kind: Kind::Trunk,
                    ..case
                },
            ] {
                case.check();
            }
        }
    });
}

#[test]
fn streams_wait_for_each_other() {
    // Frames that nobody follows, and so nobody waits for before they are painted.
    let alone = Look {
        stabilizer: Stabilizer::Off,
        exposure_guard: false,
        ..Look::default()
    };
    with_driver(|driver| {
        for (processing_size, look) in [(0, Look::default()), (48, Look::default()), (0, alone)] {
            let case = Case {
                size: ODD,
                look,
                processing_size,
                max_in_flight: 3,
                ..Case::default()
            };
            case.check();
            let clip = clip(case.format());
            let [wanted, found @ ..] = Hurry::ALL.map(|hurry| {
                driver.hurry(hurry);
                play(&mut *case.on_gpu(), &clip, None).unwrap()
            });
            for (found, hurry) in found.iter().zip(&Hurry::ALL[1..]) {
                let found = Difference::between(found, &wanted).largest;
                assert_eq!(found, 0.0, "{hurry:?} {case:?}");
            }
            driver.hurry(Hurry::Nothing);
        }
    });
}

#[test]
fn frames_are_followed_while_others_are_painted() {
    with_driver(|driver| {
        let case = Case {
            max_in_flight: 2,
            ..Case::default()
        };
        let clip = clip(case.format());
        let mut engine = case.on_gpu();
        let n_runs = || [c"luma", c"upload"].map(|kernel| driver.n_runs(kernel));
        let before = n_runs();
        for video in &clip[..2] {
            engine.submit(&video.frame()).unwrap();
        }
        // Light and cuts of both are known, and what the network works on is yet to be made.
        assert_eq!(n_runs(), [before[0] + 2, before[1]]);
    });
}

#[test]
fn paint_fades_into_that_of_the_next_engine() {
    with_driver(|driver: &Driver| {
        for (max_in_flight, stabilizer) in [
            (1, Stabilizer::Gate),
            (1, Stabilizer::Flow),
            (3, Stabilizer::Flow),
        ] {
            let before = Case {
                kind: Kind::Swap,
                look: look(stabilizer),
                max_in_flight,
                ..Case::default()
            };
            let after = Case {
                kind: Kind::Planes,
                ..before
            };
            let clip = clip(before.format());
            let (first, second) = clip.split_at(1);
            let play_both = |mut old: Box<dyn Engine>, mut new: Box<dyn Engine>| {
                play(&mut *old, first, None).unwrap();
                new.take_over(old.hand_over().expect("it has painted"));
                let paintings = play(&mut *new, second, None).unwrap();
                // When this one goes, it waits for all that is under way.
                drop(old);
                paintings
            };
            let found = play_both(before.on_gpu(), after.on_gpu());
            let wanted = play_both(before.on_cpu(), after.on_cpu());
            let alone = play(&mut *after.on_gpu(), second, None).unwrap();
            let differs = Difference::between(&found[..1], &alone[..1]).largest;
            // What stays where it is looks the same in both.
            let is_seen = differs > 20.0 || stabilizer == Stabilizer::Gate;
            assert!(is_seen, "the old paint is gone at once: {differs}");
            let found = Difference::between(&found, &wanted);
            println!("{found:?}");
            assert!(found.is_small(before.look), "{found:?}");
        }
        assert_eq!(driver.live(), [0, 0]);
    });
}
