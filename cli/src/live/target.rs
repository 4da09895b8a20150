//! What `--to` names: where the painting is brought to, or where it may be fetched.

use std::str::FromStr;

use super::rtsp::Mount;
use super::sink::Sink;

/// What `--to` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The painting is brought there.
    Sink(Sink),
    /// Viewers fetch it there.
    Rtsp(Mount),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "rtsp" {
            return Ok(Self::Rtsp(Mount::default()));
        }
        match text.strip_prefix("rtsp://") {
            Some(place) => place.parse().map(Self::Rtsp),
            None => text.parse().map(Self::Sink),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_is_told_from_what_is_brought() {
        let target = |text: &str| text.parse::<Target>();
        assert_eq!(target("rtsp"), Ok(Target::Rtsp(Mount::default())));
        assert_eq!(target("rtsp://:8554/impasto"), target("rtsp"));
        assert_eq!(target("window"), Ok(Target::Sink(Sink::Window)));
        for text in ["rtsp://", "rtsp:", "rtspx"] {
            assert!(target(text).is_err(), "{text}");
        }
    }
}
