//! Engines on disk. An engine is found by what it was built from: the network, its size and precision, the kind of GPU and
//! the version of TensorRT. A file that is damaged is built anew, never trusted.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fmt, fs};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::build::build;
use super::network::{Dims, Network, Plan};
use super::runtime::{self, Runtime};
use crate::error::{Error, Result};
use crate::files::{user_folder, write_whole};

/// How a file begins. Its last byte counts the versions of this layout: behind it follow the key, the checksum of all that
/// comes then, the length of the description, the description in TOML, and the engine. Numbers are little-endian.
const MAGIC: &[u8; 16] = b"impasto engine\0\x01";
/// How a file begins that has what a GPU compiled of an engine in the engine's place.
const KERNELS_MAGIC: &[u8; 16] = b"impasto kernels\x01";
/// To be raised whenever engines are built otherwise of the same network.
const RECIPE: u8 = 2;
/// Bytes before the description.
const HEAD: usize = 16 + 16 + 16 + 4;
/// The full TensorRT builds for the very model of the GPU at hand, TensorRT-RTX for all of a kind.
const IS_FOR_ONE_MODEL: bool = cfg!(feature = "tensorrt-enterprise");
/// The word for half precision.
const HALF: &str = "half";
/// Endings of the files' names.
const EXTENSION: &str = "engine";
const KERNELS_EXTENSION: &str = "kernels";

/// What an engine is, for people.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Entry {
    /// Style or file.
    pub style: String,
    /// Size of network, if it is one of a style's several.
    pub quality: Option<String>,
    /// Width and height of what the network sees, in pixels, or `dynamic`.
    pub size: String,
    /// `half` or `f32`.
    pub precision: String,
    /// Compute capability of the GPUs that it is for.
    pub gpu: String,
    /// Name and version of the library that built it.
    pub built_by: String,
}

/// An engine that is ready on disk.
#[derive(Debug)]
pub struct Made {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub entry: Entry,
    /// The engine itself.
    pub engine: Vec<u8>,
    key: u128,
    /// Whether it was there already.
    pub is_old: bool,
    /// Why it is not kept, if it could not be written.
    pub unkept: Option<Error>,
}

/// A file that is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub n_bytes: u64,
    /// The engine; nothing if the file is damaged.
    pub entry: Option<Entry>,
    /// It is no engine, but what a GPU compiled of one.
    pub is_compiled: bool,
}

/// What a GPU compiled of an engine, on disk: beside the engine, and as that never trusted when it is damaged.
pub(super) struct Kernels {
    path: PathBuf,
    key: u128,
    entry: Entry,
}

#[cfg_attr(
    feature = "tensorrt-enterprise",
    expect(dead_code, reason = "the full TensorRT compiles when it builds")
)]
impl Kernels {
    /// Those of an engine on a GPU of that name.
    pub(super) fn of(made: &Made, gpu_name: &str) -> Self {
        let key = xxh3_128(&[&made.key.to_le_bytes()[..], gpu_name.as_bytes()].concat());
        let name = made.path.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("{name}-{:08x}.{KERNELS_EXTENSION}", key as u32);
        Self {
            path: made.path.with_file_name(name),
            key,
            entry: made.entry.clone(),
        }
    }

    pub(super) fn read(&self) -> Option<Vec<u8>> {
        read(&self.path, KERNELS_MAGIC, Some(self.key)).map(|(_, bytes)| bytes)
    }

    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        write(&self.path, KERNELS_MAGIC, self.key, &self.entry, bytes)
    }
}

/// Engines are made one at a time: two that are the same are built once.
static MAKING: Mutex<()> = Mutex::new(());

/// Gives the engine of a plan: from disk if it is there and whole, else built and, if that is possible, written there.
///
/// # Errors
/// [`Error::TensorRtMissing`], [`Error::Gpu`] or [`Error::Style`] if the network cannot be built.
pub fn make(plan: &Plan<'_>) -> Result<Made> {
    let _guard = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = runtime::probe()?;
    let network = plan.network()?;
    let entry = Entry::of(plan, &network, &runtime);
    let key = key(&entry, &network);
    let path = folder()?.join(entry.file_name(key));
    if let Some((found, engine)) = read(&path, MAGIC, Some(key)) {
        return Ok(Made {
            key,
            path,
            entry: found,
            engine,
            is_old: true,
            unkept: None,
        });
    }
    let engine = build(&plan.model.name, &network, plan.gpu)?;
    Ok(Made {
        unkept: write(&path, MAGIC, key, &entry, &engine).err(),
        key,
        path,
        entry,
        engine,
        is_old: false,
    })
}

/// Removes the engine of a plan from disk, if it is there.
///
/// # Errors
/// As [`make`], and [`Error::File`] if it cannot be removed.
pub(super) fn forget(plan: &Plan<'_>) -> Result<()> {
    let runtime = runtime::probe()?;
    let network = plan.network()?;
    let entry = Entry::of(plan, &network, &runtime);
    remove(&folder()?.join(entry.file_name(key(&entry, &network))))
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|source| Error::File {
        action: "removing",
        path: path.to_owned(),
        source,
    })
}

