//! What moves pixels about and does not change their values.

use crate::maps::Maps;

/// Makes one pixel of each block of pixels, the upper left first, and adds `shift` to each value: space-to-depth.
pub(super) fn blocks(picture: &Maps, block: usize, shift: f32) -> Maps {
    let n = picture.n_channels;
    let mut blocks = Maps::scratch(
        picture.height / block,
        picture.width / block,
        n * block * block,
    );
    let (width, row) = (blocks.width, block * n);
    for (idx, target) in blocks.values.chunks_exact_mut(row * block).enumerate() {
        for (dy, target) in target.chunks_exact_mut(row).enumerate() {
            let from = (idx / width * block + dy) * picture.stride() + idx % width * row;
            for (target, value) in target.iter_mut().zip(&picture.values[from..from + row]) {
                *target = value + shift;
            }
        }
    }
    blocks
}

/// The reverse of [`blocks`]: depth-to-space.
pub(super) fn pixels(blocks: &Maps, block: usize, shift: f32) -> Maps {
    let n = blocks.n_channels / (block * block);
    let mut picture = Maps::scratch(blocks.height * block, blocks.width * block, n);
    let (row, stride) = (block * n, picture.stride());
    for (idx, source) in blocks.values.chunks_exact(row * block).enumerate() {
        for (dy, source) in source.chunks_exact(row).enumerate() {
            let to = (idx / blocks.width * block + dy) * stride + idx % blocks.width * row;
            for (target, value) in picture.values[to..to + row].iter_mut().zip(source) {
                *target = value + shift;
            }
        }
    }
    picture
}

/// Repeats every pixel twice in both directions.
pub(super) fn double(maps: &Maps) -> Maps {
    let mut doubled = Maps::scratch(maps.height * 2, maps.width * 2, maps.n_channels);
    let (n, stride) = (maps.n_channels, doubled.stride());
    for (rows, source) in doubled
        .values
        .chunks_exact_mut(2 * stride)
        .zip(maps.values.chunks_exact(maps.stride()))
    {
        let (upper, lower) = rows.split_at_mut(stride);
        for (target, pixel) in upper.chunks_exact_mut(2 * n).zip(source.chunks_exact(n)) {
            target[..n].copy_from_slice(pixel);
            target[n..].copy_from_slice(pixel);
        }
        lower.copy_from_slice(upper);
    }
    doubled
}

/// Sums each 2x2 pixels: the way back through [`double`].
pub(super) fn halve(maps: &Maps) -> Maps {
    let mut halved = Maps::zeros(maps.height / 2, maps.width / 2, maps.n_channels);
    let (n, stride) = (maps.n_channels, halved.stride());
    for (row, source) in halved
        .values
        .chunks_exact_mut(stride)
        .zip(maps.values.chunks_exact(2 * maps.stride()))
    {
        for source in source.chunks_exact(maps.stride()) {
            for (target, pair) in row.chunks_exact_mut(n).zip(source.chunks_exact(2 * n)) {
                let (left, right) = pair.split_at(n);
                for i in 0..n {
                    target[i] += left[i] + right[i];
                }
            }
        }
    }
    halved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(height: usize, width: usize, n_channels: usize) -> Maps {
        let values = (0..height * width * n_channels)
            .map(|value| value as f32)
            .collect();
        Maps {
            height,
            width,
            n_channels,
            values,
        }
    }

    #[test]
    fn blocks_are_taken_apart_again() {
        let picture = counted(4, 8, 3);
        let made = blocks(&picture, 4, -1.0);
        assert_eq!((made.height, made.width, made.n_channels), (1, 2, 48));
        assert_eq!(made.pixel(0, 1)[..3], [11.0, 12.0, 13.0]);
        assert_eq!(pixels(&made, 4, 1.0), picture);
    }

    #[test]
    fn halving_sums_what_doubling_repeats() {
        let maps = counted(2, 3, 2);
        let back = halve(&double(&maps));
        assert!(
            back.values
                .iter()
                .zip(&maps.values)
                .all(|(back, value)| *back == 4.0 * value)
        );
    }
}
