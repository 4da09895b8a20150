//! Without GStreamer's CUDA library, a driver or a GPU, the element is there and paints, and says calmly what is missing.

use gst::prelude::*;
use gstcuda::{FEATURE, Missing};
use tests::element;

use crate::fakes::{With, with_fakes};

/// Paints a few frames of this machine's memory.
fn paint(settings: &str) {
    let style = element::same();
    element::run(&element::pipeline(&format!(
        "videotestsrc num-buffers=3 ! video/x-raw,format=NV12,width=64,height=48 \
         ! styletransfer style={style} {settings} ! fakesink"
    )));
}

#[test]
fn without_the_library_frames_of_this_machine_are_painted_all_the_same() {
    with_fakes(With::NoLibrary, |fakes| {
        let missing = gstcuda::load().unwrap_err();
        assert!(matches!(missing, Missing::Library(_)), "{missing}");
        let text = missing.to_string();
        assert!(text.contains("libgstreamer-plugins-bad1.0-0"), "{text}");
        let paint_element = gst::ElementFactory::make("styletransfer")
            .property_from_str("engine", "tensorrt")
            .build()
            .unwrap();
        let offered = paint_element.static_pad("sink").unwrap().query_caps(None);
        let has_gpu =
            (0..offered.size()).any(|idx| offered.features(idx).unwrap().contains(FEATURE));
        assert!(!has_gpu, "{offered}");
        paint("engine=tensorrt precision=f32");
        assert_eq!(fakes.left(), [0, 0, 0]);
    });
}

#[test]
fn who_paints_on_the_processor_opens_no_library_of_a_gpu() {
    with_fakes(With::GStreamers, |_| {
        let paint_element = gst::ElementFactory::make("styletransfer").build().unwrap();
        paint_element.set_context(&gst::Context::new("gst.gl.GLDisplay", true));
        for kind in ["gst.gl.GLDisplay", "gst.cuda.context"] {
            let mut query = gst::query::Context::new(kind);
            paint_element.static_pad("src").unwrap().query(&mut query);
        }
        paint("engine=cpu");
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(!maps.contains("libgstcuda"), "it is open");
    });
}

#[test]
fn without_a_driver_the_reason_says_so() {
    element::init();
    match gstcuda::load() {
        Ok(()) => tests::data::skip("there is a driver with a GPU"),
        Err(missing) => {
            assert!(matches!(missing, Missing::Driver(_)), "{missing}");
            assert!(missing.to_string().contains("driver"), "{missing}");
        }
    }
    paint("engine=cpu");
}
