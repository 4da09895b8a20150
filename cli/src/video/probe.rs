//! A look at the input before anything is written: what is in it, and whether it can be painted.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use engines::{FrameFormat, Matrix, PixelFormat, Range};
use gst::prelude::*;
use gst_pbutils::prelude::*;
use gst_pbutils::{Discoverer, DiscovererContainerInfo, DiscovererInfo, DiscovererStreamInfo};
use gst_video::VideoOrientationMethod;

use super::orientation;

/// How long GStreamer may look: broken files can send a demuxer searching through all of them.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// What the input announces about itself.
#[derive(Debug)]
pub struct Clip {
    /// The file.
    pub path: PathBuf,
    /// Length, if the container says it.
    pub duration: Option<gst::ClockTime>,
    /// Stream to paint among several video streams; `None` if there is but one.
    pub stream_id: Option<String>,
    /// Whether frames may consist of two fields.
    pub is_interlaced: bool,
    /// How the picture must be turned to be upright.
    pub orientation: VideoOrientationMethod,
    /// Width and height of the upright picture in pixels; zero if unknown.
    pub size: (usize, usize),
    /// Stream identifiers and what the streams are, as far as a first look into them tells.
    pub streams: Vec<(String, gst::Caps)>,
    /// Whether the file has chapters.
    pub has_chapters: bool,
}

/// Looks at a file.
///
/// # Errors
/// If it cannot be read, is no video, or its frames are too small or too large.
pub fn probe(path: &Path) -> anyhow::Result<Clip> {
    check_file(path)?;
    let absolute =
        std::path::absolute(path).with_context(|| format!("reading {}", path.display()))?;
    let uri = gst::glib::filename_to_uri(&absolute, None)?;
    let info = Discoverer::new(PATIENCE)?
        .discover_uri(&uri)
        .map_err(|error| refusal(path, &error))?;
    match info.result() {
        gst_pbutils::DiscovererResult::Timeout => {
            bail!(
                "{}: no stream was found within {PATIENCE:.0}; it may be damaged",
                path.display()
            )
        }
        gst_pbutils::DiscovererResult::Ok | gst_pbutils::DiscovererResult::MissingPlugins => {}
        other => bail!("{} cannot be read as video: {other:?}", path.display()),
    }

    let videos = info.video_streams();
    let Some(video) = videos.first() else {
        bail!(
            "{} has no video that GStreamer can decode, only: {}",
            path.display(),
            streams(&info)
        );
    };
    if video.is_image() {
        bail!(
            "{} is a picture; paint it with `impasto image`",
            path.display()
        );
    }
    let (width, height) = (video.width() as usize, video.height() as usize);
    if (width, height) != (0, 0) {
        FrameFormat::new(
            PixelFormat::I420,
            width,
            height,
            Matrix::default(),
            Range::default(),
        )
        .with_context(|| path.display().to_string())?;
    }
    let is_container = info
        .stream_info()
        .is_some_and(|stream| stream.is::<DiscovererContainerInfo>());
    let orientation = video
        .tags()
        .as_deref()
        .and_then(VideoOrientationMethod::from_tag);
    let orientation = orientation.unwrap_or(VideoOrientationMethod::Identity);
    Ok(Clip {
        path: path.to_owned(),
        // Of a bare stream the length is only guessed from its bytes.
        duration: info.duration().filter(|_| is_container),
        stream_id: video
            .stream_id()
            .filter(|_| videos.len() > 1)
            .map(Into::into),
        is_interlaced: video.is_interlaced(),
        orientation,
        size: if orientation::swaps_sides(orientation) {
            (height, width)
        } else {
            (width, height)
        },
        streams: info
            .stream_list()
            .iter()
            .filter_map(|stream| Some((stream.stream_id()?.into(), stream.caps()?)))
            .collect(),
        has_chapters: info.toc().is_some(),
    })
}

fn check_file(path: &Path) -> anyhow::Result<()> {
    let reading = || format!("reading {}", path.display());
    let metadata = File::open(path)
        .and_then(|file| file.metadata())
        .with_context(reading)?;
    if metadata.is_dir() {
        bail!("{} is a folder, wanted a video file", path.display());
    }
    if metadata.is_file() && metadata.len() == 0 {
        bail!("{} is empty, wanted a video file", path.display());
    }
    Ok(())
}

fn refusal(path: &Path, error: &gst::glib::Error) -> anyhow::Error {
    let path = path.display();
    match error.kind::<gst::StreamError>() {
        Some(gst::StreamError::TypeNotFound | gst::StreamError::WrongType) => {
            anyhow::anyhow!("{path} is no kind of video that GStreamer knows; wanted a video file")
        }
        Some(gst::StreamError::CodecNotFound) => {
            anyhow::anyhow!(
                "{path}: {error} Install gstreamer1.0-libav and gstreamer1.0-plugins-bad"
            )
        }
        _ => anyhow::anyhow!("{path} cannot be read as video, it may be damaged: {error}"),
    }
}

fn streams(info: &DiscovererInfo) -> String {
    let names: Vec<_> = info
        .stream_list()
        .iter()
        .filter(|stream| !stream.is::<DiscovererContainerInfo>())
        .map(describe)
        .collect();
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

fn describe(stream: &DiscovererStreamInfo) -> String {
    match stream.caps() {
        Some(caps) if caps.is_fixed() => {
            gst_pbutils::pb_utils_get_codec_description(&caps).to_string()
        }
        _ => stream.stream_type_nick().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_video_is_refused_by_name() {
        gst::init().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        for (path, reason) in [
            (folder.path().join("missing.mp4"), "No such file"),
            (folder.path().to_owned(), "is a folder"),
            (write("empty.mp4", &[]), "is empty"),
            (write("noise.mp4", &[0x5a; 4096]), "no kind of video"),
        ] {
            let error = format!("{:#}", probe(&path).unwrap_err());
            assert!(error.contains(reason), "{error}");
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }
}
