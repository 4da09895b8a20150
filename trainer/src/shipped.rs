//! The networks and styles that the library carries: what a new style starts from.

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
    let mut network = onnx::read_template(bytes).context("reading the shipped network")?;
    for (name, bytes) in STYLES {
        let (style, _) = style_file::read(bytes, name, size)
            .with_context(|| format!("reading the shipped style {name}"))?;
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
