//! What can go wrong, one variant per thing a caller can react to.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong: each message names the thing, what was found, what was wanted and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A frame too small or too large.
    #[error(
        "frame is {width}x{height} pixels, wanted 16 to 8192 each way; scale it first, for example with videoscale"
    )]
    FrameSize {
        /// Width found, in pixels.
        width: usize,
        /// Height found, in pixels.
        height: usize,
    },

    /// A plane of a frame that does not hold its rows.
    #[error(
        "plane {plane_idx} of a {format} frame has {len_bytes} bytes at stride {stride_bytes}, wanted {n_rows} rows of {width_bytes} bytes"
    )]
    Plane {
        /// Name of the pixel format.
        format: &'static str,
        /// Which plane.
        plane_idx: usize,
        /// Bytes found.
        len_bytes: usize,
        /// Stride found.
        stride_bytes: usize,
        /// Bytes of a row.
        width_bytes: usize,
        /// Rows.
        n_rows: usize,
    },

    /// A frame in another format than the engine was opened for.
    #[error("frame is {found}, but the engine was opened for {wanted}; open a new engine")]
    FrameFormat {
        /// Format and size found.
        found: String,
        /// Format and size wanted.
        wanted: String,
    },

    /// A frame in memory that the engine does not work in.
    #[error(
        "the frame lies on a GPU in another context than this engine works in; hand it over in this machine's memory"
    )]
    ForeignFrame,

    /// A setting outside its range.
    #[error("{name} is {found}, wanted {wanted}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// Value found.
        found: String,
        /// Values wanted.
        wanted: &'static str,
    },

    /// No style of that name.
    #[error(
        "no style `{name}`; there are: {known}; or give the path of an .onnx file, or install one with `impasto styles add FILE`"
    )]
    StyleNotFound {
        /// Name asked for.
        name: String,
        /// Names that exist.
        known: String,
    },

    /// A style that does not exist in that size.
    #[error("style `{name}` has no network of quality `{wanted}`; it has: {known}")]
    QualityNotFound {
        /// Name of the style.
        name: String,
        /// Quality asked for.
        wanted: &'static str,
        /// Qualities that exist.
        known: String,
    },

    /// Styles that cannot be mixed.
    #[error("mix `{mix}`: {reason}")]
    Mix {
        /// The mix asked for.
        mix: String,
        /// What was found, what was wanted, the remedy.
        reason: String,
    },

    /// A file that cannot be read or written.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was being done: `reading`, `writing`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },

    /// A file that is no usable style.
    #[error("{name} is not a usable style: {reason}")]
    Style {
        /// File or style.
        name: String,
        /// What was found, what was wanted, the remedy.
        reason: String,
    },

    /// A sidecar that cannot be understood.
    #[error("sidecar {}: {reason}", path.display())]
    Sidecar {
        /// The file.
        path: PathBuf,
        /// What was found and what was wanted.
        reason: String,
    },

    /// The OpenVINO runtime is missing or does not load.
    #[error(
        "the OpenVINO runtime was not found; looked in {looked}; run `./setup deps` in Impasto's source folder, or set IMPASTO_OPENVINO to the folder of libopenvino_c.so"
    )]
    OpenVinoMissing {
        /// Every place that was searched, with what was found there.
        looked: String,
    },

    /// TensorRT is missing or does not load.
    #[error(
        "{wanted} was not found; looked in {looked}; run `./setup nvidia` in Impasto's source folder, or set IMPASTO_TENSORRT to the folder of {library}"
    )]
    TensorRtMissing {
        /// Name and version.
        wanted: String,
        /// Its main file.
        library: &'static str,
        /// Every place that was searched, with what was found there.
        looked: String,
    },

    /// This build of the library cannot use TensorRT.
    #[error(
        "this build has no TensorRT in it; build it with `--features tensorrt`, as `./setup nvidia` in Impasto's source folder does"
    )]
    TensorRtNotBuilt,

    /// No GPU that can be used.
    #[error("no NVIDIA GPU can be used: {reason}")]
    Gpu {
        /// What was found, what was wanted, the remedy.
        reason: String,
    },

    /// Not enough memory of a GPU, or of this machine for its use.
    #[error("{reason}")]
    GpuMemory {
        /// What was wanted, what was found, the remedy.
        reason: String,
    },

    /// Not enough memory for frames of this size.
    #[error(
        "painting at {width}x{height} needs about {needed_mib} MiB of memory, {available_mib} MiB are free; set processing-size or max-in-flight lower, or choose a smaller quality"
    )]
    Memory {
        /// Width at which the network would work.
        width: usize,
        /// Height at which the network would work.
        height: usize,
        /// Estimate of what it needs.
        needed_mib: u64,
        /// What the system has.
        available_mib: u64,
    },

    /// The runtime refused an operation.
    #[error("{action}: {reason}")]
    Runtime {
        /// What was being done.
        action: &'static str,
        /// The runtime's own words.
        reason: String,
    },

    /// A frame was submitted to an engine whose slots are all taken.
    #[error("all {max_in_flight} slots of the engine are taken; receive a frame first")]
    Full {
        /// Number of slots.
        max_in_flight: usize,
    },
}
