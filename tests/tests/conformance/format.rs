//! Every pixel format, size, stride and colour space that video comes in.

use engines::{FrameFormat, Matrix, PixelFormat, Range, Sidecar, ValueRange};
use tests::card::busy;
use tests::network::{NCHW, Network};
use tests::painting::paint;
use tests::picture::Picture;
use tests::reference;

use crate::{Backend, format};

const SIZES: [(usize, usize); 5] = [(16, 16), (17, 33), (64, 64), (321, 199), (120, 200)];

const YUV: [PixelFormat; 3] = [PixelFormat::Nv12, PixelFormat::I420, PixelFormat::P010];

/// A network that swaps red with blue and darkens green: each channel ends elsewhere.
fn network() -> (Network, Sidecar) {
    let network = Network::new(&NCHW).mix([[0.0, 0.0, 1.0], [0.0, 0.75, 0.0], [1.0, 0.0, 0.0]]);
    (
        network,
        Sidecar {
            range: Some(ValueRange::Unit),
            align: Some(1),
            ..Sidecar::default()
        },
    )
}

fn swapped([red, green, blue]: [f64; 3]) -> [f64; 3] {
    [blue, 0.75 * green, red]
}

fn assert_painted(backend: &Backend, source: &Picture) {
    let (network, sidecar) = network();
    let mut wanted = source.clone();
    // Cut at the network's output, not before: what lies beyond black and white at the input is the network's affair.
    reference::write(&reference::read(source).map(swapped), &mut wanted);
    let mut engine = backend.engine(network, &sidecar, &source.format);
    backend.assert_same(&paint(&mut *engine, source), &wanted, "swapped");
}

pub fn every_format_of_every_size_is_painted(backend: &Backend) {
    for pixels in PixelFormat::ALL {
        for (width, height) in SIZES {
            let padding_bytes = width % 7 * 2;
            assert_painted(
                backend,
                &Picture::of(format(pixels, width, height), padding_bytes, busy),
            );
        }
    }
}

pub fn every_colour_space_is_painted(backend: &Backend) {
    for pixels in YUV {
        for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020] {
            for range in [Range::Limited, Range::Full] {
                let format = FrameFormat::new(pixels, 79, 51, matrix, range)
                    .expect("a size within the limits");
                assert_painted(backend, &Picture::of(format, 3, busy));
            }
        }
    }
}

pub fn colours_beyond_the_screen_are_cut(backend: &Backend) {
    for pixels in PixelFormat::ALL {
        assert_painted(backend, &Picture::of_noise(format(pixels, 45, 31), 8));
    }
}
