//! Scenes in folders, laid out as MPI-Sintel's sequences with their ground truth beside the frames:
//!
//! ```text
//! SCENE/frame_0001.png, frame_0002.png, ...
//! SCENE/gt/frame_0002.flo                where the pixels of frame 2 are in frame 3
//! SCENE/gt/occlusions/frame_0002.png     white where frame 3 does not show them (may be missing)
//! SCENE/gt/invalid/frame_0002.png        white where the motion is not known (may be missing)
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use image::RgbImage;

use super::flo;
use super::scene::{Pair, Scene};
use super::splat::revealed;
use crate::picture;

/// Most bytes of frames that a scene may have: painted twice, it needs three times as much.
const MAX_BYTES: u64 = 2 << 30;

/// Ground truth that is known to be wrong: a frame of this scene does not follow from the one before it.
const WRONG: (&str, u32) = ("ambush_4", 4);

/// The scenes that a folder holds, or the folder itself if it is one, in alphabetical order.
///
/// # Errors
/// If it cannot be read, or there is no scene.
pub fn find(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if is_scene(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let mut scenes: Vec<PathBuf> = entries(folder)?
        .into_iter()
        .filter(|path| is_scene(path))
        .collect();
    ensure!(
        !scenes.is_empty(),
        "{} holds no scene: wanted a folder with frame_0001.png, frame_0002.png, ... and gt/frame_0001.flo, ..., \
         or a folder of such folders",
        folder.display()
    );
    scenes.sort();
    Ok(scenes)
}

/// Reads a scene.
///
/// # Errors
/// If a file is missing, broken, or of another size than the others.
pub fn read(folder: &Path) -> anyhow::Result<Scene> {
    let name = folder.canonicalize().map_or_else(
        |_| folder.display().to_string(),
        |folder| {
            folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        },
    );
    let numbered = numbered(folder, "png")?;
    ensure!(
        !numbered.is_empty(),
        "{} has no frames, wanted frame_0001.png, frame_0002.png, ...",
        folder.display()
    );
    let numbers: Vec<u32> = numbered.keys().copied().collect();
    let frames = frames(numbered.into_values().collect())?;
    let (width, height) = frames[0].dimensions();

    let mut pairs = Vec::new();
    for (number, path) in self::numbered(&folder.join("gt"), "flo")? {
        if name.contains(WRONG.0) && number == WRONG.1 {
            continue;
        }
        let at = |number| numbers.binary_search(&number).ok();
        let (Some(from), Some(to)) = (at(number), number.checked_add(1).and_then(at)) else {
            continue;
        };
        let flow = flo::read(&path)?;
        ensure!(
            (flow.width, flow.height) == (width, height),
            "{} is {}x{}, its frames are {width}x{height}",
            path.display(),
            flow.width,
            flow.height
        );
        let mask = |kind| folder.join("gt").join(kind).join(file_name(number, "png"));
        let mut known: Vec<bool> = flow.steps.iter().map(Option::is_some).collect();
        exclude(&mut known, &mask("invalid"), (width, height))?;
        let mut valid = known.clone();
        exclude(&mut valid, &mask("occlusions"), (width, height))?;
        let flow: Vec<[f32; 2]> = flow
            .steps
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect();
        pairs.push(Pair {
            from,
            to,
            revealed: revealed(width as usize, &flow, &valid),
            flow,
            known,
            valid,
        });
    }
    ensure!(
        !pairs.is_empty(),
        "{} has no frame with known motion: wanted gt/{} for a frame that has a next one",
        folder.display(),
        file_name(numbers[0], "flo")
    );
    Ok(Scene {
        name,
        frames,
        pairs,
    })
}

fn is_scene(folder: &Path) -> bool {
    folder.join("gt").is_dir()
}

fn frames(paths: Vec<PathBuf>) -> anyhow::Result<Vec<RgbImage>> {
    let first = &paths[0];
    let (width, height) =
        image::image_dimensions(first).with_context(|| format!("reading {}", first.display()))?;
    let scene_bytes = u64::from(width) * u64::from(height) * 3 * paths.len() as u64;
    ensure!(
        scene_bytes <= MAX_BYTES,
        "{} frames of {width}x{height} as {} need {} MiB, wanted at most {}: give fewer or smaller frames",
        paths.len(),
        first.display(),
        scene_bytes >> 20,
        MAX_BYTES >> 20
    );
    paths
        .iter()
        .map(|path| {
            crate::interrupt::check()?;
            let frame = rgb(path)?;
            ensure!(
                frame.dimensions() == (width, height),
                "{} is {}x{}, the first frame {} is {width}x{height}",
                path.display(),
                frame.width(),
                frame.height(),
                first.display()
            );
            Ok(frame)
        })
        .collect()
}

/// Reads a picture without its transparency.
///
/// # Errors
/// If it cannot be read; names it.
pub fn rgb(path: &Path) -> anyhow::Result<RgbImage> {
    let picture = picture::read(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(picture.pixels.into_rgb8())
}

/// Takes the white pixels of a mask away, if there is one.
fn exclude(valid: &mut [bool], path: &Path, size: (u32, u32)) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mask = picture::read(path).with_context(|| format!("reading {}", path.display()))?;
    let mask = mask.pixels.into_luma8();
    ensure!(
        mask.dimensions() == size,
        "{} is {}x{}, its frames are {}x{}",
        path.display(),
        mask.width(),
        mask.height(),
        size.0,
        size.1
    );
    for (valid, code) in valid.iter_mut().zip(mask.as_raw()) {
        *valid &= *code < 128;
    }
    Ok(())
}

/// Files `frame_NNNN.EXTENSION` of a folder by their number.
fn numbered(folder: &Path, extension: &str) -> anyhow::Result<BTreeMap<u32, PathBuf>> {
    let mut numbered = BTreeMap::new();
    for path in entries(folder)? {
        if path.extension().is_none_or(|found| found != extension) {
            continue;
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let Some(number) = stem
            .strip_prefix("frame_")
            .and_then(|number| number.parse().ok())
        else {
            bail!(
                "{} has no number, wanted a name like {}",
                path.display(),
                file_name(1, extension)
            );
        };
        if let Some(other) = numbered.insert(number, path.clone()) {
            bail!("{} and {} have one number", other.display(), path.display());
        }
    }
    Ok(numbered)
}

fn file_name(number: u32, extension: &str) -> String {
    format!("frame_{number:04}.{extension}")
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .with_context(|| format!("reading the folder {}", folder.display()))
}
