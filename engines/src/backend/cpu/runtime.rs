//! Finding and loading OpenVINO.
//!
//! The libraries find each other by themselves, so naming the first one is enough.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock};

use openvino::{Core, DeviceType, PropertyKey};

use crate::error::{Error, Result};
use crate::library::Wanted;
use crate::settings::Precision;

/// The loaded runtime, as it describes itself.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The library that was loaded.
    pub library: PathBuf,
    /// Version of OpenVINO.
    pub version: String,
    /// The processor.
    pub processor: String,
    /// The runtime's word for the half-precision format of this processor, `bf16` or `f16`, if it has one.
    pub half: Option<&'static str>,
    /// The same of the code that is built in, `i16`: fixed point.
    pub own_half: Option<&'static str>,
}

impl Runtime {
    /// Name and version.
    pub fn name(&self) -> String {
        format!("OpenVINO {}", self.version)
    }
}

struct Loaded {
    core: Mutex<Core>,
    runtime: Runtime,
}

static LOADED: OnceLock<Loaded> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// Loads the runtime if that has not happened yet, and describes it.
pub(crate) fn probe() -> Result<Runtime> {
    Ok(loaded()?.runtime.clone())
}

/// The one core of this process, for as long as the guard lives.
pub(super) fn core() -> Result<MutexGuard<'static, Core>> {
    let core = &loaded()?.core;
    // A panic elsewhere leaves the core itself usable: it holds no state of ours between calls.
    Ok(core
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner))
}

impl Precision {
    /// The value of the runtime's property for this choice, which is no longer `auto`.
    pub(super) fn hint(self, runtime: &Runtime) -> &'static str {
        match (self, runtime.half) {
            (Self::Half, Some(half)) => half,
            _ => "f32",
        }
    }
}

fn loaded() -> Result<&'static Loaded> {
    let _guard = LOADING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(loaded) = LOADED.get() {
        return Ok(loaded);
    }
    let loaded = load()?;
    Ok(LOADED.get_or_init(|| loaded))
}

fn load() -> Result<Loaded> {
    let (library, looked) = find();
    let library = library.ok_or(Error::OpenVinoMissing {
        looked: looked.clone(),
    })?;
    let missing = |reason: String| Error::OpenVinoMissing {
        looked: format!("{looked}; {} does not load: {reason}", library.display()),
    };
    openvino_sys::library::load_from(library.clone()).map_err(missing)?;
    let core = Core::new().map_err(|error| missing(error.to_string()))?;
    let describe = |error| failed("asking OpenVINO for its CPU device", error);
    let versions = core.versions("CPU").map_err(describe)?;
    let build = versions
        .first()
        .map_or("unknown", |(_, version)| version.build_number.as_str());
    let processor = core
        .get_property(&DeviceType::CPU, &PropertyKey::DeviceFullName)
        .map_err(describe)?;
    let capabilities = core
        .get_property(&DeviceType::CPU, &PropertyKey::DeviceCapabilities)
        .map_err(describe)?;
    let half = match () {
        () if capabilities.contains("BF16") => Some("bf16"),
        () if capabilities.contains("FP16") => Some("f16"),
        () => None,
    };
    let runtime = Runtime {
        library,
        version: build.split('-').next().unwrap_or(build).to_owned(),
        processor: processor.trim().to_owned(),
        half,
        own_half: conv::knows_fixed().then_some("i16"),
    };
    Ok(Loaded {
        core: Mutex::new(core),
        runtime,
    })
}

/// The library, and every place that was looked at until then.
fn find() -> (Option<PathBuf>, String) {
    let wanted = Wanted {
        variable: "IMPASTO_OPENVINO",
        folder: "openvino",
        file: "libopenvino_c.so",
    };
    let (found, mut looked) = wanted.find();
    let library = found.or_else(openvino_sys::library::find);
    if library.is_none() {
        looked.push("the system's library folders (none)".to_owned());
    }
    (library, looked.join(", "))
}

/// How lines begin that name a place in the runtime's sources and no cause.
const PLACES: [&str; 3] = ["Exception from ", "Check '", "FrontEnd API failed"];

/// The runtime's error in its own words, shortened to what a person can use.
pub(super) fn failed(action: &'static str, error: openvino::InferenceError) -> Error {
    let text = error.message.unwrap_or_else(|| format!("{:?}", error.kind));
    let text = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !PLACES.iter().any(|place| line.starts_with(place)))
        .collect::<Vec<_>>()
        .join("; ");
    let mut reason: String = text.chars().take(600).collect();
    if reason.len() < text.len() {
        reason.push('…');
    }
    Error::Runtime { action, reason }
}
