//! Rewriting an ONNX file: other values in its constants, other words in its metadata.
//!
//! The file is edited as protobuf fields and not decoded as a whole, so that nothing of it gets lost.

use prost::Message;

use crate::onnx::number::{GRAPH_INITIALIZER, MODEL_GRAPH, MODEL_METADATA};
use crate::onnx::{Constant, Entry};
use crate::protobuf::{Fields, put};

/// Gives the file with what `change` makes of each constant (`None` leaves it as it is) and with `words` as further
/// metadata, in place of older ones of the same key.
///
/// # Errors
/// If the file is no ONNX file, or what `change` says.
pub(crate) fn rewrite(
    bytes: &[u8],
    words: &[(String, String)],
    mut change: impl FnMut(&Constant) -> Result<Option<Constant>, String>,
) -> Result<Vec<u8>, String> {
    let mut edited = Vec::with_capacity(bytes.len());
    for part in Fields(bytes) {
        let part = part.ok_or("it is no ONNX file")?;
        match part.number {
            MODEL_GRAPH => {
                let graph = rewrite_graph(part.content, &mut change)?;
                put(&mut edited, MODEL_GRAPH, &graph);
            }
            MODEL_METADATA => {
                let entry = Entry::decode(part.content).map_err(|error| error.to_string())?;
                if words.iter().all(|(key, _)| *key != entry.key) {
                    edited.extend_from_slice(part.whole);
                }
            }
            _ => edited.extend_from_slice(part.whole),
        }
    }
    for (key, value) in words {
        let entry = Entry {
            key: key.clone(),
            value: value.clone(),
        };
        put(&mut edited, MODEL_METADATA, &entry.encode_to_vec());
    }
    Ok(edited)
}

fn rewrite_graph(
    graph: &[u8],
    change: &mut impl FnMut(&Constant) -> Result<Option<Constant>, String>,
) -> Result<Vec<u8>, String> {
    let mut edited = Vec::with_capacity(graph.len());
    for part in Fields(graph) {
        let part = part.ok_or("its graph is no ONNX graph")?;
        let changed = match part.number {
            GRAPH_INITIALIZER => {
                let constant = Constant::decode(part.content).map_err(|error| error.to_string())?;
                change(&constant)?
            }
            _ => None,
        };
        match changed {
            Some(constant) => put(&mut edited, GRAPH_INITIALIZER, &constant.encode_to_vec()),
            None => edited.extend_from_slice(part.whole),
        }
    }
    Ok(edited)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::ModelProto;

    const NETWORK: &[u8] = include_bytes!("../styles/balanced.onnx");

    #[test]
    fn nothing_changes_where_nothing_is_asked_for() {
        assert_eq!(rewrite(NETWORK, &[], |_| Ok(None)).unwrap(), NETWORK);
    }

    #[test]
    fn words_replace_those_of_the_same_key() {
        let word = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let words = [word("impasto.align", "32"), word("impasto.title", "Waves")];
        let model = rewrite(NETWORK, &words, |_| Ok(None)).unwrap();
        let model = ModelProto::parse(&model).unwrap();
        assert_eq!(model.metadata("impasto.align"), Some("32"));
        assert_eq!(model.metadata("impasto.title"), Some("Waves"));
        assert_eq!(model.metadata("impasto.quality"), Some("balanced"));
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        assert!(rewrite(b"no network", &[], |_| Ok(None)).is_err());
        assert!(rewrite(&NETWORK[..NETWORK.len() / 2], &[], |_| Ok(None)).is_err());
    }
}
