//! Picture files: which becomes which, read, painted, written.

mod names;
mod painter;
mod read;
mod write;

pub use names::{Job, plan};
pub use painter::Painter;
pub use read::read;
pub use write::write;

use image::{DynamicImage, ImageFormat};

/// A picture out of a file.
pub struct Picture {
    /// Its pixels, upright: `ImageRgb8`, or `ImageRgba8` if it has an alpha channel.
    pub pixels: DynamicImage,
    /// Its colour profile.
    pub icc_profile: Option<Vec<u8>>,
}

/// The format that a file name asks for, out of those that can be read and written.
pub fn format_of(path: &std::path::Path) -> Option<ImageFormat> {
    ImageFormat::from_path(path).ok().filter(|format| {
        matches!(
            format,
            ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP
        )
    })
}
