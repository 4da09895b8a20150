//! Files that are whole or not there at all, and the folders of the user's that they lie in.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::error::{Error, Result};

/// A folder of the user's: the one that `variable` names, or `usual` in the home folder.
pub(crate) fn user_folder(variable: &str, usual: &str) -> Option<PathBuf> {
    let absolute = |key| {
        env::var_os(key)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(usual)))
}

/// Writes beside the target and renames, so that nobody ever reads half a file.
///
/// # Errors
/// [`Error::File`] if the system refuses.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    // Two processes that write the same file do not get into each other's way.
    let partial = path.with_added_extension(format!("{}.partial", std::process::id()));
    fs::write(&partial, bytes)
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|source| {
            let _ = fs::remove_file(&partial);
            Error::File {
                action: "writing",
                path: path.to_owned(),
                source,
            }
        })
}
