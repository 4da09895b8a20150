//! A style of the gallery as it lies on disk: a safetensors file with the numbers by which its convolutions differ from
//! those of the other styles, for every size of network, and with the style's title and origin.
//!
//! `QUALITY/NAME.scale` and `QUALITY/NAME.shift` hold a number per channel that the convolution `NAME` gives,
//! `QUALITY/NAME.weight` its weights, where they are not those of the template.

use std::collections::BTreeMap;

use half::f16;
use safetensors::{Dtype, SafeTensors};

/// Words about a style, as a file's metadata may hold them.
pub(crate) const WORDS: [&str; 5] = ["title", "artist", "year", "licence", "trained_by"];

/// Limit in bytes: several times what a style of three sizes needs.
const MAX_LEN_BYTES: usize = 8 << 20;

/// A style of the gallery.
pub(crate) struct StyleFile<'a> {
    tensors: SafeTensors<'a>,
    /// Those of [`WORDS`] that the file holds.
    pub words: BTreeMap<&'static str, String>,
}

impl<'a> StyleFile<'a> {
    /// Reads a file that is in memory.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        if bytes.len() > MAX_LEN_BYTES {
            return Err(format!(
                "it has {} bytes, wanted at most {MAX_LEN_BYTES}",
                bytes.len()
            ));
        }
        let unread = |error| format!("it cannot be read as safetensors ({error})");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unread)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(unread)?;
        let found = header.metadata().clone().unwrap_or_default();
        let words = WORDS
            .into_iter()
            .filter_map(|key| Some((key, found.get(key)?.clone())))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        Ok(Self { tensors, words })
    }

    /// Whether there is a tensor `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    /// The tensor `name`, which must have the shape `wanted`.
    ///
    /// # Errors
    /// If there is none, or it holds something else.
    pub(crate) fn numbers(&self, name: &str, wanted: &[usize]) -> Result<Vec<f32>, String> {
        let tensor = self.tensors.tensor(name).map_err(|_| {
            format!("it has no tensor `{name}`; it was made for another family of networks")
        })?;
        if tensor.shape() != wanted {
            return Err(format!(
                "its tensor `{name}` has the shape {:?}, wanted {wanted:?}",
                tensor.shape()
            ));
        }
        let data = tensor.data();
        let values: Vec<f32> = match tensor.dtype() {
            Dtype::F32 => data
                .chunks_exact(4)
                .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
                .collect(),
            Dtype::F16 => data
                .chunks_exact(2)
                .map(|word| f16::from_le_bytes([word[0], word[1]]).to_f32())
                .collect(),
            other => {
                return Err(format!(
                    "its tensor `{name}` holds {other:?}, wanted F32 or F16"
                ));
            }
        };
        match values.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(format!(
                "its tensor `{name}` holds {value}, wanted finite numbers"
            )),
            None => Ok(values),
        }
    }

    /// Names of all tensors.
    #[cfg(test)]
    pub(crate) fn names(&self) -> Vec<String> {
        self.tensors
            .names()
            .into_iter()
            .map(str::to_owned)
            .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    /// A style file of f32 tensors with one axis.
    pub(crate) fn file(tensors: &[(&str, &[f32])]) -> Vec<u8> {
        let dims: Vec<_> = tensors.iter().map(|(_, values)| [values.len()]).collect();
        let tensors = tensors.iter().zip(&dims);
        let tensors: Vec<_> = tensors
            .map(|(&(name, values), dims)| (name, &dims[..], values))
            .collect();
        file_of(&tensors)
    }

    /// A style file of f32 tensors: name, shape, values.
    pub(crate) fn file_of(tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|(_, _, values)| {
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect()
            })
            .collect();
        let views = tensors.iter().zip(&bytes).map(|((name, dims, _), bytes)| {
            let view = TensorView::new(Dtype::F32, dims.to_vec(), bytes).unwrap();
            (*name, view)
        });
        let words = [("title", "Waves"), ("artist", "")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        safetensors::serialize(views, Some(words.into())).unwrap()
    }

    #[test]
    fn numbers_and_words_are_read() {
        let bytes = file(&[("best/c1.scale", &[1.0, 2.5])]);
        let style = StyleFile::parse(&bytes).unwrap();
        assert_eq!(style.numbers("best/c1.scale", &[2]).unwrap(), [1.0, 2.5]);
        assert_eq!(style.words, [("title", "Waves".to_owned())].into());
    }

    #[test]
    fn halves_are_read() {
        let halves: Vec<u8> = [0x3c00_u16, 0xb800]
            .iter()
            .flat_map(|bits| bits.to_le_bytes())
            .collect();
        let view = TensorView::new(Dtype::F16, vec![2], &halves).unwrap();
        let bytes = safetensors::serialize([("x", view)], None).unwrap();
        let style = StyleFile::parse(&bytes).unwrap();
        assert_eq!(style.numbers("x", &[2]).unwrap(), [1.0, -0.5]);
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let bytes = file(&[("a", &[1.0, 2.0]), ("b", &[1.0, f32::NAN])]);
        let style = StyleFile::parse(&bytes).unwrap();
        for (name, word) in [("a", "[2]"), ("c", "no tensor `c`")] {
            let error = style.numbers(name, &[3]).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        let error = style.numbers("b", &[2]).unwrap_err();
        assert!(error.contains("NaN"), "{error}");
        for bytes in [&b""[..], b"no style at all", &bytes[..bytes.len() - 3]] {
            let error = StyleFile::parse(bytes).err().unwrap();
            assert!(error.contains("safetensors"), "{error}");
        }
        let header = b"\xff\xff\xff\xff\xff\xff\xff\x7f{}";
        assert!(StyleFile::parse(header).is_err());
    }
}
