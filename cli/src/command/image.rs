//! `impasto image`: paints pictures.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use crate::args::StyleArgs;
use crate::output::Output;
use crate::picture::{self, Job, Painter};
use crate::{interrupt, report};

/// Paints pictures: PNG, JPEG and WebP.
///
/// One picture becomes the file OUT, whose extension chooses the format. Several pictures, or folders of them,
/// go into the folder OUT under their own names. Transparency and colour profiles stay, EXIF orientation is applied,
/// 16 bits become 8. WebP is written without loss, JPEG with quality 92.
#[derive(Args)]
pub struct Image {
    /// Pictures to paint, or folders of pictures (without their subfolders); 16 to 8192 pixels each way
    #[arg(value_name = "IN", required = true)]
    inputs: Vec<PathBuf>,

    /// File to write (.png, .jpg, .jpeg or .webp), or a folder, which is made if missing
    #[arg(long, short, value_name = "OUT")]
    output: PathBuf,

    #[command(flatten)]
    style: StyleArgs,

    /// Replace files that exist
    #[arg(long, help_heading = "Output")]
    overwrite: bool,

    /// Print one line of JSON per picture on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// What became of a picture.
#[derive(Serialize)]
struct Done<'a> {
    input: &'a PathBuf,
    output: &'a PathBuf,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Painted {
        width: u32,
        height: u32,
        seconds: f64,
        engine: String,
    },
    Failed {
        error: String,
    },
}

impl Image {
    /// Paints the pictures.
    ///
    /// # Errors
    /// Names the pictures that failed; the others are painted nevertheless.
    pub fn run(self) -> anyhow::Result<()> {
        interrupt::watch()?;
        let jobs = picture::plan(&self.inputs, &self.output)?;
        let mut painter = Painter::new(&self.style)?;
        // Without the runtime, no picture can be painted: that is said once.
        engines::probe()?;
        let mut failed = Vec::new();
        for job in &jobs {
            interrupt::check()?;
            let outcome = match self.paint(job, &mut painter) {
                Ok(painted) => painted,
                Err(error) => {
                    let error = error.context(job.input.display().to_string());
                    if jobs.len() == 1 && !self.json {
                        return Err(error);
                    }
                    report::print_error(&error);
                    failed.push(job.input.display().to_string());
                    Outcome::Failed {
                        error: report::chain(&error),
                    }
                }
            };
            self.tell(&Done {
                input: &job.input,
                output: &job.output,
                outcome,
            })?;
        }
        if !failed.is_empty() {
            bail!(
                "{} of {} pictures failed: {}",
                failed.len(),
                jobs.len(),
                failed.join(", ")
            );
        }
        Ok(())
    }

    fn paint(&self, job: &Job, painter: &mut Painter) -> anyhow::Result<Outcome> {
        let start = Instant::now();
        let format = picture::format_of(&job.output).with_context(|| {
            format!(
                "{} names no picture format, wanted .png, .jpg, .jpeg or .webp",
                job.output.display()
            )
        })?;
        let mut picture = picture::read(&job.input)?;
        let output = Output::create(&job.output, self.overwrite, &[&job.input])?;
        painter.paint(&mut picture)?;
        picture::write(&picture, format, output.partial())
            .with_context(|| format!("writing {}", job.output.display()))?;
        output.finish()?;
        Ok(Outcome::Painted {
            width: picture.pixels.width(),
            height: picture.pixels.height(),
            seconds: (start.elapsed().as_secs_f64() * 1e3).round() / 1e3,
            engine: painter.describe().unwrap_or_default(),
        })
    }

    fn tell(&self, done: &Done<'_>) -> anyhow::Result<()> {
        if self.json {
            return report::json(done);
        }
        match &done.outcome {
            Outcome::Painted {
                width,
                height,
                seconds,
                engine,
            } => report::line(format!(
                "{}: {width}x{height}, {seconds:.2} s, {engine}",
                done.output.display()
            )),
            Outcome::Failed { .. } => Ok(()),
        }
    }
}
