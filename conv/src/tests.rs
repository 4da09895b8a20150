use super::*;

fn noise(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        })
        .collect()
}

/// The convolution by its definition, and what follows it.
fn defined(
    weights: &[f32],
    [n_in, n_out]: [usize; 2],
    walk: Walk,
    input: Maps<'_>,
    then: Then<'_>,
) -> Vec<f32> {
    let halving = u32::from(walk.doubled);
    let [height, width] = walk.size([input.height, input.width]);
    let mut output = Vec::new();
    for place in 0..height * width {
        for out in 0..n_out {
            let mut sum = then.bias.map_or(0.0, |bias| bias[out]);
            for tap in 0..TAPS {
                let at = |place: usize, tap: usize| {
                    (place * walk.stride + tap * walk.dilation).wrapping_sub(walk.dilation)
                };
                let (y, x) = (at(place / width, tap / SIDE), at(place % width, tap % SIDE));
                if y < input.height << halving && x < input.width << halving {
                    let pixel = ((y >> halving) * input.width + (x >> halving)) * n_in;
                    for from in 0..n_in {
                        sum +=
                            input.values[pixel + from] * weights[(out * n_in + from) * TAPS + tap];
                    }
                }
            }
            sum += then.add.map_or(0.0, |add| add[output.len()]);
            output.push(if then.relu { sum.max(0.0) } else { sum });
        }
    }
    output
}

/// Maps of no known peaks.
fn maps(values: &[f32], [height, width]: [usize; 2]) -> Maps<'_> {
    Maps {
        values,
        height,
        width,
        peaks: None,
    }
}

/// What comes of maps, and its peaks.
fn run(conv: &Conv, input: Maps<'_>, then: Then<'_>) -> [Vec<f32>; 2] {
    let [height, width] = conv.walk.size([input.height, input.width]);
    filled(height, height * width * conv.n_out, |output| {
        conv.run(input, then, output);
    })
}

