//! The flow of the stabilizer by itself, to be measured: between two pictures, as [`Tracker`](super::Tracker) finds it.

use std::time::{Duration, Instant};

use super::flow::{Flow, Search};
use super::pyramid::Pyramid;
use super::{FLOW_LEVEL, luma};
use crate::frame::Frame;

/// Where everything went from one frame to another, on a grid of cells.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowField {
    /// Cells along a row.
    pub width: usize,
    /// Rows of cells.
    pub height: usize,
    /// Pixels of the frame along each side of a cell. The cell `(x, y)` is centred on the pixel
    /// `cell_px * (x + 0.5) - 0.5`, likewise for y.
    pub cell_px: usize,
    /// Steps to the right in pixels of the frame, row by row.
    pub u: Vec<f32>,
    /// Steps downwards in pixels of the frame, row by row.
    pub v: Vec<f32>,
    /// What the search took on one thread, its buffers there and the pyramids built.
    pub time: Duration,
    /// What it took, on the same thread, to build the pyramids of both pictures from their largest level.
    pub pyramids_time: Duration,
}

/// Finds where everything in `from` is in `to`, as the stabilizer does between neighbouring frames, by the inverse search
/// of Kroeger et al. (ECCV 2016): on luma, at half the largest size of the pyramid.
///
/// # Panics
/// If the frames are not of one size.
pub fn flow_between(from: &Frame<'_>, to: &Frame<'_>) -> FlowField {
    let (format, other) = (from.format(), to.format());
    assert_eq!(
        (format.width, format.height),
        (other.width, other.height),
        "the frames are of one size"
    );
    let step = luma::step(format);
    let mut pyramids = [from, to].map(|frame| {
        let mut pyramid = Pyramid::new(format.width / step, format.height / step);
        luma::read(frame, step, &mut pyramid.levels[0]);
        pyramid.build();
        pyramid
    });
    let start = Instant::now();
    for pyramid in &mut pyramids {
        pyramid.build();
    }
    let pyramids_time = start.elapsed();
    let [from, to] = &pyramids;
    let (mut search, mut flow) = (Search::default(), Flow::default());
    // The first time makes the buffers.
    search.find(from, to, &mut flow);
    let start = Instant::now();
    search.find(from, to, &mut flow);
    let time = start.elapsed();
    let cell_px = step << FLOW_LEVEL;
    let of_frame = |steps: Vec<f32>| steps.iter().map(|by| by * cell_px as f32).collect();
    FlowField {
        width: flow.width,
        height: flow.height,
        cell_px,
        u: of_frame(flow.u),
        v: of_frame(flow.v),
        time,
        pyramids_time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameFormat, Matrix, PixelFormat, Plane, Range};

    #[test]
    fn steps_are_pixels_of_the_frame() {
        // 640 rows are halved before the pyramid, and once more within it.
        for (width, height, cell_px) in [(320, 200, 2), (648, 640, 4)] {
            let format =
                FrameFormat::new(PixelFormat::Rgb, width, height, Matrix::Bt709, Range::Full)
                    .unwrap();
            let picture = |shift: f32| -> Vec<u8> {
                let code = |idx: usize| {
                    let (x, y) = ((idx % width) as f32 - shift, (idx / width) as f32);
                    128.0 + 50.0 * (x / 13.0).sin() + 50.0 * (y / 17.0 + x / 40.0).sin()
                };
                (0..width * height)
                    .flat_map(|idx| [code(idx) as u8; 3])
                    .collect()
            };
            let pictures = [picture(0.0), picture(6.0)];
            let [from, to] = pictures.each_ref().map(|data| {
                let stride_bytes = width * 3;
                Frame::new(format, &[Plane { data, stride_bytes }]).unwrap()
            });
            let field = flow_between(&from, &to);
            assert_eq!(field.cell_px, cell_px);
            assert_eq!(
                (field.width, field.height),
                (width / cell_px, height / cell_px)
            );
            let middle = field.height / 2 * field.width + field.width / 2;
            assert!((field.u[middle] - 6.0).abs() < 0.3, "{}", field.u[middle]);
            assert!(field.v[middle].abs() < 0.3, "{}", field.v[middle]);
        }
    }
}
