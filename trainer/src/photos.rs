//! The photos that networks learn on.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder as _, ImageReader, RgbImage};
use rayon::prelude::*;

use crate::clip;
use crate::maps::Maps;
use crate::random::Random;

/// Short sides that photos are scaled to before a crop is taken, in pixels.
const SCALES: [f32; 2] = [256.0, 410.0];
/// Short side that larger photos are scaled to when they are read.
const KEPT_PX: u32 = 410;

/// Side of the thumbnails that photos are told apart by.
const THUMBNAIL_PX: u32 = 16;
/// Mean difference of two thumbnails, in codes of 255, below which photos count as one.
const SAME: u32 = 1;
/// Frames that a clip gives at most.
const N_FRAMES: usize = 2000;

/// Photos in memory, no two of them alike.
pub struct Photos(Vec<RgbImage>);

impl Photos {
    /// Reads pictures, folders of pictures in the order of their names, and frames of clips; sets every 50th aside to be
    /// judged by. Of photos that are alike, one is kept.
    ///
    /// # Errors
    /// If something of them cannot be read, or there is nothing.
    pub fn read(places: &[PathBuf]) -> anyhow::Result<(Self, Self)> {
        let [mut learn, mut judge] = [Vec::new(), Vec::new()];
        for (idx, photo) in Self::read_all(places)?.0.into_iter().enumerate() {
            if idx % 50 == 0 {
                judge.push(photo);
            } else {
                learn.push(photo);
            }
        }
        if learn.is_empty() {
            learn.clone_from(&judge);
        }
        Ok((Self(learn), Self(judge)))
    }

    /// Reads pictures, folders of pictures in the order of their names, and frames of clips. Of photos that are alike,
    /// one is kept.
    ///
    /// # Errors
    /// If something of them cannot be read, or there is nothing.
    pub fn read_all(places: &[PathBuf]) -> anyhow::Result<Self> {
        let mut paths = Vec::new();
        for place in places {
            if place.is_dir() {
                paths.append(&mut pictures_in(place)?);
            } else {
                paths.push(place.clone());
            }
        }
        let photos: Vec<Vec<RgbImage>> = paths
            .par_iter()
            .map(|path| read(path))
            .collect::<anyhow::Result<_>>()?;
        let photos = distinct(photos.into_iter().flatten());
        let names: Vec<_> = places
            .iter()
            .map(|place| place.display().to_string())
            .collect();
        ensure!(
            !photos.is_empty(),
            "no photos in {}; wanted JPEG, PNG, WebP or video",
            names.join(", ")
        );
        Ok(Self(photos))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A square of `side` pixels out of a random photo, at a random place and scale, perhaps mirrored.
    pub fn crop(&self, side: u32, random: &mut Random) -> Maps {
        let photo = &self.0[random.below(self.0.len())];
        let (width, height) = photo.dimensions();
        let short = random.between(SCALES[0], SCALES[1]).max(side as f32);
        let part = ((side as f32 / short * width.min(height) as f32) as u32).max(1);
        let left = random.below((width - part + 1) as usize) as u32;
        let top = random.below((height - part + 1) as usize) as u32;
        let view = imageops::crop_imm(photo, left, top, part, part).to_image();
        let mut crop = imageops::resize(&view, side, side, FilterType::CatmullRom);
        if random.unit() < 0.5 {
            imageops::flip_horizontal_in_place(&mut crop);
        }
        maps(&crop)
    }

    /// The middle of each photo, a square of `side` pixels, for as many photos as are wanted.
    pub fn middles(&self, side: u32, n: usize) -> Vec<Maps> {
        self.0
            .iter()
            .take(n)
            .map(|photo| {
                let part = photo.width().min(photo.height());
                let (left, top) = ((photo.width() - part) / 2, (photo.height() - part) / 2);
                let view = imageops::crop_imm(photo, left, top, part, part).to_image();
                maps(&imageops::resize(&view, side, side, FilterType::CatmullRom))
            })
            .collect()
    }
}

/// A picture as maps of RGB 0..1.
pub fn maps(picture: &RgbImage) -> Maps {
    Maps {
        height: picture.height() as usize,
        width: picture.width() as usize,
        n_channels: 3,
        values: picture
            .as_raw()
            .iter()
            .map(|&value| f32::from(value) / 255.0)
            .collect(),
    }
}

/// Maps of RGB 0..1 as a picture; what is beyond is cut off.
pub fn picture(maps: &Maps) -> RgbImage {
    let values = maps
        .values
        .iter()
        .map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8)
        .collect();
    RgbImage::from_raw(maps.width as u32, maps.height as u32, values)
        .expect("three numbers for each pixel")
}

/// Reads a picture and scales its short side to `px`.
///
/// # Errors
/// If it cannot be read.
pub fn read_scaled(path: &Path, px: u32) -> anyhow::Result<Maps> {
    Ok(scaled(&open(path)?, px))
}

