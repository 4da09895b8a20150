//! The flow: frame → upload → infer → download → frame. Its order is written here and nowhere else.

use std::time::Duration;

use crate::backend::Backend;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameFormat, FrameMut, Plane, PlaneMut};
use crate::settings::Look;
use crate::stats::{Stage, Stats};

/// A frame that takes longer is not painted twice to warm up.
const LONG: Duration = Duration::from_millis(150);

/// A backend with the pictures on their way through it: one frame at a time, nothing allocated per frame.
pub(crate) struct Stylizer<B: Backend> {
    backend: B,
    format: FrameFormat,
    input: B::Tensor,
    painted: B::Tensor,
    look: Look,
    frame_time: Duration,
    /// Whether `painted` holds a frame that nobody has received.
    is_ready: bool,
    stats: Stats,
}

impl<B: Backend + Send> Stylizer<B>
where
    B::Tensor: Send,
{
    /// # Errors
    /// Whatever the backend says when it allocates or first runs.
    pub(crate) fn new(mut backend: B, format: FrameFormat) -> Result<Self> {
        let input = backend.alloc_input()?;
        let painted = backend.alloc_painted()?;
        let mut stylizer = Self {
            frame_time: Duration::ZERO,
            backend,
            format,
            input,
            painted,
            look: Look::default(),
            is_ready: false,
            stats: Stats::default(),
        };
        stylizer.warm_up()?;
        Ok(stylizer)
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
        if self.is_ready {
            return Err(Error::Full { max_in_flight: 1 });
        }
        let Self {
            backend,
            input,
            painted,
            stats,
            ..
        } = self;
        stats.time(Stage::Upload, || backend.upload(frame, input))?;
        stats.time(Stage::Infer, || backend.infer(input, painted))?;
        stats.n_in += 1;
        self.is_ready = true;
        Ok(())
    }

    fn receive(&mut self, source: &Frame<'_>, target: &mut FrameMut<'_>) -> Result<bool> {
        self.check(source.format())?;
        self.check(target.format())?;
        if !self.is_ready {
            return Ok(false);
        }
        let Self {
            backend,
            painted,
            stats,
            look,
            ..
        } = self;
        stats.time(Stage::Download, || {
            backend.download(painted, source, *look, target)
        })?;
        stats.n_out += 1;
        self.is_ready = false;
        Ok(true)
    }

    fn drain(&mut self) -> Result<()> {
        Ok(())
    }

    fn set(&mut self, look: Look) {
        self.look = look;
    }

    fn reset(&mut self) {
        self.is_ready = false;
    }

    fn max_in_flight(&self) -> usize {
        1
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
