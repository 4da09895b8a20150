//! A GPU at work: its memory, its streams and the kernels.

#![expect(unsafe_code, reason = "kernels are given addresses")]

use std::collections::HashMap;
use std::sync::Arc;

use cudarc::driver::{
    CudaContext, CudaEvent, CudaFunction, CudaSlice, CudaStream, DevicePtr, DeviceRepr,
    DriverError, LaunchConfig, PinnedHostSlice, PushKernelArg, ValidAsZeroBits, result,
};
use cudarc::nvrtc::Ptx;

use super::awaited::{Awaited, Watch};
use super::gpu::{Gpu, devices};
use super::kernels::{Address, PTX};
use crate::device::GpuContext;
use crate::error::{Error, Result};

/// Threads of a block: a warp wide, so that neighbours read neighbouring memory.
const BLOCK: (u32, u32) = (32, 8);

/// Priorities of streams: the lower number goes first. Every GPU has these two.
const FIRST: i32 = -1;
const ORDINARY: i32 = 0;

/// Bytes of a mebibyte.
const MIB: usize = 1 << 20;

/// A GPU with three streams of work: what is found out about a frame that came in, what is done to it, and what is done to
/// one that goes out. Whatever is used by two of them is waited for in between.
pub(super) struct Cuda {
    context: Arc<CudaContext>,
    /// From the frame on its way here to what it has to do with the one before. It goes before the others, for somebody
    /// waits for its first part.
    pub following: Arc<CudaStream>,
    /// Upload and network.
    pub coming: Arc<CudaStream>,
    /// Blend and download.
    pub going: Arc<CudaStream>,
    kernels: HashMap<&'static str, CudaFunction>,
    /// What it is called.
    pub name: String,
    /// Its kind.
    pub gpu: Gpu,
    given: Option<GpuContext>,
    /// Who waits for it.
    pub watch: Watch,
    /// All that a stream was given.
    done: Awaited,
}

impl Cuda {
    /// Opens the GPU of that index, in a context that others made, if there is one.
    ///
    /// # Errors
    /// [`Error::Gpu`] if there is none, or it does not take the kernels.
    pub(super) fn open(device: usize, given: Option<&GpuContext>) -> Result<Self> {
        let devices = devices()?;
        let found = devices.get(device).ok_or_else(|| Error::Setting {
            name: "device",
            found: device.to_string(),
            wanted: "the index of a GPU; `impasto doctor` lists them, the first one is 0",
        })?;
        let context = match given {
            Some(given) => borrow(device, given),
            None => CudaContext::new(device),
        };
        let context = context.map_err(failed("opening the GPU"))?;
        // SAFETY: streams are waited for where one needs what another made.
        unsafe { context.disable_event_tracking() };
        let mut kernels = HashMap::new();
        for (_, text) in PTX {
            let module = context
                .load_module(Ptx::from_src(text))
                .map_err(failed("loading kernels"))?;
            for kernel in entries(text) {
                let function = module
                    .load_function(kernel)
                    .map_err(failed("loading a kernel"))?;
                kernels.insert(kernel, function);
            }
        }
        let stream = |priority: i32| {
            let stream = context.new_stream_with_priority(priority);
            stream.map_err(failed("making a stream"))
        };
        let watch = Watch::new(context.clone());
        Ok(Self {
            done: Awaited::new(event(&context)?, watch.clone()),
            watch,
            following: stream(FIRST)?,
            coming: stream(ORDINARY)?,
            going: stream(ORDINARY)?,
            context: context.clone(),
            kernels,
            name: found.name.clone(),
            gpu: found.gpu,
            given: given.cloned(),
        })
    }

    /// The context that others made, if it works in one.
    pub(super) fn given(&self) -> Option<&GpuContext> {
        self.given.as_ref()
    }

    /// What is shared by all that use the GPU.
    pub(super) fn context(&self) -> &Arc<CudaContext> {
        &self.context
    }

    /// Lets the calling thread use the GPU.
    pub(super) fn bind(&self) -> Result<()> {
        self.context
            .bind_to_thread()
            .map_err(failed("using the GPU"))
    }

    /// Waits until all work is done.
    pub(super) fn finish(&self) -> Result<()> {
        let streams = [&self.following, &self.coming, &self.going];
        streams.iter().try_for_each(|stream| self.catch_up(stream))
    }

    /// Waits until a stream has done all that it was given.
    pub(super) fn catch_up(&self, stream: &CudaStream) -> Result<()> {
        self.done.record(stream)?;
        self.done.wait()
    }

    /// Memory of `n` zeros.
    pub(super) fn alloc<T: DeviceRepr + ValidAsZeroBits>(&self, n: usize) -> Result<CudaSlice<T>> {
        let memory = self.going.alloc_zeros(n.max(1));
        let memory = memory.map_err(|error| self.out_of_memory(n * size_of::<T>(), error))?;
        // What is zeroed on one stream may be used on another.
        self.catch_up(&self.going)?;
        Ok(memory)
    }

