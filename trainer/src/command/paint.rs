//! `impasto-train paint`: one photo, painted without a network.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use image::RgbImage;

use crate::output::Output;
use crate::paint::{Job, LEAST_PX, Progress};
use crate::perceptual::Shares;
use crate::{loss_network, photos};

/// Time between two lines of progress where they are not shown on a terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Paints one photo like one painting, slowly and as well as can be.
#[derive(Args, Debug)]
pub struct Paint {
    /// Photo: PNG, JPEG or WebP
    #[arg(value_name = "PHOTO")]
    photo: PathBuf,
    /// Painting: PNG, JPEG or WebP
    #[arg(value_name = "PAINTING")]
    painting: PathBuf,
    /// File to write, .png or .jpg; one that is there is replaced
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Short side of the result in pixels
    #[arg(long, value_name = "PX", default_value_t = 512, value_parser = clap::value_parser!(u32).range(i64::from(LEAST_PX)..=4096))]
    size: u32,
    /// Short side in pixels that the painting is scaled to; the larger, the larger the strokes [default: that of the result]
    #[arg(long, value_name = "PX", value_parser = clap::value_parser!(u32).range(i64::from(LEAST_PX)..=4096))]
    strokes: Option<u32>,
    /// How much the style counts beside what the photo shows
    #[arg(long, value_name = "SHARE", default_value_t = 10.0)]
    style_weight: f32,
    /// How much smoothness counts
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    smoothness: f32,
    /// Steps at each of three scales
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    steps: u32,
    /// Another seed, a slightly other picture
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Weights of the loss network [default: where `./setup trainer` puts them]
    #[arg(long, value_name = "FILE")]
    vgg: Option<PathBuf>,
}

impl Paint {
    /// Runs it.
    ///
    /// # Errors
    /// If a picture cannot be read or is too small, the loss network is missing, or the result cannot be written.
    pub fn run(self) -> anyhow::Result<()> {
        ensure!(
            self.style_weight.is_finite() && self.style_weight >= 0.0,
            "--style-weight is {}, wanted a number from 0 on",
            self.style_weight
        );
        ensure!(
            self.smoothness.is_finite() && self.smoothness >= 0.0,
            "--smoothness is {}, wanted a number from 0 on",
            self.smoothness
        );
        let output = Output::create(&self.output)?;
        for input in [&self.photo, &self.painting] {
            ensure!(
                !output.is(input),
                "{} is an input and would be lost; give the output another name",
                input.display()
            );
        }
        let [photo, painting] = [read(&self.photo)?, read(&self.painting)?];
        let vgg = loss_network::open(self.vgg.as_deref())?;
        let job = Job {
            photo: &photo,
            painting: &painting,
            size_px: self.size,
            strokes_px: self.strokes.unwrap_or(self.size),
            shares: Shares {
                content: 1.0,
                style: self.style_weight,
                roughness: self.smoothness,
            },
            n_steps: self.steps as usize,
            seed: self.seed,
        };
        let mut line = Line::new();
        let painted = job.paint(&vgg, |progress| line.show(progress));
        line.end();
        output.write(&painted)
    }
}

/// Reads a picture that is large enough.
fn read(path: &Path) -> anyhow::Result<RgbImage> {
    let picture = photos::open(path)?;
    let (width, height) = picture.dimensions();
    ensure!(
        width.min(height) >= LEAST_PX,
        "{} has {width}x{height} pixels, wanted {LEAST_PX} at least each way",
        path.display()
    );
    Ok(picture)
}

/// The line of progress on the error output.
struct Line {
    start: Instant,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Line {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            shown: None,
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, progress: Progress) {
        let is_soon = |shown: Instant| shown.elapsed() < BETWEEN_LINES;
        if !self.is_terminal && self.shown.is_some_and(is_soon) && progress.part < 1.0 {
            return;
        }
        self.shown = Some(Instant::now());
        let left = self
            .start
            .elapsed()
            .mul_f64((1.0 / progress.part - 1.0).max(0.0));
        let (head, end) = if self.is_terminal {
            ("\r\x1b[K", "")
        } else {
            ("", "\n")
        };
        // The picture matters more than the line about it.
        let _ = write!(
            std::io::stderr(),
            "{head}{:3.0} %, at {} pixels, loss {:.4}, {}:{:02} left{end}",
            100.0 * progress.part,
            progress.size_px,
            progress.loss,
            left.as_secs() / 60,
            left.as_secs() % 60,
        );
    }

    fn end(&self) {
        if self.is_terminal {
            eprintln!();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_cannot_be_painted_are_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        RgbImage::new(100, 20).save(path("small.png")).unwrap();
        RgbImage::new(32, 32).save(path("fits.png")).unwrap();
        std::fs::write(path("text.png"), "no picture").unwrap();
        for (name, word) in [
            ("small.png", "100x20"),
            ("text.png", "cannot be read as a picture"),
            ("none.png", "none.png"),
        ] {
            let error = read(&path(name)).unwrap_err();
            assert!(format!("{error:#}").contains(word), "{error:#}");
        }
        assert_eq!(read(&path("fits.png")).unwrap().dimensions(), (32, 32));
    }
}
