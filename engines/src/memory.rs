//! How much memory a network needs, so that a frame too large is refused in words instead of killed.

use std::collections::HashMap;
use std::fs;

use crate::error::{Error, Result};
use crate::onnx::{Graph, Node};

/// Intermediate pictures that are alive at once: the input and output of a convolution and a skip.
const N_ALIVE: usize = 3;

/// Size of an intermediate picture relative to the network's input.
#[derive(Clone, Copy)]
struct Extent {
    channels: f64,
    /// Share of the input's width times height.
    area: f64,
}

/// Estimates the f32 values that are alive at once per pixel of input, by following convolutions and changes
/// of size through the graph. An operator that is not known keeps the size of its input.
pub(crate) fn values_per_px(graph: &Graph) -> f64 {
    let constants = graph.constants();
    let start = Extent {
        channels: 3.0,
        area: 1.0,
    };
    let mut extents: HashMap<&str, Extent> = HashMap::new();
    for node in &graph.nodes {
        let input = node
            .inputs
            .iter()
            .find_map(|name| extents.get(name.as_str()))
            .copied();
        let input = input.unwrap_or(start);
        let weight_dims = node
            .inputs
            .get(1)
            .and_then(|name| constants.get(name.as_str()))
            .map_or(&[][..], |constant| &constant.dims);
        let scales = || {
            let floats = node
                .inputs
                .iter()
                .skip(1)
                .filter_map(|name| constants.get(name.as_str()));
            floats
                .map(|constant| constant.floats())
                .find(|values| values.len() == 4)
        };
        let output = output_extent(node, input, weight_dims, scales);
        for name in &node.outputs {
            extents.insert(name, output);
        }
    }
    let mut sizes: Vec<f64> = extents
        .values()
        .map(|extent| extent.channels * extent.area)
        .collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    sizes.iter().take(N_ALIVE).sum::<f64>() + 6.0
}

fn output_extent(
    node: &Node,
    input: Extent,
    weight_dims: &[i64],
    scales: impl Fn() -> Option<Vec<f32>>,
) -> Extent {
    let dim = |idx: usize| weight_dims.get(idx).map_or(input.channels, |&n| n as f64);
    let area = |ints: &[i64]| ints.iter().map(|&n| n as f64).product::<f64>().max(1.0);
    let block = node
        .int("blocksize")
        .map_or(1.0, |n| (n as f64 * n as f64).max(1.0));
    match node.op.as_str() {
        "Conv" => Extent {
            channels: dim(0),
            area: input.area / area(node.ints("strides")),
        },
        "ConvTranspose" => Extent {
            channels: dim(1),
            area: input.area * area(node.ints("strides")),
        },
        "SpaceToDepth" => Extent {
            channels: input.channels * block,
            area: input.area / block,
        },
        "DepthToSpace" => Extent {
            channels: input.channels / block,
            area: input.area * block,
        },
        "Resize" | "Upsample" => {
            let factor = scales().map_or(4.0, |values| f64::from(values[2] * values[3]));
            Extent {
                area: input.area * factor,
                ..input
            }
        }
        _ => input,
    }
}

/// Refuses a picture of `width` times `height` pixels that would not fit into the memory that is free.
///
/// # Errors
/// [`Error::Memory`].
pub(crate) fn check(values_per_px: f64, width: usize, height: usize) -> Result<()> {
    let needed_mib =
        (values_per_px * 4.0 * (width * height) as f64 / f64::from(1 << 20)).ceil() as u64;
    match available_mib() {
        Some(available_mib) if needed_mib > available_mib => Err(Error::Memory {
            width,
            height,
            needed_mib,
            available_mib,
        }),
        _ => Ok(()),
    }
}

/// Memory that can be had without swapping, where the system tells.
fn available_mib() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|kib| kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::ModelProto;

    #[test]
    fn the_bundled_networks_are_estimated_by_their_widest_pictures() {
        let estimate =
            |bytes: &[u8]| values_per_px(ModelProto::parse(bytes).unwrap().graph.as_ref().unwrap());
        // `best`: 64 channels at half size after the up-sampling, twice 32 at half size, and 6.
        let best = estimate(include_bytes!("../styles/starry-night.best.onnx"));
        assert!((30.0..60.0).contains(&best), "{best}");
        let balanced = estimate(include_bytes!("../styles/starry-night.balanced.onnx"));
        assert!((6.0..30.0).contains(&balanced), "{balanced}");
    }

    #[test]
    fn a_picture_larger_than_the_memory_is_refused() {
        let error = check(1e9, 8192, 8192).unwrap_err();
        assert!(error.to_string().contains("processing-size"), "{error}");
        assert!(check(40.0, 64, 64).is_ok());
    }
}
