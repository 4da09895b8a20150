//! A clip, how it is painted, and how far the GPU backend is from the CPU backend, which is the definition.

use std::time::Duration;

use super::clip::{N_FRAMES, clip, play};
use super::model::{Kind, model};
use super::network::open;
use crate::backend::cpu::Cpu;
use crate::convert::video::{Video, format, largest_difference};
use crate::engine::Engine;
use crate::frame::{FrameFormat, PixelFormat};
use crate::settings::{Look, Precision, Settings, Stabilizer};
use crate::stylizer::Stylizer;

pub(super) const EVEN: (usize, usize) = (144, 96);
pub(super) const ODD: (usize, usize) = (133, 91);

/// Largest difference of a sample, in codes of 8 bits. Measured is 1, in half precision 1 as well; which rows of the paint the
/// definition measures, and so how much it sharpens, depends on the number of threads.
pub(super) const TOLERANCE: f32 = 2.0;

/// A clip and how it is painted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub pixels: PixelFormat,
    pub size: (usize, usize),
    pub kind: Kind,
    pub look: Look,
    pub processing_size: usize,
    pub max_in_flight: usize,
    pub precision: Precision,
    pub reset_before: Option<usize>,
    pub is_live: bool,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            pixels: PixelFormat::Nv12,
            size: EVEN,
            kind: Kind::Planes,
            look: Look::default(),
            processing_size: 0,
            max_in_flight: 1,
            precision: Precision::F32,
            reset_before: None,
            is_live: false,
        }
    }
}

impl Case {
    pub(super) fn format(&self) -> FrameFormat {
        format(self.pixels, self.size.0, self.size.1)
    }

    fn settings(&self) -> Settings {
        Settings {
            processing_size: self.processing_size,
            max_in_flight: self.max_in_flight,
            precision: self.precision,
            frame_interval: Duration::from_millis(125),
            is_live: self.is_live,
            ..Settings::default()
        }
    }

    pub(super) fn on_gpu(&self) -> Box<dyn Engine> {
        let mut engine = open(self.kind, &self.format(), &self.settings()).unwrap();
        engine.set(self.look);
        Box::new(engine)
    }

    pub(super) fn on_cpu(&self) -> Box<dyn Engine> {
        let settings = Settings {
            precision: Precision::F32,
            ..self.settings()
        };
        let backend = Cpu::open(&model(self.kind), &self.format(), &settings).unwrap();
        let mut engine = Stylizer::new(backend, self.format(), &settings).unwrap();
        engine.set(self.look);
        Box::new(engine)
    }

    /// Largest difference between the backends, in codes of 8 bits.
    pub(super) fn difference(&self) -> f32 {
        let clip = clip(self.format());
        let [found, wanted] = [self.on_gpu(), self.on_cpu()]
            .map(|mut engine| play(&mut *engine, &clip, self.reset_before).unwrap());
        let n_lost = self.reset_before.map_or(0, |_| self.max_in_flight - 1);
        assert_eq!(wanted.len(), N_FRAMES - n_lost);
        largest(&found, &wanted)
    }
}

pub(super) fn largest(found: &[Video], wanted: &[Video]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    let differences = found.iter().zip(wanted).map(|(found, wanted)| {
        let scale = match found.format.pixels {
            PixelFormat::P010 => 0.25,
            _ => 1.0,
        };
        scale * largest_difference(found, wanted)
    });
    differences.fold(0.0, f32::max)
}

pub(super) fn look(stabilizer: Stabilizer) -> Look {
    Look {
        stabilizer,
        ..Look::default()
    }
}
