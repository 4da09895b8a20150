//! Lists the styles that the library carries, so that a new one can start from the one that is most like it.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join("../engines/styles");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of bundled styles is part of the sources")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    let mut tables = String::new();
    for (name, extension) in [("TEMPLATES", "onnx"), ("STYLES", "safetensors")] {
        writeln!(tables, "const {name}: &[(&str, &[u8])] = &[").expect("a string takes it");
        let is_wanted =
            |path: &&std::path::PathBuf| path.extension().is_some_and(|found| found == extension);
        for path in paths.iter().filter(is_wanted) {
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .expect("a UTF-8 file name");
            writeln!(tables, "    ({stem:?}, include_bytes!({path:?})),")
                .expect("a string takes it");
        }
        tables.push_str("];\n");
    }
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("shipped.rs"), tables)
        .expect("cargo's output folder is writable");
}
