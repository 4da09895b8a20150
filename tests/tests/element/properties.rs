//! Properties: what they are called, which values they take, when they may change.

use gst::glib;
use gst::prelude::*;
use tests::card::busy;
use tests::element::{caps, format_of, init, same};
use tests::picture::Picture;

use crate::Rig;

struct Case {
    name: &'static str,
    default: &'static str,
    controllable: bool,
    while_playing: bool,
}

const CASES: [Case; 12] = [
    Case {
        name: "style",
        default: "starry-night",
        controllable: false,
        while_playing: true,
    },
    Case {
        name: "strength",
        default: "1",
        controllable: true,
        while_playing: true,
    },
    Case {
        name: "keep-colors",
        default: "false",
        controllable: true,
        while_playing: true,
    },
    Case {
        name: "quality",
        default: "auto",
        controllable: true,
        while_playing: true,
    },
    Case {
        name: "processing-size",
        default: "0",
        controllable: true,
        while_playing: true,
    },
    Case {
        name: "precision",
        default: "auto",
        controllable: false,
        while_playing: false,
    },
    Case {
        name: "engine",
        default: "auto",
        controllable: false,
        while_playing: false,
    },
    Case {
        name: "device",
        default: "0",
        controllable: false,
        while_playing: false,
    },
    Case {
        name: "max-in-flight",
        default: "1",
        controllable: false,
        while_playing: true,
    },
    Case {
        name: "stabilizer",
        default: "auto",
        controllable: true,
        while_playing: true,
    },
    Case {
        name: "persistence",
        // That of the engine.
        default: "",
        controllable: true,
        while_playing: true,
    },
    Case {
        name: "exposure-guard",
        default: "true",
        controllable: true,
        while_playing: true,
    },
];

fn plain() -> gst::Element {
    init();
    gst::ElementFactory::make("styletransfer")
        .build()
        .expect("the element is registered")
}

fn spec(element: &gst::Element, name: &str) -> glib::ParamSpec {
    element
        .find_property(name)
        .unwrap_or_else(|| panic!("no property {name}"))
}

#[test]
fn properties_have_their_defaults_and_flags() {
    let element = plain();
    for case in CASES {
        let spec = spec(&element, case.name);
        let value = element.property_value(case.name);
        let text = value.serialize().expect("a value that has a text");
        if case.name != "persistence" {
            assert_eq!(text.trim_matches('"'), case.default, "{}", case.name);
        }
        let default = spec
            .default_value()
            .serialize()
            .expect("a value that has a text");
        assert_eq!(default, text, "{}: the default is documented", case.name);
        let flags = spec.flags();
        assert!(flags.contains(glib::ParamFlags::READWRITE), "{}", case.name);
        assert_eq!(
            flags.contains(gst::PARAM_FLAG_CONTROLLABLE),
            case.controllable,
            "{}",
            case.name
        );
        assert_eq!(
            flags.contains(gst::PARAM_FLAG_MUTABLE_PLAYING),
            case.while_playing,
            "{}",
            case.name
        );
    }
}

#[test]
fn steadiness_is_that_of_the_engine_by_default() {
    let (element, look) = (plain(), engines::Look::default());
    assert_eq!(element.property::<f32>("persistence"), look.persistence);
    assert_eq!(
        element.property::<bool>("exposure-guard"),
        look.exposure_guard
    );
    let stabilizer = element.property_value("stabilizer");
    let (_, value) = glib::EnumValue::from_value(&stabilizer).expect("an enum");
    assert_eq!(value.nick(), look.stabilizer.name());
}

#[test]
fn properties_say_what_they_are() {
    let element = plain();
    for name in CASES
        .iter()
        .map(|case| case.name)
        .chain(["active-engine", "stats"])
    {
        let spec = spec(&element, name);
        assert!(
            !spec.nick().is_empty() && spec.nick() != name,
            "{name}: {}",
            spec.nick()
        );
        let blurb = spec.blurb().unwrap_or_default();
        assert!(blurb.len() > 10, "{name}: {blurb}");
    }
}

