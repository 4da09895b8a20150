//! Words on a sheet.

use image::{Rgb, RgbImage};

use crate::letters;

/// Pixels of the picture for one of a letter.
const SCALE: u32 = 2;

/// Width and height of a letter in pixels.
pub const LETTER_PX: u32 = letters::LETTER_PX as u32 * SCALE;

/// Writes a line with its top left corner at a point; what does not fit is cut off.
pub fn write(picture: &mut RgbImage, [left, top]: [u32; 2], text: &str, colour: Rgb<u8>) {
    for [x, y] in letters::ink(text, SCALE as usize) {
        if let Some(pixel) = picture.get_pixel_mut_checked(left + x as u32, top + y as u32) {
            *pixel = colour;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_off() {
        let mut picture = RgbImage::new(20, 10);
        write(&mut picture, [12, 4], "\u{4e2d}abc", Rgb([255; 3]));
        assert!(picture.pixels().any(|pixel| pixel[0] > 0));
    }
}
