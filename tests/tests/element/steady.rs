//! What is kept from frame to frame, and when it is forgotten.

use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use tests::card::{busy, noise};
use tests::element::{buffer, caps, format_of, negative, picture, same, style, time};
use tests::picture::Picture;

use crate::{Rig, element};

/// An element that keeps what it can, whatever the machine's speed.
fn steady(style: &str, caps: &gst::Caps) -> Rig {
    let element = element(style);
    element.set_property_from_str("stabilizer", "flow");
    element.set_property("persistence", 0.8_f32);
    Rig::of(&element, caps)
}

/// What a fresh element paints frame by frame.
fn alone(style: &str, caps: &gst::Caps, photo: &Picture) -> Picture {
    Rig::new(style, caps).paint(photo, 0)
}

/// A scene that stands still, seen by a camera whose grain changes with `n`.
fn grainy(caps: &gst::Caps, n: usize) -> Picture {
    Picture::of(format_of(caps), 0, |x, y| {
        let grain = f64::from(noise(x + 977 * n, y + 331 * n)) / 255.0 - 0.5;
        busy(x / 3, y / 3).map(|value| value + 0.02 * grain)
    })
}

/// Another scene.
fn other(caps: &gst::Caps) -> Picture {
    Picture::of(format_of(caps), 0, |x, y| {
        let bars = if (x / 23 + y / 40).is_multiple_of(2) {
            0.1
        } else {
            0.85
        };
        [bars, 0.95 - bars, 0.5 * bars]
    })
}

#[test]
fn grain_is_held_where_nothing_moves() {
    let caps = caps("RGB", 160, 120);
    for stabilizer in ["off", "gate", "flow", "auto"] {
        let mut rig = steady(&same(), &caps);
        rig.element.set_property_from_str("stabilizer", stabilizer);
        rig.element.set_property("exposure-guard", false);
        let mut change = 0;
        let mut before: Option<Picture> = None;
        for n in 0..6 {
            let photo = grainy(&caps, n);
            let painted = rig.paint(&photo, n as u64);
            if stabilizer == "off" {
                assert_eq!(painted, photo, "frame {n}");
            }
            change = before.map_or(0, |before| distance(&before, &painted));
            before = Some(painted);
        }
        let of_photos = distance(&grainy(&caps, 4), &grainy(&caps, 5));
        let is_steady = change * 3 < of_photos;
        assert_eq!(
            is_steady,
            stabilizer != "off",
            "{stabilizer}: {change} of {of_photos}"
        );
    }
}

/// Sum of differences.
fn distance(a: &Picture, b: &Picture) -> u64 {
    let pairs = a.samples().into_iter().zip(b.samples());
    pairs.map(|(a, b)| u64::from(a.abs_diff(b))).sum()
}

#[test]
fn persistence_zero_is_no_stabilizer() {
    let caps = caps("RGB", 160, 120);
    let mut rig = steady(&same(), &caps);
    rig.element.set_property("persistence", 0.0_f32);
    rig.element.set_property("exposure-guard", false);
    for n in 0..4 {
        let photo = grainy(&caps, n);
        assert_eq!(rig.paint(&photo, n as u64), photo, "frame {n}");
    }
}

#[test]
fn a_repeated_frame_is_painted_once() {
    let caps = caps("NV12", 160, 120);
    let photo = Picture::of(format_of(&caps), 0, busy);
    for settings in [&["flow", "true"], &["off", "false"]] {
        let mut rig = steady(&negative(), &caps);
        rig.element.set_property_from_str("stabilizer", settings[0]);
        rig.element
            .set_property_from_str("exposure-guard", settings[1]);
        let mut first = None;
        for n in 0..20 {
            let painted = rig
                .harness
                .push_and_pull(buffer(&photo, &caps, n))
                .expect("a frame comes out");
            assert_eq!(painted.pts(), Some(time(n)));
            assert_eq!(painted.duration(), Some(time(n + 1) - time(n)));
            let painted = picture(&painted, &caps);
            assert_eq!(*first.get_or_insert_with(|| painted.clone()), painted);
        }
        assert_eq!(rig.count("frames-out"), 20, "{settings:?}");
        assert_eq!(rig.count("frames-reused"), 19, "{settings:?}");
        assert_eq!(first, Some(alone(&negative(), &caps, &photo)));
    }
}

#[test]
fn a_repeated_frame_in_another_look_is_painted_anew() {
    let caps = caps("RGB", 160, 120);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut rig = steady(&negative(), &caps);
    rig.paint(&photo, 0);
    let all_paint = rig.paint(&photo, 1);
    assert_eq!(rig.count("frames-reused"), 1);
    rig.element.set_property("strength", 0.5_f32);
    let half = rig.paint(&photo, 2);
    assert_ne!(half, all_paint);
    assert_eq!(rig.count("frames-reused"), 1);
    assert_eq!(rig.paint(&photo, 3), half);
    assert_eq!(rig.count("frames-reused"), 2);
    rig.element.set_property("strength", 0.0_f32);
    assert_eq!(rig.paint(&photo, 4), photo);
    rig.element.set_property("strength", 1.0_f32);
    assert_eq!(rig.paint(&photo, 5), all_paint);
    assert_eq!(rig.count("frames-reused"), 2);
    assert_eq!((rig.count("frames-in"), rig.count("frames-out")), (6, 6));
}

