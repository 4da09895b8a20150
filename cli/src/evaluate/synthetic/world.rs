//! A background and what moves before it: renders frames, and knows what went where.

use image::{Rgb, RgbImage};

use super::course::Similarity;
use super::layer::Layer;
use crate::evaluate::scene::Pair;

/// Distance from an edge beyond which a pixel shows one layer only.
const PURE: f64 = 0.5;

/// Distance from an edge beyond which all four neighbours of a point are pure, so that a warped picture holds
/// nothing of the other layer.
const CLEAR: f64 = PURE + std::f64::consts::SQRT_2;

/// What the camera sees.
pub struct World {
    /// Width and height of the frames.
    pub size: [u32; 2],
    /// Background; has no edges.
    pub back: Layer,
    /// What hides part of it.
    pub front: Option<Layer>,
}

/// The layers as they stand in one frame.
struct Moment<'a> {
    world: &'a World,
    back: Place,
    front: Option<Place>,
}

struct Place {
    to_frame: Similarity,
    to_layer: Similarity,
}

impl World {
    /// Renders a frame.
    pub fn frame(&self, frame_idx: usize) -> RgbImage {
        let moment = self.moment(frame_idx);
        RgbImage::from_fn(self.size[0], self.size[1], |x, y| {
            let point = [f64::from(x), f64::from(y)];
            let colour = moment.colour(point);
            Rgb(colour.map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8))
        })
    }

    /// Says where everything went between two frames.
    pub fn pair(&self, from: usize, to: usize) -> Pair {
        let (older, newer) = (self.moment(from), self.moment(to));
        let mut pair = Pair {
            from,
            to,
            flow: Vec::new(),
            known: Vec::new(),
            valid: Vec::new(),
            revealed: Vec::new(),
        };
        for y in 0..self.size[1] {
            for x in 0..self.size[0] {
                let point = [f64::from(x), f64::from(y)];
                let distance = older.distance(point);
                let is_front = distance < 0.0;
                let there = older.follow(&newer, is_front, point);
                pair.flow
                    .push([0, 1].map(|axis| (there[axis] - point[axis]) as f32));
                pair.known.push(true);
                pair.valid.push(
                    distance.abs() >= PURE
                        && self.reaches(there, 0.0)
                        && newer.shows(is_front, there),
                );
                pair.revealed.push(older.hid(&newer, point));
            }
        }
        pair
    }

    /// Whether a point lies in the frame, or at most `by` pixels outside the middles of its outer pixels.
    fn reaches(&self, point: [f64; 2], by: f64) -> bool {
        let sides = point.into_iter().zip(self.size);
        sides
            .into_iter()
            .all(|(at, side)| (-by..=f64::from(side) - 1.0 + by).contains(&at))
    }

    fn moment(&self, frame_idx: usize) -> Moment<'_> {
        let place = |layer: &Layer| {
            let to_frame = layer.course.place(frame_idx);
            Place {
                to_frame,
                to_layer: to_frame.inverse(),
            }
        };
        Moment {
            world: self,
            back: place(&self.back),
            front: self.front.as_ref().map(place),
        }
    }
}

impl Moment<'_> {
    fn colour(&self, point: [f64; 2]) -> [f32; 3] {
        let alpha = (PURE - self.distance(point)).clamp(0.0, 1.0) as f32;
        let back = || self.world.back.colour(self.back.to_layer.at(point));
        match (&self.world.front, &self.front) {
            (Some(layer), Some(place)) if alpha > 0.0 => {
                let front = layer.colour(place.to_layer.at(point));
                if alpha == 1.0 {
                    return front;
                }
                let mut mixed = back();
                for (value, front) in mixed.iter_mut().zip(front) {
                    *value += (front - *value) * alpha;
                }
                mixed
            }
            _ => back(),
        }
    }

    /// Distance of a point of the frame from the edge of the front layer, below 0 inside it.
    fn distance(&self, point: [f64; 2]) -> f64 {
        match (&self.world.front, &self.front) {
            (Some(layer), Some(place)) => {
                layer.distance(place.to_layer.at(point)) * place.to_frame.scale()
            }
            _ => f64::INFINITY,
        }
    }

    /// Whether a point and its surroundings show the layer and nothing else.
    fn shows(&self, is_front: bool, point: [f64; 2]) -> bool {
        match is_front {
            true => self.distance(point) <= -CLEAR,
            false => self.distance(point) >= CLEAR,
        }
    }

    /// Where the point of a layer stands in another frame.
    fn follow(&self, other: &Self, is_front: bool, point: [f64; 2]) -> [f64; 2] {
        match (&self.front, &other.front) {
            (Some(here), Some(there)) if is_front => there.to_frame.at(here.to_layer.at(point)),
            _ => other.back.to_frame.at(self.back.to_layer.at(point)),
        }
    }

    /// Whether this frame hid what a pixel of the newer one shows.
    fn hid(&self, newer: &Self, point: [f64; 2]) -> bool {
        let distance = newer.distance(point);
        let is_front = distance < 0.0;
        let before = newer.follow(self, is_front, point);
        let covered = !is_front && self.distance(before) <= -PURE;
        distance.abs() >= PURE && (covered || !self.world.reaches(before, PURE))
    }
}
