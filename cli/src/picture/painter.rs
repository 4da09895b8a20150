//! Painting pictures one after the other; pictures of one size share an engine.

use engines::{
    Engine, Frame, FrameFormat, FrameMut, Look, Matrix, Model, PixelFormat, Plane, PlaneMut, Range,
    Settings,
};
use image::DynamicImage;

use super::Picture;
use crate::args::StyleArgs;

/// A style, and the engine for the latest size of picture.
pub struct Painter {
    model: Model,
    settings: Settings,
    look: Look,
    open: Option<(FrameFormat, Box<dyn Engine>)>,
}

impl Painter {
    /// Reads the style; the network is opened with the first picture.
    ///
    /// # Errors
    /// If there is no such style.
    pub fn new(style: &StyleArgs) -> anyhow::Result<Self> {
        Ok(Self::of(style.model()?, style.settings(), style.look()))
    }

    /// Paints with a network that was read already.
    pub fn of(model: Model, settings: Settings, look: Look) -> Self {
        Self {
            model,
            settings,
            look,
            open: None,
        }
    }

    /// Paints a picture; alpha stays.
    ///
    /// # Errors
    /// If its size cannot be painted, or the network fails.
    pub fn paint(&mut self, picture: &mut Picture) -> anyhow::Result<()> {
        let (width, height) = (
            picture.pixels.width() as usize,
            picture.pixels.height() as usize,
        );
        let (pixels, bytes, pixel_bytes) = match &mut picture.pixels {
            DynamicImage::ImageRgba8(rgba) => (PixelFormat::Rgba, &mut **rgba, 4),
            other => {
                let DynamicImage::ImageRgb8(rgb) = other else {
                    anyhow::bail!("pixels are {:?}, wanted 8 bit RGB or RGBA", other.color());
                };
                (PixelFormat::Rgb, &mut **rgb, 3)
            }
        };
        let format = FrameFormat::new(pixels, width, height, Matrix::Bt709, Range::Full)?;
        let stride_bytes = width * pixel_bytes;
        let photo = bytes.to_vec();
        let photo = Frame::new(
            format,
            &[Plane {
                data: &photo,
                stride_bytes,
            }],
        )?;
        let mut painting = FrameMut::new(
            format,
            [PlaneMut {
                data: bytes,
                stride_bytes,
            }],
        )?;
        let engine = self.engine(&format)?;
        engine.submit(&photo)?;
        engine.drain()?;
        anyhow::ensure!(
            engine.receive(&photo, &mut painting)?,
            "the engine gave no picture back"
        );
        Ok(())
    }

    /// Where and how the network runs; nothing before the first picture.
    pub fn describe(&self) -> Option<String> {
        self.open.as_ref().map(|(_, engine)| engine.describe())
    }

    fn engine(&mut self, format: &FrameFormat) -> engines::Result<&mut Box<dyn Engine>> {
        let open = match self.open.take() {
            Some((of, engine)) if of == *format => (of, engine),
            _ => {
                let mut engine = engines::open(&self.model, format, &self.settings)?;
                engine.set(self.look);
                (*format, engine)
            }
        };
        Ok(&mut self.open.insert(open).1)
    }
}
