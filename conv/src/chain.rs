//! Two convolutions one after the other, in bands of rows: what is between them stays in the caches.

use std::cell::RefCell;
use std::ops::Range;

use aligned_vec::AVec;
use rayon::prelude::*;

use crate::rows::{Rows, RowsMut, share};
use crate::{Conv, Maps, MapsMut, Then, grow};

/// Numbers between both convolutions that a thread makes at a time: a megabyte.
const N_BETWEEN: usize = 1 << 18;
/// What rows of a band are a multiple of, so that few tiles stand out.
const STEP: usize = 8;

thread_local! {
    /// What comes first, what is between, its peaks, and those of rows that are wanted alone.
    static BANDS: RefCell<[AVec<f32>; 4]> = RefCell::new([0; 4].map(AVec::new));
}

/// Two convolutions one after the other, with what follows each. Nothing is added between.
#[derive(Clone, Copy)]
pub struct Chain<'a>(pub [(&'a Conv, Then<'a>); 2]);

/// Maps whose rows are made when they are asked for.
#[derive(Clone, Copy)]
pub struct Made<'a> {
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
    /// Writes rows, `[rows, width, channels]`. Some are asked for more than once, by any thread.
    pub fill: &'a (dyn Fn(Range<usize>, &mut [f32]) + Sync),
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Maps(Maps<'a>),
    Made(Made<'a>),
}

/// A chain that is about to run.
struct Run<'a> {
    chain: Chain<'a>,
    source: Source<'a>,
    /// Height and width of what comes in, of what is between, and of what goes out.
    sizes: [[usize; 2]; 3],
    biases: [Vec<f32>; 2],
}

impl Chain<'_> {
    /// Convolves twice. The rows at the border of a band are made for both bands that see them.
    ///
    /// # Panics
    /// If a slice has another length than [`Conv::run`] would want, the second convolution wants other channels than the first
    /// gives, or something is added between.
    pub fn run(self, input: Maps<'_>, output: MapsMut<'_>) {
        Run::of(self, Source::Maps(input)).all(output);
    }

    /// The same of maps that are made band by band.
    ///
    /// # Panics
    /// As [`Chain::run`].
    pub fn run_on_made(self, input: Made<'_>, output: MapsMut<'_>) {
        Run::of(self, Source::Made(input)).all(output);
    }

    /// Writes some rows of the output, on the thread at hand. Two more than are seen are made of what is between, or up to
    /// four if that is doubled: the fewer rows, the more work.
    ///
    /// # Panics
    /// As [`Chain::run`], or if there are no such rows, or only one of a pair that a doubled row gives.
    pub fn run_rows(self, input: Maps<'_>, rows: Range<usize>, values: &mut [f32]) {
        let run = Run::of(self, Source::Maps(input));
        let [_, _, [height, width]] = run.sizes;
        let n = rows.len() * width * self.0[1].0.n_out;
        assert!(rows.end <= height && values.len() == n, "{rows:?}");
        let n_each = self.0[1].0.walk.n_each();
        assert!(
            [rows.start, rows.end]
                .iter()
                .all(|y| y.is_multiple_of(n_each)),
            "{rows:?}"
        );
        if values.is_empty() {
            return;
        }
        BANDS.with_borrow_mut(|[first, between, between_peaks, peaks]| {
            grow(peaks, rows.len());
            let rows = RowsMut {
                values,
                peaks: &mut peaks[..rows.len()],
                top: rows.start,
                is_shared: false,
            };
            run.band(rows, [first, between, between_peaks]);
        });
    }
}

impl<'a> Run<'a> {
    fn of(chain: Chain<'a>, source: Source<'a>) -> Self {
        let Chain([(first, first_then), (second, second_then)]) = chain;
        let size = match source {
            Source::Maps(Maps { height, width, .. }) | Source::Made(Made { height, width, .. }) => {
                [height, width]
            }
        };
        if let Source::Maps(maps) = source {
            first.check_input(maps);
        }
        let between = first.walk.size(size);
        let output = second.walk.size(between);
        first.check_then(first_then, between);
        assert!(first_then.add.is_none(), "nothing is added between");
        assert_eq!(second.n_in, first.n_out, "channels between");
        second.check_then(second_then, output);
        Self {
            chain,
            source,
            sizes: [size, between, output],
            biases: chain.0.map(|(conv, then)| conv.bias(then)),
        }
    }

    /// Makes all of the output, band by band.
    fn all(&self, output: MapsMut<'_>) {
        let [_, between, size] = self.sizes;
        let Chain([(first, _), (second, _)]) = self.chain;
        second.check_output(size, &output);
        if output.values.is_empty() {
            return;
        }
        let [height, width] = size;
        // Rows of the output for which there are so many numbers between.
        let n_rows = (N_BETWEEN / (between[1] * first.n_out)).max(1) * height / between[0];
        let n_rows = n_rows.min(share(height)).next_multiple_of(STEP);
        let bands = output.values.par_chunks_mut(n_rows * width * second.n_out);
        let bands = bands.zip(output.peaks.par_chunks_mut(n_rows)).enumerate();
        bands.for_each(|(band, (values, peaks))| {
            BANDS.with_borrow_mut(|[first, between, between_peaks, _]| {
                let rows = RowsMut {
                    values,
                    peaks,
                    top: band * n_rows,
                    is_shared: false,
                };
                self.band(rows, [first, between, between_peaks]);
            });
        });
    }

    /// Makes some rows of the output, with memory for what they see of the input, of what is between, and of its peaks.
    fn band(&self, output: RowsMut<'_>, [filled, made, made_peaks]: [&mut AVec<f32>; 3]) {
        let [size, between, _] = self.sizes;
        let Chain([(first, first_then), (second, second_then)]) = self.chain;
        let [n_input, n_between] = [size[1] * first.n_in, between[1] * first.n_out];
        let rows = output.top..output.top + output.peaks.len();
        let mut seen = second.walk.sees(rows, between[0]);
        let n_each = first.walk.n_each();
        seen = seen.start / n_each * n_each..seen.end.next_multiple_of(n_each);
        let input = match self.source {
            Source::Maps(maps) => Rows::all(maps),
            Source::Made(source) => {
                let rows = first.walk.sees(seen.clone(), size[0]);
                grow(filled, rows.len() * n_input);
                let filled = &mut filled[..rows.len() * n_input];
                (source.fill)(rows.clone(), filled);
                Rows {
                    values: filled,
                    peaks: None,
                    top: rows.start,
                    len: n_input,
                    width: size[1],
                }
            }
        };
        grow(made, seen.len() * n_between);
        grow(made_peaks, seen.len());
        let made = &mut made[..seen.len() * n_between];
        let made_peaks = &mut made_peaks[..seen.len()];
        let rows = RowsMut {
            values: made,
            peaks: made_peaks,
            top: seen.start,
            is_shared: false,
        };
        let finish = first.finish(first_then, &self.biases[0]);
        first.way.run(first, input, finish, rows);
        let rows = Rows {
            values: made,
            peaks: first.is_fixed.then_some(made_peaks),
            top: seen.start,
            len: n_between,
            width: between[1],
        };
        let finish = second.finish(second_then, &self.biases[1]);
        second.way.run(second, rows, finish, output);
    }
}
