//! How many heaps the C library spreads threads over.
//!
//! By default glibc has eight for each core, and what was freed in one is of no use to the others. Whatever is built
//! anew, as a sink whose server is away, comes with new threads, so that in the course of a run every heap grows to what
//! one of them needed: with an RTMP server away, from 47 to 63 MB in four minutes, where two heaps stay at 38 MB (two
//! cores, 320x180).

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Where glibc reads the number, once, when a process starts.
const VARIABLE: &str = "MALLOC_ARENA_MAX";
/// One for the main thread, one for all others: frames come from pools, and hardly any thread waits for another.
const N_HEAPS: &str = "2";

/// Begins the program again with few heaps, unless a number was set.
pub fn limit() {
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    // It returns only if it fails, and then all that is lost is memory.
    let _ = Command::new(program)
        .arg0(name)
        .args(arguments)
        .env(VARIABLE, N_HEAPS)
        .exec();
}
