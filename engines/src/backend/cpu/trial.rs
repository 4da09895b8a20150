//! A network on the test picture, which is made by code: gradients, edges and grain, so that every kind of layer has work.

use super::network::{Network, Way};
use super::session::{Plan, Tensor};
use crate::convention::{Channels, Convention, Size, ValueRange};
use crate::convert::Rows;
use crate::error::Result;
use crate::geometry::Window;
use crate::model::Model;
use crate::trunk::Trunk;

/// Sides in pixels of the test picture for networks of any size.
pub(super) const TEST_SIZE: (usize, usize) = (192, 128);

/// A network with the test picture before it.
pub(super) struct Trial {
    network: Network,
    input: Tensor,
    painted: Tensor,
}

impl Trial {
    /// Opens a network, or its trunk if one is given, for pictures whose black and white are the bounds of `input_range`.
    pub(super) fn open(
        model: &Model,
        convention: &Convention,
        trunk: Option<&Trunk>,
        input_range: ValueRange,
        way: Way,
    ) -> Result<Self> {
        let (width, height) = match convention.size.value {
            Size::Fixed(width, height) => (width, height),
            Size::Any => {
                let align = convention.align.map_or(1, |known| known.value).max(1);
                (
                    TEST_SIZE.0.next_multiple_of(align),
                    TEST_SIZE.1.next_multiple_of(align),
                )
            }
        };
        let plan = Plan {
            trunk,
            size: (width, height),
            way,
            by_rows: false,
            n_slots: 1,
        };
        let network = Network::open(model, convention, plan)?;
        let (mut input, painted) = (network.alloc_input()?, network.alloc_painted()?);
        let (low, high) = input_range.bounds();
        let scene = TestScene {
            width,
            height,
            low,
            high,
            channels: convention.channels.value,
        };
        let window = Window {
            left: 0,
            top: 0,
            width,
            height,
        };
        network.open_on(&scene, ((width, height), window), &mut input)?;
        Ok(Self {
            network,
            input,
            painted,
        })
    }

    /// How the network is run: not as asked for, if our own code cannot.
    pub(super) fn way(&self) -> Way {
        self.network.way()
    }

    /// Paints the test picture, and shows the values that the network gave.
    pub(super) fn paint(&mut self) -> Result<&[f32]> {
        self.network.infer(0, &self.input, &mut self.painted)?;
        self.network.wait(0)?;
        self.painted.values()
    }
}

/// The test picture as a network is fed it.
struct TestScene {
    width: usize,
    height: usize,
    /// Values of black and white.
    low: f32,
    high: f32,
    channels: Channels,
}

impl Rows for TestScene {
    fn fill(&self, y: usize, out: [&mut [f32]; 3]) {
        let [first, second, third] = out;
        for (x, ((first, second), third)) in first.iter_mut().zip(second).zip(third).enumerate() {
            let pixel = test_pixel(x as f32 / self.width as f32, y as f32 / self.height as f32);
            let [red, green, blue] = pixel.map(|value| self.low + value * (self.high - self.low));
            (*first, *second, *third) = match self.channels {
                Channels::Rgb => (red, green, blue),
                Channels::Bgr => (blue, green, red),
            };
        }
    }
}

/// Red, green and blue, 0..1, of the test picture at a place in 0..1.
fn test_pixel(x: f32, y: f32) -> [f32; 3] {
    let (dx, dy) = (x - 0.6, y - 0.45);
    let disc = if dx * dx + dy * dy < 0.05 { 0.35 } else { 0.0 };
    let stripes = if (x * 11.0).fract() < 0.5 { 0.12 } else { 0.0 };
    let grain = 0.08 * ((x * 1271.0).sin() * (y * 913.0).cos() * 43.7).fract();
    [
        x * 0.7 + disc + grain,
        y * 0.6 + stripes + grain,
        0.8 - 0.5 * x * y - disc + stripes,
    ]
    .map(|value| value.clamp(0.0, 1.0))
}
