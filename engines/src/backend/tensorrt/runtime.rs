//! Finding and loading TensorRT-RTX and its ONNX parser.

#![expect(
    unsafe_code,
    reason = "a library's version is asked of its C functions"
)]

use std::error::Error as _;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use libloading::Library;

use crate::error::{Error, Result};
use crate::library::Wanted;

#[cfg(feature = "tensorrt-enterprise")]
use full::{LIBRARY, NAME, PARSER, WANTED};
#[cfg(not(feature = "tensorrt-enterprise"))]
use rtx::{LIBRARY, NAME, PARSER, WANTED};

/// TensorRT-RTX.
#[cfg(not(feature = "tensorrt-enterprise"))]
mod rtx {
    /// What it is called.
    pub(super) const NAME: &str = "TensorRT-RTX";
    /// The library itself, and the one that reads ONNX files. They lie side by side.
    pub(super) const LIBRARY: &str = "libtensorrt_rtx.so";
    pub(super) const PARSER: &str = "libtensorrt_onnxparser_rtx.so";
    /// Version that the bindings were made for.
    pub(super) const WANTED: [i32; 2] = [1, 7];
}

/// The full TensorRT.
#[cfg(feature = "tensorrt-enterprise")]
mod full {
    pub(super) const NAME: &str = "TensorRT";
    pub(super) const LIBRARY: &str = "libnvinfer.so";
    pub(super) const PARSER: &str = "libnvonnxparser.so";
    pub(super) const WANTED: [i32; 2] = [11, 4];
}

/// The loaded library, as it describes itself.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The library that was loaded.
    pub library: PathBuf,
    /// Its version.
    pub version: String,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} {}", self.version)
    }
}

static LOADED: OnceLock<Runtime> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// Loads the library if that has not happened yet, and describes it.
///
/// # Errors
/// [`Error::TensorRtMissing`].
pub fn probe() -> Result<Runtime> {
    let _guard = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = LOADED.get() {
        return Ok(runtime.clone());
    }
    let runtime = load()?;
    Ok(LOADED.get_or_init(|| runtime).clone())
}

fn load() -> Result<Runtime> {
    let wanted = Wanted {
        variable: "IMPASTO_TENSORRT",
        folder: "tensorrt",
        file: LIBRARY,
    };
    let (found, mut looked) = wanted.find();
    // By its name alone, the system's own search finds it.
    let library = found.unwrap_or_else(|| {
        looked.push("the system's library folders".to_owned());
        format!("{LIBRARY}.{}", WANTED[0]).into()
    });
    let folder = library.parent().unwrap_or(Path::new(""));
    let parser = Wanted {
        file: PARSER,
        ..wanted
    }
    .newest_in(folder)
    .unwrap_or_else(|| folder.join(format!("{PARSER}.{}", WANTED[0])));
    let missing = |reason: String| Error::TensorRtMissing {
        wanted: format!("{NAME} {}", text(&WANTED)),
        library: LIBRARY,
        looked: format!("{}; {reason}", looked.join(", ")),
    };
    let version = version(&library).map_err(missing)?;
    if version[..2] != WANTED {
        return Err(missing(format!(
            "{} is version {}, wanted {}",
            library.display(),
            text(&version),
            text(&WANTED)
        )));
    }
    trtx::dynamically_load_tensorrt(Some(&library))
        .and_then(|()| trtx::dynamically_load_tensorrt_onnxparser(Some(&parser)))
        .map_err(|error| missing(error.to_string()))?;
    Ok(Runtime {
        library,
        version: text(&version),
    })
}

/// Major, minor, patch and build version of a library.
fn version(library: &Path) -> std::result::Result<[i32; 4], String> {
    // SAFETY: loading TensorRT runs its initialisers, which are made for that.
    let loaded = unsafe { Library::new(library) }.map_err(told)?;
    let mut version = [0; 4];
    for (part, name) in version.iter_mut().zip(["Major", "Minor", "Patch", "Build"]) {
        let symbol = format!("getInferLib{name}Version\0");
        // SAFETY: `NvInferRuntime.h` declares these functions so.
        let function = unsafe { loaded.get::<unsafe extern "C" fn() -> i32>(symbol.as_bytes()) };
        let function = function.map_err(told)?;
        // SAFETY: as above; they only return a constant.
        *part = unsafe { function() };
    }
    Ok(version)
}

/// An error of the loader, in the system's words.
fn told(error: libloading::Error) -> String {
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

fn text(version: &[i32]) -> String {
    let parts: Vec<_> = version.iter().map(i32::to_string).collect();
    parts.join(".")
}
