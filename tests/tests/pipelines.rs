//! Whole pipelines, as people type them.

#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gst_controller::prelude::*;
use tests::data;
use tests::element::{SOON, negative, pipeline, run, same};

/// Whether all elements are installed; says aloud which one is not.
fn has(elements: &[&str]) -> bool {
    tests::element::init();
    let missing = elements
        .iter()
        .find(|name| gst::ElementFactory::find(name).is_none());
    if let Some(name) = missing {
        data::skip(&format!("the element {name} is not installed"));
    }
    missing.is_none()
}

/// Frames of each element `styletransfer`, in and out, after the pipeline has come to its end.
fn counts(pipeline: &gst::Pipeline) -> Vec<(u64, u64)> {
    let noted = Arc::new(Mutex::new(Vec::new()));
    for element in pipeline.iterate_recurse().into_iter().flatten() {
        let is_ours = element
            .factory()
            .is_some_and(|factory| factory.name() == "styletransfer");
        if is_ours {
            let place = noted.lock().unwrap().len();
            noted.lock().unwrap().push((0, 0));
            for pad in element.pads() {
                let noted = noted.clone();
                let is_in = pad.direction() == gst::PadDirection::Sink;
                pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                    let (n_in, n_out) = &mut noted.lock().unwrap()[place];
                    *(if is_in { n_in } else { n_out }) += 1;
                    gst::PadProbeReturn::Ok
                });
            }
        }
    }
    run(pipeline);
    let noted = noted.lock().unwrap();
    noted.clone()
}

#[test]
fn pipelines_that_people_type_come_to_their_end() {
    let (same, negative) = (same(), negative());
    let source = "videotestsrc num-buffers=30";
    let small = "video/x-raw,width=80,height=60";
    for (text, n_elements) in [
        (
            format!("{source} ! styletransfer ! videoconvert ! fakesink"),
            1,
        ),
        (
            format!(
                "{source} ! {small} ! styletransfer quality=best strength=0.7 keep-colors=true ! fakesink"
            ),
            1,
        ),
        (
            format!("{source} ! styletransfer processing-size=64 ! fakesink"),
            1,
        ),
        (
            format!(
                "{source} ! video/x-raw,format=AYUV ! videoconvert ! styletransfer style={same} ! videoconvert ! video/x-raw,format=GRAY8 ! fakesink"
            ),
            1,
        ),
        (
            format!(
                "{source} ! {small} ! styletransfer style={same} ! styletransfer style={negative} ! fakesink"
            ),
            2,
        ),
        (
            format!(
                "{source} ! {small} ! tee name=t t. ! queue ! styletransfer style={same} ! fakesink t. ! queue ! styletransfer style={negative} ! fakesink"
            ),
            2,
        ),
        (
            format!(
                "{source} ! {small} ! videorate ! video/x-raw,framerate=7/1 ! styletransfer style={same} ! fakesink"
            ),
            1,
        ),
        (
            format!("{source} ! {small},framerate=0/1 ! styletransfer style={same} ! fakesink"),
            1,
        ),
        (
            format!(
                "{source} ! {small} ! identity drop-probability=0.3 ! styletransfer style={same} ! fakesink"
            ),
            1,
        ),
        (
            format!(
                "{source} ! {small} ! queue ! styletransfer style={same} ! queue leaky=downstream ! fakesink sync=false"
            ),
            1,
        ),
    ] {
        let counts = counts(&pipeline(&text));
        assert_eq!(counts.len(), n_elements, "{text}");
        for (n_in, n_out) in counts {
            assert!(
                n_in > 0 && n_in == n_out,
                "{text}: {n_in} frames in, {n_out} out"
            );
        }
    }
}

#[test]
fn the_sample_clip_is_painted_with_its_sound() {
    if !has(&["qtdemux", "avdec_h264", "avdec_aac", "audioconvert"]) {
        return;
    }
    let clip = data::of_repository("samples/media/bigbuckbunny.mp4");
    let pipeline = pipeline(&format!(
        "filesrc location=\"{}\" ! decodebin name=d \
         d. ! queue ! videoconvert ! videoscale ! video/x-raw,width=160,height=90 ! styletransfer ! fakesink sync=false \
         d. ! queue ! audioconvert ! fakesink name=sound sync=false",
        clip.display()
    ));
    let n_sounds = Arc::new(Mutex::new(0));
    let counted = n_sounds.clone();
    let sound = pipeline
        .by_name("sound")
        .and_then(|sink| sink.static_pad("sink"))
        .expect("a sink");
    sound.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        *counted.lock().unwrap() += 1;
        gst::PadProbeReturn::Ok
    });
    assert_eq!(counts(&pipeline), [(132, 132)]);
    assert!(*n_sounds.lock().unwrap() > 100);
}

