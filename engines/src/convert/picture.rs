//! The network's picture in memory: three channels of f32, arranged as the network wants them.

use super::TILE_PX;
use crate::geometry::Window;

/// How three channels lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrangement {
    /// `[3, height, width]`.
    Planes,
    /// `[height / n, width / n, n * n * 3]`: square blocks of n pixels a side, n 1, 2 or 4; within a block row
    /// by row, within a pixel channel by channel. (Depth in the order of ONNX's `SpaceToDepth`.)
    Blocks(usize),
    /// The same, but within a block channel by channel, within a channel row by row. (Depth in the order `CRD`
    /// of ONNX's `DepthToSpace`.) n is 2 or 4.
    ChannelBlocks(usize),
}

impl Arrangement {
    /// Pixels along a side of a block.
    pub(crate) fn block(self) -> usize {
        match self {
            Self::Planes => 1,
            Self::Blocks(n) | Self::ChannelBlocks(n) => n,
        }
    }

    /// Sizes of the axes of a picture, width before height, with the 1 of a single picture in front.
    pub(crate) fn dims(self, (width, height): (usize, usize)) -> [i64; 4] {
        let (width, height) = (width as i64, height as i64);
        match self {
            Self::Planes => [1, 3, height, width],
            Self::Blocks(n) | Self::ChannelBlocks(n) => {
                let n = n as i64;
                [1, height / n, width / n, 3 * n * n]
            }
        }
    }

    /// Width and height of a picture whose axes have these sizes, if it is one.
    #[cfg(feature = "tensorrt-common")]
    pub(crate) fn size(self, dims: &[i64]) -> Option<(usize, usize)> {
        let &[1, a, b, c] = dims else { return None };
        let (width, height, channels) = match self {
            Self::Planes => (c, b, a),
            Self::Blocks(n) | Self::ChannelBlocks(n) => {
                let n = n as i64;
                (b * n, a * n, c / (n * n))
            }
        };
        let size = (usize::try_from(width).ok()?, usize::try_from(height).ok()?);
        (channels == 3 && self.dims(size) == [1, a, b, c]).then_some(size)
    }
}

/// What a picture of which a window holds the frame is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    pub width: usize,
    pub height: usize,
    pub window: Window,
    pub arrangement: Arrangement,
}

impl Canvas {
    /// Values of a row of blocks.
    pub(super) fn block_row(&self) -> usize {
        3 * self.width * self.arrangement.block()
    }

    /// One of planes that the frame fills.
    #[cfg(test)]
    pub(crate) fn planes((width, height): (usize, usize)) -> Self {
        let window = Window {
            left: 0,
            top: 0,
            width,
            height,
        };
        Self {
            width,
            height,
            window,
            arrangement: Arrangement::Planes,
        }
    }
}

/// A picture, or some rows of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a> {
    data: &'a [f32],
    canvas: Canvas,
    /// The first row that there is.
    top: usize,
}

/// A picture that can be written.
#[derive(Debug)]
pub(crate) struct PictureMut<'a> {
    pub data: &'a mut [f32],
    pub canvas: Canvas,
}

impl<'a> Picture<'a> {
    /// The whole of it.
    pub(crate) fn new(data: &'a [f32], canvas: Canvas) -> Self {
        Self::from_row(0, data, canvas)
    }

    /// Rows from `top` on, with which a row of blocks begins.
    pub(super) fn from_row(top: usize, data: &'a [f32], canvas: Canvas) -> Self {
        Self { data, canvas, top }
    }

    pub(crate) fn window(&self) -> Window {
        self.canvas.window
    }
}

/// A picture that is read row by row.
pub(crate) trait Pixels: Sync {
    /// Copies pixels of row `y`, from pixel `x` on, into the start of three rows.
    fn load(&self, y: usize, x: usize, out: [&mut [f32]; 3]);
}

impl Pixels for Picture<'_> {
    /// Rows and pixels are those of the window.
    #[inline(always)]
    fn load(&self, y: usize, x: usize, out: [&mut [f32]; 3]) {
        let Canvas {
            width,
            window,
            arrangement,
            ..
        } = self.canvas;
        let (y, x) = (window.top + y - self.top, window.left + x);
        match arrangement {
            Arrangement::Planes => {
                let height = self.data.len() / (3 * width);
                for (c, out) in out.into_iter().enumerate() {
                    let start = (c * height + y) * width + x;
                    out.copy_from_slice(&self.data[start..][..out.len()]);
                }
            }
            Arrangement::Blocks(2) => self.load_blocks::<2, false>(y, x, out),
            Arrangement::Blocks(4) => self.load_blocks::<4, false>(y, x, out),
            Arrangement::Blocks(_) => self.load_blocks::<1, false>(y, x, out),
            Arrangement::ChannelBlocks(2) => self.load_blocks::<2, true>(y, x, out),
            Arrangement::ChannelBlocks(_) => self.load_blocks::<4, true>(y, x, out),
        }
    }
}

