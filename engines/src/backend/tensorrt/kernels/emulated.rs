//! Kernels run on the processor, compiled as C++.

#![expect(unsafe_code, reason = "what a C++ compiler made is called")]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use libloading::Library;

/// How the threads of a warp run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Warps {
    /// One thread does the work of all.
    OfOne,
    /// Each by itself, together with the others, as on a GPU.
    Whole,
}

/// Compiled files by name. They stay loaded until the process ends.
static LOADED: Mutex<Option<HashMap<(&'static str, Warps), &'static Library>>> = Mutex::new(None);

/// Calls a kernel of `FILE.cu` for every place of a grid of `width` times `height`.
///
/// # Safety
/// `job` is laid out as the kernel's own job, and its addresses are those of memory as large as the kernel expects.
pub(super) unsafe fn run<Job>(file: &'static str, kernel: &str, job: &Job, grid: (usize, usize)) {
    // SAFETY: the caller's.
    unsafe { run_in(Warps::OfOne, file, kernel, job, grid) };
}

/// The same, in warps of a kind.
///
/// # Safety
/// As [`run`].
pub(super) unsafe fn run_in<Job>(
    warps: Warps,
    file: &'static str,
    kernel: &str,
    job: &Job,
    (width, height): (usize, usize),
) {
    let library = library(file, warps);
    // SAFETY: `KERNEL` of `kernel.cuh` makes functions of this kind.
    let function =
        unsafe { library.get::<unsafe extern "C" fn(*const Job, u32, u32)>(kernel.as_bytes()) };
    let function = function.expect("the file has the kernel");
    // SAFETY: the caller's.
    unsafe { function(job, width as u32, height as u32) };
}

fn library(file: &'static str, warps: Warps) -> &'static Library {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded
        .get_or_insert_default()
        .entry((file, warps))
        .or_insert_with(|| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend/tensorrt/kernels");
            let target = tempfile::tempdir().expect("a temporary folder");
            let target = target.path().join(format!("lib{file}.so"));
            let output = Command::new("c++")
                .args(["-std=c++17", "-O1", "-shared", "-fPIC", "-Wall", "-Werror"])
                .args(["-Wno-unused-function", "-x", "c++"])
                .args(
                    (warps == Warps::Whole)
                        .then_some(["-DWARPS", "-pthread"])
                        .iter()
                        .flatten(),
                )
                .arg(folder.join(format!("{file}.cu")))
                .arg("-o")
                .arg(&target)
                .output()
                .expect("a C++ compiler, which the feature needs anyway");
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{told}");
            // SAFETY: it has no initialisers but those of C++ itself.
            let library = unsafe { Library::new(&target) };
            Box::leak(Box::new(library.expect("it was just made")))
        })
}

#[test]
fn ptx_is_made_of_the_sources_that_are_here() {
    use std::fs;

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend/tensorrt/kernels");
    let header = fs::read(folder.join("kernel.cuh")).unwrap();
    let mut n_sources = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|found| found != "cu") {
            continue;
        }
        n_sources += 1;
        let name = path.file_stem().unwrap().to_str().unwrap();
        let bytes = [header.clone(), fs::read(&path).unwrap()].concat();
        let (_, ptx) = super::PTX.iter().find(|(found, _)| *found == name).unwrap();
        assert_eq!(
            ptx.lines().next(),
            Some(&*format!("// {:016x}", fnv_1a(&bytes))),
            "{name}.ptx is not of {name}.cu; run compile.py"
        );
    }
    assert_eq!(n_sources, super::PTX.len());
}

fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
