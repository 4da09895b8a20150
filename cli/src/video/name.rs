//! What to call a stream when speaking of it.

/// Name of the codec of a stream, as GStreamer says it.
pub fn codec(caps: &gst::CapsRef) -> String {
    if caps.is_fixed() {
        return gst_pbutils::pb_utils_get_codec_description(caps).to_string();
    }
    match caps.structure(0) {
        Some(structure) => structure.name().to_string(),
        None => "unknown".to_owned(),
    }
}
