//! `impasto evaluate` as people use it: what it finds in a small scene, and what it says to wrong input.

#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::Value;

const SIZE: (u32, u32) = (96, 64);

/// Pixels by which the content moves to the left from frame to frame.
const SHIFT: u32 = 2;

fn evaluate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_impasto"))
        .arg("evaluate")
        .args(arguments)
        .output()
        .expect("impasto runs")
}

fn done(arguments: &[&str]) -> String {
    let output = evaluate(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs a command that must fail with exit code `code`, and returns what it said.
fn refused(arguments: &[&str], code: i32) -> String {
    let output = evaluate(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    said
}

fn frame(frame_idx: u32) -> RgbImage {
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let x = x + frame_idx * SHIFT;
        Rgb([x * 5 + y * 3, x * x / 9, y * 4 + x].map(|code| (code % 256) as u8))
    })
}

fn flow(size: (u32, u32), step: [f32; 2]) -> Vec<u8> {
    let mut bytes = b"PIEH".to_vec();
    bytes.extend(size.0.to_le_bytes());
    bytes.extend(size.1.to_le_bytes());
    for _ in 0..size.0 * size.1 {
        bytes.extend(step.iter().flat_map(|step| step.to_le_bytes()));
    }
    bytes
}

/// Three frames, and the motion of the first two.
fn scene(folder: &Path) -> PathBuf {
    let scene = folder.join("shift");
    fs::create_dir_all(scene.join("gt/occlusions")).unwrap();
    for number in 1..=3 {
        let name = format!("frame_{number:04}");
        frame(number)
            .save(scene.join(&name).with_extension("png"))
            .unwrap();
        let flow = flow(SIZE, [-(SHIFT as f32), 0.0]);
        fs::write(scene.join("gt").join(name).with_extension("flo"), flow).unwrap();
    }
    scene
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

#[test]
fn a_scene_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let scene = scene(folder.path());
    let written = folder.path().join("found.json");
    let arguments = [
        text(folder.path()),
        "--precision=f32",
        "--stabilizer=off",
        "--flow",
        "--json",
        "--output",
        text(&written),
    ];
    let report: Value = serde_json::from_str(&done(&arguments)).unwrap();
    let same: Value = serde_json::from_slice(&fs::read(&written).unwrap()).unwrap();
    assert_eq!(report, same);
    assert_eq!(report["stabilizer"], "off");

    let style = &report["styles"][0];
    assert_eq!(style["style"], engines::styles::DEFAULT);
    let found = &style["scenes"][0];
    assert_eq!(found["scene"], "shift");
    assert_eq!((&found["frames"], &found["pairs"]), (&3.into(), &2.into()));
    assert_eq!(found["input"]["e_stab"], 0.0);
    assert_eq!(found["input"]["strength"], 0.0);
    assert!(found["input"]["gradient_energy"].as_f64().unwrap() > 0.01);
    assert_eq!(found["input"]["e_10"], Value::Null);
    let painted = &found["unstabilised"];
    assert!(painted["e_stab"].as_f64().unwrap() > 0.001);
    assert!(painted["huang"].as_f64() < painted["e_stab"].as_f64());
    assert!(painted["strength"].as_f64().unwrap() > 0.01);
    assert!(painted["ms"].as_f64().unwrap() > 0.0);
    assert_eq!(painted["e_stab_of_pairs"].as_array().unwrap().len(), 2);
    assert_eq!(style["mean"]["unstabilised"]["e_stab"], painted["e_stab"]);

    let flow = &found["flow"];
    assert_eq!((&flow["width"], &flow["height"]), (&48.into(), &32.into()));
    assert_eq!(flow["pairs"].as_array().unwrap().len(), 2);
    assert!(flow["epe_visible"].as_f64().unwrap() < SHIFT.into());
    assert!(flow["flow_ms"].as_f64().unwrap() > 0.0);

    let said = refused(&[text(&scene), "--output", text(&written)], 1);
    assert!(said.contains("--overwrite"), "{said}");
}

#[test]
fn without_a_stabilizer_both_paintings_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let scene = scene(folder.path());
    // Nothing of the first pair counts.
    let mask = GrayImage::from_pixel(SIZE.0, SIZE.1, Luma([255]));
    mask.save(scene.join("gt/occlusions/frame_0001.png"))
        .unwrap();
    let said = done(&[
        text(&scene),
        "--precision=f32",
        "--stabilizer=off",
        "--json",
    ]);
    let report: Value = serde_json::from_str(&said).unwrap();
    let found = &report["styles"][0]["scenes"][0];
    assert_eq!(
        found["unstabilised"]["e_stab"],
        found["stabilised"]["e_stab"]
    );
    assert_eq!(found["ratio"], 1.0);
    assert_eq!(found["detail"], 1.0);
    assert_eq!(found["ghost_db"], 100.0);
    assert_eq!(found["stabilised"]["e_stab_of_pairs"][0], Value::Null);
    let table = done(&[text(&scene), "--precision=f32"]);
    assert!(
        table.contains("\nshift") && table.contains("\nmean"),
        "{table}"
    );
}

