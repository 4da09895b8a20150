//! Clips that were filmed with the camera turned: their pixels are turned before they are painted, and the
//! tag that says so is dropped, or players would turn the painting once more.

use gst::prelude::*;
use gst_video::VideoOrientationMethod;

use crate::packages;

/// Elements that turn frames upright; none for frames that are.
///
/// # Errors
/// If an element is not installed.
pub fn turn(orientation: VideoOrientationMethod) -> anyhow::Result<Vec<gst::Element>> {
    if orientation == VideoOrientationMethod::Identity {
        return Ok(Vec::new());
    }
    let flip = packages::make("videoflip")?;
    flip.set_property("video-direction", orientation);
    Ok(vec![packages::make("videoconvert")?, flip])
}

/// Whether turning makes width of height.
pub fn swaps_sides(orientation: VideoOrientationMethod) -> bool {
    use VideoOrientationMethod::{_90l, _90r, UlLr, UrLl};
    matches!(orientation, _90l | _90r | UlLr | UrLl)
}

/// Takes the orientation out of every tag that passes `pad`.
pub fn forget(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| {
        if let Some(gst::PadProbeData::Event(event)) = &mut info.data
            && let gst::EventView::Tag(tag) = event.view()
            && tag.tag().index::<gst::tags::ImageOrientation>(0).is_some()
        {
            let mut tags = tag.tag_owned();
            tags.make_mut().remove::<gst::tags::ImageOrientation>();
            *event = gst::event::Tag::new(tags);
        }
        gst::PadProbeReturn::Ok
    });
}
