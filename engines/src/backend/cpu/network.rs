//! A network that is ready to run: by OpenVINO, or by our own code.

use std::ops::Range;

use super::own::Own;
use super::runtime::Runtime;
use super::session::{Plan, Session, Tensor};
use crate::convention::Convention;
use crate::convert::{self, Arrangement, Canvas, Painting, Picture, PictureMut, Rows};
use crate::error::Result;
use crate::geometry::Window;
use crate::model::Model;
use crate::settings::Precision;

/// How a network is run.
///
/// Precisions are no longer `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Way {
    /// By our own code; what it knows of half precision is fixed point.
    Own(Precision),
    /// By OpenVINO.
    Runtime(Precision),
}

impl Way {
    /// What it computes in.
    pub(super) fn precision(self) -> Precision {
        let (Self::Own(precision) | Self::Runtime(precision)) = self;
        precision
    }

    /// What runs it, and in which number format.
    pub(super) fn words(self, runtime: &Runtime) -> [String; 2] {
        match self {
            Self::Own(precision) => {
                let half = runtime.own_half.filter(|_| precision == Precision::Half);
                ["built in", half.unwrap_or("f32")].map(str::to_owned)
            }
            Self::Runtime(precision) => [runtime.name(), precision.hint(runtime).to_owned()],
        }
    }
}

/// A network for pictures of one size.
pub(super) enum Network {
    /// Its arrangements are those of its trunk.
    Own {
        own: Own,
        precision: Precision,
        arrangements: [Arrangement; 2],
        size: (usize, usize),
    },
    Runtime(Session),
}

impl Network {
    /// Opens a network the way that is planned. Our own code takes trunks only: what has none goes to OpenVINO.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub(super) fn open(model: &Model, convention: &Convention, plan: Plan<'_>) -> Result<Self> {
        if let (Way::Own(precision), Some(trunk)) = (plan.way, plan.trunk)
            && let Some(own) = Own::of(trunk, &plan)
        {
            return Ok(Self::Own {
                own,
                precision,
                arrangements: [trunk.input, trunk.painted],
                size: plan.size,
            });
        }
        Session::open(model, convention, &plan).map(Self::Runtime)
    }

    /// How it is run.
    pub(super) fn way(&self) -> Way {
        match self {
            &Self::Own { precision, .. } => Way::Own(precision),
            Self::Runtime(session) => Way::Runtime(session.precision()),
        }
    }

    /// Width and height of its output in pixels.
    pub(super) fn painted_size(&self) -> (usize, usize) {
        match self {
            Self::Own { size, .. } => *size,
            Self::Runtime(session) => session.painted_size(),
        }
    }

    /// How the channels of the picture that it gives lie in memory.
    fn painted_arrangement(&self) -> Arrangement {
        match self {
            Self::Own { arrangements, .. } => arrangements[1],
            Self::Runtime(session) => session.painted_arrangement(),
        }
    }

    pub(super) fn alloc_input(&self) -> Result<Tensor> {
        match self {
            Self::Own {
                own,
                arrangements,
                size,
                ..
            } => alloc(own.n_opened(), arrangements[0].dims(*size)),
            Self::Runtime(session) => session.alloc_input(),
        }
    }

    /// Makes what it works on of a picture that `rows` are the window of: the picture itself, or what its first layers give.
    pub(super) fn open_on(
        &self,
        rows: &impl Rows,
        (size, window): ((usize, usize), Window),
        input: &mut Tensor,
    ) -> Result<()> {
        let arrangement = match self {
            Self::Own { arrangements, .. } => arrangements[0],
            Self::Runtime(session) => session.input_arrangement(),
        };
        let (data, canvas) = (input.values_mut()?, canvas(size, window, arrangement));
        match self {
            Self::Own { own, .. } if own.n_opened().is_some() => {
                let fill = |blocks: Range<usize>, out: &mut [f32]| {
                    canvas.fill(rows, blocks.start, out);
                };
                own.open(&fill, data);
            }
            _ => convert::read(rows, &mut PictureMut { data, canvas }),
        }
        Ok(())
    }

    /// What it gave, of which `window` is the picture.
    pub(super) fn painting<'a>(
        &'a self,
        painted: &'a Tensor,
        window: Window,
    ) -> Result<Painting<'a>> {
        let canvas = canvas(self.painted_size(), window, self.painted_arrangement());
        let values = painted.values()?;
        Ok(match self {
            Self::Own { own, .. } if own.n_unfinished().is_some() => Painting::Unfinished {
                values,
                canvas,
                finish: own,
            },
            _ => Painting::Whole(Picture::new(values, canvas)),
        })
    }

    pub(super) fn alloc_painted(&self) -> Result<Tensor> {
        match self {
            Self::Own {
                own,
                arrangements,
                size,
                ..
            } => alloc(own.n_unfinished(), arrangements[1].dims(*size)),
            Self::Runtime(session) => session.alloc_painted(),
        }
    }

    /// Starts it in a slot; until [`Network::wait`] both tensors belong to it. Our own code has painted when this returns.
    pub(super) fn infer(
        &mut self,
        slot_idx: usize,
        input: &Tensor,
        painted: &mut Tensor,
    ) -> Result<()> {
        match self {
            Self::Own { own, .. } => {
                let (picture, painted) = (input.values()?, painted.values_mut()?);
                // On a thread of those that share the work, which wake each other sooner.
                rayon::scope(|_| own.paint(picture, painted));
                Ok(())
            }
            Self::Runtime(session) => session.infer(slot_idx, input, painted),
        }
    }

    /// Waits for it in a slot.
    pub(super) fn wait(&mut self, slot_idx: usize) -> Result<()> {
        match self {
            Self::Own { .. } => Ok(()),
            Self::Runtime(session) => session.wait(slot_idx),
        }
    }
}

/// Memory for so many numbers, or else for a picture of these axes.
fn alloc(n: Option<usize>, dims: [i64; 4]) -> Result<Tensor> {
    Tensor::new(&n.map_or(dims, |n| [1, 1, 1, n as i64]))
}

fn canvas((width, height): (usize, usize), window: Window, arrangement: Arrangement) -> Canvas {
    Canvas {
        width,
        height,
        window,
        arrangement,
    }
}
