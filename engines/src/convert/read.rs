//! Frame to picture: the CPU definition of `upload`.

use std::cell::RefCell;

use rayon::prelude::*;

use super::picture::{Band, Canvas};
use super::samples::{Chroma420, I420, Nv12, P010, unpack};
use super::{Arrangement, BAND_ROWS, PictureMut, TILE_PX};
use crate::colour::Affine;
use crate::frame::{Frame, PixelFormat};
use crate::geometry::{Window, fold};
use crate::simd::vectorise;

/// Chroma samples of a tile and its right neighbour.
const CHROMA_TILE: usize = TILE_PX / 2 + 1;

type Tile = [[f32; TILE_PX]; 3];

thread_local! {
    /// Three rows of a picture with its border.
    static ROWS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Something that gives the rows of a window, channel by channel.
pub(crate) trait Rows: Sync {
    /// Writes row `y`.
    fn fill(&self, y: usize, out: [&mut [f32]; 3]);
}

/// A frame as the network is shown it. Chroma is interpolated linearly between its samples.
pub(crate) struct Shown<'a> {
    pub frame: &'a Frame<'a>,
    pub map: &'a Affine,
}

impl Rows for Shown<'_> {
    #[inline(always)]
    fn fill(&self, y: usize, out: [&mut [f32]; 3]) {
        match self.frame.format().pixels {
            PixelFormat::Nv12 => self.fill_with::<Nv12>(y, out),
            PixelFormat::I420 => self.fill_with::<I420>(y, out),
            PixelFormat::P010 => self.fill_with::<P010>(y, out),
            PixelFormat::Rgba | PixelFormat::Rgbx => self.fill_with::<Packed<4, 0>>(y, out),
            PixelFormat::Bgra | PixelFormat::Bgrx => self.fill_with::<Packed<4, 2>>(y, out),
            PixelFormat::Rgb => self.fill_with::<Packed<3, 0>>(y, out),
            PixelFormat::Bgr => self.fill_with::<Packed<3, 2>>(y, out),
        }
    }
}

impl Shown<'_> {
    #[inline(always)]
    fn fill_with<T: Tiles>(&self, y: usize, [first, second, third]: [&mut [f32]; 3]) {
        let mut codes = [[0.0; TILE_PX]; 3];
        let tiles = first
            .chunks_mut(TILE_PX)
            .zip(second.chunks_mut(TILE_PX))
            .zip(third.chunks_mut(TILE_PX));
        for (tile_idx, ((first, second), third)) in tiles.enumerate() {
            T::load(self.frame, y, tile_idx * TILE_PX, first.len(), &mut codes);
            let [a, b, c] = &codes;
            let values = a.iter().zip(b).zip(c);
            let out = first.iter_mut().zip(second).zip(third);
            for (((first, second), third), ((&a, &b), &c)) in out.zip(values) {
                [*first, *second, *third] = self.map.apply([a, b, c]);
            }
        }
    }
}

/// Fills a picture: its window with `rows`, everything round it by folding reflection. The picture is
/// mirrored at its border pixels, again and again, so that a border may be wider than the picture.
pub(crate) fn read(rows: &impl Rows, picture: &mut PictureMut<'_>) {
    let canvas = picture.canvas;
    let len = 3 * canvas.width * canvas.height;
    let data = &mut picture.data[..len];
    match canvas.arrangement {
        Arrangement::Planes => {
            let (first, rest) = data.split_at_mut(len / 3);
            let (second, third) = rest.split_at_mut(len / 3);
            let [first, second, third] =
                [first, second, third].map(|plane| plane.par_chunks_mut(canvas.width * BAND_ROWS));
            let bands = first.zip(second).zip(third).enumerate();
            bands.for_each(|(idx, ((first, second), third))| {
                let n_rows = first.len() / canvas.width;
                let band = Band::Planes([first, second, third]);
                canvas.fill_band(rows, idx * BAND_ROWS, n_rows, band);
            });
        }
        Arrangement::Blocks(n) | Arrangement::ChannelBlocks(n) => {
            let n_rows = BAND_ROWS / n;
            let bands = data.par_chunks_mut(n_rows * canvas.block_row()).enumerate();
            bands.for_each(|(idx, blocks)| canvas.fill(rows, idx * n_rows, blocks));
        }
    }
}

