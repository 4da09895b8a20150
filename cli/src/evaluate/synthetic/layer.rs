//! A photo in a plane that moves, whole or cut to shapes.

use image::imageops::{self, FilterType};
use image::{Rgb32FImage, RgbImage, buffer::ConvertBuffer};

use super::course::Course;
use super::shape::Shape;

/// Texels per pixel of a frame in which the layer has its first size. With 2, Catmull-Rom is close to the
/// ideal filter for everything that a frame can show.
const DENSITY: f64 = 2.0;

/// Room around the needed part of the photo, in pixels: what the filter reaches.
const MARGIN: f64 = 2.0;

/// A photo that moves. Its plane is the first frame's: pixels, the origin in the middle of the top left one.
pub struct Layer {
    /// How it moves.
    pub course: Course,
    shapes: Vec<Shape>,
    texture: Rgb32FImage,
    origin: [f64; 2],
}

impl Layer {
    /// A layer without edges, as far as frames 0 to `n_frames - 1` of `size` see it.
    pub fn endless(photo: &RgbImage, course: Course, (size, n_frames): ([u32; 2], usize)) -> Self {
        let [right, bottom] = size.map(|side| f64::from(side) - 1.0);
        let mut bounds = [[f64::INFINITY; 2], [f64::NEG_INFINITY; 2]];
        for frame_idx in 0..n_frames {
            let back = course.place(frame_idx).inverse();
            for corner in [[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]] {
                let point = back.at(corner);
                for axis in 0..2 {
                    bounds[0][axis] = bounds[0][axis].min(point[axis]);
                    bounds[1][axis] = bounds[1][axis].max(point[axis]);
                }
            }
        }
        Self::within(photo, course, bounds)
    }

    /// A layer of which only what lies inside the shapes is there.
    pub fn cut(photo: &RgbImage, course: Course, shapes: Vec<Shape>) -> Self {
        let bounds = shapes.iter().map(Shape::bounds).reduce(|a, b| {
            [
                [a[0][0].min(b[0][0]), a[0][1].min(b[0][1])],
                [a[1][0].max(b[1][0]), a[1][1].max(b[1][1])],
            ]
        });
        let layer = Self::within(photo, course, bounds.expect("there are shapes"));
        Self { shapes, ..layer }
    }

    /// Fits the photo over the bounds and cuts off the rest.
    fn within(photo: &RgbImage, course: Course, [low, high]: [[f64; 2]; 2]) -> Self {
        let origin = low.map(|side| side - MARGIN);
        let [width, height] = [0, 1].map(|axis| high[axis] - low[axis] + 2.0 * MARGIN + 1.0);
        let (photo_width, photo_height) = (f64::from(photo.width()), f64::from(photo.height()));
        let scale = (photo_width / width).min(photo_height / height);
        let (crop_width, crop_height) = (width * scale, height * scale);
        let crop = imageops::crop_imm(
            photo,
            ((photo_width - crop_width) / 2.0) as u32,
            ((photo_height - crop_height) / 2.0) as u32,
            (crop_width as u32).max(1),
            (crop_height as u32).max(1),
        )
        .to_image();
        let crop: Rgb32FImage = crop.convert();
        let resized = |picture: &Rgb32FImage, density: f64| {
            let (width, height) = ((width * density) as u32, (height * density) as u32);
            imageops::resize(picture, width, height, FilterType::Lanczos3)
        };
        // Detail finer than a pixel would flicker as the layer moves.
        let texture = match scale > 1.0 {
            true => resized(&resized(&crop, 1.0), DENSITY),
            false => resized(&crop, DENSITY),
        };
        Self {
            course,
            shapes: Vec::new(),
            texture,
            origin,
        }
    }

    /// Distance of a point of the plane from the edge, in its pixels: below 0 where the layer is, above 0 where it is not.
    pub fn distance(&self, point: [f64; 2]) -> f64 {
        let distances = self.shapes.iter().map(|shape| shape.distance(point));
        distances.reduce(f64::min).unwrap_or(f64::NEG_INFINITY)
    }

    /// Colour at a point of the plane, RGB 0 to 1 (a little beyond at hard edges).
    pub fn colour(&self, point: [f64; 2]) -> [f32; 3] {
        let (width, height) = self.texture.dimensions();
        let stride = 3 * width as usize;
        let at = |axis: usize, side: u32| {
            let texel = (point[axis] - self.origin[axis]) * DENSITY;
            let first = texel.floor();
            let idx = |step: i64| (first as i64 + step).clamp(0, i64::from(side) - 1) as usize;
            (
                [idx(-1), idx(0), idx(1), idx(2)],
                catmull_rom((texel - first) as f32),
            )
        };
        let (columns, across) = at(0, width);
        let (rows, down) = at(1, height);
        let mut colour = [0.0; 3];
        for (row, by_row) in rows.into_iter().zip(down) {
            for (column, by_column) in columns.into_iter().zip(across) {
                let texel = &self.texture.as_raw()[row * stride + 3 * column..][..3];
                for (sum, value) in colour.iter_mut().zip(texel) {
                    *sum += by_row * by_column * value;
                }
            }
        }
        colour
    }
}

/// Weights of the four neighbours of a point `t` of the way from the second to the third.
fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [
        -0.5 * t3 + t2 - 0.5 * t,
        1.5 * t3 - 2.5 * t2 + 1.0,
        -1.5 * t3 + 2.0 * t2 + 0.5 * t,
        0.5 * t3 - 0.5 * t2,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_keep_brightness() {
        for t in [0.0, 0.25, 0.5, 0.9] {
            let sum: f32 = catmull_rom(t).into_iter().sum();
            assert!((sum - 1.0).abs() < 1e-6, "{t}: {sum}");
        }
        assert_eq!(catmull_rom(0.0), [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_cut_layer_ends_at_its_shapes() {
        let photo = RgbImage::from_pixel(30, 20, image::Rgb([255, 0, 51]));
        let shapes = vec![Shape::disc([5.0, 5.0], 3.0), Shape::disc([15.0, 5.0], 2.0)];
        let layer = Layer::cut(&photo, Course::STILL, shapes);
        assert_eq!(layer.distance([5.0, 5.0]), -3.0);
        assert_eq!(layer.distance([10.0, 5.0]), 2.0);
        let [red, green, blue] = layer.colour([5.0, 5.0]);
        assert!((red - 1.0).abs() < 1e-3 && green.abs() < 1e-3 && (blue - 0.2).abs() < 1e-3);
    }
}
