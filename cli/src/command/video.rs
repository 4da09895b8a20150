//! `impasto video`: paints a film.

use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;

use crate::args::{SteadyArgs, StyleArgs};
use crate::output::Output;
use crate::video::{Clip, Codec, Container, Meter, Painting, Plan, Progress, Video as Encoding};
use crate::{interrupt, packages, report, video};

/// Paints a film, with its sound.
///
/// Takes every kind of file that GStreamer reads. The output's extension chooses what is written: .mp4, .m4v and
/// .mov hold H.264 and AAC, .webm and .mkv hold VP9 and Opus. Sound and subtitles that fit are copied as they are;
/// all sound tracks stay. What does not fit is named. Timestamps stay, also those of variable frame rate. Clips
/// filmed with a turned camera are turned upright, interlaced ones become one whole frame per frame.
#[derive(Args)]
pub struct Video {
    /// Film to paint
    #[arg(value_name = "IN")]
    input: PathBuf,

    /// File to write: .mp4, .m4v, .mov, .webm or .mkv
    #[arg(long, short, value_name = "OUT")]
    output: PathBuf,

    #[command(flatten)]
    style: StyleArgs,

    #[command(flatten)]
    steady: SteadyArgs,

    /// Video codec; without it, h264 for .mp4, .m4v and .mov, vp9 for .webm and .mkv
    #[arg(long, value_name = "CODEC", help_heading = "Output", value_parser = codec())]
    codec: Option<Codec>,

    /// Constant quality of the video, smaller is better and larger: 0 to 50 for h264 (default 20), 0 to 51 for
    /// h265 (22), 0 to 63 for vp8 (24), vp9 (28) and av1 (28)
    #[arg(long, value_name = "N", help_heading = "Output")]
    crf: Option<u32>,

    /// Replace OUT if it exists
    #[arg(long, help_heading = "Output")]
    overwrite: bool,

    /// Print progress and result as lines of JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// What was made.
#[derive(Serialize)]
struct Done {
    event: &'static str,
    output: PathBuf,
    frames: u64,
    /// Those of the frames that repeat the one before, and were not painted again.
    frames_reused: u64,
    /// Length of the video.
    duration_s: f64,
    /// Time it took, from start to file.
    seconds: f64,
    fps: f64,
    /// Seconds of video per second of work.
    speed: f64,
    engine: String,
    kept: Vec<String>,
    left_out: Vec<String>,
    warnings: Vec<String>,
}

impl Video {
    /// Paints the film.
    ///
    /// # Errors
    /// Whatever stops it; then no output is left behind.
    pub fn run(self) -> anyhow::Result<()> {
        let start = Instant::now();
        interrupt::watch()?;
        super::start_gstreamer()?;
        let container = Container::of(&self.output)?;
        let encoding = Encoding::new(container.codec(self.codec)?, self.crf)?;
        packages::require(container.muxer)?;
        let (model, settings) = (self.style.model()?, self.style.settings());
        // The runtime loads while the clip is looked at. What goes wrong is told when it is needed.
        let _ahead = Ahead::start(move || drop(engines::prepare(&model, &settings)));
        let clip = video::probe(&self.input)?;
        interrupt::check()?;
        let output = Output::create(&self.output, self.overwrite, &[&self.input])?;

        let painting = Painting::build(&Plan {
            clip: &clip,
            style: &self.style,
            steady: &self.steady,
            video: encoding,
            container,
            target: output.partial(),
        })?;
        let mut progress = Progress::new(clip.duration, self.json);
        video::run(&painting, &mut progress, &self.output)?;
        progress.clear();

        let done = Done {
            warnings: [broken_off(&painting.meter, &clip), cropped(encoding, &clip)]
                .into_iter()
                .flatten()
                .collect(),
            ..done(&painting, output.path().to_owned(), start)
        };
        // The file is complete only when the pipeline has let go of it.
        drop(painting);
        output.finish()?;
        self.tell(&done)
    }

    fn tell(&self, done: &Done) -> anyhow::Result<()> {
        if self.json {
            return report::json(done);
        }
        for text in &done.warnings {
            report::warn(text);
        }
        if !done.left_out.is_empty() {
            report::warn(format!("left out: {}", done.left_out.join(", ")));
        }
        let repeated = match done.frames_reused {
            0 => String::new(),
            n => format!(" ({n} repeated)"),
        };
        report::line(format!(
            "{}: {} frames{repeated} in {:.1} s, {:.1} fps, {:.2} x real time, {}",
            done.output.display(),
            done.frames,
            done.seconds,
            done.fps,
            done.speed,
            done.engine
        ))
    }
}

/// Work on another thread, which is waited for: a process must not end while its libraries are being loaded.
struct Ahead(Option<thread::JoinHandle<()>>);

impl Ahead {
    fn start(work: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(thread::spawn(work)))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // A panic there has said so itself, and what it was to do is done again when it is needed.
        let _ = self.0.take().map(thread::JoinHandle::join);
    }
}

fn done(painting: &Painting, output: PathBuf, start: Instant) -> Done {
    let meter = &painting.meter;
    let fate = painting.tracks.fate();
    let seconds = start.elapsed().as_secs_f64();
    let duration_s = video::seconds(meter.position());
    Done {
        event: "done",
        output,
        frames: meter.n_frames(),
        frames_reused: painting.n_reused(),
        duration_s,
        seconds: video::rounded(seconds),
        fps: video::rounded(meter.n_frames() as f64 / seconds),
        speed: video::rounded(duration_s / seconds),
        engine: painting.engine(),
        kept: fate.kept,
        left_out: fate.left_out,
        warnings: Vec::new(),
    }
}

/// Says so when the clip ended before it should have.
fn broken_off(meter: &Meter, clip: &Clip) -> Option<String> {
    let (announced, end) = (clip.duration?, meter.end());
    (end + gst::ClockTime::from_mseconds(500) < announced).then(|| {
        format!(
            "{} breaks off after {:.1} of {:.1} seconds; what was there is painted",
            clip.path.display(),
            video::seconds(end),
            video::seconds(announced)
        )
    })
}

/// Says so when the encoder wanted an even size.
fn cropped(encoding: Encoding, clip: &Clip) -> Option<String> {
    let (n_columns, n_rows) = encoding.surplus(clip.size);
    let (width, height) = clip.size;
    (n_columns + n_rows > 0).then(|| {
        format!(
            "{width}x{height} was cut to {}x{}: this codec takes only even sizes; vp9, in .webm or .mkv, takes all",
            width - n_columns,
            height - n_rows
        )
    })
}

fn codec() -> impl TypedValueParser<Value = Codec> {
    PossibleValuesParser::new(Codec::ALL.map(Codec::name))
        .try_map(|word| Codec::named(&word).ok_or("wanted one of the codecs"))
}
