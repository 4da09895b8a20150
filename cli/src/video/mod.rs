//! Painting a film: file → tracks → frames → element `styletransfer` → encoder → file.
//!
//! `probe` looks at the input, `container` and `encoder` say what goes into which output, `pipeline` builds
//! the video's way, `tracks` adds sound and subtitles, and `run` watches it all to the end.

mod container;
mod decoder;
mod encoder;
pub mod failure;
mod meter;
mod name;
mod orientation;
mod pipeline;
mod probe;
mod progress;
mod run;
mod sound;
mod subtitles;
mod tracks;

pub use container::Container;
pub use encoder::{Codec, Video};
pub use meter::Meter;
pub use pipeline::{Painting, Plan, chain};
pub use probe::{Clip, probe};
pub use progress::{Progress, rounded, seconds};
pub use run::run;
