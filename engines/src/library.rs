//! Where the libraries lie that are loaded at run time: in a folder that the user names, beside the plugin, in the user's
//! data folder, then in the system.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::styles;

/// What is looked for.
pub(crate) struct Wanted {
    /// Environment variable that names a folder.
    pub variable: &'static str,
    /// Folder within the user's data folder.
    pub folder: &'static str,
    /// How the library's file name begins, up to its version.
    pub file: &'static str,
}

impl Wanted {
    /// The library, if one of the user's folders has it, and every place that was looked at before.
    pub(crate) fn find(&self) -> (Option<PathBuf>, Vec<String>) {
        let places = [
            (self.variable, env::var_os(self.variable).map(PathBuf::from)),
            ("beside the plugin", plugin_folder()),
            (
                "the user's data folder",
                styles::data_folder().map(|data| data.join(self.folder)),
            ),
        ];
        let mut looked = Vec::new();
        for (place, folder) in places {
            let Some(folder) = folder else {
                looked.push(format!("{place} (not set)"));
                continue;
            };
            if let Some(library) = self.newest_in(&folder) {
                return (Some(library), looked);
            }
            looked.push(format!("{place} ({}: no {})", folder.display(), self.file));
        }
        (None, looked)
    }

    /// The library of the highest version in a folder.
    pub(crate) fn newest_in(&self, folder: &Path) -> Option<PathBuf> {
        let mut libraries: Vec<_> = fs::read_dir(folder)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.is_some_and(|name| name.starts_with(self.file))
            })
            .collect();
        libraries.sort();
        libraries.pop()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_folder_is_taken_and_nothing_else() {
        let folder = env::temp_dir().join(format!("impasto-library-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let wanted = Wanted {
            variable: "IMPASTO_NO_SUCH_VARIABLE",
            folder: "no-such-folder",
            file: "libpaint.so",
        };
        assert_eq!(wanted.newest_in(&folder), None);
        for name in [
            "libpaint.so.1",
            "libpaint.so.2",
            "libpainter.txt",
            "libink.so",
        ] {
            fs::write(folder.join(name), "").unwrap();
        }
        assert_eq!(
            wanted.newest_in(&folder),
            Some(folder.join("libpaint.so.2"))
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_place_is_named() {
        let wanted = Wanted {
            variable: "IMPASTO_NO_SUCH_VARIABLE",
            folder: "no-such-folder",
            file: "libpaint.so",
        };
        let (found, looked) = wanted.find();
        assert_eq!(found, None);
        let looked = looked.join(", ");
        for place in [
            "IMPASTO_NO_SUCH_VARIABLE (not set)",
            "beside the plugin",
            "libpaint.so",
        ] {
            assert!(looked.contains(place), "{looked}");
        }
    }
}
