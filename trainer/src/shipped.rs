//! The networks and styles that the library carries: what a new style starts from. And such as this program wrote.

use std::fs::read;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::net::Network;
use crate::net::plan::Size;
use crate::{onnx, style_file};

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The shipped networks of a size, each of one style.
///
/// # Errors
/// If there is none of that size.
pub fn networks(size: Size) -> anyhow::Result<Vec<Network>> {
    let template = TEMPLATES.iter().find(|(name, _)| *name == size.name());
    let (_, template) =
        template.with_context(|| format!("no network of the size `{}` is shipped", size.name()))?;
    let template = onnx::read_template(template)?;
    let networks = STYLES
        .iter()
        .map(|(name, bytes)| Ok(style_file::read(bytes, name, &template)?.0));
    networks
        .collect::<anyhow::Result<_>>()
        .context("reading what is shipped")
}

/// The network of a style of a size, as they lie in a folder.
///
/// # Errors
/// If it is not there, cannot be read or is damaged.
pub fn network_in(folder: &Path, size: Size, name: &str) -> anyhow::Result<Network> {
    let path = template_in(folder, size);
    let context = || format!("reading {}", path.display());
    let template =
        onnx::read_template(&read(&path).with_context(context)?).with_context(context)?;
    let path = style_file::path_in(folder, name);
    let context = || format!("reading {}", path.display());
    let bytes = read(&path).with_context(context)?;
    let (network, _) = style_file::read(&bytes, name, &template).with_context(context)?;
    Ok(network)
}

/// The path of the convolutions that styles of a size start from.
pub fn template_in(folder: &Path, size: Size) -> PathBuf {
    folder.join(format!("{}.onnx", size.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_shipped_with_the_identity() {
        for size in Size::ALL {
            let networks = networks(size).unwrap();
            let mut styles = networks.iter().map(|network| &network.styles[0]);
            assert!(styles.any(|style| style.name == "identity"));
        }
    }
}
