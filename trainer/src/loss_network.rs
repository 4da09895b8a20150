//! Where the weights of the loss network lie.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::vgg::Vgg;

/// The file that `./setup trainer` makes: in the user's data folder, `XDG_DATA_HOME` or `~/.local/share`.
///
/// # Errors
/// If there is none.
pub fn default_path() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let data = match (set("XDG_DATA_HOME"), set("HOME")) {
        (Some(data), _) => PathBuf::from(data),
        (None, Some(home)) => Path::new(&home).join(".local/share"),
        (None, None) => bail!("there is no home folder; name the loss network with --vgg FILE"),
    };
    in_folder(&data)
}

/// Opens the loss network: `file` if one is named, else [`default_path`].
///
/// # Errors
/// If there is none, or it is not the loss network.
pub fn open(file: Option<&Path>) -> anyhow::Result<Vgg> {
    match file {
        Some(file) => Vgg::open(file),
        None => Vgg::open(&default_path()?),
    }
    .context("opening the loss network")
}

fn in_folder(data: &Path) -> anyhow::Result<PathBuf> {
    let path = data.join("impasto/vgg16.safetensors");
    if !path.is_file() {
        bail!(
            "the loss network is not there ({}); `./setup trainer` fetches it, or name one with --vgg FILE",
            path.display()
        );
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_loss_network_says_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = in_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("./setup trainer"), "{error}");
        let path = folder.path().join("impasto/vgg16.safetensors");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        assert_eq!(in_folder(folder.path()).unwrap(), path);
    }
}
