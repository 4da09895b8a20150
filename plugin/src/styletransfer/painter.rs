//! An open engine with its frames in flight, and the next engine while it is being opened.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::thread;

use engines::{Engine, FrameFormat};

use super::settings::{Order, Pace};
use crate::frame;

/// What exists between the negotiation of caps and the end of the stream.
pub(super) struct Painter {
    info: gst_video::VideoInfo,
    format: FrameFormat,
    pace: Pace,
    engine: Box<dyn Engine>,
    order: Order,
    /// Buffers of the frames inside the engine, oldest first, with their timestamps and metas.
    slots: VecDeque<gst::Buffer>,
    next: Option<Next>,
    /// An order that could not be filled; it is not tried again until it changes.
    refused: Option<Order>,
}

/// An engine that a thread is opening.
struct Next {
    order: Order,
    opening: mpsc::Receiver<engines::Result<Box<dyn Engine>>>,
    opened: Option<engines::Result<Box<dyn Engine>>>,
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
    /// The new engine paints from the next frame on.
    Done,
    /// The new engine could not be opened; the old one goes on.
    Refused(engines::Error),
}

impl Painter {
    pub(super) fn open(
        order: Order,
        info: gst_video::VideoInfo,
        format: FrameFormat,
        pace: Pace,
    ) -> engines::Result<Self> {
        let engine = order.open(&format)?;
        Ok(Self {
            info,
            format,
            pace,
            engine,
            order,
            slots: VecDeque::new(),
            next: None,
            refused: None,
        })
    }

    pub(super) fn info(&self) -> &gst_video::VideoInfo {
        &self.info
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Whether this painter is what `order` and `format` ask for.
    pub(super) fn fits(&self, order: &Order, format: &FrameFormat) -> bool {
        self.order == *order && self.format == *format
    }

    /// Whether the next engine has been opened: the frames inside the old one are to be drained before
    /// [`Painter::follow`] takes it over.
    pub(super) fn has_next(&mut self) -> bool {
        let Some(next) = &mut self.next else {
            return false;
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

    /// Moves towards `order`: starts a thread to open it, or takes over what such a thread has opened. To be
    /// called between frames; never waits.
    pub(super) fn follow(&mut self, order: &Order) -> Option<Change> {
        let change = self.next.take().and_then(|next| self.take_over(next));
        let is_settled = self.order == *order || self.refused.as_ref() == Some(order);
        if self.next.is_none() && !is_settled {
            let (sender, opening) = mpsc::channel();
            let (wanted, format) = (order.clone(), self.format);
            let spawned = thread::Builder::new()
                .name("impasto-open".to_owned())
                // Nobody listens any more if the stream has ended meanwhile.
                .spawn(move || drop(sender.send(wanted.open(&format))));
            match spawned {
                Ok(thread) => {
                    self.next = Some(Next {
                        thread: Some(thread),
                        order: order.clone(),
                        opening,
                        opened: None,
                    });
                }
                Err(error) => {
                    self.refused = Some(order.clone());
                    return Some(Change::Refused(engines::Error::Runtime {
                        action: "starting a thread",
                        reason: error.to_string(),
                    }));
                }
            }
        }
        change
    }

    fn take_over(&mut self, mut next: Next) -> Option<Change> {
        match next.opened.take() {
            Some(Ok(mut engine)) if self.slots.is_empty() => {
                if let Some(past) = self.engine.hand_over() {
                    engine.take_over(past);
                }
                self.engine = engine;
                self.order = next.order.clone();
                self.refused = None;
                Some(Change::Done)
            }
            Some(Err(error)) => {
                self.refused = Some(next.order.clone());
                Some(Change::Refused(error))
            }
            opened => {
                next.opened = opened;
                self.next = Some(next);
                None
            }
        }
    }

    /// Gives a frame to the engine.
    pub(super) fn submit(
        &mut self,
        buffer: gst::Buffer,
        look: engines::Look,
    ) -> Result<(), gst::ErrorMessage> {
        self.engine.set(look);
        {
            let mapped = map(&buffer, &self.info)?;
            let frame =
                frame::readable(&mapped, self.format).map_err(|e| crate::error::message(&e))?;
            self.engine
                .submit(&frame)
                .map_err(|error| crate::error::message(&error))?;
        }
        self.slots.push_back(buffer);
        Ok(())
    }

    /// The buffer of the oldest frame inside the engine, if that is ready.
    pub(super) fn oldest(&self) -> Option<&gst::Buffer> {
        self.slots.front().filter(|_| self.engine.is_ready())
    }

    /// Writes the oldest finished frame into `target`.
    pub(super) fn receive(
        &mut self,
        target: &mut gst::BufferRef,
    ) -> Result<Received, gst::ErrorMessage> {
        let Some(source) = self.slots.front() else {
            return Ok(Received::Nothing);
        };
        let n_reused = self.engine.stats().n_reused;
        let mapped_source = map(source, &self.info)?;
        let mut mapped_target = gst_video::VideoFrameRef::from_buffer_ref_writable(
            target, &self.info,
        )
        .map_err(|error| {
            gst::error_msg!(
                gst::ResourceError::Write,
                ("output frame cannot be mapped: {error}")
            )
        })?;
        let received = frame::readable(&mapped_source, self.format).and_then(|source| {
            let mut target = frame::writable(&mut mapped_target, self.format)?;
            self.engine.receive(&source, &mut target)
        });
        drop(mapped_source);
        let is_ready = received.map_err(|error| crate::error::message(&error))?;
        if !is_ready {
            return Ok(Received::Nothing);
        }
        self.slots.pop_front();
        Ok(match self.engine.stats().n_reused - n_reused {
            0 => Received::Painted,
            _ => Received::Repeated,
        })
    }

    /// Waits for the frames inside the engine.
    pub(super) fn drain(&mut self) -> Result<(), gst::ErrorMessage> {
        self.engine
            .drain()
            .map_err(|error| crate::error::message(&error))
    }

    /// Forgets the frames inside the engine, and what it keeps of those before.
    pub(super) fn reset(&mut self) {
        self.slots.clear();
        self.engine.reset();
    }
}

fn map<'a>(
    buffer: &'a gst::Buffer,
    info: &'a gst_video::VideoInfo,
) -> Result<gst_video::VideoFrameRef<&'a gst::BufferRef>, gst::ErrorMessage> {
    gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(|error| {
        gst::error_msg!(
            gst::ResourceError::Read,
            ("input frame cannot be mapped: {error}")
        )
    })
}
