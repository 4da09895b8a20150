//! What the kernels of `download.cu` are told.

use super::{Frame, Picture};
use crate::colour::Affine;

/// What downloading is about: a window of the frame's size. (Fields as in `download.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Download {
    /// The network's picture, planes of floats, or a history.
    pub shown: Picture,
    /// From its values to the frame's codes.
    pub map: Affine,
    /// Values of black and white, beyond which it is cut.
    pub low: f32,
    pub high: f32,
    /// The photo, of the target's format.
    pub source: Frame,
    pub target: Frame,
    /// Share of paint, `0.0..=1.0`; the rest is photo.
    pub strength: f32,
    pub keep_colors: i32,
    /// Weights of red, green and blue in luma, by which packed pixels keep their colours.
    pub luma: [f32; 3],
}

impl Download {
    /// The kernel for the frame's format, and its places, width before height.
    pub(in super::super) fn kernel(&self) -> (&'static str, (usize, usize)) {
        let (width, height) = self.source.size();
        if self.source.is_420() {
            ("download_420", (width.div_ceil(2), height.div_ceil(2)))
        } else {
            ("download_packed", (width, height))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Address, emulated};
    use super::*;
    use crate::convention::{Channels, ValueRange};
    use crate::convert::video::{ARRANGEMENTS, Video, format, noise};
    use crate::convert::{Canvas, Paint, Painting, Picture as CpuPicture, Pixels, write};
    use crate::frame::PixelFormat;
    use crate::geometry::Window;
    use crate::settings::Look;
    use crate::stabilizer::{Blender, History, Painted};

    /// Share of samples that may be a code off: a compiler that joins multiplications and additions rounds values half way
    /// between two codes the other way.
    const MAX_SHARE_OFF: f64 = 1e-4;

    /// Frames, and what strides are longer than rows.
    const SIZES: [((usize, usize), usize); 4] = [
        ((64, 16), 0),
        ((37, 23), 13),
        ((258, 17), 5),
        ((513, 34), 1),
    ];

    /// `strength` and `keep-colors`.
    const LOOKS: [(f32, bool); 5] = [
        (1.0, false),
        (1.0, true),
        (0.4, false),
        (0.7, true),
        (0.0, false),
    ];

    /// Writes the same by both ways, and gives the number of samples that differ, of how many.
    #[expect(unsafe_code, reason = "a kernel is called")]
    fn compare(
        picture: &impl Pixels,
        paint: &Paint<'_>,
        shown: Picture,
        source: &Video,
    ) -> [usize; 2] {
        let format = source.format;
        let mut wanted = Video::new(format, 3, |_, _, _| 0x55);
        let mut found = Video::new(format, 3, |_, _, _| 0xAA);
        write(picture, paint, &mut wanted.frame_mut());
        let job = Download {
            shown,
            map: *paint.map,
            low: paint.bounds.0,
            high: paint.bounds.1,
            source: Frame::of(source),
            target: Frame::of_mut(&mut found),
            strength: paint.look.strength,
            keep_colors: paint.look.keep_colors.into(),
            luma: format.matrix.luma(),
        };
        let (kernel, grid) = job.kernel();
        // SAFETY: what is shown is as large as it says, and frames are checked.
        unsafe { emulated::run("download", kernel, &job, grid) };
        let codes = wanted.codes();
        let differences = codes.iter().zip(found.codes()).map(|(a, b)| (a - b).abs());
        let mut n_off = 0;
        for difference in differences {
            assert!(difference <= 1.0, "{:?}: {difference}", format.pixels);
            n_off += usize::from(difference > 0.0);
        }
        for ((wanted, stride), (found, _)) in wanted.planes.iter().zip(&found.planes) {
            for (wanted, found) in wanted.chunks(*stride).zip(found.chunks(*stride)) {
                assert_eq!(wanted[stride - 3..], found[stride - 3..], "between rows");
            }
        }
        [n_off, codes.len()]
    }

    /// Values a little beyond -1 to 1, and some that are none.
    fn values(n: usize) -> Vec<f32> {
        let value = |i: usize| match i % 1013 {
            0 => f32::NAN,
            _ => (i * 7919 % 10007) as f32 / 10007.0 * 2.4 - 1.2,
        };
        (0..n).map(value).collect()
    }

    #[test]
    fn painted_pictures_come_out_as_the_definition_has_them() {
        let mut counts = [0; 2];
        for pixels in PixelFormat::ALL {
            for (((width, height), extra_bytes), arrangement) in SIZES
                .into_iter()
                .flat_map(|size| ARRANGEMENTS.map(|arrangement| (size, arrangement)))
            {
                let source = &noise(format(pixels, width, height), extra_bytes);
                let range = ValueRange::Signed;
                let map = Affine::from_network(&source.format, Channels::Bgr, range);
                let size = (
                    (width + 20).next_multiple_of(4),
                    (height + 12).next_multiple_of(4),
                );
                let window = Window {
                    left: 12,
                    top: 8,
                    width,
                    height,
                };
                let full = values(3 * size.0 * size.1);
                let half: Vec<_> = full.iter().copied().map(half::f16::from_f32).collect();
                let rounded: Vec<_> = half.iter().map(|value| value.to_f32()).collect();
                let shown =
                    |address, is_half| Picture::new(address, size, window, arrangement, is_half);
                let kinds = [
                    (&full, shown(full.as_ptr() as Address, false)),
                    (&rounded, shown(half.as_ptr() as Address, true)),
                ];
                for (data, shown) in kinds {
                    let canvas = Canvas {
                        width: size.0,
                        height: size.1,
                        window,
                        arrangement,
                    };
                    let picture = &CpuPicture::new(data, canvas);
                    for (strength, keep_colors) in LOOKS {
                        let paint = Paint {
                            map: &map,
                            bounds: range.bounds(),
                            source: &source.frame(),
                            look: Look {
                                strength,
                                keep_colors,
                                ..Look::default()
                            },
                        };
                        let [n_off, n] = compare(picture, &paint, shown, source);
                        counts = [counts[0] + n_off, counts[1] + n];
                    }
                }
            }
        }
        let [n_off, n] = counts;
        assert!(n_off as f64 <= MAX_SHARE_OFF * n as f64, "{n_off} of {n}");
    }

    #[test]
    fn histories_come_out_as_the_definition_has_them() {
        let mut counts = [0; 2];
        for pixels in PixelFormat::ALL {
            for (size, extra_bytes) in SIZES {
                let source = &noise(format(pixels, size.0, size.1), extra_bytes);
                let (history, shown) = histories(size);
                let map = Affine::from_network(&source.format, Channels::Rgb, ValueRange::Unit)
                    .scale_before(1.0 / History::WHITE);
                for (strength, keep_colors) in LOOKS {
                    let paint = Paint {
                        map: &map,
                        bounds: (0.0, History::WHITE),
                        source: &source.frame(),
                        look: Look {
                            strength,
                            keep_colors,
                            ..Look::default()
                        },
                    };
                    let shown = Picture::history(shown.as_ptr() as Address, size);
                    let [n_off, n] = compare(&history, &paint, shown, source);
                    counts = [counts[0] + n_off, counts[1] + n];
                }
            }
        }
        let [n_off, n] = counts;
        assert!(n_off as f64 <= MAX_SHARE_OFF * n as f64, "{n_off} of {n}");
    }

    /// The same history as the definition keeps it and as kernels do.
    fn histories((width, height): (usize, usize)) -> (History, Vec<u16>) {
        let data = values(3 * width * height);
        let picture = CpuPicture::new(&data, Canvas::planes((width, height)));
        let painted = Painted {
            painting: Painting::Whole(picture),
            bounds: (-1.0, 1.0),
            is_bgr: false,
        };
        let mut history = History::new(width, height);
        Blender::default().take(&painted, &mut history);
        let mut shown = Vec::new();
        for y in 0..height {
            let mut rows = [0; 3].map(|_| vec![0.0; width]);
            history.load(y, 0, rows.each_mut().map(|row| &mut row[..]));
            shown.extend(rows.into_iter().flatten().map(|value| value as u16));
        }
        (history, shown)
    }
}
