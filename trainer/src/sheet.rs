//! A sheet to judge styles by: a row for each photo, a column for the photo itself and one for each style.

use image::{Rgb, RgbImage, imageops};

use crate::text::{self, LETTER_PX};

const PAPER: Rgb<u8> = Rgb([248; 3]);
const INK: Rgb<u8> = Rgb([20; 3]);

/// Space round tiles in pixels.
const GAP_PX: u32 = 6;

/// Draws the sheet. `names` are those of the columns, `rows` holds the tiles of each row, one for each name; a tile that
/// is smaller than the largest leaves its rest empty.
pub fn sheet(names: &[&str], rows: &[Vec<RgbImage>]) -> RgbImage {
    let tiles = || rows.iter().flatten();
    let column_px = tiles().map(RgbImage::width).max().unwrap_or(0) + GAP_PX;
    let row_px = tiles().map(RgbImage::height).max().unwrap_or(0) + GAP_PX;
    let head_px = LETTER_PX + 2 * GAP_PX;
    let mut sheet = RgbImage::from_pixel(
        names.len() as u32 * column_px + GAP_PX,
        rows.len() as u32 * row_px + head_px,
        PAPER,
    );
    for (idx, name) in names.iter().enumerate() {
        let left = idx as u32 * column_px + GAP_PX;
        let fits = (column_px - GAP_PX) / LETTER_PX;
        let name: String = name.chars().take(fits as usize).collect();
        text::write(&mut sheet, [left, GAP_PX], &name, INK);
    }
    for (row, tiles) in rows.iter().enumerate() {
        for (column, tile) in tiles.iter().enumerate() {
            let left = column as u32 * column_px + GAP_PX;
            let top = row as u32 * row_px + head_px;
            imageops::replace(&mut sheet, tile, left.into(), top.into());
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_has_its_place() {
        let tile = |value| RgbImage::from_pixel(40, 30, Rgb([value; 3]));
        let rows = [vec![tile(10), tile(20)], vec![tile(30), tile(40)]];
        let sheet = sheet(&["photo", "starry-night"], &rows);
        assert_eq!(sheet.dimensions(), (2 * 46 + 6, 2 * 36 + 20));
        for (x, y, value) in [(7, 21, 10), (53, 21, 20), (7, 57, 30), (91, 85, 40)] {
            assert_eq!(sheet.get_pixel(x, y), &Rgb([value; 3]), "{x} {y}");
        }
        let head =
            |from: u32| (from..from + 40).any(|x| (0..20).any(|y| sheet.get_pixel(x, y) == &INK));
        assert!(head(6) && head(52));
    }

    #[test]
    fn an_empty_sheet_is_no_error() {
        assert_eq!(sheet(&[], &[]).width(), 6);
        assert_eq!(sheet(&["photo"], &[]).height(), 20);
    }
}
