//! `impasto styles`: lists, explains and installs styles.

mod add;
mod inspect;
mod list;

use clap::{Args, Subcommand};

/// Lists the styles; explains or installs one.
///
/// Styles are looked up in the folders of `IMPASTO_STYLE_PATH`, then in the user's data folder, then among the
/// bundled ones. An .onnx file can also be used by its path, without installing it.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Styles {
    #[command(subcommand)]
    act: Option<Act>,

    /// Say how a network wants to be fed, and where that is known from: an .onnx file, or a style's name
    #[arg(long, value_name = "FILE")]
    inspect: Option<String>,

    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Act {
    Add(Box<add::Add>),
}

impl Styles {
    /// Does what was asked for.
    ///
    /// # Errors
    /// If a style cannot be read, or not installed.
    pub fn run(self) -> anyhow::Result<()> {
        match (self.act, self.inspect) {
            (Some(Act::Add(add)), _) => add.run(self.json),
            (None, Some(style)) => inspect::run(&style, self.json),
            (None, None) => list::run(self.json),
        }
    }
}
