//! A network as it lies on disk, and the convention by which it wants to be fed.
//!
//! What the file says is found, what a sidecar says is told, the rest is assumed or, later, measured by
//! the backend that runs it. Nothing here runs the network.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::extent;
use crate::memory;
use crate::onnx::{self, Graph, ModelProto, Port};
use crate::settings::Quality;
use crate::sidecar::Sidecar;

/// Largest network file that is read, in bytes: ten times the largest style network known.
const MAX_LEN_BYTES: u64 = 256 << 20;

/// Order of the colour channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Order of the axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[n, c, h, w]`.
    Nchw,
    /// `[n, h, w, c]`.
    Nhwc,
}

/// Values of black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum ValueRange {
    /// 0 to 1.
    #[serde(rename = "0..1")]
    Unit,
    /// 0 to 255.
    #[serde(rename = "0..255")]
    Byte,
    /// -1 to 1.
    #[serde(rename = "-1..1")]
    Signed,
}

impl ValueRange {
    /// Values of black and of white.
    pub(crate) fn bounds(self) -> (f32, f32) {
        match self {
            Self::Unit => (0.0, 1.0),
            Self::Byte => (0.0, 255.0),
            Self::Signed => (-1.0, 1.0),
        }
    }
}

impl fmt::Display for ValueRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.bounds();
        write!(f, "{low}..{high}")
    }
}

/// Width and height that the network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Only this width and height, in pixels.
    Fixed(usize, usize),
    /// Any.
    Any,
}

/// Where a part of the convention comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The network's file says so.
    Found,
    /// The sidecar says so.
    Sidecar,
    /// Neither says so; this is what most style networks do.
    Assumed,
    /// The network was run on a test picture.
    Measured,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Found => "found in the file",
            Self::Sidecar => "from the sidecar",
            Self::Assumed => "assumed",
            Self::Measured => "measured",
        })
    }
}

/// A value and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

/// A further input with its fixed values.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstantInput {
    /// Position among the network's inputs.
    pub input_idx: usize,
    /// Name in the file.
    pub name: String,
    /// Sizes of its axes.
    pub dims: Vec<usize>,
    /// Values in row-major order.
    pub values: Arc<[f32]>,
}

/// How a network wants to be fed. `None` means that only running it can tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Convention {
    /// Order of the colour channels.
    pub channels: Known<Channels>,
    /// Order of the axes.
    pub layout: Known<Layout>,
    /// Values of black and white at the input.
    pub input_range: Option<Known<ValueRange>>,
    /// Values of black and white at the output.
    pub output_range: Option<Known<ValueRange>>,
    /// Width and height.
    pub size: Known<Size>,
    /// Width and height must be multiples of this many pixels.
    pub align: Option<Known<usize>>,
    /// Reflected border in pixels round the picture.
    pub pad: Known<usize>,
    /// Position of the picture among the inputs.
    pub input_idx: usize,
    /// Position of the picture among the outputs.
    pub output_idx: usize,
    /// Further inputs.
    pub constants: Vec<ConstantInput>,
}

impl Convention {
    /// Values of black and white at input and output, once they are measured.
    pub(crate) fn ranges(&self) -> (ValueRange, ValueRange) {
        let output = self
            .output_range
            .map_or(ValueRange::Byte, |known| known.value);
        (self.input_range.map_or(output, |known| known.value), output)
    }
}

/// A network's file, read and understood.
#[derive(Clone, Debug)]
pub struct Model {
    /// File or style, for messages.
    pub name: String,
    /// The ONNX file.
    pub bytes: Arc<[u8]>,
    /// How it wants to be fed.
    pub convention: Convention,
    /// Largest intermediate pictures together, in f32 values per pixel of input.
    pub(crate) values_per_px: f64,
    /// Multiplications of all convolutions per pixel of input.
    pub(crate) work_per_px: f64,
    metadata: Vec<(&'static str, String)>,
}

impl Model {
    /// Reads a network and the sidecar beside it.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Sidecar`] or [`Error::Style`] if it is not understood.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_with(path, &Sidecar::beside(path)?)
    }

    /// Reads a network; `sidecar` stands in for the file beside it.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Style`] if it is not understood.
    pub fn read_with(path: &Path, sidecar: &Sidecar) -> Result<Self> {
        let bytes = read_limited(path)?;
        Self::parse(path.display().to_string(), bytes.into(), sidecar)
    }

    /// Understands a network that is in memory. `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Style`] if it is no network from picture to picture, or needs what the sidecar does not say.
    pub fn parse(name: String, bytes: Arc<[u8]>, sidecar: &Sidecar) -> Result<Self> {
        let parsed = ModelProto::parse(&bytes).and_then(|proto| {
            let convention = convention(&proto, sidecar)?;
            Ok((proto, convention))
        });
        let (proto, convention) = parsed.map_err(|reason| Error::Style {
            name: name.clone(),
            reason,
        })?;
        let metadata = [
            "name",
            "title",
            "artist",
            "year",
            "licence",
            "family",
            "quality",
            "trained_by",
            "mixable",
        ]
        .into_iter()
        .filter_map(|key| Some((key, proto.metadata(&format!("impasto.{key}"))?.to_owned())))
        .collect();
        let graph = proto.graph.as_ref();
        let values_per_px = graph.map_or(0.0, memory::values_per_px);
        let work_per_px = graph.map_or(0.0, extent::work_per_px);
        Ok(Self {
            name,
            bytes,
            convention,
            values_per_px,
            work_per_px,
            metadata,
        })
    }

