//! Pictures made by code, for want of photos: sky, hills, and things with edges, shading and texture.

use image::{Rgb, RgbImage};

use super::chance::{Chance, mixed};
use super::shape::Shape;

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 800;

/// Things that lie about.
const N_THINGS: usize = 18;

/// What there is to see.
struct Scenery {
    seed: u64,
    zenith: [f64; 3],
    haze: [f64; 3],
    ground: [f64; 3],
    horizon: f64,
    /// Each lies before those that stand earlier.
    things: Vec<Thing>,
}

/// A thing with an edge.
struct Thing {
    shape: Shape,
    middle: [f64; 2],
    size: f64,
    colour: [f64; 3],
    /// How far its texture darkens and lights up.
    roughness: f64,
    grain_px: f64,
    seed: u64,
}

/// A picture; another for each index, the same on every call.
pub fn photo(idx: usize) -> RgbImage {
    let scenery = Scenery::new(idx);
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let colour = scenery.colour([f64::from(x), f64::from(y)]);
        Rgb(colour.map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8))
    })
}

impl Scenery {
    fn new(idx: usize) -> Self {
        let seed = mixed(idx as u64 + 1);
        let mut chance = Chance::new(seed);
        let hue = chance.unit();
        Self {
            seed,
            zenith: colour(hue + 0.62, chance.between(0.2, 0.6), 0.75),
            haze: colour(hue + 0.12, chance.between(0.2, 0.6), 0.96),
            ground: colour(hue + chance.between(0.2, 0.4), 0.5, 0.5),
            horizon: f64::from(HEIGHT) * chance.between(0.35, 0.6),
            things: (0..N_THINGS)
                .map(|nth| thing(&mut chance, hue, nth))
                .collect(),
        }
    }

    fn colour(&self, point: [f64; 2]) -> [f64; 3] {
        let [x, y] = point;
        let ridge = self.horizon + 90.0 * (cloud([x, 0.0], 300.0, self.seed ^ 1) - 0.5);
        let sky = mix(self.zenith, self.haze, (y / ridge).clamp(0.0, 1.0));
        let puffs = (cloud(point, 260.0, self.seed ^ 2) * 3.0 - 1.3).clamp(0.0, 0.8);
        let sky = mix(sky, [0.97, 0.95, 0.92], puffs);
        let near = ((y - ridge) / f64::from(HEIGHT)).clamp(0.0, 1.0);
        let furrows = cloud([x * 0.4, y], 30.0 + 90.0 * near, self.seed ^ 3) - 0.5;
        let hills = self
            .ground
            .map(|value| value * (0.55 + 0.5 * near + 0.7 * furrows));
        let mut seen = mix(sky, hills, (y - ridge + 0.5).clamp(0.0, 1.0));
        for thing in &self.things {
            seen = thing.over(seen, point);
        }
        let grain = 1.0 + 0.22 * (cloud(point, 9.0, self.seed ^ 4) - 0.5);
        seen.map(|value| value * grain)
    }
}

impl Thing {
    /// Paints a point of it, or of its shadow, over what is seen behind.
    fn over(&self, behind: [f64; 3], point: [f64; 2]) -> [f64; 3] {
        let [x, y] = [0, 1].map(|axis| (point[axis] - self.middle[axis]) / self.size);
        // Beyond its shadow's end.
        if x.hypot(y) > 1.8 {
            return behind;
        }
        let cast = [point[0] - 0.12 * self.size, point[1] - 0.16 * self.size];
        let shadow = (0.5 - self.shape.distance(cast) / (0.25 * self.size)).clamp(0.0, 1.0);
        let behind = behind.map(|value| value * (1.0 - 0.45 * shadow));
        let distance = self.shape.distance(point);
        if distance > 0.5 {
            return behind;
        }
        let texture = cloud(point, self.grain_px, self.seed) - 0.5;
        let rim = (-distance / (0.3 * self.size)).clamp(0.0, 1.0).sqrt();
        let light = 0.45 + 0.35 * rim - 0.3 * (x * 0.6 + y * 0.8) + self.roughness * texture;
        let shine = (1.0 - (x + 0.3).hypot(y + 0.35) * 4.0).clamp(0.0, 1.0) * 0.35;
        let front = self
            .colour
            .map(|value| value * light.max(0.05) * 1.3 + shine);
        mix(behind, front, 0.5 - distance.max(-0.5))
    }
}

