//! Where the picture lies within what the network sees: size, reflected border, alignment.

use crate::convention::{Convention, Size};
use crate::error::{Error, Result};

/// Smallest side in pixels that is given to a network of any size: networks with reflecting layers inside
/// refuse pictures smaller than their border.
const MIN_PADDED_PX: usize = 64;

/// A rectangle of pixels within a larger picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

/// Size of the network's picture and the window of it that holds the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub padded_width: usize,
    pub padded_height: usize,
    pub window: Window,
}

impl Geometry {
    /// Whether what the network sees can be cut into blocks of `n` pixels a side.
    pub(crate) fn has_blocks(&self, n: usize) -> bool {
        self.padded_width.is_multiple_of(n) && self.padded_height.is_multiple_of(n)
    }

    /// Where the frame lies in what the network gives, which may be a few pixels off what it sees.
    pub(crate) fn painted_window(&self, painted: (usize, usize)) -> Window {
        let Self {
            padded_width,
            padded_height,
            window,
        } = *self;
        if painted == (padded_width, padded_height) {
            return window;
        }
        let along = |position: usize, painted: usize, padded: usize| position * painted / padded;
        Window {
            left: along(window.left, painted.0, padded_width),
            top: along(window.top, painted.1, padded_height),
            width: along(window.width, painted.0, padded_width).max(1),
            height: along(window.height, painted.1, padded_height).max(1),
        }
    }

    /// Lays a frame of `width` times `height` pixels out for a network. `processing_size` is the height at which
    /// the network works, 0 for the frame's own.
    ///
    /// # Errors
    /// [`Error::Setting`] for a processing size outside 16..=8192.
    pub(crate) fn new(
        convention: &Convention,
        width: usize,
        height: usize,
        processing_size: usize,
    ) -> Result<Self> {
        if processing_size != 0 && !(16..=8192).contains(&processing_size) {
            return Err(Error::Setting {
                name: "processing-size",
                found: processing_size.to_string(),
                wanted: "0 (the frame's own height) or 16 to 8192",
            });
        }
        if let Size::Fixed(width, height) = convention.size.value {
            let window = Window {
                left: 0,
                top: 0,
                width,
                height,
            };
            return Ok(Self {
                padded_width: width,
                padded_height: height,
                window,
            });
        }
        let (width, height) = match processing_size {
            0 => (width, height),
            size => (((width * size + height / 2) / height).clamp(16, 8192), size),
        };
        let align = convention.align.map_or(1, |known| known.value).max(1);
        let pad = convention.pad.value;
        let padded = |side: usize| (side + 2 * pad).max(MIN_PADDED_PX).next_multiple_of(align);
        let (padded_width, padded_height) = (padded(width), padded(height));
        // A multiple of the alignment keeps the network's own lattice where it was: in step with the frame.
        let start = |side: usize, padded: usize| pad.next_multiple_of(align).min(padded - side);
        let window = Window {
            left: start(width, padded_width),
            top: start(height, padded_height),
            width,
            height,
        };
        Ok(Self {
            padded_width,
            padded_height,
            window,
        })
    }

    /// Whether the frame is scaled on its way into the network.
    pub(crate) fn scales(&self, width: usize, height: usize) -> bool {
        (self.window.width, self.window.height) != (width, height)
    }
}

/// Position of the mirror image of `i` within `0..n`: a picture folded at its first and last pixel as often
/// as needed.
pub(crate) fn fold(i: isize, n: usize) -> usize {
    let period = 2 * (n - 1);
    let position = i.unsigned_abs() % period.max(1);
    position.min(period - position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::sidecar::Sidecar;

    fn convention() -> Convention {
        let bytes = include_bytes!("../styles/balanced.onnx");
        Model::parse("x".to_owned(), bytes[..].into(), &Sidecar::default())
            .unwrap()
            .convention
    }

    #[test]
    fn frames_are_padded_and_aligned() {
        let geometry = Geometry::new(&convention(), 1280, 720, 0).unwrap();
        assert_eq!((geometry.padded_width, geometry.padded_height), (1312, 752));
        assert_eq!(
            geometry.window,
            Window {
                left: 16,
                top: 16,
                width: 1280,
                height: 720
            }
        );
        for (width, height) in [(16, 16), (17, 333), (1919, 1079)] {
            let geometry = Geometry::new(&convention(), width, height, 0).unwrap();
            assert_eq!(
                (geometry.padded_width % 8, geometry.padded_height % 8),
                (0, 0)
            );
            assert!(geometry.window.left + width <= geometry.padded_width);
            assert!(geometry.window.top + height <= geometry.padded_height);
        }
    }

    #[test]
    fn processing_size_keeps_the_shape() {
        let geometry = Geometry::new(&convention(), 1280, 720, 360).unwrap();
        assert_eq!((geometry.window.width, geometry.window.height), (640, 360));
        assert!(geometry.scales(1280, 720));
        assert!(Geometry::new(&convention(), 1280, 720, 9).is_err());
    }

    #[test]
    fn reflection_folds_as_often_as_needed() {
        let folded: Vec<_> = (-5..8).map(|i| fold(i, 3)).collect();
        assert_eq!(folded, [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
    }
}
