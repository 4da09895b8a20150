//! Finding, listing and installing styles: the ones that the library carries, and the user's own.
//!
//! Names are looked up in `IMPASTO_STYLE_PATH`, then in the user's data folder, then in the bundle. In a folder, a file
//! `NAME.onnx` is a style in one size, `NAME.QUALITY.onnx` one size of a style.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::error::{Error, Result};
use crate::files::{user_folder, write_whole};
use crate::gallery::{self, Piece};
use crate::mean::{Parent, mean};
use crate::mix::Mix;
use crate::model::Model;
use crate::settings::Quality;
use crate::sidecar::Sidecar;

/// The style that is used when nobody chooses.
pub const DEFAULT: &str = "starry-night";

/// The bundled style that paints the photo as it is. It is there to be mixed with and not listed.
pub const IDENTITY: &str = "identity";

/// A style that [`list`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Name by which [`find`] finds it.
    pub name: String,
    /// Its sizes, smallest first; empty for a style of one size.
    pub qualities: Vec<Quality>,
    /// Folder of its files, `None` for bundled styles.
    pub folder: Option<PathBuf>,
}

#[derive(Clone, Copy)]
enum Place<'a> {
    Bundle(Piece),
    File(&'a Path),
}

/// Whether `style` is the path of a file and no name.
pub fn is_path(style: &str) -> bool {
    style.contains('/') || style.ends_with(".onnx")
}

