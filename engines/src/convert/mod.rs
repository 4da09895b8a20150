//! Frames to the network's pictures and back: the CPU definitions of `upload` and `download`.
//!
//! A picture is walked in bands of rows, one per thread, and each row in tiles that stay in the first cache.
//! 4:2:0 chroma is taken as sited left in x and centred in y (MPEG-2, H.264 and HEVC by default).

mod grow;
mod grow_420;
mod painting;
mod picture;
mod read;
mod samples;
mod shrink;
mod taps;
#[cfg(test)]
pub(crate) mod video;
mod write;

pub(crate) use grow::Grow;
#[cfg(test)]
pub(crate) use painting::Copies;
pub(crate) use painting::{Finish, PaintedRows, Painting};
pub(crate) use picture::{Arrangement, Canvas, Picture, PictureMut, Pixels};
pub(crate) use read::{Rows, Shown, read};
pub(crate) use shrink::Shrink;
#[cfg(feature = "tensorrt-common")]
pub(crate) use taps::{Filter, spans};
pub(crate) use write::{Band, Paint, write, write_bands, write_painting};

/// Pixels of a tile. Even, so that a tile never splits a chroma sample.
pub(crate) const TILE_PX: usize = 256;

/// Rows of a band. Even, so that a band never splits a chroma row, and a multiple of every block; small, so
/// that threads end together.
pub(crate) const BAND_ROWS: usize = 16;

#[cfg(test)]
mod tests {
    use super::video::{ARRANGEMENTS, Video, format, largest_difference, noise};
    use super::*;
    use crate::colour::{Affine, max_code};
    use crate::convention::{Channels, ValueRange};
    use crate::frame::{FrameFormat, PixelFormat};
    use crate::geometry::Window;
    use crate::settings::Look;

    fn smooth(format: FrameFormat, extra_bytes: usize) -> Video {
        let p010 = format.pixels == PixelFormat::P010;
        let opaque = matches!(format.pixels, PixelFormat::Rgbx | PixelFormat::Bgrx);
        Video::new(format, extra_bytes, |plane, x, y| match p010 {
            // Low byte of a 10 bit word: only its two high bits are used.
            true if x % 2 == 0 => 0x40,
            _ if opaque && x % 4 == 3 => 255,
            _ if plane == 0 => (90 + (x + 2 * y) / 4).min(200) as u8,
            // Near neutral, so that no colour lies beyond what RGB can show.
            _ => (118 + (x + 2 * y) / 8).min(138) as u8,
        })
    }

    /// Frame to picture and back, with a border of at least 8 pixels in the picture.
    fn round_trip(source: &Video, target: &mut Video, look: Look, arrangement: Arrangement) {
        let format = source.format;
        let window = Window {
            left: 8,
            top: 8,
            width: format.width,
            height: format.height,
        };
        let width = (format.width + 16).next_multiple_of(4);
        let height = (format.height + 16).next_multiple_of(4);
        let canvas = Canvas {
            width,
            height,
            window,
            arrangement,
        };
        let mut data = vec![f32::NAN; 3 * width * height];
        let there = Affine::into_network(&format, Channels::Rgb, ValueRange::Unit);
        let back = Affine::from_network(&format, Channels::Rgb, ValueRange::Unit);
        let frame = source.frame();
        let rows = Shown {
            frame: &frame,
            map: &there,
        };
        read(
            &rows,
            &mut PictureMut {
                data: &mut data,
                canvas,
            },
        );
        assert!(
            data.iter().all(|value| value.is_finite()),
            "{arrangement:?}: a value was left out"
        );
        let paint = Paint {
            map: &back,
            bounds: (0.0, 1.0),
            source: &frame,
            look,
        };
        let mut finished = target.clone();
        let painting = Painting::Unfinished {
            values: &data,
            canvas,
            finish: &Copies(canvas),
        };
        write_painting(&painting, &paint, &mut finished.frame_mut());
        write(
            &Picture::new(&data, canvas),
            &paint,
            &mut target.frame_mut(),
        );
        assert!(
            finished.planes == target.planes,
            "{arrangement:?}: finished row by row is not the same"
        );
    }

