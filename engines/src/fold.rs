//! Folding a style into a network: the template of a size holds the convolutions that all styles of that size started
//! from, the style's file what makes them its own. Its weights, if it has some, replace those of the template. Then, per
//! channel that a convolution gives, they are multiplied by the style's scale, and the style's shift is added.

use std::collections::{BTreeSet, HashMap};

use crate::onnx::{Constant, Graph, ModelProto};
use crate::rewrite::rewrite;
use crate::style_file::StyleFile;

/// Ends of the names of a convolution's constants.
const WEIGHT: &str = ".weight";
const BIAS: &str = ".bias";

/// The ONNX file, in f32, of the style `name` in the size of `template`.
///
/// # Errors
/// What is wrong with the template, or does not fit in the style.
pub(crate) fn fold(template: &[u8], name: &str, style: &StyleFile<'_>) -> Result<Vec<u8>, String> {
    let model = ModelProto::parse(template)?;
    let graph = model
        .graph
        .as_ref()
        .expect("parse refuses a file without a graph");
    let quality = model
        .metadata("impasto.quality")
        .ok_or("its template has no metadata impasto.quality")?;
    let constants = graph.constants();
    let mut folded = HashMap::new();
    for convolution in convolutions(graph)? {
        let constant = |end: &str| {
            let name = format!("{convolution}{end}");
            constants
                .get(name.as_str())
                .copied()
                .ok_or_else(|| format!("its template has no constant `{name}`"))
        };
        let (weight, bias) = (constant(WEIGHT)?, constant(BIAS)?);
        let dims = dims(weight)?;
        let n_channels = dims[0];
        let name = |end: &str| format!("{quality}/{convolution}{end}");
        let numbers = |end: &str| style.numbers(&name(end), &[n_channels]);
        let (scale, shift) = (numbers(".scale")?, numbers(".shift")?);
        let mut weights = match name(WEIGHT) {
            own if style.has(&own) => style.numbers(&own, &dims)?,
            _ => values(weight)?,
        };
        let n_per_channel = weights.len() / n_channels;
        for (weights, scale) in weights.chunks_exact_mut(n_per_channel).zip(&scale) {
            weights.iter_mut().for_each(|weight| *weight *= scale);
        }
        let mut biases = values(bias)?;
        if biases.len() != n_channels {
            return Err(format!(
                "its template's `{}` holds {} values, wanted {n_channels}",
                bias.name,
                biases.len()
            ));
        }
        for (bias, (scale, shift)) in biases.iter_mut().zip(scale.iter().zip(&shift)) {
            *bias = *bias * scale + shift;
        }
        for (of, values) in [(weight, weights), (bias, biases)] {
            let constant = Constant::of_floats(&of.name, &of.dims, &values);
            folded.insert(of.name.clone(), constant);
        }
    }
    let words: Vec<_> = style
        .words
        .iter()
        .map(|(key, value)| (format!("impasto.{key}"), value.clone()))
        .chain([("impasto.name".to_owned(), name.to_owned())])
        .collect();
    rewrite(template, &words, |constant| {
        Ok(folded.remove(&constant.name))
    })
}

/// Names of the convolutions, each once.
pub(crate) fn convolutions(graph: &Graph) -> Result<BTreeSet<&str>, String> {
    let nodes = graph.nodes.iter().filter(|node| node.op == "Conv");
    let names = nodes.map(|node| {
        let weight = node.inputs.get(1).map_or("", String::as_str);
        let bias = node.inputs.get(2).map_or("", String::as_str);
        weight
            .strip_suffix(WEIGHT)
            .filter(|name| bias.strip_suffix(BIAS) == Some(name))
            .ok_or_else(|| {
                format!(
                    "its template has a convolution of `{weight}` and `{bias}`, wanted `NAME{WEIGHT}` and `NAME{BIAS}`"
                )
            })
    });
    let names: BTreeSet<_> = names.collect::<Result<_, _>>()?;
    if names.is_empty() {
        return Err("its template has no convolutions".to_owned());
    }
    Ok(names)
}

fn values(constant: &Constant) -> Result<Vec<f32>, String> {
    constant.values().unwrap_or_else(|| {
        Err(format!(
            "its constant `{}` is of ONNX type {}, wanted float32 or float16",
            constant.name, constant.element
        ))
    })
}

