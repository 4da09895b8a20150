//! Gives the plugin its commit and date, which GStreamer shows.

fn main() {
    gst_plugin_version_helper::info();
}
