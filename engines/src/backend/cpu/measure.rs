//! What only running a network can tell: value ranges, alignment, whether half precision is safe, and which way is the
//! fastest.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::network::Way;
use super::runtime::{core, failed, probe};
use super::session::reshape;
use super::trial::{TEST_SIZE, Trial};
use crate::convention::{Convention, Known, Layout, Origin, Size, ValueRange};
use crate::convert::Arrangement;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::settings::{Precision, Settings};
use crate::trunk::{self, Trunk};

/// Half precision is used where it agrees with f32 at least this well (peak signal to noise).
const HALF_AGREES_DB: f64 = 40.0;
/// What half precision has to take at most, as part of the time of f32: it is not quite the same picture, and some
/// processors know the format and are half as fast in it. And what OpenVINO has to take at most, as part of the time of our
/// own code: that is nearer to f32 in half precision, keeps more of a large frame in the caches than of the test picture, and
/// should be taken at every start or at none.
const PAYS: f64 = 0.9;
/// Time that finding out what is fastest takes at least.
const TIMED: Duration = Duration::from_millis(100);
/// Time that our own code has before, for itself: threads that wake up on one core share it until they are moved apart, which
/// was seen to take up to 30 ms, and longer where others wake up in between.
const SETTLES: Duration = Duration::from_millis(50);
/// Turns that each way has at least.
const N_TURNS: usize = 3;
/// Pictures that it paints in a turn: the first one still shares the processor with threads of the way before, which
/// wait for more for a while before they sleep.
const N_IN_A_ROW: usize = 3;

/// What was measured, by the hash of the network's file and convention, for the life of the process.
static HALF_AGREES: LazyLock<Mutex<HashMap<(u64, Way), bool>>> = LazyLock::new(Mutex::default);
static TIMES: LazyLock<Mutex<HashMap<(u64, Precision), Times>>> = LazyLock::new(Mutex::default);
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
    way(model, &convention, settings.precision)?;
    Ok(())
}

/// Settles how a network is run.
///
/// # Errors
/// [`Error::Setting`] if half precision is asked for and neither OpenVINO nor our own code has it on this processor.
pub(super) fn way(model: &Model, convention: &Convention, asked: Precision) -> Result<Way> {
    let times = once(&TIMES, (kind(model), asked), || {
        times(model, convention, asked)
    })?;
    match asked {
        Precision::F32 => Ok(times.exact.way),
        Precision::Half => match (times.half, probe()?.half) {
            (Some(half), _) => Ok(half.way),
            // Opening it will say why it cannot be had.
            (None, Some(_)) => Ok(Way::Runtime(Precision::Half)),
            (None, None) => Err(Error::Setting {
                name: "precision",
                found: "half".to_owned(),
                wanted: "f32 or auto, because this processor has no fast way to compute this network in 16 bits",
            }),
        },
        Precision::Auto => {
            if let Some(way) = times.half_that_pays() {
                let agrees = || agree(model, convention, [times.exact.way, way]);
                if once(&HALF_AGREES, (key(model), way), agrees)? {
                    return Ok(way);
                }
            }
            Ok(times.exact.way)
        }
    }
}

/// What is known, or else found out now. Whoever asks for anything of the kind meanwhile waits.
fn once<K: Eq + Hash, T: Copy>(
    known: &Mutex<HashMap<K, T>>,
    key: K,
    find: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&found) = known.get(&key) {
        return Ok(found);
    }
    let found = find()?;
    known.insert(key, found);
    Ok(found)
}

/// What is left of a network for pictures of any size without its ends.
fn trunk_of(model: &Model, convention: &Convention) -> Option<Trunk> {
    trunk::cut(&model.bytes).filter(|_| convention.size.value == Size::Any)
}

