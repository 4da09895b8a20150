//! Frames followed on the GPU: the twin of the stabiliser's `Tracker`.
//!
//! Only a small picture of each frame comes back, by which the CPU's own code tells cuts and light.

#![expect(unsafe_code, reason = "kernels are given addresses")]

use std::time::Duration;

use cudarc::driver::CudaSlice;

use super::cuda::{Cuda, address, failed};
use super::flow::Flow;
use super::kernels::{self, Address};
use super::motion::Motion;
use super::pinned::Pinned;
use super::pyramid::Pyramid;
use crate::error::Result;
use crate::frame::FrameFormat;
use crate::stabilizer::pyramid::{BORDER_PX, Level, Pyramid as Twin};
use crate::stabilizer::{FLOW_LEVEL, Glance, Light, Task, luma};

/// Follows frames: finds out what each has to do with the one before.
pub(super) struct Tracker {
    format: FrameFormat,
    now: Pyramid,
    before: Pyramid,
    /// The smallest level of a frame, here.
    small: Pinned,
    glance: Glance,
    flow: Flow,
    belief: Belief,
}

/// What believing needs room for.
struct Belief {
    /// Cells in a row, and rows of cells.
    size: (usize, usize),
    /// What moved, what stayed, whether ways lead home, shares of what moves and of what does not, and what was painted for.
    planes: CudaSlice<f32>,
    arrived: CudaSlice<u64>,
}

impl Tracker {
    /// For frames of `format` that follow each other after `interval`.
    pub(super) fn new(cuda: &Cuda, format: &FrameFormat, interval: Duration) -> Result<Self> {
        let step = luma::step(format);
        let twin = Twin::new(format.width / step, format.height / step);
        let small = twin.smallest();
        let cells = &twin.levels[FLOW_LEVEL];
        let size = (cells.width, cells.height);
        Ok(Self {
            format: *format,
            now: Pyramid::new(cuda, format, &twin)?,
            before: Pyramid::new(cuda, format, &twin)?,
            small: Pinned::new(
                cuda,
                kernels::Level::n_values((small.width, small.height)) * size_of::<f32>(),
            )?,
            glance: Glance::new(small, interval),
            flow: Flow::new(cuda, &twin)?,
            belief: Belief {
                size,
                planes: cuda.alloc(6 * size.0 * size.1)?,
                arrived: cuda.alloc(size.0 * size.1)?,
            },
        })
    }

    /// Format of the frames.
    pub(super) fn format(&self) -> FrameFormat {
        self.format
    }

    /// Room for what is found out about a frame.
    pub(super) fn alloc_motion(&self, cuda: &Cuda) -> Result<Motion> {
        Motion::new(cuda, self.belief.size)
    }

    /// Fills `motion` with what a frame has to do with the one followed before, and says how its light is to be corrected
    /// before it is painted. This waits for the frame's small picture; the rest of the work is under way on `following`.
    ///
    /// # Safety
    /// The frame is on its way to this GPU by `following`, in the format that this was made for.
    pub(super) unsafe fn follow(
        &mut self,
        cuda: &Cuda,
        frame: kernels::Frame,
        task: Task,
        motion: &mut Motion,
    ) -> Result<Light> {
        // SAFETY: the caller's.
        let light = unsafe { self.take(cuda, frame, task, motion) };
        if light.is_err() {
            // What was begun is nothing to go on from.
            self.reset();
        }
        light
    }

    /// Forgets the frame before.
    pub(super) fn reset(&mut self) {
        self.glance.reset();
    }

    /// Takes a frame, see `follow`.
    unsafe fn take(
        &mut self,
        cuda: &Cuda,
        frame: kernels::Frame,
        task: Task,
        motion: &mut Motion,
    ) -> Result<Light> {
        motion.is_fresh = true;
        std::mem::swap(&mut self.now, &mut self.before);
        // SAFETY: the caller's.
        unsafe { self.now.read(cuda, frame)? };
        let small = self.now.smallest();
        // SAFETY: numbers are bytes.
        let bytes = unsafe { small.transmute::<u8>(small.len() * size_of::<f32>()) };
        self.small
            .fetch(&cuda.following, &bytes.expect("both are of one size"))?;
        let values: &[f32] = bytemuck::cast_slice(self.small.bytes()?);
        let Some(light) = self.glance.look(|now| fill(now, values), task.guard) else {
            let job = self.belief.job(&self.now, &self.before, motion);
            // SAFETY: planes and level are of one size, and used on this stream alone.
            unsafe { cuda.launch(&cuda.following, "believe_anew", &job, job.grid())? };
            return Ok(Light::SAME);
        };
        if task.guard {
            self.now.relight(cuda, light)?;
        }
        if task.persistence > 0.0 {
            self.weigh(cuda, task, motion)?;
            motion.is_found_by(&cuda.following)?;
            motion.is_fresh = false;
        }
        Ok(light)
    }

    fn weigh(&mut self, cuda: &Cuda, task: Task, motion: &Motion) -> Result<()> {
        let Self {
            now,
            before,
            flow,
            belief,
            ..
        } = self;
        let mut flows = 0;
        if task.with_flow {
            flow.find(cuda, now, before)?;
            flows = flow.address();
        }
        cuda.following
            .memset_zeros(&mut belief.arrived)
            .map_err(failed("clearing what arrives"))?;
        let shares = task.shares();
        let job = kernels::Belief {
            flows,
            moving_share: shares.moving,
            still_share: shares.still,
            ..belief.job(now, before, motion)
        };
        for kernel in kernels::Belief::KERNELS {
            // SAFETY: planes and levels are of one size, and used on this stream alone until the motion is found.
            unsafe { cuda.launch(&cuda.following, kernel, &job, job.grid())? };
        }
        Ok(())
    }
}

impl Belief {
    /// What is told to kernels, without flow and with nothing to be kept.
    fn job(&self, now: &Pyramid, before: &Pyramid, motion: &Motion) -> kernels::Belief {
        let plane_bytes = self.size.0 * self.size.1 * size_of::<f32>();
        let plane = |idx: usize| address(&self.planes) + (idx * plane_bytes) as Address;
        let [u, v, share] = motion.planes();
        kernels::Belief {
            now: now.level(FLOW_LEVEL),
            before: before.level(FLOW_LEVEL),
            flows: 0,
            moving_share: 0.0,
            still_share: 0.0,
            moved: plane(0),
            stayed: plane(1),
            paths: plane(2),
            arrived: address(&self.arrived),
            moving: plane(3),
            still: plane(4),
            painted_for: plane(5),
            u,
            v,
            share,
            moves: motion.rows_that_move(),
        }
    }
}

/// Fills a level of values that have a border.
fn fill(level: &mut Level, values: &[f32]) {
    let rows = values.chunks_exact(level.width + 2 * BORDER_PX);
    let rows = rows.skip(BORDER_PX).take(level.height);
    for (y, row) in rows.enumerate() {
        let width = level.width;
        level.row_mut(y).copy_from_slice(&row[BORDER_PX..][..width]);
    }
}
