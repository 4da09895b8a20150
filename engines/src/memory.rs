//! How much memory a network needs, so that a frame too large is refused in words instead of killed.

use std::fs;

use crate::error::{Error, Result};
use crate::extent::extents;
use crate::onnx::Graph;

/// Intermediate pictures that are alive at once: the input and output of a convolution and a skip.
const N_ALIVE: usize = 3;

/// Estimates the f32 values that are alive at once per pixel of input.
pub(crate) fn values_per_px(graph: &Graph) -> f64 {
    let extents = extents(graph);
    let mut sizes: Vec<f64> = extents
        .values()
        .map(|extent| extent.channels * extent.area)
        .collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    sizes.iter().take(N_ALIVE).sum::<f64>() + 6.0
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
        let best = estimate(include_bytes!("../styles/best.onnx"));
        assert!((30.0..60.0).contains(&best), "{best}");
        let balanced = estimate(include_bytes!("../styles/balanced.onnx"));
        assert!((6.0..30.0).contains(&balanced), "{balanced}");
    }

    #[test]
    fn a_picture_larger_than_the_memory_is_refused() {
        let error = check(1e9, 8192, 8192).unwrap_err();
        assert!(error.to_string().contains("processing-size"), "{error}");
        assert!(check(40.0, 64, 64).is_ok());
    }
}
