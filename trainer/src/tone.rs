//! Light and colour of pictures in the large: what shows a photo's forms through any paint. Style losses do not know where
//! anything is, and content losses see edges more than areas: by themselves they let a painting drown in one mood.
//! What counts is how light and colours differ within a picture: its mean is the style's to choose, which is known by it.
//!
//! Cells of a photo ask for the colours that the linear map of least change makes of them that gives photos the painting's
//! mean and covariance (Pitié and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping").

use faer::Side;

use crate::maps::Maps;

/// Pixels of a side of the cells whose mean colour counts.
const CELL: usize = 16;
/// Red, green and blue in luma (BT.709).
const LUMA: [f32; 3] = [0.2126, 0.7152, 0.0722];
/// Mean and covariance of red, green and blue of the cells of photos: measured on 450 of short side 288.
const PHOTOS: Tone = Tone {
    mean: [0.485, 0.453, 0.404],
    covariance: [
        [0.0613, 0.0529, 0.0478],
        [0.0529, 0.0593, 0.0561],
        [0.0478, 0.0561, 0.0654],
    ],
};
/// Least deviation of luma that is asked of paint: a painting of one light still shows what is there.
const LEAST_DEVIATION: f32 = 0.15;
/// Least variance of a colour in any direction: no painting is so flat that the map is not defined.
const LEAST_VARIANCE: f64 = 1e-5;
/// Colours are asked for within this range, in which paint keeps its own.
const RANGE: (f32, f32) = (0.04, 0.96);

type Matrix = [[f32; 3]; 3];

/// Mean and covariance of red, green and blue of cells, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct Tone {
    mean: [f32; 3],
    covariance: Matrix,
}

/// The colours that a painting's tone makes of a photo's.
#[derive(Clone, Copy, Debug)]
pub struct Recoloring {
    map: Matrix,
    offset: [f32; 3],
}

impl Tone {
    /// That of a picture `[height, width, 3]`, RGB 0..1.
    pub fn of(picture: &Maps) -> Self {
        let cells = cells(picture);
        let n = cells.len() as f32;
        let mean = [0, 1, 2].map(|i| cells.iter().map(|cell| cell[i]).sum::<f32>() / n);
        let product = |i: usize, j: usize| {
            let products = cells
                .iter()
                .map(|cell| (cell[i] - mean[i]) * (cell[j] - mean[j]));
            products.sum::<f32>() / n
        };
        Self {
            mean,
            covariance: [0, 1, 2].map(|i| [0, 1, 2].map(|j| product(i, j))),
        }
    }

    /// What it makes of photos.
    pub fn recoloring(mut self) -> Recoloring {
        let lacking = (LEAST_DEVIATION.powi(2) - variance(&self.covariance)).max(0.0);
        self.covariance
            .iter_mut()
            .flatten()
            .for_each(|value| *value += lacking);
        let (root, inverse) = roots(&PHOTOS.covariance);
        let middle = product(&product(&root, &self.covariance), &root);
        let map = product(&product(&inverse, &roots(&middle).0), &inverse);
        let moved = apply(&map, PHOTOS.mean);
        Recoloring {
            map,
            offset: [0, 1, 2].map(|i| self.mean[i] - moved[i]),
        }
    }
}

impl Recoloring {
    /// The colour that a cell of paint is to have where the photo has `photo`.
    fn aim(&self, photo: [f32; 3]) -> [f32; 3] {
        let (low, high) = RANGE;
        let moved = apply(&self.map, photo);
        [0, 1, 2].map(|i| (moved[i] + self.offset[i]).clamp(low, high))
    }

