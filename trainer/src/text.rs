//! Words on a picture, in the letters of old home computers.

use font8x8::{BASIC_FONTS, UnicodeFonts};
use image::{Rgb, RgbImage};

/// Width and height of a letter in pixels.
pub(crate) const LETTER_PX: u32 = 8;

/// Writes a line with its top left corner at a point; what does not fit is cut off, and signs that the letters lack
/// become question marks.
pub(crate) fn write(picture: &mut RgbImage, [left, top]: [u32; 2], text: &str, colour: Rgb<u8>) {
    for (idx, sign) in text.chars().enumerate() {
        let letter = BASIC_FONTS.get(sign).or_else(|| BASIC_FONTS.get('?'));
        let left = left + idx as u32 * LETTER_PX;
        for (y, row) in (top..).zip(letter.unwrap_or_default()) {
            // The lowest bit is the leftmost.
            for x in (0..LETTER_PX).filter(|x| row >> x & 1 == 1) {
                if let Some(pixel) = picture.get_pixel_mut_checked(left + x, y) {
                    *pixel = colour;
                }
            }
        }
    }
}

/// Width of a line in pixels.
pub(crate) fn width_px(text: &str) -> u32 {
    text.chars().count() as u32 * LETTER_PX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_written_from_left_to_right_and_cut_off() {
        let mut picture = RgbImage::new(12, 6);
        write(&mut picture, [2, 0], "L\u{4e2d}", Rgb([255; 3]));
        let lit = |x: u32| (0..6).filter(|&y| picture.get_pixel(x, y)[0] > 0).count();
        let [left, right] = [2, 6].map(|from| (from..from + 4).map(lit).sum::<usize>());
        assert!(left > right && lit(0) + lit(1) == 0, "{left}, {right}");
        assert_eq!(width_px("L\u{4e2d}"), 16);
    }
}
