//! `impasto live --to pipewire` with a PipeWire of its own: another process finds the camera and takes its frames, and
//! nothing is painted while nobody does, and nobody looks at the page.

#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gst::prelude::*;

/// A message bus, PipeWire and its session manager, that know of nothing but each other.
struct Session {
    folder: tempfile::TempDir,
    bus: String,
    children: Vec<Child>,
}

impl Session {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon runs; `./setup test` installs it");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        let mut session = Self {
            folder,
            bus: address.trim().to_owned(),
            children: vec![bus],
        };
        for name in ["pipewire", "wireplumber"] {
            let child = session
                .command(name)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            session
                .children
                .push(child.unwrap_or_else(|error| panic!("{name}: {error}")));
            session.wait_for(|session| session.folder.path().join("pipewire-0").exists());
        }
        session.wait_for(|session| session.dump().contains("\"WirePlumber\""));
        session
    }

    fn command(&self, name: impl AsRef<Path>) -> Command {
        let mut command = Command::new(name.as_ref());
        command
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus);
        command
    }

    /// All that PipeWire knows.
    fn dump(&self) -> String {
        let output = self.command("pw-dump").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The number of the node that we offer.
    fn camera(&self) -> Option<u64> {
        let objects: serde_json::Value = serde_json::from_str(&self.dump()).ok()?;
        let is_ours = |object: &&serde_json::Value| {
            let props = &object["info"]["props"];
            props["media.class"] == "Video/Source" && props["node.description"] == "Impasto"
        };
        objects.as_array()?.iter().find(is_ours)?["id"].as_u64()
    }

    fn wait_for(&self, is_there: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_there(self) {
            assert!(
                Instant::now() < deadline,
                "PipeWire does not get ready: {}",
                self.dump()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            // One that has ended by itself is as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The lines that a process says, as they come.
fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// `impasto live --to pipewire` with a small test picture, and what it tells and says.
fn start(session: &Session, more: &[&str]) -> (Child, Receiver<String>, Receiver<String>) {
    let mut live = session
        .command(env!("CARGO_BIN_EXE_impasto"))
        .args([
            "live",
            "--from",
            "test",
            "--to",
            "pipewire",
            "--json",
            "--stop-after",
            "60",
        ])
        .args(["--size", "320x180", "--fps", "15", "--quality", "fast"])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (told, said) = (
        lines(live.stdout.take().unwrap()),
        lines(live.stderr.take().unwrap()),
    );
    (live, told, said)
}

/// Waits for a line with a word in it.
fn heard(said: &Receiver<String>, word: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = said
            .recv_timeout(left)
            .unwrap_or_else(|_| panic!("never said `{word}`"));
        if line.contains(word) {
            return line;
        }
    }
}

/// Times in seconds of the frames of a recording, and the share of their pixels that are as bright as the next.
fn recorded(file: &Path) -> Vec<(f64, f64)> {
    gst::init().unwrap();
    let text = format!(
        "filesrc location={} ! matroskademux ! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=end sync=false",
        file.display()
    );
    let pipeline = gst::parse::launch(&text).unwrap();
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("end").unwrap();
    let sink = sink.downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let frames = std::iter::from_fn(|| sink.pull_sample().ok()).map(|sample| {
        let buffer = sample.buffer().unwrap();
        let bytes = buffer.map_readable().unwrap();
        let n_even = bytes.windows(2).filter(|pair| pair[0] == pair[1]).count();
        let share = n_even as f64 / bytes.len() as f64;
        (buffer.pts().unwrap().nseconds() as f64 / 1e9, share)
    });
    let frames = frames.collect();
    pipeline.set_state(gst::State::Null).unwrap();
    frames
}

#[test]
fn a_client_that_comes_at_once_gets_painted_frames_at_their_rate() {
    let mut session = Session::start();
    let (mut live, told, _said) = start(&session, &[]);
    session.wait_for(|session| session.camera().is_some());
    let file = session.folder.path().join("client.mkv");
    let reader = session
        .command("gst-launch-1.0")
        .arg("-q")
        .args([
            "pipewiresrc",
            &format!("path={}", session.camera().unwrap()),
            "num-buffers=300",
            // Its sink tells no times.
            "do-timestamp=true",
        ])
        .args("! video/x-raw,format=I420 ! videoconvert ! matroskamux ! filesink".split(' '))
        .arg(format!("location={}", file.display()))
        .spawn()
        .unwrap();
    // If nothing comes, it would wait for ever.
    session.children.push(reader);
    let reader = session.children.last_mut().unwrap();
    while reader.try_wait().unwrap().is_none() {
        let ended = live.try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let frames = recorded(&file);
    assert_eq!(frames.len(), 300);
    assert!(frames.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let rate = 299.0 / (frames[299].0 - frames[0].0);
    // A busy machine paints fewer than were asked for; of those, every one arrives.
    let meters: serde_json::Value = serde_json::from_str(&told.recv().unwrap()).unwrap();
    let painted = meters["frames_out"].as_f64().unwrap() / meters["seconds"].as_f64().unwrap();
    assert!(rate < 15.3 && rate > 0.8 * painted, "{rate}, {painted}");
    // The bars of the test picture are even; brush strokes are not.
    assert!(frames.iter().all(|frame| frame.1 < 0.5), "{frames:?}");
    live.kill().unwrap();
    live.wait().unwrap();
}

#[test]
fn a_camera_of_pipewire_is_painted() {
    let session = Session::start();
    let camera = "videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=180,framerate=15/1 ! videoconvert \
                  ! pipewiresink mode=provide sync=false \
                  stream-properties=props,media.class=Video/Source,media.role=Camera,node.name=bars";
    let mut camera = session
        .command("gst-launch-1.0")
        .arg("-q")
        .args(camera.split_whitespace())
        .spawn()
        .unwrap();
    session.wait_for(|session| session.dump().contains("\"bars\""));
    // Until it has sent a frame, a client that comes takes it down.
    std::thread::sleep(Duration::from_secs(3));
    let file = session.folder.path().join("painted.mkv");
    let live = session
        .command(env!("CARGO_BIN_EXE_impasto"))
        .args(["live", "--from", "pipewire:bars", "--audio", "none"])
        .args(["--quality", "fast", "--stop-after", "6", "--to"])
        .arg(&file)
        .output()
        .unwrap();
    camera.kill().unwrap();
    camera.wait().unwrap();
    let said = String::from_utf8_lossy(&live.stderr);
    assert!(live.status.success(), "{said}");
    assert!(said.contains("320x180 at 15 fps"), "{said}");
    assert!(said.contains(" 0 cards"), "{said}");
}

#[test]
fn frames_are_painted_while_the_page_shows_them() {
    let session = Session::start();
    let (mut live, _told, said) = start(&session, &["--page", "127.0.0.1:0"]);
    let address = heard(&said, "the page: http://");
    let (host, query) = address
        .strip_prefix("the page: http://")
        .and_then(|address| address.split_once("/?"))
        .unwrap();
    heard(&said, "nobody watches");
    let mut preview = TcpStream::connect(host).unwrap();
    write!(
        preview,
        "GET /preview?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    )
    .unwrap();
    heard(&said, "somebody watches");
    let mut bytes = [0; 100_000];
    preview.read_exact(&mut bytes).unwrap();
    drop(preview);
    heard(&said, "nobody watches");
    live.kill().unwrap();
    live.wait().unwrap();
}

#[test]
fn frames_are_painted_while_somebody_takes_them() {
    let session = Session::start();
    let (mut live, told, said) = start(&session, &[]);
    let meters = || -> serde_json::Value {
        while told.try_recv().is_ok() {}
        serde_json::from_str(&told.recv_timeout(Duration::from_secs(20)).unwrap()).unwrap()
    };
    session.wait_for(|session| session.camera().is_some());
    let camera = session.camera().unwrap();
    for round in 1..=2 {
        heard(&said, "nobody watches");
        let [before, after] = [meters(), meters()].map(|meters| meters["frames_out"].as_u64());
        assert_eq!(before, after, "nothing is painted while nobody watches");
        let file = session.folder.path().join(format!("{round}.raw"));
        let reader = session
            .command("gst-launch-1.0")
            .args([
                "-q",
                "pipewiresrc",
                &format!("path={camera}"),
                "num-buffers=60",
            ])
            .args([
                "!",
                "videoconvert",
                "!",
                "video/x-raw,format=GRAY8,width=320,height=180",
                "!",
                "filesink",
            ])
            .arg(format!("location={}", file.display()))
            .output()
            .unwrap();
        assert!(
            reader.status.success(),
            "{}",
            String::from_utf8_lossy(&reader.stderr)
        );
        heard(&said, "somebody watches");
        let frames = std::fs::read(&file).unwrap();
        assert_eq!(frames.len(), 60 * 320 * 180);
        // The test picture moves, and so does its painting.
        let (first, last) = (&frames[..320 * 180], &frames[59 * 320 * 180..]);
        assert_ne!(first, last);
    }
    live.kill().unwrap();
    live.wait().unwrap();
}
