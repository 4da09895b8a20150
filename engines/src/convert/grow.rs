//! Pictures of another size than the frame's, scaled while they are written, so that no picture of the frame's own size is
//! ever written but the frame.

use std::cell::Cell;

use rayon::prelude::*;

#[cfg(test)]
use super::TILE_PX;
use super::samples::{I420, Nv12, P010};
use super::taps::{Filter, Site, Taps};
use super::write::{Band, Paint, write_bands};
use super::{BAND_ROWS, Pixels, grow_420};
use crate::frame::{FrameFormat, FrameMut, PixelFormat};
use crate::simd::vectorise;

thread_local! {
    /// Rows of a band.
    static ROWS: Cell<Rows> = const { Cell::new(Rows { of_picture: Vec::new(), wide: Vec::new() }) };
}

/// How pictures of one size become as large as a frame.
pub(crate) struct Grow {
    pub(super) across: Taps,
    pub(super) down: Taps,
    /// The same for chroma, where the frame has samples of its own.
    chroma: Option<[Taps; 2]>,
    /// Width in pixels before and after, and height after.
    pub(super) from_width: usize,
    pub(super) width: usize,
    height: usize,
}

/// What a thread works on.
#[derive(Default)]
struct Rows {
    /// A row of the picture, channel by channel, each with what is read behind its end.
    of_picture: Vec<f32>,
    /// Rows of the picture as wide as the frame, channel by channel.
    wide: Vec<f32>,
}

/// [`BAND_ROWS`] rows of a picture that has become as large as a frame.
pub(super) struct GrownBand<'a> {
    grow: &'a Grow,
    /// The first of the picture's rows that it is made of.
    first_row: usize,
    rows: Rows,
}

impl Grow {
    /// From a size in pixels, width before height, to frames of `format`.
    pub(crate) fn new(from: (usize, usize), format: &FrameFormat) -> Self {
        let (filter, width, height) = (Filter::CatmullRom, format.width, format.height);
        let chroma = || {
            [
                Taps::to_chroma(from.0, width, filter, Site::Left),
                Taps::to_chroma(from.1, height, filter, Site::Centre),
            ]
        };
        Self {
            chroma: format.pixels.packed().is_none().then(chroma),
            across: Taps::new(from.0, width, filter),
            down: Taps::new(from.1, height, filter),
            from_width: from.0,
            width,
            height,
        }
    }

    /// [`write()`](super::write()) of a picture that has become as large as the frame; its values are cut to `bounds` before,
    /// if there are any.
    pub(crate) fn write(
        &self,
        picture: &impl Pixels,
        bounds: Option<(f32, f32)>,
        paint: &Paint<'_>,
        target: &mut FrameMut<'_>,
    ) {
        match (&self.chroma, target.format().pixels) {
            (Some(chroma), PixelFormat::Nv12) => {
                grow_420::write::<Nv12>(self, chroma, picture, bounds, paint, target);
            }
            (Some(chroma), PixelFormat::I420) => {
                grow_420::write::<I420>(self, chroma, picture, bounds, paint, target);
            }
            (Some(chroma), PixelFormat::P010) => {
                grow_420::write::<P010>(self, chroma, picture, bounds, paint, target);
            }
            _ => write_bands(self.bands(picture, bounds), BAND_ROWS, paint, target),
        }
    }

    /// Three planes of a picture that has become as large as the frame.
    #[cfg(test)]
    pub(crate) fn planes(&self, picture: &impl Pixels) -> Vec<f32> {
        let (width, height) = (self.width, self.height);
        let mut planes = vec![f32::NAN; 3 * width * height];
        let bands: Vec<_> = self.bands(picture, None).collect();
        for (first_y, mut band) in (0..height).step_by(BAND_ROWS).zip(bands) {
            for y in first_y..height.min(first_y + BAND_ROWS) {
                let rows = planes.chunks_exact_mut(width).skip(y).step_by(height);
                let mut rows = rows.map(|row| row.chunks_mut(TILE_PX));
                let [mut red, mut green, mut blue] = std::array::from_fn(|_| rows.next().unwrap());
                for x in (0..width).step_by(TILE_PX) {
                    let tile = [&mut red, &mut green, &mut blue].map(|row| row.next().unwrap());
                    band.take(y, x, tile);
                }
            }
        }
        planes
    }

