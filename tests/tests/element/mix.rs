//! Styles mixed while playing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use tests::element::{caps, format_of, pipeline, run, style};
use tests::picture::Picture;

use crate::{Rig, assert_same};

/// Two styles of one build: the picture as it is, and its negative.
fn parents() -> (String, String) {
    let affine = |name: &str, gain: f32, offset: f32| {
        style(name, |network| network.affine([gain; 3], [offset; 3], 2))
    };
    (affine("as-it-is", 1.0, 0.0), affine("turned", -1.0, 1.0))
}

/// A picture of one grey, 0 to 1.
fn flat(caps: &gst::Caps, grey: f64) -> Picture {
    Picture::of(format_of(caps), 0, |_, _| [grey; 3])
}

/// Paints until a frame comes out as `wanted`, and gives the number of frames that it took.
fn paint_until(rig: &mut Rig, first: u64, photo: &Picture, wanted: &Picture) -> u64 {
    let start = Instant::now();
    for n in 0.. {
        if rig.paint(photo, first + n) == *wanted {
            return n + 1;
        }
        let waited = start.elapsed();
        assert!(
            waited < Duration::from_secs(120),
            "the style does not change"
        );
        thread::sleep(Duration::from_millis(5));
    }
    unreachable!("counting does not end")
}

#[test]
fn a_mix_paints_between_its_styles() {
    let caps = caps("RGB", 64, 48);
    let (plain, turned) = parents();
    let photo = flat(&caps, 0.2);
    for (mix, grey) in [
        (format!("{plain}:1+{turned}:1"), 0.5),
        (format!("{turned}:0.25+{plain}:0.75"), 0.35),
        (format!("{plain}:1+{turned}:0"), 0.2),
    ] {
        let mut rig = Rig::new(&mix, &caps);
        assert_same(&rig.paint(&photo, 0), &flat(&caps, grey), &mix);
        assert_eq!(rig.element.property::<Option<String>>("style"), Some(mix));
    }
}

#[test]
fn sliding_from_style_to_style_loses_no_frame_and_arrives() {
    let caps = caps("RGB", 64, 48);
    let (plain, turned) = parents();
    let mut rig = Rig::new(&plain, &caps);
    let n_changes = Arc::new(AtomicUsize::new(0));
    let counted = n_changes.clone();
    rig.element
        .connect_notify(Some("active-engine"), move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
    let photo = flat(&caps, 0.2);
    let start = Instant::now();
    for n in 0..100_u64 {
        let share = n as f64 / 99.0;
        let mix = format!("{plain}:{}+{turned}:{share}", 1.0 - share);
        rig.element.set_property("style", mix);
        // Asks that the frame comes out with its own time.
        let sent = tests::element::buffer(&photo, &caps, n);
        let time = sent.pts();
        let painted = rig.harness.push_and_pull(sent).expect("a frame comes out");
        assert_eq!(painted.pts(), time);
        thread::sleep(Duration::from_millis(10));
    }
    let most = 2 + 4 * start.elapsed().as_secs() as usize + 4;
    let n_mixes = n_changes.load(Ordering::Relaxed);
    assert!(
        (1..=most).contains(&n_mixes),
        "{n_mixes} mixes, at most {most}"
    );
    let n_frames = 100 + paint_until(&mut rig, 100, &photo, &flat(&caps, 0.8));
    assert_eq!(
        (rig.count("frames-in"), rig.count("frames-out")),
        (n_frames, n_frames)
    );
}

#[test]
fn sliding_through_the_gallery_at_full_speed_loses_no_frame() {
    let listed = engines::styles::list().expect("the gallery");
    let mut names = listed
        .into_iter()
        .filter(|style| style.folder.is_none())
        .map(|style| style.name);
    let first = names.next().expect("a style");
    let second = names.next().unwrap_or(engines::styles::IDENTITY.to_owned());
    let pipeline = pipeline(&format!(
        "videotestsrc num-buffers=100 ! video/x-raw,format=NV12,width=64,height=48 ! \
         styletransfer name=s quality=fast precision=f32 style={first} ! fakesink sync=false"
    ));
    let element = pipeline.by_name("s").expect("the element");
    let (n_in, changed) = (Arc::new(AtomicUsize::new(0)), element.clone());
    let counted = n_in.clone();
    let sink = element.static_pad("sink").expect("a pad");
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let share = counted.fetch_add(1, Ordering::Relaxed) as f64 / 99.0;
        let mix = format!("{first}:{}+{second}:{share}", 1.0 - share);
        changed.set_property("style", mix);
        gst::PadProbeReturn::Ok
    });
    let times = Arc::new(Mutex::new(Vec::new()));
    let noted = times.clone();
    let src = element.static_pad("src").expect("a pad");
    src.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let time = info.buffer().and_then(|buffer| buffer.pts());
        noted.lock().unwrap().extend(time);
        gst::PadProbeReturn::Ok
    });
    run(&pipeline);
    let times = times.lock().unwrap();
    assert_eq!((n_in.load(Ordering::Relaxed), times.len()), (100, 100));
    assert!(times.is_sorted_by(|a, b| a < b), "times in order");
}

#[test]
fn the_way_back_takes_no_time() {
    let caps = caps("RGB", 64, 48);
    let (plain, turned) = parents();
    let photo = flat(&caps, 0.2);
    let mut rig = Rig::new(&plain, &caps);
    assert_eq!(rig.paint(&photo, 0), photo);
    rig.element.set_property("style", &turned);
    let mut n = 1 + paint_until(&mut rig, 1, &photo, &flat(&caps, 0.8));
    for style in [&plain, &turned, &plain] {
        rig.element.set_property("style", style);
        let wanted = if *style == plain { 0.2 } else { 0.8 };
        assert_eq!(rig.paint(&photo, n), flat(&caps, wanted), "frame {n}");
        n += 1;
    }
    assert_eq!(rig.count("frames-out"), n);
}

#[test]
fn what_does_not_mix_is_a_warning_and_the_old_paint_goes_on() {
    let caps = caps("RGB", 64, 48);
    let (plain, _) = parents();
    let photo = flat(&caps, 0.2);
    let mut rig = Rig::new(&plain, &caps);
    for (n, (mix, word)) in [
        (format!("{plain}+{}", tests::element::same()), "operators"),
        (format!("{plain}:0.5+starry-night:much"), "much"),
        (format!("{plain}:0.5+no-such-style:0.5"), "no-such-style"),
    ]
    .into_iter()
    .enumerate()
    {
        rig.element.set_property("style", &mix);
        let start = Instant::now();
        let message = loop {
            assert_eq!(rig.paint(&photo, n as u64), photo);
            if let Some(message) = rig.bus.pop_filtered(&[gst::MessageType::Warning]) {
                break message;
            }
            assert!(start.elapsed() < Duration::from_secs(120), "no warning");
            thread::sleep(Duration::from_millis(5));
        };
        let gst::MessageView::Warning(warning) = message.view() else {
            unreachable!("filtered")
        };
        let text = warning.error().to_string();
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}
