//! Sizes of network that nobody names.

use gst::prelude::*;
use gst_check::Harness;
use tests::element::{SOON, caps, format_of, pipeline, same};
use tests::picture::Picture;

use crate::Rig;

fn size(element: &gst::Element) -> String {
    let stats = element.property::<gst::Structure>("stats");
    stats.get("quality").expect("a word")
}

/// Paints two frames of a stream of so many frames a second, which is not live, and gives the size.
fn chosen(style: &str, rate: gst::Fraction) -> String {
    let mut caps = caps("RGB", 64, 48);
    caps.make_mut().set("framerate", rate);
    let element = crate::element(style);
    let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
    harness.set_live(false);
    harness.set_src_caps(caps.clone());
    let mut rig = Rig {
        harness,
        element,
        bus: gst::Bus::new(),
        caps: caps.clone(),
    };
    let photo = Picture::of(format_of(&caps), 0, tests::card::busy);
    rig.paint(&photo, 0);
    let size = size(&rig.element);
    let engine: String = rig.element.property("active-engine");
    if !size.is_empty() {
        assert!(engine.contains(&size), "{size}: {engine}");
    }
    rig.paint(&photo, 1);
    assert_eq!(self::size(&rig.element), size, "chosen once");
    size
}

#[test]
fn the_size_of_a_file_is_chosen_by_its_frame_rate() {
    for (rate, wanted) in [
        (gst::Fraction::new(1, 60), "best"),
        (gst::Fraction::new(i32::MAX, 1), "fast"),
        (gst::Fraction::new(0, 1), "best"),
    ] {
        assert_eq!(chosen(engines::styles::DEFAULT, rate), wanted, "{rate}");
    }
}

#[test]
fn a_style_of_one_size_is_used_as_it_is() {
    assert_eq!(chosen(&same(), gst::Fraction::new(i32::MAX, 1)), "");
}

/// Plays a live stream until the element tells of a change of size, and gives that: from, to.
fn first_step(frames: &str) -> (String, String) {
    let pipeline = pipeline(&format!(
        "videotestsrc is-live=true ! video/x-raw,format=NV12,{frames} ! \
         styletransfer name=s qos=false ! fakesink sync=false"
    ));
    let element = pipeline.by_name("s").expect("the element");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    pipeline
        .set_state(gst::State::Playing)
        .expect("a pipeline that starts");
    let message = bus
        .timed_pop_filtered(2 * SOON, &[gst::MessageType::Element])
        .expect("a change of size");
    let step = message.structure().expect("a message of the element");
    assert_eq!(step.name(), "impasto-quality");
    let word = |key: &str| step.get::<String>(key).expect("a word");
    assert!(!word("reason").is_empty());
    let (from, to) = (word("from"), word("to"));
    assert_eq!(size(&element), to);
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline that stops");
    (from, to)
}

#[test]
fn a_live_stream_that_leaves_room_gets_a_larger_size() {
    let step = first_step("width=64,height=48,framerate=5/1");
    assert_eq!(step, ("balanced".to_owned(), "best".to_owned()));
}

#[test]
fn a_live_stream_that_is_too_fast_gets_a_smaller_size() {
    let step = first_step("width=320,height=240,framerate=1000/1");
    assert_eq!(step, ("balanced".to_owned(), "fast".to_owned()));
}

#[test]
fn a_named_size_is_never_changed() {
    let pipeline = pipeline(
        "videotestsrc is-live=true num-buffers=1000 ! \
         video/x-raw,format=NV12,width=160,height=120,framerate=1000/1 ! \
         styletransfer name=s quality=balanced ! fakesink sync=false",
    );
    let element = pipeline.by_name("s").expect("the element");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    pipeline
        .set_state(gst::State::Playing)
        .expect("a pipeline that starts");
    let kinds = [gst::MessageType::Element, gst::MessageType::Eos];
    let message = bus.timed_pop_filtered(4 * SOON, &kinds).expect("an end");
    assert_eq!(message.type_(), gst::MessageType::Eos);
    assert_eq!(size(&element), "balanced");
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline that stops");
}
