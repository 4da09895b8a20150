//! The element `styletransfer`.

use gst::glib;
use gst::prelude::*;

mod counts;
mod imp;
mod ladder;
mod latency;
mod order;
mod painter;
mod pool;
mod settings;

/// Size of network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstStyleTransferQuality")]
#[non_exhaustive]
pub enum Quality {
    /// Keeps up with 1280x720 on two cores.
    #[enum_value(name = "Keeps up with 1280x720 on two cores", nick = "fast")]
    Fast,
    /// Keeps up with 1280x720 on a few cores.
    #[enum_value(name = "Keeps up with 1280x720 on a few cores", nick = "balanced")]
    Balanced,
    /// The finest paint.
    #[enum_value(name = "The finest paint", nick = "best")]
    Best,
    /// The largest that keeps up.
    #[default]
    #[enum_value(
        name = "Live: the largest that keeps up, changed as need be; else: the largest that paints as fast as the stream plays, chosen before the first frame",
        nick = "auto"
    )]
    Auto,
}

/// Where the network runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstStyleTransferEngine")]
#[non_exhaustive]
pub enum Engine {
    /// The processor, until the way through a GPU has been shown on one.
    #[default]
    #[enum_value(
        name = "The processor (a GPU has to be asked for by name)",
        nick = "auto"
    )]
    Auto,
    /// The processor.
    #[enum_value(name = "The processor", nick = "cpu")]
    Cpu,
    /// An NVIDIA GPU.
    #[enum_value(
        name = "An NVIDIA GPU, by TensorRT, in builds that have it",
        nick = "tensorrt"
    )]
    TensorRt,
}

/// Number format in which the network computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstStyleTransferPrecision")]
#[non_exhaustive]
pub enum Precision {
    /// Half where it is faster and agrees with `f32`.
    #[default]
    #[enum_value(
        name = "Half where the processor is faster in it and it agrees with f32 to 40 dB",
        nick = "auto"
    )]
    Auto,
    /// 32 bit floating point.
    #[enum_value(name = "32 bit floating point", nick = "f32")]
    F32,
    /// 16 bits: bfloat16, float16 or fixed point.
    #[enum_value(
        name = "16 bits: bfloat16, float16 or fixed point, what the processor is fastest in",
        nick = "half"
    )]
    Half,
}

/// How the picture is kept steady from frame to frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstStyleTransferStabilizer")]
#[non_exhaustive]
pub enum Stabilizer {
    /// Every frame is painted by itself.
    #[enum_value(name = "Every frame is painted by itself", nick = "off")]
    Off,
    /// What does not move is held.
    #[enum_value(
        name = "What does not move is held, what moves is painted anew",
        nick = "gate"
    )]
    Gate,
    /// What does not move is held, and what moves takes its paint along.
    #[enum_value(
        name = "What does not move is held, what moves takes its paint along",
        nick = "flow"
    )]
    Flow,
    /// `Flow`, or `Gate` where a live stream leaves no time for it.
    #[default]
    #[enum_value(
        name = "flow; in a live stream whose frames leave no time for it, gate",
        nick = "auto"
    )]
    Auto,
}

glib::wrapper! {
    /// Repaints video with a style network.
    pub struct StyleTransfer(ObjectSubclass<imp::StyleTransfer>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element.
///
/// # Errors
/// If GStreamer refuses it.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "styletransfer",
        gst::Rank::NONE,
        StyleTransfer::static_type(),
    )
}
