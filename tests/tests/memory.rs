//! Memory does not grow with the frames painted nor with the engines opened.
//!
//! One test, in a binary of its own: what runs beside it would be measured with it.

#![forbid(unsafe_code)]

use engines::{FrameFormat, Look, Matrix, PixelFormat, Quality, Range, styles};
use tests::card::busy;
use tests::data;
use tests::memory::resident_bytes;
use tests::painting::F32;
use tests::picture::Picture;

const MIB: u64 = 1 << 20;

fn resident_mib() -> f64 {
    resident_bytes().expect("a system that tells") as f64 / MIB as f64
}

fn format(width: usize, height: usize) -> FrameFormat {
    FrameFormat::new(
        PixelFormat::Nv12,
        width,
        height,
        Matrix::Bt709,
        Range::Limited,
    )
    .expect("a good size")
}

#[test]
fn memory_is_flat_over_engines_and_frames() {
    if resident_bytes().is_none() {
        return data::skip("this system has no /proc/self/smaps_rollup");
    }
    let after_engines = engines_one_after_another();
    assert!(
        after_engines < 64.0,
        "15 engines more grew memory by {after_engines:.1} MiB, wanted less than 64"
    );
    let after_frames = frames_one_after_another();
    assert!(
        after_frames <= 4.0,
        "1,800 frames more grew memory by {after_frames:.1} MiB, wanted at most 4"
    );
}

/// Growth from the fifth engine to the twentieth.
fn engines_one_after_another() -> f64 {
    let mut after_fifth = 0.0;
    for n in 1..=20 {
        let model = styles::find(styles::DEFAULT, Quality::Balanced).expect("a bundled style");
        let sizes = [(640, 360), (320, 180), (64, 64)];
        let (width, height) = sizes[n % sizes.len()];
        drop(engines::open(&model, &format(width, height), &F32).expect("a bundled style works"));
        if n == 5 {
            after_fifth = resident_mib();
        }
    }
    resident_mib() - after_fifth
}

/// Growth from the 200th frame to the 2,000th.
fn frames_one_after_another() -> f64 {
    let model = styles::find(styles::DEFAULT, Quality::Balanced).expect("a bundled style");
    let source = Picture::of(format(64, 64), 0, busy);
    let mut target = Picture::blank(source.format, 0);
    let mut engine = engines::open(&model, &source.format, &F32).expect("a bundled style works");
    engine.set(Look {
        reuse: false,
        ..Look::default()
    });
    let mut after_200 = 0.0;
    for n in 1..=2000 {
        engine.submit(&source.frame()).expect("a free slot");
        assert!(
            engine
                .receive(&source.frame(), &mut target.frame_mut())
                .expect("an engine that works")
        );
        if n == 200 {
            after_200 = resident_mib();
        }
    }
    resident_mib() - after_200
}
