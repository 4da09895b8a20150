//! Streams that viewers fetch.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::run::{BACK, Program, free_port};

/// Starts to serve, and tells where.
fn serve(place: &str) -> (Program, String) {
    let live = Program::live(&["--from", "test", "--to", place, "--stop-after", "120"]);
    let (_, line) = live.heard("the stream: ");
    let address = line.strip_prefix("the stream: ").unwrap();
    let address = address.to_owned();
    (live, address)
}

/// Somebody who looks on and keeps nothing.
fn viewer(address: &str) -> Program {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "info", "-rtsp_transport", "tcp", "-i", address]);
    Program::start(command.args(["-f", "null", "-"]))
}

/// Fetches 60 frames and three seconds of sound, and looks at both.
fn fetch(address: &str, folder: &Path, name: &str) {
    let [frames, sound] = ["gray", "s16le"].map(|kind| folder.join(format!("{name}.{kind}")));
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-rtsp_transport", "tcp", "-i", address]);
    command.args([
        "-map",
        "0:v",
        "-frames:v",
        "60",
        "-pix_fmt",
        "gray",
        "-f",
        "rawvideo",
    ]);
    command.arg(&frames);
    command.args(["-map", "0:a", "-t", "3", "-ac", "1", "-f", "s16le"]);
    command.arg(&sound);
    Program::start(&mut command).ended();

    let frames = std::fs::read(&frames).unwrap();
    let frames: Vec<&[u8]> = frames.chunks_exact(320 * 180).collect();
    assert_eq!(frames.len(), 60);
    assert_ne!(frames[0], frames[59], "the test picture moves");
    // A card is grey all over.
    let (least, most) = (frames[59].iter().min(), frames[59].iter().max());
    assert!(most.unwrap() - least.unwrap() > 100);
    let sound = std::fs::read(&sound).unwrap();
    let loud = sound
        .chunks_exact(2)
        .map(|word| i16::from_le_bytes([word[0], word[1]]).unsigned_abs())
        .max();
    assert!(
        sound.len() >= 2 * 48_000 && loud > Some(1000),
        "a tick a second"
    );
}

#[test]
fn viewers_come_go_and_die_and_nobody_else_minds() {
    let folder = tempfile::tempdir().unwrap();
    let (live, address) = serve("rtsp://127.0.0.1:0/impasto");
    live.heard("nobody watches");
    for round in ["first", "second"] {
        fetch(&address, folder.path(), round);
        live.heard("somebody watches");
        live.heard("nobody watches");
    }
    let [frozen, killed] = [0; 2].map(|_| viewer(&address));
    for viewer in [&frozen, &killed] {
        viewer.heard("Output #0");
    }
    frozen.signal("STOP");
    std::thread::scope(|scope| {
        for name in ["beside", "besides"] {
            let (address, folder) = (&address, folder.path());
            scope.spawn(move || fetch(address, folder, name));
        }
        std::thread::sleep(Duration::from_secs(2));
        killed.signal("KILL");
    });
    live.heard("somebody watches");
    drop(frozen);
    live.heard("nobody watches");
    live.signal("INT");
    live.ended();
}

#[test]
fn another_name_is_not_found() {
    let (_live, address) = serve("rtsp://127.0.0.1:0/impasto");
    let output = Command::new("ffprobe").arg(format!("{address}s")).output();
    let said = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(said.contains("404"), "{said}");
}

#[test]
fn an_address_that_is_taken_is_told_with_another() {
    let (_live, address) = serve("rtsp://127.0.0.1:0/impasto");
    let second = Program::live(&["--from", "test", "--to", &address]);
    let (_, line) = second.heard("error: ");
    assert!(line.contains("--to rtsp://127.0.0.1:0/impasto"), "{line}");
}

#[test]
fn a_server_that_is_killed_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.mkv");
    let place = format!("rtsp://127.0.0.1:{}/impasto", free_port());
    let (first, address) = serve(&place);
    let live = Program::live(&["--from", &address, "--to", file.to_str().unwrap()]);
    live.heard("painting rtsp://");
    first.signal("KILL");
    // It comes back at the worst time: the longest wait has just begun.
    live.heard("next attempt in 3.0 s");
    let (_second, _) = serve(&place);
    let start = Instant::now();
    let took = live.heard("frames come again").0 - start;
    eprintln!("frames came again after {took:.1?}");
    assert!(took < BACK, "{took:.1?}");
}