/// Shape of a convolution's weights.
fn dims(weight: &Constant) -> Result<[usize; 4], String> {
    let dims: Option<Vec<_>> = weight
        .dims
        .iter()
        .map(|&dim| usize::try_from(dim).ok().filter(|&n| n > 0))
        .collect();
    match dims.as_deref() {
        Some(&[n_out, n_in, height, width]) => Ok([n_out, n_in, height, width]),
        _ => Err(format!(
            "its template's `{}` has the shape {:?}, wanted [out, in, height, width]",
            weight.name, weight.dims
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::Node;
    use crate::style_file::tests::{file, file_of};
    use prost::Message;

    /// A template of one convolution of a channel to two.
    fn template(weight: Constant, bias: Constant) -> Vec<u8> {
        let node = Node {
            inputs: ["x", "c1.weight", "c1.bias"].map(str::to_owned).to_vec(),
            outputs: vec!["y".to_owned()],
            op: "Conv".to_owned(),
            attributes: Vec::new(),
        };
        let mut model = ModelProto::default();
        let graph = model.graph.insert(Graph::default());
        graph.nodes.push(node);
        graph.initializers.extend([weight, bias]);
        let word = ("impasto.quality".to_owned(), "best".to_owned());
        rewrite(&model.encode_to_vec(), &[word], |_| Ok(None)).unwrap()
    }

    fn plain() -> Vec<u8> {
        template(
            Constant::of_halves("c1.weight", &[2, 1, 1, 2], &[1.0, 2.0, 3.0, 4.0]),
            Constant::of_floats("c1.bias", &[2], &[1.0, 0.0]),
        )
    }

    #[test]
    fn weights_are_scaled_and_biases_shifted_per_channel() {
        let bytes = file(&[
            ("best/c1.scale", &[2.0, -1.0]),
            ("best/c1.shift", &[0.5, 7.0]),
        ]);
        let style = StyleFile::parse(&bytes).unwrap();
        let folded = fold(&plain(), "waves", &style).unwrap();
        let model = ModelProto::parse(&folded).unwrap();
        let constants = model.graph.as_ref().unwrap().constants();
        assert_eq!(constants["c1.weight"].floats(), [2.0, 4.0, -3.0, -4.0]);
        assert_eq!(constants["c1.weight"].dims, [2, 1, 1, 2]);
        assert_eq!(constants["c1.bias"].floats(), [2.5, 7.0]);
        assert_eq!(model.metadata("impasto.name"), Some("waves"));
        assert_eq!(model.metadata("impasto.title"), Some("Waves"));
        assert_eq!(model.metadata("impasto.artist"), None);
    }

    #[test]
    fn weights_of_the_style_replace_those_of_the_template() {
        let tensors: [(&str, &[usize], &[f32]); 3] = [
            ("best/c1.weight", &[2, 1, 1, 2], &[5.0, 6.0, 7.0, 8.0]),
            ("best/c1.scale", &[2], &[2.0, -1.0]),
            ("best/c1.shift", &[2], &[0.5, 7.0]),
        ];
        let bytes = file_of(&tensors);
        let folded = fold(&plain(), "waves", &StyleFile::parse(&bytes).unwrap()).unwrap();
        let model = ModelProto::parse(&folded).unwrap();
        let constants = model.graph.as_ref().unwrap().constants();
        assert_eq!(constants["c1.weight"].floats(), [10.0, 12.0, -7.0, -8.0]);
        let reshaped = file_of(&tensors.map(|(name, dims, values)| match dims {
            [2] => (name, dims, values),
            _ => (name, &[2, 2][..], values),
        }));
        let style = StyleFile::parse(&reshaped).unwrap();
        let error = fold(&plain(), "waves", &style).unwrap_err();
        assert!(
            error.contains("best/c1.weight") && error.contains("[2, 1, 1, 2]"),
            "{error}"
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let whole = file(&[
            ("best/c1.scale", &[2.0, -1.0]),
            ("best/c1.shift", &[0.5, 7.0]),
        ]);
        let no_shift = file(&[("best/c1.scale", &[2.0, -1.0])]);
        let long = file(&[("best/c1.scale", &[2.0; 3]), ("best/c1.shift", &[2.0; 2])]);
        let weight = |dims: &[i64], n| Constant::of_floats("c1.weight", dims, &vec![1.0; n]);
        let bias = |n| Constant::of_floats("c1.bias", &[n as i64], &vec![0.0; n]);
        for (template, style, word) in [
            (plain(), &no_shift, "best/c1.shift"),
            (plain(), &long, "[3]"),
            (template(weight(&[2, 1], 2), bias(2)), &whole, "[2, 1]"),
            (
                template(weight(&[2, 1, 3, 3], 5), bias(2)),
                &whole,
                "5 values",
            ),
            (
                template(weight(&[0, 1, 3, 3], 0), bias(2)),
                &whole,
                "[0, 1, 3, 3]",
            ),
            (
                template(weight(&[2, 1, 1, 1], 2), bias(3)),
                &whole,
                "c1.bias",
            ),
            (template(bias(2), bias(2)), &whole, "`c1.weight`"),
            (b"no template".to_vec(), &whole, "ONNX"),
        ] {
            let style = StyleFile::parse(style).unwrap();
            let error = fold(&template, "waves", &style).unwrap_err();
            assert!(error.contains(word), "no `{word}` in: {error}");
        }
    }
}
