//! Libraries without a GPU: NVIDIA's driver (that of the engine's own tests) and TensorRT (`tensorrt.cpp`). A test runs in a
//! process of its own, which finds them in the place of the real ones.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use libloading::Library;
use tests::data;

/// Set in processes that have the fakes, to the folder where they are.
const FOLDER: &str = "IMPASTO_TEST_FAKES";

const DRIVER: &str = "libcuda.so.1";
const TENSORRT: &str = "libtensorrt_rtx.so.1";
const PARSER: &str = "libtensorrt_onnxparser_rtx.so.1";
const GSTREAMERS: &str = "libgstcuda-1.0.so.0";

/// What is there besides the fake driver and the fake TensorRT.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum With {
    /// GStreamer's own library.
    GStreamers,
    /// Something in its place that is none.
    NoLibrary,
}

/// The fakes, as tests see them.
pub struct Fakes {
    driver: Library,
    tensorrt: Library,
    pub cache: PathBuf,
}

impl Fakes {
    /// Allocations that are left, on the GPU and page-locked, and contexts that were made.
    pub fn left(&self) -> [usize; 3] {
        [
            // SAFETY: `driver.cpp` has these functions.
            unsafe { count_of_kind(&self.driver, 0) },
            // SAFETY: as above.
            unsafe { count_of_kind(&self.driver, 1) },
            // SAFETY: as above.
            unsafe { count(&self.driver, "fake_count_contexts") },
        ]
    }

    /// How often an engine had to be compiled when it first ran.
    pub fn n_compiled(&self) -> usize {
        // SAFETY: `tensorrt.cpp` has this function.
        unsafe { count(&self.tensorrt, "fake_count_compiled") }
    }
}

/// # Safety
/// The library has that function, which takes nothing and gives a number.
unsafe fn count(library: &Library, name: &str) -> usize {
    // SAFETY: the caller's.
    unsafe {
        library
            .get::<unsafe extern "C" fn() -> usize>(name.as_bytes())
            .unwrap()()
    }
}

/// # Safety
/// The library is the fake driver.
unsafe fn count_of_kind(library: &Library, kind: i32) -> usize {
    // SAFETY: `driver.cpp` has this function.
    unsafe {
        library
            .get::<unsafe extern "C" fn(i32) -> usize>(b"fake_count_live")
            .unwrap()(kind)
    }
}

/// Runs the body of a test, which is to be a closure within it, in a process that has the fakes.
pub fn with_fakes<Body: FnOnce(&Fakes)>(with: With, body: Body) {
    if let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) {
        // SAFETY: they have no initialisers but those of C++ itself.
        let [driver, tensorrt] = [DRIVER, TENSORRT].map(|name| unsafe { Library::new(name) });
        tests::element::init();
        body(&Fakes {
            driver: driver.expect("the parent made it"),
            tensorrt: tensorrt.expect("the parent made it"),
            cache: folder.join("impasto/engines"),
        });
        return;
    }
    let test = std::any::type_name::<Body>();
    let test = test.split_once("::").expect("a path").1;
    let test = test.trim_end_matches("::{{closure}}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    make(folder.path(), with);
    let mut folders = vec![folder.path().to_owned()];
    folders.extend(env::split_paths(
        &env::var_os("LD_LIBRARY_PATH").unwrap_or_default(),
    ));
    let output = Command::new(env::current_exe().expect("this is a program"))
        .args([test, "--exact", "--nocapture"])
        .env(FOLDER, folder.path())
        .env("LD_LIBRARY_PATH", env::join_paths(folders).expect("paths"))
        .env("IMPASTO_TENSORRT", folder.path())
        .env("XDG_CACHE_HOME", folder.path())
        .output()
        .expect("this program, once more");
    let told = [&output.stdout[..], &output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    print!("{told}");
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{test}, {}:\n{told}",
        output.status
    );
}

fn make(folder: &Path, with: With) {
    let driver = data::of_repository("engines/src/backend/tensorrt/fake/driver.cpp");
    compile(&driver, &folder.join(DRIVER), &[]);
    // Both names are one library.
    std::os::unix::fs::symlink(DRIVER, folder.join("libcuda.so")).expect("a link");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gpu/tensorrt.cpp");
    let headers = headers();
    compile(
        &source,
        &folder.join(TENSORRT),
        &[headers.join("TRT-RTX-1.7"), headers],
    );
    std::os::unix::fs::symlink(TENSORRT, folder.join(PARSER)).expect("a link");
    if with == With::NoLibrary {
        fs::write(folder.join(GSTREAMERS), "no library").expect("a file");
    }
}

/// NVIDIA's headers, which the bindings bring along.
fn headers() -> PathBuf {
    let host = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--print", "host-tuple"])
        .output()
        .expect("rustc");
    let host = String::from_utf8_lossy(&host.stdout);
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--features",
            "engines/tensorrt",
            // What other platforms need was never downloaded here.
            "--filter-platform",
            host.trim(),
        ])
        .current_dir(data::of_repository("."))
        .output()
        .expect("cargo");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let bindings = packages
        .iter()
        .find(|package| package["name"] == "trtx-sys");
    let manifest = bindings.expect("the bindings")["manifest_path"].as_str();
    let manifest = Path::new(manifest.expect("a path"));
    manifest.with_file_name("TensorRT-Headers")
}

fn compile(source: &Path, target: &Path, headers: &[PathBuf]) {
    let output = Command::new("c++")
        .args([
            "-std=c++17",
            "-O1",
            "-shared",
            "-fPIC",
            "-fvisibility=hidden",
        ])
        .args(["-Wno-deprecated-declarations", "-Wno-unused-function"])
        .args(
            headers
                .iter()
                .map(|folder| format!("-I{}", folder.display())),
        )
        .arg(source)
        .arg("-o")
        .arg(target)
        .arg("-ldl")
        .output()
        .expect("a C++ compiler, which the feature needs anyway");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}