    /// A 3x2 picture of one channel, 1 to 6, in a border of 2 and 1 pixels.
    #[test]
    fn borders_mirror_the_picture() {
        struct Counting;
        impl Rows for Counting {
            fn fill(&self, y: usize, out: [&mut [f32]; 3]) {
                for row in out {
                    for (x, value) in row.iter_mut().enumerate() {
                        *value = (3 * y + x + 1) as f32;
                    }
                }
            }
        }
        let mut data = vec![0.0; 3 * 7 * 4];
        let window = Window {
            left: 2,
            top: 1,
            width: 3,
            height: 2,
        };
        let canvas = Canvas {
            window,
            ..Canvas::planes((7, 4))
        };
        let picture = &mut PictureMut {
            data: &mut data,
            canvas,
        };
        read(&Counting, picture);
        let first = [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0];
        let second = [6.0, 5.0, 4.0, 5.0, 6.0, 5.0, 4.0];
        assert_eq!(data, [second, first, second, first].concat().repeat(3));
    }

    #[test]
    fn blocks_hold_what_planes_hold() {
        let source = smooth(format(PixelFormat::Rgb, 33, 18), 0);
        let frame = source.frame();
        let map = Affine::into_network(&source.format, Channels::Rgb, ValueRange::Byte);
        let window = Window {
            left: 4,
            top: 4,
            width: 33,
            height: 18,
        };
        let (width, height) = (44, 28);
        let filled = |arrangement| {
            let mut data = vec![0.0; 3 * width * height];
            let rows = Shown {
                frame: &frame,
                map: &map,
            };
            read(
                &rows,
                &mut PictureMut {
                    data: &mut data,
                    canvas: Canvas {
                        width,
                        height,
                        window,
                        arrangement,
                    },
                },
            );
            data
        };
        let planes = filled(Arrangement::Planes);
        for arrangement in &ARRANGEMENTS[1..] {
            let filled = filled(*arrangement);
            for (i, &value) in planes.iter().enumerate() {
                let (c, y, x) = (i / (width * height), i / width % height, i % width);
                let (n, within) = match *arrangement {
                    Arrangement::Blocks(n) => (n, (y % n * n + x % n) * 3 + c),
                    Arrangement::ChannelBlocks(n) => (n, (c * n + y % n) * n + x % n),
                    Arrangement::Planes => unreachable!("the first is left out"),
                };
                let block = y / n * (width / n) + x / n;
                let found = filled[block * 3 * n * n + within];
                assert_eq!(found, value, "{arrangement:?}, pixel {x},{y}, channel {c}");
            }
        }
    }

    #[test]
    fn every_format_comes_back_as_it_was() {
        for pixels in PixelFormat::ALL {
            let sizes = [
                (16, 16),
                (17, 19),
                (300, 40),
                (513, 35),
                (258, 17),
                (96, 31),
            ]
            .into_iter();
            for ((width, height), arrangement) in sizes.zip(ARRANGEMENTS) {
                let source = smooth(format(pixels, width, height), 13);
                let mut target = Video::new(source.format, 5, |_, _, _| 0);
                round_trip(&source, &mut target, Look::default(), arrangement);
                let limit = if pixels.packed().is_some() { 0.0 } else { 1.0 };
                let limit = limit * (max_code(pixels) + 1.0) / 256.0;
                let found = largest_difference(&source, &target);
                assert!(
                    found <= limit,
                    "{pixels:?} {width}x{height}: {found}, limit {limit}"
                );
            }
        }
    }

    #[test]
    fn bytes_between_rows_are_untouched() {
        let source = smooth(format(PixelFormat::Nv12, 33, 21), 0);
        let mut target = Video::new(source.format, 7, |_, _, _| 0);
        round_trip(&source, &mut target, Look::default(), Arrangement::Planes);
        for (data, stride) in &target.planes {
            assert!(
                data.chunks(*stride)
                    .all(|row| row[stride - 7..] == [0xEE; 7])
            );
        }
    }

