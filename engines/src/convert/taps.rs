//! The weights that rows and columns are scaled with.

use std::ops::Range;

/// What one pixel of a row weighs in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Two steps wide when it shrinks: a mean over the area, so that fine detail does not alias into flicker.
    Triangle,
    /// Four steps wide when it shrinks (Keys 1981, a = -1/2): sharp strokes without much ringing.
    CatmullRom,
}

impl Filter {
    /// Beyond this many steps, weights are 0.
    fn radius(self) -> f64 {
        match self {
            Self::Triangle => 1.0,
            Self::CatmullRom => 2.0,
        }
    }

    fn weight(self, steps: f64) -> f64 {
        let x = steps.abs();
        match self {
            Self::Triangle => (1.0 - x).max(0.0),
            Self::CatmullRom if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Self::CatmullRom if x < 2.0 => ((2.5 - 0.5 * x) * x - 4.0) * x + 2.0,
            Self::CatmullRom => 0.0,
        }
    }
}

/// Pixels next to each other, and what they weigh.
pub(crate) struct Span {
    pub first: usize,
    pub weights: Vec<f64>,
}

/// What each pixel of a row or column of another length is made of. At the ends, the weights of pixels that are not there go
/// to those that are.
pub(crate) fn spans(from_px: usize, to_px: usize, filter: Filter) -> Vec<Span> {
    let step = from_px as f64 / to_px as f64;
    let widening = step.max(1.0);
    let radius = filter.radius() * widening;
    let span = |idx: usize| {
        let centre = (idx as f64 + 0.5) * step;
        // Pixels whose own centres are nearer than the radius.
        let first = (centre - radius + 0.5).floor().max(0.0) as usize;
        let end = ((centre + radius - 0.5).ceil() as usize).min(from_px);
        let weight = |i: usize| filter.weight((i as f64 + 0.5 - centre) / widening);
        let weights: Vec<_> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let weights = weights.into_iter().map(|weight| weight / sum).collect();
        Span { first, weights }
    };
    (0..to_px).map(span).collect()
}

/// Where chroma samples lie among the pixels of a row or column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// On the first pixel of a pair.
    Left,
    /// Between the two.
    Centre,
}

impl Site {
    /// The pixels that sample `idx` is the mean of, with their weights. The first and the last pixel stand for what would come
    /// before and after them.
    fn pixels(self, idx: usize, n_px: usize) -> [(usize, f64); 3] {
        let (before, own) = ((2 * idx).saturating_sub(1), 2 * idx);
        let behind = (own + 1).min(n_px - 1);
        match self {
            Self::Left => [(before, 0.25), (own, 0.5), (behind, 0.25)],
            Self::Centre => [(own, 0.25), (own, 0.25), (behind, 0.5)],
        }
    }

    /// The samples that a pixel's chroma is interpolated from, with their weights. The last sample stands for what would
    /// come after it.
    fn samples(self, px: usize, n_samples: usize) -> [(usize, f64); 2] {
        let (near, is_first) = (px / 2, px.is_multiple_of(2));
        match self {
            Self::Left => {
                let share = if is_first { 0.0 } else { 0.5 };
                [(near, 1.0 - share), ((near + 1).min(n_samples - 1), share)]
            }
            Self::Centre => {
                let far = if is_first {
                    near.saturating_sub(1)
                } else {
                    (near + 1).min(n_samples - 1)
                };
                [(near, 0.75), (far, 0.25)]
            }
        }
    }
}

/// Which pixels of a row or column make one of another length, with as many weights for every pixel.
#[derive(Clone, Debug)]
pub(crate) struct Taps {
    firsts: Vec<usize>,
    /// Pixel by pixel.
    weights: Vec<f32>,
    n_taps: usize,
    /// Pixels that others are made of.
    from_px: usize,
    /// Where there are some times as many pixels made.
    whole: Option<Whole>,
}

/// So many pixels of each that all but those at the ends are made by the same weights.
#[derive(Clone, Copy, Debug)]
enum Whole {
    One([Near; 1]),
    Two([Near; 2]),
    Three([Near; 3]),
    Four([Near; 4]),
}

/// Weights of a pixel, of the two before it, and of the two behind it.
type Near = [f32; 5];

/// Pixels at each end that do not have two before or behind them.
const END: usize = 2;

impl Taps {
    /// Makes `to_px` pixels of `from_px`.
    pub(crate) fn new(from_px: usize, to_px: usize, filter: Filter) -> Self {
        Self::of(from_px, spans(from_px, to_px, filter))
    }

