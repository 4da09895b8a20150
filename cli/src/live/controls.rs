//! What can be changed while it runs, without a frame lost.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use anyhow::ensure;
use engines::{Mix, Quality};
use gst::prelude::*;

use super::keys::{HELP, Key};
use super::snapshot::Snapshots;

/// How much a key changes the strength.
const STRENGTH_STEP: f32 = 0.1;
/// The element's own limit.
const MOST_PERSISTENCE: f32 = 0.95;

/// The painter's settings, and what it has painted: for the terminal's keys and for the page.
pub struct Controls {
    style: gst::Element,
    names: Vec<String>,
    /// Styles that may be asked for: those of the list, what the run was started with, and the photo to mix with.
    known: Vec<String>,
    /// Strength to come back to from the photo.
    strength: Mutex<f32>,
    /// Size of network that is wanted. What the element is told is the painter's matter, which makes more of `auto`.
    quality: Mutex<Quality>,
    snapshots: Snapshots,
}

/// How it is painted.
#[derive(Debug, PartialEq, serde::Serialize)]
pub struct Chosen {
    /// A name, or a mix of names.
    pub style: String,
    /// The names, and how much of each.
    pub parts: Vec<(String, f32)>,
    /// Share of the painting; 0 is the photo itself.
    pub strength: f32,
    /// Largest share of history at a pixel.
    pub persistence: f32,
    /// In the photo's colours.
    pub keep_colors: bool,
    /// Size of network that is wanted.
    pub quality: &'static str,
}

/// What is to be painted otherwise; what is not named stays.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// A name, or a mix of names.
    style: Option<String>,
    strength: Option<f32>,
    persistence: Option<f32>,
    keep_colors: Option<bool>,
    quality: Option<String>,
    /// The painting, in the strength that it had, or the photo itself.
    on: Option<bool>,
}

impl Controls {
    /// Those of an element; `quality` is what the user wants of it.
    ///
    /// # Errors
    /// If a folder of styles cannot be read.
    pub fn of(
        style: &gst::Element,
        quality: Quality,
        snapshots: Snapshots,
    ) -> anyhow::Result<Self> {
        let names: Vec<String> = engines::styles::list()?
            .into_iter()
            .map(|listed| listed.name)
            .collect();
        let mut known = names.clone();
        known.push(engines::styles::IDENTITY.to_owned());
        known.extend(parts(&style.property::<String>("style")).map(|(name, _)| name));
        Ok(Self {
            style: style.clone(),
            names,
            known,
            strength: Mutex::new(style.property("strength")),
            quality: Mutex::new(quality),
            snapshots,
        })
    }

    /// Does what a key asks for, and returns what to say about it. [`Key::End`] is not for this.
    ///
    /// # Errors
    /// If a snapshot cannot be written.
    pub fn press(&self, key: Key) -> anyhow::Result<String> {
        let strength = *lock(&self.strength);
        Ok(match key {
            Key::Next => self.turn(1),
            Key::Previous => self.turn(self.names.len() - 1),
            Key::Stronger => self.step_to(strength + STRENGTH_STEP),
            Key::Fainter => self.step_to(strength - STRENGTH_STEP),
            Key::Toggle => {
                let is_on = !self.is_on();
                self.switch(is_on);
                if is_on {
                    "painting"
                } else {
                    "the photo itself"
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
            Key::Snapshot => format!("wrote {}", self.snapshots.write(Path::new("."))?.display()),
            Key::Help | Key::End => HELP.to_owned(),
        })
    }

    /// How it is painted now.
    pub fn chosen(&self) -> Chosen {
        let style: String = self.style.property("style");
        Chosen {
            parts: parts(&style).collect(),
            style,
            strength: self.style.property("strength"),
            persistence: self.style.property("persistence"),
            keep_colors: self.style.property("keep-colors"),
            quality: self.quality().name(),
        }
    }

    /// Size of network that is wanted.
    pub fn quality(&self) -> Quality {
        *lock(&self.quality)
    }

    /// What was painted last, as a PNG.
    ///
    /// # Errors
    /// As [`Snapshots::png`].
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        self.snapshots.png()
    }

    /// The styles of the list.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Paints otherwise from the next frame on: all that is asked for, or nothing.
    ///
    /// # Errors
    /// What of it cannot be had.
    pub fn change(&self, change: &Change) -> anyhow::Result<()> {
        within("strength", change.strength, 1.0)?;
        within("persistence", change.persistence, MOST_PERSISTENCE)?;
        let quality = change.quality.as_deref().map(str::parse).transpose()?;
        if let Some(style) = &change.style {
            self.check_names(style)?;
        }
        if quality.is_some() || change.style.is_some() {
            let now = || self.style.property("style");
            let style = change.style.clone().unwrap_or_else(now);
            engines::styles::find(&style, quality.unwrap_or_else(|| self.quality()))?;
        }
        if let Some(quality) = quality {
            *lock(&self.quality) = quality;
        }
        if let Some(style) = &change.style {
            self.style.set_property("style", style);
        }
        if let Some(persistence) = change.persistence {
            self.style.set_property("persistence", persistence);
        }
        if let Some(keeps) = change.keep_colors {
            self.style.set_property("keep-colors", keeps);
        }
        if let Some(strength) = change.strength {
            self.set_strength(strength);
        }
        if let Some(is_on) = change.on {
            self.switch(is_on);
        }
        Ok(())
    }

    /// Refuses styles that nobody has put into a list: a page is not to open any file there is.
    fn check_names(&self, style: &str) -> anyhow::Result<()> {
        let mix = Mix::parse(style)?;
        for (name, _) in mix.styles() {
            ensure!(
                self.known.iter().any(|known| known == name),
                "there is no style `{name}`; wanted one of {}, or a mix of them",
                self.names.join(", ")
            );
        }
        Ok(())
    }

    /// To the style that is `n_further` further in the list; from one that is not in it, to the first.
    fn turn(&self, n_further: usize) -> String {
        let now: String = self.style.property("style");
        let idx = self.names.iter().position(|name| *name == now);
        let next = idx.map_or(0, |idx| (idx + n_further) % self.names.len());
        self.style.set_property("style", &self.names[next]);
        self.names[next].clone()
    }

    fn is_on(&self) -> bool {
        self.style.property::<f32>("strength") > 0.0
    }

    /// To the painting, in the strength that it had, or to the photo.
    fn switch(&self, is_on: bool) {
        let strength = if is_on { *lock(&self.strength) } else { 0.0 };
        self.style.set_property("strength", strength);
    }

    fn set_strength(&self, strength: f32) {
        if strength > 0.0 {
            *lock(&self.strength) = strength;
        }
        self.style.set_property("strength", strength);
    }

    /// To the strength that a key asks for; none of them leads to the photo.
    fn step_to(&self, strength: f32) -> String {
        let strength = strength.clamp(STRENGTH_STEP, 1.0);
        self.set_strength(strength);
        format!("strength {strength:.1}")
    }
}

/// The names in a style's text, and how much of each; of a text that is not understood, all of it.
fn parts(style: &str) -> impl Iterator<Item = (String, f32)> {
    let parts = match Mix::parse(style) {
        Ok(mix) => mix
            .styles()
            .map(|(name, share)| (name.to_owned(), share))
            .collect(),
        Err(_) => vec![(style.to_owned(), 1.0)],
    };
    parts.into_iter()
}

/// Refuses a number that is not from 0 to `most`.
fn within(name: &str, found: Option<f32>, most: f32) -> anyhow::Result<()> {
    let is_within = found.is_none_or(|found| (0.0..=most).contains(&found));
    let found = found.unwrap_or_default();
    ensure!(
        is_within,
        "{name} is {found}, wanted a number from 0 to {most}"
    );
    Ok(())
}

fn lock<T>(setting: &Mutex<T>) -> MutexGuard<'_, T> {
    setting.lock().expect("nobody panics while it is held")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::live::format::Format;

