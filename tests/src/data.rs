//! Where files for tests lie: those of this repository, and third-party ones that are no part of it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, io};

/// A file or folder of this crate.
pub fn of_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file or folder of the repository.
pub fn of_repository(path: &str) -> PathBuf {
    of_crate("..").join(path)
}

/// A file or folder of the build, for what tests write: a test binary lies in `deps/` of the build's folder.
///
/// # Panics
/// If there is no such folder.
pub fn of_build(path: &str) -> PathBuf {
    let binary = env::current_exe().expect("a running program has a path");
    binary
        .ancestors()
        .nth(2)
        .expect("cargo's folders")
        .join(path)
}

/// The folder of third-party models and clips that `IMPASTO_TEST_DATA` names, or `None` said aloud.
pub fn third_party() -> Option<PathBuf> {
    let folder = env::var_os("IMPASTO_TEST_DATA").filter(|folder| !folder.is_empty());
    if folder.is_none() {
        skip("IMPASTO_TEST_DATA is not set to a folder of third-party models");
    }
    folder.map(PathBuf::from)
}

/// Says why the running test does nothing. Written past the test harness, which hides what a passing test prints.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(io::stderr(), "skipped {test}: {reason}");
}
