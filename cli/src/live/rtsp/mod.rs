//! A stream that viewers fetch (RTSP): one encoder for all of them, and none while there is nobody.
//!
//! [`stream`] makes the pipeline of the stream when the first viewer asks for it; here is the server that viewers talk to.

mod stream;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use gst::glib;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPFilterResult, RTSPServer, RTSPSessionPool, gio};

use super::feed::Feed;
use crate::report::warn;
use stream::{Stream, factory};

/// Where the stream is unless another address is named.
pub const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8554);
const PATH: &str = "/impasto";
/// What a viewer may send with a request, in bytes; players send nothing.
const LONGEST_REQUEST: u32 = 64 << 10;
/// Time between two looks for viewers that have gone without a word.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// How long viewers may take to be sent away at the end.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Where a stream is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// An address of this machine.
    pub address: SocketAddr,
    /// The stream's name at that address, with a slash before it.
    pub path: String,
}

impl Default for Mount {
    fn default() -> Self {
        Self {
            address: ADDRESS,
            path: PATH.to_owned(),
        }
    }
}

impl FromStr for Mount {
    type Err = String;

    /// Reads `[HOST]:PORT[/PATH]`; without a host it is this machine alone.
    fn from_str(text: &str) -> Result<Self, String> {
        let (host, path) = text
            .find('/')
            .map_or((text, ""), |slash| text.split_at(slash));
        let local = host.strip_prefix("localhost").unwrap_or(host);
        let address = match local.strip_prefix(':') {
            Some(port) => port
                .parse()
                .ok()
                .map(|port| SocketAddr::new(ADDRESS.ip(), port)),
            None => host.parse().ok(),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        let path = path.trim_end_matches('/');
        match address {
            Some(address) if path.chars().all(is_plain) && !path.contains("//") => Ok(Self {
                address,
                path: if path.is_empty() { PATH } else { path }.to_owned(),
            }),
            _ => Err("wanted rtsp, or rtsp://ADDRESS:PORT/PATH with an address of this machine, such as \
                      rtsp://127.0.0.1:8554/impasto"
                .to_owned()),
        }
    }
}

impl std::fmt::Display for Mount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rtsp://{}{}", self.address, self.path)
    }
}

/// The server, for as long as this lives.
pub struct Server {
    server: RTSPServer,
    main_loop: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
    n_streams: Arc<AtomicUsize>,
}

impl Server {
    /// Serves what it is fed with, and says where.
    ///
    /// # Errors
    /// If the address cannot be had, GStreamer lacks what makes the stream, or no thread can be had.
    pub fn start(mount: &Mount, feed: Feed) -> anyhow::Result<Self> {
        let n_streams = Arc::new(AtomicUsize::new(0));
        let stream = Stream::new(feed, n_streams.clone());
        // What is missing is told now, and not to the first viewer.
        stream.build()?;

        let server = RTSPServer::new();
        server.set_address(&mount.address.ip().to_string());
        server.set_service(&mount.address.port().to_string());
        server.set_content_length_limit(LONGEST_REQUEST);
        let mounts = server.mount_points().context("a server has places")?;
        mounts.add_factory(&mount.path, factory(stream));

        let context = glib::MainContext::new();
        let source = server
            .create_source(gio::Cancellable::NONE)
            .with_context(|| {
                format!(
                    "taking the address {} for the stream; another can be named: --to rtsp://127.0.0.1:0{} takes any \
                     port that is free",
                    mount.address, mount.path
                )
            })?;
        source.attach(Some(&context));
        let sessions = server.session_pool().context("a server has sessions")?;
        forget_the_lost(&context, sessions);
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let run = main_loop.clone();
        let thread = thread::Builder::new()
            .name("rtsp".to_owned())
            .spawn(move || run.run())
            .context("starting the stream")?;

        let taken = Mount {
            address: SocketAddr::new(mount.address.ip(), server.bound_port() as u16),
            path: mount.path.clone(),
        };
        eprintln!("the stream: {taken}");
        if !taken.address.ip().is_loopback() {
            warn(format!(
                "the stream is served at {}, beyond this machine: whoever reaches it sees and hears it; nothing is \
                 encrypted",
                taken.address
            ));
        }
        Ok(Self {
            server,
            main_loop,
            thread: Some(thread),
            n_streams,
        })
    }

    /// Whether anybody fetches the stream.
    pub fn is_watched(&self) -> bool {
        self.n_streams.load(Ordering::Relaxed) > 0
    }
}