#[test]
fn repeated_frames_in_flight_keep_their_places() {
    let caps = caps("RGB", 160, 120);
    let element = element(&negative());
    element.set_property("max-in-flight", 3_u32);
    element.set_property_from_str("stabilizer", "off");
    element.set_property("exposure-guard", false);
    let mut rig = Rig::of(&element, &caps);
    // Scenes of three frames each.
    let photos: Vec<_> = (0..15).map(|n| grainy(&caps, n / 3)).collect();
    for (n, photo) in photos.iter().enumerate() {
        let pushed = rig.harness.push(buffer(photo, &caps, n as u64));
        pushed.expect("the element takes frames");
    }
    assert!(rig.harness.push_event(gst::event::Eos::new()));
    for (n, photo) in photos.iter().enumerate() {
        let painted = rig.harness.pull().expect("every frame comes out");
        assert_eq!(painted.pts(), Some(time(n as u64)));
        let wanted = crate::negated(photo);
        crate::assert_same(&picture(&painted, &caps), &wanted, &format!("frame {n}"));
    }
    assert_eq!(rig.count("frames-reused"), 10);
}

/// How a stream comes to a new beginning.
type Beginning = fn(&mut Rig, &mut gst::Buffer);

fn discont(_: &mut Rig, next: &mut gst::Buffer) {
    next.make_mut().set_flags(gst::BufferFlags::DISCONT);
}

fn segment(rig: &mut Rig, _: &mut gst::Buffer) {
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    assert!(rig.harness.push_event(gst::event::Segment::new(&segment)));
}

fn flush(rig: &mut Rig, next: &mut gst::Buffer) {
    assert!(rig.harness.push_event(gst::event::FlushStart::new()));
    assert!(rig.harness.push_event(gst::event::FlushStop::new(true)));
    segment(rig, next);
}

fn strength_zero(rig: &mut Rig, _: &mut gst::Buffer) {
    rig.element.set_property("strength", 0.0_f32);
    let caps = rig.caps.clone();
    rig.paint(&grainy(&caps, 77), 5);
    rig.element.set_property("strength", 1.0_f32);
}

fn other_caps(rig: &mut Rig, _: &mut gst::Buffer) {
    let own = rig.caps.clone();
    rig.harness.set_src_caps(caps("RGB", 96, 64));
    rig.harness.set_src_caps(own);
}

fn nothing(_: &mut Rig, _: &mut gst::Buffer) {}

#[test]
fn a_new_beginning_is_painted_as_by_a_fresh_element() {
    let caps = caps("RGB", 160, 120);
    let after = grainy(&caps, 6);
    let fresh = alone(&negative(), &caps, &after);
    let cases: [(&str, Beginning, bool); 6] = [
        ("discont", discont, true),
        ("segment", segment, true),
        ("flush", flush, true),
        ("strength 0", strength_zero, true),
        ("caps", other_caps, true),
        ("nothing", nothing, false),
    ];
    for (case, begin, is_fresh) in cases {
        let mut rig = steady(&negative(), &caps);
        for n in 0..5 {
            rig.paint(&grainy(&caps, n), n as u64);
        }
        let mut next = buffer(&after, &caps, 6);
        begin(&mut rig, &mut next);
        let painted = rig.harness.push_and_pull(next).expect("a frame comes out");
        assert_eq!(picture(&painted, &caps) == fresh, is_fresh, "{case}");
        assert_eq!(rig.count("frames-in"), rig.count("frames-out"), "{case}");
    }
}

#[test]
fn a_discontinuity_loses_no_frame_in_flight() {
    let caps = caps("RGB", 160, 120);
    let element = element(&negative());
    element.set_property("max-in-flight", 3_u32);
    element.set_property_from_str("stabilizer", "flow");
    let mut rig = Rig::of(&element, &caps);
    for n in 0..20 {
        let mut source = buffer(&grainy(&caps, n as usize), &caps, n);
        if n % 4 == 3 {
            discont(&mut rig, &mut source);
        }
        rig.harness.push(source).expect("the element takes frames");
    }
    assert!(rig.harness.push_event(gst::event::Eos::new()));
    for n in 0..20 {
        let painted = rig.harness.pull().expect("every frame comes out");
        assert_eq!(painted.pts(), Some(time(n)));
        let is_marked = painted.flags().contains(gst::BufferFlags::DISCONT);
        assert_eq!(is_marked, n % 4 == 3, "frame {n}");
        if n % 4 == 3 {
            let wanted = alone(&negative(), &caps, &grainy(&caps, n as usize));
            assert_eq!(picture(&painted, &caps), wanted, "frame {n}");
        }
    }
}

