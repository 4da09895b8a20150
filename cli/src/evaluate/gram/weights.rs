//! Weights of VGG16 from a safetensors file.

use std::path::Path;

use anyhow::{Context, ensure};
use ndarray::Array2;
use safetensors::{Dtype, SafeTensors};

/// A convolution of 3x3 pixels.
pub struct Conv {
    /// One matrix `[3 * in, out]` for each row of the kernel; column of the kernel before channel.
    pub rows: [Array2<f32>; 3],
    /// One number for each output channel.
    pub bias: Vec<f32>,
}

impl Conv {
    /// From weights `[out, in, 3, 3]`.
    pub fn new(weights: &[f32], bias: Vec<f32>) -> Self {
        let n_in = weights.len() / 9 / bias.len();
        let rows = [0, 1, 2].map(|row| {
            Array2::from_shape_fn((3 * n_in, bias.len()), |(at, channel)| {
                let (column, from) = (at / n_in, at % n_in);
                weights[((channel * n_in + from) * 3 + row) * 3 + column]
            })
        });
        Self { rows, bias }
    }
}

/// Reads convolutions, given as name, input and output channels.
///
/// # Errors
/// If the file cannot be read, is no safetensors file, or holds other tensors.
pub fn read(path: &Path, layers: &[(&str, usize, usize)]) -> anyhow::Result<Vec<Conv>> {
    let bytes =
        std::fs::read(path).with_context(|| format!("reading weights {}", path.display()))?;
    parse(&bytes, layers).with_context(|| format!("in weights {}", path.display()))
}

fn parse(bytes: &[u8], layers: &[(&str, usize, usize)]) -> anyhow::Result<Vec<Conv>> {
    let file = SafeTensors::deserialize(bytes)
        .context("this is no safetensors file; wanted the features of VGG16 in this format")?;
    let conv = |&(name, n_in, n_out): &(&str, usize, usize)| {
        let weights = tensor(&file, &format!("{name}.weight"), &[n_out, n_in, 3, 3])?;
        let bias = tensor(&file, &format!("{name}.bias"), &[n_out])?;
        Ok(Conv::new(&weights, bias))
    };
    layers.iter().map(conv).collect()
}

fn tensor(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> anyhow::Result<Vec<f32>> {
    let Ok(tensor) = file.tensor(name) else {
        anyhow::bail!("there is no tensor `{name}`; wanted one of shape {shape:?}");
    };
    ensure!(
        tensor.shape() == shape,
        "tensor `{name}` has shape {:?}, wanted {shape:?}",
        tensor.shape()
    );
    ensure!(
        tensor.dtype() == Dtype::F32,
        "tensor `{name}` holds {:?}, wanted F32",
        tensor.dtype()
    );
    let (values, _) = tensor.data().as_chunks();
    Ok(values
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of one convolution from 1 to 2 channels.
    fn file(bias: &[f32]) -> Vec<u8> {
        let data: Vec<u8> = (0..18).flat_map(|idx| (idx as f32).to_le_bytes()).collect();
        let bias_data: Vec<u8> = bias.iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = |shape, data| safetensors::tensor::TensorView::new(Dtype::F32, shape, data);
        let tensors = [
            ("a.weight", view(vec![2, 1, 3, 3], &data).unwrap()),
            ("a.bias", view(vec![bias.len()], &bias_data).unwrap()),
        ];
        safetensors::serialize(tensors, None).unwrap()
    }

    #[test]
    fn weights_are_sorted_by_row_column_and_channel() {
        let convs = parse(&file(&[0.5, -1.0]), &[("a", 1, 2)]).unwrap();
        assert_eq!(convs[0].bias, [0.5, -1.0]);
        // Row 1, column 2 of the kernels of output 0 and 1.
        assert_eq!(convs[0].rows[1].row(2).to_vec(), [5.0, 14.0]);
    }

    #[test]
    fn wrong_tensors_are_named() {
        let error = |bytes: &[u8], layer| format!("{:#}", parse(bytes, &[layer]).err().unwrap());
        let text = error(&file(&[0.0; 3]), ("a", 1, 2));
        assert!(
            text.contains("`a.bias` has shape [3], wanted [2]"),
            "{text}"
        );
        let text = error(&file(&[0.0; 2]), ("b", 1, 2));
        assert!(text.contains("no tensor `b.weight`"), "{text}");
        let text = error(b"something else", ("a", 1, 2));
        assert!(text.contains("no safetensors file"), "{text}");
    }
}
