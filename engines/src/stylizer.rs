//! The flow: frame → send → follow → upload → infer → blend → download → frame. Its order is written here and nowhere else.

use std::time::{Duration, Instant};

use crate::backend::{Backend, Done};
use crate::device::{DeviceBytes, GpuContext};
use crate::engine::{Engine, Past};
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameFormat, FrameMut, Plane, PlaneMut};
use crate::repeat::{Repeats, This};
use crate::settings::{Look, Settings, Stabilizer};
use crate::stabilizer::{Light, Task};
use crate::stats::{Stage, Stats};

/// A frame that takes longer is not painted twice to warm up.
const LONG: Duration = Duration::from_millis(30);

/// A backend with the pictures on their way through it, in slots that are taken in turn. Nothing is allocated
/// per frame.
pub(crate) struct Stylizer<B: Backend> {
    /// Dropped first: it waits for what still runs on the slots' pictures.
    backend: B,
    format: FrameFormat,
    slots: Vec<Slot<B>>,
    /// Slot of the oldest frame.
    oldest_idx: usize,
    n_taken: usize,
    look: Look,
    repeats: Repeats,
    /// The frame received last was blended: its paint is there to be kept.
    has_history: bool,
    /// What [`Stabilizer::Auto`] comes to.
    auto: Stabilizer,
    frame_time: Duration,
    stats: Stats,
    /// What the slots' pictures live in, if others made it: dropped last.
    _context: Option<GpuContext>,
}

struct Slot<B: Backend> {
    input: B::Tensor,
    painted: B::Tensor,
    motion: B::Motion,
    /// The frame is the one before once more; nothing was done about it.
    is_repeat: bool,
    /// The frame goes into the history.
    is_kept: bool,
    /// Its painting may be given once more.
    keeps_painting: bool,
    /// What following it took.
    followed: Duration,
    /// When the network was started, until it has been waited for.
    started: Option<Instant>,
}

