//! `impasto-train`: learns styles from paintings.

use clap::{Parser, Subcommand};
use trainer::command::base::Base;
use trainer::command::draw::Draw;
use trainer::command::finetune::Finetune;
use trainer::command::learn::Learn;
use trainer::command::measure::Measure;
use trainer::command::paint::Paint;

/// Learns styles from paintings.
#[derive(Parser)]
#[command(name = "impasto-train", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Learn the style of one picture
    Learn(Learn),
    /// Paint one photo like one painting, slowly and as well as can be
    Paint(Paint),
    /// Draw a picture to learn from
    Draw(Draw),
    /// Train one network on many styles
    Base(Base),
    /// Train each of them further by itself
    Finetune(Finetune),
    /// Measure the shipped styles
    Measure(Measure),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Learn(learn) => learn.run(),
        Command::Paint(paint) => paint.run(),
        Command::Draw(draw) => draw.run(),
        Command::Base(base) => base.run(),
        Command::Finetune(finetune) => finetune.run(),
        Command::Measure(measure) => measure.run(),
    }
}
