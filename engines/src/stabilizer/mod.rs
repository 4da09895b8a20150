//! Steady pictures: what may be kept of the frame before, and where it is now.
//!
//! ```text
//! luma → cut? → exposure → flow there and back → belief → share of history per cell
//! painted frame, history, shares → blend → history
//! ```
//!
//! The frame before is the *painted* one, moved by the flow between the *inputs*. These are the CPU definitions.

mod believe;
mod blend;
mod cut;
mod exposure;
mod fade;
mod field;
mod flow;
mod history;
mod hold;
mod luma;
mod motion;
mod octet;
mod painted;
mod patch;
mod pyramid;
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
pub(crate) use history::History;
pub(crate) use hold::HeldBand;
pub(crate) use motion::Motion;
pub(crate) use painted::Painted;
#[cfg(feature = "tensorrt-common")]
pub(crate) use sharpening::Sharpening;

use crate::frame::{Frame, FrameFormat};
use believe::{Belief, Evidence, Shares};
use exposure::Guard;
use flow::{Flow, Search};
use pyramid::{Level, Pyramid};

/// Level of the pyramids at which flow is found: at quarter of 720p.
const FLOW_LEVEL: usize = 1;

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

/// Follows frames: finds out what each has to do with the one before.
pub(crate) struct Tracker {
    format: FrameFormat,
    step: usize,
    now: Pyramid,
    before: Pyramid,
    /// The smallest levels as they came in, before the guard changed their light.
    thumbnails: [Level; 2],
    has_before: bool,
    guard: Guard,
    there: (Search, Flow),
    back: (Search, Flow),
    belief: Belief,
}

impl Tracker {
    /// For frames of `format` that follow each other after `interval`.
    pub(crate) fn new(format: &FrameFormat, interval: Duration) -> Self {
        let step = luma::step(format);
        let pyramid = Pyramid::new(format.width / step, format.height / step);
        let thumbnail = pyramid.smallest().clone();
        Self {
            format: *format,
            step,
            thumbnails: [thumbnail.clone(), thumbnail],
            now: pyramid.clone(),
            before: pyramid,
            has_before: false,
            guard: Guard::new(interval),
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
        let had_before = std::mem::replace(&mut self.has_before, true);
        let [before, now] = &mut self.thumbnails;
        std::mem::swap(before, now);
        now.clone_from(self.now.smallest());
        if !had_before || cut::is_between(before, now) {
            self.guard.reset();
            self.belief.start(&self.now.levels[FLOW_LEVEL]);
            motion.is_fresh = true;
            return Light::SAME;
        }
        let light = if task.guard {
            let light = self.guard.follow(before, now);
            for level in &mut self.now.levels[FLOW_LEVEL..] {
                level.relight(light);
            }
            light
        } else {
            Light::SAME
        };
        if task.persistence > 0.0 {
            self.weigh(task, motion);
        } else {
            motion.is_fresh = true;
        }
        light
    }

    /// Forgets the frame before.
    pub(crate) fn reset(&mut self) {
        self.has_before = false;
        self.guard.reset();
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
                || there.0.find(now, before, FLOW_LEVEL, &mut there.1),
                || back.0.find(before, now, FLOW_LEVEL, &mut back.1),
            );
        }
        let evidence = Evidence {
            now: &now.levels[FLOW_LEVEL],
            before: &before.levels[FLOW_LEVEL],
            flows: task.with_flow.then_some((&there.1, &back.1)),
        };
        let released = 1.0 - task.persistence;
        let shares = Shares {
            moving: task.persistence,
            still: 1.0 - released * released,
        };
        belief.weigh(&evidence, shares, motion);
    }
}
