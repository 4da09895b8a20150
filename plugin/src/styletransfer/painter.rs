//! An open engine with its frames in flight, and the next engine while it is being opened.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use engines::{Engine, FrameFormat, GpuContext, Look, Quality};

use super::imp::CAT;
use super::ladder::{Ladder, Step};
use super::order::{Opened, Order, Size};
use super::settings::Pace;
use crate::frame::{Source, Target};

/// Least time between two mixes that are opened: whoever slides from one style to another asks for more than anybody sees.
const MIX_INTERVAL: Duration = Duration::from_millis(250);

/// The size in which a live stream starts, and the pixels of a frame beyond which it starts in the smallest: a picture that
/// becomes more beautiful after some seconds is better than one that stutters for as long.
const FIRST_LIVE: Quality = Quality::Balanced;
const FIRST_LIVE_PX: usize = 1280 * 720;

/// What exists between the negotiation of caps and the end of the stream.
pub(super) struct Painter {
    info: gst_video::VideoInfo,
    format: FrameFormat,
    pace: Pace,
    /// Where frames are, if that is on a GPU, and the same for engines.
    context: Option<gstcuda::Context>,
    gpu: Option<GpuContext>,
    /// A frame came from elsewhere, which was said.
    has_foreign: bool,
    opened: Opened,
    /// What painted before, for the way back.
    previous: Option<Opened>,
    /// Buffers of the frames inside the engine, oldest first, with their timestamps and metas.
    slots: VecDeque<gst::Buffer>,
    next: Option<Next>,
    /// An order that could not be filled; it is not tried again until it changes.
    refused: Option<Order>,
    /// When the last mix was begun.
    mixed: Option<Instant>,
    /// The size for [`Size::Auto`], once one was found.
    auto: Option<Quality>,
    /// Chooses among sizes while a live stream plays.
    ladder: Option<Ladder>,
    step: Option<Step>,
    /// What the streaming thread has spent on the frames inside since the last came out.
    busy: Duration,
}

