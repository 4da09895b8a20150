//! The exposure guard: a camera's automatic exposure that hunts for its level must not make the paint pump.
//!
//! From frame to frame, gain and offset of luma are measured on a small picture, by a line through the pairs of values
//! that keeps what most of the picture agrees on. Added up, they say how exposure went; of that the part between 0.3 and
//! 3 Hz is taken back, slower light is let through, and so is what is faster.

use std::f32::consts::TAU;
use std::time::Duration;

use super::pyramid::Level;

/// Slower changes than this pass, in hertz. Below 0.3, for a filter of first order lets much of its corner through.
const SLOWEST_HZ: f32 = 0.15;
/// Faster changes than this pass, in hertz. Above 3 for the same reason.
const FASTEST_HZ: f32 = 6.0;
/// Exposure is never corrected by a factor of more than this, nor its inverse.
const MAX_GAIN: f32 = 1.3;
/// Nor by an offset of more than this many codes.
const MAX_OFFSET: f32 = 16.0;
/// A pair of values agrees with a line within this many codes, and this share of itself.
const AGREES: (f32, f32) = (2.0, 0.03);
/// Of the values, this share has to agree: otherwise something moved, and nothing is known of exposure.
const MAJORITY: f32 = 0.6;
/// Values beyond these codes may be cut off and say nothing.
const USABLE: (f32, f32) = (24.0, 230.0);

/// `luma = gain * what it was + offset`, from black, 0, to white, 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Light {
    pub gain: f32,
    pub offset: f32,
}

impl Light {
    /// No change.
    pub(crate) const SAME: Self = Self {
        gain: 1.0,
        offset: 0.0,
    };
}

/// How exposure went, as logarithm of gain and as offset.
#[derive(Debug)]
pub(crate) struct Guard {
    interval: Duration,
    /// What came in, less what is too slow.
    fast: [f32; 2],
    /// The same, less what is too fast.
    hunting: [f32; 2],
}

impl Guard {
    /// For frames that follow each other after `interval`.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            fast: [0.0; 2],
            hunting: [0.0; 2],
        }
    }

    /// Forgets all that was.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.interval);
    }

    /// What luma of the newer frame is to be corrected by.
    pub(crate) fn follow(&mut self, before: &Level, now: &Level) -> Light {
        let change = measure(before, now).unwrap_or(Light::SAME);
        let seconds = self.interval.as_secs_f32();
        let keep = (-TAU * SLOWEST_HZ * seconds).exp();
        let take = 1.0 - (-TAU * FASTEST_HZ * seconds).exp();
        let limits = [MAX_GAIN.ln(), MAX_OFFSET];
        // An offset grows with the gain of what comes after it.
        let steps = [
            change.gain.ln(),
            change.offset + (change.gain - 1.0) * self.fast[1],
        ];
        for (i, (step, limit)) in steps.into_iter().zip(limits).enumerate() {
            self.fast[i] = (keep * (self.fast[i] + step)).clamp(-limit, limit);
            self.hunting[i] += take * (self.fast[i] - self.hunting[i]);
        }
        let gain = (-self.hunting[0]).exp();
        Light {
            gain,
            offset: -self.hunting[1] * gain,
        }
    }
}

/// The line that most pairs of values lie on; none if there is no such line.
fn measure(before: &Level, now: &Level) -> Option<Light> {
    let pairs = || {
        (0..now.height).flat_map(|y| {
            before
                .row(y)
                .iter()
                .copied()
                .zip(now.row(y).iter().copied())
        })
    };
    let is_usable = |value: f32| (USABLE.0..=USABLE.1).contains(&value);
    let usable = || pairs().filter(|&(a, b)| is_usable(a) && is_usable(b));
    let n_usable = usable().count();
    if n_usable * 4 < now.width * now.height {
        return None;
    }
    let mut ratios: Vec<f32> = usable().map(|(a, b)| b / a).collect();
    let (_, &mut median, _) = ratios.select_nth_unstable_by(n_usable / 2, f32::total_cmp);
    let mut line = Light {
        gain: median,
        offset: 0.0,
    };
    let mut n_agree = 0;
    for _ in 0..2 {
        let agrees = |&(a, b): &(f32, f32)| {
            let wanted = line.gain * a + line.offset;
            (b - wanted).abs() <= AGREES.0 + AGREES.1 * wanted.abs()
        };
        n_agree = usable().filter(agrees).count();
        line = fit(usable().filter(agrees)).unwrap_or(line);
    }
    let is_known = n_agree as f32 >= MAJORITY * n_usable as f32;
    (is_known && (0.5..=2.0).contains(&line.gain)).then_some(line)
}

