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
                let input = Maps {
                    values: &values,
                    height,
                    width,
                };
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
                    let run = |conv: &Conv| {
                        let mut output = vec![f32::NAN; n];
                        conv.run(input, then, &mut output);
                        output
                    };
                    for (found, wanted) in run(&conv).iter().zip(&wanted) {
                        let error = (found - wanted).abs();
                        assert!(error < 2e-4, "{case}: {found} for {wanted}");
                    }
                    if let Some(fixed) = &fixed {
                        let pairs = run(fixed).into_iter().zip(&wanted);
                        let energy: f32 = wanted.iter().map(|wanted| wanted.powi(2)).sum();
                        let error: f32 =
                            pairs.map(|(found, wanted)| (found - wanted).powi(2)).sum();
                        let share = (error / energy).sqrt();
                        assert!(share < FIXED, "{case}: {share}");
                    }
                    n_run += 1;
                }
            }
        }
    }
    assert_eq!(n_run, walks.len() * channels.len() * sizes.len() * 3);
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
            let input = Maps {
                values: &values,
                height,
                width,
            };
            let [out_height, out_width] = walk.size([height, width]);
            let mut output = vec![f32::NAN; out_height * out_width * n_out];
            let conv = Conv::fixed(&weights, n_in, n_out, walk).unwrap();
            conv.run(input, Then::default(), &mut output);
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
