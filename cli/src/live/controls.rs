//! What can be changed while it runs, without a frame lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use gst::prelude::*;

use super::format::Format;
use super::keys::{HELP, Key};
use super::relay::Relay;
use crate::output::Output;

/// How much a key changes the strength.
const STRENGTH_STEP: f32 = 0.1;
/// How long a snapshot may take to be made.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(5);

/// The painter's settings, and what it has painted.
pub struct Controls {
    style: gst::Element,
    names: Vec<String>,
    /// Strength to come back to from the photo.
    strength: f32,
    painted: Arc<Relay>,
    format: Format,
}

impl Controls {
    /// Those of an element.
    ///
    /// # Errors
    /// If a folder of styles cannot be read.
    pub fn of(style: &gst::Element, painted: &Arc<Relay>, format: Format) -> anyhow::Result<Self> {
        let names = engines::styles::list()?;
        Ok(Self {
            style: style.clone(),
            names: names.into_iter().map(|listed| listed.name).collect(),
            strength: style.property("strength"),
            painted: painted.clone(),
            format,
        })
    }

    /// Does what a key asks for, and returns what to say about it. [`Key::End`] is not for this.
    ///
    /// # Errors
    /// If a snapshot cannot be written.
    pub fn press(&mut self, key: Key) -> anyhow::Result<String> {
        Ok(match key {
            Key::Next => self.turn(1),
            Key::Previous => self.turn(self.names.len() - 1),
            Key::Stronger => self.set_strength(self.strength + STRENGTH_STEP),
            Key::Fainter => self.set_strength(self.strength - STRENGTH_STEP),
            Key::Toggle => {
                let is_on = self.style.property::<f32>("strength") > 0.0;
                self.style
                    .set_property("strength", if is_on { 0.0 } else { self.strength });
                if is_on {
                    "the photo itself"
                } else {
                    "painting"
                }
                .to_owned()
            }
            Key::Colors => {
                let keeps = !self.style.property::<bool>("keep-colors");
                self.style.set_property("keep-colors", keeps);
                if keeps {
                    "the photo's colours"
                } else {
                    "the painting's colours"
                }
                .to_owned()
            }
            Key::Snapshot => format!("wrote {}", self.snapshot(Path::new("."))?.display()),
            Key::Help | Key::End => HELP.to_owned(),
        })
    }

    /// To the style that is `n_further` further in the list; from one that is not in it, to the first.
    fn turn(&mut self, n_further: usize) -> String {
        let now: String = self.style.property("style");
        let idx = self.names.iter().position(|name| *name == now);
        let next = idx.map_or(0, |idx| (idx + n_further) % self.names.len());
        self.style.set_property("style", &self.names[next]);
        self.names[next].clone()
    }

    fn set_strength(&mut self, strength: f32) -> String {
        self.strength = strength.clamp(STRENGTH_STEP, 1.0);
        self.style.set_property("strength", self.strength);
        format!("strength {:.1}", self.strength)
    }

    /// Writes what was painted last as a PNG into a folder, under a name that is free.
    fn snapshot(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let last = self.painted.last().context("nothing is painted yet")?;
        let sample = gst::Sample::builder()
            .buffer(&last)
            .caps(&self.format.caps())
            .build();
        let name = |number: u32| format!("impasto-{number}.png");
        let png = gst::Caps::new_empty_simple("image/png");
        let png = gst_video::convert_sample(&sample, &png, Some(PATIENCE))
            .context("making a PNG of it")?;
        let bytes = png.buffer().context("a PNG has bytes")?.map_readable()?;
        let number = (1..).find(|number| !folder.join(name(*number)).exists());
        let output = Output::create(&folder.join(name(number.unwrap_or(1))), false, &[])?;
        let path = output.path().to_owned();
        std::fs::write(output.partial(), &bytes)
            .with_context(|| format!("writing {}", path.display()))?;
        output.finish()?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controls() -> Controls {
        gst::init().unwrap();
        gstimpasto::plugin_register_static().unwrap();
        let style = gst::ElementFactory::make("styletransfer").build().unwrap();
        let format = Format {
            width: 64,
            height: 48,
            fps: 30,
        };
        Controls::of(&style, &Arc::default(), format).unwrap()
    }

    #[test]
    fn styles_go_round() {
        let mut controls = controls();
        let first: String = controls.style.property("style");
        let n = controls.names.len();
        let told: Vec<String> = (0..n).map(|_| controls.press(Key::Next).unwrap()).collect();
        assert_eq!(told[n - 1], first);
        controls.press(Key::Previous).unwrap();
        assert_eq!(controls.style.property::<String>("style"), told[n - 2]);
        controls
            .style
            .set_property("style", "starry-night:0.5+identity:0.5");
        assert_eq!(controls.press(Key::Next).unwrap(), controls.names[0]);
    }

    #[test]
    fn strength_stays_in_its_range_and_comes_back() {
        let mut controls = controls();
        let strength = |controls: &Controls| controls.style.property::<f32>("strength");
        for _ in 0..20 {
            controls.press(Key::Fainter).unwrap();
        }
        assert!((strength(&controls) - 0.1).abs() < 1e-6);
        controls.press(Key::Toggle).unwrap();
        assert_eq!(strength(&controls), 0.0);
        controls.press(Key::Toggle).unwrap();
        assert!((strength(&controls) - 0.1).abs() < 1e-6);
        assert_eq!(controls.press(Key::Colors).unwrap(), "the photo's colours");
    }

    #[test]
    fn snapshots_take_names_that_are_free() {
        let controls = controls();
        let folder = tempfile::tempdir().unwrap();
        assert!(
            controls
                .snapshot(folder.path())
                .unwrap_err()
                .to_string()
                .contains("nothing")
        );
        let frame = gst::Buffer::from_slice(vec![100_u8; 64 * 48 * 3 / 2]);
        controls.painted.pass(frame, gst::ClockTime::ZERO);
        for name in ["impasto-1.png", "impasto-2.png"] {
            let path = controls.snapshot(folder.path()).unwrap();
            assert_eq!(path, folder.path().join(name));
            assert_eq!(image::open(path).unwrap().width(), 64);
        }
    }
}
