//! Reading pictures: upright, in 8 bits, with their colour profile.

use std::path::Path;

use anyhow::{Context, bail};
use image::{DynamicImage, ImageDecoder, ImageReader};

use super::Picture;

/// Reads a picture of any format that is compiled in, whatever its extension says.
///
/// # Errors
/// If it cannot be read or understood.
pub fn read(path: &Path) -> anyhow::Result<Picture> {
    if path.is_dir() {
        bail!("it is a folder, wanted a picture");
    }
    let reader = ImageReader::open(path)?.with_guessed_format()?;
    if reader.format().is_none() {
        bail!("it is no PNG, JPEG or WebP picture");
    }
    let mut decoder = reader
        .into_decoder()
        .context("it cannot be read as a picture")?;
    let icc_profile = decoder.icc_profile()?;
    let orientation = decoder.orientation()?;
    let mut pixels =
        DynamicImage::from_decoder(decoder).context("it cannot be read as a picture")?;
    pixels.apply_orientation(orientation);
    let pixels = if pixels.color().has_alpha() {
        DynamicImage::ImageRgba8(pixels.into_rgba8())
    } else {
        DynamicImage::ImageRgb8(pixels.into_rgb8())
    };
    // The profile of a grey picture does not describe the colours that it becomes.
    let icc_profile = icc_profile.filter(|profile| profile.get(16..20) == Some(b"RGB "));
    Ok(Picture {
        pixels,
        icc_profile,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Luma, Rgba};

    #[test]
    fn every_kind_becomes_eight_bit_colour() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        ImageBuffer::<Luma<u16>, _>::from_pixel(20, 30, Luma([0x8000]))
            .save(&path)
            .unwrap();
        assert!(matches!(
            read(&path).unwrap().pixels,
            DynamicImage::ImageRgb8(_)
        ));
        ImageBuffer::from_pixel(20, 30, Rgba([0_u16, 0, 0, 0xffff]))
            .save(&path)
            .unwrap();
        assert!(matches!(
            read(&path).unwrap().pixels,
            DynamicImage::ImageRgba8(_)
        ));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
        for (name, bytes) in [
            ("a.png", &b"\x89PNG\r\n\x1a\nbroken"[..]),
            ("b.jpg", b""),
            ("c.txt", b"text"),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert!(read(&path).is_err(), "{name}");
        }
    }
}