impl Picture<'_> {
    #[inline(always)]
    fn load_blocks<const N: usize, const BY_CHANNEL: bool>(
        &self,
        y: usize,
        x: usize,
        [red, green, blue]: [&mut [f32]; 3],
    ) {
        let block = 3 * N * N;
        let (start, pixel, channel) = steps::<N, BY_CHANNEL>(y);
        let blocks = &self.data[y / N * (self.canvas.width / N) * block..];
        // Up to the next block and behind the last one pixel by pixel, between them block by block.
        let n_head = (x.next_multiple_of(N) - x).min(red.len());
        let n_blocks = (red.len() - n_head) / N;
        for i in (0..n_head).chain(n_head + n_blocks * N..red.len()) {
            let at = (x + i) / N * block + start + (x + i) % N * pixel;
            red[i] = blocks[at];
            green[i] = blocks[at + channel];
            blue[i] = blocks[at + 2 * channel];
        }
        let blocks = blocks.get((x + n_head) / N * block..).unwrap_or_default();
        let [red, green, blue] = [red, green, blue].map(|row| &mut row[n_head..][..n_blocks * N]);
        if BY_CHANNEL {
            let out = red.as_chunks_mut::<N>().0.iter_mut();
            let out = out.zip(green.as_chunks_mut::<N>().0);
            let out = out.zip(blue.as_chunks_mut::<N>().0);
            for (((red, green), blue), block) in out.zip(blocks.chunks_exact(block)) {
                red.copy_from_slice(&block[start..][..N]);
                green.copy_from_slice(&block[start + channel..][..N]);
                blue.copy_from_slice(&block[start + 2 * channel..][..N]);
            }
            return;
        }
        let out = red.chunks_mut(TILE_PX).zip(green.chunks_mut(TILE_PX));
        let out = out.zip(blue.chunks_mut(TILE_PX));
        for (((red, green), blue), blocks) in out.zip(blocks.chunks(TILE_PX / N * block)) {
            // Pixel by pixel in one piece, for that is taken apart many pixels at once.
            let mut pixels = [0.0; 3 * TILE_PX];
            for (pixels, block) in pixels
                .chunks_exact_mut(3 * N)
                .zip(blocks.chunks_exact(block))
            {
                pixels.copy_from_slice(&block[start..][..3 * N]);
            }
            let out = red.iter_mut().zip(green).zip(blue);
            for (((red, green), blue), px) in out.zip(pixels.as_chunks::<3>().0) {
                [*red, *green, *blue] = *px;
            }
        }
    }
}

/// Rows of a [`PictureMut`] that one thread writes.
pub(super) enum Band<'a> {
    Planes([&'a mut [f32]; 3]),
    Blocks(&'a mut [f32], Arrangement),
}

impl Band<'_> {
    /// Writes row `y` of the band.
    #[inline(always)]
    pub(super) fn store(&mut self, y: usize, row: [&[f32]; 3]) {
        match self {
            Self::Planes(planes) => {
                for (plane, row) in planes.iter_mut().zip(row) {
                    plane[y * row.len()..][..row.len()].copy_from_slice(row);
                }
            }
            Self::Blocks(blocks, Arrangement::Blocks(2)) => {
                store_blocks::<2, false>(blocks, y, row);
            }
            Self::Blocks(blocks, Arrangement::Blocks(4)) => {
                store_blocks::<4, false>(blocks, y, row);
            }
            Self::Blocks(blocks, Arrangement::ChannelBlocks(2)) => {
                store_blocks::<2, true>(blocks, y, row);
            }
            Self::Blocks(blocks, Arrangement::ChannelBlocks(_)) => {
                store_blocks::<4, true>(blocks, y, row);
            }
            Self::Blocks(blocks, _) => store_blocks::<1, false>(blocks, y, row),
        }
    }
}

/// Places of a row's first pixel, and steps to the next pixel and channel, within a block.
#[inline(always)]
fn steps<const N: usize, const BY_CHANNEL: bool>(y: usize) -> (usize, usize, usize) {
    if BY_CHANNEL {
        (y % N * N, 1, N * N)
    } else {
        (y % N * N * 3, 3, 1)
    }
}

#[inline(always)]
fn store_blocks<const N: usize, const BY_CHANNEL: bool>(
    blocks: &mut [f32],
    y: usize,
    [red, green, blue]: [&[f32]; 3],
) {
    let (start, _, channel) = steps::<N, BY_CHANNEL>(y);
    let row_len = red.len() / N * 3 * N * N;
    let blocks = &mut blocks[y / N * row_len..][..row_len];
    let pixels = red.as_chunks::<N>().0.iter();
    let pixels = pixels
        .zip(green.as_chunks::<N>().0)
        .zip(blue.as_chunks::<N>().0);
    for (block, ((red, green), blue)) in blocks.chunks_exact_mut(3 * N * N).zip(pixels) {
        if BY_CHANNEL {
            block[start..][..N].copy_from_slice(red);
            block[start + channel..][..N].copy_from_slice(green);
            block[start + 2 * channel..][..N].copy_from_slice(blue);
        } else {
            let (pairs, row) = (N / 2, &mut block[start..][..3 * N]);
            if N == 1 {
                row.copy_from_slice(&[red[0], green[0], blue[0]]);
            }
            // Two pixels at once are shuffled in registers; one by one they are stored value by value.
            for (i, out) in row
                .as_chunks_mut::<6>()
                .0
                .iter_mut()
                .enumerate()
                .take(pairs)
            {
                let (a, b) = (2 * i, 2 * i + 1);
                *out = [red[a], green[a], blue[a], red[b], green[b], blue[b]];
            }
        }
    }
}

/// A row of a tile and of the pixel to its left.
pub(super) const WIDE_PX: usize = TILE_PX + 1;
