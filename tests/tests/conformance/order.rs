//! Which calls follow which: frames in, frames out, and what is refused between.

use std::time::Duration;

use engines::{
    Engine, Error, FrameFormat, Look, Matrix, PixelFormat, Range, Sidecar, Stabilizer, Stage,
    ValueRange,
};
use tests::card::busy;
use tests::network::{NCHW, Network};
use tests::painting::{FRAME_BY_FRAME, paint};
use tests::picture::Picture;

use crate::{Backend, format};

fn still(backend: &Backend, format: &FrameFormat) -> Box<dyn Engine> {
    let sidecar = Sidecar {
        range: Some(ValueRange::Unit),
        align: Some(1),
        ..Sidecar::default()
    };
    backend.engine(Network::new(&NCHW).op("Identity"), &sidecar, format)
}

pub fn a_second_submit_finds_no_slot(backend: &Backend) {
    let source = Picture::of(format(PixelFormat::Nv12, 64, 48), 0, busy);
    let mut engine = still(backend, &source.format);
    for _ in 0..engine.max_in_flight() {
        engine.submit(&source.frame()).expect("a free slot");
    }
    let refused = engine.submit(&source.frame());
    let n_slots = engine.max_in_flight();
    assert!(
        matches!(refused, Err(Error::Full { max_in_flight }) if max_in_flight == n_slots),
        "{refused:?}"
    );
    let mut target = Picture::blank(source.format, 0);
    for _ in 0..n_slots {
        engine.drain().expect("an engine that works");
        assert!(
            engine
                .receive(&source.frame(), &mut target.frame_mut())
                .expect("an engine that works")
        );
    }
    engine
        .submit(&source.frame())
        .expect("a slot that became free");
}

pub fn nothing_is_received_before_a_submit(backend: &Backend) {
    let source = Picture::of(format(PixelFormat::Rgb, 64, 48), 0, busy);
    let mut engine = still(backend, &source.format);
    let mut target = Picture::blank(source.format, 0);
    let untouched = target.clone();
    assert!(
        !engine
            .receive(&source.frame(), &mut target.frame_mut())
            .expect("no error")
    );
    assert_eq!(target, untouched);
    paint(&mut *engine, &source);
    assert!(
        !engine
            .receive(&source.frame(), &mut target.frame_mut())
            .expect("no error")
    );
    assert_eq!(target, untouched);
}

pub fn frames_of_another_format_are_refused(backend: &Backend) {
    let own = format(PixelFormat::Nv12, 64, 48);
    let source = Picture::of(own, 0, busy);
    let others = [
        FrameFormat { width: 62, ..own },
        FrameFormat { height: 50, ..own },
        FrameFormat {
            pixels: PixelFormat::I420,
            ..own
        },
        FrameFormat {
            matrix: Matrix::Bt601,
            ..own
        },
        FrameFormat {
            range: Range::Full,
            ..own
        },
    ];
    let mut engine = still(backend, &own);
    for other in others {
        let frame = Picture::blank(other, 0);
        let refused = engine.submit(&frame.frame());
        assert!(
            matches!(refused, Err(Error::FrameFormat { .. })),
            "{other:?}: {refused:?}"
        );
        engine.submit(&source.frame()).expect("a free slot");
        let refused = engine.receive(&source.frame(), &mut frame.clone().frame_mut());
        assert!(
            matches!(refused, Err(Error::FrameFormat { .. })),
            "{other:?}: {refused:?}"
        );
        let refused = engine.receive(&frame.frame(), &mut source.clone().frame_mut());
        assert!(
            matches!(refused, Err(Error::FrameFormat { .. })),
            "{other:?}: {refused:?}"
        );
        engine.reset();
    }
}

pub fn an_engine_goes_on_after_a_refused_frame(backend: &Backend) {
    let source = Picture::of(format(PixelFormat::Rgba, 64, 48), 0, busy);
    let mut engine = still(backend, &source.format);
    let other = Picture::blank(format(PixelFormat::Rgba, 48, 64), 0);
    engine.submit(&other.frame()).expect_err("another size");
    backend.assert_same(
        &paint(&mut *engine, &source),
        &source,
        "after a refused frame",
    );
}

pub fn reset_drops_the_frame(backend: &Backend) {
    let photo = Picture::of(format(PixelFormat::Rgb, 64, 48), 0, busy);
    let other = Picture::of(photo.format, 0, |x, y| busy(y, x));
    let mut engine = still(backend, &photo.format);
    let mut target = Picture::blank(photo.format, 0);
    engine.submit(&photo.frame()).expect("a free slot");
    engine.reset();
    assert!(
        !engine
            .receive(&photo.frame(), &mut target.frame_mut())
            .expect("no error")
    );
    backend.assert_same(&paint(&mut *engine, &other), &other, "after a reset");
}

pub fn frames_and_times_are_counted(backend: &Backend) {
    let source = Picture::of(format(PixelFormat::P010, 64, 48), 0, busy);
    let mut engine = still(backend, &source.format);
    assert_eq!(
        (engine.stats().n_in, engine.stats().n_out),
        (0, 0),
        "warming up is not counted"
    );
    assert!(engine.frame_time() > Duration::ZERO);
    engine.set(Look {
        stabilizer: Stabilizer::Flow,
        persistence: 0.5,
        ..FRAME_BY_FRAME
    });
    for _ in 0..3 {
        paint(&mut *engine, &source);
    }
    engine.submit(&source.frame()).expect("a free slot");
    assert_eq!((engine.stats().n_in, engine.stats().n_out), (4, 3));
    assert_eq!(engine.stats().n_reused, 0);
    for stage in Stage::ALL {
        let times = engine.stats().times(stage);
        assert!(
            Duration::ZERO < times.median && times.median <= times.p95 && times.p95 <= times.p99,
            "{stage:?}"
        );
    }
}

pub fn engines_side_by_side_do_not_mix(backend: &Backend) {
    std::thread::scope(|scope| {
        for thread in 0..4_u16 {
            scope.spawn(move || {
                for round in 0..4 {
                    let shade = f32::from(thread * 4 + round) / 16.0;
                    let network = Network::new(&NCHW).affine([0.0; 3], [shade; 3], 2);
                    let source = Picture::of(
                        format(PixelFormat::Rgb, 64 + usize::from(thread), 48),
                        0,
                        busy,
                    );
                    let wanted = Picture::of(source.format, 0, |_, _| [f64::from(shade); 3]);
                    let sidecar = Sidecar {
                        range: Some(ValueRange::Unit),
                        ..Sidecar::default()
                    };
                    let mut engine = backend.engine(network, &sidecar, &source.format);
                    for _ in 0..10 {
                        backend.assert_same(&paint(&mut *engine, &source), &wanted, "side by side");
                    }
                }
            });
        }
    });
}
