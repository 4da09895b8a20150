//! What the kernels of `flow.cu` are told.

use super::{Address, Level};
use crate::stabilizer::flow::n_patches;

/// Threads of a patch.
const LANES: usize = 32;

/// Patches of one level, in both directions. (Fields as in `flow.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Search {
    pictures: [Level; 2],
    n_columns: i32,
    n_rows: i32,
    coarse: Address,
    coarse_columns: i32,
    coarse_rows: i32,
    heard: Address,
    found: Address,
    reach: i32,
}

impl Search {
    /// f32 values that are known of a patch. (`Found` of `flow.cu`.)
    pub(in super::super) const VALUES: usize = 4;

    /// Between the newer picture and the older one, which are of one size, from nothing.
    pub(in super::super) fn new(pictures: [Level; 2], found: Address) -> Self {
        let (n_columns, n_rows) = patches(pictures[0].size());
        Self {
            pictures,
            n_columns: n_columns as i32,
            n_rows: n_rows as i32,
            coarse: 0,
            coarse_columns: 0,
            coarse_rows: 0,
            heard: 0,
            found,
            reach: 0,
        }
    }

    /// From what was found on the next coarser level.
    pub(in super::super) fn after(self, coarse: &Self) -> Self {
        Self {
            coarse: coarse.found,
            coarse_columns: coarse.n_columns,
            coarse_rows: coarse.n_rows,
            ..self
        }
    }

    /// Again, with patches that hear what was found about those that are `reach` patches off.
    pub(in super::super) fn heard(self, heard: Address, found: Address, reach: i32) -> Self {
        Self {
            heard,
            found,
            reach,
            ..self
        }
    }

    /// Patches between pictures of a size, in both directions together.
    pub(in super::super) fn n_patches(size: (usize, usize)) -> usize {
        let (n_columns, n_rows) = patches(size);
        2 * n_columns * n_rows
    }

    /// Places of the kernels `search`, `hear` and `detail`, width before height.
    pub(in super::super) fn grid(&self) -> (usize, usize) {
        (self.n_columns as usize * LANES, 2 * self.n_rows as usize)
    }

    /// To spread what was found by `detail` to all cells of a flow of a size.
    pub(in super::super) fn spread(
        &self,
        (width, height): (usize, usize),
        flows: Address,
    ) -> Spread {
        Spread {
            pictures: self.pictures,
            n_columns: self.n_columns,
            n_rows: self.n_rows,
            found: self.found,
            width: width as i32,
            height: height as i32,
            flows,
        }
    }
}

/// Patches along the sides of a picture.
fn patches((width, height): (usize, usize)) -> (usize, usize) {
    (n_patches(width), n_patches(height))
}

/// Motion on its way from patches to cells. (Fields as in `flow.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Spread {
    pictures: [Level; 2],
    n_columns: i32,
    n_rows: i32,
    found: Address,
    width: i32,
    height: i32,
    flows: Address,
}

impl Spread {
    /// f32 values that are known of a cell: two steps there, two back.
    pub(in super::super) const VALUES: usize = 4;

    /// Places of the kernel `spread`, width before height.
    pub(in super::super) fn grid(&self) -> (usize, usize) {
        (self.width as usize, 2 * self.height as usize)
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "kernels are called")]
mod tests {
    use super::super::emulated::{Warps, run_in};
    use super::super::level::twin;
    use super::*;
    use crate::stabilizer::flow;
    use crate::stabilizer::pyramid::Pyramid;

    /// Small, for lanes on a processor are slow.
    const SIZE: (usize, usize) = (60, 48);
    const CELLS: (usize, usize) = (SIZE.0 / 2, SIZE.1 / 2);

    fn wall(x: f32, y: f32) -> f32 {
        let wave = |scale: f32, turn: f32| (x * scale * turn.cos() + y * scale * turn.sin()).sin();
        120.0 + 50.0 * wave(0.23, 0.3) + 40.0 * wave(0.31, 1.7) + 15.0 * wave(0.7, 2.2)
    }

    /// What is left of an edge goes another way than what is right of it.
    fn pictures() -> [Pyramid; 2] {
        [0.0, 1.0].map(|time| {
            Pyramid::of(SIZE.0, SIZE.1, |x, y| {
                if x < 40.0 {
                    wall(x - 1.6 * time, y + 0.9 * time)
                } else {
                    wall(x + 50.0 + 1.5 * time, y)
                }
            })
        })
    }

    /// Flow there and back.
    fn found(warps: Warps, pictures: &[Pyramid; 2]) -> Vec<f32> {
        let mut large = pictures
            .each_ref()
            .map(|pyramid| twin::values(&pyramid.levels[0]));
        let mut cells = pictures
            .each_ref()
            .map(|pyramid| twin::values(&pyramid.levels[1]));
        let [large, cells] = [(&mut large, SIZE), (&mut cells, CELLS)]
            .map(|(values, size)| values.each_mut().map(|values| twin::seen(values, size)));
        let room = |size| vec![f32::NAN; Search::VALUES * Search::n_patches(size)];
        let [mut first, mut second, mut third] = [room(CELLS), room(CELLS), room(SIZE)];
        let [first, second, third] =
            [&mut first, &mut second, &mut third].map(|room| room.as_mut_ptr() as Address);
        let mut flows = vec![f32::NAN; Spread::VALUES * CELLS.0 * CELLS.1];
        let searched = Search::new(cells, first);
        let job = searched.heard(first, second, 3);
        let last = Search::new(large, third).after(&job);
        let spread = last.spread(CELLS, flows.as_mut_ptr() as Address);
        // SAFETY: there is room for all patches and cells.
        unsafe {
            run_in(warps, "flow", "search", &searched, searched.grid());
            run_in(warps, "flow", "hear", &job, job.grid());
            run_in(warps, "flow", "detail", &last, last.grid());
            run_in(warps, "flow", "spread", &spread, spread.grid());
        }
        flows
    }

    #[test]
    fn lanes_of_a_warp_find_together_what_one_thread_finds() {
        let pictures = pictures();
        let whole = found(Warps::Whole, &pictures);
        let far = twin::largest(&whole, &found(Warps::OfOne, &pictures));
        // Sums are rounded otherwise.
        assert!(far <= 0.01, "{far} cells");
    }

    #[test]
    fn flow_there_and_back_is_that_of_the_definition() {
        let pictures = pictures();
        let found = found(Warps::OfOne, &pictures);
        let [newer, older] = &pictures;
        let (mut there, mut back) = (flow::Flow::default(), flow::Flow::default());
        flow::Search::default().find(newer, older, &mut there);
        flow::Search::default().find(older, newer, &mut back);
        let wanted = [there.u, there.v, back.u, back.v].concat();
        let off = |(found, wanted): (&f32, &f32)| (found - wanted).abs();
        let mean = found.iter().zip(&wanted).map(off).sum::<f32>() / wanted.len() as f32;
        assert!(mean < 0.1, "{mean} cells on average");
        let middle = CELLS.1 / 2 * CELLS.0 + CELLS.0 / 2;
        let plane = CELLS.0 * CELLS.1;
        for (idx, step) in [0.8, -0.45, -0.8, 0.45].into_iter().enumerate() {
            let found = found[idx * plane + middle];
            assert!((found - step).abs() < 0.1, "{found} instead of {step}");
        }
    }
}
