//! Counts of frames over the life of a stream, whichever engines paint it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::painter::Painter;

/// Frames since the element was started.
#[derive(Default)]
pub(super) struct Counts {
    /// That came in.
    pub n_in: Count,
    /// That went out.
    pub n_out: Count,
    /// That were dropped before painting.
    pub n_late: Count,
    /// Of those that went out, how many repeated the one before and were not painted again.
    pub n_reused: Count,
}

/// A number of frames, counted up by the streaming thread and read by any.
#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// Counts one more and gives how many there are.
    pub(super) fn add(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Counts {
    /// Starts from nothing.
    pub(super) fn reset(&self) {
        for (_, count) in self.all() {
            count.0.store(0, Ordering::Relaxed);
        }
    }

    /// The property `stats`: the counts, the size that paints, and the times of the painter's stages.
    pub(super) fn stats(&self, painter: Option<&Painter>) -> gst::Structure {
        let mut stats = gst::Structure::new_empty("impasto-stats");
        for (name, count) in self.all() {
            stats.set(name, count.0.load(Ordering::Relaxed));
        }
        let quality = painter.and_then(|painter| painter.opened().quality);
        stats.set("quality", quality.map_or("", engines::Quality::name));
        for stage in engines::Stage::ALL {
            let times = painter
                .map(|painter| painter.engine().stats().times(stage))
                .unwrap_or_default();
            for (word, time) in [
                ("median", times.median),
                ("p95", times.p95),
                ("p99", times.p99),
            ] {
                stats.set(format!("{}-{word}", stage.name()), time.as_nanos() as u64);
            }
        }
        stats
    }

    fn all(&self) -> [(&'static str, &Count); 4] {
        [
            ("frames-in", &self.n_in),
            ("frames-out", &self.n_out),
            ("frames-late", &self.n_late),
            ("frames-reused", &self.n_reused),
        ]
    }
}
