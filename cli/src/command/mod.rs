//! The subcommands, one file each.

mod bench;
mod doctor;
#[cfg(any(feature = "tensorrt", feature = "tensorrt-enterprise"))]
mod engine;
mod evaluate;
mod image;
mod live;
mod styles;
mod video;

use clap::Subcommand;

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    Video(video::Video),
    Image(image::Image),
    Live(live::Live),
    Styles(styles::Styles),
    #[cfg(any(feature = "tensorrt", feature = "tensorrt-enterprise"))]
    Engine(engine::Engine),
    /// Builds, lists and removes the engines that NVIDIA GPUs run: not in this build
    #[cfg(not(any(feature = "tensorrt", feature = "tensorrt-enterprise")))]
    #[command(disable_help_flag = true)]
    Engine {
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    Doctor(doctor::Doctor),
    Bench(bench::Bench),
    Evaluate(evaluate::Evaluate),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Whatever stops it.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Video(video) => video.run(),
            Self::Image(image) => image.run(),
            Self::Live(live) => live.run(),
            Self::Styles(styles) => styles.run(),
            #[cfg(any(feature = "tensorrt", feature = "tensorrt-enterprise"))]
            Self::Engine(engine) => engine.run(),
            #[cfg(not(any(feature = "tensorrt", feature = "tensorrt-enterprise")))]
            Self::Engine { .. } => Err(engines::Error::TensorRtNotBuilt.into()),
            Self::Doctor(doctor) => doctor.run(),
            Self::Bench(bench) => bench.run(),
            Self::Evaluate(evaluate) => evaluate.run(),
        }
    }
}

/// Gets GStreamer ready, with the element `styletransfer` in it.
///
/// # Errors
/// If GStreamer does not start.
pub fn start_gstreamer() -> anyhow::Result<()> {
    use anyhow::Context;
    gst::init().context("starting GStreamer")?;
    gstimpasto::plugin_register_static().context("registering the element styletransfer")
}