#[test]
fn wrong_usage_is_exit_code_2() {
    refused(&[], 2);
    for arguments in [
        ["--stabilizer", "glue"],
        ["--persistence", "0.96"],
        ["--persistence", "nan"],
        ["--drift-seconds", "1"],
    ] {
        refused(&[&["--synthetic"], &arguments[..]].concat(), 2);
    }
}

#[test]
fn broken_scenes_are_refused_in_words() {
    struct Case {
        breaks: fn(&Path),
        says: &'static str,
    }
    for Case { breaks, says } in [
        Case {
            breaks: |scene| fs::remove_dir_all(scene).unwrap(),
            says: "shift does not exist",
        },
        Case {
            breaks: |scene| fs::remove_dir_all(scene.join("gt")).unwrap(),
            says: "holds no scene",
        },
        Case {
            breaks: |scene| {
                for number in 1..=3 {
                    fs::remove_file(scene.join(format!("frame_000{number}.png"))).unwrap();
                }
            },
            says: "has no frames",
        },
        Case {
            breaks: |scene| fs::remove_file(scene.join("frame_0002.png")).unwrap(),
            says: "has no frame with known motion",
        },
        Case {
            breaks: |scene| fs::write(scene.join("frame_0002.png"), "text").unwrap(),
            says: "frame_0002.png: it cannot be read as a picture",
        },
        Case {
            breaks: |scene| frame(0).save(scene.join("frame_1.png")).unwrap(),
            says: "have one number",
        },
        Case {
            breaks: |scene| frame(0).save(scene.join("cover.png")).unwrap(),
            says: "cover.png has no number",
        },
        Case {
            breaks: |scene| {
                let large = RgbImage::new(SIZE.0, SIZE.1 + 1);
                large.save(scene.join("frame_0003.png")).unwrap();
            },
            says: "frame_0003.png is 96x65",
        },
        Case {
            breaks: |scene| fs::write(scene.join("gt/frame_0001.flo"), "PIEH").unwrap(),
            says: "frame_0001.flo: it is no .flo file",
        },
        Case {
            breaks: |scene| {
                let large = flow((SIZE.0, SIZE.1 + 1), [0.0; 2]);
                fs::write(scene.join("gt/frame_0001.flo"), large).unwrap();
            },
            says: "frame_0001.flo is 96x65, its frames are 96x64",
        },
        Case {
            breaks: |scene| {
                let mask = GrayImage::new(SIZE.0 + 1, SIZE.1);
                mask.save(scene.join("gt/occlusions/frame_0001.png"))
                    .unwrap();
            },
            says: "frame_0001.png is 97x64, its frames are 96x64",
        },
    ] {
        let folder = tempfile::tempdir().unwrap();
        let scene = scene(folder.path());
        breaks(&scene);
        let said = refused(&[text(&scene)], 1);
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_picture_is_no_scene_unless_scenes_are_made_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let scene = scene(folder.path());
    let said = refused(&[text(&scene.join("frame_0001.png"))], 1);
    assert!(said.contains("add --synthetic"), "{said}");
}

#[test]
fn a_missing_style_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let scene = scene(folder.path());
    let said = refused(&[text(&scene), "--style", "no-such-style"], 1);
    assert!(said.contains("no-such-style"), "{said}");
}
