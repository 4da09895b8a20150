//! Scenes made by code from still photos, whose motion is known exactly.
//!
//! A scene is a photo that moves, with parts of another moving before it. Every frame is rendered from the photos
//! by itself, so that no error grows along the clip.

mod camera;
mod chance;
mod course;
mod h264;
mod layer;
mod photo;
mod shape;
mod world;

use image::RgbImage;
use rayon::prelude::*;

pub use self::camera::noisy;
use self::course::Course;
use self::layer::Layer;
pub use self::photo::photo;
use self::shape::Shape;
use self::world::World;
use super::scene::Scene;

const SIZE: [u32; 2] = [640, 360];
const N_FRAMES: usize = 24;

/// Older frames of the pairs one frame apart. The first frames are left out: what holds a painting still needs
/// a past.
const SHORT_FROM: [usize; 6] = [4, 7, 11, 15, 19, 22];

/// Older frames of the pairs [`LONG`] frames apart.
const LONG_FROM: [usize; 4] = [4, 7, 10, 13];
const LONG: usize = 10;

/// Deviation of the scene `noise` in codes: a camera in daylight.
const NOISE: f64 = 2.0;

/// Photos that are made if none are given: as many as the scenes show.
const N_PHOTOS: usize = 7;

/// Makes the scenes `pan`, `zoom`, `rotation`, `parallax`, `object`, `noise`, `exposure` and `h264`: 24 frames of
/// 640x360 each. Photos are used in turn; without any, [`photo()`] makes them.
///
/// # Errors
/// If GStreamer cannot encode or decode H.264, or an interruption was noted.
pub fn scenes(photos: &[RgbImage]) -> anyhow::Result<Vec<Scene>> {
    if photos.is_empty() {
        return scenes(&made());
    }
    Album { photos, size: SIZE }.scenes()
}

/// Makes the scene `object` alone: a thing flies and turns before a background that stands still.
///
/// # Errors
/// If an interruption was noted.
pub fn object() -> anyhow::Result<Scene> {
    let album = Album {
        photos: &made(),
        size: SIZE,
    };
    let object = album.object();
    Ok(scene("object", &object, frames(&object)?))
}

fn made() -> Vec<RgbImage> {
    (0..N_PHOTOS).into_par_iter().map(photo).collect()
}

/// What scenes are made of.
struct Album<'a> {
    /// At least one.
    photos: &'a [RgbImage],
    size: [u32; 2],
}

impl Album<'_> {
    fn scenes(&self) -> anyhow::Result<Vec<Scene>> {
        let (pan, parallax) = (self.pan(), self.parallax());
        let (panned, passed) = (frames(&pan)?, frames(&parallax)?);
        let (zoom, rotation, object) = (self.zoom(), self.rotation(), self.object());
        let slow = self.world(4, self.steady([-1.13, 0.37]));
        let grainy = panned.iter().zip(0..);
        let grainy = grainy
            .map(|(frame, seed)| noisy(frame, NOISE, seed))
            .collect();
        let decoded = h264::round_trip(&passed)?;
        Ok(vec![
            scene("pan", &pan, panned),
            scene("zoom", &zoom, frames(&zoom)?),
            scene("rotation", &rotation, frames(&rotation)?),
            scene("parallax", &parallax, passed),
            scene("object", &object, frames(&object)?),
            scene("noise", &pan, grainy),
            scene("exposure", &slow, camera::darkening(&frames(&slow)?)),
            scene("h264", &parallax, decoded),
        ])
    }

    fn pan(&self) -> World {
        self.world(0, self.steady([-3.33, -1.17]))
    }

    fn zoom(&self) -> World {
        let course = Course {
            zoom: 1.01,
            ..self.steady([0.0; 2])
        };
        self.world(1, course)
    }

    fn rotation(&self) -> World {
        let course = Course {
            turn: 0.4,
            ..self.steady([0.0; 2])
        };
        self.world(2, course)
    }

    /// One photo that moves as a whole.
    fn world(&self, photo_idx: usize, course: Course) -> World {
        let view = (self.size, N_FRAMES);
        World {
            size: self.size,
            back: Layer::endless(self.photo(photo_idx), course, view),
            front: None,
        }
    }

    /// Large shapes pass before a background that moves more slowly.
    fn parallax(&self) -> World {
        let shapes = vec![
            Shape::star(self.at(0.16, 0.70), self.long(0.20), 4, (0.3, 0.0)),
            Shape::disc(self.at(0.52, 0.16), self.long(0.10)),
            Shape::star(self.at(0.78, 0.72), self.long(0.17), 6, (0.1, 0.4)),
            Shape {
                corners: vec![self.at(1.05, 0.1), self.at(1.1, 0.9)],
                radius: self.long(0.03),
            },
        ];
        let course = self.steady([-5.23, 0.71]);
        World {
            front: Some(Layer::cut(self.photo(4), course, shapes)),
            ..self.world(3, self.steady([-1.37, 0.23]))
        }
    }

    /// A thing flies and turns before a background that stands still.
    fn object(&self) -> World {
        let shapes = vec![
            Shape::star(self.at(0.28, 0.45), self.long(0.13), 5, (0.5, 0.35)),
            Shape::disc(self.at(0.36, 0.52), self.long(0.09)),
        ];
        let course = Course {
            centre: self.at(0.3, 0.48),
            turn: 0.8,
            ..self.steady([4.83, 1.27])
        };
        World {
            front: Some(Layer::cut(self.photo(6), course, shapes)),
            ..self.world(5, Course::STILL)
        }
    }

    fn photo(&self, idx: usize) -> &RgbImage {
        &self.photos[idx % self.photos.len()]
    }

    fn steady(&self, speed: [f64; 2]) -> Course {
        Course {
            centre: self.at(0.5, 0.5),
            speed,
            ..Course::STILL
        }
    }

    /// A point of the first frame, in parts of its sides.
    fn at(&self, x: f64, y: f64) -> [f64; 2] {
        [x * f64::from(self.size[0]), y * f64::from(self.size[1])]
    }

    /// A part of the frame's longer side.
    fn long(&self, part: f64) -> f64 {
        part * f64::from(self.size[0])
    }
}

/// Renders a clip.
fn frames(world: &World) -> anyhow::Result<Vec<RgbImage>> {
    crate::interrupt::check()?;
    let frames = (0..N_FRAMES).into_par_iter().map(|idx| world.frame(idx));
    Ok(frames.collect())
}

/// A clip with what is known of it.
fn scene(name: &str, world: &World, frames: Vec<RgbImage>) -> Scene {
    let short = SHORT_FROM.map(|from| (from, from + 1));
    let long = LONG_FROM.map(|from| (from, from + LONG));
    let pairs = [short.as_slice(), &long].concat().into_par_iter();
    Scene {
        name: name.to_owned(),
        frames,
        pairs: pairs.map(|(from, to)| world.pair(from, to)).collect(),
    }
}

#[cfg(test)]
mod tests;
