//! What a frame keeps on its way through: times, metas, alpha, layout in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gst::prelude::*;
use gst_video::prelude::*;
use tests::card::busy;
use tests::element::{buffer, caps, format_of, info_of, negative, picture, time};
use tests::picture::Picture;

use crate::{Rig, assert_same, negated};

#[test]
fn times_offsets_and_flags_are_kept() {
    let caps = caps("NV12", 64, 48);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut rig = Rig::new(&negative(), &caps);
    for n in 0..5 {
        let mut source = buffer(&photo, &caps, n);
        let writable = source.make_mut();
        writable.set_dts(time(n) - gst::ClockTime::MSECOND * u64::from(n > 0));
        writable.set_offset(100 + n);
        writable.set_offset_end(101 + n);
        writable.set_flags(gst::BufferFlags::MARKER | gst::BufferFlags::DISCONT);
        let painted = rig
            .harness
            .push_and_pull(source.clone())
            .expect("a frame comes out");
        assert_eq!(painted.pts(), source.pts());
        assert_eq!(painted.dts(), source.dts());
        assert_eq!(painted.duration(), source.duration());
        assert_eq!((painted.offset(), painted.offset_end()), (100 + n, 101 + n));
        assert!(
            painted
                .flags()
                .contains(gst::BufferFlags::MARKER | gst::BufferFlags::DISCONT)
        );
    }
}

#[test]
fn a_frame_without_times_goes_through() {
    let caps = caps("RGB", 64, 48);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut source = buffer(&photo, &caps, 0);
    source.make_mut().set_pts(None);
    source.make_mut().set_duration(None);
    let painted = Rig::new(&negative(), &caps)
        .harness
        .push_and_pull(source)
        .expect("a frame comes out");
    assert_eq!((painted.pts(), painted.duration()), (None, None));
    assert_same(&picture(&painted, &caps), &negated(&photo), "without times");
}

#[test]
fn metas_are_kept() {
    let caps = caps("NV12", 64, 48);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut source = buffer(&photo, &caps, 0);
    let clock = gst::Caps::new_empty_simple("timestamp/x-unix");
    gst::ReferenceTimestampMeta::add(source.make_mut(), &clock, time(77), None);
    gst_video::VideoRegionOfInterestMeta::add(source.make_mut(), "face", (1, 2, 30, 40));
    let painted = Rig::new(&negative(), &caps)
        .harness
        .push_and_pull(source)
        .expect("a frame comes out");
    let reference = painted
        .meta::<gst::ReferenceTimestampMeta>()
        .expect("the clock's time is kept");
    assert_eq!(
        (reference.reference(), reference.timestamp()),
        (&*clock, time(77))
    );
    let face = painted
        .meta::<gst_video::VideoRegionOfInterestMeta>()
        .expect("the face is kept");
    assert_eq!(face.rect(), (1, 2, 30, 40));
}

#[test]
fn alpha_is_untouched() {
    for (name, alpha) in [("RGBA", 3), ("BGRA", 3)] {
        let caps = caps(name, 61, 47);
        let photo = Picture::of(format_of(&caps), 0, busy);
        let painted = Rig::new(&negative(), &caps).paint(&photo, 0);
        let channel = |picture: &Picture| {
            picture
                .samples()
                .into_iter()
                .skip(alpha)
                .step_by(4)
                .collect::<Vec<_>>()
        };
        assert_eq!(channel(&painted), channel(&photo), "{name}");
        assert_ne!(painted.samples(), photo.samples(), "{name}");
    }
}

#[test]
fn strides_and_offsets_of_a_video_meta_are_followed() {
    for name in ["NV12", "I420", "P010_10LE", "BGR", "RGBA"] {
        let caps = caps(name, 61, 47);
        let info = info_of(&caps);
        let photo = Picture::of(format_of(&caps), 0, busy);
        let strides: Vec<i32> = info.stride().iter().map(|stride| stride + 34).collect();
        let mut end = 96;
        let offsets: Vec<usize> = (0..info.n_planes() as usize)
            .map(|idx| {
                let (_, n_rows) = photo.format.pixels.plane_size(idx, 61, 47);
                let start = end;
                end += strides[idx] as usize * n_rows + 10;
                start
            })
            .collect();
        let mut source = gst::Buffer::with_size(end).expect("memory for a frame");
        let flags = gst_video::VideoFrameFlags::empty();
        gst_video::VideoMeta::add_full(
            source.make_mut(),
            flags,
            info.format(),
            61,
            47,
            &offsets,
            &strides,
        )
        .expect("a layout that fits");
        tests::element::fill(source.make_mut(), &info, &photo);
        let painted = Rig::new(&negative(), &caps)
            .harness
            .push_and_pull(source)
            .expect("a frame comes out");
        assert_same(&picture(&painted, &caps), &negated(&photo), name);
    }
}

