//! GStreamer plugin `impasto`: the element `styletransfer` repaints video with a style network.
//!
//! Built as a library that GStreamer loads by itself, and as a crate that a program registers with
//! [`plugin_register_static`].

#![forbid(unsafe_code)]
#![expect(
    missing_docs,
    reason = "plugin_define! and derived properties make public items without docs"
)]

use gst::glib;

mod error;
mod frame;

pub mod styletransfer;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    styletransfer::register(plugin)
}

gst::plugin_define!(
    impasto,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
    "MIT/X11",
    env!("CARGO_PKG_NAME"),
    "impasto",
    "Unknown package origin",
    env!("BUILD_REL_DATE")
);
