//! Encoders of live streams: what any server and any player takes.

use anyhow::Context;
use gst::prelude::*;

use super::format::Format;
use super::sound;
use crate::packages::{has, make};

/// Bits that a pixel gets of the encoder: brush strokes need more than photos do.
const BITS_A_PIXEL: f64 = 0.15;
/// Bits a second of sound.
const SOUND_BITS: i32 = 128_000;
/// Encoders of sound, in the order of preference, and how many samples of silence each begins with: decoders give them
/// back as sound, and no container here tells of them. Measured with a beep.
const SOUND_ENCODERS: [(&str, i64); 2] = [("avenc_aac", 1024), ("voaacenc", 1600)];
/// Seconds between pictures that a new watcher can start with.
const SECONDS_A_KEY: i32 = 2;

/// Elements that make H.264 of raw frames.
///
/// # Errors
/// If GStreamer lacks one.
pub fn frames(format: Format) -> anyhow::Result<Vec<gst::Element>> {
    let bits = f64::from(format.width * format.height * format.fps) * BITS_A_PIXEL;
    let encoder = make("x264enc")?;
    encoder.set_property_from_str("tune", "zerolatency");
    encoder.set_property_from_str("speed-preset", "superfast");
    encoder.set_property("bitrate", (bits / 1000.0).round().max(300.0) as u32);
    encoder.set_property("key-int-max", (format.fps * SECONDS_A_KEY) as u32);
    let parser = make("h264parse")?;
    parser.set_property("config-interval", -1);
    Ok(vec![make("videoconvert")?, encoder, parser])
}

/// Elements that make AAC of raw sound.
///
/// # Errors
/// If GStreamer lacks one.
pub fn sound() -> anyhow::Result<Vec<gst::Element>> {
    let [first, second] = SOUND_ENCODERS;
    let (name, n_ahead) = if has(first.0) { first } else { second };
    let encoder = make(name)?;
    encoder.set_property("bitrate", SOUND_BITS);
    let exit = encoder
        .static_pad("src")
        .context("an encoder has an exit")?;
    exit.set_offset(-n_ahead * 1_000_000_000 / sound::RATE as i64);
    Ok(vec![make("audioconvert")?, encoder, make("aacparse")?])
}
