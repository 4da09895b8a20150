//! Pictures compared with blessed ones: `BLESS=1` writes them anew, to be looked at before they are committed.

use std::path::Path;
use std::{env, fs};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ImageEncoder, RgbImage};

use crate::data;
use crate::difference::psnr_db;

/// Largest blessed picture, in bytes: the repository keeps every one of them for ever.
const MAX_LEN_BYTES: usize = 64 << 10;

/// Asks that `found` be the picture `golden/<name>.png`, to `min_db` of PSNR. A picture that is not is left with its
/// difference, eight times as strong, in `golden/` of the build's folder.
///
/// # Panics
/// If the pictures differ, or the blessed one is missing or too large.
pub fn assert_golden(name: &str, found: &RgbImage, min_db: f64) {
    let path = data::of_crate("golden").join(format!("{name}.png"));
    if env::var_os("BLESS").is_some_and(|value| value == "1") {
        let png = encoded(found);
        assert!(
            png.len() <= MAX_LEN_BYTES,
            "{name}: {} bytes of PNG, wanted at most {MAX_LEN_BYTES}",
            png.len()
        );
        fs::write(&path, png).expect("the folder of golden pictures is writable");
    }
    assert_like(&path, found, min_db);
}

/// Asks that `found` be the picture in the PNG file `path`, as [`assert_golden`] does.
///
/// # Panics
/// As [`assert_golden`].
pub fn assert_like(path: &Path, found: &RgbImage, min_db: f64) {
    let name = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .expect("a UTF-8 file name");
    let wanted = open(path);
    let same_size = wanted.dimensions() == found.dimensions();
    let db = if same_size {
        psnr_db(found.as_raw(), wanted.as_raw())
    } else {
        0.0
    };
    if db >= min_db {
        return;
    }
    let folder = data::of_build("golden");
    fs::create_dir_all(&folder).expect("the build's folder is writable");
    let actual = folder.join(format!("{name}.actual.png"));
    fs::write(&actual, encoded(found)).expect("the build's folder is writable");
    if same_size {
        let difference = RgbImage::from_fn(found.width(), found.height(), |x, y| {
            let (a, b) = (found.get_pixel(x, y).0, wanted.get_pixel(x, y).0);
            image::Rgb(std::array::from_fn(|c| {
                a[c].abs_diff(b[c]).saturating_mul(8)
            }))
        });
        fs::write(
            folder.join(format!("{name}.diff.png")),
            encoded(&difference),
        )
        .expect("the build's folder is writable");
    }
    panic!(
        "{name}: {:?} at {db:.1} dB from {} of {:?}, wanted {min_db} dB; see {}; BLESS=1 takes it as it is",
        found.dimensions(),
        path.display(),
        wanted.dimensions(),
        actual.display()
    );
}

/// Reads a PNG file.
///
/// # Panics
/// If that fails.
pub fn open(path: &Path) -> RgbImage {
    match image::open(path) {
        Ok(picture) => picture.into_rgb8(),
        Err(error) => panic!("{}: {error}; BLESS=1 makes golden pictures", path.display()),
    }
}

fn encoded(picture: &RgbImage) -> Vec<u8> {
    let mut png = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive);
    let (width, height) = picture.dimensions();
    encoder
        .write_image(
            picture.as_raw(),
            width,
            height,
            image::ExtendedColorType::Rgb8,
        )
        .expect("memory takes a picture");
    png
}
