//! `impasto-train draw`: pictures to learn from that code draws.

use std::path::PathBuf;

use clap::Args;

use crate::drawn::Drawing;
use crate::output::Output;

/// Draws a picture to learn a style from.
#[derive(Args, Debug)]
pub struct Draw {
    /// What to draw
    #[arg(value_enum, value_name = "DRAWING")]
    drawing: Drawing,
    /// File to write, .png or .jpg; one that is there is replaced
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Draw {
    /// Runs it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn run(self) -> anyhow::Result<()> {
        Output::create(&self.output)?.write(&self.drawing.draw())
    }
}
