//! What the user asked for, as the element's properties hold it.

use std::time::Duration;

use super::{Precision, Quality, Stabilizer};

/// Values of the properties.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub style: String,
    pub strength: f32,
    pub keep_colors: bool,
    pub quality: Quality,
    pub processing_size: u32,
    pub precision: Precision,
    pub max_in_flight: u32,
    pub stabilizer: Stabilizer,
    pub persistence: f32,
    pub exposure_guard: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let look = engines::Look::default();
        Self {
            style: engines::styles::DEFAULT.to_owned(),
            strength: 1.0,
            keep_colors: false,
            quality: Quality::default(),
            processing_size: 0,
            precision: Precision::default(),
            max_in_flight: 1,
            stabilizer: Stabilizer::default(),
            persistence: look.persistence,
            exposure_guard: look.exposure_guard,
        }
    }
}

/// How the frames of a stream follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    /// Time from one frame to the next.
    pub interval: Duration,
    /// They must keep time.
    pub is_live: bool,
}

impl Pace {
    /// The pace of a stream, where the caps say how many frames a second has; 25 where they do not.
    pub(super) fn new(info: &gst_video::VideoInfo, is_live: bool) -> Self {
        let fps = info.fps();
        let rate = (u64::try_from(fps.numer()), u64::try_from(fps.denom()));
        let interval = match rate {
            (Ok(numer), Ok(denom)) if numer > 0 => {
                Duration::from_nanos(1_000_000_000 * denom / numer)
            }
            _ => engines::Settings::default().frame_interval,
        };
        Self { interval, is_live }
    }
}

/// The part of the settings that needs another engine when it changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub style: String,
    pub quality: engines::Quality,
    pub engine: engines::Settings,
}

impl Settings {
    /// The size of network that is asked for.
    pub(super) fn quality(&self) -> engines::Quality {
        match self.quality {
            Quality::Balanced => engines::Quality::Balanced,
            Quality::Best => engines::Quality::Best,
        }
    }

    /// What these settings come to in a stream of this pace.
    pub(super) fn order(&self, pace: Pace) -> Order {
        Order {
            style: self.style.clone(),
            quality: self.quality(),
            engine: engines::Settings {
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

impl Order {
    /// Reads the style and opens it for frames of `format`.
    pub(super) fn open(
        &self,
        format: &engines::FrameFormat,
    ) -> engines::Result<Box<dyn engines::Engine>> {
        let model = engines::styles::find(&self.style, self.quality)?;
        engines::open(&model, format, &self.engine)
    }
}
