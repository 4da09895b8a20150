//! Whatever order, range and layout a network wants: its picture comes out in the right colours.

use engines::{Channels, Layout, PixelFormat, Sidecar, ValueRange};
use tests::card::busy;
use tests::network::{NCHW, NHWC, Network, OPEN};
use tests::painting::paint;
use tests::picture::Picture;
use tests::reference;

use crate::{Backend, format};

type Colour = [f64; 3];

struct Case {
    name: &'static str,
    network: Network,
    sidecar: Sidecar,
    /// What the network does to red, green and blue where black is 0 and white 1.
    paint: fn(Colour) -> Colour,
}

/// Each channel changes in its own way, so that none can be taken for another.
const GAIN: [f32; 3] = [-1.0, 0.5, 0.75];
const OFFSET: [f32; 3] = [1.0, 0.0, 0.25];

fn unlike([red, green, blue]: Colour) -> Colour {
    [1.0 - red, 0.5 * green, 0.75 * blue + 0.25]
}

fn same(colour: Colour) -> Colour {
    colour
}

const UNIT: (f32, f32) = (0.0, 1.0);
const BYTE: (f32, f32) = (0.0, 255.0);
const SIGNED: (f32, f32) = (-1.0, 1.0);

/// Appends what paints [`unlike`] for values of black and white at input and output.
fn painter(
    network: Network,
    channels: Channels,
    (in_low, in_high): (f32, f32),
    (out_low, out_high): (f32, f32),
) -> Network {
    let step = (out_high - out_low) / (in_high - in_low);
    let mut gain = GAIN.map(|gain| gain * step);
    let mut offset: [f32; 3] =
        std::array::from_fn(|c| out_low + OFFSET[c] * (out_high - out_low) - gain[c] * in_low);
    if channels == Channels::Bgr {
        gain.reverse();
        offset.reverse();
    }
    network.affine(gain, offset, 2)
}

fn told(range: ValueRange) -> Sidecar {
    Sidecar {
        range: Some(range),
        ..Sidecar::default()
    }
}

pub fn every_convention_is_kept(backend: &Backend) {
    for case in cases() {
        for pixels in [PixelFormat::Nv12, PixelFormat::Rgb, PixelFormat::Bgra] {
            let source = Picture::of(format(pixels, 83, 67), 5, busy);
            let mut wanted = source.clone();
            reference::write(&reference::read(&source).map(case.paint), &mut wanted);
            let mut engine = backend.engine(case.network.clone(), &case.sidecar, &source.format);
            backend.assert_same(&paint(&mut *engine, &source), &wanted, case.name);
        }
    }
}

fn cases() -> Vec<Case> {
    use Channels::{Bgr, Rgb};
    let says = |network: Network, text: &str| {
        network
            .metadata("impasto.input", text)
            .metadata("impasto.output", text)
    };
    let mut cases = vec![
        Case {
            name: "one operator that does nothing",
            network: Network::new(&NCHW).op("Identity"),
            sidecar: told(ValueRange::Unit),
            paint: same,
        },
        Case {
            name: "RGB 0..1 by metadata",
            network: says(painter(Network::new(&NCHW), Rgb, UNIT, UNIT), "RGB 0..1"),
            sidecar: Sidecar::default(),
            paint: unlike,
        },
        Case {
            name: "RGB 0..255 by metadata of another maker",
            network: painter(Network::new(&NCHW), Rgb, BYTE, BYTE)
                .metadata("input", "RGB float 0..255 NCHW"),
            sidecar: Sidecar::default(),
            paint: unlike,
        },
        Case {
            name: "BGR 0..255 by metadata",
            network: says(painter(Network::new(&NCHW), Bgr, BYTE, BYTE), "BGR 0..255"),
            sidecar: Sidecar::default(),
            paint: unlike,
        },
        Case {
            name: "BGR 0..255 by sidecar",
            network: painter(Network::new(&NCHW), Bgr, BYTE, BYTE),
            sidecar: Sidecar {
                channels: Some(Bgr),
                ..told(ValueRange::Byte)
            },
            paint: unlike,
        },
        Case {
            name: "-1..1 by metadata",
            network: says(
                painter(Network::new(&NCHW), Rgb, SIGNED, SIGNED),
                "RGB -1..1",
            ),
            sidecar: Sidecar::default(),
            paint: unlike,
        },
        Case {
            name: "0..255 in, -1..1 out, by sidecar",
            network: painter(Network::new(&NCHW), Rgb, BYTE, SIGNED),
            sidecar: Sidecar {
                output_range: Some(ValueRange::Signed),
                ..told(ValueRange::Byte)
            },
            paint: unlike,
        },
        Case {
            name: "a sidecar that corrects metadata",
            network: says(painter(Network::new(&NCHW), Bgr, UNIT, UNIT), "RGB 0..255"),
            sidecar: Sidecar {
                channels: Some(Bgr),
                ..told(ValueRange::Unit)
            },
            paint: unlike,
        },
        Case {
            name: "a range that must be measured",
            network: painter(Network::new(&NCHW), Rgb, BYTE, BYTE),
            sidecar: Sidecar::default(),
            paint: unlike,
        },
    ];
    cases.extend(last_operators());
    cases.extend(axes());
    cases.extend(kinds());
    cases
}

