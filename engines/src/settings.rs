//! What a user can choose. The words are those of the element's properties and the command line's flags.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::device::GpuContext;
use crate::error::{Error, Result};

/// Size of network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quality {
    /// Keeps up with 1280x720 on two cores.
    Fast,
    /// Keeps up with 1280x720 on a few cores.
    Balanced,
    /// The finest paint.
    Best,
    /// Where frames must keep time, the largest that keeps up; elsewhere the largest that paints a stream as fast as
    /// it plays; for a single picture the largest there is.
    #[default]
    Auto,
}

/// Where the network runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Place {
    /// The processor, until the way through a GPU has been shown on one.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU, by TensorRT.
    TensorRt,
}

/// Number format in which the network computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Half where the processor is faster in it and a built-in picture agrees with `f32` to 40 dB.
    #[default]
    Auto,
    /// 32 bit floating point.
    F32,
    /// 16 bits: bfloat16, float16 or, in code that is built in, fixed point: what the processor is fastest in.
    Half,
}

/// How the picture is kept steady from frame to frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stabilizer {
    /// Every frame is painted by itself.
    Off,
    /// What does not move is held.
    Gate,
    /// What does not move is held, and what moves takes its paint along.
    Flow,
    /// `Flow`; where frames must keep time and it would cost too much of that, `Gate`.
    #[default]
    Auto,
}

impl Quality {
    /// Every size, smallest first.
    pub const SIZES: [Self; 3] = [Self::Fast, Self::Balanced, Self::Best];

    /// Every choice.
    pub const ALL: [Self; 4] = [Self::Fast, Self::Balanced, Self::Best, Self::Auto];

    /// The size that a word means.
    pub fn size(word: &str) -> Option<Self> {
        Self::SIZES.into_iter().find(|size| size.name() == word)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Balanced => "balanced",
            Self::Best => "best",
            Self::Auto => "auto",
        }
    }
}

impl Place {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Cpu, Self::TensorRt];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::TensorRt => "tensorrt",
        }
    }
}

impl Precision {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Auto, Self::F32, Self::Half];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::Half => "half",
        }
    }
}

impl Stabilizer {
    /// Every choice.
    pub const ALL: [Self; 4] = [Self::Off, Self::Gate, Self::Flow, Self::Auto];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Gate => "gate",
            Self::Flow => "flow",
            Self::Auto => "auto",
        }
    }
}

impl fmt::Display for Stabilizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Stabilizer {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|stabilizer| stabilizer.name() == word)
            .ok_or_else(|| Error::Setting {
                name: "stabilizer",
                found: word.to_owned(),
                wanted: "off, gate, flow or auto",
            })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|place| place.name() == word)
            .ok_or_else(|| Error::Setting {
                name: "engine",
                found: word.to_owned(),
                wanted: "auto, cpu or tensorrt",
            })
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Quality {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|quality| quality.name() == word)
            .ok_or_else(|| Error::Setting {
                name: "quality",
                found: word.to_owned(),
                wanted: "fast, balanced, best or auto",
            })
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|precision| precision.name() == word)
            .ok_or_else(|| Error::Setting {
                name: "precision",
                found: word.to_owned(),
                wanted: "auto, f32 or half",
            })
    }
}

/// What is fixed when an engine is opened; another value needs another engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the network runs.
    pub engine: Place,
    /// Index of the GPU, where it runs on one.
    pub device: usize,
    /// The context of that GPU to work in, so that frames of it are taken and given where they are. Frames of this machine's
    /// memory are taken and given all the same; none is given twice for a frame that repeats the last one.
    pub context: Option<GpuContext>,
    /// Height in pixels at which the network works, 0 = the frame's own.
    pub processing_size: usize,
    /// Number format in which the network computes.
    pub precision: Precision,
    /// Frames that may be inside the engine at once, `1..=8`. With one, all cores work on a frame; with more, frames
    /// wait for each other, but no core waits for another.
    pub max_in_flight: usize,
    /// Time from one frame to the next.
    pub frame_interval: Duration,
    /// Frames must keep time: [`Stabilizer::Auto`] looks at `frame_interval`.
    pub is_live: bool,
}

impl Settings {
    /// Frames that may be inside at once.
    ///
    /// # Errors
    /// [`Error::Setting`] outside the range.
    pub(crate) fn checked_slots(&self) -> Result<usize> {
        if (1..=8).contains(&self.max_in_flight) {
            return Ok(self.max_in_flight);
        }
        Err(Error::Setting {
            name: "max-in-flight",
            found: self.max_in_flight.to_string(),
            wanted: "1 to 8 frames",
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: Place::default(),
            device: 0,
            context: None,
            processing_size: 0,
            precision: Precision::default(),
            max_in_flight: 1,
            frame_interval: Duration::from_millis(40),
            is_live: false,
        }
    }
}

/// What changes from one frame to the next without a new engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// How much of the painting replaces the photo, `0.0..=1.0`.
    pub strength: f32,
    /// Paint in the colours of the input: its chroma stays.
    pub keep_colors: bool,
    /// How the picture is kept steady.
    pub stabilizer: Stabilizer,
    /// Largest share of motion-compensated history at a moving pixel, `0.0..=0.95`; 0 is the same as
    /// [`Stabilizer::Off`].
    pub persistence: f32,
    /// Keep a camera's exposure hunting (0.3 to 3 Hz) out of the paint.
    pub exposure_guard: bool,
    /// Give the last painting again for a frame that repeats the last one.
    pub reuse: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            strength: 1.0,
            keep_colors: false,
            stabilizer: Stabilizer::default(),
            persistence: 0.85,
            exposure_guard: true,
            reuse: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for quality in Quality::ALL {
            assert_eq!(quality.name().parse::<Quality>().unwrap(), quality);
        }
        for precision in Precision::ALL {
            assert_eq!(precision.name().parse::<Precision>().unwrap(), precision);
        }
        for place in Place::ALL {
            assert_eq!(place.name().parse::<Place>().unwrap(), place);
        }
        for stabilizer in Stabilizer::ALL {
            assert_eq!(stabilizer.name().parse::<Stabilizer>().unwrap(), stabilizer);
        }
    }

    #[test]
    fn unknown_words_name_the_choices() {
        let error = "superb".parse::<Quality>().unwrap_err().to_string();
        assert_eq!(
            error,
            "quality is superb, wanted fast, balanced, best or auto"
        );
    }
}
