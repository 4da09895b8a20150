//! What the kernel of `luma.cu` is told.

use super::{Frame, Level};
use crate::frame::FrameFormat;
use crate::stabilizer::luma;

/// What reading luma is about. (Fields as in `luma.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Luma {
    frame: Frame,
    step: i32,
    black: f32,
    scale: f32,
    weights: [f32; 3],
    level: Level,
}

impl Luma {
    /// Of a frame of that format, at so many times less width and height.
    pub(in super::super) fn new(
        frame: Frame,
        format: &FrameFormat,
        step: usize,
        level: Level,
    ) -> Self {
        let (black, scale) = luma::span(format, step);
        Self {
            frame,
            step: step as i32,
            black,
            scale,
            weights: format.matrix.luma(),
            level,
        }
    }

    /// Places of the kernel `luma`, width before height.
    pub(in super::super) fn grid(&self) -> (usize, usize) {
        self.level.grid()
    }
}

#[cfg(test)]
mod tests {
    use super::super::emulated;
    use super::super::level::twin;
    use super::*;
    use crate::convert::video::{format, noise};
    use crate::frame::{PixelFormat, Range};
    use crate::stabilizer::pyramid::Pyramid;

    #[test]
    #[expect(unsafe_code, reason = "a kernel is called")]
    fn luma_is_what_the_definition_reads() {
        for pixels in PixelFormat::ALL {
            for range in [Range::Limited, Range::Full] {
                for (width, height, step) in [(64, 48, 1), (75, 53, 2), (160, 90, 4), (200, 99, 8)]
                {
                    let mut format = format(pixels, width, height);
                    format.range = range;
                    let video = noise(format, 5);
                    let size = (width / step, height / step);
                    let mut pyramid = Pyramid::new(size.0, size.1);
                    luma::read(&video.frame(), step, &mut pyramid.levels[0]);

                    let mut found = twin::empty(size);
                    let level = twin::seen(&mut found, size);
                    let job = Luma::new(Frame::of(&video), &format, step, level);
                    // SAFETY: frame and level are as large as they say.
                    unsafe { emulated::run("luma", "luma", &job, job.grid()) };
                    let far = twin::largest(&found, &twin::values(&pyramid.levels[0]));
                    // Codes of 8 and 10 bits add up exactly; of three colours, products are rounded.
                    assert!(far <= 1e-4, "{pixels:?} {range:?} {width}x{height}: {far}");
                }
            }
        }
    }
}