/// Ranges that the last operator tells.
fn last_operators() -> [Case; 3] {
    [
        Case {
            name: "Tanh at the end",
            network: Network::new(&NCHW).op("Tanh").op("Identity"),
            sidecar: Sidecar::default(),
            paint: |colour| colour.map(|value| ((2.0 * value - 1.0).tanh() + 1.0) / 2.0),
        },
        Case {
            name: "Sigmoid at the end",
            network: Network::new(&NCHW).op("Sigmoid"),
            sidecar: Sidecar::default(),
            paint: |colour| colour.map(|value| 1.0 / (1.0 + (-value).exp())),
        },
        Case {
            name: "Clip to 0..1 at the end",
            network: painter(Network::new(&NCHW), Channels::Rgb, UNIT, UNIT).clip(0.0, 1.0),
            sidecar: Sidecar::default(),
            paint: unlike,
        },
    ]
}

/// Orders and sizes of the axes.
fn axes() -> Vec<Case> {
    let open = [OPEN; 4];
    let unit = || told(ValueRange::Unit);
    let last_axis = |network: Network| network.affine(GAIN, OFFSET, 0);
    let case = |name, network, sidecar| Case {
        name,
        network,
        sidecar,
        paint: unlike,
    };
    vec![
        case("NHWC", last_axis(Network::new(&NHWC)), unit()),
        case(
            "NHWC outside, NCHW inside",
            Network::new(&NHWC)
                .transpose([0, 3, 1, 2])
                .affine(GAIN, OFFSET, 2)
                .transpose([0, 2, 3, 1]),
            unit(),
        ),
        case(
            "NHWC by sidecar, all axes open",
            last_axis(Network::new(&open)),
            Sidecar {
                layout: Some(Layout::Nhwc),
                ..unit()
            },
        ),
        case(
            "all axes open",
            Network::new(&open).affine(GAIN, OFFSET, 2),
            unit(),
        ),
        case(
            "one picture at once",
            Network::new(&[1, 3, OPEN, OPEN]).affine(GAIN, OFFSET, 2),
            unit(),
        ),
        case(
            "the frame's size and no other",
            Network::new(&[1, 3, 67, 83]).affine(GAIN, OFFSET, 2),
            unit(),
        ),
        case(
            "the frame's size and no other, NHWC",
            last_axis(Network::new(&[1, 67, 83, 3])),
            unit(),
        ),
    ]
}

/// Element types, further inputs, mixing of channels.
fn kinds() -> [Case; 8] {
    let weights = |values: &[f32]| Sidecar {
        inputs: [("weights".to_owned(), values.to_vec())].into(),
        ..told(ValueRange::Unit)
    };
    [
        Case {
            name: "float16",
            network: painter(Network::half(&NCHW), Channels::Rgb, UNIT, UNIT),
            sidecar: told(ValueRange::Unit),
            paint: unlike,
        },
        Case {
            name: "float16, NHWC",
            network: Network::half(&NHWC).affine(GAIN, OFFSET, 0),
            sidecar: told(ValueRange::Unit),
            paint: unlike,
        },
        Case {
            name: "a second input from the sidecar",
            network: Network::new(&NCHW).second_input("weights", &[3, 1, 1]),
            sidecar: weights(&[1.0, 0.5, 0.25]),
            paint: |[red, green, blue]| [red, 0.5 * green, 0.25 * blue],
        },
        Case {
            name: "a second input before the picture",
            network: Network::new(&NCHW).first_input("weights", &[3, 1, 1]),
            sidecar: weights(&[1.0, 0.5, 0.25]),
            paint: |[red, green, blue]| [red, 0.5 * green, 0.25 * blue],
        },
        Case {
            name: "constants listed as inputs before the picture",
            network: Network::new(&NCHW).affine(GAIN, OFFSET, 2).list_constants(),
            sidecar: told(ValueRange::Unit),
            paint: unlike,
        },
        Case {
            name: "a number given before the painting",
            network: Network::new(&NCHW)
                .affine(GAIN, OFFSET, 2)
                .first_output("mean")
                .op("Identity"),
            sidecar: told(ValueRange::Unit),
            paint: unlike,
        },
        Case {
            name: "values that are no numbers are black",
            network: Network::new(&NCHW)
                .affine([0.0; 3], [-1.0; 3], 2)
                .op("Sqrt"),
            sidecar: told(ValueRange::Unit),
            paint: |_| [0.0; 3],
        },
        Case {
            name: "red from green and blue",
            network: Network::new(&NCHW).mix([[0.0, 0.5, 0.5], [0.0, 0.0, 1.0], [0.8, 0.0, 0.0]]),
            sidecar: told(ValueRange::Unit),
            paint: |[red, green, blue]| [0.5 * green + 0.5 * blue, blue, 0.8 * red],
        },
    ]
}

pub fn instance_normalisation_sees_the_whole_picture(backend: &Backend) {
    let source = Picture::of(format(PixelFormat::Rgb, 96, 64), 0, busy);
    let photo = reference::read(&source);
    let n_px = photo.pixels.len() as f64;
    let mean = |of: &dyn Fn(Colour, usize) -> f64| -> Colour {
        std::array::from_fn(|c| photo.pixels.iter().map(|&pixel| of(pixel, c)).sum::<f64>() / n_px)
    };
    let means = mean(&|pixel, c| pixel[c]);
    let variances = mean(&|pixel, c| (pixel[c] - means[c]).powi(2));
    let painted = photo.map(|pixel| {
        std::array::from_fn(|c| (pixel[c] - means[c]) / (variances[c] + 1e-5).sqrt() * 0.15 + 0.5)
    });
    let mut wanted = source.clone();
    reference::write(&painted, &mut wanted);
    let network = Network::new(&NCHW).normalized(0.15, 0.5);
    let mut engine = backend.engine(network, &told(ValueRange::Unit), &source.format);
    backend.assert_same(
        &paint(&mut *engine, &source),
        &wanted,
        "instance normalisation",
    );
}