    /// Square of the difference in luma, and of what each of red, green and blue is off besides, between a painted
    /// picture's cells and what the photo's ask for, each less its mean over the picture, as a mean over cells; adds
    /// `share` times the gradient.
    pub fn loss(&self, painted: &Maps, photo: &Maps, share: f32, gradient: &mut Maps) -> f64 {
        let (found, wanted) = (cells(painted), cells(photo));
        let n = found.len() as f32;
        let factor = 2.0 * share / (n * (CELL * CELL) as f32);
        let (n_wide, stride) = (painted.width / CELL, gradient.stride());
        let off = |(found, wanted): (&[f32; 3], &[f32; 3])| {
            let aim = self.aim(*wanted);
            [0, 1, 2].map(|i| found[i] - aim[i])
        };
        let off: Vec<[f32; 3]> = found.iter().zip(&wanted).map(off).collect();
        let mean = [0, 1, 2].map(|i| off.iter().map(|off| off[i]).sum::<f32>() / n);
        let mut loss = 0.0;
        for (idx, off) in off.into_iter().enumerate() {
            let off = [0, 1, 2].map(|i| off[i] - mean[i]);
            let luma = luma(off);
            let rest = off.map(|value| value - luma);
            loss += f64::from(luma.powi(2) + rest.iter().map(|value| value.powi(2)).sum::<f32>());
            let common = luma - rest.iter().sum::<f32>();
            let slopes = [0, 1, 2].map(|i| factor * (LUMA[i] * common + rest[i]));
            let (top, left) = (idx / n_wide * CELL, idx % n_wide * CELL);
            for y in top..top + CELL {
                let row = &mut gradient.values[y * stride + left * 3..][..CELL * 3];
                for pixel in row.chunks_exact_mut(3) {
                    pixel
                        .iter_mut()
                        .zip(slopes)
                        .for_each(|(value, slope)| *value += slope);
                }
            }
        }
        loss / f64::from(n)
    }
}

/// Mean colour of every whole cell, row by row.
fn cells(picture: &Maps) -> Vec<[f32; 3]> {
    let (n_wide, n_high) = (picture.width / CELL, picture.height / CELL);
    let mut cells = vec![[0.0; 3]; n_wide * n_high];
    for y in 0..n_high * CELL {
        for x in 0..n_wide * CELL {
            let cell = &mut cells[y / CELL * n_wide + x / CELL];
            for (sum, value) in cell.iter_mut().zip(picture.pixel(y, x)) {
                *sum += value / (CELL * CELL) as f32;
            }
        }
    }
    cells
}

/// Luma of a colour, RGB 0..1.
pub fn luma(colour: [f32; 3]) -> f32 {
    colour
        .iter()
        .zip(LUMA)
        .map(|(value, weight)| value * weight)
        .sum()
}

/// Variance of luma.
fn variance(covariance: &Matrix) -> f32 {
    luma(apply(covariance, LUMA))
}

fn apply(map: &Matrix, colour: [f32; 3]) -> [f32; 3] {
    map.map(|row| row.iter().zip(colour).map(|(a, b)| a * b).sum())
}

fn product(left: &Matrix, right: &Matrix) -> Matrix {
    let column = |j: usize| [0, 1, 2].map(|k| right[k][j]);
    left.map(|row| [0, 1, 2].map(|j| row.iter().zip(column(j)).map(|(a, b)| a * b).sum()))
}

