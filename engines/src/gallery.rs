//! The styles that the library carries: a template per size of network, and a file per style.

use crate::error::{Error, Result};
use crate::fold::fold;
use crate::model::Model;
use crate::settings::Quality;
use crate::sidecar::Sidecar;
use crate::style_file::StyleFile;

/// Word of its quality and bytes of every template.
const TEMPLATES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// Name and bytes of every style.
const STYLES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/styles.rs"));

/// A style of the gallery in one size.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    /// Name of the style.
    pub name: &'static str,
    /// Size.
    pub quality: Quality,
    style: &'static [u8],
    template: &'static [u8],
}

/// Every style in every size.
pub(crate) fn pieces() -> impl DoubleEndedIterator<Item = Piece> {
    STYLES.iter().flat_map(|&(name, style)| {
        TEMPLATES.iter().filter_map(move |&(word, template)| {
            Some(Piece {
                name,
                quality: Quality::size(word)?,
                style,
                template,
            })
        })
    })
}

impl Piece {
    /// The network of the style.
    ///
    /// # Errors
    /// [`Error::Style`] if the style does not fit the template.
    pub(crate) fn model(&self) -> Result<Model> {
        let folded =
            StyleFile::parse(self.style).and_then(|style| fold(self.template, self.name, &style));
        let bytes = folded.map_err(|reason| Error::Style {
            name: self.name.to_owned(),
            reason,
        })?;
        Model::parse(self.name.to_owned(), bytes.into(), &Sidecar::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::convolutions;
    use crate::onnx::ModelProto;
    use crate::{styles, trunk};
    use std::collections::BTreeSet;

    #[test]
    fn there_is_a_template_for_every_size() {
        let found: BTreeSet<_> = TEMPLATES.iter().map(|&(word, _)| word).collect();
        assert_eq!(found, Quality::SIZES.map(Quality::name).into());
        for (word, bytes) in TEMPLATES {
            let model = ModelProto::parse(bytes).unwrap();
            assert_eq!(model.metadata("impasto.quality"), Some(*word));
            assert!(model.metadata("impasto.family").is_some(), "{word}");
        }
    }

    #[test]
    fn every_style_has_what_every_convolution_of_every_template_needs_and_no_more() {
        for (name, bytes) in STYLES {
            let style = StyleFile::parse(bytes).unwrap();
            let found: BTreeSet<_> = style.names().into_iter().collect();
            let mut wanted = BTreeSet::new();
            for (word, bytes) in TEMPLATES {
                let model = ModelProto::parse(bytes).unwrap();
                let names = convolutions(model.graph.as_ref().unwrap()).unwrap();
                // Weights of all convolutions of a size, or of none.
                let has_own = names
                    .iter()
                    .any(|name| style.has(&format!("{word}/{name}.weight")));
                let ends = [".scale", ".shift", ".weight"];
                let ends = &ends[..if has_own { 3 } else { 2 }];
                let names = names.iter();
                wanted
                    .extend(names.flat_map(|name| {
                        ends.iter().map(move |end| format!("{word}/{name}{end}"))
                    }));
            }
            assert_eq!(found, wanted, "{name}");
            assert!(style.words.contains_key("title"), "{name}");
            assert!(style.words.contains_key("licence"), "{name}");
        }
    }

    #[test]
    fn every_style_is_a_network_with_a_trunk_in_every_size() {
        for piece in pieces() {
            let model = piece.model().unwrap();
            assert_eq!(model.metadata("quality"), Some(piece.quality.name()));
            assert_eq!(model.metadata("name"), Some(piece.name));
            assert!(trunk::cut(&model.bytes).is_some(), "{}", piece.name);
        }
    }

    #[test]
    fn the_default_style_and_the_identity_are_there() {
        for name in [styles::DEFAULT, styles::IDENTITY] {
            let n_sizes = pieces().filter(|piece| piece.name == name).count();
            assert_eq!(n_sizes, Quality::SIZES.len(), "{name}");
        }
    }
}
