//! What the kernels of `believe.cu` are told.

use super::{Address, Level};

/// What believing is about. (Fields as in `believe.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Belief {
    pub now: Level,
    pub before: Level,
    pub flows: Address,
    pub moving_share: f32,
    pub still_share: f32,
    pub moved: Address,
    pub stayed: Address,
    pub paths: Address,
    pub arrived: Address,
    pub moving: Address,
    pub still: Address,
    pub painted_for: Address,
    pub u: Address,
    pub v: Address,
    pub share: Address,
    pub moves: Address,
}

impl Belief {
    /// Kernels after one another that find out what may be kept.
    pub(in super::super) const KERNELS: [&str; 3] = ["compare", "settle", "join"];

    /// Places of every kernel, width before height.
    pub(in super::super) fn grid(&self) -> (usize, usize) {
        self.now.size()
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "kernels are called")]
mod tests {
    use super::super::emulated;
    use super::super::level::twin;
    use super::*;
    use crate::stabilizer::believe::{self, Evidence, Shares};
    use crate::stabilizer::flow::{Flow, Search};
    use crate::stabilizer::pyramid::{self, Pyramid};
    use crate::stabilizer::{FLOW_LEVEL, Motion};

    const SHARES: Shares = Shares {
        moving: 0.8,
        still: 0.96,
    };
    const N_FRAMES: usize = 6;

    /// A wall that moves behind a ball that does not, while a lamp goes slowly down and another ball crosses.
    fn scene(frame_idx: usize) -> Pyramid {
        let time = frame_idx as f32;
        Pyramid::of(213, 131, |x, y| {
            let within = |at: f32| (x - at).hypot(y - 60.0) < 17.0;
            if within(60.0) {
                return 90.0 + 30.0 * (0.4 * x).sin() - 0.7 * time;
            }
            if within(100.0 + 9.0 * time) {
                return 200.0 + 20.0 * (0.3 * y).sin();
            }
            let (x, y) = (x - 2.6 * time, y + 1.1 * time);
            110.0 + 45.0 * (x * 0.21).sin() + 35.0 * (y * 0.17 + x * 0.05).cos()
        })
    }

    /// The kernels with their memory.
    struct Kernels {
        size: (usize, usize),
        planes: [Vec<f32>; 9],
        arrived: Vec<u64>,
        moves: Vec<u8>,
    }

    impl Kernels {
        fn new(size: (usize, usize)) -> Self {
            let n_cells = size.0 * size.1;
            Self {
                size,
                planes: std::array::from_fn(|_| vec![f32::NAN; n_cells]),
                arrived: vec![0; n_cells],
                moves: vec![7; size.1],
            }
        }

        fn run(
            &mut self,
            kernels: &[&str],
            now: &pyramid::Level,
            before: &pyramid::Level,
            flows: Option<&[f32]>,
        ) {
            let (mut now, mut before) = (twin::values(now), twin::values(before));
            self.arrived.fill(0);
            let [
                moved,
                stayed,
                paths,
                moving,
                still,
                painted_for,
                u,
                v,
                share,
            ] = self
                .planes
                .each_mut()
                .map(|plane| plane.as_mut_ptr() as Address);
            let job = Belief {
                now: twin::seen(&mut now, self.size),
                before: twin::seen(&mut before, self.size),
                flows: flows.map_or(0, |flows| flows.as_ptr() as Address),
                moving_share: SHARES.moving,
                still_share: SHARES.still,
                moved,
                stayed,
                paths,
                arrived: self.arrived.as_mut_ptr() as Address,
                moving,
                still,
                painted_for,
                u,
                v,
                share,
                moves: self.moves.as_mut_ptr() as Address,
            };
            for kernel in kernels {
                // SAFETY: all planes are of one size.
                unsafe { emulated::run("believe", kernel, &job, job.grid()) };
            }
        }
    }

    #[test]
    fn what_is_kept_is_what_the_definition_keeps() {
        for with_flow in [false, true] {
            let mut before = scene(0);
            let first = &before.levels[FLOW_LEVEL];
            let mut kernels = Kernels::new((first.width, first.height));
            let mut twin = believe::Belief::default();
            let mut motion = Motion::default();
            twin.start(first);
            kernels.run(&["believe_anew"], first, first, None);
            for frame_idx in 1..N_FRAMES {
                let now = scene(frame_idx);
                let (mut there, mut back) = (Flow::default(), Flow::default());
                Search::default().find(&now, &before, &mut there);
                Search::default().find(&before, &now, &mut back);
                let evidence = Evidence {
                    now: &now.levels[FLOW_LEVEL],
                    before: &before.levels[FLOW_LEVEL],
                    flows: with_flow.then_some((&there, &back)),
                };
                twin.weigh(&evidence, SHARES, &mut motion);
                let flows = [&there.u[..], &there.v, &back.u, &back.v].concat();
                let flows = with_flow.then_some(&flows[..]);
                kernels.run(&Belief::KERNELS, evidence.now, evidence.before, flows);

                let [.., u, v, share] = &kernels.planes;
                for (found, wanted) in [(u, &motion.u), (v, &motion.v), (share, &motion.share)] {
                    // What arrives is counted in parts of a millionth.
                    let far = twin::largest(found, wanted);
                    assert!(far <= 1e-4, "{with_flow} {frame_idx}: {far}");
                }
                let moves: Vec<u8> = motion.rows_that_move().map(u8::from).collect();
                assert_eq!(kernels.moves, moves);
                let n_kept = motion.share.iter().filter(|&&share| share > 0.5).count();
                // Without flow, nothing but the ball.
                let wanted = if with_flow { 2 } else { 60 };
                assert!(n_kept * wanted > motion.share.len(), "{with_flow} {n_kept}");
                assert_eq!(moves.contains(&1), with_flow);
                before = now;
            }
        }
    }
}