/// A picture whose short side is scaled to `px`: `[height, width, 3]`, RGB 0..1.
pub fn scaled(picture: &RgbImage, px: u32) -> Maps {
    maps(&resized(picture, px, FilterType::Lanczos3))
}

/// Pictures of a folder, by their endings.
fn pictures_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("reading photos of {}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if is_picture(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_picture(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .map(str::to_lowercase);
    matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png" | "webp"))
}

/// A picture, or the frames of a clip; none larger than it is needed.
fn read(path: &Path) -> anyhow::Result<Vec<RgbImage>> {
    if is_picture(path) {
        return Ok(vec![shrink(open(path)?)]);
    }
    let mut photos = Vec::new();
    clip::frames(path, N_FRAMES, |frame| photos.push(shrink(frame)))?;
    Ok(photos)
}

fn shrink(photo: RgbImage) -> RgbImage {
    let is_large = photo.width().min(photo.height()) > KEPT_PX;
    if is_large {
        resized(&photo, KEPT_PX, FilterType::Triangle)
    } else {
        photo
    }
}

/// The first of all photos that are alike.
fn distinct(photos: impl Iterator<Item = RgbImage>) -> Vec<RgbImage> {
    let mut seen: Vec<RgbImage> = Vec::new();
    let mut kept = Vec::new();
    for photo in photos {
        let thumbnail = imageops::thumbnail(&photo, THUMBNAIL_PX, THUMBNAIL_PX);
        let limit = SAME * thumbnail.as_raw().len() as u32;
        let is_new = !seen.iter().any(|seen| difference(seen, &thumbnail) < limit);
        if is_new {
            seen.push(thumbnail);
            kept.push(photo);
        }
    }
    kept
}

/// Sum of the differences of all values.
fn difference(a: &RgbImage, b: &RgbImage) -> u32 {
    a.as_raw()
        .iter()
        .zip(b.as_raw())
        .map(|(a, b)| u32::from(a.abs_diff(*b)))
        .sum()
}

/// Reads a picture the way up that it was taken.
///
/// # Errors
/// If it cannot be read, or is no picture.
pub fn open(path: &Path) -> anyhow::Result<RgbImage> {
    let reader = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .with_context(|| format!("reading {}", path.display()))?;
    let decode = || {
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation()?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok::<_, image::ImageError>(picture.to_rgb8())
    };
    decode().with_context(|| {
        format!(
            "{} cannot be read as a picture; wanted PNG, JPEG or WebP",
            path.display()
        )
    })
}

/// A picture whose short side has `px` pixels.
pub fn resized(picture: &RgbImage, px: u32, filter: FilterType) -> RgbImage {
    let (width, height) = picture.dimensions();
    let scale = f64::from(px) / f64::from(width.min(height));
    let [width, height] =
        [width, height].map(|side| (f64::from(side) * scale).round().max(1.0) as u32);
    imageops::resize(picture, width, height, filter)
}

#[cfg(test)]
impl Photos {
    /// Photos of random rectangles.
    pub(crate) fn random(n: usize) -> Self {
        let mut random = Random::of(&[n as u64]);
        let photo = |_| {
            let mut photo = RgbImage::new(80, 64);
            for _ in 0..30 {
                let colour = image::Rgb([0; 3].map(|_: i32| random.below(256) as u8));
                let (left, top) = (random.below(70) as u32, random.below(50) as u32);
                for (x, y) in (0..14).flat_map(|x| (0..10).map(move |y| (left + x.min(9), top + y)))
                {
                    photo.put_pixel(x, y, colour);
                }
            }
            photo
        };
        Self((0..n).map(photo).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaded(shade: u8) -> RgbImage {
        RgbImage::from_fn(64, 48, |x, y| {
            image::Rgb([shade.wrapping_add((x * y % 200) as u8), 90, 20])
        })
    }

    #[test]
    fn photos_that_are_alike_count_once() {
        let mut noisy = shaded(0);
        noisy.put_pixel(3, 3, image::Rgb([255; 3]));
        let kept = distinct([shaded(0), shaded(0), noisy, shaded(40)].into_iter());
        assert_eq!(kept.len(), 2);
    }

    #[test]
    fn crops_follow_from_the_seed() {
        let photos = Photos(vec![shaded(0), shaded(40)]);
        let crop = |seed| photos.crop(32, &mut Random::of(&[seed]));
        assert_eq!(crop(1), crop(1));
        assert_ne!(crop(1), crop(2));
        assert_eq!((crop(3).height, crop(3).width), (32, 32));
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let file = std::env::temp_dir().join(format!("no-picture-{}.jpg", std::process::id()));
        std::fs::write(&file, "text").unwrap();
        let error = Photos::read(std::slice::from_ref(&file)).err().unwrap();
        assert!(
            format!("{error:#}").contains("cannot be read as a picture"),
            "{error:#}"
        );
        std::fs::remove_file(file).unwrap();
    }
}
