//! Frames in a GPU's memory come out of the element as those of this machine's do, and stay there.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstcuda::{Context, FEATURE, Slot};
use tests::element::{self, SOON};
use tests::picture::Picture;

use crate::fakes::{Fakes, With, with_fakes};

const N_FRAMES: u64 = 6;

/// A pipeline `appsrc ! styletransfer ! appsink`.
struct Line {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    paint: gst::Element,
    sink: gst_app::AppSink,
}

impl Line {
    fn new(caps: &gst::Caps, settings: &str) -> Self {
        let style = element::same();
        let pipeline = element::pipeline(&format!(
            "appsrc name=source format=time block=true ! styletransfer name=paint style={style} {settings} \
             ! appsink name=sink sync=false"
        ));
        let by_name = |name| pipeline.by_name(name).unwrap();
        let source: gst_app::AppSrc = by_name("source").downcast().unwrap();
        source.set_caps(Some(caps));
        pipeline.set_state(gst::State::Ready).unwrap();
        Self {
            source,
            paint: by_name("paint"),
            sink: by_name("sink").downcast().unwrap(),
            pipeline,
        }
    }

    /// Plays buffers and gives what comes out of them.
    fn play(&self, buffers: Vec<gst::Buffer>) -> Result<Vec<gst::Sample>, String> {
        self.pipeline.set_state(gst::State::Playing).unwrap();
        for buffer in buffers {
            if self.source.push_buffer(buffer).is_err() {
                break;
            }
        }
        let _ = self.source.end_of_stream();
        let mut samples = Vec::new();
        while let Some(sample) = self.sink.try_pull_sample(SOON) {
            samples.push(sample);
        }
        let bus = self.pipeline.bus().unwrap();
        match bus.pop_filtered(&[gst::MessageType::Error]) {
            Some(message) => match message.view() {
                gst::MessageView::Error(error) => Err(error.error().to_string()),
                _ => Ok(samples),
            },
            None => Ok(samples),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

/// The same caps with frames on the GPU.
fn on_gpu(caps: &gst::Caps) -> gst::Caps {
    let mut caps = caps.copy();
    let features = gst::CapsFeatures::new([FEATURE]);
    caps.make_mut().set_features_simple(Some(features));
    caps
}

/// Something that moves.
fn pictures(caps: &gst::Caps) -> Vec<Picture> {
    let format = element::format_of(caps);
    (0..N_FRAMES)
        .map(|n| {
            Picture::of(format, 0, |x, y| {
                let (x, y) = ((x as f64 + 2.0 * n as f64) / 9.0, y as f64 / 7.0);
                [
                    0.5 + 0.4 * x.sin() * y.cos(),
                    0.5 + 0.3 * (x + y).sin(),
                    0.4,
                ]
            })
        })
        .collect()
}

fn buffers(caps: &gst::Caps) -> Vec<gst::Buffer> {
    let pictures = pictures(caps);
    let buffers = pictures.iter().enumerate();
    buffers
        .map(|(n, picture)| element::buffer(picture, caps, n as u64))
        .collect()
}

/// The same in memory of a context.
fn buffers_in(context: &Context, caps: &gst::Caps) -> Vec<gst::Buffer> {
    let info = element::info_of(caps);
    let pool = context.new_pool();
    let mut config = pool.config();
    config.set_params(Some(&on_gpu(caps)), info.size() as u32, 0, 0);
    pool.set_config(config).unwrap();
    pool.set_active(true).unwrap();
    let buffers = pictures(caps).into_iter().enumerate();
    let buffers = buffers
        .map(|(n, picture)| {
            let mut buffer = pool.acquire_buffer(None).unwrap();
            assert!(context.has(&buffer));
            let writable = buffer.get_mut().unwrap();
            writable.set_pts(element::time(n as u64));
            element::fill(writable, &info, &picture);
            buffer
        })
        .collect();
    pool.set_active(false).unwrap();
    buffers
}

/// Pictures and timestamps.
fn shown(samples: &[gst::Sample], caps: &gst::Caps) -> Vec<(gst::ClockTime, Picture)> {
    samples
        .iter()
        .map(|sample| {
            let buffer = sample.buffer().unwrap();
            (buffer.pts().unwrap(), element::picture(buffer, caps))
        })
        .collect()
}

/// What the element makes of frames in this machine's memory.
fn wanted(caps: &gst::Caps, settings: &str) -> Vec<(gst::ClockTime, Picture)> {
    let line = Line::new(caps, settings);
    let samples = line.play(buffers(caps)).unwrap();
    assert_eq!(samples.len() as u64, N_FRAMES);
    shown(&samples, caps)
}

/// Warnings of the element.
fn listen() -> Arc<Mutex<Vec<String>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heard);
    gst::log::remove_default_log_function();
    gst::log::set_threshold_for_name("styletransfer", gst::DebugLevel::Warning);
    gst::log::add_log_function(move |category, level, _, _, _, _, message| {
        if category.name() == "styletransfer" && level == gst::DebugLevel::Warning {
            let text = message.get().map(|text| text.to_string());
            noted.lock().unwrap().extend(text);
        }
    });
    heard
}

const SETTINGS: &str = "engine=tensorrt precision=f32";

fn nothing_is_left(fakes: &Fakes) {
    assert_eq!(fakes.left(), [0, 0, 0]);
}

#[test]
fn frames_of_every_format_stay_on_the_gpu() {
    with_fakes(With::GStreamers, |fakes| {
        let heard = listen();
        for (format, width, height, more) in [
            ("NV12", 133, 91, "max-in-flight=3"),
            ("I420", 128, 72, "strength=0.5"),
            ("P010_10LE", 133, 90, "keep-colors=true"),
            ("RGBA", 131, 67, "processing-size=48"),
            ("BGR", 64, 48, "stabilizer=off"),
        ] {
            let caps = element::caps(format, width, height);
            let settings = format!("{SETTINGS} {more}");
            let wanted = wanted(&caps, &settings);
            let line = Line::new(&on_gpu(&caps), &settings);
            let context = Slot::default().ensure(&line.source, 0).unwrap();
            let samples = line.play(buffers_in(&context, &caps)).unwrap();
            for sample in &samples {
                assert!(context.has(sample.buffer().unwrap()), "{format}");
                let caps = sample.caps().unwrap();
                assert!(caps.features(0).unwrap().contains(FEATURE));
            }
            assert_eq!(shown(&samples, &caps), wanted, "{format}");
            let engine: String = line.paint.property("active-engine");
            assert!(engine.starts_with("tensorrt: "), "{engine}");
            assert_ne!(shown(&samples, &caps)[0].1, pictures(&caps)[0], "unpainted");
        }
        assert_eq!(*heard.lock().unwrap(), Vec::<String>::new());
        nothing_is_left(fakes);
    });
}

#[test]
fn frames_of_another_context_are_copied_and_that_is_said_once() {
    with_fakes(With::GStreamers, |fakes| {
        let heard = listen();
        let caps = element::caps("NV12", 133, 91);
        let wanted = wanted(&caps, SETTINGS);
        let line = Line::new(&on_gpu(&caps), SETTINGS);
        // An element that nobody knows makes a context that nobody else has.
        let stranger = gst::ElementFactory::make("identity").build().unwrap();
        let foreign = Slot::default().ensure(&stranger, 0).unwrap();
        let samples = line.play(buffers_in(&foreign, &caps)).unwrap();
        assert_eq!(shown(&samples, &caps), wanted);
        assert!(!foreign.has(samples[0].buffer().unwrap()));
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(heard[0].contains("another CUDA context"), "{heard:?}");
        drop((samples, line, foreign, stranger));
        nothing_is_left(fakes);
    });
}

#[test]
fn neighbours_share_the_context() {
    with_fakes(With::GStreamers, |fakes| {
        let caps = element::caps("NV12", 64, 48);
        let line = Line::new(&on_gpu(&caps), SETTINGS);
        let context = Slot::default().ensure(&line.source, 0).unwrap();
        line.play(buffers_in(&context, &caps)).unwrap();
        let neighbour = gst::ElementFactory::make("identity").build().unwrap();
        neighbour.static_pad("src").unwrap();
        let mut query = gst::query::Context::new("gst.cuda.context");
        assert!(line.paint.static_pad("src").unwrap().query(&mut query));
        let found = query.context_owned().unwrap();
        let slot = Slot::default();
        slot.set(&neighbour, &found, 0);
        assert_eq!(slot.get().as_ref(), Some(&context));
        assert_eq!(context.device(), 0);
        // Another GPU's is none of its own.
        let other = Slot::default();
        other.set(&neighbour, &found, 1);
        assert_eq!(other.get(), None);
        drop((line, context, slot, neighbour, found, query));
        nothing_is_left(fakes);
    });
}

#[test]
fn frames_go_through_untouched_at_no_strength() {
    with_fakes(With::GStreamers, |fakes| {
        let caps = element::caps("RGBA", 64, 48);
        let line = Line::new(&on_gpu(&caps), &format!("{SETTINGS} strength=0"));
        let context = Slot::default().ensure(&line.source, 0).unwrap();
        let buffers = buffers_in(&context, &caps);
        let memory: Vec<_> = buffers.iter().map(|buffer| buffer.memory(0)).collect();
        let samples = line.play(buffers).unwrap();
        let passed: Vec<_> = samples
            .iter()
            .map(|sample| sample.buffer().unwrap().memory(0))
            .collect();
        assert_eq!(passed.len() as u64, N_FRAMES);
        for (passed, memory) in passed.iter().zip(&memory) {
            assert_eq!(
                passed.as_ref().unwrap().as_ptr(),
                memory.as_ref().unwrap().as_ptr()
            );
        }
        drop((samples, passed, memory, line, context));
        nothing_is_left(fakes);
    });
}

#[test]
fn the_processor_takes_no_frames_on_a_gpu() {
    with_fakes(With::GStreamers, |fakes| {
        let caps = element::caps("NV12", 64, 48);
        for (settings, takes) in [
            ("engine=cpu", false),
            ("engine=auto", false),
            (SETTINGS, true),
        ] {
            let line = Line::new(&caps, settings);
            for pad in ["sink", "src"] {
                let pad = line.paint.static_pad(pad).unwrap();
                let offered = pad.query_caps(None);
                let has_gpu =
                    (0..offered.size()).any(|idx| offered.features(idx).unwrap().contains(FEATURE));
                assert_eq!(has_gpu, takes, "{settings}: {offered}");
                assert_eq!(pad.query_accept_caps(&on_gpu(&caps)), takes, "{settings}");
                assert!(pad.query_accept_caps(&caps), "{settings}");
            }
        }
        let line = Line::new(&on_gpu(&caps), "engine=cpu");
        let context = Slot::default().ensure(&line.source, 0).unwrap();
        let refused = line.play(buffers_in(&context, &caps));
        assert!(refused.is_err(), "{refused:?}");
        drop((line, context));
        nothing_is_left(fakes);
    });
}
