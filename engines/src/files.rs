//! Files that are whole or not there at all.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

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
