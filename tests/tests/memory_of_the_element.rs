//! Memory does not grow with the frames that go through the element.
//!
//! One test, in a binary of its own: what runs beside it would be measured with it.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use tests::data;
use tests::element::{pipeline, run};
use tests::memory::resident_bytes;

#[test]
fn memory_is_flat_over_2000_frames() {
    if resident_bytes().is_none() {
        return data::skip("this system has no /proc/self/smaps_rollup");
    }
    let pipeline = pipeline(
        "videotestsrc num-buffers=2000 ! video/x-raw,format=NV12,width=64,height=64 ! \
         styletransfer name=s quality=balanced precision=f32 ! fakesink sync=false",
    );
    let resident = Arc::new(Mutex::new(Vec::new()));
    let noted = resident.clone();
    let n_frames = AtomicUsize::new(0);
    let src = pipeline
        .by_name("s")
        .and_then(|element| element.static_pad("src"))
        .expect("a pad");
    src.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let n = 1 + n_frames.fetch_add(1, Ordering::Relaxed);
        if n == 200 || n == 2000 {
            noted.lock().unwrap().extend(resident_bytes());
        }
        gst::PadProbeReturn::Ok
    });
    run(&pipeline);
    let resident = resident.lock().unwrap();
    let [after_200, after_2000] = resident[..] else {
        panic!("not all frames came through")
    };
    let grown_kib = after_2000.saturating_sub(after_200) / 1024;
    assert!(
        grown_kib <= 4096,
        "1,800 frames more grew memory by {grown_kib} KiB, wanted at most 4096"
    );
}
