//! Convolutions by 3x3 of feature maps in f32, in the vector instructions of the processor at hand. Products are made in f32,
//! or in fixed point of 16 bits.
//!
//! Maps are `[height, width, channels]`. Where a kernel visits every pixel and takes whole vectors of channels, the work
//! is done by Winograd's minimal filtering, else, and for doubled maps that give few channels, tap by tap. Bands of rows
//! are shared among the threads of rayon.

mod direct;
#[cfg(target_arch = "x86_64")]
mod fixed;
#[cfg(not(target_arch = "x86_64"))]
mod fixed {
    //! There is no code for this processor.
    pub(crate) use crate::lane::Float as Fixed;
    pub(crate) fn is_known() -> bool {
        false
    }
}
mod chain;
mod lane;
mod product;
mod rows;
mod winograd;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use aligned_vec::AVec;

pub use self::chain::{Chain, Made};
use self::direct::Direct;
use self::fixed::Fixed;
use self::lane::{Float, Lane};
use self::product::Finish;
use self::rows::{Rows, RowsMut};
use self::winograd::Winograd;

/// Pixels of a side of a kernel.
const SIDE: usize = 3;
/// Pixels of a kernel.
const TAPS: usize = SIDE * SIDE;

/// Feature maps of one picture.
#[derive(Clone, Copy, Debug)]
pub struct Maps<'a> {
    /// `[height, width, channels]`.
    pub values: &'a [f32],
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
    /// For each row, the largest size of its numbers, or more. Where nobody knows, fixed point looks for it.
    pub peaks: Option<&'a [f32]>,
}

/// Feature maps that are written.
#[derive(Debug)]
pub struct MapsMut<'a> {
    /// `[height, width, channels]`.
    pub values: &'a mut [f32],
    /// For each row, what [`Maps::peaks`] says. Fixed point finds out on the way; f32 leaves it as it is.
    pub peaks: &'a mut [f32],
}

/// How a kernel of 3x3 walks over maps. Round them are as many zeros as keep their size where every pixel is visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Pixels from one place to the next.
    pub stride: usize,
    /// Pixels between the taps of the kernel.
    pub dilation: usize,
    /// Whether every pixel of the maps stands for 2x2.
    pub doubled: bool,
}

impl Walk {
    /// Neighbouring taps, neighbouring places.
    pub const DENSE: Self = Self {
        stride: 1,
        dilation: 1,
        doubled: false,
    };

    /// What comes of maps of this height and width.
    pub fn size(self, [height, width]: [usize; 2]) -> [usize; 2] {
        let size = |side: usize| (side << u32::from(self.doubled)).div_ceil(self.stride);
        [size(height), size(width)]
    }

    /// How many rows of the output are made at once.
    fn n_each(self) -> usize {
        1 + usize::from(self.doubled)
    }

    /// The rows that some rows of the output see, of `height`.
    fn sees(self, rows: Range<usize>, height: usize) -> Range<usize> {
        let halving = u32::from(self.doubled);
        let start = (rows.start * self.stride).saturating_sub(self.dilation) >> halving;
        let last = ((rows.end - 1) * self.stride + self.dilation) >> halving;
        start..(last + 1).min(height)
    }
}

/// What follows a convolution in the same pass, in this order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Then<'a> {
    /// Added to each channel.
    pub bias: Option<&'a [f32]>,
    /// Added to each number.
    pub add: Option<&'a [f32]>,
    /// Cut off below 0.
    pub relu: bool,
}

/// A convolution that is ready to run.
#[derive(Clone, Debug)]
pub struct Conv {
    walk: Walk,
    n_in: usize,
    n_out: usize,
    /// Whether products are made in fixed point.
    is_fixed: bool,
    way: Arc<dyn Way>,
}

/// How a convolution is done.
trait Way: Debug + Send + Sync {
    /// Makes the rows of the output that there is room for.
    fn run(&self, conv: &Conv, input: Rows<'_>, finish: Finish<'_>, output: RowsMut<'_>);
}

impl Conv {
    /// From weights `[n_out, n_in, 3, 3]`. None for walks that there is no code for: those that have two of several pixels
    /// from one place to the next, taps that are apart, and maps that are doubled.
    ///
    /// # Panics
    /// If there are not as many weights.
    pub fn new(weights: &[f32], n_in: usize, n_out: usize, walk: Walk) -> Option<Self> {
        Self::of::<Float>(weights, n_in, n_out, walk)
    }

