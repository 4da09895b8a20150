//! Words on a picture, in the letters of old home computers.

use font8x8::{BASIC_FONTS, UnicodeFonts};
use image::{Rgb, RgbImage};

/// Pixels of the picture for one of a letter.
const SCALE: u32 = 2;

/// Width and height of a letter in pixels.
pub const LETTER_PX: u32 = 8 * SCALE;

/// Writes a line with its top left corner at a point; what does not fit is cut off, and signs that the letters
/// lack become question marks.
pub fn write(picture: &mut RgbImage, [left, top]: [u32; 2], text: &str, colour: Rgb<u8>) {
    for (idx, sign) in text.chars().enumerate() {
        let letter = BASIC_FONTS.get(sign).or_else(|| BASIC_FONTS.get('?'));
        let rows = letter.unwrap_or_default();
        let left = left + idx as u32 * LETTER_PX;
        for y in 0..LETTER_PX {
            for x in 0..LETTER_PX {
                // The lowest bit is the leftmost.
                let is_ink = rows[(y / SCALE) as usize] >> (x / SCALE) & 1 == 1;
                if let Some(pixel) = picture.get_pixel_mut_checked(left + x, top + y)
                    && is_ink
                {
                    *pixel = colour;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_written_from_left_to_right() {
        let mut picture = RgbImage::new(16, 16);
        write(&mut picture, [0, 0], "L", Rgb([255; 3]));
        let lit = |x: u32| (0..16).filter(|&y| picture.get_pixel(x, y)[0] > 0).count();
        let [left, right] = [0, 8].map(|from| (from..from + 8).map(lit).sum::<usize>());
        assert!(left > right && right > 0, "{left}, {right}");
    }

    #[test]
    fn what_does_not_fit_is_cut_off() {
        let mut picture = RgbImage::new(20, 10);
        write(&mut picture, [12, 4], "\u{4e2d}abc", Rgb([255; 3]));
        assert!(picture.pixels().any(|pixel| pixel[0] > 0));
    }
}
