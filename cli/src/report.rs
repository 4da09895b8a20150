//! What a command says and how it ends: lines on standard output, errors on standard error, exit codes.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use crate::interrupt::Interrupted;

/// Prints the error, if any, and chooses the exit code.
pub fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    print_error(&error);
    if error.is::<Interrupted>() {
        ExitCode::from(130)
    } else {
        ExitCode::FAILURE
    }
}

/// One line with the whole chain of causes.
pub fn print_error(error: &anyhow::Error) {
    // Nobody is left to be told if standard error itself is gone.
    let _ = writeln!(io::stderr(), "error: {}", chain(error));
}

/// Something worth knowing that does not stop the work.
pub fn warn(text: impl Display) {
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// Prints a line of a result.
///
/// # Errors
/// If standard output cannot be written. A reader that has read enough (`impasto styles | head -1`) is no error.
pub fn line(text: impl Display) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")
        }
        _ => Ok(()),
    }
}

/// Prints a result as one line of JSON.
///
/// # Errors
/// As [`line()`].
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(value).context("writing JSON")?)
}

/// Causes joined by `: `. Many errors repeat their cause in their own text; it is not said twice.
pub fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_joined_and_not_repeated() {
        let cause = anyhow::anyhow!("no such file");
        let error = cause
            .context("reading a.png: no such file")
            .context("painting");
        assert_eq!(chain(&error), "painting: reading a.png: no such file");
        let error = anyhow::anyhow!("disk full").context("writing out.mp4");
        assert_eq!(chain(&error), "writing out.mp4: disk full");
    }
}