/// Square root of a symmetric matrix, and the root's inverse.
fn roots(matrix: &Matrix) -> (Matrix, Matrix) {
    let matrix = faer::Mat::from_fn(3, 3, |i, j| f64::from(matrix[i][j]));
    let Ok(parts) = matrix.self_adjoint_eigen(Side::Lower) else {
        // Only of numbers that are not finite.
        return ([[f32::NAN; 3]; 3], [[f32::NAN; 3]; 3]);
    };
    let (vectors, values) = (parts.U(), parts.S());
    let made = |of: fn(f64) -> f64| {
        let sum = |i: usize, j: usize| {
            let parts = (0..3).map(|k| {
                let value = of(values[k].max(LEAST_VARIANCE * LEAST_VARIANCE));
                vectors[(i, k)] * value * vectors[(j, k)]
            });
            parts.sum::<f64>() as f32
        };
        [0, 1, 2].map(|i| [0, 1, 2].map(|j| sum(i, j)))
    };
    (made(f64::sqrt), made(|value| value.sqrt().recip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn picture(seed: u64) -> Maps {
        let mut random = Random::of(&[seed]);
        let mut picture = Maps::zeros(40, 53, 3);
        let values = picture.values.iter_mut();
        values.for_each(|value| *value = 0.2 + 0.6 * random.unit());
        picture
    }

    #[test]
    fn gradients_are_differences() {
        let (painted, photo) = (picture(1), picture(2));
        let tone = Tone::of(&picture(3)).recoloring();
        let mut gradient = painted.zeros_like();
        let loss = tone.loss(&painted, &photo, 2.0, &mut gradient);
        assert!(loss > 0.0);
        for at in [0, 101, 53 * 3 * 20 + 40] {
            let mut moved = painted.clone();
            moved.values[at] += 0.05;
            let found = tone.loss(&moved, &photo, 0.0, &mut painted.zeros_like()) - loss;
            // A square: its slope is that of the middle of the step.
            let mut behind = painted.zeros_like();
            tone.loss(&moved, &photo, 2.0, &mut behind);
            let slope = f64::from(gradient.values[at] + behind.values[at]) / 4.0;
            assert!((found - 0.05 * slope).abs() < 1e-7, "{found} {slope}");
        }
        // Beyond the last whole cell, nothing counts.
        assert_eq!(gradient.values[gradient.values.len() - 1], 0.0);
    }

    #[test]
    fn light_of_the_picture_as_a_whole_is_free() {
        let tone = Tone::of(&picture(3)).recoloring();
        // A dark upper half.
        let mut photo = Maps::zeros(64, 64, 3);
        photo.values[32 * 64 * 3..].fill(0.8);
        let loss = |painted: &Maps| tone.loss(painted, &photo, 0.0, &mut painted.zeros_like());
        let mut painted = photo.clone();
        painted
            .values
            .iter_mut()
            .for_each(|value| *value = 0.2 + 0.3 * *value);
        let mut brighter = painted.clone();
        brighter.values.iter_mut().for_each(|value| *value += 0.1);
        assert!((loss(&brighter) - loss(&painted)).abs() < 1e-6);
        let one_light = Maps::zeros(64, 64, 3);
        assert!(loss(&one_light) > 2.0 * loss(&painted));
    }

    #[test]
    fn photos_get_mean_and_covariance_of_the_painting() {
        let tone = Tone {
            mean: [0.3, 0.36, 0.43],
            covariance: [
                [0.021, 0.019, 0.012],
                [0.019, 0.024, 0.021],
                [0.012, 0.021, 0.030],
            ],
        };
        let found = tone.recoloring();
        let spread = product(&product(&found.map, &PHOTOS.covariance), &found.map);
        for (found, wanted) in spread
            .iter()
            .flatten()
            .zip(tone.covariance.iter().flatten())
        {
            // Nothing had to be added: its luma deviates by 0.15.
            assert!((found - wanted).abs() < 1e-3, "{spread:?}");
        }
        for (found, wanted) in found.aim(PHOTOS.mean).iter().zip(tone.mean) {
            assert!((found - wanted).abs() < 1e-6);
        }
    }

    #[test]
    fn what_is_light_is_to_be_light_even_if_the_painting_has_one_light_only() {
        let grey = Tone {
            mean: [0.3; 3],
            covariance: [[1e-4; 3]; 3],
        };
        let tone = grey.recoloring();
        let [dark, middle, light] = [0.2, 0.45, 0.7].map(|value| luma(tone.aim([value; 3])));
        assert!(
            light - middle > 0.1 && middle - dark > 0.1,
            "{dark} {middle} {light}"
        );
        assert_eq!(tone.aim([9.0; 3]), [RANGE.1; 3]);
        assert_eq!(tone.aim([-9.0; 3]), [RANGE.0; 3]);
    }
}
