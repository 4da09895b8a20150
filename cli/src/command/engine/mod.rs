//! `impasto engine`: builds, lists and removes the engines that TensorRT runs.

mod build;

use clap::{Args, Subcommand};
use engines::tensorrt::{self, Entry};
use serde::Serialize;

use crate::report;

/// Builds, lists and removes the engines that NVIDIA GPUs run.
///
/// The first frame in a style, size and precision has an engine built, which takes about a second, and it is kept. Built
/// ahead, the first frame does not wait. Building needs TensorRT, but neither a GPU nor a driver:
///
///     impasto engine build --style all --size 1920x1080 --gpu 8.6,8.9,12.0
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Engine {
    #[command(subcommand)]
    act: Act,

    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Act {
    Build(build::Build),
    /// Lists the engines that are kept, and what GPUs compiled of them
    List,
    /// Removes all of them
    Clear,
}

impl Engine {
    /// Does what was asked for.
    ///
    /// # Errors
    /// If an engine cannot be built, or the folder of engines not be read or changed.
    pub fn run(self) -> anyhow::Result<()> {
        match self.act {
            Act::Build(build) => build.run(self.json),
            Act::List => list(self.json),
            Act::Clear => clear(self.json),
        }
    }
}

#[derive(Serialize)]
struct Kept {
    file: String,
    bytes: u64,
    /// No engine, but what a GPU compiled of one.
    is_compiled: bool,
    /// Nothing if the file is damaged.
    #[serde(flatten)]
    entry: Option<Entry>,
}

fn list(json: bool) -> anyhow::Result<()> {
    let kept: Vec<_> = tensorrt::list()?
        .into_iter()
        .map(|kept| Kept {
            file: kept.path.display().to_string(),
            bytes: kept.n_bytes,
            is_compiled: kept.is_compiled,
            entry: kept.entry,
        })
        .collect();
    if json {
        return report::json(&kept);
    }
    if kept.is_empty() {
        return report::line(format!("no engines in {}", tensorrt::folder()?.display()));
    }
    for kept in kept {
        let what = match (kept.entry, kept.is_compiled) {
            (None, _) => "damaged, will be made anew".to_owned(),
            (Some(entry), false) => entry.to_string(),
            (Some(entry), true) => format!("compiled of {entry}"),
        };
        report::line(format!("{what}: {} ({} KiB)", kept.file, kept.bytes / 1024))?;
    }
    Ok(())
}

fn clear(json: bool) -> anyhow::Result<()> {
    let n_removed = tensorrt::clear()?;
    if json {
        return report::json(&serde_json::json!({ "removed": n_removed }));
    }
    report::line(format!("removed {n_removed} engines"))
}
