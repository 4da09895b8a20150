//! Finding and loading OpenVINO.
//!
//! Looked for in `IMPASTO_OPENVINO`, beside the plugin, in the user's data folder, then in the system. The libraries
//! find each other by themselves, so naming the first one is enough.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::{env, fs};

use openvino::{Core, DeviceType, PropertyKey};

use crate::error::{Error, Result};
use crate::settings::Precision;
use crate::styles;

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
    };
    Ok(Loaded {
        core: Mutex::new(core),
        runtime,
    })
}

/// The library, and every place that was looked at until then.
fn find() -> (Option<PathBuf>, String) {
    let places = [
        (
            "IMPASTO_OPENVINO",
            env::var_os("IMPASTO_OPENVINO").map(PathBuf::from),
        ),
        ("beside the plugin", plugin_folder()),
        (
            "the user's data folder",
            styles::data_folder().map(|folder| folder.join("openvino")),
        ),
    ];
    let mut looked = Vec::new();
    for (place, folder) in places {
        let Some(folder) = folder else {
            looked.push(format!("{place} (not set)"));
            continue;
        };
        if let Some(library) = library_in(&folder) {
            return (Some(library), looked.join(", "));
        }
        looked.push(format!(
            "{place} ({}: no libopenvino_c.so)",
            folder.display()
        ));
    }
    let system = openvino_sys::library::find();
    if system.is_none() {
        looked.push("the system's library folders (none)".to_owned());
    }
    (system, looked.join(", "))
}

/// Folder of the loaded plugin, or of the running program where the plugin is part of it.
fn plugin_folder() -> Option<PathBuf> {
    let plugin = fs::read_to_string("/proc/self/maps").ok().and_then(|maps| {
        let line = maps
            .lines()
            .find(|line| line.ends_with("/libgstimpasto.so"))?;
        Some(PathBuf::from(&line[line.find('/')?..]))
    });
    let file = plugin.or_else(|| env::current_exe().ok())?;
    file.parent().map(Path::to_owned)
}

/// The newest `libopenvino_c.so*` of a folder.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let mut libraries: Vec<_> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("libopenvino_c.so"))
        })
        .collect();
    libraries.sort();
    libraries.pop()
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
