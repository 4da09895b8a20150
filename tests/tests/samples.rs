//! The pipelines of `samples/pipelines.md` do what they say, as pasted.

#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use gst::prelude::*;
use tests::data;
use tests::element::{init, run};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The lines of the page that need neither camera nor window, without `gst-launch-1.0` and its flags.
fn lines() -> Vec<String> {
    let page = fs::read_to_string(Path::new(ROOT).join("samples/pipelines.md")).expect("the page");
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix("gst-launch-1.0 "));
    let lines = lines.map(|line| line.strip_prefix("-e ").unwrap_or(line).to_owned());
    lines
        .filter(|line| !line.contains("v4l2src") && !line.contains("autovideosink"))
        .collect()
}

#[test]
fn every_pipeline_to_a_file_writes_it() {
    init();
    let lines = lines();
    assert!(lines.len() >= 5, "only {} lines", lines.len());
    let folder = tempfile::tempdir().expect("a folder");
    for line in lines {
        let (_, target) = line.rsplit_once("location=").expect("a file to write");
        let target = folder.path().join(target);
        let here = line
            .replace("location=samples/", &format!("location={ROOT}/samples/"))
            .replace("style=engines/", &format!("style={ROOT}/engines/"));
        let (start, _) = here.rsplit_once("location=").expect("a file to write");
        let text = format!("{start} location={}", target.display());
        let pipeline = match gst::parse::launch(&text) {
            Ok(pipeline) => pipeline.downcast::<gst::Pipeline>().expect("a pipeline"),
            Err(error) => {
                data::skip(&format!("{line}: {error}"));
                continue;
            }
        };
        run(&pipeline);
        let len_bytes = fs::metadata(&target).expect("the file").len();
        assert!(len_bytes > 10_000, "{line}: {len_bytes} bytes");
    }
}