/// Maps of so many rows and numbers as they are written, and their peaks.
fn filled(n_rows: usize, n: usize, write: impl FnOnce(MapsMut<'_>)) -> [Vec<f32>; 2] {
    let (mut values, mut peaks) = (vec![f32::NAN; n], vec![f32::NAN; n_rows]);
    write(MapsMut {
        values: &mut values,
        peaks: &mut peaks,
    });
    [values, peaks]
}

/// The part that numbers are off by (root mean square of both).
fn off(found: &[f32], wanted: &[f32]) -> f32 {
    let squares =
        |values: &mut dyn Iterator<Item = f32>| values.map(|value| value.powi(2)).sum::<f32>();
    let errors = squares(
        &mut found
            .iter()
            .zip(wanted)
            .map(|(found, wanted)| found - wanted),
    );
    (errors / squares(&mut wanted.iter().copied())).sqrt()
}

/// What fixed point is off by at most, as part of what there is (root mean square of both).
const FIXED: f32 = 0.004;

#[test]
fn convolutions_are_what_they_are_by_definition() {
    let dense = Walk::DENSE;
    let walks = [
        dense,
        Walk {
            dilation: 2,
            ..dense
        },
        Walk {
            dilation: 3,
            ..dense
        },
        Walk { stride: 2, ..dense },
        Walk {
            doubled: true,
            ..dense
        },
    ];
    let sizes = [[1, 1], [4, 4], [5, 9], [9, 14], [23, 50], [64, 3]];
    let channels = [
        [16, 64],
        [32, 12],
        [16, 8],
        [48, 32],
        [64, 16],
        [12, 32],
        [12, 8],
        [8, 12],
        [6, 4],
        [3, 5],
    ];
    let mut n_run = 0;
    for walk in walks {
        for channels in channels {
            let [n_in, n_out] = channels;
            let weights = noise(n_in * n_out * TAPS, 1);
            let conv = Conv::new(&weights, n_in, n_out, walk).unwrap();
            let fixed = Conv::fixed(&weights, n_in, n_out, walk);
            // As far as the processor knows it.
            let is_known = n_in % 2 == 0 && knows_fixed();
            assert_eq!(fixed.is_some(), is_known, "{channels:?}");
            for [height, width] in sizes {
                let values = noise(height * width * n_in, 2);
                let input = maps(&values, [height, width]);
                let [out_height, out_width] = walk.size([height, width]);
                let n = out_height * out_width * n_out;
                let (bias, add) = (noise(n_out, 3), noise(n, 4));
                for then in [
                    Then::default(),
                    Then {
                        bias: Some(&bias),
                        add: None,
                        relu: true,
                    },
                    Then {
                        bias: Some(&bias),
                        add: Some(&add),
                        relu: false,
                    },
                ] {
                    let wanted = defined(&weights, channels, walk, input, then);
                    let case = format!("{walk:?} {channels:?} {height}x{width}");
                    for (found, wanted) in run(&conv, input, then)[0].iter().zip(&wanted) {
                        let error = (found - wanted).abs();
                        assert!(error < 2e-4, "{case}: {found} for {wanted}");
                    }
                    if let Some(fixed) = &fixed {
                        let [found, peaks] = run(fixed, input, then);
                        let share = off(&found, &wanted);
                        assert!(share < FIXED, "{case}: {share}");
                        let largest = |row: &[f32]| row.iter().fold(0.0, |a, b| b.abs().max(a));
                        let rows = found.chunks_exact(found.len() / out_height);
                        for (row, peak) in rows.zip(peaks) {
                            let sizes = largest(row)..=largest(&found);
                            assert!(sizes.contains(&peak), "{case}: {peak} in {sizes:?}");
                        }
                    }
                    n_run += 1;
                }
            }
        }
    }
    assert_eq!(n_run, walks.len() * channels.len() * sizes.len() * 3);
}

/// In bands, of which the last is smaller, as one after the other.
#[test]
fn two_convolutions_at_once_are_what_they_are_by_themselves() {
    let dense = Walk::DENSE;
    let far = Walk {
        dilation: 2,
        ..dense
    };
    let halving = Walk { stride: 2, ..dense };
    let doubled = Walk {
        doubled: true,
        ..dense
    };
    let cases = [
        ([12, 8, 16], [dense, halving], [131, 701]),
        ([12, 16, 32], [dense, halving], [70, 700]),
        ([16, 8, 12], [doubled, dense], [67, 350]),
        ([32, 16, 12], [doubled, dense], [35, 300]),
        ([16, 16, 16], [dense, far], [157, 500]),
        ([16, 16, 8], [far, doubled], [101, 300]),
        ([6, 4, 5], [halving, dense], [3, 5]),
    ];
    for ([n_in, n_between, n_out], walks, size) in cases {
        let weights = [
            noise(n_between * n_in * TAPS, 1),
            noise(n_out * n_between * TAPS, 2),
        ];
        let channels = [(n_in, n_between), (n_between, n_out)];
        let values = noise(size[0] * size[1] * n_in, 3);
        let biases = [noise(n_between, 4), noise(n_out, 5)];
        let [height, width] = walks[1].size(walks[0].size(size));
        let add = noise(height * width * n_out, 6);
        let thens = [
            Then {
                bias: Some(&biases[0]),
                add: None,
                relu: true,
            },
            Then {
                bias: Some(&biases[1]),
                add: Some(&add),
                relu: false,
            },
        ];
        type Make = fn(&[f32], usize, usize, Walk) -> Option<Conv>;
        for (make, bound) in [(Conv::new as Make, 1e-5), (Conv::fixed as Make, FIXED)] {
            let conv = |idx: usize| {
                let (n_in, n_out) = channels[idx];
                make(&weights[idx], n_in, n_out, walks[idx])
            };
            // As far as the processor knows it.
            let (Some(first), Some(second)) = (conv(0), conv(1)) else {
                continue;
            };
            let input = maps(&values, size);
            let [between, _] = run(&first, input, thens[0]);
            let between = maps(&between, walks[0].size(size));
            let [wanted, _] = run(&second, between, thens[1]);
            let chain = Chain([(&first, thens[0]), (&second, thens[1])]);
            let [found, peaks] = filled(height, wanted.len(), |output| {
                chain.run(input, output);
            });
            let fill = |rows: Range<usize>, out: &mut [f32]| {
                let n = size[1] * n_in;
                out.copy_from_slice(&values[rows.start * n..rows.end * n]);
            };
            let [of_made, _] = filled(height, wanted.len(), |output| {
                let input = Made {
                    height: size[0],
                    width: size[1],
                    fill: &fill,
                };
                chain.run_on_made(input, output);
            });
            let n_row = width * n_out;
            let even = |y: usize| y / 2 * 2;
            let some = even(height / 3)..even(height - height / 4).max(2);
            let mut some_rows = vec![f32::NAN; some.len() * n_row];
            chain.run_rows(input, some.clone(), &mut some_rows);
            let wanted_rows = &wanted[some.start * n_row..some.end * n_row];
            for (found, wanted) in [
                (&found, &wanted[..]),
                (&of_made, &wanted),
                (&some_rows, wanted_rows),
            ] {
                let share = off(found, wanted);
                assert!(share < bound, "{walks:?} {size:?}: {share}");
            }
            if first.is_fixed {
                assert!(
                    peaks.iter().all(|peak| peak.is_finite()),
                    "{walks:?}: {peaks:?}"
                );
            }
        }
    }
}

#[test]
fn walks_without_code_are_told() {
    let weights = noise(16 * 16 * TAPS, 1);
    for (stride, dilation, doubled) in [(2, 2, false), (2, 1, true), (1, 2, true)] {
        let walk = Walk {
            stride,
            dilation,
            doubled,
        };
        assert!(Conv::new(&weights, 16, 16, walk).is_none(), "{walk:?}");
    }
}

/// Sums of products that all have the same sign, and maps of nothing but zeros.
#[test]
fn fixed_point_holds_the_largest_sums() {
    if !knows_fixed() {
        return;
    }
    let (n_in, n_out, height, width) = (64, 64, 9, 13);
    let walks = [
        Walk::DENSE,
        Walk {
            stride: 2,
            ..Walk::DENSE
        },
    ];
    for walk in walks {
        for (size, sign) in [(1e-6, 1.0), (3e4, 1.0), (1.0, -1.0), (0.0, 1.0)] {
            let weights = vec![sign * 0.7; n_in * n_out * TAPS];
            let values = vec![size; height * width * n_in];
            let [_, out_width] = walk.size([height, width]);
            let conv = Conv::fixed(&weights, n_in, n_out, walk).unwrap();
            let [output, _] = run(&conv, maps(&values, [height, width]), Then::default());
            // Where all of the kernel lies within.
            let middle = output[(out_width + 1) * n_out];
            let wanted = sign * 0.7 * size * (n_in * TAPS) as f32;
            // 576 equal weights round to 113 of 112.8.
            let error = (middle - wanted).abs();
            assert!(
                error <= 2e-3 * wanted.abs(),
                "{walk:?}: {middle} for {wanted}"
            );
        }
    }
}
