//! What the GPU keeps from frame to frame: the twin of the CPU backend's `steady.rs`.

#![expect(unsafe_code, reason = "kernels are given addresses")]

use std::sync::Arc;
use std::time::Duration;

use cudarc::driver::{CudaContext, CudaSlice};

use super::cuda::{Cuda, address, failed};
use super::kernels::{Blend, Picture, Take};
use super::motion::Motion;
use super::pinned::Pinned;
use super::tracker::Tracker;
use crate::device::GpuContext;
use crate::error::Result;
use crate::frame::FrameFormat;
use crate::stabilizer::{Fade, History, MARGIN, MEASURED_ROWS, Sharpening};

/// Pixels of a row that are measured together.
const SEGMENT: usize = 8;

/// A picture of the network's, and what its values mean.
pub(super) struct Painted {
    /// Where it lies.
    pub picture: Picture,
    /// Values of black and white.
    pub bounds: (f32, f32),
    /// Its first channel is blue.
    pub is_bgr: bool,
}

/// The followed frames and the painted history.
pub(super) struct Steady {
    pub tracker: Tracker,
    interval: Duration,
    /// Width and height of the histories.
    size: (usize, usize),
    /// The frame shown last, the one painted now, and the next to be shown.
    history: CudaSlice<u16>,
    taken: CudaSlice<u16>,
    next: CudaSlice<u16>,
    has_history: bool,
    blended: CudaSlice<f32>,
    moving: CudaSlice<f32>,
    /// Gradients of the frame before, on the GPU and here, and whether there are any.
    sums: CudaSlice<u64>,
    sums_here: Pinned,
    is_measured: bool,
    sharpening: Sharpening,
    /// What was taken over.
    fade: Fade,
}

/// What goes from one backend to the next.
pub(crate) struct Past {
    tracker: Tracker,
    history: CudaSlice<u16>,
    size: (usize, usize),
    /// Where it lies; dropped last.
    context: Arc<CudaContext>,
    _given: Option<GpuContext>,
}

impl Steady {
    /// For frames of a format that are painted in `size`.
    pub(super) fn new(
        cuda: &Cuda,
        format: &FrameFormat,
        size: (usize, usize),
        interval: Duration,
    ) -> Result<Self> {
        let n_pixels = size.0 * size.1;
        Ok(Self {
            tracker: Tracker::new(cuda, format, interval)?,
            interval,
            size,
            history: cuda.alloc(3 * n_pixels)?,
            taken: cuda.alloc(3 * n_pixels)?,
            next: cuda.alloc(3 * n_pixels)?,
            has_history: false,
            blended: cuda.alloc(3 * n_pixels)?,
            moving: cuda.alloc(n_pixels)?,
            sums: cuda.alloc(2)?,
            sums_here: Pinned::new(cuda, size_of::<[u64; 2]>())?,
            is_measured: false,
            sharpening: Sharpening::default(),
            fade: Fade::default(),
        })
    }

    /// Forgets the frames before.
    pub(super) fn forget(&mut self) {
        self.tracker.reset();
        self.sharpening = Sharpening::default();
        self.is_measured = false;
        self.fade = Fade::default();
    }

    /// The frame shown last.
    pub(super) fn history(&self) -> Picture {
        Picture::history(address(&self.history), self.size)
    }

    /// Makes `painted`, blended with the history where there is motion, the new history. False if it is just `painted`.
    pub(super) fn blend(
        &mut self,
        cuda: &Cuda,
        painted: &Painted,
        motion: Option<&Motion>,
    ) -> Result<bool> {
        self.take(cuda, painted)?;
        self.sharpen_as_measured()?;
        let motion = motion.filter(|motion| !motion.is_fresh && self.has_history);
        self.has_history = true;
        let Some(motion) = motion else {
            std::mem::swap(&mut self.history, &mut self.taken);
            self.sharpening.begin_scene();
            self.fade = Fade::default();
            return Ok(false);
        };
        motion.hold_back(&cuda.going)?;
        let fade = self.fade.step();
        self.mix(cuda, motion, fade)?;
        std::mem::swap(&mut self.history, &mut self.next);
        Ok(true)
    }

