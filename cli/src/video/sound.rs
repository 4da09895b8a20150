//! Encoding sound that cannot be copied.

use anyhow::bail;
use gst::prelude::*;

use crate::packages::{self, make};

/// Bits per second and channel: beyond what listeners tell from the original, in AAC as in Opus.
const CHANNEL_BITRATE: i32 = 80_000;

/// The usual places of so many unnamed channels, as GStreamer's `gst_audio_channel_get_fallback_mask` has them.
const USUAL_PLACES: [(i32, u64); 6] = [
    (3, 0xb),
    (4, 0x33),
    (5, 0x37),
    (6, 0x3f),
    (7, 0x13f),
    (8, 0xc3f),
];

/// The first installed of `names`, set up for a stream of `caps`.
///
/// # Errors
/// If none is installed.
pub fn encoder(names: &[&str], caps: &gst::CapsRef) -> anyhow::Result<gst::Element> {
    let Some(name) = names.iter().find(|name| packages::has(name)) else {
        bail!(
            "GStreamer has none of the encoders {}; install {}",
            names.join(", "),
            packages::package_of(names[0])
        );
    };
    let encoder = make(name)?;
    let bitrate = n_channels(caps).unwrap_or(2).clamp(1, 8) * CHANNEL_BITRATE;
    encoder.set_property_from_str("bitrate", &bitrate.to_string());
    Ok(encoder)
}

/// What names the channels of raw sound that does not do so itself, as encoders refuse it.
///
/// # Errors
/// If the element is not installed.
pub fn place_channels(caps: &gst::CapsRef) -> anyhow::Result<Option<gst::Element>> {
    let Some(raw) = caps
        .structure(0)
        .filter(|structure| structure.name() == "audio/x-raw")
    else {
        return Ok(None);
    };
    let is_placed = raw
        .get::<gst::Bitmask>("channel-mask")
        .is_ok_and(|mask| mask.0 != 0);
    let usual = USUAL_PLACES
        .iter()
        .find(|(n, _)| n_channels(caps) == Some(*n));
    let Some((_, mask)) = usual.filter(|_| !is_placed) else {
        return Ok(None);
    };
    let relabel = make("capssetter")?;
    let caps = gst::Caps::builder("audio/x-raw")
        .field("channel-mask", gst::Bitmask::new(*mask))
        .build();
    relabel.set_property("caps", caps);
    Ok(Some(relabel))
}

fn n_channels(caps: &gst::CapsRef) -> Option<i32> {
    caps.structure(0)?.get("channels").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unnamed_channels_are_named() {
        gst::init().unwrap();
        let caps = |n: i32, mask: u64| {
            gst::Caps::builder("audio/x-raw")
                .field("channels", n)
                .field("channel-mask", gst::Bitmask::new(mask))
                .build()
        };
        assert!(place_channels(&caps(6, 0)).unwrap().is_some());
        assert!(place_channels(&caps(6, 0x3f)).unwrap().is_none());
        assert!(place_channels(&caps(2, 0)).unwrap().is_none());
    }
}