    pub(super) fn bands<'a>(
        &'a self,
        picture: &'a impl Pixels,
        bounds: Option<(f32, f32)>,
    ) -> impl IndexedParallelIterator<Item = GrownBand<'a>> {
        let n_bands = self.height.div_ceil(BAND_ROWS);
        let bands = (0..n_bands).into_par_iter();
        bands.map(move |idx| self.band(picture, bounds, idx * BAND_ROWS))
    }

    /// The band that begins with row `y` of the frame.
    fn band(&self, picture: &impl Pixels, bounds: Option<(f32, f32)>, y: usize) -> GrownBand<'_> {
        let ys = y..self.height.min(y + BAND_ROWS);
        let (first, end) = self.down.part(ys);
        let mut rows = ROWS.take();
        let (width, from_width) = (self.width, self.from_width);
        let len = from_width + self.across.n_taps();
        rows.of_picture.resize(3 * len, 0.0);
        rows.wide.resize(3 * width * (end - first), 0.0);
        let Rows { of_picture, wide } = &mut rows;
        let (red, rest) = of_picture.split_at_mut(len);
        let (green, blue) = rest.split_at_mut(len);
        let (wide_red, rest) = wide.split_at_mut(width * (end - first));
        let (wide_green, wide_blue) = rest.split_at_mut(width * (end - first));
        vectorise!(for row in first..end {
            let parts = [&mut *red, &mut *green, &mut *blue];
            load(
                picture,
                row,
                bounds,
                parts.map(|part| &mut part[..from_width]),
            );
            let channels = [&*red, &*green, &*blue].into_iter();
            let wide = [&mut *wide_red, &mut *wide_green, &mut *wide_blue];
            for (channel, wide) in channels.zip(wide) {
                let wide = &mut wide[(row - first) * width..][..width];
                self.across.scale(channel, wide);
            }
        });
        GrownBand {
            grow: self,
            first_row: first,
            rows,
        }
    }
}

impl Band for GrownBand<'_> {
    #[inline(always)]
    fn take(&mut self, y: usize, x: usize, out: [&mut [f32]; 3]) {
        let width = self.grow.width;
        let planes = self.rows.wide.chunks_exact(self.rows.wide.len() / 3);
        for (plane, out) in planes.zip(out) {
            self.grow.down.sum(y, self.first_row, plane, width, x, out);
        }
    }
}

/// Row `row` of a picture, cut to `bounds` if there are any.
#[inline(always)]
pub(super) fn load(
    picture: &impl Pixels,
    row: usize,
    bounds: Option<(f32, f32)>,
    [red, green, blue]: [&mut [f32]; 3],
) {
    picture.load(row, 0, [&mut *red, &mut *green, &mut *blue]);
    let Some((low, high)) = bounds else { return };
    for part in [red, green, blue] {
        for value in part {
            *value = value.max(low).min(high);
        }
    }
}

impl Drop for GrownBand<'_> {
    fn drop(&mut self) {
        ROWS.set(std::mem::take(&mut self.rows));
    }
}

#[cfg(test)]
mod tests {
    use fast_image_resize::FilterType;

    use super::super::video::{format, resized};
    use super::super::{Canvas, Picture};
    use super::*;

    #[test]
    fn pictures_are_scaled_as_planes_are() {
        for (own, whole) in [
            ((160, 12), (640, 48)),
            ((33, 20), (97, 61)),
            ((225, 15), (300, 20)),
            ((97, 61), (33, 20)),
            ((64, 20), (64, 48)),
        ] {
            let (width, height) = own;
            let data: Vec<_> = (0..3 * width * height)
                .map(|i| (i * 7919 % 1009) as f32 / 4.0)
                .collect();
            let picture = Picture::new(&data, Canvas::planes(own));
            let wanted = resized(&data, own, whole, FilterType::CatmullRom);
            let format = &format(PixelFormat::Rgb, whole.0, whole.1);
            let found = Grow::new(own, format).planes(&picture);
            for (found, wanted) in found.iter().zip(&wanted) {
                let is_same = (found - wanted).abs() < 2e-3;
                assert!(is_same, "{own:?} {whole:?}: {found}, wanted {wanted}");
            }
        }
    }
}
