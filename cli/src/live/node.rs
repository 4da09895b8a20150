//! What a PipeWire sink has to be helped with, so that clients may come and stop as they like (PipeWire 0.3.65).

use std::sync::Mutex;
use std::time::{Duration, Instant};

use gst::prelude::*;

/// Share of the time between two frames that has to pass before the next one.
const APART: f64 = 0.25;

/// Lets a sink have its buffers ready before it is seen, and gives it no frames in bursts.
///
/// It says how large its buffers have to be only with the first frame. A client that came between the format and that
/// frame has buffers without memory, and the frame that is written into them takes the process down.
///
/// A frame goes out when the next is handed in, one at a time. Of two that come at once the second stays behind, and all
/// that follow are late by one; when all buffers are filled like that, none ever goes out again.
pub fn prepare(sink: &gst::Element, fps: i32) {
    let pad = sink.static_pad("sink").expect("a sink has an entrance");
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |pad, info| {
        if let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view()) {
            activate(pad, &caps.caps_owned());
        }
        gst::PadProbeReturn::Ok
    });
    let apart = Duration::from_secs(1).mul_f64(APART / f64::from(fps));
    let before = Mutex::new(None::<Instant>);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let mut before = before.lock().expect("nobody panics while telling the time");
        if before.is_some_and(|before| before.elapsed() < apart) {
            return gst::PadProbeReturn::Handled;
        }
        *before = Some(Instant::now());
        gst::PadProbeReturn::Ok
    });
}

/// Activates the buffers for frames of these caps.
fn activate(pad: &gst::Pad, caps: &gst::Caps) {
    let mut query = gst::query::Allocation::new(Some(caps), true);
    let Ok(info) = gst_video::VideoInfo::from_caps(caps) else {
        return;
    };
    if !pad.query(query.query_mut()) {
        return;
    }
    let pools: Vec<_> = query
        .allocation_pools()
        .filter_map(|(pool, ..)| pool)
        .collect();
    for pool in pools.iter().filter(|pool| !pool.is_active()) {
        let mut config = pool.config();
        config.set_params(Some(caps), info.size() as u32, 0, 0);
        // If it refuses, it is as ready as it was.
        if pool.set_config(config).is_ok() {
            let _ = pool.set_active(true);
        }
    }
}