impl<B: Backend + Send> Stylizer<B>
where
    B::Tensor: Send,
    B::Motion: Send,
{
    /// # Errors
    /// Whatever the backend says when it allocates or first runs.
    pub(crate) fn new(mut backend: B, format: FrameFormat, settings: &Settings) -> Result<Self> {
        let slots = (0..settings.max_in_flight)
            .map(|_| {
                Ok(Slot {
                    input: backend.alloc_input()?,
                    painted: backend.alloc_painted()?,
                    motion: backend.alloc_motion()?,
                    is_repeat: false,
                    is_kept: false,
                    keeps_painting: false,
                    followed: Duration::ZERO,
                    started: None,
                })
            })
            .collect::<Result<_>>()?;
        let mut stylizer = Self {
            _context: backend.context().cloned(),
            backend,
            format,
            slots,
            oldest_idx: 0,
            n_taken: 0,
            look: Look {
                stabilizer: Stabilizer::Off,
                exposure_guard: false,
                reuse: false,
                ..Look::default()
            },
            repeats: Repeats::default(),
            has_history: false,
            auto: Stabilizer::Flow,
            frame_time: Duration::ZERO,
            stats: Stats::default(),
        };
        stylizer.warm_up()?;
        stylizer.look = Look::default();
        if settings.is_live {
            stylizer.choose(settings.frame_interval)?;
        }
        Ok(stylizer)
    }

    /// What is to be found out about a frame; nothing if frames are painted as they are, one by one.
    fn task(&self) -> Option<Task> {
        let Look {
            stabilizer,
            persistence,
            exposure_guard: guard,
            ..
        } = self.look;
        let stabilizer = match stabilizer {
            Stabilizer::Auto => self.auto,
            named => named,
        };
        let persistence = match stabilizer {
            Stabilizer::Off => 0.0,
            _ => persistence,
        };
        let with_flow = stabilizer == Stabilizer::Flow;
        let task = Task {
            with_flow,
            persistence,
            guard,
        };
        (guard || persistence > 0.0).then_some(task)
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
        for _ in 0..2 {
            self.paint_bytes(|_| 0)?;
            self.frame_time = self.latest();
            if self.frame_time > LONG {
                break;
            }
        }
        self.stats = Stats::default();
        Ok(())
    }

    /// What the newest frame took.
    fn latest(&self) -> Duration {
        Stage::ALL
            .map(|stage| self.stats.latest(stage))
            .iter()
            .sum()
    }

    /// Finds the best that [`Stabilizer::Auto`] can be if a frame may not take longer than `interval`.
    fn choose(&mut self, interval: Duration) -> Result<()> {
        let own = self.look;
        for stabilizer in [Stabilizer::Flow, Stabilizer::Gate] {
            self.auto = stabilizer;
            self.look = Look {
                stabilizer,
                reuse: false,
                ..Look::default()
            };
            for seed in 0..3 {
                self.paint_bytes(noise(seed))?;
            }
            self.frame_time = self.latest();
            self.reset();
            if self.frame_time <= interval {
                break;
            }
        }
        self.look = own;
        self.stats = Stats::default();
        Ok(())
    }

    /// Paints a frame of these bytes, and drops it.
    fn paint_bytes(&mut self, byte: impl Fn(usize) -> u8) -> Result<()> {
        let photo = self.bytes(byte);
        let mut painting = photo.clone();
        let source = frame(self.format, &photo)?;
        let mut target = frame_mut(self.format, &mut painting)?;
        self.submit(&source)?;
        self.drain()?;
        self.receive(&source, &mut target)?;
        Ok(())
    }

    /// Planes of a frame.
    fn bytes(&self, byte: impl Fn(usize) -> u8) -> Vec<Vec<u8>> {
        let FrameFormat {
            pixels,
            width,
            height,
            ..
        } = self.format;
        (0..pixels.n_planes())
            .map(|idx| pixels.plane_size(idx, width, height))
            .map(|(width_bytes, n_rows)| (0..width_bytes * n_rows).map(&byte).collect())
            .collect()
    }

    /// Time from one frame to the next when each follows as soon as there is a slot for it.
    fn run_through(&mut self) -> Result<Duration> {
        let photos = [1, 2].map(|seed| self.bytes(noise(seed)));
        let [first, second] = &photos;
        let sources = [frame(self.format, first)?, frame(self.format, second)?];
        let mut painting = first.clone();
        let mut target = frame_mut(self.format, &mut painting)?;
        let n_frames = 2 * self.slots.len() + 1;
        let mut n_out = 0;
        let mut start = Instant::now();
        for n_in in 0..n_frames {
            self.submit(&sources[n_in % 2])?;
            if n_in + 1 == n_frames {
                self.drain()?;
            }
            while self.n_taken > 0 && self.receive(&sources[n_out % 2], &mut target)? {
                n_out += 1;
                if n_out == 1 {
                    // The first one finds empty slots and cold memory.
                    start = Instant::now();
                }
            }
        }
        Ok(start.elapsed() / (n_frames - 1) as u32)
    }

    /// Checks that a frame is of the engine's format, and where the backend can reach it.
    fn check(&self, found: &FrameFormat, device: Option<DeviceBytes>) -> Result<()> {
        let own = self.backend.context().map(GpuContext::handle);
        if device.is_some_and(|device| own != Some(device.context)) {
            return Err(Error::ForeignFrame);
        }
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

/// Bytes of which nothing is still from one seed to the next, so that all of flow's work is done.
fn noise(seed: usize) -> impl Fn(usize) -> u8 {
    move |idx| ((idx + seed * 7919).wrapping_mul(0x9e37_79b9) >> 13) as u8
}

fn frame(format: FrameFormat, bytes: &[Vec<u8>]) -> Result<Frame<'_>> {
    let planes: Vec<_> = bytes
        .iter()
        .enumerate()
        .map(|(idx, data)| Plane {
            data,
            stride_bytes: stride_bytes(format, idx),
        })
        .collect();
    Frame::new(format, &planes)
}

fn frame_mut(format: FrameFormat, bytes: &mut [Vec<u8>]) -> Result<FrameMut<'_>> {
    let planes = bytes.iter_mut().enumerate().map(|(idx, data)| PlaneMut {
        data,
        stride_bytes: stride_bytes(format, idx),
    });
    FrameMut::new(format, planes)
}

fn stride_bytes(format: FrameFormat, plane_idx: usize) -> usize {
    let (width_bytes, _) = format
        .pixels
        .plane_size(plane_idx, format.width, format.height);
    width_bytes
}