    #[test]
    fn alpha_is_kept_and_unused_bytes_are_opaque() {
        for (pixels, wanted) in [(PixelFormat::Bgra, None), (PixelFormat::Rgbx, Some(255))] {
            let source = noise(format(pixels, 40, 16), 0);
            let mut target = Video::new(source.format, 0, |_, _, _| 0);
            round_trip(
                &source,
                &mut target,
                Look {
                    strength: 0.3,
                    keep_colors: true,
                    ..Look::default()
                },
                Arrangement::Blocks(2),
            );
            for y in 0..16 {
                for (from, to) in source
                    .frame()
                    .row(0, y)
                    .chunks(4)
                    .zip(target.frame().row(0, y).chunks(4))
                {
                    assert_eq!(to[3], wanted.unwrap_or(from[3]));
                }
            }
        }
    }

    /// Paints mid grey over a picture.
    fn painted_grey(pixels: PixelFormat, look: Look) -> (Video, Video) {
        let source = smooth(format(pixels, 64, 32), 0);
        let mut target = Video::new(source.format, 0, |_, _, _| 0);
        let data = vec![0.5; 3 * 64 * 32];
        let picture = Picture::new(&data, Canvas::planes((64, 32)));
        let back = Affine::from_network(&source.format, Channels::Rgb, ValueRange::Unit);
        write(
            &picture,
            &Paint {
                map: &back,
                bounds: (0.0, 1.0),
                source: &source.frame(),
                look,
            },
            &mut target.frame_mut(),
        );
        (source, target)
    }

    #[test]
    fn strength_fades_between_photo_and_paint() {
        for pixels in PixelFormat::ALL {
            let (source, none) = painted_grey(
                pixels,
                Look {
                    strength: 0.0,
                    keep_colors: false,
                    ..Look::default()
                },
            );
            assert_eq!(largest_difference(&source, &none), 0.0, "{pixels:?}");
            let (_, full) = painted_grey(pixels, Look::default());
            let (_, half) = painted_grey(
                pixels,
                Look {
                    strength: 0.5,
                    keep_colors: false,
                    ..Look::default()
                },
            );
            let whole = largest_difference(&source, &full);
            let part = largest_difference(&source, &half);
            assert!(
                (part - whole / 2.0).abs() <= 1.0,
                "{pixels:?}: {part} of {whole}"
            );
        }
    }

    #[test]
    fn keep_colors_keeps_chroma_and_paints_luma() {
        let look = Look {
            strength: 1.0,
            keep_colors: true,
            ..Look::default()
        };
        let (source, target) = painted_grey(PixelFormat::I420, look);
        assert_eq!(source.planes[1..], target.planes[1..]);
        // Half way between the codes of black and white, 16 and 235.
        assert!(
            target.planes[0]
                .0
                .iter()
                .all(|&luma| luma.abs_diff(126) <= 1)
        );

        let (source, target) = painted_grey(PixelFormat::Rgb, look);
        for (from, to) in source.planes[0]
            .0
            .chunks(3)
            .zip(target.planes[0].0.chunks(3))
        {
            let difference = |pixel: &[u8]| i32::from(pixel[0]) - i32::from(pixel[2]);
            assert!((difference(from) - difference(to)).abs() <= 1);
        }
    }

    #[test]
    fn values_beyond_black_and_white_are_cut_not_wrapped() {
        let source = smooth(format(PixelFormat::Rgb, 32, 16), 0);
        for (value, wanted) in [(-3.0, 0), (7.0, 255), (f32::NAN, 0)] {
            let mut target = Video::new(source.format, 0, |_, _, _| 9);
            let data = vec![value; 3 * 32 * 16];
            let picture = Picture::new(&data, Canvas::planes((32, 16)));
            let back = Affine::from_network(&source.format, Channels::Rgb, ValueRange::Unit);
            write(
                &picture,
                &Paint {
                    map: &back,
                    bounds: (0.0, 1.0),
                    source: &source.frame(),
                    look: Look::default(),
                },
                &mut target.frame_mut(),
            );
            assert!(
                target.planes[0].0.iter().all(|&sample| sample == wanted),
                "{value}"
            );
        }
    }
}
