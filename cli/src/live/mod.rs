//! Painting live: source → painter → sinks, for hours.
//!
//! Source, painter and every sink are pipelines of their own on one clock ([`time`]), so that a camera that is pulled out
//! or a server that goes away takes nothing else down: what fails is built anew ([`mod@line`]). Frames and sound go from one
//! to the next through a [`relay`]; viewers that come and fetch are served by [`rtsp`]; where no frames come, a still card ([`card`]) stands in for them, and silence for
//! sound ([`sound`]). `run` ties it together and watches. Keys and a [`page`] change how it is painted ([`controls`]).

mod card;
mod controls;
mod encode;
mod feed;
mod format;
mod heaps;
mod keys;
mod line;
mod node;
mod outlet;
mod pace;
pub mod page;
mod painter;
mod priority;
mod relay;
mod rtsp;
mod run;
mod sink;
mod snapshot;
mod sound;
mod source;
mod target;
mod time;
mod watch;
mod whip;

pub use format::Wish;
pub use heaps::limit as limit_heaps;
pub use priority::lift as lift_priority;
pub use run::{Live, Meters, run};
pub use source::{Sound, Source};
pub use target::Target;
