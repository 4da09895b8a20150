//! Several frames inside the element at once: none is lost, none overtakes another, and the paint is the same.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use tests::element::{init, negative, pipeline, run, same};

/// Timestamp and bytes of every frame that leaves `text`, a pipeline whose element `paint` is changed by
/// `change` when its n-th frame arrives.
fn frames(
    text: &str,
    change: impl Fn(usize, &gst::Element) + Send + Sync + 'static,
) -> Vec<(u64, Vec<u8>)> {
    init();
    let pipeline = pipeline(text);
    let paint = pipeline.by_name("paint").expect("an element named `paint`");
    let n_in = Mutex::new(0);
    let element = paint.downgrade();
    let sink = paint.static_pad("sink").expect("a sink pad");
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let mut n_in = n_in.lock().unwrap();
        if let Some(element) = element.upgrade() {
            change(*n_in, &element);
        }
        *n_in += 1;
        gst::PadProbeReturn::Ok
    });
    let frames = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&frames);
    let source = paint.static_pad("src").expect("a source pad");
    source.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer() {
            let bytes = buffer.map_readable().expect("readable memory").to_vec();
            let time = buffer.pts().expect("a timestamp").nseconds();
            noted.lock().unwrap().push((time, bytes));
        }
        gst::PadProbeReturn::Ok
    });
    run(&pipeline);
    let frames = frames.lock().unwrap();
    frames.clone()
}

fn line(n_in_flight: usize) -> String {
    format!(
        "videotestsrc num-buffers=40 pattern=ball ! video/x-raw,format=NV12,width=96,height=64 \
         ! styletransfer name=paint precision=f32 stabilizer=flow max-in-flight={n_in_flight} ! fakesink sync=false"
    )
}

#[test]
fn the_paint_is_the_same_however_many_are_in_flight() {
    let one = frames(&line(1), |_, _| ());
    assert_eq!(one.len(), 40);
    for n_in_flight in [2, 3, 8] {
        let several = frames(&line(n_in_flight), |_, _| ());
        let times =
            |frames: &[(u64, Vec<u8>)]| frames.iter().map(|(time, _)| *time).collect::<Vec<_>>();
        assert_eq!(times(&several), times(&one), "{n_in_flight} in flight");
        for ((_, a), (_, b)) in several.iter().zip(&one) {
            let largest = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(largest <= Some(1), "{n_in_flight} in flight: {largest:?}");
        }
    }
}

#[test]
fn changes_lose_and_reorder_nothing() {
    let styles = [same(), negative()];
    let changed = frames(&line(3), move |n, paint| {
        if n % 4 == 0 {
            paint.set_property("style", &styles[n / 4 % 2]);
        }
        // Off and on again while frames are inside.
        paint.set_property("strength", if n % 5 == 3 { 0.0_f32 } else { 1.0 });
    });
    assert_eq!(changed.len(), 40);
    assert!(changed.is_sorted_by_key(|(time, _)| *time));
}

#[test]
fn their_number_changes_while_they_are_inside() {
    let n_changes = Arc::new(AtomicUsize::new(0));
    let counted = n_changes.clone();
    let long = line(1).replace("num-buffers=40", "num-buffers=1200");
    let changed = frames(&long, move |n, paint| {
        if n == 0 {
            let counted = counted.clone();
            paint.connect_notify(Some("active-engine"), move |_, _| {
                counted.fetch_add(1, Ordering::Relaxed);
            });
        }
        if n % 300 == 0 {
            paint.set_property("max-in-flight", [2_u32, 5, 1, 3][n / 300]);
        }
    });
    assert_eq!(changed.len(), 1200);
    assert!(changed.is_sorted_by(|(a, _), (b, _)| a < b));
    let n_changes = n_changes.load(Ordering::Relaxed);
    assert!(
        n_changes > 1,
        "{n_changes} changes of four were made in time"
    );
}

#[test]
fn frames_in_flight_leave_before_a_seek_is_done_or_are_forgotten() {
    init();
    let pipeline = pipeline(&line(3).replace("num-buffers=40 ", ""));
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let (done, ..) = pipeline.state(gst::ClockTime::from_seconds(30));
    done.expect("it plays within 30 s");
    for second in [5, 1, 3] {
        pipeline
            .seek_simple(gst::SeekFlags::FLUSH, gst::ClockTime::from_seconds(second))
            .expect("it seeks");
        let (done, ..) = pipeline.state(gst::ClockTime::from_seconds(30));
        done.expect("it plays on within 30 s");
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
}
