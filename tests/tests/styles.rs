//! Where styles are looked up and how they are installed. Each test runs in a process of its own, with its own folders.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use engines::{Channels, Error, Quality, Sidecar, ValueRange, styles};
use tests::network::{NCHW, Network};

/// Folder of the process that a test started for itself.
const OWN: &str = "IMPASTO_TEST_FOLDER";

/// Runs `body` in a process whose style path is `first` and `second` and whose data folder is `data`, all within the
/// folder that it is given. `test` is the name of the calling test.
fn in_own_process(test: &str, body: fn(&Path)) {
    if let Some(folder) = env::var_os(OWN) {
        return body(Path::new(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder for tests");
    let at = |name: &str| folder.path().join(name);
    let search = env::join_paths([at("first"), at("second")]).expect("a path without colons");
    let output = Command::new(env::current_exe().expect("a running program has a path"))
        .args([test, "--exact", "--nocapture"])
        .env(OWN, folder.path())
        .env("IMPASTO_STYLE_PATH", search)
        .env("XDG_DATA_HOME", at("data"))
        .output()
        .expect("a test runs itself");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

fn network(title: &str) -> Network {
    Network::new(&NCHW)
        .op("Identity")
        .metadata("impasto.title", title)
}

/// Writes a network into a folder, which need not exist.
fn put(folder: &Path, name: &str, title: &str) -> PathBuf {
    fs::create_dir_all(folder).expect("a writable folder");
    let path = folder.join(format!("{name}.onnx"));
    network(title).write(&path);
    path
}

fn title(style: &str, quality: Quality) -> Option<String> {
    let model = styles::find(style, quality).expect(style);
    model.metadata("title").map(str::to_owned)
}

#[test]
fn the_style_path_goes_before_the_data_folder_before_the_bundle() {
    in_own_process(
        "the_style_path_goes_before_the_data_folder_before_the_bundle",
        |folder| {
            let installed = folder.join("data/impasto/styles");
            for (home, found) in [
                (installed, "installed"),
                (folder.join("second"), "second"),
                (folder.join("first"), "first"),
            ] {
                for name in ["mine", styles::DEFAULT] {
                    put(&home, name, found);
                    assert_eq!(title(name, Quality::Best).as_deref(), Some(found));
                    assert_eq!(title(name, Quality::Balanced).as_deref(), Some(found));
                }
            }
        },
    );
}

#[test]
fn sizes_of_a_style_are_chosen_by_quality() {
    in_own_process("sizes_of_a_style_are_chosen_by_quality", |folder| {
        put(&folder.join("first"), "mine.best", "large");
        let refused = styles::find("mine", Quality::Balanced).expect_err("there is no such size");
        assert!(
            matches!(refused, Error::QualityNotFound { .. }),
            "{refused}"
        );
        assert!(refused.to_string().contains("best"), "{refused}");
        put(&folder.join("first"), "mine.balanced", "small");
        assert_eq!(title("mine", Quality::Best).as_deref(), Some("large"));
        assert_eq!(title("mine", Quality::Balanced).as_deref(), Some("small"));
    });
}

#[test]
fn styles_of_every_folder_are_listed_once() {
    in_own_process("styles_of_every_folder_are_listed_once", |folder| {
        put(&folder.join("first"), "mine.best", "first");
        put(&folder.join("first"), "mine.balanced", "first");
        put(&folder.join("second"), "mine", "second");
        put(&folder.join("data/impasto/styles"), "other", "installed");
        fs::write(folder.join("second/notes.txt"), "no style").expect("a writable folder");
        let listed = styles::list().expect("readable folders");
        let names: Vec<_> = listed.iter().map(|style| style.name.as_str()).collect();
        assert!(names.is_sorted() && names.contains(&styles::DEFAULT));
        assert!(!names.contains(&styles::IDENTITY), "{names:?}");
        let find = |name: &str| listed.iter().find(|style| style.name == name);
        let mine = find("mine").expect("a style in a folder");
        assert_eq!(mine.qualities, [Quality::Balanced, Quality::Best]);
        assert_eq!(mine.folder.as_deref(), Some(&*folder.join("first")));
        let other = find("other").expect("an installed style");
        assert!(other.qualities.is_empty());
        let bundled = find(styles::DEFAULT).expect("a bundled style");
        assert_eq!(bundled.qualities, Quality::SIZES);
        assert_eq!(bundled.folder, None);
    });
}

#[test]
fn an_added_style_is_found_with_its_sidecar() {
    in_own_process("an_added_style_is_found_with_its_sidecar", |folder| {
        let file = put(folder, "candy", "Candy");
        fs::write(file.with_extension("toml"), "range = \"0..255\"\npad = 8\n")
            .expect("a writable folder");
        let told = Sidecar {
            channels: Some(Channels::Bgr),
            pad: Some(4),
            ..Sidecar::default()
        };
        let home = styles::add(&file, "sweet-1", told).expect("a style that works");
        assert_eq!(home, folder.join("data/impasto/styles/sweet-1.onnx"));
        fs::remove_file(&file).expect("a writable folder");
        let convention = styles::find("sweet-1", Quality::Best)
            .expect("an added style")
            .convention;
        assert_eq!(convention.channels.value, Channels::Bgr);
        assert_eq!(convention.pad.value, 4);
        assert_eq!(
            convention.output_range.map(|known| known.value),
            Some(ValueRange::Byte)
        );
    });
}

#[test]
fn a_style_added_again_loses_its_old_sidecar() {
    in_own_process("a_style_added_again_loses_its_old_sidecar", |folder| {
        let file = put(folder, "candy", "Candy");
        let told = Sidecar {
            channels: Some(Channels::Bgr),
            ..Sidecar::default()
        };
        styles::add(&file, "candy", told).expect("a style that works");
        styles::add(&file, "candy", Sidecar::default()).expect("a style that works");
        let convention = styles::find("candy", Quality::Best)
            .expect("an added style")
            .convention;
        assert_eq!(convention.channels.value, Channels::Rgb);
    });
}

#[test]
fn added_sizes_become_one_style() {
    in_own_process("added_sizes_become_one_style", |folder| {
        for quality in Quality::SIZES {
            let file = folder.join("network.onnx");
            network(quality.name())
                .metadata("impasto.quality", quality.name())
                .write(&file);
            let home = styles::add(&file, "mine", Sidecar::default()).expect("a style that works");
            assert!(
                home.ends_with(format!("mine.{quality}.onnx")),
                "{}",
                home.display()
            );
        }
        for quality in Quality::SIZES {
            assert_eq!(title("mine", quality).as_deref(), Some(quality.name()));
        }
    });
}

#[test]
fn what_would_not_work_is_not_added() {
    in_own_process("what_would_not_work_is_not_added", |folder| {
        let good = put(folder, "good", "Good");
        for name in ["", "Candy", "a b", "../candy", "a/b", "ab.best", "ä"] {
            let refused = styles::add(&good, name, Sidecar::default()).expect_err(name);
            assert!(
                matches!(
                    refused,
                    Error::Setting {
                        name: "the style's name",
                        ..
                    }
                ),
                "{name}: {refused}"
            );
        }
        let bad = folder.join("bad.onnx");
        fs::write(&bad, "no network").expect("a writable folder");
        let refused = styles::add(&bad, "bad", Sidecar::default()).expect_err("no network");
        assert!(refused.to_string().contains("bad.onnx"), "{refused}");
        let two_inputs = folder.join("two.onnx");
        Network::new(&NCHW)
            .second_input("weights", &[3, 1, 1])
            .write(&two_inputs);
        let refused =
            styles::add(&two_inputs, "two", Sidecar::default()).expect_err("unfilled input");
        assert!(refused.to_string().contains("`weights`"), "{refused}");
        assert!(
            !folder.join("data/impasto/styles").exists(),
            "nothing was installed"
        );
    });
}

#[test]
fn a_style_that_overwrites_itself_survives() {
    in_own_process("a_style_that_overwrites_itself_survives", |folder| {
        let file = put(&folder.join("data/impasto/styles"), "mine", "Mine");
        fs::write(file.with_extension("toml"), "range = \"0..1\"\n").expect("a writable folder");
        assert_eq!(
            styles::add(&file, "mine", Sidecar::default()).expect("a style that works"),
            file
        );
        let model = styles::find("mine", Quality::Best).expect("an added style");
        assert_eq!(
            model.convention.output_range.map(|known| known.value),
            Some(ValueRange::Unit)
        );
    });
}

#[test]
fn a_file_of_the_bundles_family_mixes_with_the_bundle() {
    in_own_process(
        "a_file_of_the_bundles_family_mixes_with_the_bundle",
        |folder| {
            let model = styles::find(styles::DEFAULT, Quality::Fast).expect("a bundled style");
            let path = folder.join("a:1+b.onnx");
            fs::write(&path, &model.bytes).expect("a writable folder");
            let mix = format!("{}:3+{}", path.display(), styles::IDENTITY);
            // The file comes in one size, and so does the mix.
            assert_eq!(styles::sizes(&mix).expect("a mix"), [Quality::Fast]);
            let mixed = styles::find(&mix, Quality::Auto).expect("a mix");
            assert_eq!(mixed.metadata("family"), model.metadata("family"));
            assert_eq!(mixed.quality(), Some(Quality::Fast));

            let other = folder.join("other.onnx");
            network("other").write(&other);
            let mix = format!("{}+{}", other.display(), styles::IDENTITY);
            let error = styles::find(&mix, Quality::Fast).expect_err("another build");
            assert!(matches!(error, Error::Mix { .. }), "{error}");
            let error = error.to_string();
            assert!(
                error.contains("other.onnx") && error.contains("family"),
                "{error}"
            );
        },
    );
}

#[test]
fn styles_without_a_common_size_do_not_mix() {
    in_own_process("styles_without_a_common_size_do_not_mix", |folder| {
        put(&folder.join("first"), "large.best", "large");
        put(&folder.join("first"), "small.fast", "small");
        let error = styles::find("large+small", Quality::Auto).expect_err("no common size");
        let error = error.to_string();
        assert!(error.contains("best") && error.contains("fast"), "{error}");
    });
}