impl Canvas {
    /// Writes the rows of blocks from `first` on for which there is room in `blocks`: the same as [`read()`] does.
    pub(crate) fn fill(&self, rows: &impl Rows, first: usize, blocks: &mut [f32]) {
        let n = self.arrangement.block();
        let n_rows = blocks.len() / self.block_row() * n;
        let band = Band::Blocks(blocks, self.arrangement);
        self.fill_band(rows, first * n, n_rows, band);
    }

    fn fill_band(&self, rows: &impl Rows, first: usize, n_rows: usize, mut band: Band<'_>) {
        let &Self { width, window, .. } = self;
        ROWS.with_borrow_mut(|scratch| {
            scratch.resize(3 * width, 0.0);
            let scratch = &mut scratch[..];
            vectorise!(for y in 0..n_rows {
                fill_row(rows, first + y, window, width, scratch);
                let (first, rest) = scratch.split_at(width);
                let (second, third) = rest.split_at(width);
                band.store(y, [first, second, third]);
            });
        });
    }
}

/// Row `y` of the picture with its border, as three rows of `width` one after the other.
#[inline(always)]
fn fill_row(rows: &impl Rows, y: usize, window: Window, width: usize, out: &mut [f32]) {
    let y = fold(y as isize - window.top as isize, window.height);
    let (first, rest) = out.split_at_mut(width);
    let (second, third) = rest.split_at_mut(width);
    let (start, end) = (window.left, window.left + window.width);
    rows.fill(
        y,
        [
            &mut first[start..end],
            &mut second[start..end],
            &mut third[start..end],
        ],
    );
    for row in [first, second, third] {
        for x in (0..start).chain(end..width) {
            row[x] = row[start + fold(x as isize - start as isize, window.width)];
        }
    }
}

/// A way to store pixels, read tile by tile.
trait Tiles {
    /// Codes of `n_px` pixels of row `y` from pixel `x` on, chroma brought to every pixel.
    fn load(frame: &Frame<'_>, y: usize, x: usize, n_px: usize, codes: &mut Tile);
}

impl<F: Chroma420> Tiles for F {
    #[inline(always)]
    fn load(frame: &Frame<'_>, y: usize, x: usize, n_px: usize, codes: &mut Tile) {
        let format = frame.format();
        let (chroma_width, chroma_height) = (format.width.div_ceil(2), format.height.div_ceil(2));
        let n_chroma = n_px.div_ceil(2);
        let near = y / 2;
        let far = if y.is_multiple_of(2) {
            near.saturating_sub(1)
        } else {
            (near + 1).min(chroma_height - 1)
        };

        let [luma, u_out, v_out] = codes;
        F::luma(frame, y, x, &mut luma[..n_px]);
        let mut near_uv = [[0.0; CHROMA_TILE]; 2];
        let mut far_uv = [[0.0; CHROMA_TILE]; 2];
        let n_read = (n_chroma + 1).min(chroma_width - x / 2);
        for (row, [u, v]) in [(near, &mut near_uv), (far, &mut far_uv)] {
            F::chroma(frame, row, x / 2, &mut u[..n_read], &mut v[..n_read]);
        }
        for ((near, far), out) in near_uv.iter_mut().zip(&far_uv).zip([u_out, v_out]) {
            for (near, far) in near.iter_mut().zip(far) {
                *near = 0.75 * *near + 0.25 * *far;
            }
            if n_read == n_chroma {
                near[n_chroma] = near[n_chroma - 1];
            }
            for (pair, neighbours) in out.chunks_exact_mut(2).zip(near.windows(2)) {
                pair[0] = neighbours[0];
                pair[1] = 0.5 * (neighbours[0] + neighbours[1]);
            }
        }
    }
}

/// Pixels of `BYTES` bytes: red is byte `RED`, green is byte 1, blue is byte `2 - RED`.
struct Packed<const BYTES: usize, const RED: usize>;

impl<const BYTES: usize, const RED: usize> Tiles for Packed<BYTES, RED> {
    #[inline(always)]
    fn load(frame: &Frame<'_>, y: usize, x: usize, n_px: usize, codes: &mut Tile) {
        let pixels = &frame.row(0, y)[x * BYTES..(x + n_px) * BYTES];
        unpack::<BYTES, RED>(pixels, codes.each_mut());
    }
}
