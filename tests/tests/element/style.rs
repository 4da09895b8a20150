//! Styles that change while playing, and styles that do not work.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};

use gst::prelude::*;
use tests::element::{SOON, caps, format_of, negative, paint_frame_by_frame, pipeline, run, same};
use tests::picture::Picture;

use crate::Rig;

/// A picture of one colour, so that a frame painted by two styles shows.
fn flat(caps: &gst::Caps) -> Picture {
    Picture::of(format_of(caps), 0, |_, _| [0.25, 0.25, 0.25])
}

/// Sends frames until one comes out as `wanted`, each of which must be as `wanted` or as `before`. Gives their number.
fn paint_until(rig: &mut Rig, first: u64, before: &Picture, wanted: &Picture) -> u64 {
    let photo = flat(&rig.caps);
    let start = Instant::now();
    for n in 0.. {
        let found = rig.paint(&photo, first + n);
        if found == *wanted {
            return n + 1;
        }
        assert_eq!(
            found,
            *before,
            "frame {}: a frame is painted by one style or the other",
            first + n
        );
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "the style does not change"
        );
        thread::sleep(Duration::from_millis(5));
    }
    unreachable!("counting does not end")
}

#[test]
fn a_style_changes_ten_times_between_whole_frames() {
    let caps = caps("RGB", 64, 48);
    let mut rig = Rig::new(&same(), &caps);
    let photo = flat(&caps);
    let painted = crate::negated(&photo);
    assert_eq!(rig.paint(&photo, 0), photo);
    let mut n_frames = 1;
    for change in 0..10 {
        let (style, before, wanted) = match change % 2 {
            0 => (negative(), &photo, &painted),
            _ => (same(), &painted, &photo),
        };
        rig.element.set_property("style", style);
        n_frames += paint_until(&mut rig, n_frames, before, wanted);
    }
    assert_eq!(
        (rig.count("frames-in"), rig.count("frames-out")),
        (n_frames, n_frames)
    );
}

#[test]
fn changing_styles_at_full_speed_loses_no_frame() {
    let pipeline = pipeline(&format!(
        "videotestsrc num-buffers=400 ! video/x-raw,format=NV12,width=64,height=48 ! \
         styletransfer name=s precision=f32 style={} ! fakesink sync=false",
        same()
    ));
    let element = pipeline.by_name("s").expect("the element");
    let n_in = Arc::new(AtomicUsize::new(0));
    let (counted, changed) = (n_in.clone(), element.clone());
    let sink = element.static_pad("sink").expect("a pad");
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let n = counted.fetch_add(1, Ordering::Relaxed);
        if n % 40 == 20 {
            let style = if n % 80 == 20 { negative() } else { same() };
            changed.set_property("style", style);
        }
        if n % 40 == 25 {
            // Time for the new engine to open.
            thread::sleep(Duration::from_millis(60));
        }
        gst::PadProbeReturn::Ok
    });
    let times = Arc::new(Mutex::new(Vec::new()));
    let noted = times.clone();
    let src = element.static_pad("src").expect("a pad");
    src.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        noted
            .lock()
            .unwrap()
            .extend(info.buffer().and_then(|buffer| buffer.pts()));
        gst::PadProbeReturn::Ok
    });
    let n_changes = Arc::new(AtomicUsize::new(0));
    let counted = n_changes.clone();
    element.connect_notify(Some("active-engine"), move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    run(&pipeline);
    let times = times.lock().unwrap();
    assert_eq!((n_in.load(Ordering::Relaxed), times.len()), (400, 400));
    assert!(times.is_sorted_by(|a, b| a < b), "times in order");
    let n_changes = n_changes.load(Ordering::Relaxed);
    assert!(
        n_changes >= 5,
        "only {n_changes} changes of ten were made in time"
    );
}

