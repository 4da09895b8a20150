//! A style that paints one clip after the other; clips of one size share an engine.

use std::borrow::Borrow;
use std::time::{Duration, Instant};

use engines::{
    Engine, Frame, FrameFormat, FrameMut, Look, Matrix, Model, PixelFormat, Plane, PlaneMut, Range,
    Settings,
};
use image::RgbImage;
use indicatif::{ProgressBar, ProgressStyle};

use crate::interrupt;

/// A style, and the engine for the latest size of frames.
pub struct Studio {
    model: Model,
    settings: Settings,
    open: Option<(FrameFormat, Box<dyn Engine>)>,
    progress: ProgressBar,
}

impl Studio {
    /// The network is opened with the first clip. `settings` let one frame into the engine at a time.
    pub fn new(model: Model, settings: Settings) -> Self {
        Self {
            model,
            settings: Settings {
                max_in_flight: 1,
                ..settings
            },
            open: None,
            progress: ProgressBar::hidden(),
        }
    }

    /// Says on a terminal what is painted next, and how far it is.
    pub fn announce(&mut self, what: &str) {
        let style = ProgressStyle::with_template("{spinner} {msg}: {pos} frames painted")
            .expect("the template is well-formed");
        self.progress.finish_and_clear();
        self.progress = ProgressBar::new_spinner()
            .with_style(style)
            .with_message(what.to_owned());
    }

    /// Takes the announcement away.
    pub fn be_silent(&mut self) {
        self.progress.finish_and_clear();
    }

    /// Paints a clip as one stream, with no memory of the ones before, and hands every painted frame with its position
    /// to `take`. Returns what each took.
    ///
    /// # Errors
    /// If frames of their size cannot be painted, the network fails, or the user interrupts.
    pub fn stream<F: Borrow<RgbImage>>(
        &mut self,
        look: Look,
        clip: impl IntoIterator<Item = F>,
        mut take: impl FnMut(usize, RgbImage) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut took = Vec::new();
        for (frame_idx, photo) in clip.into_iter().enumerate() {
            interrupt::check()?;
            let photo = photo.borrow();
            let source = frame(photo)?;
            let engine = self.engine(source.format())?;
            if frame_idx == 0 {
                engine.reset();
                engine.set(look);
            }
            let start = Instant::now();
            let painting = paint(&mut **engine, &source)?;
            took.push(start.elapsed());
            self.progress.inc(1);
            take(frame_idx, painting)?;
        }
        Ok(took)
    }

    /// Paints a clip as [`Studio::stream`] does and keeps all of it.
    ///
    /// # Errors
    /// As [`Studio::stream`].
    pub fn paint<F: Borrow<RgbImage>>(
        &mut self,
        look: Look,
        clip: impl IntoIterator<Item = F>,
    ) -> anyhow::Result<(Vec<RgbImage>, Vec<Duration>)> {
        let mut painted = Vec::new();
        let took = self.stream(look, clip, |_, painting| {
            painted.push(painting);
            Ok(())
        })?;
        Ok((painted, took))
    }

    /// Where and how the network runs; nothing before the first clip.
    pub fn describe(&self) -> Option<String> {
        self.open.as_ref().map(|(_, engine)| engine.describe())
    }

    fn engine(&mut self, format: &FrameFormat) -> engines::Result<&mut Box<dyn Engine>> {
        let open = match self.open.take() {
            Some((of, engine)) if of == *format => (of, engine),
            // The old engine gives its memory back before the new one takes its own.
            _ => (*format, engines::open(&self.model, format, &self.settings)?),
        };
        Ok(&mut self.open.insert(open).1)
    }
}

/// The picture as engines take it.
///
/// # Errors
/// If it is too small or too large.
pub fn frame(photo: &RgbImage) -> engines::Result<Frame<'_>> {
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    let format = FrameFormat::new(PixelFormat::Rgb, width, height, Matrix::Bt709, Range::Full)?;
    let plane = Plane {
        data: photo,
        stride_bytes: width * 3,
    };
    Frame::new(format, &[plane])
}

fn paint(engine: &mut dyn Engine, source: &Frame<'_>) -> anyhow::Result<RgbImage> {
    let format = *source.format();
    let mut painting = RgbImage::new(format.width as u32, format.height as u32);
    let plane = PlaneMut {
        data: &mut painting,
        stride_bytes: format.width * 3,
    };
    let mut target = FrameMut::new(format, [plane])?;
    engine.submit(source)?;
    engine.drain()?;
    anyhow::ensure!(
        engine.receive(source, &mut target)?,
        "the engine gave no picture back"
    );
    Ok(painting)
}
