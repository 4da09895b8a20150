//! `impasto engine`: engines of TensorRT, which are built without a GPU.

#![cfg(feature = "tensorrt")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Kinds of GPU that all engines here are built for.
const GPUS: [&str; 2] = ["--gpu", "8.6,8.9,12.0"];

/// Runs `impasto engine` with a cache of its own.
fn engine(cache: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_impasto"))
        .arg("engine")
        .args(arguments)
        .env("XDG_CACHE_HOME", cache)
        .output()
        .expect("the command starts")
}

/// The lines of JSON of a run that went well.
fn lines(output: &Output) -> Vec<Value> {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let text = str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn build(cache: &Path, arguments: &[&str]) -> Output {
    engine(
        cache,
        &[&["build", "--json"], &GPUS[..], arguments].concat(),
    )
}

#[test]
fn all_bundled_styles_are_built_listed_and_removed() {
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path();
    let built = lines(&build(cache, &["--size", "640x360"]));
    let styles = engines::styles::list().unwrap();
    let n_sizes: usize = styles.iter().map(|style| style.qualities.len()).sum();
    assert_eq!(built.len(), 3 * n_sizes);
    for (engine, gpu) in built.iter().zip(["8.6", "8.9", "12.0"].iter().cycle()) {
        assert_eq!(engine["was_there"], false, "{engine}");
        assert_eq!(engine["precision"], "half", "{engine}");
        assert_eq!(engine["gpu"], *gpu, "{engine}");
        assert!(engine["bytes"].as_u64().unwrap() > 100_000, "{engine}");
    }
    let kept = lines(&engine(cache, &["list", "--json"]));
    assert_eq!(kept[0].as_array().unwrap().len(), built.len());
    let removed = lines(&engine(cache, &["clear", "--json"]));
    assert_eq!(removed[0]["removed"], built.len());
    let kept = lines(&engine(cache, &["list", "--json"]));
    assert_eq!(kept[0].as_array().unwrap().len(), 0);
}

#[test]
fn an_engine_is_kept_and_a_damaged_one_built_anew() {
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path();
    let what = ["--style", "udnie", "--quality", "fast", "--size", "320x180"];
    let first = lines(&build(cache, &what)).remove(0);
    assert_eq!(first["was_there"], false);
    assert_eq!(lines(&build(cache, &what))[0]["was_there"], true);

    let file = first["file"].as_str().unwrap();
    let whole = fs::read(file).unwrap();
    let middle = whole.len() / 2;
    for (name, damaged) in [
        ("cut short", whole[..middle].to_vec()),
        ("empty", Vec::new()),
        ("flipped", {
            let mut bytes = whole.clone();
            bytes[middle] ^= 1;
            bytes
        }),
    ] {
        fs::write(file, damaged).unwrap();
        let kept = lines(&engine(cache, &["list", "--json"]));
        let kept = kept[0].as_array().unwrap();
        let n_damaged = kept.iter().filter(|entry| entry.get("style").is_none());
        assert_eq!(n_damaged.count(), 1, "{name}");
        assert_eq!(lines(&build(cache, &what))[0]["was_there"], false, "{name}");
        assert_eq!(fs::read(file).unwrap().len(), whole.len(), "{name}");
    }
    for other in [
        ["--style", "udnie", "--quality", "fast", "--size", "322x180"],
        ["--style", "udnie", "--quality", "best", "--size", "320x180"],
        [
            "--style",
            "great-wave",
            "--quality",
            "fast",
            "--size",
            "320x180",
        ],
    ] {
        assert_eq!(lines(&build(cache, &other))[0]["was_there"], false);
    }
    let f32 = [&what[..], &["--precision", "f32"]].concat();
    assert_eq!(lines(&build(cache, &f32))[0]["precision"], "f32");
}

#[test]
fn mixes_and_frames_of_any_size_have_engines_too() {
    let cache = tempfile::tempdir().unwrap();
    let mix = ["--style", "udnie:0.5+great-wave:0.5", "--quality", "best"];
    let built = lines(&build(cache.path(), &mix)).remove(0);
    assert_eq!(
        (&built["size"], &built["quality"]),
        (&"1312x752".into(), &"best".into())
    );
    let any = [
        "--style",
        "udnie",
        "--quality",
        "balanced",
        "--size",
        "dynamic",
    ];
    assert_eq!(lines(&build(cache.path(), &any))[0]["size"], "dynamic");
}

#[test]
fn networks_of_other_makers_are_built_or_refused_in_words() {
    let Some(data) = std::env::var_os("IMPASTO_TEST_DATA") else {
        eprintln!("skipped: IMPASTO_TEST_DATA names no folder with networks of other makers");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let take = |name: &str, sidecar: &str| {
        let path = folder.path().join(format!("{name}.onnx"));
        let from = Path::new(&data).join(format!("models/{name}.onnx"));
        fs::copy(from, &path).unwrap();
        if !sidecar.is_empty() {
            fs::write(path.with_extension("toml"), sidecar).unwrap();
        }
        path.display().to_string()
    };
    let weights = |n: usize| format!("{:?}", vec![0.1; n]);
    for (name, sidecar, size) in [
        ("gnsmrky_mosaic_nc16", String::new(), "640x360"),
        ("gnsmrky_mosaic_nc8_256x256", String::new(), "256x256"),
        ("johnson_candy_nc16", String::new(), "640x360"),
        ("lengstrom_wave", String::new(), "640x360"),
        ("reconet_sd1_mosaic", String::new(), "640x360"),
        (
            "multistyle26",
            format!("[inputs]\nstyle_weights = {}\n", weights(26)),
            "640x360",
        ),
    ] {
        let path = take(name, &sidecar);
        let built = lines(&build(&cache, &["--style", &path, "--size", "640x360"])).remove(0);
        assert_eq!(built["size"], size, "{name}");
        assert_eq!(built["precision"], "f32", "{name}");
    }
    let refused = |path: &str, more: &[&str], words: &[&str]| {
        let output = build(
            &cache,
            &[&["--style", path, "--size", "640x360"], more].concat(),
        );
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
    };
    let weights = format!(
        "[inputs]\n\"mobilenet_conv/Conv/BiasAdd\" = {}\n",
        weights(100)
    );
    let eight_bit = take("arbitrary_transform", &weights);
    refused(
        &eight_bit,
        &[],
        &["arbitrary_transform", "TensorRT", "Int8", "engine=cpu"],
    );
    let mean = take("reconet_sd1_mosaic", "");
    let half = ["--precision", "half"];
    refused(&mean, &half, &["reconet", "InstanceNormalization", "f32"]);
}

#[test]
fn without_a_gpu_the_kinds_have_to_be_named() {
    let cache = tempfile::tempdir().unwrap();
    let output = engine(cache.path(), &["build", "--style", "udnie"]);
    if output.status.success() {
        eprintln!("skipped: this machine has a GPU");
        return;
    }
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("driver") && told.contains("--gpu"), "{told}");
}

#[test]
fn a_library_that_is_not_there_is_missed_by_name() {
    let empty = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_impasto"))
        .args(["engine", "build", "--gpu", "8.9"])
        .env("XDG_CACHE_HOME", empty.path())
        .env("XDG_DATA_HOME", empty.path())
        .env("IMPASTO_TENSORRT", empty.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for word in ["IMPASTO_TENSORRT", "libtensorrt_rtx.so", "./setup nvidia"] {
        assert!(told.contains(word), "{told}");
    }
}
