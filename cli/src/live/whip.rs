//! Publishing by WebRTC (WHIP), in builds that have it: an element of its own that encodes as the line to the server allows.

/// Whether anything can be published.
///
/// # Errors
/// If this build cannot, or GStreamer lacks what it takes.
pub fn check(address: &str) -> anyhow::Result<()> {
    element(address).map(drop)
}

/// The element that frames and sound go into.
///
/// # Errors
/// As [`check`].
#[cfg(feature = "whip")]
pub fn element(address: &str) -> anyhow::Result<gst::Element> {
    use crate::packages::{make, require};
    use anyhow::Context;
    use gst::prelude::*;

    gstrswebrtc::plugin_register_static().context("setting up WHIP")?;
    // What it is made of is asked for only when it runs.
    for part in ["webrtcbin", "nicesink", "srtpenc", "rtph264pay", "opusenc"] {
        require(part)?;
    }
    let sink = make("whipclientsink")?;
    // One encoder, and one that every server takes.
    let caps = gst::Caps::new_empty_simple("video/x-h264");
    sink.set_property("video-caps", caps);
    // A server that takes streams can be reached; nobody else has to be asked where we are.
    sink.set_property("stun-server", None::<&str>);
    sink.set_property_from_str("congestion-control", "disabled");
    let signaller: gst::glib::Object = sink.property("signaller");
    signaller.set_property("whip-endpoint", address);
    Ok(sink)
}

#[cfg(not(feature = "whip"))]
pub fn element(address: &str) -> anyhow::Result<gst::Element> {
    anyhow::bail!(
        "whip:{address}: this build does not publish by WHIP; `cargo build --release --features whip` makes one that does"
    )
}

#[cfg(all(test, not(feature = "whip")))]
mod tests {
    #[test]
    fn a_build_without_it_tells_how_to_get_it() {
        let error = super::check("http://127.0.0.1:1/x").unwrap_err();
        assert!(error.to_string().contains("--features whip"), "{error}");
    }
}

#[cfg(all(test, feature = "whip"))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use gst::prelude::*;

    use crate::live::feed::Feed;
    use crate::live::line::Build;
    use crate::live::outlet::Outlet;
    use crate::live::sink::Sink;
    use crate::packages::make;

    /// A server that counts what it gets of frames and of sound.
    fn server(address: &str) -> (gst::Pipeline, [Arc<AtomicUsize>; 2]) {
        let counts = [0; 2].map(|_| Arc::new(AtomicUsize::new(0)));
        let [n_frames, n_sounds] = counts.clone();
        let (pipeline, source) = (gst::Pipeline::new(), make("whipserversrc").unwrap());
        let signaller: gst::glib::Object = source.property("signaller");
        signaller.set_property("host-addr", address);
        pipeline.add(&source).unwrap();
        let weak = pipeline.downgrade();
        source.connect_pad_added(move |_, pad| {
            let end = gst_app::AppSink::builder()
                .sync(false)
                .async_(false)
                .build();
            let n = if pad.name().starts_with("video") {
                n_frames.clone()
            } else {
                n_sounds.clone()
            };
            let taken = gst_app::AppSinkCallbacks::builder().new_sample(move |end| {
                n.fetch_add(1, Ordering::Relaxed);
                end.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                Ok(gst::FlowSuccess::Ok)
            });
            end.set_callbacks(taken.build());
            weak.upgrade().unwrap().add(&end).unwrap();
            end.sync_state_with_parent().unwrap();
            pad.link(&end.static_pad("sink").unwrap()).unwrap();
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        (pipeline, counts)
    }

    #[test]
    fn frames_and_sound_reach_a_server() {
        let feed = Feed::small();
        super::check("http://127.0.0.1:1/x").unwrap();
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("http://{}", socket.local_addr().unwrap());
        drop(socket);
        let (server, counts) = server(&host);
        let address = format!("{host}/whip/endpoint");
        let mut outlet = Outlet::new(Sink::Whip(address), feed.clone());
        let pipeline = outlet.build().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let start = Instant::now();
        let is_enough = |n: &Arc<AtomicUsize>| n.load(Ordering::Relaxed) > 20;
        while !counts.iter().all(is_enough) {
            assert!(start.elapsed() < Duration::from_secs(60), "{counts:?}");
            feed.give();
            std::thread::sleep(Duration::from_millis(40));
        }
        for pipeline in [pipeline, server] {
            pipeline.set_state(gst::State::Null).unwrap();
        }
    }
}
