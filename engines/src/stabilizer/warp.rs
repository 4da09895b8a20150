//! The history, moved.
//!
//! A cubic convolution of Keys (IEEE ASSP 29, 1981, a = -1/2), in two passes: down the columns that each segment of a row
//! needs, then along the row.

use pulp::Simd;

use super::history::{History, WINDOW};
use super::octet::Octet;
use super::segments::SEGMENT;

/// Positions between two pixels that a filter is made for.
const N_PHASES: usize = 32;

/// Filters for all positions between two pixels.
pub(super) struct Warp {
    filters: [[f32; 4]; N_PHASES],
}

/// Where eight pixels were: the whole pixel, and the place between it and the next one.
#[derive(Clone)]
pub(super) struct Place {
    x: isize,
    y: isize,
    phase_x: usize,
    phase_y: usize,
}

impl Place {
    /// Where the eight pixels from `(x, y)` on came from, `(u, v)` pixels away.
    #[expect(
        clippy::manual_clamp,
        reason = "clamp keeps not-a-number, max and min do not"
    )]
    #[inline(always)]
    pub(super) fn new(x: usize, y: usize, [u, v]: [f32; 2]) -> Self {
        const PHASES: isize = N_PHASES as isize;
        // Far beyond any picture is as good as beyond it. Not-a-number becomes 0.
        let steps =
            |way: f32| (way.max(-16384.0).min(16384.0) * N_PHASES as f32 + 0.5).floor() as isize;
        let (u, v) = (steps(u), steps(v));
        Self {
            x: x as isize + u.div_euclid(PHASES),
            y: y as isize + v.div_euclid(PHASES),
            phase_x: u.rem_euclid(PHASES) as usize,
            phase_y: v.rem_euclid(PHASES) as usize,
        }
    }
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
    /// First half of the filter: down the columns that each segment needs.
    #[inline(always)]
    pub(super) fn filter_columns<S: Simd>(
        &self,
        simd: S,
        history: &History,
        places: &[Option<Place>],
        columns: &mut [[f32; WINDOW]],
    ) {
        for (place, columns) in places.iter().zip(columns.chunks_exact_mut(3)) {
            let Some(place) = place else {
                continue;
            };
            let windows = history.windows([place.x, place.y]);
            let down = self.filters[place.phase_y].map(|weight| Octet::splat(simd, weight));
            for (channel, columns) in columns.iter_mut().enumerate() {
                let rows =
                    [0, 1, 2, 3].map(|row| windows.of(channel, row).as_chunks::<SEGMENT>().0);
                for (i, out) in columns.as_chunks_mut::<SEGMENT>().0.iter_mut().enumerate() {
                    let mut sum = widen(simd, &rows[0][i]).mul(down[0]);
                    for row in 1..4 {
                        sum = sum.add_product(widen(simd, &rows[row][i]), down[row]);
                    }
                    sum.store(out);
                }
            }
        }
    }

    /// Second half: along the row.
    #[inline(always)]
    pub(super) fn filter_rows<S: Simd>(
        &self,
        simd: S,
        places: &[Option<Place>],
        columns: &[[f32; WINDOW]],
        moved: &mut [f32],
    ) {
        let width = moved.len() / 3;
        for (segment, (place, columns)) in places.iter().zip(columns.chunks_exact(3)).enumerate() {
            let Some(place) = place else {
                continue;
            };
            let across = self.filters[place.phase_x].map(|weight| Octet::splat(simd, weight));
            for (channel, columns) in columns.iter().enumerate() {
                let tap = |i: usize| {
                    Octet::load(
                        simd,
                        columns[i..].first_chunk().expect("three more than eight"),
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
