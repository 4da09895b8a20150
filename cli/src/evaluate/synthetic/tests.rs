//! What holds for the scenes, at a small size.

use std::sync::LazyLock;

use super::*;
use crate::evaluate::scene::Pair;

const SMALL: [u32; 2] = [128, 72];

/// Waves of all directions, and hard edges.
fn waves(idx: usize) -> RgbImage {
    RgbImage::from_fn(480, 300, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y) + 100.0 * idx as f64);
        let wave = (x / 9.0).sin() + (y / 7.0).sin() + ((x + y) / 23.0).sin();
        let tile = ((x / 70.0) as u32 + (y / 50.0) as u32) % 2 * 60;
        image::Rgb([0, 1, 2].map(|channel| (100.0 + 20.0 * wave) as u8 + (tile >> channel) as u8))
    })
}

fn photos() -> Vec<RgbImage> {
    (0..N_PHOTOS).map(waves).collect()
}

static SCENES: LazyLock<Vec<Scene>> = LazyLock::new(small);

fn small() -> Vec<Scene> {
    let album = Album {
        photos: &photos(),
        size: SMALL,
    };
    album.scenes().unwrap()
}

/// PSNR in dB of the newer frame warped back, over the valid pixels.
fn agreement(scene: &Scene, pair: &Pair) -> f64 {
    let (older, newer) = (&scene.frames[pair.from], &scene.frames[pair.to]);
    let (mut sum, mut count) = (0.0, 0.0);
    for (idx, (x, y, pixel)) in older.enumerate_pixels().enumerate() {
        if !pair.valid[idx] {
            continue;
        }
        let [step_x, step_y] = pair.flow[idx];
        // The last decimals of a flow may point just past the outermost pixel.
        let x = (x as f32 + step_x).clamp(0.0, SMALL[0] as f32 - 1.0);
        let y = (y as f32 + step_y).clamp(0.0, SMALL[1] as f32 - 1.0);
        let (left, top) = (x as u32, y as u32);
        for channel in 0..3 {
            let at = |right: u32, down: u32| {
                let x = (left + right).min(SMALL[0] - 1);
                let y = (top + down).min(SMALL[1] - 1);
                f32::from(newer.get_pixel(x, y)[channel])
            };
            let (across, down) = (x.fract(), y.fract());
            let upper = at(0, 0) + (at(1, 0) - at(0, 0)) * across;
            let lower = at(0, 1) + (at(1, 1) - at(0, 1)) * across;
            let warped = upper + (lower - upper) * down;
            sum += f64::from(warped - f32::from(pixel[channel])).powi(2);
            count += 1.0;
        }
    }
    10.0 * (255.0 * 255.0 * count / sum).log10()
}

fn share(mask: &[bool]) -> f64 {
    mask.iter().filter(|&&is| is).count() as f64 / mask.len() as f64
}

#[test]
fn flow_leads_back_to_the_older_frame() {
    for scene in SCENES.iter() {
        // The others are not exact by intention.
        if ["noise", "exposure", "h264"].contains(&scene.name.as_str()) {
            continue;
        }
        for pair in &scene.pairs {
            let psnr = agreement(scene, pair);
            let name = format!("{} {} to {}", scene.name, pair.from, pair.to);
            assert!(psnr > 35.0, "{name}: {psnr} dB");
            assert!(share(&pair.valid) > 0.3, "{name}");
        }
    }
}

#[test]
fn nothing_is_revealed_where_nothing_moves() {
    let still = Album {
        photos: &[waves(0)],
        size: SMALL,
    }
    .world(0, Course::STILL);
    let pair = still.pair(0, 9);
    assert!(pair.valid.iter().all(|&is| is));
    assert!(!pair.revealed.iter().any(|&is| is));
    assert!(still.frame(0) == still.frame(9));
}

#[test]
fn an_object_reveals_what_it_hid() {
    let world = Album {
        photos: &photos(),
        size: SMALL,
    }
    .object();
    let pair = world.pair(4, 14);
    let inside = |frame_idx: usize, pixel_idx: usize| {
        let point = [pixel_idx % SMALL[0] as usize, pixel_idx / SMALL[0] as usize];
        let front = world.front.as_ref().unwrap();
        let point = front
            .course
            .place(frame_idx)
            .inverse()
            .at(point.map(|at| at as f64));
        front.distance(point) < 0.0
    };
    assert!(share(&pair.revealed) > 0.01);
    for (idx, _) in pair.revealed.iter().enumerate().filter(|(_, is)| **is) {
        assert!(inside(4, idx) && !inside(14, idx));
    }
    // Nothing that the object comes to cover is followed, but the object is.
    for (idx, _) in pair.valid.iter().enumerate().filter(|(_, is)| **is) {
        assert!(inside(4, idx) == (pair.flow[idx] != [0.0, 0.0]));
        assert!(inside(4, idx) || !inside(14, idx));
    }
}

#[test]
fn scenes_are_the_same_on_every_call() {
    for (first, second) in SCENES.iter().zip(small()) {
        assert!(first.frames == second.frames, "{}", first.name);
        assert_eq!(first.frames.len(), N_FRAMES);
        assert_eq!(first.pairs.len(), 10);
    }
}
