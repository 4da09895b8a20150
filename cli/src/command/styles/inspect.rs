//! How a network wants to be fed, and where that is known from.

use std::fmt::Display;
use std::path::Path;

use engines::{Known, Model, Origin, Quality, Sidecar, Size};
use serde::Serialize;

use crate::report;

/// One thing that is known about a network.
#[derive(Serialize)]
struct Fact {
    /// The key of a sidecar, where it has one.
    what: &'static str,
    value: String,
    origin: Option<String>,
}

/// Explains a file or a style.
///
/// # Errors
/// If it cannot be read.
pub fn run(style: &str, json: bool) -> anyhow::Result<()> {
    let found = read(style)?;
    let (model, trouble) = match engines::measure(&found) {
        Ok(measured) => (measured, None),
        Err(error) => (found, Some(error.to_string())),
    };
    let facts = facts(&model);
    if json {
        return report::json(&serde_json::json!({
            "style": style,
            "facts": facts,
            "error": trouble,
            "remedy": remedy(style),
        }));
    }
    report::line(style)?;
    for fact in &facts {
        let origin = fact
            .origin
            .as_ref()
            .map_or(String::new(), |origin| format!(" ({origin})"));
        report::line(format!("    {}: {}{origin}", fact.what, fact.value))?;
    }
    if let Some(trouble) = &trouble {
        report::line(format!("    it could not be run: {trouble}"))?;
    }
    report::line(remedy(style))
}

/// A style is read in its smallest size.
fn read(style: &str) -> engines::Result<Model> {
    if Path::new(style).is_file() {
        return Model::read(Path::new(style));
    }
    Quality::SIZES
        .into_iter()
        .map(|quality| engines::styles::find(style, quality))
        .find(|found| !matches!(found, Err(engines::Error::QualityNotFound { .. })))
        .unwrap_or_else(|| engines::styles::find(style, Quality::default()))
}

fn facts(model: &Model) -> Vec<Fact> {
    let convention = &model.convention;
    let mut facts: Vec<_> = ["title", "artist", "year", "licence", "family", "quality"]
        .into_iter()
        .filter_map(|what| {
            Some(Fact {
                what,
                value: model.metadata(what)?.to_owned(),
                origin: None,
            })
        })
        .collect();
    let size = Known {
        value: match convention.size.value {
            Size::Fixed(width, height) => format!("{width}x{height} only, frames are scaled"),
            Size::Any => "any".to_owned(),
        },
        origin: convention.size.origin,
    };
    let lower = |value: String| value.to_lowercase();
    facts.extend([
        fact("size", Some(size)),
        fact(
            "channels",
            Some(told(convention.channels, |value| {
                lower(format!("{value:?}"))
            })),
        ),
        fact(
            "layout",
            Some(told(convention.layout, |value| lower(format!("{value:?}")))),
        ),
        fact("range", convention.input_range),
        fact("output-range", convention.output_range),
        fact("pad", Some(told(convention.pad, |n| format!("{n} pixels")))),
    ]);
    // A network of one size has no use for it.
    if convention.align.is_some() || convention.size.value == Size::Any {
        let align = convention
            .align
            .map(|align| told(align, |n| format!("{n} pixels")));
        facts.push(fact("align", align));
    }
    facts.extend(convention.constants.iter().map(|constant| Fact {
        what: "inputs",
        value: format!(
            "{} {:?}, filled with {} values",
            constant.name,
            constant.dims,
            constant.values.len()
        ),
        origin: Some(Origin::Sidecar.to_string()),
    }));
    facts
}

fn told<T: Copy>(known: Known<T>, word: impl Fn(T) -> String) -> Known<String> {
    Known {
        value: word(known.value),
        origin: known.origin,
    }
}

fn fact<T: Display>(what: &'static str, known: Option<Known<T>>) -> Fact {
    match known {
        Some(known) => Fact {
            what,
            value: known.value.to_string(),
            origin: Some(known.origin.to_string()),
        },
        None => Fact {
            what,
            value: "not known before it is run".to_owned(),
            origin: None,
        },
    }
}

fn remedy(style: &str) -> String {
    if !engines::styles::is_path(style) {
        return "if the picture looks wrong, install the style anew with what is right: \
                impasto styles add FILE --channels bgr --range 0..255"
            .to_owned();
    }
    format!(
        "if the picture looks wrong, write what is right into {}: channels = \"rgb\" or \"bgr\", range and output-range = \
         \"0..255\", \"0..1\" or \"-1..1\", layout = \"nchw\" or \"nhwc\", align and pad = pixels, and under [inputs] \
         name = [values] for further inputs",
        Sidecar::path_for(Path::new(style)).display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_convention_is_told() {
        let facts = facts(&read(engines::styles::DEFAULT).unwrap());
        for what in [
            "channels",
            "layout",
            "range",
            "output-range",
            "align",
            "pad",
            "size",
        ] {
            assert!(facts.iter().any(|fact| fact.what == what), "{what}");
        }
        let channels = facts.iter().find(|fact| fact.what == "channels").unwrap();
        assert_eq!(channels.value, "rgb");
    }
}
