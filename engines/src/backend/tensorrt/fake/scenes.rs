//! Pairs of frames between which the motion of every pixel is known.

use std::path::Path;
use std::{env, fs};

use crate::convert::video::Video;
use crate::frame::{FrameFormat, Matrix, PixelFormat, Range};

/// Two frames, and where everything went from the first to the second.
pub(super) struct Scene {
    pub name: String,
    pub frames: [Video; 2],
    /// Steps in x and y of every pixel in pixels, row by row; none where the second frame does not show it.
    pub steps: Vec<Option<[f32; 2]>>,
}

impl Scene {
    pub(super) fn format(&self) -> FrameFormat {
        self.frames[0].format
    }
}

fn format(width: usize, height: usize) -> FrameFormat {
    FrameFormat::new(PixelFormat::Rgb, width, height, Matrix::Bt709, Range::Full).unwrap()
}

/// A wall with detail of all sizes that moves by so many pixels.
fn made(name: &str, [u, v]: [f32; 2]) -> Scene {
    const SIZE: (usize, usize) = (480, 320);
    let wave = |x: f32, y: f32, scale: f32, turn: f32| {
        (x * scale * turn.cos() + y * scale * turn.sin()).sin()
    };
    let luma = |x: f32, y: f32| {
        let coarse = 40.0 * wave(x, y, 0.05, 0.3) + 30.0 * wave(x, y, 0.11, 1.4);
        120.0 + coarse + 20.0 * wave(x, y, 0.28, 2.2) + 8.0 * wave(x, y, 0.55, 0.9)
    };
    let video = |u: f32, v: f32| {
        Video::new(format(SIZE.0, SIZE.1), 0, |_, x, y| {
            luma((x / 3) as f32 - u, y as f32 - v)
                .round()
                .clamp(0.0, 255.0) as u8
        })
    };
    let places = (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (x as f32, y as f32)));
    let is_inside = |at: f32, side: usize| (8.0..side as f32 - 8.0).contains(&at);
    let steps = places
        .map(|(x, y)| (is_inside(x + u, SIZE.0) && is_inside(y + v, SIZE.1)).then_some([u, v]));
    Scene {
        name: name.to_owned(),
        frames: [video(0.0, 0.0), video(u, v)],
        steps: steps.collect(),
    }
}

/// Scenes that are made.
pub(super) fn synthetic() -> Vec<Scene> {
    vec![
        made("a shift", [10.6, -5.2]),
        made("a long shift", [37.0, 11.5]),
        made("nothing", [0.0; 2]),
    ]
}

/// Scenes of MPI-Sintel in the folder that `IMPASTO_TEST_DATA` names, with all their frames; none, said aloud, without it.
pub(super) fn sintel() -> Vec<(Scene, Vec<Video>)> {
    let Some(data) = env::var_os("IMPASTO_TEST_DATA") else {
        println!("skipped: IMPASTO_TEST_DATA names no folder with scenes of known motion");
        return Vec::new();
    };
    let names = [
        "alley_1_clean",
        "alley_1_final",
        "cave_2_clean",
        "market_5_final",
    ];
    let scene = |name: &str| {
        let folder = Path::new(&data).join("flow").join(name);
        let frame = |idx: usize| picture(&folder.join(format!("frame_{idx:04}.png")));
        let scene = Scene {
            name: name.to_owned(),
            frames: [frame(2), frame(3)],
            steps: steps(&folder.join("gt")),
        };
        (scene, (1..=4).map(frame).collect())
    };
    names.into_iter().map(scene).collect()
}

fn picture(path: &Path) -> Video {
    let picture = image::open(path).unwrap().into_rgb8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Video::new(format(width, height), 0, |_, x, y| {
        picture.as_raw()[y * 3 * width + x]
    })
}

/// What is known of where the pixels of frame 2 went.
fn steps(folder: &Path) -> Vec<Option<[f32; 2]>> {
    let bytes = fs::read(folder.join("frame_0002.flo")).unwrap();
    let mask = |name: &str| {
        let mask = image::open(folder.join(name).join("frame_0002.png")).unwrap();
        mask.into_luma8().into_raw()
    };
    let masks = mask("occlusions").into_iter().zip(mask("invalid"));
    // A number by which such files are known, width and height; then a pair of numbers per pixel.
    let pairs = bytes[12..].as_chunks::<8>().0;
    assert_eq!(pairs.len(), masks.len());
    let step = |bytes: &[u8]| f32::from_le_bytes(*bytes.first_chunk().unwrap());
    pairs
        .iter()
        .zip(masks)
        .map(|(pair, hidden)| (hidden == (0, 0)).then(|| [step(pair), step(&pair[4..])]))
        .collect()
}