/// Whether a way in half precision gives the same picture as one in f32.
fn agree(model: &Model, convention: &Convention, ways: [Way; 2]) -> Result<bool> {
    let (input_range, output_range) = convention.ranges();
    let trunk = trunk_of(model, convention);
    let trial = |way| Trial::open(model, convention, trunk.as_ref(), input_range, way);
    let [exact, half] = ways.map(trial);
    let (mut exact, mut half) = (exact?, half?);
    Ok(psnr_db(exact.paint()?, half.paint()?, output_range) >= HALF_AGREES_DB)
}

/// A way, and what painting the test picture takes so, once that has been measured.
#[derive(Clone, Copy, Debug)]
struct Timed {
    way: Way,
    /// Shortest and median, in seconds: where others are at work, a way may be lucky once, or never.
    times: [f64; 2],
}

impl Timed {
    /// Not measured yet.
    fn new(way: Way) -> Self {
        let times = [f64::INFINITY; 2];
        Self { way, times }
    }

    /// Which of its times are clearly below those of another.
    fn beats(&self, other: &Self) -> [bool; 2] {
        [0, 1].map(|idx| self.times[idx] <= PAYS * other.times[idx])
    }
}

/// The fastest ways.
#[derive(Clone, Copy, Debug)]
struct Times {
    exact: Timed,
    half: Option<Timed>,
}

impl Times {
    /// In each precision our own code, where it can be had, unless OpenVINO is clearly faster.
    fn of(timed: &[Timed]) -> Self {
        let find = |way: Way| timed.iter().find(|timed| timed.way == way).copied();
        let fastest = |precision| match (find(Way::Own(precision)), find(Way::Runtime(precision))) {
            (Some(own), Some(theirs)) if theirs.beats(&own) == [true; 2] => Some(theirs),
            (own, theirs) => own.or(theirs),
        };
        Self {
            exact: fastest(Precision::F32).unwrap_or(Timed::new(Way::Runtime(Precision::F32))),
            half: fastest(Precision::Half),
        }
    }

    fn half_that_pays(self) -> Option<Way> {
        let half = self.half?;
        let pays = half.beats(&self.exact).contains(&true);
        pays.then_some(half.way)
    }
}

