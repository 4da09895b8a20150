//! Waiting for the GPU, but not for ever: one that no longer answers becomes an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cudarc::driver::{CudaContext, CudaEvent, CudaStream};

use super::cuda::failed;
use crate::error::{Error, Result};

/// How long a GPU may take for anything. The largest network at the largest size takes seconds on a small GPU.
const PATIENCE: Duration = Duration::from_secs(20);

/// Least and longest time between two looks at whether something is done.
const LOOKS: [Duration; 2] = [Duration::from_micros(20), Duration::from_micros(500)];

/// What is known of a GPU by all who wait for it.
#[derive(Clone)]
pub(super) struct Watch {
    context: Arc<CudaContext>,
    is_lost: Arc<AtomicBool>,
    pub patience: Duration,
}

/// A point in a stream's work that can be waited for.
pub(super) struct Awaited {
    event: CudaEvent,
    watch: Watch,
}

impl Watch {
    pub(super) fn new(context: Arc<CudaContext>) -> Self {
        Self {
            context,
            is_lost: Arc::default(),
            patience: PATIENCE,
        }
    }

    /// Whether it was waited for in vain: then nothing may be called any more that waits for it.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    /// Gives it up.
    pub(super) fn lose(&self) -> Error {
        self.is_lost.store(true, Ordering::Relaxed);
        Error::Runtime {
            action: "waiting for the GPU",
            reason: format!(
                "it has not answered for {:.0?}; `nvidia-smi` and the system's log may tell why, and what it holds stays held \
                 until this program ends",
                self.patience
            ),
        }
    }
}

impl Awaited {
    pub(super) fn new(event: CudaEvent, watch: Watch) -> Self {
        Self { event, watch }
    }

    /// Puts it behind all work that a stream was given so far.
    pub(super) fn record(&self, stream: &CudaStream) -> Result<()> {
        self.event
            .record(stream)
            .map_err(failed("working on the GPU"))
    }

    /// Lets a stream wait for it.
    pub(super) fn hold_back(&self, stream: &CudaStream) -> Result<()> {
        stream
            .wait(&self.event)
            .map_err(failed("working on the GPU"))
    }

    /// Waits for it. The driver can wait by itself, but not for a limited time.
    pub(super) fn wait(&self) -> Result<()> {
        let Watch {
            context, patience, ..
        } = &self.watch;
        context.bind_to_thread().map_err(failed("using the GPU"))?;
        let start = Instant::now();
        loop {
            if self.watch.is_lost() {
                return Err(self.watch.lose());
            }
            if self
                .event
                .try_is_complete()
                .map_err(failed("working on the GPU"))?
            {
                return Ok(());
            }
            let waited = start.elapsed();
            if waited > *patience {
                return Err(self.watch.lose());
            }
            let [least, longest] = LOOKS;
            thread::sleep((waited / 8).clamp(least, longest));
        }
    }
}
