//! What the user asked for, as the element's properties hold it.

use std::time::Duration;

use super::order::{Order, Size};
use super::{Engine, Precision, Quality, Stabilizer};

/// Values of the properties.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub style: Style,
    pub strength: f32,
    pub keep_colors: bool,
    pub quality: Quality,
    pub processing_size: u32,
    pub precision: Precision,
    pub engine: Engine,
    pub device: u32,
    pub max_in_flight: u32,
    pub stabilizer: Stabilizer,
    pub persistence: f32,
    pub exposure_guard: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let look = engines::Look::default();
        Self {
            style: Style::new(engines::styles::DEFAULT.to_owned()),
            strength: 1.0,
            keep_colors: false,
            quality: Quality::default(),
            processing_size: 0,
            precision: Precision::default(),
            engine: Engine::default(),
            device: 0,
            max_in_flight: 1,
            stabilizer: Stabilizer::default(),
            persistence: look.persistence,
            exposure_guard: look.exposure_guard,
        }
    }
}

/// A style as the user wrote it, understood once and not with every frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Style {
    /// The text.
    pub text: String,
    /// What is to be opened: the same for every text that means the same mix. A text that is not understood stays as it
    /// is, and says so when it is opened.
    pub normal: String,
    /// It is made of several styles.
    pub is_mix: bool,
}

impl Style {
    pub(super) fn new(text: String) -> Self {
        let mix = engines::Mix::parse(&text).ok();
        Self {
            normal: mix
                .as_ref()
                .map_or_else(|| text.clone(), ToString::to_string),
            is_mix: mix.is_some_and(|mix| !mix.is_single()),
            text,
        }
    }
}

/// How the frames of a stream follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    /// Time from one frame to the next.
    pub interval: Duration,
    /// The caps tell it.
    pub is_known: bool,
    /// They must keep time.
    pub is_live: bool,
}

impl Pace {
    /// The pace of a stream, where the caps say how many frames a second has; 25 where they do not.
    pub(super) fn new(info: &gst_video::VideoInfo, is_live: bool) -> Self {
        let fps = info.fps();
        let rate = (u64::try_from(fps.numer()), u64::try_from(fps.denom()));
        let known = match rate {
            (Ok(numer), Ok(denom)) if numer > 0 => {
                Some(Duration::from_nanos(1_000_000_000 * denom / numer))
            }
            _ => None,
        };
        Self {
            interval: known.unwrap_or(engines::Settings::default().frame_interval),
            is_known: known.is_some(),
            is_live,
        }
    }
}

impl Settings {
    /// The size of network that is asked for.
    pub(super) fn quality(&self) -> engines::Quality {
        match self.quality {
            Quality::Fast => engines::Quality::Fast,
            Quality::Balanced => engines::Quality::Balanced,
            Quality::Best => engines::Quality::Best,
            Quality::Auto => engines::Quality::Auto,
        }
    }

    /// What these settings come to in a stream of this pace.
    pub(super) fn order(&self, pace: Pace) -> Order {
        Order {
            style: self.style.normal.clone(),
            is_mix: self.style.is_mix,
            size: match self.quality() {
                engines::Quality::Auto => Size::Auto,
                named => Size::Named(named),
            },
            engine: engines::Settings {
                engine: match self.engine {
                    Engine::Auto => engines::Place::Auto,
                    Engine::Cpu => engines::Place::Cpu,
                    Engine::TensorRt => engines::Place::TensorRt,
                },
                device: self.device as usize,
                // The painter knows where frames are.
                context: None,
                processing_size: self.processing_size as usize,
                max_in_flight: self.max_in_flight as usize,
                precision: match self.precision {
                    Precision::Auto => engines::Precision::Auto,
                    Precision::F32 => engines::Precision::F32,
                    Precision::Half => engines::Precision::Half,
                },
                frame_interval: pace.interval,
                is_live: pace.is_live,
            },
        }
    }

    pub(super) fn look(&self) -> engines::Look {
        engines::Look {
            strength: self.strength,
            keep_colors: self.keep_colors,
            stabilizer: match self.stabilizer {
                Stabilizer::Off => engines::Stabilizer::Off,
                Stabilizer::Gate => engines::Stabilizer::Gate,
                Stabilizer::Flow => engines::Stabilizer::Flow,
                Stabilizer::Auto => engines::Stabilizer::Auto,
            },
            persistence: self.persistence,
            exposure_guard: self.exposure_guard,
            reuse: true,
        }
    }

    /// Whether frames go through untouched.
    pub(super) fn is_off(&self) -> bool {
        self.strength == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_mean_the_same_are_one_style() {
        let style = |text: &str| Style::new(text.to_owned());
        let mix = style("b:0.3+a:0.7");
        assert!(mix.is_mix);
        assert_eq!(mix.text, "b:0.3+a:0.7");
        assert_eq!(mix.normal, style("a:0.702+b:0.298").normal);
        assert_eq!(style("a:1+b:0").normal, "a");
        let wrong = style("a:x+b");
        assert_eq!((wrong.normal.as_str(), wrong.is_mix), ("a:x+b", false));
    }
}
