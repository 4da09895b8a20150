//! What the kernels of `scale.cu` are told.

use super::{Address, Picture, Taps};

/// What scaling is about. (Fields as in `scale.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Scale {
    /// Its window is scaled.
    pub from: Picture,
    /// Room for three planes of f32, as wide as the window of `to`, as high as that of `from`.
    pub between: Address,
    /// Its window is filled, and all round it by folding reflection.
    pub to: Picture,
    pub across: Taps,
    pub down: Taps,
}

impl Scale {
    /// Places of `scale_rows`, which comes first, width before height.
    pub(in super::super) fn rows_grid(&self) -> (usize, usize) {
        (self.to.window_size().0, self.from.window_size().1)
    }

    /// Places of `scale_columns`, width before height.
    pub(in super::super) fn columns_grid(&self) -> (usize, usize) {
        self.to.size()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Filter, Table, emulated};
    use super::*;
    use crate::colour::Affine;
    use crate::convention::{Channels, ValueRange};
    use crate::convert::video::{ARRANGEMENTS, format, noise};
    use crate::convert::{Canvas, Grow, Picture as CpuPicture, PictureMut, Shown, Shrink, read};
    use crate::frame::PixelFormat;
    use crate::geometry::Window;

    /// Values are 0 to 1, and sums of f32 in another order.
    const TOLERANCE: f32 = 2e-6;

    fn taps(table: &Table) -> Taps {
        Taps {
            spans: table.spans.as_ptr() as Address,
            weights: table.weights.as_ptr() as Address,
            n_px: table.spans.len() as i32,
        }
    }

    #[expect(unsafe_code, reason = "kernels are called")]
    fn scale(from: Picture, to: Picture, filter: Filter) {
        let ((from_width, from_height), (to_width, to_height)) =
            (from.window_size(), to.window_size());
        let across = Table::new(from_width, to_width, filter);
        let down = Table::new(from_height, to_height, filter);
        let mut job = Scale {
            from,
            between: 0,
            to,
            across: taps(&across),
            down: taps(&down),
        };
        let mut between = vec![f32::NAN; 3 * to_width * from_height];
        job.between = between.as_mut_ptr() as Address;
        // SAFETY: pictures are as large as they say, and all else was made for them.
        unsafe {
            emulated::run("scale", "scale_rows", &job, job.rows_grid());
            emulated::run("scale", "scale_columns", &job, job.columns_grid());
        }
    }

    fn largest_difference(found: &[f32], wanted: &[f32]) -> f32 {
        assert_eq!(found.len(), wanted.len());
        let differences = found.iter().zip(wanted).map(|(a, b)| (a - b).abs());
        differences.fold(0.0, |largest, difference| {
            assert!(difference.is_finite(), "a value was left out");
            largest.max(difference)
        })
    }

    /// Frames and what the network sees of them, and the other way round.
    const SIZES: [[(usize, usize); 2]; 6] = [
        [(160, 90), (64, 36)],
        [(97, 61), (33, 20)],
        [(64, 48), (64, 20)],
        [(64, 48), (21, 48)],
        [(40, 30), (97, 71)],
        [(300, 17), (16, 16)],
    ];

    #[test]
    fn frames_are_scaled_as_the_definition_does() {
        for ([(width, height), (window_width, window_height)], arrangement) in
            SIZES.into_iter().zip(ARRANGEMENTS)
        {
            let video = noise(format(PixelFormat::Rgb, width, height), 3);
            let map = &Affine::into_network(&video.format, Channels::Rgb, ValueRange::Unit);
            let frame = &video.frame();
            let shown = &Shown { frame, map };
            let window = Window {
                left: 8,
                top: 4,
                width: window_width,
                height: window_height,
            };
            let size = (
                (window_width + 16).next_multiple_of(4),
                (window_height + 60).next_multiple_of(4),
            );
            let mut wanted = vec![f32::NAN; 3 * size.0 * size.1];
            let canvas = Canvas {
                width: size.0,
                height: size.1,
                window,
                arrangement,
            };
            let picture = &mut PictureMut {
                data: &mut wanted,
                canvas,
            };
            let shrink = Shrink::new(&video.format, (window_width, window_height));
            read(&shrink.rows(shown), picture);

            let mut full = vec![f32::NAN; 3 * width * height];
            let whole = &mut PictureMut {
                data: &mut full,
                canvas: Canvas::planes((width, height)),
            };
            read(shown, whole);
            let from = Picture::planes(full.as_ptr() as Address, (width, height));
            let mut found = vec![f32::NAN; wanted.len()];
            let address = found.as_mut_ptr() as Address;
            let to = Picture::new(address, size, window, arrangement, false);
            scale(from, to, Filter::Triangle);
            let largest = largest_difference(&found, &wanted);
            assert!(
                largest <= TOLERANCE,
                "{width}x{height} to {window_width}x{window_height}: {largest}"
            );
        }
    }

    #[test]
    fn paint_is_scaled_as_the_definition_does() {
        for ([(width, height), (window_width, window_height)], arrangement) in
            SIZES.into_iter().zip(ARRANGEMENTS)
        {
            let window = Window {
                left: 4,
                top: 8,
                width: window_width,
                height: window_height,
            };
            let size = (
                (window_width + 8).next_multiple_of(4),
                (window_height + 16).next_multiple_of(4),
            );
            let n = 3 * size.0 * size.1;
            let paint: Vec<_> = (0..n)
                .map(|i| half::f16::from_f32((i * 7919 % 1009) as f32 / 1008.0))
                .collect();
            let data: Vec<_> = paint.iter().map(|value| value.to_f32()).collect();
            let canvas = Canvas {
                width: size.0,
                height: size.1,
                window,
                arrangement,
            };
            let picture = CpuPicture::new(&data, canvas);
            let format = format(PixelFormat::Rgb, width, height);
            let grow = Grow::new((window_width, window_height), &format);
            let wanted = grow.planes(&picture);

            let address = paint.as_ptr() as Address;
            let from = Picture::new(address, size, window, arrangement, true);
            let mut found = vec![f32::NAN; 3 * width * height];
            let to = Picture::planes(found.as_mut_ptr() as Address, (width, height));
            scale(from, to, Filter::CatmullRom);
            let largest = largest_difference(&found, &wanted);
            assert!(
                largest <= TOLERANCE,
                "{window_width}x{window_height} to {width}x{height}: {largest}"
            );
        }
    }

    #[test]
    fn histories_are_scaled_as_planes_are() {
        let (size, larger) = ((33, 20), (97, 61));
        let history: Vec<_> = (0..3 * size.0 * size.1)
            .map(|i| (i * 7919 % 65521) as u16)
            .collect();
        let mut planes = Vec::new();
        for channel in 0..3 {
            let rows = history.chunks_exact(size.0).skip(channel).step_by(3);
            planes.extend(rows.flatten().copied().map(f32::from));
        }
        let scaled = |from| {
            let mut found = vec![f32::NAN; 3 * larger.0 * larger.1];
            let to = Picture::planes(found.as_mut_ptr() as Address, larger);
            scale(from, to, Filter::CatmullRom);
            found
        };
        let found = scaled(Picture::history(history.as_ptr() as Address, size));
        let wanted = scaled(Picture::planes(planes.as_ptr() as Address, size));
        assert_eq!(found, wanted);
    }
}
