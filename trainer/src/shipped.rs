//! The networks and styles that the library carries: what a new style starts from. And such as `base` wrote.

use std::path::Path;

use anyhow::Context;

use crate::net::Network;
use crate::net::plan::Size;
use crate::{onnx, style_file};

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The shipped network of a size with all its styles.
///
/// # Errors
/// If there is none of that size.
pub fn network(size: Size) -> anyhow::Result<Network> {
    let template = TEMPLATES.iter().find(|(name, _)| *name == size.name());
    let (_, bytes) =
        template.with_context(|| format!("no network of the size `{}` is shipped", size.name()))?;
    let styles = STYLES
        .iter()
        .map(|&(name, bytes)| Ok((name, bytes.to_vec())));
    with_styles(bytes, size, styles).context("reading what is shipped")
}

/// The network of a size and those styles in a folder that have the names; none if there is no such network there.
///
/// # Errors
/// If a file cannot be read or is damaged.
pub fn network_in(folder: &Path, size: Size, names: &[&str]) -> Option<anyhow::Result<Network>> {
    let path = folder.join(format!("{}.onnx", size.name()));
    let read =
        |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
    let styles = names
        .iter()
        .map(|&name| Ok((name, read(&folder.join(format!("{name}.safetensors")))?)));
    path.exists()
        .then(|| with_styles(&read(&path)?, size, styles))
}

fn with_styles<'a>(
    template: &[u8],
    size: Size,
    styles: impl Iterator<Item = anyhow::Result<(&'a str, Vec<u8>)>>,
) -> anyhow::Result<Network> {
    let mut network = onnx::read_template(template)
        .with_context(|| format!("reading the network of the size `{}`", size.name()))?;
    for style in styles {
        let (name, bytes) = style?;
        let (style, _) = style_file::read(&bytes, name, size)
            .with_context(|| format!("reading the style {name}"))?;
        network.styles.push(style);
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_shipped_with_the_identity() {
        for size in Size::ALL {
            let network = network(size).unwrap();
            assert!(network.styles.iter().any(|style| style.name == "identity"));
        }
    }
}
