//! Pictures between the frame's size and the network's.

use fast_image_resize as resize;
use fast_image_resize::images::{Image, ImageRef};
use rayon::prelude::*;

use crate::colour::Affine;
use crate::convert::{self, Planes, PlanesMut};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::geometry::Window;

/// Scales planes of f32, with buffers that live as long as it does.
pub(super) struct Scaler {
    /// Three planes of the frame's size.
    full: Vec<f32>,
    full_window: Window,
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
    pub(super) fn new(width: usize, height: usize, window: Window) -> Self {
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
            channels: std::array::from_fn(|_| Channel {
                resizer: resize::Resizer::new(),
                small: image(window.width, window.height),
                large: image(width, height),
            }),
        }
    }

    /// [`convert::read`], scaled to the window of `planes`. Shrinks by area (a triangle as wide as the
    /// step), so that fine detail does not alias into flicker.
    pub(super) fn read(
        &mut self,
        frame: &Frame<'_>,
        map: &Affine,
        planes: &mut PlanesMut<'_>,
    ) -> Result<()> {
        let Window { width, height, .. } = self.full_window;
        let window = self.full_window;
        convert::read(
            frame,
            map,
            &mut PlanesMut {
                data: &mut self.full,
                width,
                height,
                window,
            },
        );
        let options = resize::ResizeOptions::new()
            .resize_alg(resize::ResizeAlg::Convolution(resize::FilterType::Bilinear))
            .use_alpha(false);
        let stride = planes.width;
        let Window {
            left,
            top,
            width: window_width,
            ..
        } = planes.window;
        let full = self.full.par_chunks_exact(width * height);
        full.zip(planes.split())
            .zip(&mut self.channels)
            .try_for_each(|((full, plane), channel)| {
                let source = image_of(full, width, height)?;
                channel
                    .resizer
                    .resize(&source, &mut channel.small, &options)
                    .map_err(failed)?;
                let small: &[f32] = bytemuck::cast_slice(channel.small.buffer());
                let rows = plane.chunks_exact_mut(stride).skip(top);
                for (from, to) in small.chunks_exact(window_width).zip(rows) {
                    to[left..left + window_width].copy_from_slice(from);
                }
                Ok(())
            })
    }

    /// The window of `planes` at the frame's size, by Catmull-Rom: sharp strokes without much ringing.
    pub(super) fn scale_up(&mut self, planes: &Planes<'_>) -> Result<Planes<'_>> {
        let Window { width, height, .. } = self.full_window;
        let Window {
            left,
            top,
            width: window_width,
            height: window_height,
        } = planes.window;
        let options = resize::ResizeOptions::new()
            .crop(
                left as f64,
                top as f64,
                window_width as f64,
                window_height as f64,
            )
            .resize_alg(resize::ResizeAlg::Convolution(
                resize::FilterType::CatmullRom,
            ))
            .use_alpha(false);
        let painted = planes.data.par_chunks_exact(planes.width * planes.height);
        let full = self.full.par_chunks_exact_mut(width * height);
        painted
            .zip(full)
            .zip(&mut self.channels)
            .try_for_each(|((painted, full), channel)| {
                let source = image_of(painted, planes.width, planes.height)?;
                channel
                    .resizer
                    .resize(&source, &mut channel.large, &options)
                    .map_err(failed)?;
                full.copy_from_slice(bytemuck::cast_slice(channel.large.buffer()));
                Ok(())
            })?;
        Ok(Planes {
            data: &self.full,
            width,
            height,
            window: self.full_window,
        })
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
