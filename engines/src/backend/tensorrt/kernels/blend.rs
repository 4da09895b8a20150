//! What the kernels of `blend.cu` are told.

use super::{Address, Picture};

/// What taking is about. (Fields as in `blend.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Take {
    pub painted: Picture,
    pub low: f32,
    pub scale: f32,
    pub is_bgr: i32,
    pub taken: Address,
}

/// What blending, showing and measuring are about.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Blend {
    pub width: i32,
    pub height: i32,
    pub painted: Address,
    pub before: Address,
    pub u: Address,
    pub v: Address,
    pub share: Address,
    pub moves: Address,
    pub cells_wide: i32,
    pub cells_high: i32,
    pub fade: f32,
    pub margin: f32,
    pub blended: Address,
    pub moving: Address,
    pub amount: f32,
    pub now: Address,
    pub first_row: i32,
    pub every_row: i32,
    pub sums: Address,
}

#[cfg(test)]
#[expect(unsafe_code, reason = "kernels are given addresses")]
mod tests {
    use super::*;
    use crate::backend::tensorrt::kernels::emulated;
    use crate::convert::{self, Arrangement, Canvas, Painting, Pixels};
    use crate::geometry::Window;
    use crate::stabilizer::{Blender, History, MARGIN, MEASURED_ROWS, Motion, Painted, Sharpening};

    const SIZE: (usize, usize) = (203, 118);
    const CELLS: (usize, usize) = (26, 15);