    /// Makes the chroma of `to_px` pixels of that of half of `from_px`, first brought to every pixel.
    pub(crate) fn of_chroma(from_px: usize, to_px: usize, filter: Filter, site: Site) -> Self {
        let n_samples = from_px.div_ceil(2);
        let through = |span: Span| {
            let last = span.first + span.weights.len() - 1;
            let ends = [span.first, last].map(|px| site.samples(px, n_samples));
            let first = ends[0][0].0.min(ends[0][1].0);
            let end = ends[1][0].0.max(ends[1][1].0) + 1;
            let mut weights = vec![0.0; end - first];
            for (i, weight) in span.weights.iter().enumerate() {
                for (sample, share) in site.samples(span.first + i, n_samples) {
                    weights[sample - first] += weight * share;
                }
            }
            Span { first, weights }
        };
        let spans = spans(from_px, to_px, filter);
        Self::of(n_samples, spans.into_iter().map(through).collect())
    }

    /// Makes the chroma of `to_px` pixels that are made of `from_px`.
    pub(crate) fn to_chroma(from_px: usize, to_px: usize, filter: Filter, site: Site) -> Self {
        let spans = spans(from_px, to_px, filter);
        let sample = |idx: usize| {
            let parts = site.pixels(idx, to_px);
            let own = parts.map(|(px, _)| &spans[px]);
            let first = own.map(|span| span.first).into_iter().min();
            let first = first.unwrap_or_default();
            let end = own.map(|span| span.first + span.weights.len());
            let end = end.into_iter().max().unwrap_or_default();
            let mut weights = vec![0.0; end - first];
            for (span, (_, share)) in own.into_iter().zip(parts) {
                let weights = &mut weights[span.first - first..];
                for (weight, own) in weights.iter_mut().zip(&span.weights) {
                    *weight += share * own;
                }
            }
            Span { first, weights }
        };
        Self::of(from_px, (0..to_px.div_ceil(2)).map(sample).collect())
    }

    fn of(from_px: usize, spans: Vec<Span>) -> Self {
        let most = spans.iter().map(|span| span.weights.len()).max();
        // Few at once are summed in registers of four, many in registers of eight.
        let n_taps = match most.unwrap_or(0) {
            n @ ..=4 => n.next_multiple_of(4),
            n => n.next_multiple_of(8),
        };
        let mut weights = vec![0.0; n_taps * spans.len()];
        for (row, span) in weights.chunks_exact_mut(n_taps).zip(&spans) {
            for (weight, &own) in row.iter_mut().zip(&span.weights) {
                *weight = own as f32;
            }
        }
        Self {
            firsts: spans.iter().map(|span| span.first).collect(),
            weights,
            n_taps,
            from_px,
            whole: Whole::of(from_px, &spans),
        }
    }

    /// Weights of a pixel, some of which may be 0 and beyond the end of the row: at most this many.
    pub(crate) fn n_taps(&self) -> usize {
        self.n_taps
    }

    /// Pixels that pixel `idx` is made of, with their weights, four at a time, some of them 0.
    #[inline(always)]
    pub(crate) fn of_pixel(&self, idx: usize) -> impl Iterator<Item = ([usize; 4], [f32; 4])> {
        let weights = self.weights[idx * self.n_taps..][..self.n_taps].as_chunks::<4>();
        let (first, last) = (self.firsts[idx], self.from_px - 1);
        let fours = weights.0.iter().enumerate();
        let fours = fours.filter(|(_, weights)| **weights != [0.0; 4]);
        fours.map(move |(i, weights)| {
            let px = first + 4 * i;
            (
                [px, px + 1, px + 2, px + 3].map(|px| px.min(last)),
                *weights,
            )
        })
    }

    /// The first of the pixels that some pixels are made of, and the one behind the last.
    pub(crate) fn part(&self, pixels: Range<usize>) -> (usize, usize) {
        let fours = pixels.flat_map(|idx| self.of_pixel(idx));
        fours.fold((usize::MAX, 0), |(first, end), (pixels, _)| {
            (first.min(pixels[0]), end.max(pixels[3] + 1))
        })
    }

    /// Makes values of row `idx`, from value `x` on, of `rows` of `width` values, the first of which is row `first`.
    #[inline(always)]
    pub(crate) fn sum(
        &self,
        idx: usize,
        first: usize,
        rows: &[f32],
        width: usize,
        x: usize,
        out: &mut [f32],
    ) {
        let n = out.len();
        for (i, (pixels, weights)) in self.of_pixel(idx).enumerate() {
            let starts = pixels.map(|px| (px - first) * width + x);
            add(
                starts.map(|start| &rows[start..][..n]),
                weights,
                i == 0,
                out,
            );
        }
    }

