//! Networks of other makers paint the same as in ONNX Runtime. They are no part of this repository.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use engines::{Channels, Model, Origin, Quality, Sidecar, Size, ValueRange, measure, styles};
use image::RgbImage;
use image::imageops::crop_imm;
use tests::data;
use tests::golden::{assert_like, open};
use tests::painting::painted;

/// Two runtimes in f32 agree to 87 dB or better; pictures of 8 bits hide what is beyond 59 dB.
const MIN_DB: f64 = 50.0;

fn file(name: &str) -> Option<PathBuf> {
    Some(
        data::third_party()?
            .join("models")
            .join(format!("{name}.onnx")),
    )
}

fn reference(name: &str) -> PathBuf {
    data::of_crate("references").join(format!("{name}.png"))
}

fn photo() -> RgbImage {
    open(&reference("bunny"))
}

#[test]
fn networks_that_say_how_they_want_to_be_fed_need_nothing_else() {
    for (name, channels) in [
        ("johnson_candy_nc16", Channels::Bgr),
        ("gnsmrky_mosaic_nc16", Channels::Rgb),
        ("lengstrom_wave", Channels::Rgb),
        ("reconet_sd1_mosaic", Channels::Rgb),
    ] {
        let Some(path) = file(name) else { return };
        let path = path.to_str().expect("a UTF-8 path");
        let model = styles::find(path, Quality::Best).expect(name);
        let convention = measure(&model).expect(name).convention;
        assert_eq!(
            (convention.channels.value, convention.channels.origin),
            (channels, Origin::Found),
            "{name}"
        );
        let range = convention
            .output_range
            .expect("a measured convention has no gaps");
        assert_eq!(
            (range.value, range.origin),
            (ValueRange::Byte, Origin::Found),
            "{name}"
        );
        let align = convention.align.expect("a measured convention has no gaps");
        assert_eq!((align.value, align.origin), (4, Origin::Measured), "{name}");
        assert_like(
            &reference(name),
            &painted(&model, &photo()).expect(name),
            MIN_DB,
        );
    }
}

#[test]
fn a_fixed_size_network_without_metadata_is_measured() {
    let name = "gnsmrky_mosaic_nc8_256x256";
    let Some(path) = file(name) else { return };
    let model = Model::read(&path).expect(name);
    let convention = measure(&model).expect(name).convention;
    assert_eq!(convention.size.value, Size::Fixed(256, 256));
    let range = convention
        .output_range
        .expect("a measured convention has no gaps");
    assert_eq!(
        (range.value, range.origin),
        (ValueRange::Byte, Origin::Measured)
    );
    let photo = photo();
    let twice = RgbImage::from_fn(256, 256, |x, y| *photo.get_pixel(x / 2, y / 2));
    let painting = painted(&model, &twice).expect(name);
    assert_like(
        &reference(name),
        &crop_imm(&painting, 64, 64, 128, 128).to_image(),
        MIN_DB,
    );
}

#[test]
fn a_second_input_is_filled_by_the_sidecar() {
    let name = "multistyle26";
    let Some(path) = file(name) else { return };
    let unfilled = Model::read(&path)
        .expect_err("its weights are unknown")
        .to_string();
    assert!(
        unfilled.contains("`style_weights`") && unfilled.contains("[inputs]"),
        "{unfilled}"
    );
    let mut weights = vec![0.0; 26];
    weights[3] = 1.0;
    let sidecar = Sidecar {
        inputs: [("style_weights".to_owned(), weights)].into(),
        ..Sidecar::default()
    };
    let model = Model::read_with(&path, &sidecar).expect(name);
    let range = measure(&model).expect(name).convention.output_range;
    assert_eq!(
        range.expect("a measured convention has no gaps").value,
        ValueRange::Unit
    );
    assert_like(
        &reference(name),
        &painted(&model, &photo()).expect(name),
        MIN_DB,
    );
}

#[test]
fn a_network_that_wants_a_style_vector_says_so() {
    let Some(path) = file("arbitrary_transform") else {
        return;
    };
    let error = Model::read(&path)
        .expect_err("its style is unknown")
        .to_string();
    for word in [
        "arbitrary_transform.onnx",
        "second input",
        "`mobilenet_conv/Conv/BiasAdd`",
        "100",
    ] {
        assert!(error.contains(word), "no `{word}` in: {error}");
    }
}
