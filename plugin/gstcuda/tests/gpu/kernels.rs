//! Engines and what was compiled of them are kept, found again, and never trusted when they are damaged.

use std::fs;

use engines::tensorrt;
use engines::{
    Engine, FrameFormat, Matrix, PixelFormat, Place, Precision, Quality, Range, Settings,
};
use tests::element;

use crate::fakes::{With, with_fakes};

/// Opens a network and paints its first frames.
fn open() -> Box<dyn Engine> {
    let model = engines::styles::find(&element::same(), Quality::Auto).unwrap();
    let format = FrameFormat::new(PixelFormat::Rgb, 64, 48, Matrix::Bt709, Range::Full).unwrap();
    let settings = Settings {
        engine: Place::TensorRt,
        precision: Precision::F32,
        ..Settings::default()
    };
    engines::open(&model, &format, &settings).unwrap()
}

#[test]
fn what_was_compiled_is_kept_beside_the_engine() {
    with_fakes(With::GStreamers, |fakes| {
        for _ in 0..3 {
            assert_eq!(open().take_remark(), None);
            assert_eq!(fakes.n_compiled(), 1);
        }
        let kept = tensorrt::list().unwrap();
        let [engine, compiled] = &kept[..] else {
            panic!("{kept:?}");
        };
        let [engine, compiled] = match engine.is_compiled {
            true => [compiled, engine],
            false => [engine, compiled],
        };
        assert_eq!(engine.entry, compiled.entry);
        assert!(engine.entry.is_some() && compiled.is_compiled);

        let whole = fs::read(&compiled.path).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let an_engine = fs::read(&engine.path).unwrap();
        for (n_damaged, damaged) in [&whole[..60], &flipped, b"", &an_engine].iter().enumerate() {
            fs::write(&compiled.path, damaged).unwrap();
            let kept = tensorrt::list().unwrap();
            let damaged = kept.iter().filter(|kept| kept.entry.is_none());
            assert_eq!(damaged.count(), 1);
            drop(open());
            assert_eq!(fakes.n_compiled(), 2 + n_damaged);
            assert_eq!(fs::read(&compiled.path).unwrap(), whole);
        }
        let n_compiled = fakes.n_compiled();
        drop(open());
        assert_eq!(fakes.n_compiled(), n_compiled);

        assert_eq!(tensorrt::clear().unwrap(), 1);
        assert_eq!(fs::read_dir(&fakes.cache).unwrap().count(), 0);
        assert_eq!(fakes.left(), [0, 0, 0]);
    });
}

#[test]
fn a_full_disk_is_said_once_and_stops_nothing() {
    with_fakes(With::GStreamers, |fakes| {
        // Nothing can be written where a file is in the folder's place.
        fs::create_dir_all(fakes.cache.parent().unwrap()).unwrap();
        fs::write(&fakes.cache, "").unwrap();
        let remark = open().take_remark().expect("a remark");
        assert!(remark.contains("cannot be kept"), "{remark}");
        assert_eq!(open().take_remark(), None);
        assert_eq!(fakes.n_compiled(), 2);
        assert_eq!(fakes.left(), [0, 0, 0]);
    });
}