#[test]
fn at_strength_zero_the_very_buffer_goes_through() {
    let caps = caps("NV12", 64, 48);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut rig = Rig::new(&negative(), &caps);
    for (n, strength) in [0.0_f32, 1.0, 0.0, 0.0].into_iter().enumerate() {
        rig.element.set_property("strength", strength);
        let source = buffer(&photo, &caps, n as u64);
        let memory = source.peek_memory(0).as_ptr();
        let painted = rig
            .harness
            .push_and_pull(source)
            .expect("a frame comes out");
        let is_same = painted.peek_memory(0).as_ptr() == memory;
        assert_eq!(is_same, strength == 0.0, "frame {n}");
        let wanted = if strength == 0.0 {
            photo.clone()
        } else {
            negated(&photo)
        };
        assert_same(&picture(&painted, &caps), &wanted, "passed through");
    }
    assert_eq!((rig.count("frames-in"), rig.count("frames-out")), (4, 4));
}

#[test]
fn the_source_buffer_is_not_written() {
    let caps = caps("RGBA", 64, 48);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let source = buffer(&photo, &caps, 0);
    let kept = source.clone();
    Rig::new(&negative(), &caps)
        .harness
        .push_and_pull(source)
        .expect("a frame comes out");
    assert_eq!(picture(&kept, &caps), photo);
}

#[test]
fn buffers_that_are_too_small_are_an_error_in_words() {
    let caps = caps("NV12", 64, 48);
    let mut rig = Rig::new(&negative(), &caps);
    let pushed = rig
        .harness
        .push(gst::Buffer::with_size(100).expect("memory"));
    assert_eq!(pushed, Err(gst::FlowError::Error));
    let message = rig.bus.pop_filtered(&[gst::MessageType::Error]);
    assert!(message.is_some(), "an error on the bus");
}

#[test]
fn upstream_is_offered_a_pool_and_video_metas() {
    let caps = caps("NV12", 61, 47);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut rig = Rig::new(&negative(), &caps);
    rig.paint(&photo, 0);
    let sink = rig.element.static_pad("sink").expect("a sink pad");
    let mut query = gst::query::Allocation::new(Some(&caps), true);
    assert!(sink.query(&mut query));
    assert!(
        query
            .find_allocation_meta::<gst_video::VideoMeta>()
            .is_some()
    );
    let pools: Vec<_> = query.allocation_pools().collect();
    let (pool, size, ..) = pools.first().expect("a pool or its size");
    assert!(*size as usize >= info_of(&caps).size());
    let pool = pool.as_ref().expect("a pool");
    pool.set_active(true).expect("a pool that works");
    let buffer = pool.acquire_buffer(None).expect("a buffer of the pool");
    assert!(gst_video::VideoFrameRef::from_buffer_ref_readable(&buffer, &info_of(&caps)).is_ok());
    drop(buffer);
    pool.set_active(false).expect("a pool that stops");
}

#[test]
fn downstream_with_video_metas_gets_a_layout_that_it_can_read() {
    for name in ["NV12", "I420", "BGR"] {
        let caps = caps(name, 61, 47);
        let photo = Picture::of(format_of(&caps), 0, busy);
        let mut rig = Rig::new(&negative(), &caps);
        let api = <gst_video::VideoMeta as MetaAPI>::meta_api();
        rig.harness.add_propose_allocation_meta(api, None);
        rig.harness.set_src_caps(caps.clone());
        let painted = rig.paint(&photo, 0);
        assert_same(&painted, &negated(&photo), name);
    }
}

#[test]
fn memory_is_negotiated_again_when_painting_starts() {
    let caps = caps("NV12", 64, 48);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let unpainted = crate::element(&negative());
    unpainted.set_property("strength", 0.0_f32);
    let mut rig = Rig::of(&unpainted, &caps);
    let n_asked = Arc::new(AtomicUsize::new(0));
    let counted = n_asked.clone();
    let src = rig.element.static_pad("src").expect("a source pad");
    src.add_probe(
        gst::PadProbeType::QUERY_DOWNSTREAM | gst::PadProbeType::PUSH,
        move |_, info| {
            let is_allocation = info
                .query()
                .is_some_and(|query| query.type_() == gst::QueryType::Allocation);
            counted.fetch_add(usize::from(is_allocation), Ordering::Relaxed);
            gst::PadProbeReturn::Ok
        },
    );
    rig.paint(&photo, 0);
    let before = n_asked.load(Ordering::Relaxed);
    rig.element.set_property("strength", 1.0_f32);
    for n in 1..4 {
        assert_same(&rig.paint(&photo, n), &negated(&photo), "painted");
    }
    assert!(
        n_asked.load(Ordering::Relaxed) > before,
        "downstream is asked for memory to paint into"
    );
}

#[test]
fn downstream_without_video_metas_gets_the_default_layout() {
    let caps = caps("I420", 61, 47);
    let photo = Picture::of(format_of(&caps), 0, busy);
    let mut rig = Rig::new(&negative(), &caps);
    let painted = rig
        .harness
        .push_and_pull(buffer(&photo, &caps, 0))
        .expect("a frame comes out");
    let info = info_of(&caps);
    let frame =
        gst_video::VideoFrameRef::from_buffer_ref_readable(&painted, &info).expect("a frame");
    assert_eq!(frame.plane_stride(), info.stride());
    assert_eq!(frame.plane_offset(), info.offset());
}
