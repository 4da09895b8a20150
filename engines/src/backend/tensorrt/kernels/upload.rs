//! What the kernel of `upload.cu` is told.

use super::{Frame, Picture};
use crate::colour::Affine;

/// What uploading is about: a frame of the size of the picture's window. (Fields as in `upload.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Upload {
    pub frame: Frame,
    /// From the frame's codes to the network's values.
    pub map: Affine,
    pub picture: Picture,
}

impl Upload {
    /// Places of the kernel `upload`, width before height.
    pub(in super::super) fn grid(&self) -> (usize, usize) {
        self.picture.size()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Address, emulated};
    use super::*;
    use crate::convention::{Channels, ValueRange};
    use crate::convert::video::{ARRANGEMENTS, Video, format, noise};
    use crate::convert::{Arrangement, Canvas, PictureMut, Shown, read};
    use crate::frame::PixelFormat;
    use crate::geometry::Window;

    /// How a frame lies in the network's picture, which has whole blocks.
    fn canvas(video: &Video, (left, top): (usize, usize), arrangement: Arrangement) -> Canvas {
        let (width, height) = (video.format.width, video.format.height);
        Canvas {
            width: (width + 2 * left).next_multiple_of(4),
            height: (height + 2 * top).next_multiple_of(4),
            window: Window {
                left,
                top,
                width,
                height,
            },
            arrangement,
        }
    }

    fn wanted(video: &Video, map: &Affine, canvas: Canvas) -> Vec<f32> {
        let mut data = vec![f32::NAN; 3 * canvas.width * canvas.height];
        let frame = &video.frame();
        let picture = &mut PictureMut {
            data: &mut data,
            canvas,
        };
        read(&Shown { frame, map }, picture);
        data
    }

    /// What the kernel makes of a frame, in values of type `T`.
    #[expect(unsafe_code, reason = "a kernel is called")]
    fn found<T: Clone>(video: &Video, map: &Affine, canvas: Canvas, empty: T) -> Vec<T> {
        let mut data = vec![empty; 3 * canvas.width * canvas.height];
        let address = data.as_mut_ptr() as Address;
        let Canvas {
            width,
            height,
            window,
            arrangement,
        } = canvas;
        let size = (width, height);
        let job = Upload {
            frame: Frame::of(video),
            map: *map,
            picture: Picture::new(address, size, window, arrangement, size_of::<T>() == 2),
        };
        // SAFETY: the picture is as large as its layout says, and the frame is checked.
        unsafe { emulated::run("upload", "upload", &job, job.grid()) };
        data
    }

    /// Largest differences in shares of the span from black to white: of f32, and of f16 beyond what rounding may take.
    fn compare(video: &Video, border: (usize, usize), arrangement: Arrangement) -> [f32; 2] {
        let range = ValueRange::Signed;
        let (low, high) = range.bounds();
        let map = Affine::into_network(&video.format, Channels::Bgr, range);
        let canvas = canvas(video, border, arrangement);
        let wanted = wanted(video, &map, canvas);
        let full = found(video, &map, canvas, f32::NAN);
        let half = found(video, &map, canvas, half::f16::NAN);
        let mut largest = [0.0_f32; 2];
        for ((&wanted, full), half) in wanted.iter().zip(full).zip(half) {
            assert!(full.is_finite() && half.is_finite(), "a value was left out");
            let rounding = 2.0_f32.powi(-11) * wanted.abs().max(2.0_f32.powi(-14));
            let beyond = ((half.to_f32() - wanted).abs() - rounding).max(0.0);
            largest[0] = largest[0].max((full - wanted).abs() / (high - low));
            largest[1] = largest[1].max(beyond / (high - low));
        }
        largest
    }

    #[test]
    fn upload_is_what_the_definition_is() {
        for pixels in PixelFormat::ALL {
            for ((width, height), extra_bytes) in [((64, 16), 0), ((37, 23), 13), ((258, 17), 5)] {
                for arrangement in ARRANGEMENTS {
                    let video = noise(format(pixels, width, height), extra_bytes);
                    // The second border is wider than the picture is high.
                    for border in [(8, 4), (16, 40)] {
                        let found = compare(&video, border, arrangement);
                        assert!(
                            found.iter().all(|&found| found <= 1e-5),
                            "{pixels:?} {width}x{height} {arrangement:?}: {found:?}"
                        );
                    }
                }
            }
        }
    }
}