#[test]
fn quality_and_processing_size_change_while_playing() {
    let caps = caps("RGB", 128, 96);
    let element = crate::element("starry-night");
    paint_frame_by_frame(&element);
    element.set_property_from_str("quality", "balanced");
    let mut rig = Rig::of(&element, &caps);
    let photo = flat(&caps);
    let mut n = 0;
    for (property, value, word) in [
        ("processing-size", "48", "96x80"),
        ("quality", "best", "best"),
        ("processing-size", "0", "160x128"),
        ("quality", "fast", "fast"),
    ] {
        rig.paint(&photo, n);
        rig.element.set_property_from_str(property, value);
        let start = Instant::now();
        while !rig
            .element
            .property::<String>("active-engine")
            .contains(word)
        {
            n += 1;
            rig.paint(&photo, n);
            let engine = rig.element.property::<String>("active-engine");
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "{property}={value}: {engine}, wanted {word}"
            );
            thread::sleep(Duration::from_millis(5));
        }
        n += 1;
    }
    assert_eq!(rig.count("frames-in"), rig.count("frames-out"));
}

/// Starts a pipeline that cannot work and gives its error.
fn start_error(settings: &str) -> (gst::glib::Error, String) {
    let text = format!(
        "videotestsrc ! video/x-raw,width=64,height=48 ! styletransfer {settings} ! fakesink"
    );
    let pipeline = pipeline(&text);
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let _ = pipeline.set_state(gst::State::Playing);
    let message = bus
        .timed_pop_filtered(SOON, &[gst::MessageType::Error])
        .expect("an error on the bus");
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline that stops");
    let gst::MessageView::Error(error) = message.view() else {
        unreachable!("filtered")
    };
    (
        error.error(),
        format!("{} {:?}", error.error(), error.debug()),
    )
}

#[test]
fn a_style_that_does_not_work_is_an_error_at_start() {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::write(at("text.onnx"), "no network").expect("a writable folder");
    fs::copy(same(), at("sidecar.onnx")).expect("a writable folder");
    fs::create_dir(at("sidecar.toml")).expect("a writable folder");
    fs::copy(same(), at("misspelt.onnx")).expect("a writable folder");
    fs::write(at("misspelt.toml"), "chanels = \"bgr\"").expect("a writable folder");
    use gst::ResourceError::{NotFound, Read, Settings};
    for (style, wanted, word) in [
        ("no-such-style".to_owned(), NotFound, "starry-night"),
        (at("missing.onnx"), NotFound, "missing.onnx"),
        (at("sidecar.onnx"), Read, "sidecar.toml"),
        (at("misspelt.onnx"), Settings, "chanels"),
        (at("text.onnx"), Settings, "text.onnx"),
    ] {
        let (error, text) = start_error(&format!("style={style}"));
        assert!(
            error.matches(wanted),
            "{style}: wanted {wanted:?}, got {text}"
        );
        assert!(text.contains(word), "{style}: no `{word}` in: {text}");
    }
}

#[test]
fn settings_that_do_not_work_are_an_error_at_start() {
    let (error, text) = start_error(&format!("style={} processing-size=9", same()));
    assert!(error.matches(gst::ResourceError::Settings), "{text}");
    assert!(
        text.contains("processing-size") && text.contains('9'),
        "{text}"
    );
}

#[test]
fn a_gpu_that_cannot_be_used_is_an_error_at_start() {
    // No machine has so many.
    let (error, text) = start_error(&format!("style={} engine=tensorrt device=255", same()));
    let is_built = cfg!(feature = "tensorrt");
    if is_built {
        assert!(
            error.matches(gst::ResourceError::NotFound)
                || error.matches(gst::ResourceError::Settings),
            "{text}"
        );
        assert!(text.contains("GPU"), "{text}");
    } else {
        assert!(error.matches(gst::LibraryError::Init), "{text}");
        assert!(text.contains("--features tensorrt"), "{text}");
    }
}

#[test]
fn a_bad_style_while_playing_is_a_warning_and_the_old_paint_goes_on() {
    let caps = caps("RGB", 64, 48);
    let mut rig = Rig::new(&negative(), &caps);
    let photo = flat(&caps);
    let painted = crate::negated(&photo);
    assert_eq!(rig.paint(&photo, 0), painted);
    rig.element.set_property("style", "no-such-style");
    let start = Instant::now();
    let mut n = 1;
    let message = loop {
        assert_eq!(rig.paint(&photo, n), painted);
        n += 1;
        if let Some(message) = rig.bus.pop_filtered(&[gst::MessageType::Warning]) {
            break message;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "no warning");
        thread::sleep(Duration::from_millis(5));
    };
    let gst::MessageView::Warning(warning) = message.view() else {
        unreachable!("filtered")
    };
    let text = format!("{} {:?}", warning.error(), warning.debug());
    assert!(
        text.contains("no-such-style") && text.contains("starry-night"),
        "{text}"
    );
    for _ in 0..20 {
        assert_eq!(rig.paint(&photo, n), painted);
        n += 1;
    }
    assert!(
        rig.bus
            .pop_filtered(&[gst::MessageType::Warning, gst::MessageType::Error])
            .is_none(),
        "said once"
    );
    rig.element.set_property("style", same());
    n += paint_until(&mut rig, n, &painted, &photo);
    assert_eq!(rig.count("frames-out"), n);
}

