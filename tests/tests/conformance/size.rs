//! Where the network's picture is larger, smaller or wider than the frame.

use engines::{Error, PixelFormat, Settings, Sidecar, ValueRange};
use tests::card::{busy, smooth};
use tests::difference::psnr_db;
use tests::network::{NCHW, Network};
use tests::painting::{F32, paint};
use tests::picture::Picture;
use tests::reference;

use crate::{Backend, format};

/// How well a picture without edges survives being scaled there and back, in dB.
const SCALED_DB: f64 = 40.0;

const UNIT: ValueRange = ValueRange::Unit;

fn sidecar() -> Sidecar {
    Sidecar {
        range: Some(UNIT),
        align: Some(1),
        ..Sidecar::default()
    }
}

fn padded(network: Network) -> Network {
    network
        .metadata("impasto.input", "rgb01")
        .metadata("impasto.output", "rgb01")
        .metadata("impasto.pad", "16")
        .metadata("impasto.align", "8")
}

/// A card without edges, whatever its size in pixels.
fn smooth_of(pixels: PixelFormat, width: usize, height: usize) -> Picture {
    Picture::of(format(pixels, width, height), 0, |x, y| {
        smooth(x as f64 / width as f64, y as f64 / height as f64)
    })
}

fn assert_close(found: &Picture, wanted: &Picture, case: &str) {
    let bytes = |picture: &Picture| {
        picture
            .samples()
            .iter()
            .map(|&code| code as u8)
            .collect::<Vec<_>>()
    };
    let db = psnr_db(&bytes(found), &bytes(wanted));
    assert!(
        db >= SCALED_DB,
        "{case}: {:?} at {db:.1} dB, wanted {SCALED_DB}",
        found.format
    );
}

pub fn the_border_is_reflected_to_the_last_pixel(backend: &Backend) {
    let blur = [1.0 / 9.0; 9];
    let from_top_left = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let from_bottom_right = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    for (name, kernel) in [
        ("blur", blur),
        ("down", from_top_left),
        ("up", from_bottom_right),
    ] {
        for (pixels, width, height) in [
            (PixelFormat::Rgb, 64, 64),
            (PixelFormat::Nv12, 33, 17),
            (PixelFormat::Bgr, 121, 200),
        ] {
            let source = Picture::of(format(pixels, width, height), 0, busy);
            let mut wanted = source.clone();
            reference::write(&reference::read(&source).filtered(&kernel), &mut wanted);
            let network = padded(Network::new(&NCHW).filter(&kernel, 1));
            let mut engine = backend.engine(network, &Sidecar::default(), &source.format);
            backend.assert_same(&paint(&mut *engine, &source), &wanted, name);
        }
    }
}

pub fn borders_wider_than_the_picture_fold(backend: &Backend) {
    // The pixel 15 to the left and 15 above: as far as a picture of 16 reflects once.
    let mut kernel = vec![0.0; 31 * 31];
    kernel[0] = 1.0;
    let source = Picture::of(format(PixelFormat::Rgb, 16, 16), 0, busy);
    let mut wanted = source.clone();
    reference::write(&reference::read(&source).filtered(&kernel), &mut wanted);
    let network = padded(Network::new(&NCHW).filter(&kernel, 15));
    let mut engine = backend.engine(network, &Sidecar::default(), &source.format);
    backend.assert_same(
        &paint(&mut *engine, &source),
        &wanted,
        "16x16 with a border of 16",
    );
}

pub fn alignment_is_measured_and_hidden(backend: &Backend) {
    for block in [2, 4, 8] {
        for (width, height) in [(17, 33), (66, 65), (121, 201)] {
            let source = Picture::of(format(PixelFormat::Rgb, width, height), 0, busy);
            let sidecar = Sidecar {
                range: Some(UNIT),
                ..Sidecar::default()
            };
            let mut engine =
                backend.engine(Network::new(&NCHW).blocks(block), &sidecar, &source.format);
            backend.assert_same(
                &paint(&mut *engine, &source),
                &source,
                &format!("blocks of {block}"),
            );
        }
    }
}

pub fn fixed_sizes_are_scaled_to(backend: &Backend) {
    for (width, height) in [(64, 48), (640, 480), (33, 21), (120, 200)] {
        for pixels in [PixelFormat::Rgb, PixelFormat::I420] {
            let source = smooth_of(pixels, width, height);
            let network = Network::new(&[1, 3, 48, 64]).op("Identity");
            let mut engine = backend.engine(network, &sidecar(), &source.format);
            assert!(
                engine.describe().ends_with(" 64x48"),
                "{}",
                engine.describe()
            );
            assert_close(
                &paint(&mut *engine, &source),
                &source,
                "a fixed size of 64x48",
            );
        }
    }
}

pub fn outputs_a_few_pixels_off_are_fitted(backend: &Backend) {
    let keep = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let smaller = Network::new(&NCHW).filter(&keep, 0);
    let larger = Network::new(&NCHW).widen(2);
    for (name, network, n_px) in [("smaller by 2", smaller, -2), ("larger by 4", larger, 4)] {
        for (width, height) in [(320, 240), (199, 301)] {
            let source = smooth_of(PixelFormat::Rgb, width, height);
            let mut engine = backend.engine(network.clone(), &sidecar(), &source.format);
            let size = format!(" {}x{}", width as i32 + n_px, height as i32 + n_px);
            assert!(
                engine.describe().ends_with(&size),
                "{}, wanted{size}",
                engine.describe()
            );
            assert_close(&paint(&mut *engine, &source), &source, name);
        }
    }
}

pub fn outputs_twice_or_half_the_size_are_fitted(backend: &Backend) {
    let twice = Network::new(&NCHW).doubled();
    let half = Network::new(&NCHW).halved();
    for (network, size) in [(twice, " 644x478"), (half, " 161x119")] {
        let source = smooth_of(PixelFormat::Nv12, 322, 239);
        let mut engine = backend.engine(network, &sidecar(), &source.format);
        assert!(
            engine.describe().ends_with(size),
            "{}, wanted{size}",
            engine.describe()
        );
        assert_close(&paint(&mut *engine, &source), &source, size);
    }
}

pub fn processing_size_is_the_networks_height(backend: &Backend) {
    for (processing_size, size) in [(0, "320x240"), (120, "160x120"), (480, "640x480")] {
        for pixels in [PixelFormat::Rgb, PixelFormat::Nv12] {
            let source = smooth_of(pixels, 320, 240);
            let settings = Settings {
                processing_size,
                ..F32
            };
            let network = Network::new(&NCHW).op("Identity");
            let mut engine = backend.engine_with(network, &sidecar(), &source.format, &settings);
            assert!(
                engine.describe().ends_with(size),
                "{}, wanted {size}",
                engine.describe()
            );
            assert_close(&paint(&mut *engine, &source), &source, "scaled");
        }
    }
}

pub fn processing_sizes_out_of_range_are_refused(backend: &Backend) {
    let network = Network::new(&NCHW).op("Identity").bytes();
    let model = engines::Model::parse("test".to_owned(), network.into(), &sidecar())
        .expect("a good network");
    for processing_size in [1, 15, 8193] {
        let settings = Settings {
            processing_size,
            ..F32
        };
        match (backend.open)(&model, &format(PixelFormat::Rgb, 64, 64), &settings) {
            Err(Error::Setting {
                name: "processing-size",
                ..
            }) => {}
            Err(error) => panic!("{processing_size}: {error}"),
            Ok(_) => panic!("{processing_size} is taken"),
        }
    }
}
