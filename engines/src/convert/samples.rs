//! Samples of a row of bytes as f32 codes: one implementation per way of storing them.

use crate::frame::Frame;

/// How a 4:2:0 format stores luma and chroma.
pub(super) trait Chroma420: Sync {
    /// Luma codes of row `y` from pixel `x` on.
    fn luma(frame: &Frame<'_>, y: usize, x: usize, out: &mut [f32]);
    /// Chroma codes of chroma row `y` from chroma sample `x` on.
    fn chroma(frame: &Frame<'_>, y: usize, x: usize, u: &mut [f32], v: &mut [f32]);
    /// Writes luma codes into a row of the luma plane.
    fn put_luma(row: &mut [u8], x: usize, codes: &[f32]);
    /// Writes chroma codes into a row of plane 1 and, where there is one, of plane 2.
    fn put_chroma(rows: [&mut [u8]; 2], x: usize, u: &[f32], v: &[f32]);
}

pub(super) struct Nv12;
pub(super) struct I420;
pub(super) struct P010;

/// The nearest code to a value, cut to `0..=255`; not-a-number is 0.
///
/// Adding 2^23 leaves the rounded integer in the low bits of the sum, which vectorises where a
/// saturating conversion does not.
#[expect(
    clippy::manual_clamp,
    reason = "clamp keeps not-a-number, max and min do not"
)]
#[inline(always)]
pub(super) fn to_u8(code: f32) -> u8 {
    (code.max(0.0).min(255.0) + 8_388_608.0).to_bits() as u8
}

#[expect(
    clippy::manual_clamp,
    reason = "clamp keeps not-a-number, max and min do not"
)]
#[inline(always)]
fn to_p010(code: f32) -> [u8; 2] {
    let code = (code.max(0.0).min(1023.0) + 8_388_608.0).to_bits() as u16 & 0x3ff;
    (code << 6).to_le_bytes()
}

#[inline(always)]
fn from_p010(word: &[u8]) -> f32 {
    f32::from(u16::from_le_bytes([word[0], word[1]]) >> 6)
}

#[inline(always)]
fn widen(bytes: &[u8], out: &mut [f32]) {
    for (value, &byte) in out.iter_mut().zip(bytes) {
        *value = f32::from(byte);
    }
}

#[inline(always)]
fn narrow(codes: &[f32], bytes: &mut [u8]) {
    for (byte, &code) in bytes.iter_mut().zip(codes) {
        *byte = to_u8(code);
    }
}

impl Chroma420 for Nv12 {
    #[inline(always)]
    fn luma(frame: &Frame<'_>, y: usize, x: usize, out: &mut [f32]) {
        widen(&frame.row(0, y)[x..], out);
    }

    #[inline(always)]
    fn chroma(frame: &Frame<'_>, y: usize, x: usize, u: &mut [f32], v: &mut [f32]) {
        let pairs = frame.row(1, y)[2 * x..].chunks_exact(2);
        for ((u, v), pair) in u.iter_mut().zip(v).zip(pairs) {
            *u = f32::from(pair[0]);
            *v = f32::from(pair[1]);
        }
    }

    #[inline(always)]
    fn put_luma(row: &mut [u8], x: usize, codes: &[f32]) {
        narrow(codes, &mut row[x..]);
    }

    #[inline(always)]
    fn put_chroma([row, _]: [&mut [u8]; 2], x: usize, u: &[f32], v: &[f32]) {
        let pairs = row[2 * x..].chunks_exact_mut(2);
        for ((&u, &v), pair) in u.iter().zip(v).zip(pairs) {
            pair[0] = to_u8(u);
            pair[1] = to_u8(v);
        }
    }
}

impl Chroma420 for I420 {
    #[inline(always)]
    fn luma(frame: &Frame<'_>, y: usize, x: usize, out: &mut [f32]) {
        widen(&frame.row(0, y)[x..], out);
    }

    #[inline(always)]
    fn chroma(frame: &Frame<'_>, y: usize, x: usize, u: &mut [f32], v: &mut [f32]) {
        widen(&frame.row(1, y)[x..], u);
        widen(&frame.row(2, y)[x..], v);
    }

    #[inline(always)]
    fn put_luma(row: &mut [u8], x: usize, codes: &[f32]) {
        narrow(codes, &mut row[x..]);
    }

    #[inline(always)]
    fn put_chroma([u_row, v_row]: [&mut [u8]; 2], x: usize, u: &[f32], v: &[f32]) {
        narrow(u, &mut u_row[x..]);
        narrow(v, &mut v_row[x..]);
    }
}

impl Chroma420 for P010 {
    #[inline(always)]
    fn luma(frame: &Frame<'_>, y: usize, x: usize, out: &mut [f32]) {
        for (value, word) in out.iter_mut().zip(frame.row(0, y)[2 * x..].chunks_exact(2)) {
            *value = from_p010(word);
        }
    }

    #[inline(always)]
    fn chroma(frame: &Frame<'_>, y: usize, x: usize, u: &mut [f32], v: &mut [f32]) {
        let pairs = frame.row(1, y)[4 * x..].chunks_exact(4);
        for ((u, v), pair) in u.iter_mut().zip(v).zip(pairs) {
            *u = from_p010(&pair[..2]);
            *v = from_p010(&pair[2..]);
        }
    }

    #[inline(always)]
    fn put_luma(row: &mut [u8], x: usize, codes: &[f32]) {
        for (&code, word) in codes.iter().zip(row[2 * x..].chunks_exact_mut(2)) {
            word.copy_from_slice(&to_p010(code));
        }
    }

    #[inline(always)]
    fn put_chroma([row, _]: [&mut [u8]; 2], x: usize, u: &[f32], v: &[f32]) {
        let pairs = row[4 * x..].chunks_exact_mut(4);
        for ((&u, &v), pair) in u.iter().zip(v).zip(pairs) {
            pair[..2].copy_from_slice(&to_p010(u));
            pair[2..].copy_from_slice(&to_p010(v));
        }
    }
}

/// Red, green and blue codes of a row of packed pixels, of `BYTES` each, red at byte `RED`.
#[inline(always)]
pub(super) fn unpack<const BYTES: usize, const RED: usize>(
    row: &[u8],
    [red, green, blue]: [&mut [f32; super::TILE_PX]; 3],
) {
    let channels = red.iter_mut().zip(green).zip(blue);
    for (((red, green), blue), pixel) in channels.zip(row.chunks_exact(BYTES)) {
        *red = f32::from(pixel[RED]);
        *green = f32::from(pixel[1]);
        *blue = f32::from(pixel[2 - RED]);
    }
}