    /// Numbers from 0 to 1 that look random.
    fn noise(seed: u32) -> impl FnMut() -> f32 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        }
    }

    /// What a network might have given, in blocks of 2: smooth, with some detail, and a little beyond white.
    fn picture(seed: u32) -> (Vec<f32>, (usize, usize), Window) {
        let window = Window {
            left: 4,
            top: 6,
            width: SIZE.0,
            height: SIZE.1,
        };
        let whole = (SIZE.0 + 9, SIZE.1 + 10);
        let mut next = noise(seed);
        let values = (0..3 * whole.0 * whole.1).map(|idx| {
            let wave = (idx as f32 * 0.003 + seed as f32).sin();
            0.5 + 0.4 * wave + 0.3 * (next() - 0.5)
        });
        (values.collect(), whole, window)
    }

    fn painted<'a>(
        (data, whole, window): &'a (Vec<f32>, (usize, usize), Window),
        is_bgr: bool,
    ) -> Painted<'a> {
        let canvas = Canvas {
            width: whole.0,
            height: whole.1,
            window: *window,
            arrangement: Arrangement::Blocks(2),
        };
        Painted {
            painting: Painting::Whole(convert::Picture::new(data, canvas)),
            bounds: (-0.1, 1.1),
            is_bgr,
        }
    }

    /// A history as the kernels keep it.
    fn planes(history: &History) -> Vec<u16> {
        let (width, height) = (history.width, history.height);
        let mut rows = vec![0.0; 3 * width];
        let mut planes = Vec::new();
        for y in 0..height {
            let (first, rest) = rows.split_at_mut(width);
            let (second, third) = rest.split_at_mut(width);
            history.load(y, 0, [first, second, third]);
            planes.extend(rows.iter().map(|&value| value as u16));
        }
        planes
    }

    /// Some cells stay, some move, some are not believed; in the upper rows nothing moves.
    fn motion() -> Motion {
        let mut next = noise(7);
        let n_cells = CELLS.0 * CELLS.1;
        let mut motion = Motion {
            width: CELLS.0,
            height: CELLS.1,
            ..Motion::default()
        };
        for idx in 0..n_cells {
            let moves = idx / CELLS.0 > 4 && next() > 0.4;
            let way = |next: f32| if moves { 6.0 * next - 3.0 } else { 0.0 };
            motion.u.push(way(next()));
            motion.v.push(way(next()));
            let share = next();
            motion
                .share
                .push(if share < 0.3 { 0.0 } else { 0.9 * share });
        }
        motion
    }

    fn address<T>(values: &[T]) -> Address {
        values.as_ptr() as Address
    }

    fn address_mut<T>(values: &mut [T]) -> Address {
        values.as_mut_ptr() as Address
    }

    fn take(source: &(Vec<f32>, (usize, usize), Window), is_bgr: bool, is_half: bool) -> Vec<u16> {
        let (data, whole, window) = source;
        let halves: Vec<u16> = data
            .iter()
            .map(|&value| half::f16::from_f32(value).to_bits())
            .collect();
        let data = if is_half {
            address(&halves)
        } else {
            address(data)
        };
        let mut taken = vec![0_u16; 3 * SIZE.0 * SIZE.1];
        let job = Take {
            painted: Picture::new(data, *whole, *window, Arrangement::Blocks(2), is_half),
            low: -0.1,
            scale: History::WHITE / 1.2,
            is_bgr: is_bgr.into(),
            taken: address_mut(&mut taken),
        };
        // SAFETY: all that the job points to is of the size that it says.
        unsafe { emulated::run("blend", "take", &job, (SIZE.0 + 5, SIZE.1 + 3)) };
        taken
    }

    #[test]
    fn painted_pictures_are_taken_like_their_twin_does() {
        for (is_bgr, is_half, most) in [(false, false, 1), (true, false, 1), (false, true, 40)] {
            let source = picture(3);
            let mut twin = History::new(SIZE.0, SIZE.1);
            Blender::default().take(&painted(&source, is_bgr), &mut twin);
            let found = take(&source, is_bgr, is_half);
            let far = found.iter().zip(planes(&twin)).map(|(&a, b)| a.abs_diff(b));
            let far = far.max().unwrap();
            assert!(far <= most, "{is_bgr} {is_half}: {far}");
        }
    }

    #[test]
    fn frames_are_blended_like_their_twin_does() {
        for fade in [None, Some(0.6)] {
            let [first, second] = [11, 12].map(picture);
            let mut motion = motion();
            if fade.is_some() {
                // Nothing but what stays.
                motion.u.fill(0.0);
                motion.v.fill(0.0);
            }
            let mut before = History::new(SIZE.0, SIZE.1);
            let mut twin = History::new(SIZE.0, SIZE.1);
            let mut blender = Blender::default();
            blender.take(&painted(&first, false), &mut before);
            blender.blend(&painted(&second, false), &motion, fade, &before, &mut twin);

            let (taken, before) = (take(&second, false, false), planes(&before));
            let n_values = 3 * SIZE.0 * SIZE.1;
            let (mut blended, mut moving) = (vec![0.0_f32; n_values], vec![0.0_f32; n_values / 3]);
            let (mut now, mut sums) = (vec![0_u16; n_values], [0_u64; 2]);
            let moves: Vec<u8> = motion.rows_that_move().map(u8::from).collect();
            let mut sharpening = Sharpening::default();
            let job = Blend {
                width: SIZE.0 as i32,
                height: SIZE.1 as i32,
                painted: address(&taken),
                before: address(&before),
                u: address(&motion.u),
                v: address(&motion.v),
                share: address(&motion.share),
                moves: address(&moves),
                cells_wide: CELLS.0 as i32,
                cells_high: CELLS.1 as i32,
                fade: fade.unwrap_or(1.0),
                margin: fade.map_or(MARGIN, |_| History::WHITE),
                blended: address_mut(&mut blended),
                moving: address_mut(&mut moving),
                amount: sharpening.amount(),
                now: address_mut(&mut now),
                first_row: 1 + MEASURED_ROWS as i32,
                every_row: MEASURED_ROWS as i32,
                sums: address_mut(&mut sums),
            };
            for (kernel, grid) in [
                ("blend", SIZE),
                ("show", SIZE),
                ("measure", (SIZE.0 / 8, SIZE.1 / MEASURED_ROWS)),
            ] {
                // SAFETY: all that the job points to is of the size that it says.
                unsafe { emulated::run("blend", kernel, &job, grid) };
            }
            let twin = planes(&twin);
            let far: Vec<u16> = now.iter().zip(&twin).map(|(a, b)| a.abs_diff(*b)).collect();
            // Rounding to 16 bits in between, and sharpened.
            assert!(far.iter().all(|&far| far <= 8), "{:?}", far.iter().max());
            let changed = now
                .iter()
                .zip(&taken)
                .filter(|(a, b)| a.abs_diff(**b) > 100);
            assert!(changed.count() > n_values / 4, "history is seen");

            sharpening.correct(sums[0] as f32, sums[1] as f32);
            let wanted = blender.sharpening().amount();
            assert!(
                (sharpening.amount() - wanted).abs() < 0.02,
                "{} instead of {wanted}",
                sharpening.amount()
            );
        }
    }
}
