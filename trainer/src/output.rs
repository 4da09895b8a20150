//! Files that exist whole or not at all: written under another name in the same folder, then renamed.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};
use tempfile::NamedTempFile;

/// High enough that brush strokes show no blocks.
const JPEG_QUALITY: u8 = 95;

/// A picture's file that can be written.
pub struct Output {
    format: ImageFormat,
    path: PathBuf,
}

impl Output {
    /// Makes sure that a picture can be written to `path`, `.png`, `.jpg` or `.jpeg`, and leaves what is there as it is.
    ///
    /// # Errors
    /// If it has another extension, is a folder, or its folder cannot be written to.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let format = match extension.map(str::to_lowercase).as_deref() {
            Some("png") => ImageFormat::Png,
            Some("jpg" | "jpeg") => ImageFormat::Jpeg,
            _ => bail!(
                "{} has no known extension; wanted .png, .jpg or .jpeg",
                path.display()
            ),
        };
        if path.is_dir() {
            bail!("{} is a folder, wanted the name of a file", path.display());
        }
        // Made for the proof alone, and gone again: a run that is killed before it writes leaves nothing behind.
        drop(partial(path)?);
        Ok(Self {
            format,
            path: path.to_owned(),
        })
    }

    /// Writes the picture and gives the file its name; one of that name is replaced.
    ///
    /// # Errors
    /// If the system refuses, as on a full disk.
    pub fn write(self, picture: &RgbImage) -> anyhow::Result<()> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let encoded = match self.format {
            ImageFormat::Jpeg => {
                picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY))
            }
            format => picture.write_to(&mut bytes, format),
        };
        encoded.with_context(|| format!("writing {}", self.path.display()))?;
        write_whole(&self.path, bytes.get_ref())
    }

    /// Whether the file that will be replaced is `input` itself.
    pub fn is(&self, input: &Path) -> bool {
        let [output, input] = [&self.path, input].map(|path| fs::canonicalize(path).ok());
        output.is_some() && output == input
    }
}

/// Writes a file; one that is there is replaced as a whole.
///
/// # Errors
/// If the system refuses, as on a full disk.
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut partial = partial(path)?;
    partial
        .write_all(bytes)
        .and_then(|()| partial.as_file().sync_data())
        .and_then(|()| partial.persist(path).map_err(|error| error.error))
        .map(|_| ())
        .with_context(|| {
            format!(
                "writing {}; is there space left on the disk?",
                path.display()
            )
        })
}

/// A file beside `path`, which goes when it is dropped.
fn partial(path: &Path) -> anyhow::Result<NamedTempFile> {
    let made = tempfile::Builder::new()
        .prefix(".impasto-train.partial-")
        // What the user's umask leaves of this, as for any other file they make.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder(path));
    made.map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "its folder {} does not exist; make it first",
            folder(path).display()
        ),
        kind => anyhow!("its folder cannot be written to ({kind})"),
    })
    .with_context(|| format!("writing {}", path.display()))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let names = || fs::read_dir(folder.path()).unwrap().count();
        for name in ["a.png", "b.JPG"] {
            let path = folder.path().join(name);
            drop(Output::create(&path).unwrap());
            assert!(!path.exists());
            let before = names();
            let picture = RgbImage::from_pixel(9, 5, image::Rgb([200, 100, 50]));
            Output::create(&path).unwrap().write(&picture).unwrap();
            assert_eq!(names(), before + 1);
            assert!(Output::create(&path).unwrap().is(&path));
            let read = image::open(&path).unwrap().to_rgb8();
            assert_eq!(read.dimensions(), (9, 5));
            assert!(read.get_pixel(4, 2).0[0].abs_diff(200) < 4);
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("x.png")).unwrap();
        for (name, word) in [
            ("a.gif", ".png"),
            ("a", ".png"),
            ("x.png", "folder"),
            ("none/a.png", "make it first"),
        ] {
            let error = Output::create(&folder.path().join(name)).err().unwrap();
            assert!(format!("{error:#}").contains(word), "{error:#}");
        }
    }
}
