//! Writing pictures.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageEncoder, ImageFormat, Rgb, RgbImage};

use super::Picture;

/// High enough that brush strokes show no blocks.
const JPEG_QUALITY: u8 = 92;

/// Writes a picture to `target` in a format of [`format_of`](super::format_of); WebP is written without loss.
///
/// # Errors
/// If the system refuses.
pub fn write(picture: &Picture, format: ImageFormat, target: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(target)?);
    match format {
        ImageFormat::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
            let flat = DynamicImage::ImageRgb8(on_white(&picture.pixels));
            encode(encoder, &flat, picture.icc_profile.as_deref())?;
        }
        ImageFormat::WebP => {
            let encoder = WebPEncoder::new_lossless(&mut file);
            encode(encoder, &picture.pixels, picture.icc_profile.as_deref())?;
        }
        _ => {
            let encoder = PngEncoder::new(&mut file);
            encode(encoder, &picture.pixels, picture.icc_profile.as_deref())?;
        }
    }
    file.into_inner()
        .map_err(std::io::IntoInnerError::into_error)?
        .sync_data()?;
    Ok(())
}

fn encode(
    mut encoder: impl ImageEncoder,
    pixels: &DynamicImage,
    icc_profile: Option<&[u8]>,
) -> anyhow::Result<()> {
    if let Some(profile) = icc_profile {
        encoder
            .set_icc_profile(profile.to_vec())
            .context("storing the colour profile")?;
    }
    pixels.write_with_encoder(encoder)?;
    Ok(())
}

/// JPEG has no alpha: what was transparent is seen on white.
fn on_white(pixels: &DynamicImage) -> RgbImage {
    let DynamicImage::ImageRgba8(rgba) = pixels else {
        return pixels.to_rgb8();
    };
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [colour @ .., alpha] = rgba.get_pixel(x, y).0;
        let alpha = u32::from(alpha);
        Rgb(colour
            .map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{format_of, read};
    use super::*;
    use image::{Rgba, RgbaImage};

    #[test]
    fn every_format_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let pixels =
            DynamicImage::ImageRgba8(RgbaImage::from_pixel(20, 16, Rgba([200, 100, 50, 128])));
        let picture = Picture {
            pixels,
            icc_profile: None,
        };
        for (name, has_alpha) in [("a.png", true), ("a.webp", true), ("a.jpg", false)] {
            let path = folder.path().join(name);
            write(&picture, format_of(&path).unwrap(), &path).unwrap();
            let back = read(&path).unwrap().pixels;
            assert_eq!(back.color().has_alpha(), has_alpha, "{name}");
            assert_eq!((back.width(), back.height()), (20, 16));
        }
    }

    #[test]
    fn transparent_is_white_on_jpeg() {
        let pixel = |alpha| {
            DynamicImage::ImageRgba8(RgbaImage::from_pixel(1, 1, Rgba([0, 100, 255, alpha])))
        };
        assert_eq!(on_white(&pixel(0)).get_pixel(0, 0).0, [255; 3]);
        assert_eq!(on_white(&pixel(255)).get_pixel(0, 0).0, [0, 100, 255]);
        assert_eq!(on_white(&pixel(128)).get_pixel(0, 0).0, [127, 177, 255]);
    }
}
