//! The flow: frame → upload → infer → download → frame. Its order is written here and nowhere else.

use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameFormat, FrameMut, Plane, PlaneMut};
use crate::settings::Look;
use crate::stats::{Stage, Stats};

/// A frame that takes longer is not painted twice to warm up.
const LONG: Duration = Duration::from_millis(30);

/// A backend with the pictures on their way through it, in slots that are taken in turn. Nothing is allocated
/// per frame.
pub(crate) struct Stylizer<B: Backend> {
    /// Dropped first: it waits for what still runs on the slots' pictures.
    backend: B,
    format: FrameFormat,
    slots: Vec<Slot<B::Tensor>>,
    /// Slot of the oldest frame.
    oldest_idx: usize,
    n_taken: usize,
    look: Look,
    frame_time: Duration,
    stats: Stats,
}

struct Slot<T> {
    input: T,
    painted: T,
    /// When the network was started, until it has been waited for.
    started: Option<Instant>,
}

impl<B: Backend + Send> Stylizer<B>
where
    B::Tensor: Send,
{
    /// # Errors
    /// Whatever the backend says when it allocates or first runs.
    pub(crate) fn new(mut backend: B, format: FrameFormat, n_slots: usize) -> Result<Self> {
        let slots = (0..n_slots)
            .map(|_| {
                let (input, painted) = (backend.alloc_input()?, backend.alloc_painted()?);
                Ok(Slot {
                    input,
                    painted,
                    started: None,
                })
            })
            .collect::<Result<_>>()?;
        let mut stylizer = Self {
            backend,
            format,
            slots,
            oldest_idx: 0,
            n_taken: 0,
            look: Look::default(),
            frame_time: Duration::ZERO,
            stats: Stats::default(),
        };
        stylizer.warm_up()?;
        Ok(stylizer)
    }

    /// Waits for the network in a slot, if it has not been waited for.
    fn wait(&mut self, slot_idx: usize) -> Result<()> {
        if let Some(started) = self.slots[slot_idx].started.take() {
            self.backend.wait(slot_idx)?;
            self.stats.note(Stage::Infer, started.elapsed());
        }
        Ok(())
    }

    /// Paints a black frame, and another if that was quick: the first one finds cold memory.
    fn warm_up(&mut self) -> Result<()> {
        let FrameFormat {
            pixels,
            width,
            height,
            ..
        } = self.format;
        let sizes: Vec<_> = (0..pixels.n_planes())
            .map(|idx| pixels.plane_size(idx, width, height))
            .collect();
        let black: Vec<_> = sizes
            .iter()
            .map(|(width_bytes, n_rows)| vec![0; width_bytes * n_rows])
            .collect();
        let planes: Vec<_> = black
            .iter()
            .zip(&sizes)
            .map(|(data, &(stride_bytes, _))| Plane { data, stride_bytes })
            .collect();
        let source = Frame::new(self.format, &planes)?;
        let mut target = black.clone();
        for _ in 0..2 {
            let planes = target
                .iter_mut()
                .zip(&sizes)
                .map(|(data, &(stride_bytes, _))| PlaneMut { data, stride_bytes });
            self.submit(&source)?;
            self.drain()?;
            self.receive(&source, &mut FrameMut::new(self.format, planes)?)?;
            self.frame_time = self.stats.latest();
            if self.frame_time > LONG {
                break;
            }
        }
        self.stats = Stats::default();
        Ok(())
    }

    fn check(&self, found: &FrameFormat) -> Result<()> {
        let words = |format: &FrameFormat| {
            let FrameFormat {
                pixels,
                width,
                height,
                matrix,
                range,
            } = format;
            format!("{} {width}x{height} {matrix:?} {range:?}", pixels.name())
        };
        if *found == self.format {
            Ok(())
        } else {
            Err(Error::FrameFormat {
                found: words(found),
                wanted: words(&self.format),
            })
        }
    }
}

impl<B: Backend + Send> Engine for Stylizer<B>
where
    B::Tensor: Send,
{
    fn submit(&mut self, frame: &Frame<'_>) -> Result<()> {
        self.check(frame.format())?;
        if self.n_taken == self.slots.len() {
            return Err(Error::Full {
                max_in_flight: self.slots.len(),
            });
        }
        let slot_idx = (self.oldest_idx + self.n_taken) % self.slots.len();
        let Self {
            backend,
            slots,
            stats,
            ..
        } = self;
        let Slot {
            input,
            painted,
            started,
        } = &mut slots[slot_idx];
        stats.time(Stage::Upload, || backend.upload(frame, input))?;
        backend.infer(slot_idx, input, painted)?;
        *started = Some(Instant::now());
        self.n_taken += 1;
        self.stats.n_in += 1;
        Ok(())
    }

    fn is_ready(&self) -> bool {
        let is_drained = self.n_taken > 0 && self.slots[self.oldest_idx].started.is_none();
        is_drained || self.n_taken == self.slots.len()
    }

    fn receive(&mut self, source: &Frame<'_>, target: &mut FrameMut<'_>) -> Result<bool> {
        self.check(source.format())?;
        self.check(target.format())?;
        if !self.is_ready() {
            return Ok(false);
        }
        let slot_idx = self.oldest_idx;
        self.wait(slot_idx)?;
        let Self {
            backend,
            slots,
            stats,
            look,
            ..
        } = self;
        let painted = &slots[slot_idx].painted;
        stats.time(Stage::Download, || {
            backend.download(painted, source, *look, target)
        })?;
        self.oldest_idx = (slot_idx + 1) % self.slots.len();
        self.n_taken -= 1;
        self.stats.n_out += 1;
        Ok(true)
    }

    fn drain(&mut self) -> Result<()> {
        for i in 0..self.n_taken {
            self.wait((self.oldest_idx + i) % self.slots.len())?;
        }
        Ok(())
    }

    fn set(&mut self, look: Look) {
        self.look = look;
    }

    fn reset(&mut self) {
        for slot_idx in 0..self.slots.len() {
            // What the network says of a frame that nobody wants is of no interest.
            let _ = self.wait(slot_idx);
        }
        self.n_taken = 0;
    }

    fn max_in_flight(&self) -> usize {
        self.slots.len()
    }

    fn describe(&self) -> String {
        self.backend.describe()
    }

    fn frame_time(&self) -> Duration {
        self.frame_time
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}
