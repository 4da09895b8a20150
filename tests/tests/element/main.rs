//! The element by itself: what it accepts, what it keeps, what it answers, and how it goes on.

#![forbid(unsafe_code)]

mod caps;
mod frames;
mod live;
mod mix;
mod properties;
mod size;
mod steady;
mod stream;
mod style;

use gst::prelude::*;
use gst_check::Harness;
use tests::element::{buffer, init, paint_frame_by_frame, picture};
use tests::picture::Picture;

/// The element between two pads of the test, with a bus to hear it on.
struct Rig {
    harness: Harness,
    element: gst::Element,
    bus: gst::Bus,
    caps: gst::Caps,
}

impl Rig {
    /// The element with a style, playing in f32, every frame by itself.
    fn new(style: &str, caps: &gst::Caps) -> Self {
        let element = element(style);
        paint_frame_by_frame(&element);
        Self::of(&element, caps)
    }

    fn of(element: &gst::Element, caps: &gst::Caps) -> Self {
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let mut harness = Harness::with_element(element, Some("sink"), Some("src"));
        harness.set_src_caps(caps.clone());
        Self {
            harness,
            element: element.clone(),
            bus,
            caps: caps.clone(),
        }
    }

    /// Sends a picture through as frame `n` and gives what comes out.
    fn paint(&mut self, photo: &Picture, n: u64) -> Picture {
        let painted = self
            .harness
            .push_and_pull(buffer(photo, &self.caps, n))
            .expect("a frame comes out");
        picture(&painted, &self.caps)
    }

    /// A count of `stats`.
    fn count(&self, name: &str) -> u64 {
        self.element
            .property::<gst::Structure>("stats")
            .get(name)
            .expect("a count")
    }
}

fn element(style: &str) -> gst::Element {
    init();
    gst::ElementFactory::make("styletransfer")
        .property("style", style)
        .property_from_str("precision", "f32")
        .build()
        .expect("the element is registered")
}

/// Asks that two pictures differ by at most one code, which is how roundings may fall.
fn assert_same(found: &Picture, wanted: &Picture, case: &str) {
    let (difference, idx) = tests::difference::largest(&found.samples(), &wanted.samples());
    assert!(
        difference <= 1,
        "{case}: {:?} differs by {difference} at {:?}",
        found.format,
        found.place(idx)
    );
}

/// The negative of a picture, by the plain reference.
fn negated(photo: &Picture) -> Picture {
    use tests::reference;
    let mut painted = photo.clone();
    reference::write(
        &reference::read(photo).map(|pixel| pixel.map(|value| 1.0 - value)),
        &mut painted,
    );
    painted
}