    /// Brings the network's picture into the form of a history.
    fn take(&mut self, cuda: &Cuda, painted: &Painted) -> Result<()> {
        let (low, high) = painted.bounds;
        let job = Take {
            painted: painted.picture,
            low,
            scale: History::WHITE / (high - low),
            is_bgr: painted.is_bgr.into(),
            taken: address(&self.taken),
        };
        // SAFETY: the caller's picture is of the size that it says, and so is `taken`.
        unsafe { cuda.launch(&cuda.going, "take", &job, self.size) }
    }

    /// Blends, sharpens and measures.
    fn mix(&mut self, cuda: &Cuda, motion: &Motion, fade: Option<f32>) -> Result<()> {
        let (width, height) = self.size;
        let [u, v, share] = motion.planes();
        let (cells_wide, cells_high) = motion.size;
        cuda.going
            .memset_zeros(&mut self.sums)
            .map_err(failed("clearing sums"))?;
        let job = Blend {
            width: width as i32,
            height: height as i32,
            painted: address(&self.taken),
            before: address(&self.history),
            u,
            v,
            share,
            moves: motion.rows_that_move(),
            cells_wide: cells_wide as i32,
            cells_high: cells_high as i32,
            fade: fade.unwrap_or(1.0),
            margin: fade.map_or(MARGIN, |_| History::WHITE),
            blended: address(&self.blended),
            moving: address(&self.moving),
            amount: self.sharpening.amount(),
            now: address(&self.next),
            first_row: 1 + MEASURED_ROWS as i32,
            every_row: MEASURED_ROWS as i32,
            sums: address(&self.sums),
        };
        for (kernel, grid) in [
            ("blend", self.size),
            ("show", self.size),
            ("measure", (width / SEGMENT, height / MEASURED_ROWS)),
        ] {
            // SAFETY: all that the job points to is of the size that it says, and used on this stream alone.
            unsafe { cuda.launch(&cuda.going, kernel, &job, grid)? };
        }
        // They are looked at when the next frame is blended, so that nothing waits for them.
        let sums = self.sums.as_view();
        // SAFETY: any bytes are numbers.
        let sums = unsafe { sums.transmute::<u8>(size_of::<[u64; 2]>()) };
        let sums = sums.expect("both are of one size");
        self.sums_here.fetch(&cuda.going, &sums)?;
        self.is_measured = true;
        Ok(())
    }

    /// Corrects the sharpening by what was measured on the frame before.
    fn sharpen_as_measured(&mut self) -> Result<()> {
        if std::mem::take(&mut self.is_measured) {
            let bytes = self.sums_here.bytes()?;
            let [painted, shown] = [0, 8].map(|at| {
                let bytes = bytes[at..].first_chunk().expect("two numbers");
                u64::from_ne_bytes(*bytes) as f32
            });
            self.sharpening.correct(painted, shown);
        }
        Ok(())
    }

    /// Gives what is known of the frames before away.
    pub(super) fn hand_over(&mut self, cuda: &Cuda) -> Option<Past> {
        let format = self.tracker.format();
        // Without memory for others, these stay, and the picture jumps.
        let history = cuda.alloc(self.history.len()).ok()?;
        let tracker = Tracker::new(cuda, &format, self.interval).ok()?;
        // Others go on with them on streams of their own.
        cuda.finish().ok()?;
        self.has_history = false;
        Some(Past {
            tracker: std::mem::replace(&mut self.tracker, tracker),
            history: std::mem::replace(&mut self.history, history),
            size: self.size,
            context: cuda.context().clone(),
            _given: cuda.given().cloned(),
        })
    }

    /// Goes on with another backend's frames, if their paint has this size and is in the same memory.
    pub(super) fn take_over(&mut self, cuda: &Cuda, past: Past) -> bool {
        let fits = past.size == self.size
            && cuda.shares_with(&past.context)
            && past.tracker.format() == self.tracker.format()
            // What these had is about to go.
            && cuda.finish().is_ok();
        if fits {
            self.tracker = past.tracker;
            self.history = past.history;
            self.has_history = true;
            self.fade = Fade::start(self.interval);
        }
        fits
    }

    /// Whether what was taken over still shows.
    pub(super) fn is_fading(&self) -> bool {
        self.fade.is_on()
    }
}