#[test]
fn the_frame_after_a_cut_is_painted_by_itself() {
    let caps = caps("NV12", 160, 120);
    let after = other(&caps);
    let mut rig = steady(&negative(), &caps);
    for n in 0..5 {
        rig.paint(&grainy(&caps, n), n as u64);
    }
    assert_eq!(rig.paint(&after, 5), alone(&negative(), &caps, &after));
}

/// A rig on a picture that stands still, in a style, painted until nothing changes.
fn still(from: &str, stabilizer: &str, caps: &gst::Caps, photo: &Picture) -> Rig {
    let mut rig = steady(from, caps);
    rig.element.set_property_from_str("stabilizer", stabilizer);
    for n in 0..3 {
        rig.paint(photo, n);
    }
    rig
}

/// Changes the style and gives the frames from the last before the change on.
fn change(rig: &mut Rig, to: &str, photo: &Picture, n_frames: u64) -> Vec<Picture> {
    let before = rig.paint(photo, 3);
    rig.element.set_property("style", to);
    let start = Instant::now();
    for n in 4.. {
        let found = rig.paint(photo, n);
        if found != before {
            let mut frames = vec![before, found];
            frames.extend((n + 1..n + n_frames).map(|n| rig.paint(photo, n)));
            return frames;
        }
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "the style does not change"
        );
        thread::sleep(Duration::from_millis(5));
    }
    unreachable!("counting does not end")
}

#[test]
fn styles_fade_into_each_other_within_half_a_second() {
    for (frames_per_second, n_frames) in [(30, 15), (10, 5)] {
        let mut caps = caps("RGB", 160, 120);
        let rate = gst::Fraction::new(frames_per_second, 1);
        caps.make_mut().set("framerate", rate);
        let photo = Picture::of(format_of(&caps), 0, busy);
        for (from, to) in [(same(), negative()), (negative(), same())] {
            let new = alone(&to, &caps, &photo);
            let mut rig = still(&from, "flow", &caps, &photo);
            let frames = change(&mut rig, &to, &photo, n_frames + 2);
            let whole = distance(&frames[0], &new);
            let left: Vec<_> = frames
                .iter()
                .map(|frame| distance(frame, &new) as f64 / whole as f64)
                .collect();
            for pair in left.windows(2) {
                assert!(pair[1] <= pair[0], "back: {left:.2?}");
                assert!(pair[0] - pair[1] < 0.4, "a jump: {left:.2?}");
            }
            assert!(left[1] > 0.7, "a jump: {left:.2?}");
            assert!(left[n_frames as usize / 3] > 0.1, "too soon: {left:.2?}");
            let last = frames.last().expect("frames");
            crate::assert_same(last, &new, "in the end");
        }
    }
}

#[test]
fn without_stabilizer_styles_change_at_once() {
    let caps = caps("RGB", 160, 120);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let new = alone(&negative(), &caps, &photo);
    let mut rig = still(&same(), "off", &caps, &photo);
    let frames = change(&mut rig, &negative(), &photo, 3);
    assert!(frames[1..].iter().all(|frame| *frame == new));
    let n_out = rig.count("frames-out");
    // All but the first of the old paint and the first of the new.
    assert_eq!(rig.count("frames-reused"), n_out - 2);
}

#[test]
fn repeats_are_counted_across_styles_and_from_each_start() {
    let caps = caps("RGB", 160, 120);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let dark = style("dark", |network| network.affine([0.5; 3], [0.0; 3], 2));
    let mut rig = still(&same(), "flow", &caps, &photo);
    let before = rig.count("frames-reused");
    assert_eq!(before, 2);
    change(&mut rig, &dark, &photo, 30);
    let after = rig.count("frames-reused");
    assert!(after > before + 5, "{before}, then {after}");
    for state in [gst::State::Null, gst::State::Playing] {
        rig.element.set_state(state).expect("an element that works");
    }
    assert_eq!(rig.count("frames-reused"), 0);
}

#[test]
fn steadiness_changes_while_playing_and_loses_no_frame() {
    let caps = caps("NV12", 160, 120);
    let mut rig = steady(&negative(), &caps);
    for n in 0..40_u64 {
        let words = ["flow", "off", "gate", "auto", "flow"];
        rig.element
            .set_property_from_str("stabilizer", words[n as usize / 2 % 5]);
        rig.element
            .set_property("persistence", [0.95_f32, 0.0, 0.5][n as usize / 3 % 3]);
        rig.element.set_property("exposure-guard", n % 7 < 4);
        let painted = rig
            .harness
            .push_and_pull(buffer(&grainy(&caps, n as usize), &caps, n))
            .expect("a frame comes out");
        assert_eq!(painted.pts(), Some(time(n)));
    }
    assert_eq!((rig.count("frames-in"), rig.count("frames-out")), (40, 40));
}