    /// Scales a row, behind whose end [`Taps::n_taps`] more values lie that are finite.
    #[inline(always)]
    pub(crate) fn scale(&self, row: &[f32], out: &mut [f32]) {
        let Some(whole) = &self.whole else {
            return self.scale_part(row, out, 0..self.firsts.len());
        };
        let n_px = self.firsts.len();
        let end = END * n_px / self.from_px;
        self.scale_part(row, out, 0..end);
        let (row_inside, inside) = (&row[..self.from_px], &mut out[end..n_px - end]);
        match whole {
            Whole::One(weights) => multiply(row_inside, weights, inside),
            Whole::Two(weights) => multiply(row_inside, weights, inside),
            Whole::Three(weights) => multiply(row_inside, weights, inside),
            Whole::Four(weights) => multiply(row_inside, weights, inside),
        }
        self.scale_part(row, out, n_px - end..n_px);
    }

    /// Makes some pixels of a row.
    #[inline(always)]
    fn scale_part(&self, row: &[f32], out: &mut [f32], part: Range<usize>) {
        let (out, firsts) = (&mut out[part.clone()], &self.firsts[part.clone()]);
        let weights = &self.weights[part.start * self.n_taps..];
        match self.n_taps {
            4 => {
                let weights = weights.as_chunks::<4>().0;
                for ((out, &first), weights) in out.iter_mut().zip(firsts).zip(weights) {
                    let values = row[first..].first_chunk::<4>();
                    let values = values.expect("there are more behind the end");
                    *out = sum(std::array::from_fn(|i| values[i] * weights[i]));
                }
            }
            8 => {
                let weights = weights.as_chunks::<8>().0;
                for ((out, &first), weights) in out.iter_mut().zip(firsts).zip(weights) {
                    let values = row[first..].first_chunk::<8>();
                    let values = values.expect("there are more behind the end");
                    let parts: [f32; 8] = std::array::from_fn(|i| values[i] * weights[i]);
                    *out = sum(std::array::from_fn(|i| parts[i] + parts[i + 4]));
                }
            }
            n_taps => {
                let weights = weights.chunks_exact(n_taps);
                for ((out, &first), weights) in out.iter_mut().zip(firsts).zip(weights) {
                    let values = &row[first..][..n_taps];
                    let mut sums = [0.0; 8];
                    let weights = weights.as_chunks::<8>().0;
                    for (values, weights) in values.as_chunks::<8>().0.iter().zip(weights) {
                        for i in 0..8 {
                            sums[i] += values[i] * weights[i];
                        }
                    }
                    *out = sum(std::array::from_fn(|i| sums[i] + sums[i + 4]));
                }
            }
        }
    }
}

/// Adds four weighted rows to sums, or makes the sums of them.
#[inline(always)]
pub(crate) fn add(
    [a, b, c, d]: [&[f32]; 4],
    [wa, wb, wc, wd]: [f32; 4],
    is_first: bool,
    sums: &mut [f32],
) {
    let values = sums.iter_mut().zip(a).zip(b).zip(c).zip(d);
    if is_first {
        for ((((sum, a), b), c), d) in values {
            *sum = (wa * a + wb * b) + (wc * c + wd * d);
        }
    } else {
        for ((((sum, a), b), c), d) in values {
            *sum += (wa * a + wb * b) + (wc * c + wd * d);
        }
    }
}

/// Makes `N` pixels of each that has two before it and two behind it.
#[inline(always)]
fn multiply<const N: usize>(row: &[f32], weights: &[Near; N], out: &mut [f32]) {
    // First all that are made by the same weights: neighbours of neighbours, as vectors want them.
    const PART: usize = 64;
    let mut made = [[0.0; PART]; N];
    for (idx, out) in out.chunks_mut(PART * N).enumerate() {
        let n = out.len() / N;
        let row = &row[idx * PART..][..n + 4];
        let [a, b, c, d, e] = std::array::from_fn(|i| &row[i..][..n]);
        for (made, &[wa, wb, wc, wd, we]) in made.iter_mut().zip(weights) {
            let values = made[..n].iter_mut().zip(a).zip(b).zip(c).zip(d).zip(e);
            for (((((made, a), b), c), d), e) in values {
                *made = (wa * a + wb * b) + (wc * c + wd * d) + we * e;
            }
        }
        for (i, out) in out.as_chunks_mut::<N>().0.iter_mut().enumerate() {
            for (out, made) in out.iter_mut().zip(&made) {
                *out = made[i];
            }
        }
    }
}

