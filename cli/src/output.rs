//! Files that exist whole or not at all: written under another name in the same folder, then renamed.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::TempPath;

/// Longest part of the final name that goes into the partial one, so that this stays within the 255 bytes
/// of a file name.
const MAX_NAME_BYTES: usize = 200;

/// A file that is being written. Dropped unfinished, it leaves nothing behind.
pub struct Output {
    partial: TempPath,
    path: PathBuf,
    overwrite: bool,
}

impl Output {
    /// Makes the partial file `.NAME.partial-XXXXXX` beside `path`.
    ///
    /// # Errors
    /// If `path` exists and `overwrite` is false, is one of `inputs`, or cannot be written.
    pub fn create(path: &Path, overwrite: bool, inputs: &[&Path]) -> anyhow::Result<Self> {
        check(path, overwrite, inputs)?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut prefix = OsString::from(".");
        prefix.push(short(path));
        prefix.push(".partial-");
        let partial = tempfile::Builder::new()
            .prefix(&prefix)
            // What the user's umask leaves of this, as for any other file they make.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => {
                    anyhow::anyhow!(
                        "its folder {} does not exist; make it first",
                        folder.display()
                    )
                }
                _ => anyhow::Error::new(plain(error)),
            })
            .with_context(|| format!("writing {}", path.display()))?
            .into_temp_path();
        Ok(Self {
            partial,
            path: path.to_owned(),
            overwrite,
        })
    }

    /// Where to write to.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Where it will be when finished.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// If a file of that name has appeared meanwhile and may not be replaced, or the system refuses.
    pub fn finish(self) -> anyhow::Result<()> {
        let done = if self.overwrite {
            self.partial.persist(&self.path)
        } else {
            self.partial.persist_noclobber(&self.path)
        };
        done.map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(&self.path),
            _ => {
                anyhow::Error::new(error.error).context(format!("writing {}", self.path.display()))
            }
        })
    }
}

/// Whether `path` may be written at all.
fn check(path: &Path, overwrite: bool, inputs: &[&Path]) -> anyhow::Result<()> {
    let Ok(metadata) = fs::metadata(path) else {
        return Ok(());
    };
    if metadata.is_dir() {
        bail!("{} is a folder, wanted the name of a file", path.display());
    }
    let is_same = |input: &&Path| {
        fs::metadata(input)
            .is_ok_and(|input| (input.dev(), input.ino()) == (metadata.dev(), metadata.ino()))
    };
    if inputs.iter().any(is_same) {
        bail!(
            "{} is the input itself and would be lost; give the output another name",
            path.display()
        );
    }
    if !overwrite {
        return Err(exists(path));
    }
    Ok(())
}

fn exists(path: &Path) -> anyhow::Error {
    anyhow::anyhow!(
        "{} exists already; choose another name, or replace it with --overwrite",
        path.display()
    )
}

/// The error of the system call alone: `tempfile` adds the partial file's name, which means nothing to the user.
fn plain(error: std::io::Error) -> std::io::Error {
    match error.raw_os_error().or_else(|| {
        let inner = error.get_ref()?;
        inner
            .source()?
            .downcast_ref::<std::io::Error>()?
            .raw_os_error()
    }) {
        Some(code) => std::io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}

fn short(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut end = name.len().min(MAX_NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect()
    }

    #[test]
    fn an_unfinished_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::create(&folder.path().join("a.mp4"), false, &[]).unwrap();
        let name = output
            .partial()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        assert!(name.starts_with(".a.mp4.partial-"), "{name}");
        drop(output);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_finished_file_replaces_only_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        let output = Output::create(&path, false, &[]).unwrap();
        fs::write(output.partial(), "new").unwrap();
        fs::write(&path, "meanwhile").unwrap();
        let error = output.finish().unwrap_err().to_string();
        assert!(error.contains("--overwrite"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "meanwhile");

        assert!(Output::create(&path, false, &[]).is_err());
        let output = Output::create(&path, true, &[]).unwrap();
        fs::write(output.partial(), "new").unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(folder.path()), ["a.mp4"]);
    }

    #[test]
    fn the_input_is_never_the_output() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.mp4"), folder.path().join("b.mp4"));
        fs::write(&path, "photo").unwrap();
        fs::hard_link(&path, &link).unwrap();
        let error = Output::create(&link, true, &[&path])
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("is the input itself"), "{error}");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none/a.mp4");
        let error = Output::create(&path, true, &[]).err().unwrap();
        assert!(format!("{error:#}").contains("make it first"), "{error:#}");
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let name = "ä".repeat(120);
        assert_eq!(short(Path::new(&name)).len(), 200);
        let name = format!("x{name}");
        assert_eq!(short(Path::new(&name)).len(), 199);
    }
}
