//! Which kinds of output file there are, and what goes into each.

use std::path::Path;

use anyhow::{Context, bail};

use super::encoder::Codec;

/// A kind of output file.
#[derive(Debug)]
pub struct Container {
    /// Its name, for messages.
    pub name: &'static str,
    /// Extensions of file names that choose it.
    extensions: &'static [&'static str],
    /// Element that writes it.
    pub muxer: &'static str,
    /// Video codecs that players expect in it; the first is used when nobody chooses.
    codecs: &'static [Codec],
    /// Elements that encode sound for it; the first that is installed is used.
    pub sound_encoders: &'static [&'static str],
    /// Whether subtitles go into it. WebM takes only `WebVTT`, which GStreamer does not write.
    pub has_subtitles: bool,
}

const AAC: &[&str] = &["avenc_aac", "fdkaacenc", "voaacenc"];
const OPUS: &[&str] = &["opusenc"];

const CONTAINERS: &[Container] = &[
    Container {
        name: "MP4",
        extensions: &["mp4", "m4v"],
        muxer: "mp4mux",
        codecs: &[Codec::H264, Codec::H265, Codec::Vp9, Codec::Av1],
        sound_encoders: AAC,
        has_subtitles: true,
    },
    Container {
        name: "QuickTime",
        extensions: &["mov"],
        muxer: "qtmux",
        codecs: &[Codec::H264, Codec::H265],
        sound_encoders: AAC,
        has_subtitles: true,
    },
    Container {
        name: "WebM",
        extensions: &["webm"],
        muxer: "webmmux",
        codecs: &[Codec::Vp9, Codec::Vp8, Codec::Av1],
        sound_encoders: OPUS,
        has_subtitles: false,
    },
    Container {
        name: "Matroska",
        extensions: &["mkv"],
        muxer: "matroskamux",
        codecs: &[Codec::Vp9, Codec::H264, Codec::H265, Codec::Vp8, Codec::Av1],
        sound_encoders: OPUS,
        has_subtitles: true,
    },
];

impl Container {
    /// The kind of file that the extension of `path` asks for.
    ///
    /// # Errors
    /// If it has none, or an unknown one.
    pub fn of(path: &Path) -> anyhow::Result<&'static Self> {
        let extension = path
            .extension()
            .map(|found| found.to_string_lossy().to_lowercase());
        let found = extension.as_deref().unwrap_or_default();
        CONTAINERS
            .iter()
            .find(|container| container.extensions.contains(&found))
            .with_context(|| {
                let found = match extension {
                    Some(found) => format!("the unknown extension .{found}"),
                    None => "no extension".to_owned(),
                };
                format!(
                    "{} has {found}, wanted one of {}",
                    path.display(),
                    extensions()
                )
            })
    }

    /// The codec to encode with: the one asked for, or the one that suits the container.
    ///
    /// # Errors
    /// If the codec does not go into this container.
    pub fn codec(&self, wanted: Option<Codec>) -> anyhow::Result<Codec> {
        let codec = wanted.unwrap_or(self.codecs[0]);
        if !self.codecs.contains(&codec) {
            let known: Vec<_> = self.codecs.iter().map(|codec| codec.name()).collect();
            bail!(
                "codec {} does not go into {} files; they take {}; or write another kind of file: {}",
                codec.name(),
                self.name,
                known.join(", "),
                extensions()
            );
        }
        Ok(codec)
    }
}

/// Every known extension, for messages.
pub fn extensions() -> String {
    let all: Vec<_> = CONTAINERS
        .iter()
        .flat_map(|container| container.extensions)
        .map(|extension| format!(".{extension}"))
        .collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_chooses_container_and_codec() {
        for (path, muxer, codec) in [
            ("a.mp4", "mp4mux", Codec::H264),
            ("a.b.M4V", "mp4mux", Codec::H264),
            ("a.mov", "qtmux", Codec::H264),
            ("a.webm", "webmmux", Codec::Vp9),
            ("a.mkv", "matroskamux", Codec::Vp9),
        ] {
            let container = Container::of(Path::new(path)).unwrap();
            assert_eq!(container.muxer, muxer, "{path}");
            assert_eq!(container.codec(None).unwrap(), codec, "{path}");
        }
    }

    #[test]
    fn unknown_extensions_list_the_known() {
        for path in ["a.avi", "a", ".mp4"] {
            let error = Container::of(Path::new(path)).unwrap_err().to_string();
            assert!(error.contains(".mp4, .m4v, .mov, .webm, .mkv"), "{error}");
        }
    }

    #[test]
    fn unfitting_codecs_are_refused() {
        let webm = Container::of(Path::new("a.webm")).unwrap();
        let error = webm.codec(Some(Codec::H264)).unwrap_err().to_string();
        assert!(
            error.contains("h264") && error.contains("vp9, vp8, av1"),
            "{error}"
        );
    }
}
