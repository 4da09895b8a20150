//! What a newer frame shows for the first time, told from where the pixels of the older one went.

/// Pixels of the newer frame that no visible pixel of the older one reaches, row by row.
///
/// A pixel is reached from less than a pixel away in x and in y: the footprint of bilinear interpolation.
/// `flow` and `visible` belong to the older frame, row by row.
pub fn revealed(width: usize, flow: &[[f32; 2]], visible: &[bool]) -> Vec<bool> {
    let mut revealed = vec![true; flow.len()];
    let height = flow.len() / width;
    for (idx, (step, _)) in flow
        .iter()
        .zip(visible)
        .enumerate()
        .filter(|(_, (_, visible))| **visible)
    {
        let x = footprint((idx % width) as f32 + step[0], width);
        let y = footprint((idx / width) as f32 + step[1], height);
        for y in y {
            revealed[y * width..][x.clone()].fill(false);
        }
    }
    revealed
}

/// The one or two positions within `0..len` that are less than 1 away; empty if there are none.
fn footprint(at: f32, len: usize) -> std::ops::Range<usize> {
    // Casts saturate, so that a position outside gives an empty range.
    let start = (at.floor().max(0.0) as usize).min(len);
    let end = ((at.ceil() + 1.0).max(0.0) as usize).min(len);
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_reveals_the_border_it_leaves() {
        let flow = [[1.0, 0.0]; 8];
        assert_eq!(
            revealed(4, &flow, &[true; 8]),
            [true, false, false, false, true, false, false, false]
        );
    }

    #[test]
    fn fractions_reach_both_neighbours() {
        let flow = [[0.0, 0.0], [0.5, 0.0], [0.0, 0.0], [9.0, 9.0]];
        let visible = [false, true, false, true];
        assert_eq!(revealed(4, &flow, &visible), [true, false, false, true]);
    }

    #[test]
    fn flow_out_of_the_frame_reaches_nothing() {
        for step in [[-1e9, 0.0], [1e9, 1e9], [-7.0, 0.5], [0.0, 4.0]] {
            assert_eq!(revealed(2, &[step; 2], &[true; 2]), [true; 2], "{step:?}");
        }
    }
}
