//! Snapshots: what was painted last, as a PNG.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use super::format::Format;
use super::relay::Relay;
use crate::output::Output;

/// How long a snapshot may take to be made.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(5);

/// Makes snapshots of what goes through a relay.
pub struct Snapshots {
    painted: Arc<Relay>,
    format: Format,
}

impl Snapshots {
    /// Of frames of that format.
    pub fn new(painted: &Arc<Relay>, format: Format) -> Self {
        Self {
            painted: painted.clone(),
            format,
        }
    }

    /// What was painted last, as a PNG.
    ///
    /// # Errors
    /// If nothing is painted yet, or no PNG can be made of it.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        let last = self.painted.last().context("nothing is painted yet")?;
        let sample = gst::Sample::builder()
            .buffer(&last)
            .caps(&self.format.caps())
            .build();
        let png = gst::Caps::new_empty_simple("image/png");
        let png = gst_video::convert_sample(&sample, &png, Some(PATIENCE))
            .context("making a PNG of it")?;
        let bytes = png.buffer().context("a PNG has bytes")?.map_readable()?;
        Ok(bytes.to_vec())
    }

    /// Writes it into a folder, under a name that is free.
    ///
    /// # Errors
    /// As [`Self::png`], or if it cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let png = self.png()?;
        let name = |number: u32| format!("impasto-{number}.png");
        let number = (1..).find(|number| !folder.join(name(*number)).exists());
        let output = Output::create(&folder.join(name(number.unwrap_or(1))), false, &[])?;
        let path = output.path().to_owned();
        std::fs::write(output.partial(), &png)
            .with_context(|| format!("writing {}", path.display()))?;
        output.finish()?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_take_names_that_are_free() {
        gst::init().unwrap();
        let format = Format {
            width: 64,
            height: 48,
            fps: 30,
        };
        let snapshots = Snapshots::new(&Arc::default(), format);
        let folder = tempfile::tempdir().unwrap();
        let error = snapshots.write(folder.path()).unwrap_err();
        assert!(error.to_string().contains("nothing"));
        let frame = gst::Buffer::from_slice(vec![100_u8; 64 * 48 * 3 / 2]);
        snapshots.painted.pass(frame, gst::ClockTime::ZERO);
        for name in ["impasto-1.png", "impasto-2.png"] {
            let path = snapshots.write(folder.path()).unwrap();
            assert_eq!(path, folder.path().join(name));
            assert_eq!(image::open(path).unwrap().width(), 64);
        }
    }
}
