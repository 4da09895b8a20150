//! Light and dark of pictures in the large: what shows a photo's forms through any paint. Style losses do not know where
//! anything is, and content losses see edges more than areas: by themselves they let a painting drown in one mood.

use crate::maps::Maps;

/// Pixels of a side of the cells whose mean luma counts.
const CELL: usize = 16;
/// Red, green and blue in luma (BT.709).
const LUMA: [f32; 3] = [0.2126, 0.7152, 0.0722];
/// Mean and deviation of the cells of photos.
const PHOTOS: Tone = Tone {
    mean: 0.45,
    deviation: 0.22,
};
/// Least deviation that is asked of paint: a painting of one light still shows what is there.
const LEAST_DEVIATION: f32 = 0.12;
/// Light is asked for within this range, in which paint keeps its colours.
const RANGE: (f32, f32) = (0.06, 0.94);

/// Mean and deviation of the luma of cells, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct Tone {
    mean: f32,
    deviation: f32,
}

impl Tone {
    /// That of a picture `[height, width, 3]`, RGB 0..1.
    pub fn of(picture: &Maps) -> Self {
        let cells = cells(picture);
        let n = cells.len() as f32;
        let mean = cells.iter().sum::<f32>() / n;
        let square = cells.iter().map(|cell| (cell - mean).powi(2)).sum::<f32>() / n;
        Self {
            mean,
            deviation: square.sqrt(),
        }
    }

    /// The luma that a cell of paint is to have where the photo has `photo`.
    fn aim(self, photo: f32) -> f32 {
        let contrast = self.deviation.max(LEAST_DEVIATION) / PHOTOS.deviation;
        let (low, high) = RANGE;
        (self.mean + contrast * (photo - PHOTOS.mean)).clamp(low, high)
    }

    /// Mean square of the difference between a painted picture's cells and what the photo's ask for in this tone; adds
    /// `share` times the gradient.
    pub fn loss(self, painted: &Maps, photo: &Maps, share: f32, gradient: &mut Maps) -> f64 {
        let differences: Vec<f32> = cells(painted)
            .into_iter()
            .zip(cells(photo))
            .map(|(painted, photo)| painted - self.aim(photo))
            .collect();
        let n = differences.len() as f32;
        let factor = 2.0 * share / (n * (CELL * CELL) as f32);
        let (n_wide, stride) = (painted.width / CELL, gradient.stride());
        for (idx, difference) in differences.iter().enumerate() {
            let (top, left) = (idx / n_wide * CELL, idx % n_wide * CELL);
            for y in top..top + CELL {
                let row = &mut gradient.values[y * stride + left * 3..][..CELL * 3];
                for pixel in row.chunks_exact_mut(3) {
                    for (value, weight) in pixel.iter_mut().zip(LUMA) {
                        *value += factor * difference * weight;
                    }
                }
            }
        }
        let square = |difference: &f32| f64::from(difference * difference);
        differences.iter().map(square).sum::<f64>() / f64::from(n)
    }
}

/// Mean luma of every whole cell, row by row.
fn cells(picture: &Maps) -> Vec<f32> {
    let (n_wide, n_high) = (picture.width / CELL, picture.height / CELL);
    let mut cells = vec![0.0; n_wide * n_high];
    for y in 0..n_high * CELL {
        for x in 0..n_wide * CELL {
            let pixel = picture.pixel(y, x);
            let luma: f32 = pixel
                .iter()
                .zip(LUMA)
                .map(|(value, weight)| value * weight)
                .sum();
            cells[y / CELL * n_wide + x / CELL] += luma / (CELL * CELL) as f32;
        }
    }
    cells
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
        let (painted, photo, tone) = (picture(1), picture(2), Tone::of(&picture(3)));
        let mut gradient = painted.zeros_like();
        let loss = tone.loss(&painted, &photo, 2.0, &mut gradient);
        assert!(loss > 0.0);
        for at in [0, 100, 53 * 3 * 20 + 40] {
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
    fn what_is_light_is_to_be_light_and_paint_keeps_its_own_range() {
        let tone = Tone {
            mean: 0.3,
            deviation: 0.02,
        };
        assert!(tone.aim(0.9) > tone.aim(0.45) && tone.aim(0.45) > tone.aim(0.1));
        assert!((tone.aim(PHOTOS.mean) - 0.3).abs() < 1e-6);
        assert!(tone.aim(5.0) <= RANGE.1 && tone.aim(-5.0) >= RANGE.0);
    }
}