/// Lets viewers that have gone without a word be forgotten.
fn forget_the_lost(context: &glib::MainContext, sessions: RTSPSessionPool) {
    let look = move || {
        sessions.cleanup();
        glib::ControlFlow::Continue
    };
    glib::timeout_source_new(BETWEEN_LOOKS, None, glib::Priority::DEFAULT, look)
        .attach(Some(context));
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self
            .server
            .client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
        let start = Instant::now();
        while self.is_watched() && start.elapsed() < END_PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        self.main_loop.quit();
        if let Some(thread) = self.thread.take() {
            // If it has panicked, that was said already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn places_are_on_this_machine_unless_another_address_is_named() {
        for (text, wanted) in [
            ("127.0.0.1:8554/impasto", "rtsp://127.0.0.1:8554/impasto"),
            (":9000", "rtsp://127.0.0.1:9000/impasto"),
            (":9000/a/b/", "rtsp://127.0.0.1:9000/a/b"),
            ("localhost:1/x", "rtsp://127.0.0.1:1/x"),
            ("[::1]:8554/x", "rtsp://[::1]:8554/x"),
            ("0.0.0.0:8554/x", "rtsp://0.0.0.0:8554/x"),
        ] {
            let mount: Mount = text.parse().unwrap();
            assert_eq!(mount.to_string(), wanted, "{text}");
        }
        for text in [
            "",
            "host/x",
            "127.0.0.1/x",
            "me:secret@127.0.0.1:8554/x",
            "127.0.0.1:99999/x",
            ":1/a b",
            ":1/a//b",
            ":1/a?b",
        ] {
            let error = text.parse::<Mount>().unwrap_err();
            assert!(error.contains("127.0.0.1:8554"), "{text}: {error}");
        }
    }
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A server that is fed with grey frames and silence until it is dropped.
    struct Fed {
        server: Option<Server>,
        address: String,
        feeder: Option<JoinHandle<()>>,
        is_over: Arc<AtomicBool>,
    }

    impl Fed {
        fn start() -> Self {
            let feed = Feed::small();
            let fed = feed.clone();
            let is_over = Arc::new(AtomicBool::new(false));
            let ends = is_over.clone();
            let feeder = thread::spawn(move || {
                while !ends.load(Ordering::Relaxed) {
                    fed.give();
                    thread::sleep(Duration::from_millis(40));
                }
            });
            let server = Server::start(&":0".parse().unwrap(), feed).unwrap();
            let address = format!("rtsp://127.0.0.1:{}/impasto", server.server.bound_port());
            Self {
                server: Some(server),
                address,
                feeder: Some(feeder),
                is_over,
            }
        }

        fn server(&self) -> &Server {
            self.server.as_ref().unwrap()
        }

        fn waits_for_streams(&self, n: usize) {
            let start = Instant::now();
            while self.server().n_streams.load(Ordering::Relaxed) != n {
                assert!(start.elapsed() < PATIENCE, "never {n} streams");
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    impl Drop for Fed {
        fn drop(&mut self) {
            self.server.take();
            self.is_over.store(true, Ordering::Relaxed);
            self.feeder.take().unwrap().join().unwrap();
        }
    }

    /// Somebody who fetches the pictures of a stream.
    struct Viewer(gst::Pipeline);

    impl Viewer {
        fn of(address: &str, protocols: &str) -> Self {
            let text = format!(
                "rtspsrc location={address} protocols={protocols} latency=0 ! application/x-rtp,media=video \
                 ! rtph264depay ! appsink name=end sync=false"
            );
            let pipeline = gst::parse::launch(&text).unwrap();
            let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
            pipeline.set_state(gst::State::Playing).unwrap();
            Self(pipeline)
        }

        /// Takes some pictures; false if no more come.
        fn takes(&self, n: usize) -> bool {
            let end = self.0.by_name("end").unwrap();
            let end = end.downcast::<gst_app::AppSink>().unwrap();
            let patience = gst::ClockTime::try_from(PATIENCE).unwrap();
            (0..n).all(|_| end.try_pull_sample(patience).is_some())
        }

        fn error(&self) -> String {
            let patience = gst::ClockTime::try_from(PATIENCE).unwrap();
            let bus = self.0.bus().unwrap();
            let message = bus.timed_pop_filtered(patience, &[gst::MessageType::Error]);
            match message.as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => error.error().to_string(),
                _ => "none".to_owned(),
            }
        }
    }

    impl Drop for Viewer {
        fn drop(&mut self) {
            self.0.set_state(gst::State::Null).unwrap();
        }
    }

    #[test]
    fn all_viewers_share_a_stream_that_is_gone_when_they_are() {
        let fed = Fed::start();
        assert!(!fed.server().is_watched());
        for _ in 0..2 {
            let first = Viewer::of(&fed.address, "tcp");
            assert!(first.takes(3));
            let second = Viewer::of(&fed.address, "udp");
            assert!(second.takes(3));
            fed.waits_for_streams(1);
            drop(first);
            assert!(second.takes(30));
            drop(second);
            fed.waits_for_streams(0);
        }
    }

    #[test]
    fn another_name_is_refused_and_costs_nothing() {
        let fed = Fed::start();
        for name in ["s", "/more", "/../x"] {
            let error = Viewer::of(&format!("{}{name}", fed.address), "tcp").error();
            assert!(error.contains("Not found"), "{name}: {error}");
        }
        assert!(!fed.server().is_watched());
    }

    #[test]
    fn viewers_are_sent_away_at_the_end() {
        let mut fed = Fed::start();
        let viewer = Viewer::of(&fed.address, "tcp");
        assert!(viewer.takes(3));
        let n_streams = fed.server().n_streams.clone();
        drop(fed.server.take());
        assert_eq!(n_streams.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn an_address_that_is_taken_is_told_with_another() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mount: Mount = taken.local_addr().unwrap().to_string().parse().unwrap();
        let error = Server::start(&mount, Feed::small()).err();
        let error = error.expect("it is taken");
        let error = format!("{error:#}");
        assert!(error.contains("--to rtsp://127.0.0.1:0/impasto"), "{error}");
        assert!(error.contains("in use"), "{error}");
    }
}