/// Every engine on disk, and what GPUs compiled of them.
///
/// # Errors
/// [`Error::File`] if the folder cannot be read.
pub fn list() -> Result<Vec<Kept>> {
    let folder = folder()?;
    let fail = |source| Error::File {
        action: "reading",
        path: folder.clone(),
        source,
    };
    let files = match fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files.map_err(fail)?,
    };
    let mut found = Vec::new();
    for file in files {
        let path = file.map_err(fail)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let magic = match extension {
            Some(EXTENSION) => MAGIC,
            Some(KERNELS_EXTENSION) => KERNELS_MAGIC,
            _ => continue,
        };
        found.push(Kept {
            n_bytes: fs::metadata(&path).map_or(0, |metadata| metadata.len()),
            entry: read(&path, magic, None).map(|(entry, _)| entry),
            is_compiled: magic == KERNELS_MAGIC,
            path,
        });
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Removes every engine from disk with what was compiled of it, and says how many engines there were.
///
/// # Errors
/// [`Error::File`] if one cannot be removed.
pub fn clear() -> Result<usize> {
    let found = list()?;
    found.iter().try_for_each(|kept| remove(&kept.path))?;
    Ok(found.iter().filter(|kept| !kept.is_compiled).count())
}

/// The user's folder of engines, `$XDG_CACHE_HOME/impasto/engines` or `~/.cache/impasto/engines`.
///
/// # Errors
/// [`Error::Setting`] if neither variable is set.
pub fn folder() -> Result<PathBuf> {
    let cache = user_folder("XDG_CACHE_HOME", ".cache").ok_or_else(|| Error::Setting {
        name: "HOME",
        found: "not set".to_owned(),
        wanted: "the user's folder; or XDG_CACHE_HOME, the folder to keep engines in",
    })?;
    Ok(cache.join("impasto/engines"))
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quality = self.quality.iter().map(|quality| format!(" {quality}"));
        write!(
            f,
            "{}{}, {}, {}, for {}, by {}",
            self.style,
            quality.collect::<String>(),
            self.size,
            self.precision,
            self.gpu,
            self.built_by
        )
    }
}

impl Entry {
    /// Whether it computes in half precision.
    pub(super) fn is_half(&self) -> bool {
        self.precision == HALF
    }

    fn of(plan: &Plan<'_>, network: &Network, runtime: &Runtime) -> Self {
        Self {
            style: plan.model.name.clone(),
            quality: plan.model.quality().map(|quality| quality.to_string()),
            size: network.size.clone(),
            precision: if network.is_half { HALF } else { "f32" }.to_owned(),
            gpu: match plan.gpu_name.filter(|_| IS_FOR_ONE_MODEL) {
                Some(name) => format!("{} {name}", plan.gpu),
                None => plan.gpu.to_string(),
            },
            built_by: runtime.to_string(),
        }
    }

    /// A name that tells people what it is, and by the key no other has.
    fn file_name(&self, key: u128) -> String {
        let stem = Path::new(&self.style).file_stem().unwrap_or_default();
        let plain = |sign: char| {
            if sign.is_ascii_alphanumeric() {
                sign
            } else {
                '-'
            }
        };
        let name: String = stem.to_string_lossy().chars().take(60).map(plain).collect();
        let quality = self.quality.iter().map(|quality| format!("{quality}-"));
        let (quality, size, precision) = (quality.collect::<String>(), &self.size, &self.precision);
        let gpu: String = self
            .gpu
            .chars()
            .map(|sign| if sign == '.' { sign } else { plain(sign) })
            .collect();
        format!("{name}-{quality}{size}-{precision}-{gpu}-{key:032x}.{EXTENSION}")
    }
}

/// Different for everything that makes a different engine.
fn key(entry: &Entry, network: &Network) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(&[RECIPE]);
    hasher.update(&network.bytes);
    for (idx, dims) in &network.constants {
        hasher.update(&idx.to_le_bytes());
        hasher.update(bytemuck::cast_slice(dims));
    }
    let mut add = |dims: &[i64; 4]| hasher.update(bytemuck::bytes_of(dims));
    match &network.dims {
        Dims::Fixed(dims) => add(dims),
        Dims::Range(range) => range.iter().for_each(add),
    }
    for word in [&entry.gpu, &entry.built_by] {
        hasher.update(word.as_bytes());
        hasher.update(&[0]);
    }
    hasher.digest128()
}

fn write(path: &Path, magic: &[u8; 16], key: u128, entry: &Entry, engine: &[u8]) -> Result<()> {
    let text = toml::to_string(entry).unwrap_or_default();
    let length = (text.len() as u32).to_le_bytes();
    let body = [&length[..], text.as_bytes(), engine].concat();
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.extend_from_slice(magic);
    bytes.extend_from_slice(&key.to_le_bytes());
    bytes.extend_from_slice(&xxh3_128(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    if let Some(folder) = path.parent() {
        // Nobody else is to put an engine there.
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        made.map_err(|source| Error::File {
            action: "making",
            path: folder.to_owned(),
            source,
        })?;
    }
    write_whole(path, &bytes)
}

/// What a file holds, if it is whole and has the key, where one is wanted.
fn read(path: &Path, magic: &[u8; 16], wanted: Option<u128>) -> Option<(Entry, Vec<u8>)> {
    let bytes = fs::read(path).ok()?;
    let (found, rest) = bytes.split_first_chunk::<16>()?;
    let (key, rest) = rest.split_first_chunk::<16>()?;
    let (sum, body) = rest.split_first_chunk::<16>()?;
    let is_wanted = wanted.is_none_or(|wanted| wanted == u128::from_le_bytes(*key));
    if found != magic || !is_wanted || u128::from_le_bytes(*sum) != xxh3_128(body) {
        return None;
    }
    let (length, rest) = body.split_first_chunk::<4>()?;
    let (text, engine) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let entry = toml::from_str(str::from_utf8(text).ok()?).ok()?;
    Some((entry, engine.to_vec()))
}