/// Least squares, drawn towards a line without offset where values hardly differ.
fn fit(pairs: impl Iterator<Item = (f32, f32)>) -> Option<Light> {
    let (mut n, mut sum_a, mut sum_b, mut sum_aa, mut sum_ab) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (a, b) in pairs {
        n += 1.0;
        sum_a += a;
        sum_b += b;
        sum_aa += a * a;
        sum_ab += a * b;
    }
    if n < 16.0 {
        return None;
    }
    let (mean_a, mean_b) = (sum_a / n, sum_b / n);
    let variance = sum_aa / n - mean_a * mean_a;
    let covariance = sum_ab / n - mean_a * mean_b;
    // As many codes squared as a picture of little contrast has.
    let pull = 100.0;
    let gain = (covariance + pull * mean_b / mean_a) / (variance + pull);
    Some(Light {
        gain,
        offset: mean_b - gain * mean_a,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stabilizer::pyramid::Pyramid;

    const FPS: f32 = 25.0;

    fn picture(gain: f32, shift: f32) -> Level {
        let luma = |x: f32, y: f32| {
            gain * (110.0 + 40.0 * ((x + shift) * 0.05).sin() + 30.0 * (y * 0.07).cos())
        };
        Pyramid::of(320, 180, luma).smallest().clone()
    }

    /// Gain of the corrected picture in each frame.
    fn corrected(n_frames: usize, gain: impl Fn(f32) -> f32) -> Vec<f32> {
        let mut guard = Guard::new(Duration::from_secs_f32(1.0 / FPS));
        let mut before = picture(gain(0.0), 0.0);
        let mut gains = vec![gain(0.0)];
        for idx in 1..n_frames {
            let seconds = idx as f32 / FPS;
            let now = picture(gain(seconds), 0.0);
            let light = guard.follow(&before, &now);
            let middle = 110.0 * gain(seconds);
            gains.push((light.gain * middle + light.offset) / 110.0);
            before = now;
        }
        gains
    }

    fn swing(gains: &[f32]) -> f32 {
        let greatest = gains.iter().copied().fold(f32::MIN, f32::max);
        greatest - gains.iter().copied().fold(f32::MAX, f32::min)
    }

    #[test]
    fn hunting_is_taken_back() {
        let gains = corrected(250, |seconds| 1.0 + 0.15 * (TAU * seconds).sin());
        let left = swing(&gains[100..]) / 0.3;
        assert!(left < 1.0 / 3.0, "{left} of it passes");
    }

    #[test]
    fn slow_light_passes() {
        let gains = corrected(1500, |seconds| 1.0 + 0.15 * (TAU * 0.02 * seconds).sin());
        let left = swing(&gains) / 0.3;
        assert!(left > 0.8, "only {left} of it passes");
    }

    #[test]
    fn motion_is_no_change_of_light() {
        let mut guard = Guard::new(Duration::from_secs_f32(1.0 / FPS));
        let mut before = picture(1.0, 0.0);
        for idx in 1..50 {
            let now = picture(1.0, 9.0 * idx as f32);
            let light = guard.follow(&before, &now);
            assert!((light.gain - 1.0).abs() < 0.05, "frame {idx}: {light:?}");
            before = now;
        }
    }
}
