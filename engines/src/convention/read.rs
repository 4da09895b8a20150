//! The convention of a network, from what its file says and what a sidecar says about it.

use super::{Channels, ConstantInput, Convention, Known, Layout, Origin, Size, ValueRange};
use crate::onnx::{self, Graph, ModelProto, Port};
use crate::sidecar::Sidecar;

/// The convention of a network. What only running it can tell is left open.
///
/// # Errors
/// A reason, if it is no network from picture to picture, or needs what the sidecar does not say.
pub(crate) fn read(proto: &ModelProto, sidecar: &Sidecar) -> Result<Convention, String> {
    let graph = proto
        .graph
        .as_ref()
        .expect("parse refuses a file without a graph");
    let inputs = graph.inputs();
    let outputs = graph.outputs();
    let (input_idx, input) = picture(&inputs, sidecar.layout).ok_or_else(|| {
        format!(
            "no input is a picture: found {}, wanted [n, 3, h, w] or [n, h, w, 3]",
            list(&inputs)
        )
    })?;
    let (output_idx, _) = picture(&outputs, sidecar.layout).ok_or_else(|| {
        format!(
            "no output is a picture: found {}, wanted [n, 3, h, w] or [n, h, w, 3]",
            list(&outputs)
        )
    })?;
    for port in [&inputs[input_idx], &outputs[output_idx]] {
        if port.element != onnx::element::F32 && port.element != onnx::element::F16 {
            return Err(format!(
                "`{}` holds elements of ONNX type {}, wanted float32 or float16",
                port.name, port.element
            ));
        }
    }
    let layout = match (sidecar.layout, input) {
        (Some(value), _) => Known {
            value,
            origin: Origin::Sidecar,
        },
        (None, Some(value)) => Known {
            value,
            origin: Origin::Found,
        },
        (None, None) => Known {
            value: Layout::Nchw,
            origin: Origin::Assumed,
        },
    };
    let (height_axis, width_axis) = match layout.value {
        Layout::Nchw => (2, 3),
        Layout::Nhwc => (1, 2),
    };
    let dims = &inputs[input_idx].dims;
    if dims[0].is_some_and(|n| n != 1) {
        return Err(format!(
            "`{}` takes {} pictures at once, wanted 1",
            inputs[input_idx].name,
            dims[0].unwrap_or(0)
        ));
    }
    let size = match (dims[width_axis], dims[height_axis]) {
        (Some(width), Some(height)) if (width.min(height) < 8) || width.max(height) > 8192 => {
            return Err(format!(
                "its fixed size is {width}x{height}, wanted 8 to 8192 pixels each way"
            ));
        }
        (Some(width), Some(height)) => Size::Fixed(width, height),
        (None, None) => Size::Any,
        _ => {
            return Err(
                "only one side of its picture has a fixed size, wanted both or none".to_owned(),
            );
        }
    };

    let text = |own: &str, usual: &str| proto.metadata(own).or_else(|| proto.metadata(usual));
    let input_text = text("impasto.input", "input").unwrap_or_default();
    let output_text = text("impasto.output", "output").unwrap_or_default();
    let output_range = told(sidecar.output_range.or(sidecar.range))
        .or_else(|| found(range_in(output_text)))
        .or_else(|| found(last_operator_range(graph, &outputs[output_idx].name)))
        .or_else(|| found(range_in(input_text)));
    let input_range = told(sidecar.range)
        .or_else(|| found(range_in(input_text)))
        .or_else(|| {
            output_range.map(|known| Known {
                origin: Origin::Assumed,
                ..known
            })
        });
    let number = |key: &str, limit: usize| {
        let value = proto.metadata(key)?;
        Some(
            value
                .parse()
                .ok()
                .filter(|&n: &usize| n <= limit)
                .ok_or_else(|| {
                    format!("its metadata {key} is `{value}`, wanted a number up to {limit}")
                }),
        )
    };
    let align = number("impasto.align", 256).transpose()?;
    if align == Some(0) {
        return Err("its metadata impasto.align is 0, wanted 1 to 256".to_owned());
    }
    let pad = number("impasto.pad", 256).transpose()?;
    Ok(Convention {
        channels: told(sidecar.channels)
            .or_else(|| found(channels_in(input_text)))
            .unwrap_or(Known {
                value: Channels::Rgb,
                origin: Origin::Assumed,
            }),
        layout,
        input_range,
        output_range,
        size: Known {
            value: size,
            origin: Origin::Found,
        },
        align: told(sidecar.align).or_else(|| found(align)),
        pad: told(sidecar.pad).or_else(|| found(pad)).unwrap_or(Known {
            value: 0,
            origin: Origin::Assumed,
        }),
        input_idx,
        output_idx,
        constants: constants(&inputs, input_idx, sidecar)?,
    })
}

