//! The bundled networks paint what they painted when somebody looked at it.

#![forbid(unsafe_code)]

use engines::{Quality, styles};
use image::RgbImage;
use tests::card::busy;
use tests::data;
use tests::golden::{assert_golden, open};
use tests::painting::painted;

/// Far above what an eye sees, far below what another processor's order of summing changes.
const MIN_DB: f64 = 45.0;

fn assert_painting(name: &str, photo: &RgbImage) {
    for quality in Quality::SIZES {
        let model = styles::find(styles::DEFAULT, quality).expect("a bundled style");
        let painting = painted(&model, photo).expect("a bundled style works");
        assert_golden(
            &format!("{}.{quality}.{name}", styles::DEFAULT),
            &painting,
            MIN_DB,
        );
    }
}

#[test]
fn a_film_frame_is_painted_as_blessed() {
    assert_painting("bunny", &open(&data::of_crate("golden/bunny.png")));
}

#[test]
fn a_test_card_of_odd_size_is_painted_as_blessed() {
    let card = RgbImage::from_fn(97, 61, |x, y| {
        image::Rgb(busy(x as usize, y as usize).map(|value| (value * 255.0).round() as u8))
    });
    assert_painting("card", &card);
}
