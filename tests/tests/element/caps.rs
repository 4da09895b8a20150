//! Which video the element takes, and what it says to the rest.

use engines::PixelFormat;
use gst::prelude::*;
use tests::card::busy;
use tests::element::{SOON, caps, format_of, negative, same};
use tests::picture::Picture;

use crate::{Rig, assert_same, element, negated};

#[test]
fn every_format_is_painted() {
    for pixels in PixelFormat::ALL {
        for (width, height) in [(16, 16), (17, 33), (121, 67)] {
            let caps = caps(pixels.name(), width, height);
            let photo = Picture::of(format_of(&caps), 0, busy);
            let painted = Rig::new(&negative(), &caps).paint(&photo, 0);
            assert_same(&painted, &negated(&photo), pixels.name());
        }
    }
}

#[test]
fn colorimetry_says_matrix_and_range() {
    for colorimetry in [
        "bt601", "bt709", "bt2020", "1:4:0:0", "1:3:0:0", "2:4:7:3", "1:1:0:0",
    ] {
        for name in ["NV12", "I420"] {
            let mut caps = caps(name, 64, 48);
            caps.make_mut().set("colorimetry", colorimetry);
            let photo = Picture::of(format_of(&caps), 0, busy);
            let painted = Rig::new(&negative(), &caps).paint(&photo, 0);
            assert_same(&painted, &negated(&photo), colorimetry);
        }
    }
}

#[test]
fn other_formats_and_sizes_are_refused_by_the_pads() {
    let element = element(&same());
    element
        .set_state(gst::State::Paused)
        .expect("an element that starts");
    let sink = element.static_pad("sink").expect("a sink pad");
    assert!(sink.query_accept_caps(&caps("NV12", 8192, 8192)));
    for refused in [
        caps("GRAY8", 64, 64),
        caps("YUY2", 64, 64),
        caps("NV12", 8, 8),
        caps("NV12", 64, 15),
        caps("NV12", 8193, 64),
        gst::Caps::new_empty_simple("audio/x-raw"),
        gst::Caps::new_empty_simple("video/x-h264"),
    ] {
        assert!(!sink.query_accept_caps(&refused), "{refused}");
    }
    let mut in_a_gpu = caps("NV12", 64, 64);
    in_a_gpu
        .make_mut()
        .set_features(0, Some(gst::CapsFeatures::new(["memory:CUDAMemory"])));
    assert!(!sink.query_accept_caps(&in_a_gpu));
    element
        .set_state(gst::State::Null)
        .expect("an element that stops");
}

#[test]
fn interlaced_and_hdr_video_is_refused_in_words() {
    for (field, value, words) in [
        (
            "interlace-mode",
            "interleaved",
            ["interlaced", "deinterlace"],
        ),
        ("interlace-mode", "mixed", ["interlaced", "deinterlace"]),
        ("colorimetry", "bt2100-pq", ["HDR", "tone"]),
        ("colorimetry", "bt2100-hlg", ["HDR", "tone"]),
    ] {
        let mut caps = caps("P010_10LE", 64, 48);
        caps.make_mut().set(field, value);
        let photo = Picture::of(format_of(&caps), 0, busy);
        let mut rig = Rig::new(&same(), &caps);
        let pushed = rig.harness.push(tests::element::buffer(&photo, &caps, 0));
        assert_eq!(pushed, Err(gst::FlowError::NotNegotiated), "{value}");
        let message = rig
            .bus
            .timed_pop_filtered(SOON, &[gst::MessageType::Error])
            .expect("an error on the bus");
        let gst::MessageView::Error(error) = message.view() else {
            unreachable!("filtered")
        };
        assert!(
            error.error().matches(gst::StreamError::Format),
            "{value}: {:?}",
            error.error()
        );
        let text = format!("{} {:?}", error.error(), error.debug());
        for word in words {
            assert!(text.contains(word), "{value}: no `{word}` in: {text}");
        }
    }
}

#[test]
fn caps_go_through_as_they_are() {
    let mut caps = caps("NV12", 64, 48);
    let structure = caps.make_mut();
    structure.set("pixel-aspect-ratio", gst::Fraction::new(4, 3));
    structure.set("colorimetry", "bt601");
    structure.set("chroma-site", "mpeg2");
    structure.set("interlace-mode", "progressive");
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut rig = Rig::new(&same(), &caps);
    rig.paint(&photo, 0);
    let src = rig.element.static_pad("src").expect("a source pad");
    assert_eq!(src.current_caps(), Some(caps));
}

#[test]
fn a_frame_before_caps_is_refused() {
    let element = element(&same());
    let mut harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
    harness.play();
    let caps = caps("NV12", 64, 48);
    let sink = element.static_pad("sink").expect("a sink pad");
    assert!(sink.send_event(gst::event::StreamStart::new("test")));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(sink.send_event(gst::event::Segment::new(&segment)));
    let photo = Picture::of(format_of(&caps), 0, busy);
    let pushed = sink.chain(tests::element::buffer(&photo, &caps, 0));
    assert_eq!(pushed, Err(gst::FlowError::NotNegotiated));
}
