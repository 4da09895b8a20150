//! Live pipelines: what the element answers about latency, and frames that come too late.

use gst::prelude::*;
use tests::card::busy;
use tests::element::{SOON, buffer, caps, format_of, negative, pipeline, same, time};
use tests::picture::Picture;

use crate::Rig;

fn latency(pad: &gst::Pad, of_peer: bool) -> (bool, gst::ClockTime, Option<gst::ClockTime>) {
    let mut query = gst::query::Latency::new();
    assert!(
        if of_peer {
            pad.peer_query(&mut query)
        } else {
            pad.query(&mut query)
        },
        "latency is answered"
    );
    query.result()
}

fn playing(source: &str, settings: &str) -> (gst::Pipeline, gst::Element) {
    let pipeline = pipeline(&format!(
        "{source} ! video/x-raw,format=NV12,width=64,height=48,framerate=30/1 ! styletransfer name=s {settings} ! fakesink"
    ));
    pipeline
        .set_state(gst::State::Playing)
        .expect("a pipeline that starts");
    let element = pipeline.by_name("s").expect("the element");
    let start = std::time::Instant::now();
    let n_out = || {
        element
            .property::<gst::Structure>("stats")
            .get::<u64>("frames-out")
            .expect("a count")
    };
    while n_out() < 3 {
        assert!(start.elapsed().as_secs() < SOON.seconds(), "no frames");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    (pipeline, element)
}

#[test]
fn a_live_pipeline_is_told_the_time_of_one_frame() {
    let (pipeline, element) = playing("videotestsrc is-live=true", "");
    let (sink, src) = (
        element.static_pad("sink").expect("a pad"),
        element.static_pad("src").expect("a pad"),
    );
    let (is_live, before, _) = latency(&sink, true);
    let (is_still_live, after, max) = latency(&src, false);
    assert!(is_live && is_still_live);
    assert!(after > before, "{after} after {before}");
    assert!(after - before <= time(1), "{after} after {before}");
    assert!(max.is_none_or(|max| max >= after), "{after} to {max:?}");
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline that stops");
}

#[test]
fn a_live_pipeline_is_told_when_frames_begin_to_come_out_later() {
    let (pipeline, element) = playing("videotestsrc is-live=true", "");
    let src = element.static_pad("src").expect("a pad");
    let (_, before, _) = latency(&src, false);
    let bus = pipeline.bus().expect("a pipeline has a bus");
    while bus.pop_filtered(&[gst::MessageType::Latency]).is_some() {}
    element.set_property("max-in-flight", 2_u32);
    let start = std::time::Instant::now();
    let interval = gst::ClockTime::SECOND / 30;
    while latency(&src, false).1 < before + interval / 2 {
        let waited = start.elapsed().as_secs();
        assert!(waited < SOON.seconds(), "{} still", latency(&src, false).1);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let told = bus.timed_pop_filtered(SOON, &[gst::MessageType::Latency]);
    assert!(told.is_some(), "nobody told the pipeline");
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline that stops");
}

#[test]
fn at_strength_zero_a_live_pipeline_waits_for_nothing() {
    let (pipeline, element) = playing("videotestsrc is-live=true", "strength=0");
    let (sink, src) = (
        element.static_pad("sink").expect("a pad"),
        element.static_pad("src").expect("a pad"),
    );
    assert_eq!(latency(&sink, true), latency(&src, false));
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline that stops");
}

#[test]
fn a_pipeline_that_is_not_live_is_not_made_so() {
    let (pipeline, element) = playing("videotestsrc", &format!("style={}", same()));
    let pad = |name| element.static_pad(name).expect("a pad");
    assert!(!latency(&pad("src"), false).0);
    assert_eq!(latency(&pad("src"), false), latency(&pad("sink"), true));
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline that stops");
}

#[test]
fn late_frames_are_dropped_and_counted() {
    let caps = caps("NV12", 64, 48);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut rig = Rig::new(&negative(), &caps);
    rig.paint(&photo, 0);
    // Downstream: what was to be shown at frame 1 came five frames late.
    let late = i64::try_from(time(5).nseconds()).expect("a short time");
    let qos = gst::event::Qos::new(gst::QOSType::Underflow, 1.5, late, time(1));
    assert!(rig.harness.push_upstream_event(qos));
    for n in 1..4 {
        rig.harness
            .push(buffer(&photo, &caps, n))
            .expect("a late frame is no error");
    }
    assert_eq!(rig.harness.buffers_in_queue(), 0);
    assert_eq!(
        (
            rig.count("frames-in"),
            rig.count("frames-out"),
            rig.count("frames-late")
        ),
        (4, 1, 3)
    );
    let message = rig.bus.pop_filtered(&[gst::MessageType::Qos]);
    assert!(message.is_some(), "the bus is told of dropped frames");
    let on_time = rig
        .harness
        .push_and_pull(buffer(&photo, &caps, 60))
        .expect("a frame on time");
    assert_eq!(on_time.pts(), Some(time(60)));
    assert_eq!((rig.count("frames-out"), rig.count("frames-late")), (2, 3));
}

#[test]
fn quality_of_service_can_be_switched_off() {
    let caps = caps("NV12", 64, 48);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut rig = Rig::new(&negative(), &caps);
    rig.element.set_property("qos", false);
    rig.paint(&photo, 0);
    let late = i64::try_from(time(5).nseconds()).expect("a short time");
    assert!(rig.harness.push_upstream_event(gst::event::Qos::new(
        gst::QOSType::Underflow,
        1.5,
        late,
        time(1)
    )));
    for n in 1..4 {
        rig.paint(&photo, n);
    }
    assert_eq!(rig.count("frames-late"), 0);
}

#[test]
fn a_live_pipeline_hears_of_a_new_latency() {
    let (pipeline, element) = playing("videotestsrc is-live=true", "strength=0");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    while bus.pop().is_some() {}
    for strength in [1.0_f32, 0.0] {
        element.set_property("strength", strength);
        let told = bus.timed_pop_filtered(SOON, &[gst::MessageType::Latency]);
        let from = told
            .and_then(|message| message.src().cloned())
            .expect("a latency message");
        assert_eq!(from, *element.upcast_ref::<gst::Object>());
        let (sink, src) = (
            element.static_pad("sink").expect("a pad"),
            element.static_pad("src").expect("a pad"),
        );
        let is_more = latency(&src, false).1 > latency(&sink, true).1;
        assert_eq!(is_more, strength > 0.0);
    }
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline that stops");
}
