//! Words on a picture, in the letters of old home computers.

use font8x8::{BASIC_FONTS, UnicodeFonts};

/// Pixels of a side of a letter, before it is enlarged.
pub const LETTER_PX: usize = 8;

/// The pixels of a line of text, `[x, y]` from its top left corner, each dot of a letter `scale` pixels wide and high.
/// Signs that the letters lack become question marks.
pub fn ink(text: &str, scale: usize) -> impl Iterator<Item = [usize; 2]> {
    let side = LETTER_PX * scale;
    text.chars().enumerate().flat_map(move |(idx, sign)| {
        let letter = BASIC_FONTS.get(sign).or_else(|| BASIC_FONTS.get('?'));
        let rows = letter.unwrap_or_default();
        (0..side)
            .flat_map(move |y| (0..side).map(move |x| [x, y]))
            // The lowest bit is the leftmost.
            .filter(move |[x, y]| rows[y / scale] >> (x / scale) & 1 == 1)
            .map(move |[x, y]| [idx * side + x, y])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_written_from_left_to_right() {
        for scale in [1, 3] {
            let side = LETTER_PX * scale;
            let (left, right): (Vec<_>, Vec<_>) = ink("L", scale).partition(|[x, _]| *x < side / 2);
            assert!(left.len() > right.len() && !right.is_empty());
            let second: Vec<_> = ink(" L", scale).collect();
            let moved: Vec<_> = ink("L", scale).map(|[x, y]| [x + side, y]).collect();
            assert_eq!(second, moved);
        }
    }

    #[test]
    fn signs_without_a_letter_become_question_marks() {
        assert!(ink("\u{4e2d}", 2).eq(ink("?", 2)));
    }
}
