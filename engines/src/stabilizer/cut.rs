//! Scene cuts, told from two small pictures of luma.

use super::pyramid::Level;

/// The smaller picture is shifted by up to this many pixels to find the larger part of the camera's motion.
const REACH_PX: isize = 4;
/// Two frames of a scene correlate by more than this.
const CORRELATION: f32 = 0.5;
/// And differ by less than this on average, in codes.
const DIFFERENCE: f32 = 9.0;
/// Pictures with a standard deviation below this, in codes, have nothing to correlate.
const FLAT: f32 = 3.0;
/// A flat picture that differs by more than this from the one before belongs to another scene.
const FLAT_DIFFERENCE: f32 = 40.0;

/// Whether `now` and `before` show different scenes.
///
/// A flash or a fade changes all luma alike and is no cut; a fast pan is found by shifting.
pub(crate) fn is_between(before: &Level, now: &Level) -> bool {
    let Some(unmoved) = compare(before, now, 0, 0) else {
        return mean_difference(before, now) > FLAT_DIFFERENCE;
    };
    let is_alike = |(correlation, difference): (f32, f32)| {
        correlation >= CORRELATION || difference <= DIFFERENCE
    };
    let reach = || -REACH_PX..=REACH_PX;
    let mut moved = reach().flat_map(|dy| reach().map(move |dx| (dx, dy)));
    !is_alike(unmoved) && !moved.any(|(dx, dy)| compare(before, now, dx, dy).is_some_and(is_alike))
}

/// Correlation and mean difference of luma where `now`, shifted, lies over `before`; none if one of them is flat there.
fn compare(before: &Level, now: &Level, dx: isize, dy: isize) -> Option<(f32, f32)> {
    let (width, height) = (now.width as isize, now.height as isize);
    if width <= 2 * REACH_PX || height <= 2 * REACH_PX {
        return compare_rows(before, now, (0, 0), (0..width, 0..height));
    }
    let columns = dx.max(0)..width + dx.min(0);
    let rows = dy.max(0)..height + dy.min(0);
    compare_rows(before, now, (dx, dy), (columns, rows))
}

fn compare_rows(
    before: &Level,
    now: &Level,
    (dx, dy): (isize, isize),
    (columns, rows): (std::ops::Range<isize>, std::ops::Range<isize>),
) -> Option<(f32, f32)> {
    let (mut n, mut sums, mut squares, mut product, mut difference) =
        (0.0, [0.0_f32; 2], [0.0_f32; 2], 0.0, 0.0);
    let n_columns = (columns.end - columns.start) as usize;
    for y in rows {
        let now = &now.row(y as usize)[columns.start as usize..][..n_columns];
        let before = &before.row((y - dy) as usize)[(columns.start - dx) as usize..][..n_columns];
        for (&a, &b) in now.iter().zip(before) {
            n += 1.0;
            sums = [sums[0] + a, sums[1] + b];
            squares = [squares[0] + a * a, squares[1] + b * b];
            product += a * b;
            difference += (a - b).abs();
        }
    }
    let variance = |i: usize| (squares[i] / n - (sums[i] / n) * (sums[i] / n)).max(0.0);
    let (a, b) = (variance(0), variance(1));
    if a < FLAT * FLAT || b < FLAT * FLAT {
        return None;
    }
    let covariance = product / n - sums[0] / n * (sums[1] / n);
    Some((covariance / (a * b).sqrt(), difference / n))
}

fn mean_difference(before: &Level, now: &Level) -> f32 {
    let rows = (0..now.height).map(|y| {
        let pairs = now.row(y).iter().zip(before.row(y));
        pairs.map(|(a, b)| (a - b).abs()).sum::<f32>()
    });
    rows.sum::<f32>() / (now.width * now.height) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stabilizer::pyramid::Pyramid;

    fn thumbnail(luma: impl Fn(f32, f32) -> f32 + Sync) -> Level {
        Pyramid::of(320, 180, luma).smallest().clone()
    }

    fn street(x: f32, y: f32) -> f32 {
        120.0 + 60.0 * (x * 0.031 + 1.0).sin() + 50.0 * (y * 0.047 + x * 0.012).cos()
    }

    fn room(x: f32, y: f32) -> f32 {
        90.0 + 70.0 * ((x - 160.0).hypot(y - 90.0) * 0.05).cos()
    }

    #[test]
    fn another_scene_is_a_cut() {
        assert!(is_between(&thumbnail(street), &thumbnail(room)));
        assert!(is_between(
            &thumbnail(|_, _| 10.0),
            &thumbnail(|_, _| 200.0)
        ));
    }

    #[test]
    fn motion_and_light_are_no_cuts() {
        let before = thumbnail(street);
        assert!(!is_between(&before, &before));
        assert!(!is_between(
            &before,
            &thumbnail(|x, y| street(x + 24.0, y - 10.0))
        ));
        assert!(
            !is_between(&before, &thumbnail(|x, y| 0.4 * street(x, y))),
            "a fade"
        );
        assert!(
            !is_between(&before, &thumbnail(|x, y| street(x, y) + 60.0)),
            "a flash"
        );
        assert!(!is_between(
            &thumbnail(|_, _| 60.0),
            &thumbnail(|_, _| 80.0)
        ));
    }
}
