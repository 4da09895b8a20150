//! Streams that start, change, jump, end and start again.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use tests::card::busy;
use tests::element::{SOON, buffer, caps, format_of, negative, picture, pipeline, run, same, time};
use tests::picture::Picture;

use crate::{Rig, assert_same, negated};

#[test]
fn the_element_starts_again_after_null() {
    let pipeline = pipeline(&format!(
        "videotestsrc num-buffers=10 ! video/x-raw,width=64,height=48 ! styletransfer name=s style={} ! fakesink",
        same()
    ));
    let element = pipeline.by_name("s").expect("the element");
    for round in 0..3 {
        run(&pipeline);
        pipeline
            .set_state(gst::State::Ready)
            .expect("a pipeline that stops");
        let stats = element.property::<gst::Structure>("stats");
        let n_out: u64 = stats.get("frames-out").expect("a count");
        assert_eq!(n_out, 10, "round {round}");
        pipeline
            .set_state(gst::State::Null)
            .expect("a pipeline that stops");
    }
}

#[test]
fn caps_may_change_between_frames() {
    let first = caps("NV12", 64, 48);
    let mut rig = Rig::new(&negative(), &first);
    let changes = [
        ("NV12", 80, 48),
        ("NV12", 80, 100),
        ("RGBA", 80, 100),
        ("NV12", 64, 48),
    ];
    for (n, (name, width, height)) in changes.into_iter().enumerate() {
        let caps = caps(name, width, height);
        rig.harness.set_src_caps(caps.clone());
        rig.caps = caps.clone();
        let photo = Picture::of(format_of(&caps), 0, busy);
        assert_same(&rig.paint(&photo, n as u64), &negated(&photo), name);
        let src = rig.element.static_pad("src").expect("a source pad");
        assert_eq!(src.current_caps(), Some(caps));
    }
    assert_eq!(rig.count("frames-out"), 4);
}

#[test]
fn frames_go_on_after_a_flush() {
    let caps = caps("NV12", 64, 48);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut rig = Rig::new(&negative(), &caps);
    rig.paint(&photo, 0);
    assert!(rig.harness.push_event(gst::event::FlushStart::new()));
    assert!(rig.harness.push_event(gst::event::FlushStop::new(true)));
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(time(90));
    assert!(rig.harness.push_event(gst::event::Segment::new(&segment)));
    let painted = rig
        .harness
        .push_and_pull(buffer(&photo, &caps, 90))
        .expect("a frame comes out");
    assert_eq!(painted.pts(), Some(time(90)));
    assert_same(&picture(&painted, &caps), &negated(&photo), "after a flush");
}

/// Types of the events that came out, in order, and where the frames were among them.
fn order(rig: &mut Rig) -> Vec<gst::EventType> {
    std::iter::from_fn(|| rig.harness.try_pull_event())
        .map(|event| event.type_())
        .collect()
}

#[test]
fn segment_gap_tag_and_end_go_through_in_order() {
    let caps = caps("NV12", 64, 48);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut rig = Rig::new(&negative(), &caps);
    rig.paint(&photo, 0);
    order(&mut rig);
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(
        rig.harness
            .push_event(gst::event::Gap::new(time(1), time(1)))
    );
    assert!(rig.harness.push_event(gst::event::Segment::new(&segment)));
    rig.paint(&photo, 2);
    let mut tags = gst::TagList::new();
    tags.make_mut()
        .add::<gst::tags::Title>(&"a film", gst::TagMergeMode::Append);
    assert!(rig.harness.push_event(gst::event::Tag::new(tags)));
    assert!(rig.harness.push_event(gst::event::Eos::new()));
    use gst::EventType::{Eos, Gap, Segment, Tag};
    assert_eq!(order(&mut rig), [Gap, Segment, Tag, Eos]);
    assert_eq!(rig.harness.buffers_received(), 2);
    assert_eq!(
        rig.harness.push(buffer(&photo, &caps, 3)),
        Err(gst::FlowError::Eos)
    );
}

#[test]
fn nothing_is_lost_before_the_end() {
    let (n_in, n_out, is_in_order) = count_through("videotestsrc num-buffers=57");
    assert_eq!((n_in, n_out, is_in_order), (57, 57, true));
}

/// Frames into the element, out of it, and whether they came out in the order of their times.
fn count_through(source: &str) -> (usize, usize, bool) {
    let pipeline = pipeline(&format!(
        "{source} ! video/x-raw,format=NV12,width=64,height=48 ! styletransfer name=s style={} ! fakesink",
        same()
    ));
    let element = pipeline.by_name("s").expect("the element");
    let times = ["sink", "src"].map(|pad| {
        let times = Arc::new(Mutex::new(Vec::new()));
        let noted = times.clone();
        let pad = element.static_pad(pad).expect("a pad");
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            noted
                .lock()
                .unwrap()
                .extend(info.buffer().and_then(|buffer| buffer.pts()));
            gst::PadProbeReturn::Ok
        });
        times
    });
    run(&pipeline);
    let [into, out] = times.map(|times| times.lock().unwrap().clone());
    (into.len(), out.len(), out.is_sorted_by(|a, b| a < b))
}

#[test]
fn a_seek_goes_through() {
    let pipeline = pipeline(&format!(
        "videotestsrc ! video/x-raw,format=NV12,width=64,height=48,framerate=25/1 ! styletransfer style={} ! \
         appsink name=sink sync=false max-buffers=2",
        same()
    ));
    let sink: gst_app::AppSink = pipeline.by_name("sink").and_downcast().expect("the sink");
    pipeline
        .set_state(gst::State::Playing)
        .expect("a pipeline that starts");
    let pts = || {
        sink.try_pull_sample(SOON)
            .and_then(|sample| sample.buffer()?.pts())
    };
    for _ in 0..10 {
        assert!(pts().is_some(), "frames before the seek");
    }
    for seconds in [20, 3] {
        let there = gst::ClockTime::from_seconds(seconds);
        pipeline
            .seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, there)
            .expect("a seek");
        assert_eq!(pts(), Some(there));
        assert_eq!(pts(), Some(there + gst::ClockTime::from_mseconds(40)));
    }
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline that stops");
}
