//! The picture that stands in for frames that do not come, with a word on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::format::Format;
use super::relay::Relay;
use super::time::Time;
use crate::letters::{LETTER_PX, ink};

/// How long frames may be missing before the card stands in for them.
const PATIENCE: Duration = Duration::from_millis(700);
/// Time between two cards: enough for readers that want to see life.
const BETWEEN: Duration = Duration::from_millis(200);

/// Luma of the ground and of the letters.
const GROUND: u8 = 32;
const LETTERS: u8 = 200;
/// Chroma without colour.
const GREY: u8 = 128;

/// Stands in for frames that do not come.
pub struct Card {
    starting: gst::Buffer,
    lost: gst::Buffer,
    painted: Arc<Relay>,
    shown: Option<Instant>,
    /// Cards that were handed to the sinks.
    pub n_shown: u64,
}

impl Card {
    /// Cards of a format; `lost` is what they say once frames have come.
    pub fn new(format: Format, lost: &str, painted: &Arc<Relay>) -> Self {
        Self {
            starting: draw(format, "starting"),
            lost: draw(format, lost),
            painted: painted.clone(),
            shown: None,
            n_shown: 0,
        }
    }

    /// Hands a card to the sinks if no frame has come for `quiet`, and none of it too soon after the last.
    pub fn show(&mut self, time: &Time, has_started: bool, quiet: Duration) {
        let is_early = self.shown.is_some_and(|shown| shown.elapsed() < BETWEEN);
        if quiet < PATIENCE || is_early {
            return;
        }
        self.shown = Some(Instant::now());
        self.n_shown += 1;
        let card = if has_started {
            &self.lost
        } else {
            &self.starting
        };
        self.painted.pass(card.clone(), time.now());
    }
}

/// A frame of a format, I420, that says `text`.
fn draw(format: Format, text: &str) -> gst::Buffer {
    let info = gst_video::VideoInfo::from_caps(&format.caps()).expect("caps of a format are whole");
    let mut bytes = vec![GREY; info.size()];
    let (width, height) = (format.width as usize, format.height as usize);
    let stride = info.stride()[0] as usize;
    bytes[..stride * height].fill(GROUND);
    let n_letters = text.chars().count().max(1);
    // Three quarters of the width, and no more than a tenth of the height.
    let scale = (width * 3 / 4 / (n_letters * LETTER_PX))
        .min(height / (10 * LETTER_PX))
        .max(1);
    let top = height.saturating_sub(scale * LETTER_PX) / 2;
    let left = width.saturating_sub(scale * LETTER_PX * n_letters) / 2;
    for [x, y] in ink(text, scale).map(|[x, y]| [left + x, top + y]) {
        if y < height && x < width {
            bytes[y * stride + x] = LETTERS;
        }
    }
    gst::Buffer::from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_stand_in_the_middle_of_every_size() {
        gst::init().unwrap();
        for (width, height) in [(640, 360), (16, 16), (1280, 720), (98, 1080)] {
            let format = Format {
                width,
                height,
                fps: 30,
            };
            let buffer = draw(format, "camera lost");
            let bytes = buffer.map_readable().unwrap();
            let info = gst_video::VideoInfo::from_caps(&format.caps()).unwrap();
            assert_eq!(bytes.len(), info.size());
            let stride = info.stride()[0] as usize;
            let lit: Vec<usize> = (0..height as usize)
                .filter(|y| bytes[y * stride..][..width as usize].contains(&LETTERS))
                .collect();
            assert!(!lit.is_empty());
            let middle = (lit[0] + lit[lit.len() - 1]) / 2;
            assert!(middle.abs_diff(height as usize / 2) <= height as usize / 20 + 4);
        }
    }
}