/// Draws a thing; later ones are smaller, as they come to lie before the others.
fn thing(chance: &mut Chance, hue: f64, nth: usize) -> Thing {
    let [width, height] = [WIDTH, HEIGHT].map(f64::from);
    let middle = [
        chance.between(0.0, width),
        chance.between(0.2 * height, height),
    ];
    let size = chance.between(90.0, 190.0) * (1.0 - 0.6 * nth as f64 / N_THINGS as f64);
    let angle = chance.between(0.0, std::f64::consts::TAU);
    let shape = match chance.between(0.0, 5.0) as usize {
        0 | 1 => Shape::disc(middle, size),
        2 => Shape::star(middle, size, 4, (angle, 0.0)),
        3 => Shape::star(middle, size, 3 + nth % 4, (angle, 0.0)),
        _ => Shape::star(middle, size, 5 + nth % 3, (angle, 0.45)),
    };
    let turn = hue + 0.5 * chance.between(-1.0, 1.0);
    Thing {
        shape,
        middle,
        size,
        colour: colour(turn, chance.between(0.35, 0.95), chance.between(0.6, 1.0)),
        roughness: chance.between(0.1, 0.9),
        grain_px: chance.between(8.0, 70.0),
        seed: (chance.unit() * 1e15) as u64,
    }
}

/// Noise whose amplitude falls as the frequency grows, 0 to 1, coarsest grain of `grain_px` pixels.
fn cloud([x, y]: [f64; 2], grain_px: f64, seed: u64) -> f64 {
    let (mut sum, mut total, mut amplitude, mut grain) = (0.0, 0.0, 1.0, grain_px);
    for octave in 0..6 {
        if grain < 2.0 {
            break;
        }
        sum += amplitude * lattice([x / grain, y / grain], seed.wrapping_add(octave << 32));
        total += amplitude;
        amplitude *= 0.55;
        grain *= 0.47;
    }
    sum / total
}

/// Random values at whole numbers, smooth between them.
fn lattice([x, y]: [f64; 2], seed: u64) -> f64 {
    let (left, top) = (x.floor(), y.floor());
    let value = |right: f64, down: f64| {
        let [x, y] = [left + right, top + down].map(|at| at as i64 as u64);
        let bits = seed ^ x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ y.rotate_left(32);
        (mixed(bits) >> 40) as f64 / f64::from(1 << 24)
    };
    let [across, down] = [x - left, y - top].map(|t| t * t * (3.0 - 2.0 * t));
    let upper = value(0.0, 0.0) + (value(1.0, 0.0) - value(0.0, 0.0)) * across;
    let lower = value(0.0, 1.0) + (value(1.0, 1.0) - value(0.0, 1.0)) * across;
    upper + (lower - upper) * down
}

/// Hue (a full turn is 1), saturation and value, each 0 to 1, as RGB.
fn colour(hue: f64, saturation: f64, value: f64) -> [f64; 3] {
    [5.0, 3.0, 1.0].map(|offset| {
        let k = (offset + hue * 6.0).rem_euclid(6.0);
        value * (1.0 - saturation * k.min(4.0 - k).clamp(0.0, 1.0))
    })
}

fn mix(from: [f64; 3], to: [f64; 3], part: f64) -> [f64; 3] {
    [0, 1, 2].map(|channel| from[channel] + (to[channel] - from[channel]) * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_are_where_they_belong() {
        for (hue, rgb) in [
            (0.0, [1.0, 0.0, 0.0]),
            (1.0 / 3.0, [0.0, 1.0, 0.0]),
            (1.5, [0.0, 1.0, 1.0]),
        ] {
            let found = colour(hue, 1.0, 1.0);
            let is_near = found.iter().zip(rgb).all(|(a, b)| (a - b).abs() < 1e-9);
            assert!(is_near, "{hue}: {found:?}");
        }
    }

    #[test]
    fn noise_stays_within_0_and_1() {
        let values: Vec<_> = (0..500)
            .map(|x| cloud([f64::from(x) * 1.7 - 300.0, 5.0], 40.0, 3))
            .collect();
        assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
        let (low, high) = values
            .iter()
            .fold((1.0, 0.0), |(low, high): (f64, f64), &value| {
                (low.min(value), high.max(value))
            });
        assert!(high - low > 0.3, "{low} to {high}");
    }

    #[test]
    fn sceneries_differ_and_last() {
        let colour = |idx| Scenery::new(idx).colour([300.0, 500.0]);
        assert_eq!(colour(0), colour(0));
        assert_ne!(colour(0), colour(1));
    }
}
