//! What the values of a network's pictures mean, the same for every backend.

use crate::colour::Affine;
use crate::convention::{Channels, Convention, ValueRange};
use crate::frame::FrameFormat;
use crate::stabilizer::{History, Light};
use crate::trunk::Trunk;

/// Largest output a network may have per pixel of input: a few pixels more are cut, a picture of four times
/// the size is scaled down, beyond that the file is taken to be wrong or hostile.
pub(crate) const MAX_GROWTH: usize = 16;

/// Maps between the codes of frames of one format and the values of one network.
pub(crate) struct Values {
    into_network: Affine,
    /// From what the network gives to the frame's codes.
    pub from_network: Affine,
    /// From the history to the frame's codes.
    pub from_history: Affine,
    /// Value of black at the network's input, and span to white.
    input_span: (f32, f32),
    /// Values of black and white at the network's output.
    pub bounds: (f32, f32),
    /// The network's first channel is blue.
    pub is_bgr: bool,
}

impl Values {
    /// For a measured convention, of which only the trunk may be run.
    pub(crate) fn new(
        format: &FrameFormat,
        convention: &Convention,
        trunk: Option<&Trunk>,
    ) -> Self {
        let (input_shift, output_shift) =
            trunk.map_or((0.0, 0.0), |trunk| (trunk.input_shift, trunk.output_shift));
        let (input_range, output_range) = convention.ranges();
        let channels = convention.channels.value;
        let (low, high) = output_range.bounds();
        let (input_low, input_high) = input_range.bounds();
        Self {
            into_network: Affine::into_network(format, channels, input_range)
                .shift_after(input_shift),
            from_network: Affine::from_network(format, channels, output_range)
                .shift_before(output_shift),
            from_history: Affine::from_network(format, Channels::Rgb, ValueRange::Unit)
                .scale_before(1.0 / History::WHITE),
            input_span: (input_low + input_shift, input_high - input_low),
            bounds: (low - output_shift, high - output_shift),
            is_bgr: channels == Channels::Bgr,
        }
    }

    /// From the frame's codes to the network's values, in a corrected light.
    pub(crate) fn relit(&self, light: Light) -> Affine {
        let (black, span) = self.input_span;
        self.into_network
            .relight(light.gain, black, light.offset / 255.0 * span)
    }
}
