//! How a layer moves: a similarity of the plane for every moment.

use std::f64::consts::PI;

/// Turn, scale and shift: a point `p` goes to `turn * p + shift`, read as complex numbers.
#[derive(Clone, Copy)]
pub struct Similarity {
    turn: [f64; 2],
    shift: [f64; 2],
}

impl Similarity {
    /// Where a point goes.
    pub fn at(&self, point: [f64; 2]) -> [f64; 2] {
        let [x, y] = product(self.turn, point);
        [x + self.shift[0], y + self.shift[1]]
    }

    /// The way back.
    pub fn inverse(&self) -> Self {
        let [re, im] = self.turn;
        let norm = re * re + im * im;
        let turn = [re / norm, -im / norm];
        let [x, y] = product(turn, self.shift);
        Self {
            turn,
            shift: [-x, -y],
        }
    }

    /// Length of what had length 1.
    pub fn scale(&self) -> f64 {
        self.turn[0].hypot(self.turn[1])
    }
}

/// A steady movement.
#[derive(Clone, Copy)]
pub struct Course {
    /// Point that the layer turns and grows about, in pixels.
    pub centre: [f64; 2],
    /// Pixels per frame.
    pub speed: [f64; 2],
    /// Degrees per frame, clockwise.
    pub turn: f64,
    /// Growth per frame: 1 keeps the size.
    pub zoom: f64,
}

impl Course {
    /// Stays where it is.
    pub const STILL: Self = Self {
        centre: [0.0, 0.0],
        speed: [0.0, 0.0],
        turn: 0.0,
        zoom: 1.0,
    };

    /// Where the layer's points stand in a frame; at frame 0 nothing has moved.
    pub fn place(&self, frame_idx: usize) -> Similarity {
        let time = frame_idx as f64;
        let (sin, cos) = (self.turn * time * PI / 180.0).sin_cos();
        let scale = self.zoom.powf(time);
        let turn = [scale * cos, scale * sin];
        let turned = product(turn, self.centre);
        let shift = [0, 1].map(|axis| self.centre[axis] + self.speed[axis] * time - turned[axis]);
        Similarity { turn, shift }
    }
}

fn product(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_only_travels() {
        let course = Course {
            centre: [7.0, -3.0],
            speed: [2.0, 0.5],
            turn: 30.0,
            zoom: 1.5,
        };
        let [x, y] = course.place(2).at(course.centre);
        assert!((x - 11.0).abs() < 1e-9 && (y + 2.0).abs() < 1e-9, "{x} {y}");
        assert!((course.place(2).scale() - 2.25).abs() < 1e-9);
    }

    #[test]
    fn the_way_back_leads_back() {
        let course = Course {
            turn: 10.0,
            zoom: 0.9,
            ..Course::STILL
        };
        let place = course.place(5);
        let [x, y] = place.inverse().at(place.at([4.0, 9.0]));
        assert!((x - 4.0).abs() < 1e-9 && (y - 9.0).abs() < 1e-9, "{x} {y}");
    }
}
