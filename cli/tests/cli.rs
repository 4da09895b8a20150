//! The command line as people use it: exit codes, messages, outputs, and nothing half-written.

#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The sample clip.
const CLIP: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../samples/media/bigbuckbunny.mp4"
);

fn impasto(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_impasto"))
        .args(arguments)
        .output()
        .expect("impasto runs")
}

/// Runs a command that must fail with exit code `code`, and returns what it said.
fn refused(arguments: &[&str], code: i32) -> String {
    let output = impasto(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    said
}

fn done(arguments: &[&str]) -> String {
    let output = impasto(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder
        .path()
        .join(name)
        .into_os_string()
        .into_string()
        .expect("UTF-8")
}

fn files(folder: &tempfile::TempDir) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// A short clip with picture and sound, made by GStreamer; None, aloud, where an encoder is missing.
fn short_clip(folder: &tempfile::TempDir) -> Option<String> {
    gst::init().unwrap();
    let clip = path(folder, "short.mkv");
    let text = format!(
        "videotestsrc num-buffers=20 pattern=ball ! video/x-raw,format=I420,width=160,height=90,framerate=25/1 \
         ! x264enc speed-preset=ultrafast ! h264parse ! mux. \
         audiotestsrc num-buffers=35 samplesperbuffer=1024 ! opusenc ! opusparse ! mux. \
         matroskamux name=mux ! filesink location=\"{clip}\""
    );
    let pipeline = match gst::parse::launch(&text) {
        Ok(pipeline) => pipeline,
        Err(error) => {
            eprintln!("skipped: {error}");
            return None;
        }
    };
    play(&pipeline);
    Some(clip)
}

/// Plays a pipeline to its end.
fn play(pipeline: &gst::Element) {
    use gst::prelude::*;
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let last = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds);
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(
        last.map(|message| message.type_()),
        Some(gst::MessageType::Eos)
    );
}

#[test]
fn wrong_usage_is_exit_code_2() {
    refused(&[], 2);
    refused(&["paint"], 2);
    refused(&["video"], 2);
    refused(&["video", CLIP, "-o", "x.mp4", "--strength", "1.5"], 2);
    refused(&["video", CLIP, "-o", "x.mp4", "--quality", "superb"], 2);
    refused(&["video", CLIP, "-o", "x.mp4", "--stabilizer", "glue"], 2);
    refused(&["video", CLIP, "-o", "x.mp4", "--persistence", "1"], 2);
    // Pictures have nothing before them.
    refused(&["image", "x.png", "-o", "y.png", "--stabilizer", "off"], 2);
}

#[test]
fn a_clip_is_painted_with_its_sound() {
    let folder = tempfile::tempdir().unwrap();
    let Some(clip) = short_clip(&folder) else {
        return;
    };
    for name in ["painted.mp4", "painted.mkv", "painted.webm"] {
        let target = path(&folder, name);
        let said = done(&["video", &clip, "-o", &target, "--json"]);
        let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        assert_eq!(last["event"], "done", "{name}");
        assert_eq!(last["frames"], 20, "{name}");
        assert_eq!(last["frames_reused"], 0, "{name}");
        let kinds = streams(Path::new(&target));
        assert_eq!(kinds, (1, 1), "{name}: video and audio streams");
    }
    assert_eq!(files(&folder).len(), 4, "nothing else is left behind");
}

/// Numbers of video and audio streams.
fn streams(file: &Path) -> (usize, usize) {
    let timeout = gst::ClockTime::from_seconds(30);
    let discoverer = gst_pbutils::Discoverer::new(timeout).unwrap();
    let uri = gst::glib::filename_to_uri(file, None).unwrap();
    let info = discoverer.discover_uri(&uri).unwrap();
    (info.video_streams().len(), info.audio_streams().len())
}

#[test]
fn nothing_is_overwritten_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let Some(clip) = short_clip(&folder) else {
        return;
    };
    let target = path(&folder, "kept.mp4");
    fs::write(&target, "precious").unwrap();
    let said = refused(&["video", &clip, "-o", &target], 1);
    assert!(said.contains("--overwrite"), "{said}");
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    done(&["video", &clip, "-o", &target, "--overwrite"]);
    assert_ne!(fs::read(&target).unwrap(), b"precious");
    refused(&["video", &clip, "-o", &clip, "--overwrite"], 1);
}