    fn controls() -> Controls {
        gst::init().unwrap();
        gstimpasto::plugin_register_static().unwrap();
        let style = gst::ElementFactory::make("styletransfer").build().unwrap();
        let format = Format {
            width: 64,
            height: 48,
            fps: 30,
        };
        let snapshots = Snapshots::new(&Arc::default(), format);
        Controls::of(&style, Quality::Auto, snapshots).unwrap()
    }

    #[test]
    fn styles_go_round() {
        let controls = controls();
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
        let controls = controls();
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

    fn change(controls: &Controls, json: &str) -> Result<(), String> {
        let change = serde_json::from_str(json).unwrap();
        controls.change(&change).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_asked_for_is_done_as_a_whole() {
        let controls = controls();
        let all = r#"{"style": "udnie:0.75+identity:0.25", "strength": 0.5, "persistence": 0.25, "keep_colors": true,
                      "quality": "fast"}"#;
        change(&controls, all).unwrap();
        let wanted = Chosen {
            style: "udnie:0.75+identity:0.25".to_owned(),
            parts: vec![("identity".to_owned(), 0.25), ("udnie".to_owned(), 0.75)],
            strength: 0.5,
            persistence: 0.25,
            keep_colors: true,
            quality: "fast",
        };
        assert_eq!(controls.chosen(), wanted);
        for (json, words) in [
            (r#"{"keep_colors": false, "strength": 7}"#, "from 0 to 1"),
            (
                r#"{"keep_colors": false, "strength": -0.1}"#,
                "strength is -0.1",
            ),
            (r#"{"persistence": 0.96}"#, "from 0 to 0.95"),
            (
                r#"{"quality": "superb"}"#,
                "wanted fast, balanced, best or auto",
            ),
            (
                r#"{"keep_colors": false, "style": "no-such"}"#,
                "no style `no-such`; wanted one of",
            ),
            (r#"{"style": "udnie:0+identity:0"}"#, "weight"),
            (r#"{"style": "/etc/passwd.onnx"}"#, "no style `/etc"),
        ] {
            let error = change(&controls, json).unwrap_err();
            assert!(error.contains(words), "{error}");
            assert_eq!(controls.chosen(), wanted);
        }
    }

    #[test]
    fn keys_and_page_share_the_strength() {
        let controls = controls();
        let strength = || controls.chosen().strength;
        change(&controls, r#"{"strength": 0.5}"#).unwrap();
        controls.press(Key::Toggle).unwrap();
        assert_eq!(strength(), 0.0);
        change(&controls, r#"{"on": true}"#).unwrap();
        assert_eq!(strength(), 0.5);
        change(&controls, r#"{"strength": 0}"#).unwrap();
        controls.press(Key::Toggle).unwrap();
        assert_eq!(strength(), 0.5);
        controls.press(Key::Stronger).unwrap();
        assert!((strength() - 0.6).abs() < 1e-6);
    }
}
