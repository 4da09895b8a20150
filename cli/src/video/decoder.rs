//! Choosing decoders. Unlike `decodebin`, this has its pads from the start, so that every track is linked to
//! the muxer before the first byte flows.

use anyhow::bail;
use gst::prelude::*;

/// The best installed decoder for a stream, ready to run; none for a stream that is not encoded.
///
/// # Errors
/// If none is installed or works.
pub fn decoder(caps: &gst::CapsRef) -> anyhow::Result<Option<gst::Element>> {
    if caps
        .structure(0)
        .is_some_and(|structure| structure.name().ends_with("/x-raw"))
    {
        return Ok(None);
    }
    let mut factories: Vec<_> = gst::ElementFactory::factories_with_type(
        gst::ElementFactoryType::DECODER,
        gst::Rank::MARGINAL,
    )
    .into_iter()
    .filter(|factory| factory.can_sink_any_caps(caps))
    .collect();
    // Some decoders take only a special kind of a codec: those that take all that the stream may be go first.
    factories.sort_by_key(|factory| {
        std::cmp::Reverse((factory.can_sink_all_caps(caps), factory.rank()))
    });
    // A hardware decoder may be installed and yet find no hardware: only opening it tells.
    let opened = factories.iter().find_map(|factory| {
        let element = factory.create().build().ok()?;
        if element.set_state(gst::State::Ready).is_ok() {
            return Some(element);
        }
        let _ = element.set_state(gst::State::Null);
        None
    });
    if opened.is_none() {
        bail!(
            "no decoder for {}; install gstreamer1.0-libav and gstreamer1.0-plugins-bad",
            gst_pbutils::pb_utils_get_codec_description(caps)
        );
    }
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_streams_need_no_decoder_and_unknown_ones_have_none() {
        gst::init().unwrap();
        let raw = gst::Caps::new_empty_simple("audio/x-raw");
        assert!(decoder(&raw).unwrap().is_none());
        let unknown = gst::Caps::new_empty_simple("video/x-unheard-of");
        assert!(decoder(&unknown).is_err());
    }
}