impl Whole {
    fn of(from_px: usize, spans: &[Span]) -> Option<Self> {
        if from_px <= 2 * END || !spans.len().is_multiple_of(from_px) {
            return None;
        }
        let n = spans.len() / from_px;
        let inside = &spans[END * n..spans.len() - END * n];
        // The weights of those that are made of each pixel's neighbourhood in one way, if they are the same for all pixels.
        let near = |i: usize| {
            let nears = inside.iter().skip(i).step_by(n).enumerate();
            let mut nears = nears.map(|(px, span)| {
                let mut near = [0.0; 5];
                let start = span.first.checked_sub(px)?;
                let place = near.get_mut(start..start + span.weights.len())?;
                for (near, &weight) in place.iter_mut().zip(&span.weights) {
                    *near = weight as f32;
                }
                Some(near)
            });
            let first = nears.next()??;
            let is_first = |near: Near| near.iter().zip(first).all(|(a, b)| (a - b).abs() < 1e-6);
            nears
                .all(|near| near.is_some_and(is_first))
                .then_some(first)
        };
        Some(match n {
            1 => Self::One([near(0)?]),
            2 => Self::Two([near(0)?, near(1)?]),
            3 => Self::Three([near(0)?, near(1)?, near(2)?]),
            4 => Self::Four([near(0)?, near(1)?, near(2)?, near(3)?]),
            _ => return None,
        })
    }
}

#[inline(always)]
fn sum([a, b, c, d]: [f32; 4]) -> f32 {
    (a + c) + (b + d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one_and_stay_within_the_picture() {
        for filter in [Filter::Triangle, Filter::CatmullRom] {
            for (from_px, to_px) in [(1, 5), (16, 16), (1080, 360), (360, 1080), (8192, 16)] {
                for Span { first, weights } in spans(from_px, to_px, filter) {
                    assert!(first + weights.len() <= from_px);
                    let sum: f64 = weights.iter().sum();
                    assert!((sum - 1.0).abs() < 1e-9, "{filter:?} {from_px} {to_px}");
                }
            }
        }
    }

    #[test]
    fn rows_are_scaled_by_the_weights() {
        for filter in [Filter::Triangle, Filter::CatmullRom] {
            for (from_px, to_px) in [
                (1, 5),
                (7, 7),
                (40, 13),
                (13, 40),
                (13, 39),
                (7, 28),
                (6, 12),
                (300, 16),
            ] {
                let taps = Taps::new(from_px, to_px, filter);
                let mut row: Vec<_> = (0..from_px).map(|x| (x * 7919 % 251) as f32).collect();
                let made = |span: Span| {
                    let values = row[span.first..].iter().zip(span.weights);
                    values
                        .map(|(&value, weight)| value * weight as f32)
                        .sum::<f32>()
                };
                let spans = spans(from_px, to_px, filter).into_iter();
                let wanted: Vec<_> = spans.map(made).collect();
                // What lies behind the end has no weight.
                row.resize(from_px + taps.n_taps(), 1e6);
                let mut found = vec![0.0; to_px];
                taps.scale(&row, &mut found);
                for (found, wanted) in found.iter().zip(&wanted) {
                    assert!(
                        (found - wanted).abs() < 1e-3,
                        "{filter:?} {from_px} {to_px}"
                    );
                }
            }
        }
    }

    #[test]
    fn chroma_is_scaled_as_if_brought_to_every_pixel_first() {
        for site in [Site::Left, Site::Centre] {
            for (from_px, to_px) in [(1, 3), (2, 2), (41, 13), (40, 16), (13, 40)] {
                let n_samples = usize::div_ceil(from_px, 2);
                let samples: Vec<_> = (0..n_samples).map(|x| (x * 31 % 17) as f32).collect();
                let whole = (0..from_px).map(|px| {
                    let parts = site.samples(px, n_samples);
                    parts
                        .map(|(sample, share)| samples[sample] * share as f32)
                        .iter()
                        .sum()
                });
                let scaled = |taps: &Taps, mut row: Vec<f32>| {
                    row.resize(row.len() + taps.n_taps(), 0.0);
                    let mut out = vec![0.0; to_px];
                    taps.scale(&row, &mut out);
                    out
                };
                let wanted = scaled(
                    &Taps::new(from_px, to_px, Filter::Triangle),
                    whole.collect(),
                );
                let taps = Taps::of_chroma(from_px, to_px, Filter::Triangle, site);
                for (found, wanted) in scaled(&taps, samples).iter().zip(&wanted) {
                    assert!((found - wanted).abs() < 1e-4, "{site:?} {from_px} {to_px}");
                }
            }
        }
    }
}
