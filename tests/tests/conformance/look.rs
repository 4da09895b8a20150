//! `strength` and `keep-colors`.

use engines::{Look, PixelFormat, Sidecar, ValueRange};
use tests::card::busy;
use tests::network::{NCHW, Network};
use tests::painting::{FRAME_BY_FRAME, paint};
use tests::picture::Picture;
use tests::reference::{self, luma_of};

use crate::{Backend, format, paint_with};

/// A network that paints the negative.
fn negative() -> (Network, Sidecar) {
    let network = Network::new(&NCHW).affine([-1.0; 3], [1.0; 3], 2);
    (
        network,
        Sidecar {
            range: Some(ValueRange::Unit),
            align: Some(1),
            ..Sidecar::default()
        },
    )
}

fn negated(photo: &Picture) -> Picture {
    let mut painted = photo.clone();
    reference::write(
        &reference::read(photo).map(|pixel| pixel.map(|value| 1.0 - value)),
        &mut painted,
    );
    painted
}

/// Every sample of `photo` moved towards `painted`.
fn faded(photo: &Picture, painted: &Picture, strength: f64) -> Picture {
    let mut faded = painted.clone();
    for idx in 0..photo.samples().len() {
        let (plane_idx, x, y) = photo.place(idx);
        let (from, to) = (
            photo.sample(plane_idx, x, y),
            painted.sample(plane_idx, x, y),
        );
        let code = f64::from(from) + strength * (f64::from(to) - f64::from(from));
        faded.put(plane_idx, x, y, code.round() as u16);
    }
    faded
}

pub fn strength_fades_in_codes(backend: &Backend) {
    let (network, sidecar) = negative();
    for pixels in PixelFormat::ALL {
        let photo = Picture::of(format(pixels, 37, 21), 0, busy);
        let painted = negated(&photo);
        let mut engine = backend.engine(network.clone(), &sidecar, &photo.format);
        for strength in [0.25, 0.5, 1.0] {
            let look = Look {
                strength,
                keep_colors: false,
                ..FRAME_BY_FRAME
            };
            let wanted = faded(&photo, &painted, f64::from(strength));
            let found = paint_with(&mut *engine, look, &photo);
            backend.assert_same(&found, &wanted, &format!("strength {strength}"));
        }
    }
}

pub fn strength_zero_is_the_photo(backend: &Backend) {
    let (network, sidecar) = negative();
    for pixels in PixelFormat::ALL {
        let photo = Picture::of(format(pixels, 37, 21), 0, busy);
        let mut engine = backend.engine(network.clone(), &sidecar, &photo.format);
        for keep_colors in [false, true] {
            let found = paint_with(
                &mut *engine,
                Look {
                    strength: 0.0,
                    keep_colors,
                    ..FRAME_BY_FRAME
                },
                &photo,
            );
            assert_eq!(
                found.samples(),
                photo.samples(),
                "{pixels:?}, keep_colors {keep_colors}"
            );
        }
    }
}

pub fn keep_colors_paints_luma_only(backend: &Backend) {
    let (network, sidecar) = negative();
    for pixels in PixelFormat::ALL {
        let photo = Picture::of(format(pixels, 37, 21), 0, busy);
        let mut engine = backend.engine(network.clone(), &sidecar, &photo.format);
        let found = paint_with(
            &mut *engine,
            Look {
                strength: 1.0,
                keep_colors: true,
                ..FRAME_BY_FRAME
            },
            &photo,
        );
        backend.assert_same(&found, &recoloured(&photo), "keep_colors");
        for idx in 0..photo.samples().len() {
            let (plane_idx, x, y) = photo.place(idx);
            if plane_idx > 0 {
                let chroma = (found.sample(plane_idx, x, y), photo.sample(plane_idx, x, y));
                assert_eq!(chroma.0, chroma.1, "{pixels:?}: chroma at {x}, {y}");
            }
        }
    }
}

/// The negative's luma with the photo's chroma.
fn recoloured(photo: &Picture) -> Picture {
    let painted = negated(photo);
    let mut wanted = photo.clone();
    if photo.planes.len() > 1 {
        wanted.planes[0] = painted.planes[0].clone();
        return wanted;
    }
    let matrix = photo.format.matrix;
    let colours = reference::read(photo).map(|pixel| {
        let step = luma_of(matrix, pixel.map(|value| 1.0 - value)) - luma_of(matrix, pixel);
        pixel.map(|value| value + step)
    });
    reference::write(&colours, &mut wanted);
    wanted
}

pub fn a_look_counts_from_the_next_received_frame(backend: &Backend) {
    let (network, sidecar) = negative();
    let photo = Picture::of(format(PixelFormat::Bgrx, 64, 48), 0, busy);
    let mut engine = backend.engine(network, &sidecar, &photo.format);
    let mut target = Picture::blank(photo.format, 0);
    engine.submit(&photo.frame()).expect("a free slot");
    engine.set(Look {
        strength: 0.0,
        keep_colors: false,
        ..FRAME_BY_FRAME
    });
    assert!(
        engine
            .receive(&photo.frame(), &mut target.frame_mut())
            .expect("an engine that works")
    );
    assert_eq!(target.samples(), photo.samples());
    engine.set(FRAME_BY_FRAME);
    backend.assert_same(
        &paint(&mut *engine, &photo),
        &negated(&photo),
        "painted again",
    );
}
