//! What TensorRT-RTX compiles for the GPU at hand when an engine first runs there. It is kept on disk, so that the next time
//! an engine is ready at once. The full TensorRT does that when it builds.

#[cfg(feature = "tensorrt-enterprise")]
pub(super) use full::context;
#[cfg(not(feature = "tensorrt-enterprise"))]
pub(super) use rtx::context;

#[cfg(not(feature = "tensorrt-enterprise"))]
mod rtx {
    use std::rc::Rc;
    use std::sync::Arc;

    use trtx::{CudaEngine, ExecutionContext, RuntimeCache};
    use xxhash_rust::xxh3::xxh3_128;

    use super::super::cache::Kernels;

    /// What was compiled so far.
    pub(in super::super) struct Compiled<'a> {
        kernels: &'a Kernels,
        cache: Option<Arc<RuntimeCache>>,
        /// Digest of what is on disk.
        kept: Option<u128>,
    }

    /// A context that begins with what was kept. Nothing of that is needed: where it cannot be had, all is compiled.
    pub(in super::super) fn context<'e, 'a>(
        engine: &mut CudaEngine<'e>,
        kernels: &'a Kernels,
    ) -> trtx::Result<(ExecutionContext<'e>, Compiled<'a>)> {
        let mut compiled = Compiled {
            kernels,
            cache: None,
            kept: None,
        };
        let context = match compiled.context(engine) {
            Ok(context) => context,
            Err(_) => {
                compiled.cache = None;
                engine.create_execution_context()?
            }
        };
        Ok((context, compiled))
    }

    impl Compiled<'_> {
        fn context<'e>(
            &mut self,
            engine: &mut CudaEngine<'e>,
        ) -> trtx::Result<ExecutionContext<'e>> {
            let mut config = engine.create_runtime_config()?;
            let cache = Arc::new(config.create_runtime_cache()?);
            // It is refused if it is of another GPU, driver or library; then it is written anew.
            if let Some(bytes) = self.kernels.read()
                && cache.deserialize(&bytes).is_ok()
            {
                self.kept = Some(xxh3_128(&bytes));
            }
            config.set_runtime_cache(Arc::clone(&cache))?;
            self.cache = Some(cache);
            engine.create_execution_context_with_config(Rc::new(config))
        }

        /// Writes what was compiled since the last time, if anything was.
        pub(in super::super) fn keep(&mut self) {
            let Some(Ok(bytes)) = self.cache.as_ref().map(|cache| cache.serialize()) else {
                return;
            };
            let digest = Some(xxh3_128(&bytes));
            if !bytes.is_empty() && self.kept != digest {
                self.kept = digest;
                // What cannot be written is compiled again next time.
                let _ = self.kernels.write(&bytes);
            }
        }
    }
}

#[cfg(feature = "tensorrt-enterprise")]
mod full {
    use trtx::{CudaEngine, ExecutionContext};

    use super::super::cache::Kernels;

    /// Nothing.
    pub(in super::super) struct Compiled;

    pub(in super::super) fn context<'e>(
        engine: &mut CudaEngine<'e>,
        _: &Kernels,
    ) -> trtx::Result<(ExecutionContext<'e>, Compiled)> {
        Ok((engine.create_execution_context()?, Compiled))
    }

    impl Compiled {
        pub(in super::super) fn keep(&mut self) {}
    }
}
