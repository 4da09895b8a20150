//! Size and rate of the frames: one for the whole run, so that nothing behind the source ever has to change.

use std::sync::OnceLock;

/// What is taken without being asked for more: what two cores can paint.
const LARGEST: (i32, i32) = (1280, 720);
/// Frames a second that are taken at most.
const FASTEST: i32 = 30;

/// What the user insists on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Width and height in pixels.
    pub size: Option<(i32, i32)>,
    /// Frames a second.
    pub fps: Option<i32>,
}

/// Size and rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Pixels from left to right, an even number.
    pub width: i32,
    /// Pixels from top to bottom, an even number.
    pub height: i32,
    /// Frames a second, at most.
    pub fps: i32,
}

/// The format of a run: decided by the first frames that come.
pub struct Choice {
    wish: Wish,
    made: OnceLock<Format>,
}

impl Choice {
    /// One that is yet to be made.
    pub fn new(wish: Wish) -> Self {
        Self {
            wish,
            made: OnceLock::new(),
        }
    }

    /// The format, if it is decided.
    pub fn made(&self) -> Option<Format> {
        self.made.get().copied()
    }

    /// What it is if nothing that comes speaks against it.
    pub fn ideal(&self) -> Format {
        self.wish.fit(None)
    }

    /// The format, decided now at the latest: that of `caps`, or the largest that is taken unasked.
    pub fn make(&self, caps: Option<&gst::CapsRef>) -> Format {
        *self.made.get_or_init(|| self.wish.fit(caps))
    }
}

impl Wish {
    /// The format nearest to what comes.
    fn fit(&self, caps: Option<&gst::CapsRef>) -> Format {
        let structure = caps.and_then(|caps| caps.structure(0));
        let side = |name| structure.and_then(|found| found.get::<i32>(name).ok());
        let found = side("width").zip(side("height"));
        let (width, height) = self
            .size
            .unwrap_or_else(|| within(found.unwrap_or(LARGEST), LARGEST));
        let rate = structure.and_then(|found| found.get::<gst::Fraction>("framerate").ok());
        let rate = rate.filter(|rate| rate.numer() > 0);
        let rate = rate.map(|rate| (f64::from(rate.numer()) / f64::from(rate.denom())).round());
        let fps = rate.map_or(FASTEST, |rate| (rate as i32).clamp(1, FASTEST));
        Format {
            width: width / 2 * 2,
            height: height / 2 * 2,
            fps: self.fps.unwrap_or(fps),
        }
    }
}

/// A size scaled down until it fits, in its own shape.
pub fn within(
    (width, height): (i32, i32),
    (largest_width, largest_height): (i32, i32),
) -> (i32, i32) {
    let ratio = |a: i32, b: i32| f64::from(a) / f64::from(b.max(1));
    let scale = ratio(largest_width, width)
        .min(ratio(largest_height, height))
        .min(1.0);
    let scaled = |side: i32| ((f64::from(side) * scale).round() as i32).max(2);
    (scaled(width), scaled(height))
}

impl Format {
    /// The caps of its frames.
    pub fn caps(self) -> gst::Caps {
        gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", self.width)
            .field("height", self.height)
            .field("framerate", gst::Fraction::new(self.fps, 1))
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .build()
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{} at {} fps", self.width, self.height, self.fps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(width: i32, height: i32, rate: (i32, i32)) -> gst::Caps {
        gst::init().unwrap();
        gst::Caps::builder("video/x-raw")
            .field("width", width)
            .field("height", height)
            .field("framerate", gst::Fraction::new(rate.0, rate.1))
            .build()
    }

    #[test]
    fn what_comes_is_taken_as_far_as_two_cores_go() {
        for (width, height, rate, wanted) in [
            (640, 480, (30, 1), "640x480 at 30 fps"),
            (1920, 1080, (60, 1), "1280x720 at 30 fps"),
            (1080, 1920, (30000, 1001), "404x720 at 30 fps"),
            (641, 361, (15, 1), "640x360 at 15 fps"),
            (640, 360, (0, 1), "640x360 at 30 fps"),
        ] {
            let choice = Choice::new(Wish::default());
            let made = choice.make(Some(&caps(width, height, rate)));
            assert_eq!(made.to_string(), wanted);
            assert_eq!(choice.make(None), made, "it is made once");
        }
    }

    #[test]
    fn what_is_insisted_on_is_done() {
        let wish = Wish {
            size: Some((1920, 1080)),
            fps: Some(50),
        };
        let made = Choice::new(wish).make(Some(&caps(640, 480, (30, 1))));
        assert_eq!(made.to_string(), "1920x1080 at 50 fps");
    }
}
