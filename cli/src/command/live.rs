//! `impasto live`: paints a camera, or anything that plays, as it comes.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use crate::args::{SteadyArgs, StyleArgs, size};
use crate::live::page::ADDRESS;
use crate::live::{self, Meters, Sound, Source, Target, Wish};
use crate::{interrupt, report};

/// Paints a camera, or anything that plays, as it comes.
///
/// Runs until Ctrl-C. What fails on the way is tried again: a camera that is pulled out, a server that goes away. While no
/// frames come, the viewers see a still card.
///
/// Paint the camera into a window, or the test picture into a stream:
///
///     impasto live
///     impasto live --from test --to 'srt://:9000?mode=listener'
///
/// Paint the camera, with styles and sliders in a browser:
///
///     impasto live --page
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Live {
    /// What to paint: `camera`, `/dev/videoN`, `pipewire` (or `pipewire:NAME`), `test`, a film (over and over), or an
    /// address: rtsp, srt, udp, rtmp, http
    #[arg(long, value_name = "SOURCE", default_value = "camera")]
    from: Source,

    /// Where the painting goes, once for each: `window`, `pipewire` (a camera for all PipeWire clients),
    /// `v4l2:/dev/videoN` (v4l2loopback), `srt://HOST:PORT`, `udp://HOST:PORT`, `rtmp://SERVER/...`, `rtsp` or
    /// `rtsp://ADDRESS:PORT/PATH` (served here; `rtsp://127.0.0.1:8554/impasto` unless named), `whip:URL` (in builds
    /// with the feature `whip`), or a recording: .mkv, .mp4, .ts
    #[arg(long, value_name = "SINK", default_value = "window")]
    to: Vec<Target>,

    /// Where sound comes from: `source`, `none`, `pulse`, `pipewire`, or an ALSA device such as `hw:1`
    #[arg(long, value_name = "SOUND", default_value = "source")]
    audio: Sound,

    /// Size of the frames; without it, the source's own, at most 1280x720
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size)]
    size: Option<(i32, i32)>,

    /// Frames a second; without it, the source's own, at most 30
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=240))]
    fps: Option<i32>,

    /// Stop after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    stop_after: Option<u32>,

    /// Show and control it in a browser: preview, styles, sliders, meters. The address is printed with a token that every
    /// request needs. Without ADDRESS it is 127.0.0.1:7870, which this machine alone reaches; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = ADDRESS, value_parser = address)]
    page: Option<SocketAddr>,

    #[command(flatten)]
    style: StyleArgs,

    #[command(flatten)]
    steady: SteadyArgs,

    /// Print how it goes as lines of JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

impl Live {
    /// Paints until it is stopped.
    ///
    /// # Errors
    /// What cannot work from the start, or an error of the painter.
    pub fn run(self) -> anyhow::Result<()> {
        live::limit_heaps();
        // Before there are threads: they take after this one.
        live::lift_priority();
        interrupt::watch()?;
        super::start_gstreamer()?;
        // What is wrong with the style is told before anything is opened.
        self.style.model()?;
        let mut before: Option<Meters> = None;
        let mut tell = |meters: &Meters| {
            if self.json {
                return report::json(meters);
            }
            eprintln!("{}", line(before.as_ref(), meters));
            before = Some(meters.clone());
            Ok(())
        };
        live::run(live::Live {
            source: self.from,
            sound: self.audio,
            targets: self.to,
            wish: Wish {
                size: self.size,
                fps: self.fps,
            },
            style: &self.style,
            steady: &self.steady,
            page: self.page,
            stop_after: self
                .stop_after
                .map(|seconds| Duration::from_secs(seconds.into())),
            tell: &mut tell,
        })
    }
}

/// How it has gone since the last line.
fn line(before: Option<&Meters>, meters: &Meters) -> String {
    // A frame on its way counts as left out until it arrives, so that a count may fall by one.
    let since = |of: fn(&Meters) -> u64| of(meters).saturating_sub(before.map_or(0, of));
    let seconds = meters.seconds - before.map_or(0.0, |before| before.seconds);
    format!(
        "{:.0} s: {:.1} fps, {:.0} ms late (at most {:.0}), {} left out, {} repeated, {} cards, {}, {} lines high",
        meters.seconds,
        since(|meters| meters.frames_out) as f64 / seconds.max(0.001),
        meters.delay_ms,
        meters.delay_most_ms,
        since(|meters| meters.frames_left_out),
        since(|meters| meters.frames_reused),
        since(|meters| meters.cards),
        meters.quality,
        meters.processing_height
    )
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let wanted =
        "wanted an address of this machine with a port, such as 127.0.0.1:7870 or [::1]:7870";
    text.parse().map_err(|_| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_at_an_address_or_at_its_own() {
        #[derive(clap::Parser)]
        struct Cli {
            #[command(flatten)]
            live: Live,
        }
        let page = |args: &[&str]| {
            let cli = <Cli as clap::Parser>::try_parse_from([&["x"], args].concat());
            cli.map(|cli| cli.live.page.map(|page| page.to_string()))
        };
        assert_eq!(page(&[]).unwrap(), None);
        assert_eq!(page(&["--page"]).unwrap().as_deref(), Some(ADDRESS));
        let named = page(&["--page", "[::1]:80", "--from", "test"]);
        assert_eq!(named.unwrap().as_deref(), Some("[::1]:80"));
        for wrong in ["localhost", "7870", "127.0.0.1", "127.0.0.1:99999"] {
            let error = page(&["--page", wrong]).unwrap_err().to_string();
            assert!(error.contains("127.0.0.1:7870"), "{error}");
        }
    }
}
