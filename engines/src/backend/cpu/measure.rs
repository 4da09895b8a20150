//! What only running a network can tell: value ranges, alignment, and whether half precision is safe.
//!
//! The test picture is made by code: gradients, edges and grain, so that every kind of layer has work.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::runtime::{core, failed, probe};
use super::session::{Plan, Session, reshape};
use crate::convert::{self, Arrangement, PictureMut, Rows};
use crate::error::{Error, Result};
use crate::geometry::Window;
use crate::model::{Channels, Convention, Known, Layout, Model, Origin, Size, ValueRange};
use crate::settings::{Precision, Settings};

/// Sides in pixels of the test picture for networks of any size.
const TEST_SIZE: (usize, usize) = (192, 128);

/// Half precision is used where it agrees with f32 at least this well (peak signal to noise).
const HALF_AGREES_DB: f64 = 40.0;

/// What was measured, by the hash of the network's file and convention, for the life of the process.
static HALF_DB: LazyLock<Mutex<HashMap<u64, f64>>> = LazyLock::new(Mutex::default);
static MEASURED: LazyLock<Mutex<HashMap<u64, Convention>>> = LazyLock::new(Mutex::default);

/// The convention of a network with nothing left open.
pub(crate) fn measure(model: &Model) -> Result<Convention> {
    let mut convention = model.convention.clone();
    let is_open = convention.output_range.is_none()
        || (convention.align.is_none() && convention.size.value == Size::Any);
    if !is_open {
        return Ok(convention);
    }
    let key = key(model);
    let known = MEASURED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key)
        .cloned();
    if let Some(known) = known {
        return Ok(known);
    }
    if convention.align.is_none() && convention.size.value == Size::Any {
        let value = align(model, &convention)?;
        convention.align = Some(Known {
            value,
            origin: Origin::Measured,
        });
    }
    if convention.output_range.is_none() {
        let value = output_range(model, &convention)?;
        convention.output_range = Some(Known {
            value,
            origin: Origin::Measured,
        });
        convention.input_range.get_or_insert(Known {
            value,
            origin: Origin::Assumed,
        });
    }
    MEASURED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(key, convention.clone());
    Ok(convention)
}

/// Measures all that opening a network with these settings will ask for.
pub(crate) fn prepare(model: &Model, settings: &Settings) -> Result<()> {
    let convention = measure(model)?;
    precision(model, &convention, settings.precision)?;
    Ok(())
}

/// Settles `auto`.
///
/// # Errors
/// [`Error::Setting`] if half precision is asked for on a processor that has none.
pub(super) fn precision(
    model: &Model,
    convention: &Convention,
    asked: Precision,
) -> Result<Precision> {
    let half = probe()?.half;
    match (asked, half) {
        (Precision::F32, _) | (Precision::Auto, None) => Ok(Precision::F32),
        (Precision::Half, Some(_)) => Ok(Precision::Half),
        (Precision::Half, None) => Err(Error::Setting {
            name: "precision",
            found: "half".to_owned(),
            wanted: "f32 or auto, because this processor computes neither bf16 nor f16",
        }),
        (Precision::Auto, Some(_)) => Ok(match half_db(model, convention)? {
            db if db >= HALF_AGREES_DB => Precision::Half,
            _ => Precision::F32,
        }),
    }
}

/// How well half precision agrees with f32 on the test picture.
fn half_db(model: &Model, convention: &Convention) -> Result<f64> {
    let key = key(model);
    // Held while measuring: whoever asks for the same meanwhile waits for it.
    let mut known = HALF_DB.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&db) = known.get(&key) {
        return Ok(db);
    }
    let (input_range, output_range) = convention.ranges();
    let exact = run(model, convention, input_range, Precision::F32)?;
    let half = run(model, convention, input_range, Precision::Half)?;
    let db = psnr_db(&exact, &half, output_range);
    known.insert(key, db);
    Ok(db)
}

fn psnr_db(exact: &[f32], found: &[f32], range: ValueRange) -> f64 {
    let (low, high) = range.bounds();
    let cut = |value: f32| f64::from(value.max(low).min(high));
    let sum: f64 = exact
        .iter()
        .zip(found)
        .map(|(&a, &b)| (cut(a) - cut(b)).powi(2))
        .sum();
    let mean = sum / exact.len() as f64;
    // Not-a-number in half precision alone must not pass for agreement.
    if found.iter().any(|value| !value.is_finite()) {
        return 0.0;
    }
    10.0 * (f64::from(high - low).powi(2) / mean.max(1e-20)).log10()
}

