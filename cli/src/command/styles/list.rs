//! The list of styles.

use engines::styles::Listed;
use engines::{Quality, Sidecar};
use serde::Serialize;

use crate::report;

#[derive(Serialize)]
struct Style {
    name: String,
    title: Option<String>,
    artist: Option<String>,
    year: Option<String>,
    licence: Option<String>,
    qualities: Vec<&'static str>,
    /// Folder of its files; `None` for a bundled style.
    folder: Option<std::path::PathBuf>,
    /// Why it cannot be used.
    error: Option<String>,
}

/// Prints every style that a name finds.
///
/// # Errors
/// If a folder of styles cannot be read.
pub fn run(json: bool) -> anyhow::Result<()> {
    let styles: Vec<_> = engines::styles::list()?.into_iter().map(look).collect();
    if json {
        return report::json(&styles);
    }
    for style in &styles {
        report::line(describe(style))?;
    }
    Ok(())
}

fn look(listed: Listed) -> Style {
    let quality = listed.qualities.first().copied().unwrap_or_default();
    let model = engines::styles::find(&listed.name, quality);
    let sidecar = sidecar(&listed);
    let text = |key| Some(model.as_ref().ok()?.metadata(key)?.to_owned());
    Style {
        title: sidecar.title.or_else(|| text("title")),
        artist: sidecar.artist.or_else(|| text("artist")),
        year: text("year"),
        licence: sidecar.licence.or_else(|| text("licence")),
        error: model.as_ref().err().map(ToString::to_string),
        name: listed.name,
        qualities: listed.qualities.into_iter().map(Quality::name).collect(),
        folder: listed.folder,
    }
}

/// What the file beside the network says; nothing for a bundled one, and for one that cannot be read, whose
/// network is not usable either and says why.
fn sidecar(listed: &Listed) -> Sidecar {
    let Some(folder) = &listed.folder else {
        return Sidecar::default();
    };
    let stem = match listed.qualities.first() {
        Some(quality) => format!("{}.{quality}.onnx", listed.name),
        None => format!("{}.onnx", listed.name),
    };
    Sidecar::beside(&folder.join(stem)).unwrap_or_default()
}

fn describe(style: &Style) -> String {
    let mut text = style.name.clone();
    let about = [&style.title, &style.artist, &style.year]
        .into_iter()
        .flatten()
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    let sizes = if style.qualities.is_empty() {
        "one size".to_owned()
    } else {
        style.qualities.join(", ")
    };
    let place = style
        .folder
        .as_ref()
        .map_or("bundled".to_owned(), |folder| folder.display().to_string());
    for part in [
        about,
        sizes,
        style.licence.clone().unwrap_or_default(),
        place,
    ] {
        if !part.is_empty() {
            text = format!("{text}\n    {part}");
        }
    }
    match &style.error {
        Some(error) => format!("{text}\n    not usable: {error}"),
        None => text,
    }
}
