//! GStreamer's errors in words that help: which part failed, on what, and what to do.

use std::path::Path;

use gst::prelude::*;

/// Chooses among the errors of a pipeline that stopped the one that tells most. One cause often makes several
/// elements complain, and what they say then is only that data stopped flowing.
pub fn tell(messages: &[gst::Message], output: &Path) -> anyhow::Error {
    let errors = || messages.iter().filter_map(as_error);
    let is_vague =
        |error: &&gst::message::Error| error.error().message().starts_with("Internal data");
    let Some(error) = errors()
        .find(|error| !is_vague(error))
        .or_else(|| errors().next())
    else {
        return anyhow::anyhow!("the pipeline stopped without saying why");
    };
    let (text, factory) = (error.error(), factory(error));
    let message = text.message().trim_end_matches('.').to_owned();
    let debug = error
        .debug()
        .map(|debug| reason(&debug))
        .unwrap_or_default();
    match factory.as_deref() {
        Some("filesink") if text.matches(gst::ResourceError::NoSpaceLeft) => {
            anyhow::anyhow!(
                "writing {}: no space left on the device; free some, or write elsewhere",
                output.display()
            )
        }
        Some("filesink") => anyhow::anyhow!("writing {}: {message}{debug}", output.display()),
        // This project's own errors say everything in the text that GStreamer keeps for debugging.
        Some("styletransfer") => anyhow::anyhow!("{}", own(error).unwrap_or(message)),
        Some("parsebin") if text.matches(gst::CoreError::Failed) => {
            anyhow::anyhow!("{}", own(error).unwrap_or(message))
        }
        Some(factory) => anyhow::anyhow!("{factory}: {message}{debug}"),
        None => anyhow::anyhow!("{message}{debug}"),
    }
}

fn as_error(message: &gst::Message) -> Option<&gst::message::Error> {
    match message.view() {
        gst::MessageView::Error(error) => Some(error),
        _ => None,
    }
}

fn factory(error: &gst::message::Error) -> Option<String> {
    let element = error.src()?.downcast_ref::<gst::Element>()?;
    Some(element.factory()?.name().to_string())
}

/// The part of GStreamer's debug text that is not about its own source code: what stands on its last line.
fn reason(debug: &str) -> String {
    match debug.split_once(":\n") {
        Some((_, reason)) if !reason.trim().is_empty() => format!(" ({})", last_line(reason)),
        _ => String::new(),
    }
}

fn own(error: &gst::message::Error) -> Option<String> {
    let debug = error.debug()?;
    let (_, text) = debug.split_once(":\n")?;
    Some(text.trim().to_owned())
}

fn last_line(text: &str) -> &str {
    text.trim().lines().last().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str, debug: &str) -> gst::Message {
        gst::message::Error::builder(gst::StreamError::Failed, text)
            .debug(debug)
            .build()
    }

    #[test]
    fn the_telling_error_is_told() {
        gst::init().unwrap();
        let errors = [
            error(
                "Internal data stream error.",
                "x.c(1): f (): /p:\nstreaming stopped, reason not-negotiated (-4)",
            ),
            error("This file is damaged.", "y.c(2): g (): /p:\nno moov"),
        ];
        assert_eq!(
            tell(&errors, Path::new("a")).to_string(),
            "This file is damaged (no moov)"
        );
        assert_eq!(
            tell(&errors[..1], Path::new("a")).to_string(),
            "Internal data stream error (streaming stopped, reason not-negotiated (-4))"
        );
    }
}
