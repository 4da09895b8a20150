//! Plays a test picture and changes how it is painted while it plays: no frame is lost.
//!
//! ```text
//! cargo run --release -p samples --bin switch-styles
//! ```

use std::time::Duration;

use anyhow::{Context, Result, bail};
use gst::prelude::*;

/// Twenty seconds of a moving ball; `--headless` as argument paints them as fast as can be and shows nothing.
const PIPELINE: &str = "videotestsrc num-buffers=600 pattern=ball \
    ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 \
    ! styletransfer name=paint ! videoconvert";

fn main() -> Result<()> {
    gst::init()?;
    gstimpasto::plugin_register_static()?;
    let is_headless = std::env::args().any(|argument| argument == "--headless");
    let sink = if is_headless {
        "fakesink sync=false"
    } else {
        "autovideosink"
    };
    let pipeline = gst::parse::launch(&format!("{PIPELINE} ! {sink}"))?
        .downcast::<gst::Pipeline>()
        .expect("a line of several elements makes a pipeline");
    let paint = pipeline
        .by_name("paint")
        .context("the line names no element `paint`")?;

    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().context("a pipeline has a bus")?;
    let mut looks = ["best", "balanced"].into_iter().cycle();
    let played = loop {
        use gst::MessageView;

        let Some(message) = bus.timed_pop(gst::ClockTime::from_mseconds(500)) else {
            let quality = looks.next().context("a cycle does not end")?;
            paint.set_property_from_str("quality", quality);
            paint.set_property("strength", if quality == "best" { 1.0_f32 } else { 0.7 });
            println!("{quality}: {}", paint.property::<String>("active-engine"));
            continue;
        };
        match message.view() {
            MessageView::Eos(_) => break Ok(()),
            MessageView::Error(error) => break Err(error.error()),
            _ => (),
        }
    };
    let stats = paint.property::<gst::Structure>("stats");
    pipeline.set_state(gst::State::Null)?;
    played?;

    let (n_in, n_out) = (
        stats.get::<u64>("frames-in")?,
        stats.get::<u64>("frames-out")?,
    );
    let infer = Duration::from_nanos(stats.get("infer-median")?);
    println!("{n_in} frames in, {n_out} painted, {infer:.1?} each in the network");
    if !is_headless && n_out < n_in {
        println!("the others came too late for the screen");
    } else if n_out != n_in {
        bail!("{} frames were lost", n_in - n_out);
    }
    Ok(())
}
