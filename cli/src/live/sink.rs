//! Where the painting goes.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::ensure;

use super::whip;

/// Where the painting goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// A window of this screen.
    Window,
    /// A camera that every PipeWire client sees.
    PipeWire,
    /// A virtual camera: a device of v4l2loopback.
    V4l2(PathBuf),
    /// An MPEG transport stream over SRT.
    Srt(String),
    /// An MPEG transport stream over UDP: host and port.
    Udp(String, u16),
    /// A server that takes RTMP.
    Rtmp(String),
    /// A server that takes WebRTC by WHIP.
    Whip(String),
    /// A recording: .mkv, .mp4 or .ts.
    File(PathBuf),
}

impl FromStr for Sink {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = |text: &str| {
            let extension = Path::new(text).extension().and_then(|found| found.to_str());
            match muxer_of(extension.unwrap_or_default()) {
                Some(_) => Ok(Self::File(text.into())),
                None => Err("wanted window, pipewire, v4l2:/dev/videoN, srt://, udp://, rtmp://, rtsp://, whip:https:// or a file .mkv, .mp4 or .ts".to_owned()),
            }
        };
        if let Some(device) = text.strip_prefix("v4l2:") {
            return Ok(Self::V4l2(device.into()));
        }
        if let Some(address) = text.strip_prefix("whip:") {
            return match address.split_once("://") {
                Some(("http" | "https", rest)) if !rest.is_empty() => {
                    Ok(Self::Whip(address.to_owned()))
                }
                _ => Err("wanted whip:https://SERVER/...".to_owned()),
            };
        }
        match (text, text.split_once("://")) {
            ("window", _) => Ok(Self::Window),
            ("pipewire", _) => Ok(Self::PipeWire),
            (_, Some(("srt", _))) => Ok(Self::Srt(text.to_owned())),
            (_, Some(("rtmp" | "rtmps", _))) => Ok(Self::Rtmp(text.to_owned())),
            (_, Some(("udp", rest))) => rest
                .rsplit_once(':')
                .and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)))
                .filter(|(host, _)| !host.is_empty())
                .map(|(host, port)| Self::Udp(host, port))
                .ok_or_else(|| "wanted udp://HOST:PORT".to_owned()),
            (_, Some(("file", rest))) => path(rest),
            _ => path(text),
        }
    }
}

impl std::fmt::Display for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Window => write!(f, "the window"),
            Self::PipeWire => write!(f, "PipeWire"),
            Self::V4l2(path) | Self::File(path) => write!(f, "{}", path.display()),
            Self::Srt(address) | Self::Rtmp(address) | Self::Whip(address) => {
                write!(f, "{address}")
            }
            Self::Udp(host, port) => write!(f, "udp://{host}:{port}"),
        }
    }
}

impl Sink {
    /// Refuses what can never work.
    ///
    /// # Errors
    /// If a device is not there, or a file is, or its folder is not.
    pub fn check(&self) -> anyhow::Result<()> {
        match self {
            Self::V4l2(device) => ensure!(
                device.exists(),
                "there is no device {0}; `sudo modprobe v4l2loopback exclusive_caps=1` makes one, and `v4l2-ctl \
                 --list-devices` tells its name",
                device.display()
            ),
            Self::File(path) => {
                ensure!(
                    !path.exists(),
                    "{} exists; name another file, or remove it",
                    path.display()
                );
                let folder = path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                ensure!(
                    folder.is_dir(),
                    "the folder {} does not exist; make it first",
                    folder.display()
                );
            }
            Self::Whip(address) => whip::check(address)?,
            _ => {}
        }
        Ok(())
    }

    /// Whether the program is over when this ends: a window that is closed.
    pub fn is_all(&self) -> bool {
        *self == Self::Window
    }

    /// Whether it is made once and not again: what was recorded would be overwritten.
    pub fn is_once(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// What joins frames and sound, for sinks that carry sound.
    pub fn muxer(&self) -> Option<&'static str> {
        match self {
            Self::Window | Self::PipeWire | Self::V4l2(_) | Self::Whip(_) => None,
            Self::Srt(_) | Self::Udp(..) => Some("mpegtsmux"),
            Self::Rtmp(_) => Some("flvmux"),
            Self::File(path) => muxer_of(path.extension()?.to_str()?),
        }
    }

    /// Whether it gets sound: where there is none, RTMP servers want silence.
    pub fn wants_sound(&self, is_there: bool) -> bool {
        match self {
            Self::Rtmp(_) => true,
            Self::Whip(_) => is_there,
            _ => is_there && self.muxer().is_some(),
        }
    }
}

/// What joins frames and sound in a file of an extension.
fn muxer_of(extension: &str) -> Option<&'static str> {
    match extension {
        "mkv" => Some("matroskamux"),
        "mp4" => Some("mp4mux"),
        "ts" => Some("mpegtsmux"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinks_are_told_apart_by_their_names() {
        for (text, wanted) in [
            ("window", Sink::Window),
            ("pipewire", Sink::PipeWire),
            ("v4l2:/dev/video7", Sink::V4l2("/dev/video7".into())),
            ("srt://host:9", Sink::Srt("srt://host:9".to_owned())),
            ("udp://host:9", Sink::Udp("host".to_owned(), 9)),
            (
                "rtmp://host/live/x",
                Sink::Rtmp("rtmp://host/live/x".to_owned()),
            ),
            (
                "whip:https://host/x",
                Sink::Whip("https://host/x".to_owned()),
            ),
            ("a.mkv", Sink::File("a.mkv".into())),
            ("file:///b/a.ts", Sink::File("/b/a.ts".into())),
        ] {
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
        for text in ["", "a.gif", "udp://host", "udp://:7", "mirror", "whip:host"] {
            assert!(text.parse::<Sink>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_can_never_work_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.mkv");
        assert!(Sink::File(file.clone()).check().is_ok());
        std::fs::write(&file, "").unwrap();
        let error = Sink::File(file).check().unwrap_err().to_string();
        assert!(error.contains("remove it"), "{error}");
        let error = Sink::File(folder.path().join("none/a.mkv"))
            .check()
            .unwrap_err();
        assert!(error.to_string().contains("make it first"));
        let error = Sink::V4l2("/dev/video99".into()).check().unwrap_err();
        assert!(error.to_string().contains("modprobe"));
    }

    #[test]
    fn rtmp_alone_gets_silence() {
        let wants = |text: &str, is_there| text.parse::<Sink>().unwrap().wants_sound(is_there);
        assert!(wants("rtmp://a/b", false) && !wants("srt://a:1", false));
        assert!(wants("srt://a:1", true) && !wants("window", true));
        assert!(wants("whip:http://a", true) && !wants("whip:http://a", false));
    }
}