/// Reads the network of a style. `style` is a name, the path of an `.onnx` file, or a mix of these as [`Mix::parse`]
/// understands it; `quality` chooses among the sizes of a style that has several ([`Quality::Auto`]: the largest), and
/// says nothing to one that has one.
///
/// # Errors
/// [`Error::Mix`], [`Error::StyleNotFound`], [`Error::QualityNotFound`], and those of [`Model::read`].
pub fn find(style: &str, quality: Quality) -> Result<Model> {
    let mix = Mix::parse(style)?;
    let quality = match (quality, mix.is_single()) {
        (Quality::Auto, false) => common_sizes(&mix)?.last().copied().unwrap_or(quality),
        _ => quality,
    };
    let parents = mix
        .parts()
        .iter()
        .map(|part| {
            Ok(Parent {
                model: find_one(&part.style, quality)?,
                share: part.share(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    match <[Parent; 1]>::try_from(parents) {
        Ok([alone]) => Ok(alone.model),
        Err(parents) => mean(mix.to_string(), &parents),
    }
}

/// The sizes in which a style, or a mix, can be had, smallest first; empty if there is only one, whatever quality is
/// asked for.
///
/// # Errors
/// As [`find`].
pub fn sizes(style: &str) -> Result<Vec<Quality>> {
    common_sizes(&Mix::parse(style)?)
}

fn common_sizes(mix: &Mix) -> Result<Vec<Quality>> {
    let mut common: Option<Vec<Quality>> = None;
    let mut told = Vec::new();
    for part in mix.parts() {
        let mut own = if is_path(&part.style) {
            Vec::new()
        } else {
            sizes_of(&part.style)?
        };
        if own.is_empty() && !mix.is_single() {
            own.extend(find_one(&part.style, Quality::Auto)?.quality());
        }
        if own.is_empty() {
            continue;
        }
        told.push(format!("`{}` in {}", part.style, words(&own)));
        match &mut common {
            Some(common) => common.retain(|size| own.contains(size)),
            None => common = Some(own),
        }
    }
    match common {
        Some(common) if common.is_empty() => Err(Error::Mix {
            mix: mix.to_string(),
            reason: format!(
                "its styles have no size in common: there is {}; mix styles of one family",
                told.join(", ")
            ),
        }),
        common => Ok(common.unwrap_or_default()),
    }
}

/// Sizes of the style of that name, smallest first; empty for a style of one size.
fn sizes_of(name: &str) -> Result<Vec<Quality>> {
    let files = files()?;
    let mut sizes: Vec<_> = folders_first(&files)
        .filter(|(found, ..)| *found == name)
        .map(|(_, quality, _)| quality)
        .collect();
    if sizes.is_empty() {
        return Err(not_found(name));
    }
    sizes.sort();
    sizes.dedup();
    Ok(sizes.into_iter().flatten().collect())
}

/// Reads the network of one style.
fn find_one(style: &str, quality: Quality) -> Result<Model> {
    if is_path(style) {
        return Model::read(Path::new(style));
    }
    let files = files()?;
    let sizes: BTreeMap<Option<Quality>, Place<'_>> = folders_first(&files)
        .filter(|(name, ..)| *name == style)
        .map(|(_, quality, place)| (quality, place))
        .rev()
        .collect();
    let Some((_, largest)) = sizes.last_key_value() else {
        return Err(not_found(style));
    };
    let place = match quality {
        Quality::Auto => Some(largest),
        named => sizes.get(&Some(named)).or_else(|| sizes.get(&None)),
    };
    let Some(place) = place else {
        let known: Vec<_> = sizes.keys().flatten().copied().collect();
        return Err(Error::QualityNotFound {
            name: style.to_owned(),
            wanted: quality.name(),
            known: words(&known),
        });
    };
    match place {
        Place::Bundle(piece) => piece.model(),
        Place::File(path) => Model::read(path),
    }
}

fn not_found(name: &str) -> Error {
    match list() {
        Ok(listed) => {
            let names: Vec<String> = listed.into_iter().map(|listed| listed.name).collect();
            Error::StyleNotFound {
                name: name.to_owned(),
                known: names.join(", "),
            }
        }
        Err(error) => error,
    }
}

fn words(qualities: &[Quality]) -> String {
    let words: Vec<_> = qualities.iter().map(|quality| quality.name()).collect();
    words.join(", ")
}

/// Every style that a name finds, in alphabetical order; of the bundle, all but [`IDENTITY`].
///
/// # Errors
/// [`Error::File`] if a folder of styles cannot be read.
pub fn list() -> Result<Vec<Listed>> {
    let files = files()?;
    let mut found: BTreeMap<&str, Listed> = BTreeMap::new();
    for (name, quality, place) in folders_first(&files) {
        let folder = match place {
            Place::Bundle(_) => None,
            Place::File(path) => path.parent().map(Path::to_owned),
        };
        if folder.is_none() && name == IDENTITY {
            continue;
        }
        let listed = found.entry(name).or_insert_with(|| Listed {
            name: name.to_owned(),
            qualities: Vec::new(),
            folder,
        });
        listed.qualities.extend(quality);
    }
    let mut listed: Vec<_> = found.into_values().collect();
    for style in &mut listed {
        style.qualities.sort();
        style.qualities.dedup();
    }
    Ok(listed)
}

/// Installs a network in the user's data folder under `name`, with what `told` adds to its own sidecar, and
/// returns the path of its new home. The network is read first: what would not work is not installed.
///
/// # Errors
/// [`Error::Setting`] for a name that is no plain word, [`Error::File`], and those of [`Model::read`].
pub fn add(file: &Path, name: &str, told: Sidecar) -> Result<PathBuf> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(Error::Setting {
            name: "the style's name",
            found: format!("`{name}`"),
            wanted: "small letters, digits, - and _",
        });
    }
    let mut sidecar = Sidecar::beside(file)?;
    sidecar.overlay(told);
    let model = Model::read_with(file, &sidecar)?;

    let folder = data_folder().ok_or(Error::Setting {
        name: "HOME",
        found: "unset".to_owned(),
        wanted: "the user's home folder",
    })?;
    let folder = folder.join("styles");
    let stem = match model.quality() {
        Some(quality) => format!("{name}.{quality}"),
        None => name.to_owned(),
    };
    let target = folder.join(format!("{stem}.onnx"));
    fs::create_dir_all(&folder).map_err(|source| Error::File {
        action: "making",
        path: folder,
        source,
    })?;
    if sidecar == Sidecar::default() {
        remove_stale(&Sidecar::path_for(&target))?;
    } else {
        write_whole(&Sidecar::path_for(&target), sidecar.to_toml().as_bytes())?;
    }
    write_whole(&target, &model.bytes)?;
    Ok(target)
}

/// The user's folder for styles and runtimes, `$XDG_DATA_HOME/impasto` or `~/.local/share/impasto`.
pub fn data_folder() -> Option<PathBuf> {
    let data = user_folder("XDG_DATA_HOME", ".local/share")?;
    Some(data.join("impasto"))
}

fn remove_stale(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::File {
            action: "removing",
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Name and size of all style files outside the bundle, folders in order of precedence.
fn files() -> Result<Vec<PathBuf>> {
    let search = env::var_os("IMPASTO_STYLE_PATH").unwrap_or_default();
    let folders = env::split_paths(&search)
        .filter(|folder| !folder.as_os_str().is_empty())
        .chain(data_folder().map(|folder| folder.join("styles")));
    let mut files = Vec::new();
    for folder in folders {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(source) => {
                return Err(Error::File {
                    action: "reading",
                    path: folder,
                    source,
                });
            }
        };
        let mut found: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "onnx")
            })
            .collect();
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

/// Name, size and place of every style file; what comes first wins. A name found in a folder hides the
/// whole style of that name behind it, so that two makers' sizes never mix.
fn folders_first(
    files: &[PathBuf],
) -> impl DoubleEndedIterator<Item = (&str, Option<Quality>, Place<'_>)> {
    let own = files.iter().filter_map(|path| {
        let (name, quality) = split_stem(path.file_stem()?.to_str()?);
        Some((name, quality, path.parent(), Place::File(path)))
    });
    let bundled = gallery::pieces()
        .map(|piece| (piece.name, Some(piece.quality), None, Place::Bundle(piece)));
    let mut homes: BTreeMap<&str, Option<&Path>> = BTreeMap::new();
    let mut visible = Vec::new();
    for (name, quality, home, place) in own.chain(bundled) {
        if *homes.entry(name).or_insert(home) == home {
            visible.push((name, quality, place));
        }
    }
    visible.into_iter()
}

fn split_stem(stem: &str) -> (&str, Option<Quality>) {
    match stem.rsplit_once('.') {
        Some((name, quality)) => match Quality::size(quality) {
            Some(quality) => (name, Some(quality)),
            None => (stem, None),
        },
        None => (stem, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_style_is_bundled_in_every_quality() {
        for quality in Quality::SIZES {
            let model = find(DEFAULT, quality).unwrap();
            assert_eq!(model.quality(), Some(quality));
        }
        assert_eq!(sizes(DEFAULT).unwrap(), Quality::SIZES);
    }

    #[test]
    fn the_largest_is_read_where_nobody_chooses() {
        for style in [DEFAULT.to_owned(), format!("{DEFAULT}+{IDENTITY}")] {
            let model = find(&style, Quality::Auto).unwrap();
            assert_eq!(model.quality(), Some(Quality::Best));
        }
    }

    #[test]
    fn the_identity_is_found_and_not_listed() {
        assert!(find(IDENTITY, Quality::Fast).is_ok());
        let listed = list().unwrap();
        assert!(listed.iter().any(|style| style.name == DEFAULT));
        assert!(listed.iter().all(|style| style.name != IDENTITY));
    }

    #[test]
    fn mixes_are_found_in_every_size() {
        let mix = format!("{DEFAULT}:0.3+{IDENTITY}:0.7");
        assert_eq!(sizes(&mix).unwrap(), Quality::SIZES);
        for quality in Quality::SIZES {
            let model = find(&mix, quality).unwrap();
            assert_eq!(model.quality(), Some(quality));
        }
        let alone = find(&format!("{DEFAULT}:1+{IDENTITY}:0"), Quality::Fast).unwrap();
        let wanted = find(DEFAULT, Quality::Fast).unwrap();
        assert_eq!((alone.name, alone.bytes), (wanted.name, wanted.bytes));
    }

    #[test]
    fn an_unknown_name_in_a_mix_is_named() {
        let error = find(&format!("{DEFAULT}+nope"), Quality::Fast).unwrap_err();
        assert!(
            matches!(&error, Error::StyleNotFound { name, .. } if name == "nope"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = find("no-such-style", Quality::Best)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no-such-style") && error.contains(DEFAULT),
            "{error}"
        );
    }

    #[test]
    fn stems_tell_name_and_quality() {
        assert_eq!(
            split_stem("great-wave.best"),
            ("great-wave", Some(Quality::Best))
        );
        assert_eq!(split_stem("candy.v2"), ("candy.v2", None));
        assert_eq!(split_stem("candy"), ("candy", None));
        assert_eq!(split_stem("candy.auto"), ("candy.auto", None));
    }

    #[test]
    fn paths_are_told_from_names() {
        assert!(is_path("./x.onnx") && is_path("x.onnx") && is_path("styles/x"));
        assert!(!is_path("starry-night"));
    }
}