#[test]
fn bad_clips_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = path(&folder, name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let clip = fs::read(CLIP).unwrap();
    let inputs = [
        path(&folder, "missing.mp4"),
        file("empty.mp4", b""),
        file("text.mp4", b"no film but words"),
        file("cut.mp4", &clip[..clip.len() / 2]),
        folder.path().display().to_string(),
    ];
    let before = files(&folder);
    for input in &inputs {
        let said = refused(&["video", input, "-o", &path(&folder, "out.mp4")], 1);
        // Libraries may have said something of their own before.
        assert!(said.contains("error: "), "{input}: {said}");
        assert!(
            said.contains(input.as_str()),
            "{input} is not named: {said}"
        );
    }
    assert_eq!(files(&folder), before);
}

#[test]
fn bad_styles_and_outputs_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let text = path(&folder, "text.onnx");
    fs::write(&text, "no network").unwrap();
    let out = path(&folder, "out.mp4");
    for (arguments, word) in [
        (
            ["video", CLIP, "-o", &out, "--style", "no-such-style"],
            "no-such-style",
        ),
        (["video", CLIP, "-o", &out, "--style", &text], "text.onnx"),
        (
            [
                "video",
                CLIP,
                "-o",
                "/no/such/folder/out.mp4",
                "--style",
                "starry-night",
            ],
            "/no/such/folder",
        ),
        (
            ["video", CLIP, "-o", "out.docx", "--style", "starry-night"],
            "docx",
        ),
        (["video", CLIP, "-o", "out.webm", "--codec", "h264"], "h264"),
    ] {
        let said = refused(&arguments, 1);
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
    assert!(!Path::new(&out).exists());
}

#[test]
fn repeated_frames_of_a_clip_are_painted_once() {
    let folder = tempfile::tempdir().unwrap();
    gst::init().unwrap();
    let clip = path(&folder, "still.mkv");
    // Without loss, a frame that repeats another does so to the bit.
    let made = gst::parse::launch(&format!(
        "videotestsrc num-buffers=12 pattern=colors ! video/x-raw,format=I420,width=160,height=90,framerate=25/1 \
         ! x264enc speed-preset=ultrafast quantizer=0 pass=qual ! h264parse ! matroskamux ! filesink location=\"{clip}\""
    ));
    let Ok(pipeline) = made else {
        return eprintln!("skipped: an encoder is missing");
    };
    play(&pipeline);
    let target = path(&folder, "painted.mkv");
    for (stabilizer, persistence) in [("auto", "0.5"), ("off", "0")] {
        let said = done(&[
            "video",
            &clip,
            "-o",
            &target,
            "--overwrite",
            "--json",
            "--stabilizer",
            stabilizer,
            "--persistence",
            persistence,
            "--no-exposure-guard",
        ]);
        let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        assert_eq!(last["frames"], 12, "{stabilizer}");
        assert_eq!(last["frames_reused"], 11, "{stabilizer}");
    }
}

#[test]
fn pictures_are_painted_in_their_own_size() {
    let folder = tempfile::tempdir().unwrap();
    let photo = path(&folder, "photo.png");
    image::RgbaImage::from_fn(61, 43, |x, y| {
        image::Rgba([x as u8 * 4, y as u8 * 5, 90, 128 + x as u8])
    })
    .save(&photo)
    .unwrap();
    let painting = path(&folder, "painting.png");
    done(&["image", &photo, "-o", &painting]);
    let (before, after) = (
        image::open(&photo).unwrap().to_rgba8(),
        image::open(&painting).unwrap().to_rgba8(),
    );
    assert_eq!(after.dimensions(), (61, 43));
    assert_ne!(before.as_raw(), after.as_raw());
    assert!(
        before
            .pixels()
            .zip(after.pixels())
            .all(|(a, b)| a.0[3] == b.0[3]),
        "alpha is kept"
    );

    let small = path(&folder, "small.png");
    image::RgbImage::new(8, 8).save(&small).unwrap();
    let out = path(&folder, "out");
    let said = refused(&["image", &photo, &small, "-o", &out], 1);
    assert!(said.contains("small.png"), "{said}");
    assert!(
        folder.path().join("out/photo.png").exists(),
        "the good one is painted all the same"
    );
}

/// The bundled default style as a file of its own.
fn network(folder: &tempfile::TempDir, name: &str, quality: engines::Quality) -> String {
    let network = path(folder, name);
    let model = engines::styles::find(engines::styles::DEFAULT, quality).unwrap();
    fs::write(&network, &model.bytes).unwrap();
    network
}