/// The smallest multiple for which the output has the input's size. Falls back to 1 where no multiple does:
/// the output is then scaled.
fn align(model: &Model, convention: &Convention) -> Result<usize> {
    let reading = |error| failed("reading the network", error);
    let arrangement = match convention.layout.value {
        Layout::Nchw => Arrangement::Planes,
        Layout::Nhwc => Arrangement::Blocks(1),
    };
    let painted = |width: usize, height: usize| -> Result<Option<(usize, usize)>> {
        let mut core = core()?;
        let mut network = core
            .read_model_from_buffer(&model.bytes, None)
            .map_err(reading)?;
        if reshape(&mut network, convention, &arrangement.dims((width, height))).is_err() {
            return Ok(None);
        }
        let output = network
            .get_output_by_index(convention.output_idx)
            .map_err(reading)?;
        let shape = output.get_partial_shape().map_err(reading)?;
        let dims: Vec<_> = shape
            .get_dimensions()
            .iter()
            .map(|dim| dim.get_max() as usize)
            .collect();
        let (height_axis, width_axis) = match convention.layout.value {
            Layout::Nchw => (2, 3),
            Layout::Nhwc => (1, 2),
        };
        Ok(dims
            .get(width_axis)
            .copied()
            .zip(dims.get(height_axis).copied()))
    };
    let wrapped = |error| match error {
        Error::Runtime { action, reason } => Error::Style {
            name: model.name.clone(),
            reason: format!("{action}: {reason}"),
        },
        other => other,
    };
    for align in [1, 2, 4, 8, 16, 32, 64] {
        // Odd multiples, so that a larger alignment is not met by chance.
        let odd_multiple = |size: usize| align * ((size / align) | 1);
        let size = (
            odd_multiple(TEST_SIZE.0 + align),
            odd_multiple(TEST_SIZE.1 + align),
        );
        if painted(size.0, size.1).map_err(wrapped)? == Some(size) {
            return Ok(align);
        }
    }
    Ok(1)
}

/// Range of values that the network gives, told by their spread on the test picture. Networks with instance
/// normalisation give the same whatever range they are fed; others are fed 0..255, as most are.
fn output_range(model: &Model, convention: &Convention) -> Result<ValueRange> {
    let fed = convention
        .input_range
        .map_or(ValueRange::Byte, |known| known.value);
    let mut values = run(model, convention, fed, Precision::F32)?;
    values.sort_unstable_by(f32::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
    let (low, high) = (at(0.02), at(0.98));
    Ok(match high - low {
        spread if spread > 8.0 => ValueRange::Byte,
        _ if low < -0.25 => ValueRange::Signed,
        _ => ValueRange::Unit,
    })
}

/// Runs the network on the test picture.
fn run(
    model: &Model,
    convention: &Convention,
    input_range: ValueRange,
    precision: Precision,
) -> Result<Vec<f32>> {
    let (width, height) = match convention.size.value {
        Size::Fixed(width, height) => (width, height),
        Size::Any => {
            let align = convention.align.map_or(1, |known| known.value).max(1);
            (
                TEST_SIZE.0.next_multiple_of(align),
                TEST_SIZE.1.next_multiple_of(align),
            )
        }
    };
    let mut session = Session::open(
        model,
        convention,
        &Plan {
            trunk: None,
            size: (width, height),
            precision,
            n_slots: 1,
        },
    )?;
    let (mut input, mut painted) = (session.alloc_input()?, session.alloc_painted()?);
    let (low, high) = input_range.bounds();
    let scene = TestScene {
        width,
        height,
        low,
        high,
        channels: convention.channels.value,
    };
    let (arrangement, data) = (session.input_arrangement(), input.values_mut()?);
    let window = Window {
        left: 0,
        top: 0,
        width,
        height,
    };
    convert::read(
        &scene,
        &mut PictureMut {
            data,
            width,
            height,
            window,
            arrangement,
        },
    );
    session.infer(0, &input, &mut painted)?;
    session.wait(0)?;
    Ok(painted.values()?.to_vec())
}

/// The test picture as a network is fed it.
struct TestScene {
    width: usize,
    height: usize,
    /// Values of black and white.
    low: f32,
    high: f32,
    channels: Channels,
}

impl Rows for TestScene {
    fn fill(&self, y: usize, out: [&mut [f32]; 3]) {
        let [first, second, third] = out;
        for (x, ((first, second), third)) in first.iter_mut().zip(second).zip(third).enumerate() {
            let pixel = test_pixel(x as f32 / self.width as f32, y as f32 / self.height as f32);
            let [red, green, blue] = pixel.map(|value| self.low + value * (self.high - self.low));
            (*first, *second, *third) = match self.channels {
                Channels::Rgb => (red, green, blue),
                Channels::Bgr => (blue, green, red),
            };
        }
    }
}

/// Red, green and blue, 0..1, of the test picture at a place in 0..1.
fn test_pixel(x: f32, y: f32) -> [f32; 3] {
    let (dx, dy) = (x - 0.6, y - 0.45);
    let disc = if dx * dx + dy * dy < 0.05 { 0.35 } else { 0.0 };
    let stripes = if (x * 11.0).fract() < 0.5 { 0.12 } else { 0.0 };
    let grain = 0.08 * ((x * 1271.0).sin() * (y * 913.0).cos() * 43.7).fract();
    [
        x * 0.7 + disc + grain,
        y * 0.6 + stripes + grain,
        0.8 - 0.5 * x * y - disc + stripes,
    ]
    .map(|value| value.clamp(0.0, 1.0))
}

fn key(model: &Model) -> u64 {
    let mut hasher = DefaultHasher::new();
    model.bytes.hash(&mut hasher);
    format!("{:?}", model.convention).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_is_measured_in_db_and_nan_never_agrees() {
        let exact = [0.0, 0.5, 1.0];
        assert!(psnr_db(&exact, &exact, ValueRange::Unit) > 100.0);
        let off = [0.01, 0.51, 0.99];
        let db = psnr_db(&exact, &off, ValueRange::Unit);
        assert!((db - 40.0).abs() < 0.01, "{db}");
        assert_eq!(
            psnr_db(&exact, &[0.0, f32::NAN, 1.0], ValueRange::Unit),
            0.0
        );
    }
}
