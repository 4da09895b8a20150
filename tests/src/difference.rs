//! How far two pictures are apart.

/// Peak signal to noise ratio in dB of bytes, at most 200: equal pictures have no noise.
///
/// # Panics
/// If they have different lengths.
pub fn psnr_db(found: &[u8], wanted: &[u8]) -> f64 {
    assert_eq!(found.len(), wanted.len(), "pictures of different sizes");
    let squared = |(&a, &b): (&u8, &u8)| (f64::from(a) - f64::from(b)).powi(2);
    let mean = found.iter().zip(wanted).map(squared).sum::<f64>() / found.len() as f64;
    if mean == 0.0 {
        return 200.0;
    }
    10.0 * (255.0 * 255.0 / mean).log10()
}

/// The largest difference of two codes at the same place, and the first place that has it.
///
/// # Panics
/// If there are not as many of each.
pub fn largest(found: &[u16], wanted: &[u16]) -> (u16, usize) {
    assert_eq!(found.len(), wanted.len(), "pictures of different sizes");
    let mut largest = (0, 0);
    for (idx, (a, b)) in found.iter().zip(wanted).enumerate() {
        if a.abs_diff(*b) > largest.0 {
            largest = (a.abs_diff(*b), idx);
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_everywhere_is_48_db() {
        assert!((psnr_db(&[10; 64], &[11; 64]) - 48.13).abs() < 0.01);
        assert_eq!(psnr_db(&[7; 64], &[7; 64]), 200.0);
    }

    #[test]
    fn the_largest_difference_is_found_where_it_is() {
        assert_eq!(largest(&[1, 5, 9], &[1, 8, 10]), (3, 1));
    }
}
