//! Lists the files of `styles/` so that the library can carry them: a new style is one file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("styles");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of bundled styles is part of the sources")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    let out = env::var("OUT_DIR").expect("cargo sets it");
    for (kind, extension) in [("templates", "onnx"), ("styles", "safetensors")] {
        let table = table(&paths, extension);
        let path = Path::new(&out).join(format!("{kind}.rs"));
        fs::write(path, table).expect("cargo's output folder is writable");
    }
}

/// Rust for a list of the stem and bytes of every file with that extension.
fn table(paths: &[PathBuf], extension: &str) -> String {
    let mut table = String::from("&[\n");
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|found| found == extension))
    {
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a UTF-8 file name");
        writeln!(table, "    ({stem:?}, include_bytes!({path:?})),").expect("a string takes it");
    }
    table.push(']');
    table
}