#[test]
fn a_style_chosen_just_before_new_caps_paints_them() {
    let first = caps("RGB", 64, 48);
    let mut rig = Rig::new(&same(), &first);
    let photo = flat(&first);
    assert_eq!(rig.paint(&photo, 0), photo);
    rig.element.set_property("style", negative());
    rig.paint(&photo, 1);
    let second = caps("RGB", 80, 60);
    rig.harness.set_src_caps(second.clone());
    rig.caps = second;
    let photo = flat(&rig.caps);
    let painted = crate::negated(&photo);
    for n in 2..30 {
        assert_eq!(rig.paint(&photo, n), painted, "frame {n}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn an_empty_style_is_a_style_that_does_not_exist() {
    let (error, text) = start_error("style=\"\"");
    assert!(error.matches(gst::ResourceError::NotFound), "{text}");
}

#[test]
fn no_style_at_all_is_the_default_style() {
    let element = crate::element(&same());
    element.set_property("style", None::<&str>);
    let style: Option<String> = element.property("style");
    assert_eq!(style.as_deref(), Some(engines::styles::DEFAULT));
}

#[test]
fn settings_that_do_not_work_while_playing_are_a_warning() {
    let caps = caps("RGB", 64, 48);
    let mut rig = Rig::new(&negative(), &caps);
    let photo = flat(&caps);
    let painted = crate::negated(&photo);
    rig.element.set_property("processing-size", 9_u32);
    let start = Instant::now();
    for n in 0.. {
        assert_eq!(rig.paint(&photo, n), painted);
        if let Some(message) = rig.bus.pop_filtered(&[gst::MessageType::Warning]) {
            let gst::MessageView::Warning(warning) = message.view() else {
                unreachable!("filtered")
            };
            assert!(
                warning.error().message().contains("processing-size"),
                "{:?}",
                warning.error()
            );
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "no warning");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn properties_that_change_at_any_moment_lose_no_frame() {
    let pipeline = pipeline(&format!(
        "videotestsrc num-buffers=600 ! video/x-raw,format=NV12,width=64,height=48 ! queue ! \
         styletransfer name=s precision=f32 style={} ! queue ! fakesink sync=false",
        negative()
    ));
    let element = pipeline.by_name("s").expect("the element");
    let n_out = Arc::new(AtomicUsize::new(0));
    let counted = n_out.clone();
    let src = element.static_pad("src").expect("a pad");
    src.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    let stop = Arc::new(AtomicBool::new(false));
    let (restless, is_over) = (element.clone(), stop.clone());
    let hand = thread::spawn(move || {
        for n in 0_u32.. {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            restless.set_property("strength", [0.0_f32, 1.0, 0.5][n as usize % 3]);
            restless.set_property("keep-colors", n % 2 == 0);
            restless.set_property("processing-size", [0_u32, 32, 0, 64][n as usize / 16 % 4]);
            let stabilizers = ["flow", "off", "gate", "auto"];
            restless.set_property_from_str("stabilizer", stabilizers[n as usize / 3 % 4]);
            restless.set_property("persistence", [0.9_f32, 0.0, 0.5][n as usize / 2 % 3]);
            restless.set_property("exposure-guard", n % 5 < 3);
            let _ = restless.property::<gst::Structure>("stats");
            let _ = restless.property::<String>("active-engine");
            thread::sleep(Duration::from_micros(700));
        }
    });
    run(&pipeline);
    stop.store(true, Ordering::Relaxed);
    hand.join().expect("properties can always be set");
    assert_eq!(n_out.load(Ordering::Relaxed), 600);
}