    /// Memory of this machine that the GPU reads and writes by itself.
    pub(super) fn alloc_pinned(&self, n_bytes: usize) -> Result<PinnedHostSlice<u8>> {
        // SAFETY: it is bytes, which are written before they are read.
        let memory = unsafe { self.context.alloc_pinned_with_flags(n_bytes.max(1), 0) };
        memory.map_err(|error| Error::GpuMemory {
            reason: format!(
                "{} MiB of page-locked memory of this machine are not to be had ({error}); set max-in-flight lower, or end \
                 what else uses memory",
                n_bytes.div_ceil(MIB)
            ),
        })
    }

    /// A point in a stream's work, yet to be found.
    pub(super) fn new_awaited(&self) -> Result<Awaited> {
        Ok(Awaited::new(event(&self.context)?, self.watch.clone()))
    }

    /// Whether memory of this context is memory of that one.
    pub(super) fn shares_with(&self, other: &Arc<CudaContext>) -> bool {
        self.context == *other
    }

    /// Calls a kernel for every place of a grid of `width` times `height`.
    ///
    /// # Safety
    /// `job` is laid out as the kernel's own, and its addresses are those of memory on this GPU, as large as the kernel
    /// expects, which nothing else changes meanwhile.
    pub(super) unsafe fn launch<Job: Copy>(
        &self,
        stream: &CudaStream,
        kernel: &str,
        job: &Job,
        (width, height): (usize, usize),
    ) -> Result<()> {
        let function = &self.kernels[kernel];
        let blocks = |n: usize, block: u32| (n as u32).div_ceil(block).max(1);
        let grid = LaunchConfig {
            grid_dim: (blocks(width, BLOCK.0), blocks(height, BLOCK.1), 1),
            block_dim: (BLOCK.0, BLOCK.1, 1),
            shared_mem_bytes: 0,
        };
        // SAFETY: the caller's.
        let launched = unsafe {
            stream
                .launch_builder(function)
                .arg(&Told(*job))
                .launch(grid)
        };
        launched.map(|_| ()).map_err(failed("starting a kernel"))
    }

    fn out_of_memory(&self, n_bytes: usize, error: DriverError) -> Error {
        let free = self.context.mem_get_info().map_or(0, |(free, _)| free);
        Error::GpuMemory {
            reason: format!(
                "{} more MiB of memory are not to be had on {}, where {} MiB are free ({error}); set processing-size or \
                 max-in-flight lower, choose a smaller quality, or end what else uses the GPU",
                n_bytes.div_ceil(MIB),
                self.name,
                free / MIB
            ),
        }
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        if self.watch.is_lost() {
            // To let go of these would be to wait for it.
            let kernels = std::mem::take(&mut self.kernels);
            std::mem::forget((kernels, self.context.clone(), self.given.clone()));
        }
    }
}

fn event(context: &Arc<CudaContext>) -> Result<CudaEvent> {
    context.new_event(None).map_err(failed("making an event"))
}

/// A context that others made.
fn borrow(device: usize, given: &GpuContext) -> std::result::Result<Arc<CudaContext>, DriverError> {
    let gpu = result::device::get(device as i32)?;
    let handle = std::ptr::with_exposed_provenance_mut(given.handle());
    // SAFETY: whoever made `given` vouches for it.
    let context = unsafe { CudaContext::from_raw_context(device, gpu, handle)? };
    // The last one to go would destroy what is not ours; so one of them stays.
    std::mem::forget(context.clone());
    Ok(context)
}

/// What a kernel is told.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Told<Job>(Job);

// SAFETY: who launches a kernel vouches for its job.
unsafe impl<Job: Copy> DeviceRepr for Told<Job> {}

/// Names of the kernels in PTX.
fn entries(ptx: &str) -> impl Iterator<Item = &str> {
    let entry = |line: &'_ str| -> Option<usize> { line.find(".entry ").map(|at| at + 7) };
    ptx.lines()
        .filter_map(move |line| line[entry(line)?..].split('(').next())
}

/// Where memory of the GPU begins.
pub(super) fn address<T>(memory: &CudaSlice<T>) -> Address {
    memory.device_ptr(memory.stream()).0
}

/// The driver's error while something was being done.
pub(super) fn failed(action: &'static str) -> impl Fn(DriverError) -> Error {
    move |error| Error::Runtime {
        action,
        reason: format!("the NVIDIA driver says: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_of_all_files_have_names_of_their_own() {
        let mut names: Vec<_> = PTX.iter().flat_map(|(_, text)| entries(text)).collect();
        names.sort_unstable();
        let n_names = names.len();
        names.dedup();
        assert_eq!(names.len(), n_names);
        for name in ["take", "blend", "show", "measure"] {
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
    }
}
