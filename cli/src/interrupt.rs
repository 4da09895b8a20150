//! Ctrl-C and requests to terminate: noted here, acted on between two steps of the work.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

static ASKED: AtomicBool = AtomicBool::new(false);

/// The work was stopped from outside.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted; nothing unfinished was left behind")
    }
}

impl std::error::Error for Interrupted {}

/// Notes interruptions from now on instead of dying of them.
///
/// # Errors
/// If the system refuses the handler.
pub fn watch() -> anyhow::Result<()> {
    ctrlc::set_handler(|| ASKED.store(true, Ordering::Relaxed)).context("watching for Ctrl-C")
}

/// Returns early once an interruption was noted.
///
/// # Errors
/// [`Interrupted`].
pub fn check() -> anyhow::Result<()> {
    if ASKED.load(Ordering::Relaxed) {
        return Err(Interrupted.into());
    }
    Ok(())
}
