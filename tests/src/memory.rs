//! Memory of the running process.

use std::fs;

/// Bytes of it that lie in RAM, or `None` where the system does not tell.
///
/// The sum over all mappings is exact; `VmRSS` and `statm` lag behind by up to 64 pages per thread.
pub fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text.lines().find(|line| line.starts_with("Rss:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_becomes_resident() {
        let Some(before) = resident_bytes() else {
            return;
        };
        let block = std::hint::black_box(vec![1_u8; 32 << 20]);
        let after = resident_bytes().unwrap();
        assert!(after - before > 24 << 20, "{before} {after}");
        drop(block);
    }
}