#[test]
fn numbers_have_their_ranges() {
    let element = plain();
    let strength = spec(&element, "strength");
    let strength = strength
        .downcast_ref::<glib::ParamSpecFloat>()
        .expect("a float");
    assert_eq!((strength.minimum(), strength.maximum()), (0.0, 1.0));
    let persistence = spec(&element, "persistence");
    let persistence = persistence
        .downcast_ref::<glib::ParamSpecFloat>()
        .expect("a float");
    assert_eq!((persistence.minimum(), persistence.maximum()), (0.0, 0.95));
    let size = spec(&element, "processing-size");
    let size = size
        .downcast_ref::<glib::ParamSpecUInt>()
        .expect("an unsigned integer");
    assert_eq!((size.minimum(), size.maximum()), (0, 8192));
}

#[test]
fn words_of_enums_are_those_of_the_engine() {
    let element = plain();
    let words = |name: &str| {
        let kind = element.property_type(name).expect("a property");
        let class = glib::EnumClass::with_type(kind).expect("an enum");
        class
            .values()
            .iter()
            .map(|value| value.nick().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words("quality"),
        engines::Quality::ALL.map(engines::Quality::name)
    );
    assert_eq!(
        words("engine"),
        engines::Place::ALL.map(engines::Place::name)
    );
    assert_eq!(
        words("precision"),
        engines::Precision::ALL.map(engines::Precision::name)
    );
    assert_eq!(
        words("stabilizer"),
        engines::Stabilizer::ALL.map(engines::Stabilizer::name)
    );
}

#[test]
fn read_only_properties_cannot_be_written() {
    let element = plain();
    for name in ["active-engine", "stats"] {
        let flags = spec(&element, name).flags();
        assert!(flags.contains(glib::ParamFlags::READABLE), "{name}");
        assert!(!flags.contains(glib::ParamFlags::WRITABLE), "{name}");
    }
}

#[test]
fn the_active_engine_is_empty_until_caps_and_again_after_stop() {
    let caps = caps("NV12", 64, 48);
    let mut rig = Rig::new(&same(), &caps);
    let photo = Picture::of(format_of(&caps), 0, busy);
    rig.paint(&photo, 0);
    let engine: String = rig.element.property("active-engine");
    assert!(
        engine.starts_with("cpu: OpenVINO ") && engine.contains("f32"),
        "{engine}"
    );
    rig.element
        .set_state(gst::State::Null)
        .expect("an element that stops");
    assert_eq!(rig.element.property::<String>("active-engine"), "");
    assert_eq!(plain().property::<String>("active-engine"), "");
}

#[test]
fn stats_count_frames_and_time_stages() {
    let caps = caps("RGB", 64, 48);
    let element = crate::element(&same());
    element.set_property_from_str("stabilizer", "flow");
    let mut rig = Rig::of(&element, &caps);
    for n in 0..5 {
        let photo = Picture::of(format_of(&caps), 0, |x, y| busy(x + n as usize, y));
        rig.paint(&photo, n);
    }
    assert_eq!(rig.count("frames-reused"), 0);
    assert_eq!(
        (
            rig.count("frames-in"),
            rig.count("frames-out"),
            rig.count("frames-late")
        ),
        (5, 5, 0)
    );
    for stage in ["upload", "infer", "stabilize", "download"] {
        let [median, p95, p99] =
            ["median", "p95", "p99"].map(|word| rig.count(&format!("{stage}-{word}")));
        assert!(
            0 < median && median <= p95 && p95 <= p99,
            "{stage}: {median} {p95} {p99}"
        );
        assert!(p99 < 10_000_000_000, "{stage}: {p99} ns");
    }
}

#[test]
fn strength_and_keep_colors_change_from_frame_to_frame() {
    let caps = caps("I420", 64, 48);
    let mut rig = Rig::new(&tests::element::negative(), &caps);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let negative = crate::negated(&photo);
    crate::assert_same(&rig.paint(&photo, 0), &negative, "painted");
    rig.element.set_property("keep-colors", true);
    let found = rig.paint(&photo, 1);
    assert_eq!(found.planes[1..], photo.planes[1..]);
    rig.element.set_property("keep-colors", false);
    rig.element.set_property("strength", 0.0_f32);
    assert_eq!(rig.paint(&photo, 2), photo);
    rig.element.set_property("strength", 1.0_f32);
    crate::assert_same(&rig.paint(&photo, 3), &negative, "painted again");
}
