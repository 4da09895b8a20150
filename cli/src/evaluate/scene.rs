//! Frames with what is known of their motion.

use image::RgbImage;

/// A clip with ground truth.
pub struct Scene {
    /// What it is called in tables.
    pub name: String,
    /// Frames in order, all of one size.
    pub frames: Vec<RgbImage>,
    /// Motion between some of them.
    pub pairs: Vec<Pair>,
}

/// What is known of the motion from one frame of a scene to a later one.
pub struct Pair {
    /// Position of the older frame.
    pub from: usize,
    /// Position of the newer frame.
    pub to: usize,
    /// Where each pixel of the older frame went: steps in x and y in pixels, row by row.
    pub flow: Vec<[f32; 2]>,
    /// Pixels of the older frame whose flow is known.
    pub known: Vec<bool>,
    /// Those of them that are seen in the newer frame too.
    pub valid: Vec<bool>,
    /// Pixels of the newer frame that show what was hidden or outside before.
    pub revealed: Vec<bool>,
}
