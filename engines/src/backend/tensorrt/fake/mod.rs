//! A CUDA driver without a GPU (`driver.cpp`), under which the whole way of frames runs in tests, with a network that only
//! copies. Such a test runs in a process of its own, which finds this driver in the place of NVIDIA's.

#![expect(unsafe_code, reason = "the driver's own functions are called")]

mod case;
mod clip;
mod device;
mod failures;
mod following;
mod frames;
mod model;
mod network;
mod scenes;
mod stress;

use std::env;
use std::ffi::{CStr, c_char};
use std::path::Path;
use std::process::Command;

use libloading::Library;

/// Set in processes that have the fake driver.
const HAS_DRIVER: &str = "IMPASTO_TEST_FAKE_DRIVER";

/// The fake driver, as its tests see it.
struct Driver(Library);

/// Whose memory.
#[derive(Clone, Copy, Debug)]
enum Memory {
    /// The GPUs', of all of them together.
    Gpu,
    /// This machine's, page-locked.
    Pinned,
}

/// Which streams run ahead of all others, as far as nothing makes them wait.
#[derive(Clone, Copy, Debug)]
enum Hurry {
    /// None: all work is done when something waits for it.
    Nothing = 0,
    /// What is found out about frames that come in.
    Following = 1,
    /// What is done to frames that come in.
    Coming = 2,
    /// What is done to frames that go out.
    Going = 4,
}

impl Hurry {
    const ALL: [Self; 4] = [Self::Nothing, Self::Following, Self::Coming, Self::Going];
}

impl Driver {
    /// Allocations that are left, of each kind of memory.
    fn live(&self) -> [usize; 2] {
        // SAFETY: `driver.cpp` has this function.
        let count = unsafe {
            self.0
                .get::<unsafe extern "C" fn(i32) -> usize>(b"fake_count_live")
        };
        let count = count.unwrap();
        // SAFETY: it takes any number.
        [Memory::Gpu, Memory::Pinned].map(|memory| unsafe { count(memory as i32) })
    }

    /// Allocations that were ever made.
    fn n_allocated(&self) -> usize {
        // SAFETY: `driver.cpp` has this function.
        let count = unsafe {
            self.0
                .get::<unsafe extern "C" fn() -> usize>(b"fake_count_ever")
        };
        // SAFETY: it can be called at any time.
        unsafe { count.unwrap()() }
    }

    /// How often a kernel has run.
    fn n_runs(&self, kernel: &CStr) -> usize {
        // SAFETY: `driver.cpp` has this function.
        let count = unsafe {
            self.0
                .get::<unsafe extern "C" fn(*const c_char) -> usize>(b"fake_count_runs")
        };
        // SAFETY: it takes any text.
        unsafe { count.unwrap()(kernel.as_ptr()) }
    }

    /// Lets there be so many bytes of memory.
    fn limit(&self, memory: Memory, n_bytes: usize) {
        // SAFETY: `driver.cpp` has this function.
        let limit = unsafe {
            self.0
                .get::<unsafe extern "C" fn(i32, usize)>(b"fake_limit")
        };
        // SAFETY: it takes any number.
        unsafe { limit.unwrap()(memory as i32, n_bytes) }
    }

    /// From now on the GPU does nothing any more, and a call that waits for it stops the process.
    fn hang(&self) {
        // SAFETY: `driver.cpp` has this function.
        let hang = unsafe { self.0.get::<unsafe extern "C" fn()>(b"fake_hang") };
        // SAFETY: it can be called at any time.
        unsafe { hang.unwrap()() }
    }

    /// Chooses which streams of engines that are yet to be opened run ahead.
    fn hurry(&self, which: Hurry) {
        // SAFETY: `driver.cpp` has this function.
        let hurry = unsafe { self.0.get::<unsafe extern "C" fn(u32)>(b"fake_hurry") };
        // SAFETY: it takes any number.
        unsafe { hurry.unwrap()(which as u32) }
    }
}

/// Runs the body of a test, which is to be a closure within it, in a process that has the fake driver.
fn with_driver<Body: FnOnce(&Driver)>(body: Body) {
    if env::var_os(HAS_DRIVER).is_some() {
        // SAFETY: it has no initialisers but those of C++ itself.
        let library = unsafe { Library::new("libcuda.so") };
        body(&Driver(library.expect("the parent made it")));
        return;
    }
    let test = std::any::type_name::<Body>();
    let test = test.split_once("::").expect("a path").1;
    let test = test.trim_end_matches("::{{closure}}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    compile(&folder.path().join("libcuda.so"));
    let mut folders = vec![folder.path().to_owned()];
    folders.extend(env::split_paths(
        &env::var_os("LD_LIBRARY_PATH").unwrap_or_default(),
    ));
    let output = Command::new(env::current_exe().expect("this is a program"))
        .args([test, "--exact", "--nocapture", "--include-ignored"])
        .env(HAS_DRIVER, "1")
        .env("LD_LIBRARY_PATH", env::join_paths(folders).expect("paths"))
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

fn compile(target: &Path) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend/tensorrt/fake");
    let output = Command::new("c++")
        .args([
            "-std=c++17",
            "-O1",
            "-shared",
            "-fPIC",
            "-fvisibility=hidden",
        ])
        .args(["-Wall", "-Werror", "-Wno-unused-function"])
        .arg(folder.join("driver.cpp"))
        .arg("-o")
        .arg(target)
        .output()
        .expect("a C++ compiler, which the feature needs anyway");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}