/// The first port that holds a picture, and its layout if the file tells.
fn picture(ports: &[Port], layout: Option<Layout>) -> Option<(usize, Option<Layout>)> {
    ports.iter().enumerate().find_map(|(idx, port)| {
        let found = match port.dims[..] {
            [_, Some(3), _, _] => Some(Layout::Nchw),
            [_, _, _, Some(3)] => Some(Layout::Nhwc),
            [_, None, _, None] | [_, None, _, Some(_)] | [_, Some(_), _, None] => None,
            _ => return None,
        };
        Some((idx, layout.or(found)))
    })
}

fn constants(
    inputs: &[Port],
    picture_idx: usize,
    sidecar: &Sidecar,
) -> Result<Vec<ConstantInput>, String> {
    if let Some(name) = sidecar
        .inputs
        .keys()
        .find(|&name| inputs.iter().all(|port| port.name != *name))
    {
        return Err(format!(
            "the sidecar fills an input `{name}`, but there are only {}",
            list(inputs)
        ));
    }
    let others = inputs
        .iter()
        .enumerate()
        .filter(|(idx, _)| *idx != picture_idx);
    others
        .map(|(input_idx, port)| {
            let dims: Vec<usize> = port.dims.iter().map(|dim| dim.unwrap_or(1)).collect();
            let wanted = dims.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
            let values = sidecar.inputs.get(&port.name).ok_or_else(|| {
                format!(
                    "it has a second input `{}` of shape {dims:?}; give its values in the sidecar NAME.toml as [inputs] \"{}\" = [...]",
                    port.name, port.name
                )
            })?;
            if port.element != onnx::element::F32 {
                return Err(format!("its second input `{}` is of ONNX type {}, wanted float32", port.name, port.element));
            }
            if wanted != Some(values.len()) {
                return Err(format!(
                    "its second input `{}` wants {dims:?} values, the sidecar gives {}",
                    port.name,
                    values.len()
                ));
            }
            Ok(ConstantInput { input_idx, name: port.name.clone(), dims, values: values.as_slice().into() })
        })
        .collect()
}

/// The range that the last operator enforces, looking through those that only move values.
fn last_operator_range(graph: &Graph, output: &str) -> Option<ValueRange> {
    let mut name = output;
    for _ in 0..8 {
        let node = graph
            .nodes
            .iter()
            .find(|node| node.outputs.iter().any(|out| out == name))?;
        match node.op.as_str() {
            "Sigmoid" => return Some(ValueRange::Unit),
            "Tanh" => return Some(ValueRange::Signed),
            "Clip" => {
                let constants = graph.constants();
                let bound = |idx: usize| {
                    constants
                        .get(node.inputs.get(idx)?.as_str())?
                        .floats()
                        .first()
                        .copied()
                };
                let low = node.float("min").or_else(|| bound(1))?;
                let high = node.float("max").or_else(|| bound(2))?;
                return [ValueRange::Unit, ValueRange::Byte, ValueRange::Signed]
                    .into_iter()
                    .find(|range| range.bounds() == (low, high));
            }
            "Transpose" | "Identity" | "Cast" | "Slice" | "Squeeze" | "Unsqueeze" | "Reshape"
            | "QuantizeLinear" | "DequantizeLinear" | "DepthToSpace" => {
                name = node.inputs.first()?;
            }
            _ => return None,
        }
    }
    None
}

/// Understands `rgb01`, `BGR float 0..255 NCHW` and the like.
fn range_in(text: &str) -> Option<ValueRange> {
    if text.contains("-1..1") {
        Some(ValueRange::Signed)
    } else if text.contains("255") {
        Some(ValueRange::Byte)
    } else if text.contains("01") || text.contains("0..1") {
        Some(ValueRange::Unit)
    } else {
        None
    }
}

fn channels_in(text: &str) -> Option<Channels> {
    let text = text.to_ascii_lowercase();
    match (text.contains("rgb"), text.contains("bgr")) {
        (true, false) => Some(Channels::Rgb),
        (false, true) => Some(Channels::Bgr),
        _ => None,
    }
}

fn told<T>(value: Option<T>) -> Option<Known<T>> {
    value.map(|value| Known {
        value,
        origin: Origin::Sidecar,
    })
}

fn found<T>(value: Option<T>) -> Option<Known<T>> {
    value.map(|value| Known {
        value,
        origin: Origin::Found,
    })
}

fn list(ports: &[Port]) -> String {
    let port = |port: &Port| {
        let dims: Vec<_> = port
            .dims
            .iter()
            .map(|dim| dim.map_or("?".to_owned(), |n| n.to_string()))
            .collect();
        format!("`{}` [{}]", port.name, dims.join(", "))
    };
    if ports.is_empty() {
        return "none".to_owned();
    }
    ports.iter().map(port).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_metadata_are_understood() {
        assert_eq!(range_in("BGR float 0..255 NCHW"), Some(ValueRange::Byte));
        assert_eq!(range_in("rgb01"), Some(ValueRange::Unit));
        assert_eq!(range_in("RGB -1..1"), Some(ValueRange::Signed));
        assert_eq!(range_in("photos"), None);
        assert_eq!(channels_in("BGR float 0..255 NCHW"), Some(Channels::Bgr));
        assert_eq!(channels_in("RGB or BGR"), None);
    }
}
