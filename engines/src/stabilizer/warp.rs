//! The history, moved.
//!
//! A cubic convolution of Keys (IEEE ASSP 29, 1981, a = -1/2), in two passes: down the columns that each segment of a row
//! needs, then along the row.

use pulp::Simd;

use super::history::{History, WINDOW};
use super::octet::Octet;
use super::segments::{Mix, SEGMENT};

/// Positions between two pixels that a filter is made for.
const N_PHASES: usize = 32;

/// Filters for all positions between two pixels.
pub(super) struct Warp {
    filters: [[f32; 4]; N_PHASES],
}

/// Where the segments of a row were, and what of them is kept.
#[derive(Default)]
pub(super) struct Places {
    /// Steps in x and y, [`N_PHASES`] to a pixel.
    u: Vec<i32>,
    v: Vec<i32>,
    kept: Vec<bool>,
}

/// Segments of the history filtered down their columns. Those that lie beside each other share what they both need.
#[derive(Default)]
pub(super) struct Columns {
    channels: [Vec<f32>; 3],
    /// Where the columns of each segment begin.
    starts: Vec<usize>,
}

impl Places {
    /// For rows of `n` segments.
    pub(super) fn new(n: usize) -> Self {
        Self {
            u: vec![0; n],
            v: vec![0; n],
            kept: vec![false; n],
        }
    }

    /// Takes the steps of a row, and whether anything is kept of its segments: false if nothing is of any.
    #[inline(always)]
    pub(super) fn fill(&mut self, mix: &Mix<'_>, share: &[f32]) -> bool {
        mix.ways(&mut self.u, &mut self.v, count);
        let ends = share.iter().zip(&share[1..]);
        let mut has_any = false;
        for (kept, (left, right)) in self.kept.iter_mut().zip(ends) {
            *kept = *left > 0.0 || *right > 0.0;
            has_any |= *kept;
        }
        has_any
    }
}

impl Columns {
    /// For rows of `n` segments.
    pub(super) fn new(n: usize) -> Self {
        Self {
            channels: std::array::from_fn(|_| vec![0.0; n * WINDOW]),
            starts: vec![0; n],
        }
    }
}

/// A way in pixels, counted in the steps of filters. Far beyond any picture is as good as beyond it, not-a-number is 0.
#[expect(
    clippy::manual_clamp,
    reason = "clamp keeps not-a-number, max and min do not"
)]
#[inline(always)]
fn count(way: f32) -> i32 {
    let steps = (way.max(-16384.0).min(16384.0) * N_PHASES as f32 + 0.5).floor();
    // A whole number of 22 bits at most: the last bits of a sum with 1.5 * 2^23, which vector instructions can take.
    (steps + 12_582_912.0).to_bits() as i32 - 0x4B40_0000
}

impl Default for Warp {
    fn default() -> Self {
        let mut filters = [[0.0; 4]; N_PHASES];
        for (phase, filter) in filters.iter_mut().enumerate() {
            *filter = keys(phase as f32 / N_PHASES as f32);
        }
        Self { filters }
    }
}

impl Warp {
    /// First half of the filter of row `y`: down the columns that each segment needs.
    #[inline(always)]
    pub(super) fn filter_columns<S: Simd>(
        &self,
        simd: S,
        history: &History,
        y: usize,
        places: &Places,
        columns: &mut Columns,
    ) {
        let Columns { channels, starts } = columns;
        let mut end = 0;
        let mut last = None;
        let steps = places.u.iter().zip(&places.v).zip(&places.kept);
        for (segment, (((&u, &v), &is_kept), start)) in steps.zip(starts).enumerate() {
            if !is_kept {
                continue;
            }
            let (x, phase_y) = ((segment * SEGMENT) as isize, phase(v));
            let windows = history.windows([x + whole(u), y as isize + whole(v)]);
            let has_first = last.is_some_and(|(last, last_phase)| {
                phase_y == last_phase && windows.is_beside(&last, SEGMENT)
            });
            last = Some((windows, phase_y));
            *start = if has_first { end - SEGMENT } else { end };
            let down = Octet::splat_each(simd, &self.filters[phase_y]);
            let first = usize::from(has_first);
            for (channel, columns) in channels.iter_mut().enumerate() {
                let row = |row| windows.of(channel, row).as_chunks::<SEGMENT>().0;
                let rows = [row(0), row(1), row(2), row(3)];
                let out = columns[*start..].first_chunk_mut::<WINDOW>();
                let out = out
                    .expect("a window for each segment")
                    .as_chunks_mut::<SEGMENT>()
                    .0;
                for (i, out) in out.iter_mut().enumerate().skip(first) {
                    let mut sum = widen(simd, &rows[0][i]).mul(down[0]);
                    for row in 1..4 {
                        sum = sum.add_product(widen(simd, &rows[row][i]), down[row]);
                    }
                    sum.store(out);
                }
            }
            end = *start + WINDOW;
        }
    }

    /// Second half: along the row.
    #[inline(always)]
    pub(super) fn filter_rows<S: Simd>(
        &self,
        simd: S,
        places: &Places,
        columns: &Columns,
        moved: &mut [f32],
    ) {
        let width = moved.len() / 3;
        let steps = places.u.iter().zip(&places.kept).zip(&columns.starts);
        for (segment, ((&u, &is_kept), &start)) in steps.enumerate() {
            if !is_kept {
                continue;
            }
            let across = Octet::splat_each(simd, &self.filters[phase(u)]);
            for (channel, columns) in columns.channels.iter().enumerate() {
                let window: &[f32; WINDOW] = columns[start..]
                    .first_chunk()
                    .expect("a window for each segment");
                let tap = |i: usize| {
                    Octet::load(
                        simd,
                        window[i..].first_chunk().expect("three more than eight"),
                    )
                };
                let mut sum = tap(0).mul(across[0]);
                for i in 1..4 {
                    sum = sum.add_product(tap(i), across[i]);
                }
                let target = &mut moved[channel * width + segment * SEGMENT..(channel + 1) * width];
                match target.first_chunk_mut::<SEGMENT>() {
                    Some(target) => sum.store(target),
                    None => {
                        let mut values = [0.0; SEGMENT];
                        sum.store(&mut values);
                        target.copy_from_slice(&values[..target.len()]);
                    }
                }
            }
        }
    }
}

/// Whole pixels of so many steps.
#[inline(always)]
fn whole(steps: i32) -> isize {
    steps.div_euclid(N_PHASES as i32) as isize
}

/// What of them is left, as the number of a filter.
#[inline(always)]
fn phase(steps: i32) -> usize {
    steps.rem_euclid(N_PHASES as i32) as usize
}

/// Weights of four pixels for a position `t` between the second and the third.
fn keys(t: f32) -> [f32; 4] {
    [
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    ]
}

#[inline(always)]
fn widen<S: Simd>(simd: S, values: &[u16; SEGMENT]) -> Octet<S> {
    let mut out = [0.0; SEGMENT];
    for i in 0..SEGMENT {
        out[i] = f32::from(values[i]);
    }
    Octet::load(simd, &out)
}