#[test]
fn a_clip_that_is_encoded_again_has_all_its_frames() {
    if !has(&["x264enc", "h264parse", "mp4mux", "qtdemux", "avdec_h264"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for tests");
    let file = folder.path().join("painted.mp4");
    run(&pipeline(&format!(
        "videotestsrc num-buffers=45 ! video/x-raw,width=96,height=64,framerate=25/1 ! styletransfer ! \
         videoconvert ! x264enc speed-preset=ultrafast ! h264parse ! mp4mux ! filesink location=\"{}\"",
        file.display()
    )));
    let read = pipeline(&format!(
        "filesrc location=\"{}\" ! decodebin ! appsink name=sink sync=false",
        file.display()
    ));
    let sink: gst_app::AppSink = read.by_name("sink").and_downcast().expect("the sink");
    read.set_state(gst::State::Playing)
        .expect("a pipeline that starts");
    let mut times = Vec::new();
    while let Some(sample) = sink.try_pull_sample(SOON) {
        times.extend(sample.buffer().and_then(|buffer| buffer.pts()));
    }
    assert!(sink.is_eos());
    read.set_state(gst::State::Null)
        .expect("a pipeline that stops");
    assert_eq!(times.len(), 45);
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(
        steps
            .into_iter()
            .all(|step| step == gst::ClockTime::from_mseconds(40)),
        "{times:?}"
    );
}

#[test]
fn a_control_binding_changes_strength_over_time() {
    let pipeline = pipeline(&format!(
        "videotestsrc num-buffers=21 pattern=white ! video/x-raw,format=RGB,width=32,height=32,framerate=20/1 ! \
         styletransfer name=s precision=f32 style={} ! appsink name=sink sync=false",
        negative()
    ));
    let element = pipeline.by_name("s").expect("the element");
    let source = gst_controller::InterpolationControlSource::new();
    source.set_mode(gst_controller::InterpolationMode::Linear);
    source.set(gst::ClockTime::ZERO, 0.0);
    source.set(gst::ClockTime::SECOND, 1.0);
    let binding = gst_controller::DirectControlBinding::new_absolute(&element, "strength", &source);
    element
        .add_control_binding(&binding)
        .expect("a property that can be controlled");

    let sink: gst_app::AppSink = pipeline.by_name("sink").and_downcast().expect("the sink");
    pipeline
        .set_state(gst::State::Playing)
        .expect("a pipeline that starts");
    let mut codes = Vec::new();
    while let Some(sample) = sink.try_pull_sample(SOON) {
        let buffer = sample.buffer().expect("a frame");
        codes.push(buffer.map_readable().expect("a frame that can be read")[300]);
    }
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline that stops");
    // White fades to its negative, black, over one second of 20 frames.
    let wanted: Vec<u8> = (0..=20)
        .map(|n| (255.0 * (1.0 - f64::from(n) / 20.0)).round() as u8)
        .collect();
    assert_eq!(codes.len(), wanted.len());
    let is_near = codes
        .iter()
        .zip(&wanted)
        .all(|(found, wanted)| found.abs_diff(*wanted) <= 1);
    assert!(is_near, "{codes:?}, wanted {wanted:?}");
}

#[test]
fn a_pipeline_stops_at_once_in_the_middle_of_a_frame() {
    for _ in 0..10 {
        let pipeline = pipeline(
            "videotestsrc ! video/x-raw,width=320,height=240 ! styletransfer ! fakesink sync=false",
        );
        pipeline
            .set_state(gst::State::Playing)
            .expect("a pipeline that starts");
        std::thread::sleep(std::time::Duration::from_millis(30));
        pipeline
            .set_state(gst::State::Null)
            .expect("a pipeline that stops");
    }
}