#[test]
fn strength_is_taken_from_weights_where_the_family_allows_it() {
    let folder = tempfile::tempdir().unwrap();
    let photo = path(&folder, "photo.png");
    image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8, y as u8, 99]))
        .save(&photo)
        .unwrap();
    let paint = |name: &str, arguments: &[&str]| {
        let target = path(&folder, name);
        let always = ["image", "--precision=f32", "--quality=fast", &photo[..]];
        let all = [&always[..], &["-o", &target], arguments].concat();
        done(&all);
        image::open(&target).unwrap().into_rgb8()
    };
    // Which way a network is run is chosen by measurement, at each start anew; they agree to a code.
    let far = |a: &image::RgbImage, b: &image::RgbImage| {
        let pairs = a.as_raw().iter().zip(b.as_raw());
        pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    };
    let by_weights = "--strength-by=weights";
    let none = paint("none.png", &[by_weights, "--strength=0"]);
    let whole = paint("whole.png", &[by_weights]);
    let half = paint("half.png", &[by_weights, "--strength=0.5"]);
    let mixed = paint("mixed.png", &["--style=starry-night:0.5+identity:0.5"]);
    assert!(far(&none, &paint("identity.png", &["--style=identity"])) <= 1);
    assert!(far(&whole, &paint("plain.png", &[])) <= 1);
    assert!(far(&half, &mixed) <= 1);
    assert!(far(&mixed, &whole) > 9 && far(&mixed, &none) > 9);

    let file = network(&folder, "other.onnx", engines::Quality::Fast);
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend(b"\x72\x18\x0a\x0fimpasto.mixable\x12\x05false");
    fs::write(&file, bytes).unwrap();
    let target = path(&folder, "refused.png");
    let said = refused(
        &[
            "image",
            &photo,
            "-o",
            &target,
            "--style",
            &file,
            "--strength-by=weights",
            "--strength=0.5",
        ],
        1,
    );
    for word in ["other.onnx", "mixable", "--strength-by pixels"] {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
}

#[test]
fn styles_are_listed_inspected_and_installed() {
    assert!(done(&["styles"]).contains("starry-night"));
    let listed: serde_json::Value = serde_json::from_str(&done(&["styles", "--json"])).unwrap();
    assert!(listed.is_array() || listed.is_object());
    let folder = tempfile::tempdir().unwrap();
    let network = &network(&folder, "network.onnx", engines::Quality::Best);
    assert!(done(&["styles", "--inspect", network]).contains("0..1"));

    let home = tempfile::tempdir().unwrap();
    // The runtime is where it was; only styles are looked for in the new place.
    let runtime = std::env::var("IMPASTO_OPENVINO").unwrap_or_else(|_| {
        let data = std::env::var("XDG_DATA_HOME")
            .ok()
            .filter(|path| !path.is_empty());
        let data =
            data.unwrap_or_else(|| format!("{}/.local/share", std::env::var("HOME").unwrap()));
        format!("{data}/impasto/openvino")
    });
    let at_home = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_impasto"))
            .args(arguments)
            .env("XDG_DATA_HOME", home.path())
            .env("IMPASTO_OPENVINO", &runtime)
            .output()
            .unwrap()
    };
    let added = at_home(&["styles", "add", network, "--name", "mine"]);
    assert!(
        added.status.success(),
        "{}",
        String::from_utf8_lossy(&added.stderr)
    );
    assert!(String::from_utf8_lossy(&at_home(&["styles"]).stdout).contains("mine"));
}

#[test]
fn doctor_and_bench_report() {
    let report: serde_json::Value = serde_json::from_str(&done(&["doctor", "--json"])).unwrap();
    assert!(report.is_object());
    let bench = [
        "bench",
        "--size",
        "160x90",
        "--frames",
        "20",
        "--precision",
        "f32",
        "--json",
    ];
    let bench: serde_json::Value = serde_json::from_str(&done(&bench)).unwrap();
    for (what, is_free) in [
        (&bench["infer"], false),
        // By default, every frame is painted by itself.
        (&bench["stabilize"], true),
        (&bench["element"], false),
        (&bench["network"], false),
        (&bench["steady"]["flow"], false),
        (&bench["steady"]["gate"], false),
        (&bench["steady"]["held"], false),
    ] {
        let median = what["median_ms"].as_f64().expect("a time");
        assert_eq!(median == 0.0, is_free, "{bench}");
    }
}