    /// The same by products in fixed point of 16 bits. A network's paint is changed less by it than by bfloat16. None also
    /// for an odd `n_in`, and on processors that are not faster so ([`knows_fixed`]).
    ///
    /// # Panics
    /// If there are not as many weights.
    pub fn fixed(weights: &[f32], n_in: usize, n_out: usize, walk: Walk) -> Option<Self> {
        let is_possible = knows_fixed() && n_in.is_multiple_of(Fixed::N);
        is_possible
            .then(|| Self::of::<Fixed>(weights, n_in, n_out, walk))
            .flatten()
    }

    fn of<L: Lane>(weights: &[f32], n_in: usize, n_out: usize, walk: Walk) -> Option<Self> {
        assert_eq!(
            weights.len(),
            n_out * n_in * TAPS,
            "weights are [n_out, n_in, 3, 3]"
        );
        let special = [walk.stride > 1, walk.dilation > 1, walk.doubled];
        if special.into_iter().filter(|&is| is).count() > 1 {
            return None;
        }
        let fills_vectors = n_in.is_multiple_of(product::n_lanes());
        // Two neighbouring pixels of so few channels fill a vector: bringing tiles there and back would take longer.
        let is_narrow = walk.doubled && 2 * n_out <= product::n_lanes();
        let way: Arc<dyn Way> = if walk.stride == 1 && fills_vectors && !is_narrow {
            Arc::new(Winograd::<L>::new(weights, n_in, n_out))
        } else {
            Arc::new(Direct::<L>::new(weights, [n_in, n_out], walk.doubled))
        };
        Some(Self {
            walk,
            n_in,
            n_out,
            is_fixed: L::N > 1,
            way,
        })
    }

    /// Convolves, into maps of `n_out` channels and the size that [`Walk::size`] says.
    ///
    /// # Panics
    /// If a slice has another length.
    pub fn run(&self, input: Maps<'_>, then: Then<'_>, output: MapsMut<'_>) {
        let size = self.walk.size([input.height, input.width]);
        self.check_input(input);
        self.check_then(then, size);
        self.check_output(size, &output);
        if output.values.is_empty() {
            return;
        }
        let bias = self.bias(then);
        let output = RowsMut {
            values: output.values,
            peaks: output.peaks,
            top: 0,
            is_shared: true,
        };
        let finish = self.finish(then, &bias);
        self.way.run(self, Rows::all(input), finish, output);
    }

    fn check_input(&self, input: Maps<'_>) {
        assert_eq!(input.values.len(), input.height * input.width * self.n_in);
        assert!(input.peaks.is_none_or(|peaks| peaks.len() == input.height));
    }

    fn check_output(&self, [height, width]: [usize; 2], output: &MapsMut<'_>) {
        let n = height * width * self.n_out;
        assert_eq!([output.values.len(), output.peaks.len()], [n, height]);
    }

    fn check_then(&self, then: Then<'_>, [height, width]: [usize; 2]) {
        let n = height * width * self.n_out;
        assert!(then.bias.is_none_or(|bias| bias.len() == self.n_out));
        assert!(then.add.is_none_or(|add| add.len() == n));
    }

    /// What is added to each channel, over and over for as many columns as packed weights have.
    fn bias(&self, then: Then<'_>) -> Vec<f32> {
        let none = vec![0.0; self.n_out];
        let bias = then.bias.unwrap_or(&none).iter().copied();
        bias.cycle().take(product::wide(2 * self.n_out)).collect()
    }

    fn finish<'a>(&self, then: Then<'a>, bias: &'a [f32]) -> Finish<'a> {
        Finish {
            bias,
            then,
            n_out: self.n_out,
            in_order: false,
        }
    }
}

/// Whether this processor is faster in fixed point: if it has AVX-512 VNNI.
pub fn knows_fixed() -> bool {
    fixed::is_known()
}

/// Makes room for so many numbers.
fn grow(values: &mut AVec<f32>, len: usize) {
    if values.len() < len {
        values.resize(len, 0.0);
    }
}

#[cfg(test)]
mod tests;
