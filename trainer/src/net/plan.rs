//! The layer tables of the three sizes of network.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::conv::Walk;

/// Size of network.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// For large pictures on few cores.
    Fast,
    /// Between the two.
    Balanced,
    /// The most detail.
    Best,
}

impl Size {
    /// All sizes, smallest first.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Balanced, Self::Best];

    /// Its name in flags and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Balanced => "balanced",
            Self::Best => "best",
        }
    }

    /// Its layers.
    pub fn plan(self) -> Plan {
        match self {
            Self::Fast => Plan::new(2, &[8, 16], &[1, 2, 1, 2]),
            Self::Balanced => Plan::new(2, &[16, 32], &[1, 2, 1, 2]),
            Self::Best => Plan::new(2, &[32, 64], &[1, 2, 1, 2, 1]),
        }
    }
}

/// The layers of a network between space-to-depth and depth-to-space.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Pixels of a side of the blocks at entrance and exit.
    pub block: usize,
    /// Pixels of a side that all steps together take for one.
    pub align: usize,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Convolutions in order.
    pub units: Vec<Unit>,
}

/// What is done to feature maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// The unit of this position.
    Unit(usize),
    /// Remember the maps.
    Fork,
    /// Add the maps that were remembered last.
    Join,
    /// Repeat every pixel twice in both directions.
    Double,
}

/// A convolution, normalisation, and perhaps a cut at 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// Its name in files.
    pub name: String,
    /// Channels it takes.
    pub n_in: usize,
    /// Channels it gives.
    pub n_out: usize,
    /// How the kernel walks.
    pub walk: Walk,
    /// Whether it is normalised; the last is not, it gives colours.
    pub norm: bool,
    /// Whether it is cut off at 0.
    pub relu: bool,
    /// Pixels of a side of the blocks that its channels stand for.
    pub block: usize,
}

impl Unit {
    /// Shape of its weights.
    pub fn weight_dims(&self) -> [usize; 4] {
        [self.n_out, self.n_in, 3, 3]
    }
}

impl Plan {
    /// Blocks of `block` pixels at the entrance; convolutions of `widths` channels, each but the first at half the size
    /// of the one before; as many residual blocks as there are `dilations`; and the same widths on the way back up.
    /// Nothing is taken along past the trunk: networks that may, tint photos and learn no strokes.
    fn new(block: usize, widths: &[usize], dilations: &[usize]) -> Self {
        let n_halvings = widths.len() - 1;
        let mut plan = Self {
            block,
            align: block << n_halvings,
            steps: Vec::new(),
            units: Vec::new(),
        };
        let n_colours = 3 * block * block;
        let mut n = n_colours;
        for (idx, &width) in widths.iter().enumerate() {
            let stride = if idx == 0 { 1 } else { 2 };
            plan.unit(
                &format!("c{idx}"),
                [n, width],
                Walk {
                    stride,
                    ..Walk::DENSE
                },
                true,
            );
            n = width;
        }
        for (idx, &dilation) in dilations.iter().enumerate() {
            plan.steps.push(Step::Fork);
            plan.unit(
                &format!("r{idx}a"),
                [n, n],
                Walk {
                    dilation,
                    ..Walk::DENSE
                },
                true,
            );
            plan.unit(&format!("r{idx}b"), [n, n], Walk::DENSE, false);
            plan.steps.push(Step::Join);
        }
        for (idx, &width) in widths[..n_halvings].iter().enumerate().rev() {
            plan.steps.push(Step::Double);
            plan.unit(&format!("u{idx}"), [n, width], Walk::DENSE, true);
            n = width;
        }
        plan.unit("h", [n, n_colours], Walk::DENSE, false);
        if let Some(head) = plan.units.last_mut() {
            head.norm = false;
            head.block = block;
        }
        plan
    }

    fn unit(&mut self, name: &str, [n_in, n_out]: [usize; 2], walk: Walk, relu: bool) {
        self.steps.push(Step::Unit(self.units.len()));
        self.units.push(Unit {
            name: name.to_owned(),
            n_in,
            n_out,
            walk,
            norm: true,
            relu,
            block: 1,
        });
    }
}