/// An engine that a thread is opening.
struct Next {
    order: Order,
    opening: mpsc::Receiver<engines::Result<Opened>>,
    opened: Option<engines::Result<Opened>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Next {
    fn drop(&mut self) {
        // A process must not end while its libraries are at work. A panic there shows as a closed channel.
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// What [`Painter::receive`] gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Received {
    /// No frame: none is ready.
    Nothing,
    /// A painted frame.
    Painted,
    /// A frame that repeats the one before, and so does its painting.
    Repeated,
}

/// What became of a change of style.
pub(super) enum Change {
    /// The new engine paints from the next frame on. With a step, it is another size of the same style.
    Done(Option<Step>),
    /// The new engine could not be opened; the old one goes on.
    Refused(engines::Error),
}

impl Painter {
    /// Opens what `order` asks for; sizes are tried in `look`.
    pub(super) fn open(
        order: &Order,
        info: gst_video::VideoInfo,
        format: FrameFormat,
        pace: Pace,
        context: Option<gstcuda::Context>,
        look: Look,
    ) -> engines::Result<Self> {
        let gpu = context.as_ref().map(gstcuda::Context::for_engines);
        let opened = settled(order, None, pace, &format, gpu.as_ref()).open(&format, look)?;
        let mut painter = Self {
            info,
            format,
            pace,
            context,
            gpu,
            has_foreign: false,
            opened,
            previous: None,
            slots: VecDeque::new(),
            next: None,
            refused: None,
            mixed: order.is_mix.then(Instant::now),
            auto: None,
            ladder: None,
            step: None,
            busy: Duration::ZERO,
        };
        painter.arrive();
        Ok(painter)
    }

    pub(super) fn info(&self) -> &gst_video::VideoInfo {
        &self.info
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    /// Where frames are, if that is on a GPU.
    pub(super) fn context(&self) -> Option<&gstcuda::Context> {
        self.context.as_ref()
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        &*self.opened.engine
    }

    /// What is worth a warning about how the engine was opened, if that was not said yet.
    pub(super) fn take_remark(&mut self) -> Option<String> {
        self.opened.engine.take_remark()
    }

    /// What is open.
    pub(super) fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Whether this painter is what `order` and `format` ask for.
    pub(super) fn fits(&self, order: &Order, format: &FrameFormat) -> bool {
        self.opened.order == self.settled(order) && self.format == *format
    }

    /// Whether the next engine has been opened: the frames inside the old one are to be drained before
    /// [`Painter::follow`] takes it over.
    pub(super) fn has_next(&mut self, order: &Order) -> bool {
        let Some(next) = &mut self.next else {
            let order = self.settled(order);
            return self.opened.order != order && self.has_kept(&order);
        };
        if next.opened.is_none() {
            next.opened = match next.opening.try_recv() {
                Ok(opened) => Some(opened),
                Err(mpsc::TryRecvError::Empty) => None,
                Err(mpsc::TryRecvError::Disconnected) => Some(Err(engines::Error::Runtime {
                    action: "opening the style",
                    reason: "its thread ended without a result".to_owned(),
                })),
            };
        }
        next.opened.is_some()
    }

    /// Moves towards `order`: starts a thread to open it, or takes over what such a thread has opened, or what painted
    /// before. To be called between frames; never waits.
    pub(super) fn follow(&mut self, order: &Order, look: Look) -> Option<Change> {
        let change = self.next.take().and_then(|next| self.take_over(next));
        let order = self.settled(order);
        if self.next.is_some() || change.is_some() || self.opened.order == order {
            return change;
        }
        if self.refused.as_ref() == Some(&order) {
            self.refuse_step();
            return None;
        }
        if self.has_kept(&order) {
            // Frames that are still inside come out first.
            let kept = self.previous.take_if(|_| self.slots.is_empty())?;
            return Some(self.change_to(kept));
        }
        if order.is_mix {
            if self
                .mixed
                .is_some_and(|mixed| mixed.elapsed() < MIX_INTERVAL)
            {
                return None;
            }
            self.mixed = Some(Instant::now());
        }
        let (sender, opening) = mpsc::channel();
        let (wanted, format) = (order.clone(), self.format);
        let spawned = thread::Builder::new()
            .name("impasto-open".to_owned())
            // Nobody listens any more if the stream has ended meanwhile.
            .spawn(move || drop(sender.send(wanted.open(&format, look))));
        match spawned {
            Ok(thread) => {
                self.next = Some(Next {
                    thread: Some(thread),
                    order,
                    opening,
                    opened: None,
                });
                None
            }
            Err(error) => {
                let error = engines::Error::Runtime {
                    action: "starting a thread",
                    reason: error.to_string(),
                };
                Some(self.refuse(order, error))
            }
        }
    }

    fn take_over(&mut self, mut next: Next) -> Option<Change> {
        match next.opened.take() {
            Some(Ok(opened)) if self.slots.is_empty() => Some(self.change_to(opened)),
            // What is kept for the way back may be what there is no memory for: once more without it.
            Some(Err(engines::Error::Memory { .. } | engines::Error::GpuMemory { .. }))
                if self.previous.take().is_some() =>
            {
                None
            }
            Some(Err(error)) => Some(self.refuse(next.order.clone(), error)),
            opened => {
                next.opened = opened;
                self.next = Some(next);
                None
            }
        }
    }

    /// Lets `opened` paint from the next frame on.
    fn change_to(&mut self, mut opened: Opened) -> Change {
        if let Some(past) = self.opened.engine.hand_over() {
            opened.engine.take_over(past);
        }
        self.previous = Some(std::mem::replace(&mut self.opened, opened));
        self.refused = None;
        let quality = self.opened.quality;
        let step = self.step.take().filter(|step| quality == Some(step.to));
        self.arrive();
        Change::Done(step)
    }

    fn refuse(&mut self, order: Order, error: engines::Error) -> Change {
        self.refused = Some(order);
        self.refuse_step();
        Change::Refused(error)
    }

    fn refuse_step(&mut self) {
        self.step = None;
        if let Some(ladder) = &mut self.ladder {
            ladder.refuse(Instant::now());
        }
    }

    /// Whether what painted before is what `order` asks for.
    fn has_kept(&self, order: &Order) -> bool {
        self.previous
            .as_ref()
            .is_some_and(|kept| kept.order == *order)
    }

    /// Takes note of what has just been opened, if its size was not named.
    fn arrive(&mut self) {
        let Opened {
            quality,
            rungs,
            order,
            ..
        } = &self.opened;
        self.busy = Duration::ZERO;
        let (Some(quality), false) = (*quality, rungs.len() < 2) else {
            self.ladder = None;
            return;
        };
        if matches!(order.size, Size::Named(_)) {
            self.ladder = None;
            return;
        }
        self.auto = Some(quality);
        if !self.pace.is_live {
            // Found once and kept.
            self.opened.order.size = Size::UpTo(quality);
            return;
        }
        let now = Instant::now();
        match &mut self.ladder {
            Some(ladder) if ladder.leads_over(rungs) => ladder.arrive(quality, now),
            ladder => *ladder = Ladder::new(rungs.clone(), quality, self.pace.interval, now),
        }
    }

    /// The order with a size in place of `auto`.
    fn settled(&self, order: &Order) -> Order {
        let wanted = self.ladder.as_ref().map(Ladder::wanted);
        settled(
            order,
            wanted.or(self.auto),
            self.pace,
            &self.format,
            self.gpu.as_ref(),
        )
    }

    /// Notes a frame that came too late to be painted.
    pub(super) fn note_late(&mut self) {
        if let Some(ladder) = self.ladder.as_mut().filter(|_| self.next.is_none()) {
            self.step = ladder.note_late(Instant::now()).or(self.step.take());
        }
    }

    /// Notes a painted frame.
    fn note_painted(&mut self) {
        let took = std::mem::take(&mut self.busy);
        if let Some(ladder) = self.ladder.as_mut().filter(|_| self.next.is_none()) {
            self.step = ladder.note(took, Instant::now()).or(self.step.take());
        }
    }

    /// Gives a frame to the engine.
    pub(super) fn submit(
        &mut self,
        buffer: gst::Buffer,
        look: Look,
    ) -> Result<(), gst::ErrorMessage> {
        let start = Instant::now();
        self.opened.engine.set(look);
        {
            let mapped = Source::map(&buffer, &self.info, self.context.as_ref())?;
            let is_foreign = self.context.is_some() && matches!(mapped, Source::Here(_));
            if is_foreign && !std::mem::replace(&mut self.has_foreign, true) {
                gst::warning!(
                    CAT,
                    "frames come in memory of another CUDA context, and are copied through this machine's"
                );
            }
            mapped
                .frame(self.format)
                .and_then(|frame| self.opened.engine.submit(&frame))
                .map_err(|error| crate::error::message(&error))?;
        }
        self.slots.push_back(buffer);
        self.busy += start.elapsed();
        Ok(())
    }

    /// The buffer of the oldest frame inside the engine, if that is ready.
    pub(super) fn oldest(&self) -> Option<&gst::Buffer> {
        self.slots.front().filter(|_| self.opened.engine.is_ready())
    }

    /// Writes the oldest finished frame into `target`.
    pub(super) fn receive(
        &mut self,
        target: &mut gst::BufferRef,
    ) -> Result<Received, gst::ErrorMessage> {
        let Some(source) = self.slots.front() else {
            return Ok(Received::Nothing);
        };
        let start = Instant::now();
        let n_reused = self.opened.engine.stats().n_reused;
        let context = self.context.as_ref();
        let mapped_source = Source::map(source, &self.info, context)?;
        let mut mapped_target = Target::map(target, &self.info, context)?;
        let received = mapped_source.frame(self.format).and_then(|source| {
            let mut target = mapped_target.frame(self.format)?;
            self.opened.engine.receive(&source, &mut target)
        });
        drop(mapped_source);
        let is_ready = received.map_err(|error| crate::error::message(&error))?;
        if !is_ready {
            return Ok(Received::Nothing);
        }
        self.slots.pop_front();
        self.busy += start.elapsed();
        Ok(match self.opened.engine.stats().n_reused - n_reused {
            0 => {
                self.note_painted();
                Received::Painted
            }
            _ => {
                self.busy = Duration::ZERO;
                Received::Repeated
            }
        })
    }

    /// Waits for the frames inside the engine.
    pub(super) fn drain(&mut self) -> Result<(), gst::ErrorMessage> {
        let start = Instant::now();
        let drained = self.opened.engine.drain();
        self.busy += start.elapsed();
        drained.map_err(|error| crate::error::message(&error))
    }

    /// Forgets the frames inside the engine, and what it keeps of those before.
    pub(super) fn reset(&mut self) {
        self.slots.clear();
        self.busy = Duration::ZERO;
        self.opened.engine.reset();
    }
}

/// The order with where frames are, and with a size in place of `auto`: the one that was found, if any, or how to find it.
fn settled(
    order: &Order,
    found: Option<Quality>,
    pace: Pace,
    format: &FrameFormat,
    gpu: Option<&GpuContext>,
) -> Order {
    let is_large = format.width * format.height > FIRST_LIVE_PX && gpu.is_none();
    let first_live = if is_large { Quality::Fast } else { FIRST_LIVE };
    let size = match (order.size, found) {
        (Size::Auto, Some(quality)) => Size::UpTo(quality),
        (Size::Auto, None) if pace.is_live => Size::UpTo(first_live),
        // Nobody waits for a picture that has no time of its own.
        (Size::Auto, None) if !pace.is_known => Size::UpTo(Quality::Best),
        (Size::Auto, None) => Size::Fitting,
        (size, _) => size,
    };
    let mut order = Order {
        size,
        ..order.clone()
    };
    order.engine.context = gpu.cloned();
    order
}
