//! Steady pictures: what may be kept of the frame before, and where it is now.
//!
//! ```text
//! luma → cut? → exposure → flow there and back → belief → share of history per cell
//! painted frame, history, shares → blend → history
//! ```
//!
//! The frame before is the *painted* one, moved by the flow between the *inputs*. These are the CPU definitions.

pub(crate) mod believe;
mod blend;
mod cut;
mod detail;
mod exposure;
mod fade;
mod field;
pub(crate) mod flow;
mod glance;
mod history;
mod hold;
pub(crate) mod luma;
mod motion;
mod octet;
mod painted;
mod patch;
pub(crate) mod pyramid;
mod row;
mod segments;
mod sharpening;
mod warp;

use std::time::Duration;

pub(crate) use blend::Blender;
#[cfg(feature = "tensorrt-common")]
pub(crate) use blend::{MARGIN, MEASURED_ROWS};
pub(crate) use exposure::Light;
pub(crate) use fade::Fade;
pub use field::{FlowField, flow_between};
pub(crate) use glance::Glance;
pub(crate) use history::History;
pub(crate) use hold::HeldBand;
pub(crate) use motion::Motion;
pub(crate) use painted::Painted;
#[cfg(feature = "tensorrt-common")]
pub(crate) use sharpening::Sharpening;

use crate::frame::{Frame, FrameFormat};
use believe::{Belief, Evidence, Shares};
use flow::{Flow, Search};
use pyramid::Pyramid;

/// Level of the pyramids at which flow is found: at quarter of 720p.
pub(crate) const FLOW_LEVEL: usize = 1;

/// What is to be found out about a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Task {
    /// Where everything was, or only what did not move.
    pub with_flow: bool,
    /// Largest share of history where things move, `0.0..=0.95`.
    pub persistence: f32,
    /// Keep exposure steady.
    pub guard: bool,
}

impl Task {
    /// Shares of history.
    pub(crate) fn shares(&self) -> Shares {
        let released = 1.0 - self.persistence;
        Shares {
            moving: self.persistence,
            still: 1.0 - released * released,
        }
    }
}

/// Follows frames: finds out what each has to do with the one before.
pub(crate) struct Tracker {
    format: FrameFormat,
    step: usize,
    now: Pyramid,
    before: Pyramid,
    glance: Glance,
    there: (Search, Flow),
    back: (Search, Flow),
    belief: Belief,
}

impl Tracker {
    /// For frames of `format` that follow each other after `interval`.
    pub(crate) fn new(format: &FrameFormat, interval: Duration) -> Self {
        let step = luma::step(format);
        let pyramid = Pyramid::new(format.width / step, format.height / step);
        Self {
            format: *format,
            step,
            glance: Glance::new(pyramid.smallest(), interval),
            now: pyramid.clone(),
            before: pyramid,
            there: Default::default(),
            back: Default::default(),
            belief: Belief::default(),
        }
    }

    /// Format of the frames.
    pub(crate) fn format(&self) -> FrameFormat {
        self.format
    }

    /// Fills `motion` with what `frame` has to do with the one followed before, and says how its light is to be
    /// corrected before it is painted.
    pub(crate) fn follow(&mut self, frame: &Frame<'_>, task: Task, motion: &mut Motion) -> Light {
        std::mem::swap(&mut self.now, &mut self.before);
        luma::read(frame, self.step, &mut self.now.levels[0]);
        self.now.build();
        let small = self.now.smallest();
        let Some(light) = self.glance.look(|now| now.clone_from(small), task.guard) else {
            self.belief.start(&self.now.levels[FLOW_LEVEL]);
            motion.is_fresh = true;
            return Light::SAME;
        };
        if task.guard {
            for level in &mut self.now.levels {
                level.relight(light);
            }
        }
        if task.persistence > 0.0 {
            self.weigh(task, motion);
        } else {
            motion.is_fresh = true;
        }
        light
    }

    /// Forgets the frame before.
    pub(crate) fn reset(&mut self) {
        self.glance.reset();
    }

    fn weigh(&mut self, task: Task, motion: &mut Motion) {
        let Self {
            now,
            before,
            there,
            back,
            belief,
            ..
        } = self;
        if task.with_flow {
            rayon::join(
                || there.0.find(now, before, &mut there.1),
                || back.0.find(before, now, &mut back.1),
            );
        }
        let evidence = Evidence {
            now: &now.levels[FLOW_LEVEL],
            before: &before.levels[FLOW_LEVEL],
            flows: task.with_flow.then_some((&there.1, &back.1)),
        };
        belief.weigh(&evidence, task.shares(), motion);
    }
}
