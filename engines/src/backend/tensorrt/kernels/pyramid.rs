//! What the kernels of `pyramid.cu` are told.

use super::{Address, Level};
use crate::stabilizer::Light;

/// Places of a row of the kernel `relight`.
const WIDTH: usize = 4096;

/// What halving is about. (Fields as in `pyramid.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Halve {
    pub large: Level,
    pub small: Level,
}

impl Halve {
    /// Places of the kernel `halve`, width before height.
    pub(in super::super) fn grid(&self) -> (usize, usize) {
        self.small.grid()
    }
}

/// What changing the light of values is about. (Fields as in `pyramid.cu`.)
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(in super::super) struct Relight {
    values: Address,
    n_values: i32,
    width: i32,
    gain: f32,
    offset: f32,
}

impl Relight {
    /// Of so many values.
    pub(in super::super) fn new(values: Address, n_values: usize, light: Light) -> Self {
        Self {
            values,
            n_values: n_values as i32,
            width: WIDTH as i32,
            gain: light.gain,
            offset: light.offset,
        }
    }

    /// Places of the kernel `relight`, width before height.
    pub(in super::super) fn grid(&self) -> (usize, usize) {
        (WIDTH, (self.n_values as usize).div_ceil(WIDTH))
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "kernels are called")]
mod tests {
    use super::super::emulated;
    use super::super::level::twin;
    use super::*;
    use crate::stabilizer::pyramid::Pyramid;

    fn wall(x: f32, y: f32) -> f32 {
        120.0 + 60.0 * (x * 0.31 + y * 0.05).sin() + 40.0 * (x * 0.9 - y * 1.3).sin()
    }

    #[test]
    fn levels_are_those_of_the_definition() {
        for (width, height) in [(16, 16), (160, 96), (333, 187)] {
            let pyramid = Pyramid::of(width, height, wall);
            for pair in pyramid.levels.windows(2) {
                let size = |idx: usize| (pair[idx].width, pair[idx].height);
                let mut large = twin::values(&pair[0]);
                let mut found = twin::empty(size(1));
                let job = Halve {
                    large: twin::seen(&mut large, size(0)),
                    small: twin::seen(&mut found, size(1)),
                };
                // SAFETY: both are as large as they say.
                unsafe { emulated::run("pyramid", "halve", &job, job.grid()) };
                let far = twin::largest(&found, &twin::values(&pair[1]));
                assert!(far <= 1e-4, "{width}x{height} {:?}: {far}", size(1));
            }
        }
    }

    #[test]
    fn light_changes_as_the_definition_changes_it() {
        let light = Light {
            gain: 1.07,
            offset: -3.5,
        };
        let mut pyramid = Pyramid::of(301, 77, wall);
        let mut found = twin::values(&pyramid.levels[0]);
        // What comes after it stays as it is.
        found.push(5.0);
        let n_values = found.len() - 1;
        let job = Relight::new(found.as_mut_ptr() as Address, n_values, light);
        // SAFETY: there are as many values.
        unsafe { emulated::run("pyramid", "relight", &job, job.grid()) };
        for level in &mut pyramid.levels {
            level.relight(light);
        }
        assert_eq!(found.pop(), Some(5.0));
        let far = twin::largest(&found, &twin::values(&pyramid.levels[0]));
        assert!(far <= 1e-4, "{far}");
    }
}
