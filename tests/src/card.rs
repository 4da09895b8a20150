//! Test cards: pictures made by code, the same on every machine.

/// Red, green and blue, `0.0..=1.0`, of a picture without edges; `x` and `y` run over it from 0 to 1.
///
/// It survives scaling, and its chroma survives being halved.
pub fn smooth(x: f64, y: f64) -> [f64; 3] {
    [
        0.5 + 0.3 * (x * 3.0 + y).cos(),
        0.45 + 0.3 * (y * 4.0 - x).sin(),
        0.2 + 0.4 * x * y + 0.2 * x,
    ]
}

/// Red, green and blue, `0.0..=1.0`, of a picture with edges, stripes and grain at pixel `x`, `y`.
pub fn busy(x: usize, y: usize) -> [f64; 3] {
    let stripes = if (x / 5 + y / 3).is_multiple_of(2) {
        0.25
    } else {
        0.0
    };
    let disc = if x.abs_diff(40).pow(2) + y.abs_diff(30).pow(2) < 400 {
        0.5
    } else {
        0.1
    };
    let grain = f64::from(noise(x, y)) / 255.0 * 0.2;
    [
        0.1 + disc + grain,
        0.15 + stripes + 0.5 * disc,
        0.75 - disc * 0.9 + stripes + grain,
    ]
    .map(|value| value.clamp(0.0, 1.0))
}

/// A byte that looks random and is the same on every machine.
pub fn noise(x: usize, y: usize) -> u8 {
    let mixed = (x as u32)
        .wrapping_mul(0x9E37_79B1)
        .wrapping_add((y as u32).wrapping_mul(0x85EB_CA77));
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x2C1B_3C6D);
    (mixed ^ (mixed >> 13)) as u8
}