/// Finds out what each way in the precision that is asked for takes, in turns so that what else goes on counts for all.
fn times(model: &Model, convention: &Convention, asked: Precision) -> Result<Times> {
    let trunk = trunk_of(model, convention);
    let (input_range, _) = convention.ranges();
    let has_half = probe()?.half.is_some();
    let open = |way| Trial::open(model, convention, trunk.as_ref(), input_range, way);
    let precisions = [Precision::F32, Precision::Half].into_iter();
    let precisions = precisions.filter(|&each| asked == Precision::Auto || asked == each);
    let mut trials = Vec::new();
    if trunk.is_some() {
        for way in precisions.clone().map(Way::Own) {
            // OpenVINO is opened instead where our own code cannot.
            trials.extend(open(way).ok().filter(|trial| trial.way() == way));
        }
    }
    let theirs = precisions.filter(|&each| each != Precision::Half || has_half);
    let theirs: Vec<_> = theirs.map(Way::Runtime).collect();
    if trials.len() + theirs.len() > 1 {
        for way in theirs {
            match open(way) {
                Ok(trial) => trials.push(trial),
                // A network that cannot be had in it is painted in f32.
                Err(_) if way.precision() == Precision::Half => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Times::of(&take_turns(&mut trials)?))
}

/// What each of the ways takes, if there are several.
fn take_turns(trials: &mut [Trial]) -> Result<Vec<Timed>> {
    let mut timed: Vec<_> = trials.iter().map(|trial| Timed::new(trial.way())).collect();
    if trials.len() < 2 {
        return Ok(timed);
    }
    let is_own = |trial: &&mut Trial| matches!(trial.way(), Way::Own(_));
    if let Some(own) = trials.iter_mut().find(is_own) {
        let start = Instant::now();
        while start.elapsed() < SETTLES {
            own.paint()?;
        }
    }
    let mut found = vec![Vec::new(); trials.len()];
    let start = Instant::now();
    while found[0].len() < N_TURNS * N_IN_A_ROW || start.elapsed() < TIMED {
        for (trial, found) in trials.iter_mut().zip(&mut found) {
            for _ in 0..N_IN_A_ROW {
                let start = Instant::now();
                trial.paint()?;
                found.push(start.elapsed().as_secs_f64());
            }
        }
    }
    for (timed, found) in timed.iter_mut().zip(&mut found) {
        found.sort_by(f64::total_cmp);
        timed.times = [found[0], found[found.len() / 2]];
    }
    Ok(timed)
}

pub(super) fn psnr_db(exact: &[f32], found: &[f32], range: ValueRange) -> f64 {
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
    let way = Way::Runtime(Precision::F32);
    let mut values = Trial::open(model, convention, None, fed, way)?
        .paint()?
        .to_vec();
    values.sort_unstable_by(f32::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
    let (low, high) = (at(0.02), at(0.98));
    Ok(match high - low {
        spread if spread > 8.0 => ValueRange::Byte,
        _ if low < -0.25 => ValueRange::Signed,
        _ => ValueRange::Unit,
    })
}

/// The same for all networks of the same layers, as far as that is known: they take the same time.
fn kind(model: &Model) -> u64 {
    let (Some(family), Some(quality)) = (model.metadata("family"), model.quality()) else {
        return key(model);
    };
    let mut hasher = DefaultHasher::new();
    (family, quality.name()).hash(&mut hasher);
    hasher.finish()
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
    fn openvino_and_half_precision_have_to_be_clearly_faster() {
        let no = f64::INFINITY;
        let [own, theirs] = [Way::Own, Way::Runtime].map(|way| way(Precision::F32));
        let [own_half, their_half] = [Way::Own, Way::Runtime].map(|way| way(Precision::Half));
        for (times, exact, half) in [
            ([no, no, no, no], theirs, None),
            ([no, no, 2.0, no], theirs, None),
            ([no, no, 2.0, 1.0], theirs, Some(their_half)),
            ([no, no, 2.0, 3.9], theirs, None),
            ([1.9, no, 2.0, no], own, None),
            ([2.0, no, 2.0, no], own, None),
            ([2.0, no, 1.9, no], own, None),
            ([2.0, no, 1.7, no], theirs, None),
            ([2.0, no, 4.0, 1.9], own, None),
            ([2.0, no, 4.0, 1.7], own, Some(their_half)),
            ([2.0, 1.5, 4.0, 1.7], own, Some(own_half)),
            ([2.0, 1.7, 4.0, 1.5], own, Some(their_half)),
        ] {
            let timed = [own, own_half, theirs, their_half].into_iter().zip(times);
            let timed = timed.filter(|&(_, time)| time < no);
            let timed: Vec<_> = timed
                .map(|(way, time)| Timed {
                    way,
                    times: [time; 2],
                })
                .collect();
            let found = Times::of(&timed);
            assert_eq!(
                (found.exact.way, found.half_that_pays()),
                (exact, half),
                "{times:?}"
            );
        }
    }

    /// Shortest and median times as they were seen beside others' work.
    #[test]
    fn luck_takes_nothing_from_our_own_code_nor_from_half_precision() {
        let timed = |way, times| Timed { way, times };
        let [exact, own] = [Precision::F32, Precision::Half].map(Way::Own);
        let theirs = Way::Runtime(Precision::Half);
        for (own_times, their_times, wanted) in [
            ([0.47, 0.48], [0.36, 0.65], own),
            ([0.25, 0.49], [0.35, 0.40], own),
            ([0.47, 0.48], [0.35, 0.40], theirs),
        ] {
            let found = Times::of(&[
                timed(exact, [0.43, 0.80]),
                timed(own, own_times),
                timed(theirs, their_times),
            ]);
            assert_eq!(found.half_that_pays(), Some(wanted), "{their_times:?}");
        }
    }

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
