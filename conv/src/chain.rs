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
    /// What comes first, what is between, and its peaks.
    static BANDS: RefCell<[AVec<f32>; 3]> = RefCell::new([0; 3].map(AVec::new));
}

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

/// Convolves twice. The rows at the border of a band are made for both bands that see them.
///
/// # Panics
/// If a slice has another length than [`Conv::run`] would want, `second` wants other channels than `first` gives, or
/// something is added between.
pub fn run_both(convs: [(&Conv, Then<'_>); 2], input: Maps<'_>, output: MapsMut<'_>) {
    convs[0].0.check_input(input);
    run(
        [input.height, input.width],
        convs,
        Source::Maps(input),
        output,
    );
}

/// The same of maps that are made band by band.
///
/// # Panics
/// As [`run_both`].
pub fn run_both_of_made(convs: [(&Conv, Then<'_>); 2], input: Made<'_>, output: MapsMut<'_>) {
    run(
        [input.height, input.width],
        convs,
        Source::Made(input),
        output,
    );
}

fn run(
    size: [usize; 2],
    [(first, first_then), (second, second_then)]: [(&Conv, Then<'_>); 2],
    source: Source<'_>,
    output: MapsMut<'_>,
) {
    let between = first.walk.size(size);
    let [height, width] = second.walk.size(between);
    assert!(first_then.bias.is_none_or(|bias| bias.len() == first.n_out));
    assert!(first_then.add.is_none(), "nothing is added between");
    assert_eq!(second.n_in, first.n_out, "channels between");
    second.check_output(second_then, [height, width], &output);
    if output.values.is_empty() {
        return;
    }
    let biases = [first.bias(first_then), second.bias(second_then)];
    let [n_input, n_between] = [size[1] * first.n_in, between[1] * first.n_out];
    // Rows of the output for which there are so many numbers between.
    let n_rows = (N_BETWEEN / n_between).max(1) * height / between[0];
    let n_rows = n_rows.min(share(height)).next_multiple_of(STEP);
    let bands = output.values.par_chunks_mut(n_rows * width * second.n_out);
    let bands = bands.zip(output.peaks.par_chunks_mut(n_rows)).enumerate();
    bands.for_each(|(band, (values, peaks))| {
        let top = band * n_rows;
        let mut seen = second.walk.sees(top..top + peaks.len(), between[0]);
        // Rows that come in pairs.
        let n_each = 1 + usize::from(first.walk.doubled);
        seen = seen.start / n_each * n_each..seen.end.next_multiple_of(n_each);
        BANDS.with_borrow_mut(|[filled, made, made_peaks]| {
            let input = match source {
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
            let finish = first.finish(first_then, &biases[0]);
            first.way.run(first, input, finish, rows);
            let rows = Rows {
                values: made,
                peaks: first.is_fixed.then_some(made_peaks),
                top: seen.start,
                len: n_between,
                width: between[1],
            };
            let output = RowsMut {
                values,
                peaks,
                top,
                is_shared: false,
            };
            let finish = second.finish(second_then, &biases[1]);
            second.way.run(second, rows, finish, output);
        });
    });
}