impl<B: Backend + Send> Engine for Stylizer<B>
where
    B::Tensor: Send,
    B::Motion: Send,
{
    fn submit(&mut self, frame: &Frame<'_>) -> Result<()> {
        self.check(frame.format(), frame.device())?;
        if self.n_taken == self.slots.len() {
            return Err(Error::Full {
                max_in_flight: self.slots.len(),
            });
        }
        let slot_idx = (self.oldest_idx + self.n_taken) % self.slots.len();
        let task = self.task();
        // Paintings that may be on a GPU are not kept here.
        let reuses = self.look.reuse && self.backend.context().is_none();
        let this = reuses.then(|| This::new(frame, self.look));
        let is_repeat = this
            .as_ref()
            .is_some_and(|this| self.repeats.are(this) && !self.backend.is_fading());
        // Noted again at the end: a frame that fails on its way leaves no painting to be given once more.
        self.repeats.reset();
        let Self {
            backend,
            slots,
            stats,
            ..
        } = self;
        let slot = &mut slots[slot_idx];
        slot.is_repeat = is_repeat;
        slot.keeps_painting = this.is_some();
        if !is_repeat {
            B::work(|| {
                let start = Instant::now();
                backend.send(frame, &mut slot.input)?;
                let sent = Instant::now();
                let light = match task {
                    Some(task) => backend.follow(frame, &slot.input, task, &mut slot.motion)?,
                    None => Light::SAME,
                };
                if task.is_none() {
                    backend.forget();
                }
                slot.is_kept = task.is_some_and(|task| task.persistence > 0.0);
                slot.followed = sent.elapsed();
                backend.upload(frame, light, &mut slot.input)?;
                stats.note(Stage::Upload, start.elapsed() - slot.followed);
                Ok::<_, Error>(())
            })?;
            let started = Instant::now();
            backend.infer(slot_idx, &slot.input, &mut slot.painted)?;
            slot.started = Some(started);
        }
        if let Some(this) = this {
            self.repeats.submit(this);
        }
        self.n_taken += 1;
        self.stats.n_in += 1;
        Ok(())
    }

    fn is_ready(&self) -> bool {
        let is_drained = self.n_taken > 0 && self.slots[self.oldest_idx].started.is_none();
        is_drained || self.n_taken == self.slots.len()
    }

    fn receive(&mut self, source: &Frame<'_>, target: &mut FrameMut<'_>) -> Result<bool> {
        self.check(source.format(), source.device())?;
        self.check(target.format(), target.device())?;
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
            repeats,
            has_history,
            ..
        } = self;
        let slot = &mut slots[slot_idx];
        if slot.is_repeat {
            repeats.give(target);
            stats.n_reused += 1;
        } else {
            B::work(|| {
                // As a whole, for not every picture may be looked at by several threads.
                let slot = &mut *slot;
                let mut done = Done::Painted(&slot.painted);
                if slot.is_kept {
                    let start = Instant::now();
                    let motion = has_history.then_some(&slot.motion);
                    done = backend.blend(&slot.painted, motion)?;
                    stats.note(Stage::Stabilize, slot.followed + start.elapsed());
                }
                if *has_history && !slot.is_kept {
                    backend.forget();
                }
                *has_history = slot.is_kept;
                stats.time(Stage::Download, || {
                    backend.download(done, &slot.input, source, *look, target)
                })
            })?;
            if slot.keeps_painting {
                repeats.keep(target);
            }
        }
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
        self.has_history = false;
        self.repeats.reset();
        self.backend.forget();
    }

    fn hand_over(&mut self) -> Option<Past> {
        let past = if self.has_history {
            self.backend.hand_over()
        } else {
            None
        };
        self.reset();
        past.map(|past| Past(Box::new(past)))
    }

    fn take_over(&mut self, past: Past) {
        if self.n_taken == 0
            && let Ok(past) = past.0.downcast()
        {
            self.has_history = self.backend.take_over(*past);
        }
    }

    fn max_in_flight(&self) -> usize {
        self.slots.len()
    }

    fn describe(&self) -> String {
        self.backend.describe()
    }

    fn take_remark(&mut self) -> Option<String> {
        self.backend.take_remark()
    }

    fn frame_time(&self) -> Duration {
        self.frame_time
    }

    fn measure_pace(&mut self) -> Result<Duration> {
        let own = self.look;
        self.look.reuse = false;
        self.reset();
        let pace = self.run_through();
        self.reset();
        self.look = own;
        self.stats = Stats::default();
        pace
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}
