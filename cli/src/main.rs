//! The command `impasto`: paints videos and pictures, lists styles, and looks after the installation.
//!
//! This file reads the command line and turns the outcome into an exit code; `command` holds one file per
//! subcommand.

mod args;
mod command;
mod evaluate;
mod interrupt;
mod letters;
mod live;
mod output;
mod packages;
mod picture;
mod report;
mod trial;
mod video;

use std::process::ExitCode;

use clap::Parser;

use command::Command;

/// Turns videos and pictures into moving paintings.
///
/// Every frame is repainted by a style network, on the processor alone. Paint a film, with its sound:
///
///     impasto video holiday.mp4 -o painted.mp4
///
/// Paint a picture in its own colours, only half as strong:
///
///     impasto image photo.jpg -o painted.jpg --keep-colors --strength 0.5
///
/// See which styles there are, and whether everything needed is installed:
///
///     impasto styles
///     impasto doctor
#[derive(Parser)]
#[command(
    name = "impasto",
    version,
    verbatim_doc_comment,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "`impasto COMMAND --help` explains a command and its options. \
                  Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    report::exit_code(cli.command.run())
}