    /// The network with other values in its constants and other words in its metadata; all else is as it was.
    pub(crate) fn reworked(
        &self,
        name: String,
        bytes: Arc<[u8]>,
        words: Vec<(&'static str, String)>,
    ) -> Self {
        let kept = |(key, _): &&(&'static str, String)| words.iter().all(|(other, _)| other != key);
        let metadata = self.metadata.iter().filter(kept).cloned().collect();
        let mut reworked = Self {
            name,
            bytes,
            metadata,
            ..self.clone()
        };
        reworked.metadata.extend(words);
        reworked
    }

    /// Its size, if it is one of a style's several.
    pub fn quality(&self) -> Option<Quality> {
        self.metadata("quality").and_then(Quality::size)
    }

    /// Value of the metadata key `impasto.<key>`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value.as_str())
    }
}

fn read_limited(path: &Path) -> Result<Vec<u8>> {
    let fail = |source| Error::File {
        action: "reading",
        path: path.to_owned(),
        source,
    };
    let metadata = fs::metadata(path).map_err(fail)?;
    let refuse = |reason: String| Error::Style {
        name: path.display().to_string(),
        reason,
    };
    if metadata.is_dir() {
        return Err(refuse("it is a folder, wanted an .onnx file".to_owned()));
    }
    // Opening a pipe or a device may wait for ever.
    if !metadata.is_file() {
        return Err(refuse(
            "it is no regular file, wanted an .onnx file".to_owned(),
        ));
    }
    if metadata.len() > MAX_LEN_BYTES {
        return Err(refuse(format!(
            "it has {} MiB, wanted at most {} MiB",
            metadata.len() >> 20,
            MAX_LEN_BYTES >> 20
        )));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fail)?;
    file.take(MAX_LEN_BYTES)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    Ok(bytes)
}

fn convention(proto: &ModelProto, sidecar: &Sidecar) -> std::result::Result<Convention, String> {
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
) -> std::result::Result<Vec<ConstantInput>, String> {
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

    fn bundled() -> Model {
        let bytes = include_bytes!("../styles/best.onnx");
        Model::parse(
            "starry-night".to_owned(),
            bytes[..].into(),
            &Sidecar::default(),
        )
        .unwrap()
    }

    #[test]
    fn bundled_networks_say_all_there_is_to_know() {
        let convention = bundled().convention;
        assert_eq!(
            convention.channels,
            Known {
                value: Channels::Rgb,
                origin: Origin::Found
            }
        );
        assert_eq!(convention.layout.value, Layout::Nchw);
        assert_eq!(convention.input_range.unwrap().value, ValueRange::Unit);
        assert_eq!(convention.output_range.unwrap().value, ValueRange::Unit);
        assert_eq!(convention.align.unwrap().value, 4);
        assert_eq!(convention.pad.value, 16);
        assert_eq!(convention.size.value, Size::Any);
    }

    #[test]
    fn texts_of_metadata_are_understood() {
        assert_eq!(range_in("BGR float 0..255 NCHW"), Some(ValueRange::Byte));
        assert_eq!(range_in("rgb01"), Some(ValueRange::Unit));
        assert_eq!(range_in("RGB -1..1"), Some(ValueRange::Signed));
        assert_eq!(range_in("photos"), None);
        assert_eq!(channels_in("BGR float 0..255 NCHW"), Some(Channels::Bgr));
        assert_eq!(channels_in("RGB or BGR"), None);
    }

    #[test]
    fn a_sidecar_wins_over_the_file() {
        let sidecar = Sidecar {
            channels: Some(Channels::Bgr),
            range: Some(ValueRange::Byte),
            pad: Some(3),
            ..Sidecar::default()
        };
        let model = Model::parse("x".to_owned(), bundled().bytes, &sidecar).unwrap();
        assert_eq!(
            model.convention.channels,
            Known {
                value: Channels::Bgr,
                origin: Origin::Sidecar
            }
        );
        assert_eq!(
            model.convention.output_range.unwrap().value,
            ValueRange::Byte
        );
        assert_eq!(model.convention.pad.value, 3);
    }

    #[test]
    fn a_sidecar_for_another_network_is_refused() {
        let sidecar = Sidecar {
            inputs: [("weights".to_owned(), vec![1.0])].into(),
            ..Sidecar::default()
        };
        let error = Model::parse("x".to_owned(), bundled().bytes, &sidecar).unwrap_err();
        assert!(error.to_string().contains("`weights`"), "{error}");
    }
}
