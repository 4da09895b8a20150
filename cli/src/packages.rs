//! Which Debian package has which GStreamer element: named whenever one is missing.

use anyhow::bail;

/// Package of every element that this program may ask for by name.
const PACKAGES: &[(&str, &[&str])] = &[
    (
        "libgstreamer1.0-0",
        &[
            "filesrc",
            "filesink",
            "fakesink",
            "queue",
            "capsfilter",
            "identity",
        ],
    ),
    (
        "gstreamer1.0-plugins-base",
        &[
            "parsebin",
            "videoconvert",
            "audioconvert",
            "audioresample",
            "opusenc",
            "videotestsrc",
            "typefind",
            "appsrc",
            "appsink",
            "opusdec",
            "vorbisdec",
            "decodebin",
            "uridecodebin",
            "videorate",
            "videoscale",
            "audiotestsrc",
        ],
    ),
    (
        "gstreamer1.0-plugins-good",
        &[
            "rtspsrc",
            "qtdemux",
            "matroskademux",
            "avidemux",
            "mp4mux",
            "qtmux",
            "matroskamux",
            "webmmux",
            "vp8enc",
            "vp9enc",
            "vp8dec",
            "vp9dec",
            "deinterlace",
            "videoflip",
            "videocrop",
            "capssetter",
            "aacparse",
            "ac3parse",
            "mpegaudioparse",
            "flacparse",
            "v4l2src",
            "v4l2sink",
            "udpsink",
            "flvmux",
            "pulsesrc",
            "jpegenc",
            "rtph264pay",
            "rtpmp4gpay",
        ],
    ),
    (
        "gstreamer1.0-plugins-bad",
        &[
            "h264parse",
            "h265parse",
            "vp9parse",
            "av1parse",
            "opusparse",
            "av1enc",
            "x265enc",
            "voaacenc",
            "tsdemux",
            "mpegtsmux",
            "srtsink",
            "rtmp2sink",
            "webrtcbin",
            "srtpenc",
        ],
    ),
    ("gstreamer1.0-plugins-ugly", &["x264enc"]),
    ("gstreamer1.0-alsa", &["alsasrc"]),
    ("gstreamer1.0-nice", &["nicesink"]),
    ("gstreamer1.0-x", &["xvimagesink", "ximagesink"]),
    ("gstreamer1.0-gl", &["glimagesink"]),
    ("gstreamer1.0-pipewire", &["pipewiresrc", "pipewiresink"]),
    (
        "gstreamer1.0-libav",
        &["avenc_aac", "avdec_h264", "avdec_h265", "avdec_aac"],
    ),
];

/// Debian's package of an element.
pub fn package_of(element: &str) -> &'static str {
    PACKAGES
        .iter()
        .find(|(_, elements)| elements.contains(&element))
        .map_or("a GStreamer plugin package", |(package, _)| package)
}

/// Whether GStreamer has an element.
pub fn has(element: &str) -> bool {
    gst::ElementFactory::find(element).is_some()
}

/// Refuses to go on without an element.
///
/// # Errors
/// Names the element and the package that has it.
pub fn require(element: &str) -> anyhow::Result<()> {
    if !has(element) {
        bail!(
            "GStreamer has no element `{element}`; install {} (or what your system calls it)",
            package_of(element)
        );
    }
    Ok(())
}

/// Makes an element.
///
/// # Errors
/// As [`require`], or if it cannot be made.
pub fn make(element: &str) -> anyhow::Result<gst::Element> {
    require(element)?;
    Ok(gst::ElementFactory::make(element).build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_lead_to_packages() {
        assert_eq!(package_of("x264enc"), "gstreamer1.0-plugins-ugly");
        assert_eq!(package_of("unheard-of"), "a GStreamer plugin package");
    }

    #[test]
    fn a_missing_element_is_an_error_that_names_it() {
        gst::init().unwrap();
        let error = require("unheard-of").unwrap_err().to_string();
        assert!(error.contains("`unheard-of`"), "{error}");
    }
}
