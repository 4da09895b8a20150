//! The engine's errors as messages on GStreamer's bus, each in the domain that fits it.

use engines::Error;

/// An error message for the bus.
pub(crate) fn message(error: &Error) -> gst::ErrorMessage {
    let text = error.to_string();
    match error {
        Error::StyleNotFound { .. } | Error::QualityNotFound { .. } => {
            gst::error_msg!(gst::ResourceError::NotFound, ("{text}"))
        }
        Error::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            gst::error_msg!(gst::ResourceError::NotFound, ("{text}"))
        }
        Error::File { .. } => gst::error_msg!(gst::ResourceError::Read, ("{text}")),
        Error::Style { .. } | Error::Mix { .. } | Error::Sidecar { .. } | Error::Setting { .. } => {
            gst::error_msg!(gst::ResourceError::Settings, ("{text}"))
        }
        Error::Memory { .. } | Error::GpuMemory { .. } => {
            gst::error_msg!(gst::ResourceError::NoSpaceLeft, ("{text}"))
        }
        Error::Gpu { .. } => gst::error_msg!(gst::ResourceError::NotFound, ("{text}")),
        Error::TensorRtMissing { .. } | Error::TensorRtNotBuilt => {
            gst::error_msg!(gst::LibraryError::Init, ("{text}"))
        }
        Error::OpenVinoMissing { .. } => gst::error_msg!(gst::LibraryError::Init, ("{text}")),
        Error::Runtime { .. } => gst::error_msg!(gst::LibraryError::Failed, ("{text}")),
        _ => gst::error_msg!(gst::StreamError::Failed, ("{text}")),
    }
}

/// The same of frames that cannot stay on a GPU.
pub(crate) fn no_context(missing: &gstcuda::Missing) -> gst::ErrorMessage {
    let text = format!("frames come in memory of a GPU: {missing}");
    match missing {
        gstcuda::Missing::Library(_) => gst::error_msg!(gst::LibraryError::Init, ("{text}")),
        _ => gst::error_msg!(gst::ResourceError::NotFound, ("{text}")),
    }
}
