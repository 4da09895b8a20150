//! Pictures between the frame's size and the network's.

use fast_image_resize as resize;
use fast_image_resize::images::{Image, ImageRef};
use rayon::prelude::*;

use crate::convert::{self, Arrangement, Picture, PictureMut, Pixels, Rows, Shown};
use crate::error::{Error, Result};
use crate::geometry::Window;

/// Scales planes of f32, with buffers that live as long as it does.
pub(in super::super) struct Scaler {
    /// Three planes of the frame's size.
    full: Vec<f32>,
    full_window: Window,
    /// Three planes of the painted window's size.
    painted: Vec<f32>,
    /// The frame as the network sees it.
    window: Window,
    channels: [Channel; 3],
}

/// What one thread needs to scale one plane.
struct Channel {
    resizer: resize::Resizer,
    /// A plane of the window's size in the network's picture.
    small: Image<'static>,
    /// A plane of the frame's size.
    large: Image<'static>,
}

impl Scaler {
    /// For frames of `width` times `height` pixels, which the network sees in `window`.
    pub(in super::super) fn new(width: usize, height: usize, window: Window) -> Self {
        let image = |width: usize, height: usize| {
            Image::new(width as u32, height as u32, resize::PixelType::F32)
        };
        Self {
            full: vec![0.0; 3 * width * height],
            full_window: Window {
                left: 0,
                top: 0,
                width,
                height,
            },
            window,
            painted: Vec::new(),
            channels: std::array::from_fn(|_| Channel {
                resizer: resize::Resizer::new(),
                small: image(window.width, window.height),
                large: image(width, height),
            }),
        }
    }

    /// [`convert::read`] of the frame scaled to the window of `picture`. Shrinks by area (a triangle as wide as
    /// the step), so that fine detail does not alias into flicker.
    pub(in super::super) fn read(
        &mut self,
        shown: &Shown<'_>,
        picture: &mut PictureMut<'_>,
    ) -> Result<()> {
        let window = self.full_window;
        let Window { width, height, .. } = window;
        let arrangement = Arrangement::Planes;
        let data = &mut self.full;
        convert::read(
            shown,
            &mut PictureMut {
                data,
                width,
                height,
                window,
                arrangement,
            },
        );
        let options = resize::ResizeOptions::new()
            .resize_alg(resize::ResizeAlg::Convolution(resize::FilterType::Bilinear))
            .use_alpha(false);
        let full = self.full.par_chunks_exact(width * height);
        full.zip(&mut self.channels)
            .try_for_each(|(full, channel)| {
                let source = image_of(full, width, height)?;
                channel
                    .resizer
                    .resize(&source, &mut channel.small, &options)
                    .map_err(failed)
            })?;
        convert::read(self, picture);
        Ok(())
    }

    /// A picture of `own_width` times `own_height` pixels at the frame's size, by Catmull-Rom: sharp strokes without much
    /// ringing.
    pub(in super::super) fn scale_up(
        &mut self,
        picture: &impl Pixels,
        (own_width, own_height): (usize, usize),
    ) -> Result<Picture<'_>> {
        let Window { width, height, .. } = self.full_window;
        let own_len = own_width * own_height;
        self.painted.resize(3 * own_len, 0.0);
        let (first, rest) = self.painted.split_at_mut(own_len);
        let (second, third) = rest.split_at_mut(own_len);
        let rows = first
            .par_chunks_exact_mut(own_width)
            .zip(second.par_chunks_exact_mut(own_width));
        let rows = rows.zip(third.par_chunks_exact_mut(own_width)).enumerate();
        rows.for_each(|(y, ((first, second), third))| picture.load(y, 0, [first, second, third]));

        let options = resize::ResizeOptions::new()
            .resize_alg(resize::ResizeAlg::Convolution(
                resize::FilterType::CatmullRom,
            ))
            .use_alpha(false);
        let painted = self.painted.par_chunks_exact(own_len);
        let full = self.full.par_chunks_exact_mut(width * height);
        painted
            .zip(full)
            .zip(&mut self.channels)
            .try_for_each(|((painted, full), channel)| {
                let source = image_of(painted, own_width, own_height)?;
                channel
                    .resizer
                    .resize(&source, &mut channel.large, &options)
                    .map_err(failed)?;
                full.copy_from_slice(bytemuck::cast_slice(channel.large.buffer()));
                Ok::<(), Error>(())
            })?;
        Ok(Picture {
            data: &self.full,
            width,
            height,
            window: self.full_window,
            arrangement: Arrangement::Planes,
        })
    }
}

/// The rows of the shrunk frame.
impl Rows for Scaler {
    fn fill(&self, y: usize, out: [&mut [f32]; 3]) {
        for (channel, out) in self.channels.iter().zip(out) {
            let small: &[f32] = bytemuck::cast_slice(channel.small.buffer());
            out.copy_from_slice(&small[y * self.window.width..][..self.window.width]);
        }
    }
}

fn image_of(plane: &[f32], width: usize, height: usize) -> Result<ImageRef<'_>> {
    let bytes = bytemuck::cast_slice(plane);
    ImageRef::new(width as u32, height as u32, bytes, resize::PixelType::F32).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Runtime {
        action: "scaling a picture",
        reason: error.to_string(),
    }
}
