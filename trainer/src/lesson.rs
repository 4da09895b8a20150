//! A run from its start or its last checkpoint to its end, with all that is seen of it on the way.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use rayon::prelude::*;

use crate::output::Output;
use crate::photos::{self, Photos};
use crate::train::{Report, Run, Target};
use crate::vgg::Vgg;
use crate::{plot, sheet};

/// Steps whose losses make one line of the table.
const STEPS_A_LINE: usize = 20;
/// Time between checkpoints.
const BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(60);
/// Time between previews.
const BETWEEN_PREVIEWS: Duration = Duration::from_secs(240);
/// Pixels of a side of a preview's pictures.
const PREVIEW_PX: u32 = 256;
/// Photos of a preview.
const N_PREVIEWED: usize = 3;

/// What a run learns from, and where it leaves its traces.
pub struct Lesson<'a> {
    /// The loss network.
    pub vgg: &'a Vgg,
    /// Photos to learn on.
    pub learn: &'a Photos,
    /// Photos to judge by.
    pub judge: &'a Photos,
    /// What the styles of the network are to look like.
    pub targets: &'a [Target],
    /// Folder for checkpoint, table and plot of losses, and preview.
    pub folder: &'a Path,
}

impl Lesson<'_> {
    /// Trains to the end of the recipe; a run that is found in the folder goes on.
    ///
    /// # Errors
    /// If the folder holds another run, or cannot be written to.
    pub fn give(&self, run: &mut Run) -> anyhow::Result<()> {
        std::fs::create_dir_all(self.folder)
            .with_context(|| format!("making the folder {}", self.folder.display()))?;
        let checkpoint = self.folder.join("checkpoint.safetensors");
        if checkpoint.exists() {
            run.resume(&checkpoint)?;
            eprintln!("goes on after step {}", run.n_steps);
        }
        let mut table = self.table(run.n_steps)?;
        let (start, first) = (Instant::now(), run.n_steps);
        let (mut saved, mut shown) = (start, start);
        let mut report = Report::default();
        while run.n_steps < run.n_wanted() {
            report.add(&run.step(self.vgg, self.learn, self.targets));
            let is_last = run.n_steps == run.n_wanted();
            if run.n_steps.is_multiple_of(STEPS_A_LINE) || is_last {
                let line = line(run, &report);
                writeln!(table, "{line},{:.1}", start.elapsed().as_secs_f32())
                    .context("writing losses.csv")?;
                let per_step = start.elapsed() / (run.n_steps - first) as u32;
                eprintln!("{}", progress(run, &report, per_step));
                report = Report::default();
            }
            if saved.elapsed() > BETWEEN_CHECKPOINTS || is_last {
                run.save(&checkpoint)?;
                saved = Instant::now();
            }
            if shown.elapsed() > BETWEEN_PREVIEWS || is_last {
                self.show(run)?;
                shown = Instant::now();
            }
        }
        Ok(())
    }

    /// Opens the table of losses, without what was written after the checkpoint.
    fn table(&self, n_steps: usize) -> anyhow::Result<File> {
        let path = self.folder.join("losses.csv");
        let context = || format!("writing {}", path.display());
        let head = "step,phase,content,style,roughness,tone,stability,lattice,identity,seconds\n";
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        let step = |line: &str| {
            line.split(',')
                .next()
                .and_then(|step| step.parse::<usize>().ok())
        };
        let is_before = |line: &&str| step(line).is_some_and(|step| step <= n_steps);
        let kept: String = old
            .lines()
            .filter(is_before)
            .map(|line| format!("{line}\n"))
            .collect();
        let mut file = File::create(&path).with_context(context)?;
        file.write_all(format!("{head}{kept}").as_bytes())
            .with_context(context)?;
        Ok(file)
    }

    /// Writes each style on the same photos, and the losses so far.
    fn show(&self, run: &Run) -> anyhow::Result<()> {
        let photos = self.judge.middles(PREVIEW_PX, N_PREVIEWED);
        let network = &run.network;
        let convs = network.convs();
        let rows: Vec<_> = photos
            .iter()
            .map(|photo| {
                let painted = network.styles.par_iter().map(|style| {
                    photos::picture(&network.forward(&convs, style, photo, !run.is_frozen).0)
                });
                let mut row = vec![photos::picture(photo)];
                row.extend(painted.collect::<Vec<_>>());
                row
            })
            .collect();
        let mut names = vec!["photo"];
        names.extend(network.styles.iter().map(|style| style.name.as_str()));
        Output::create(&self.folder.join("preview.png"))?.write(&sheet::sheet(&names, &rows))?;
        plot::write(
            &self.folder.join("losses.csv"),
            &self.folder.join("losses.png"),
        )
    }
}

/// Where checkpoint and the rest are kept for a file that is being made.
pub fn folder_for(output: &Path) -> PathBuf {
    output.with_extension("training")
}

fn progress(run: &Run, report: &Report, per_step: Duration) -> String {
    let left = per_step * (run.n_wanted() - run.n_steps) as u32;
    let losses = report.losses.times(1.0 / report.n_painted.max(1) as f64);
    format!(
        "step {} of {}: content {:.3}, style {:.3}; {:.2} s a step, {} left",
        run.n_steps,
        run.n_wanted(),
        losses.content,
        losses.style,
        per_step.as_secs_f32(),
        if left < Duration::from_secs(90) {
            format!("{} s", left.as_secs())
        } else {
            format!("{} min", (left.as_secs() + 30) / 60)
        }
    )
}

fn line(run: &Run, report: &Report) -> String {
    let losses = report.losses.times(1.0 / report.n_painted.max(1) as f64);
    let n = (report.n_painted + report.n_identity).max(1) as f64;
    format!(
        "{},{},{:.4},{:.4},{:.5},{:.5},{:.6},{:.7},{:.5}",
        run.n_steps,
        if run.is_frozen { "frozen" } else { "live" },
        losses.content,
        losses.style,
        losses.roughness,
        report.tone / report.n_painted.max(1) as f64,
        report.stability / n,
        report.lattice / n,
        report.identity / report.n_identity.max(1) as f64,
    )
}
