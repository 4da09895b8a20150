//! The networks and styles that the library carries: what a new style starts from. And such as this program wrote.

use std::fs::read;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::net::Network;
use crate::net::plan::Size;
use crate::style_file::IDENTITY;
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

/// The middle of all shipped styles of a size but the identity: their mean, as a mix is made. What starts there has the same way
/// to each of them, and mixes with all. It bears the name of the style that it is to become.
///
/// # Errors
/// As [`networks`].
pub fn middle(size: Size, name: &str) -> anyhow::Result<Network> {
    let networks = networks(size)?.into_iter();
    let styles = networks.filter(|network| network.styles[0].name != IDENTITY);
    let counted = styles.zip(1_u8..);
    let middle = counted.reduce(|(middle, _), (next, n)| {
        let share = 1.0 - 1.0 / f32::from(n);
        (middle.mixed(&next, share), n)
    });
    let (mut middle, _) = middle.context("no style is shipped")?;
    middle.styles[0].name = name.to_owned();
    Ok(middle)
}

/// The network of a style of a size, as they lie in a folder. None if the style is not there, or not in that size.
///
/// # Errors
/// If the template of the size is not there, or something cannot be read or is damaged.
pub fn network_in(folder: &Path, size: Size, name: &str) -> anyhow::Result<Option<Network>> {
    let path = template_in(folder, size);
    let context = || format!("reading {}", path.display());
    let template =
        onnx::read_template(&read(&path).with_context(context)?).with_context(context)?;
    let path = style_file::path_in(folder, name);
    let context = || format!("reading {}", path.display());
    let bytes = match read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.with_context(context)?,
    };
    if !style_file::has(&bytes, size).with_context(context)? {
        return Ok(None);
    }
    let (network, _) = style_file::read(&bytes, name, &template).with_context(context)?;
    Ok(Some(network))
}

/// The path of the convolutions that styles of a size start from.
pub fn template_in(folder: &Path, size: Size) -> PathBuf {
    folder.join(format!("{}.onnx", size.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_mean_of_all_styles() {
        let networks = networks(Size::Fast).unwrap();
        let styles = networks
            .iter()
            .filter(|network| network.styles[0].name != IDENTITY);
        let folded = styles.map(|network| network.folded(&network.styles[0], 1)[0][7]);
        let folded: Vec<f32> = folded.collect();
        let mean = folded.iter().sum::<f32>() / folded.len() as f32;
        let middle = middle(Size::Fast, "new").unwrap();
        let found = middle.folded(&middle.styles[0], 1)[0][7];
        assert!((found - mean).abs() < 1e-5, "{found} {mean} {folded:?}");
    }

    #[test]
    fn every_size_is_shipped_with_the_identity() {
        for size in Size::ALL {
            let networks = networks(size).unwrap();
            let mut styles = networks.iter().map(|network| &network.styles[0]);
            assert!(styles.any(|style| style.name == IDENTITY));
        }
    }
}
