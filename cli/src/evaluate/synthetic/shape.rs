//! Outlines with exact distances.

/// A polygon, grown by a radius. One corner makes a disc, two a bar with round ends.
pub struct Shape {
    /// Corners in order.
    pub corners: Vec<[f64; 2]>,
    /// How far the outline lies outside the polygon.
    pub radius: f64,
}

impl Shape {
    /// A disc.
    pub fn disc(centre: [f64; 2], radius: f64) -> Self {
        Self {
            corners: vec![centre],
            radius,
        }
    }

    /// A regular polygon with its first corner at `angle` (radians); a `depth` above 0 pulls every
    /// other corner of twice as many inwards by that part, which makes a star.
    pub fn star(centre: [f64; 2], size: f64, n_points: usize, (angle, depth): (f64, f64)) -> Self {
        let n_corners = if depth > 0.0 { 2 * n_points } else { n_points };
        let corner = |idx: usize| {
            let inner = depth > 0.0 && idx % 2 == 1;
            let reach = size * if inner { 1.0 - depth } else { 1.0 };
            let (sin, cos) =
                (angle + idx as f64 / n_corners as f64 * std::f64::consts::TAU).sin_cos();
            [centre[0] + reach * cos, centre[1] + reach * sin]
        };
        Self {
            corners: (0..n_corners).map(corner).collect(),
            radius: size * 0.08,
        }
    }

    /// Distance from the outline: below 0 inside, above 0 outside.
    pub fn distance(&self, [x, y]: [f64; 2]) -> f64 {
        let mut nearest = f64::INFINITY;
        let mut inside = false;
        let mut from = *self.corners.last().expect("a shape has corners");
        for &to in &self.corners {
            let edge = [to[0] - from[0], to[1] - from[1]];
            let point = [x - from[0], y - from[1]];
            let length = (edge[0] * edge[0] + edge[1] * edge[1]).max(f64::MIN_POSITIVE);
            let along = ((point[0] * edge[0] + point[1] * edge[1]) / length).clamp(0.0, 1.0);
            nearest = nearest.min((point[0] - along * edge[0]).hypot(point[1] - along * edge[1]));
            // Even-odd rule along the ray to the right.
            if (from[1] > y) != (to[1] > y) && point[0] < point[1] * edge[0] / edge[1] {
                inside = !inside;
            }
            from = to;
        }
        if inside {
            -nearest - self.radius
        } else {
            nearest - self.radius
        }
    }

    /// Least and greatest x and y.
    pub fn bounds(&self) -> [[f64; 2]; 2] {
        let mut bounds = [[f64::INFINITY; 2], [f64::NEG_INFINITY; 2]];
        for corner in &self.corners {
            for axis in 0..2 {
                bounds[0][axis] = bounds[0][axis].min(corner[axis] - self.radius);
                bounds[1][axis] = bounds[1][axis].max(corner[axis] + self.radius);
            }
        }
        bounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_exact() {
        let disc = Shape::disc([1.0, 1.0], 2.0);
        let bar = Shape {
            corners: vec![[0.0, 0.0], [10.0, 0.0]],
            radius: 1.0,
        };
        let square = Shape {
            corners: vec![[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]],
            radius: 0.0,
        };
        for (shape, point, wanted) in [
            (&disc, [1.0, 1.0], -2.0),
            (&disc, [1.0, 5.0], 2.0),
            (&bar, [5.0, 0.5], -0.5),
            (&bar, [13.0, 4.0], 4.0),
            (&square, [1.0, 2.0], -1.0),
            (&square, [7.0, 8.0], 5.0),
        ] {
            let found = shape.distance(point);
            assert!(
                (found - wanted).abs() < 1e-9,
                "{point:?}: {found}, wanted {wanted}"
            );
        }
    }
}
