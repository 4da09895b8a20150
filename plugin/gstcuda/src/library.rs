//! The library and its functions.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::sync::LazyLock;

use gst::ffi::{GstBufferPool, GstContext, GstElement, GstMemory, GstQuery};
use gst::glib::ffi::gboolean;
use libloading::Library;

const NAME: &str = "libgstcuda-1.0.so.0";
const DRIVER: &str = "libcuda.so.1";

/// Why frames cannot stay in a GPU's memory.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Missing {
    /// GStreamer's library is not there, or is none.
    #[error(
        "GStreamer's CUDA library does not load ({0}); install GStreamer's \"bad\" plugins (Debian: libgstreamer-plugins-bad1.0-0)"
    )]
    Library(String),
    /// There is no driver, or no GPU.
    #[error("{0}; install NVIDIA's driver from your distribution, `nvidia-smi` may tell more")]
    Driver(String),
    /// A context could not be made.
    #[error("GStreamer could not make a CUDA context on GPU {0}; `nvidia-smi` may tell why")]
    Context(u32),
}

/// A `GstCudaContext`, which is a `GstObject`.
pub(crate) type RawContext = gst::ffi::GstObject;

/// What is called, under its name without `gst_cuda_`.
pub(crate) struct Functions {
    pub ensure_element_context:
        unsafe extern "C" fn(*mut GstElement, c_int, *mut *mut RawContext) -> gboolean,
    pub handle_set_context: unsafe extern "C" fn(
        *mut GstElement,
        *mut GstContext,
        c_int,
        *mut *mut RawContext,
    ) -> gboolean,
    pub handle_context_query:
        unsafe extern "C" fn(*mut GstElement, *mut GstQuery, *mut RawContext) -> gboolean,
    pub context_get_handle: unsafe extern "C" fn(*mut RawContext) -> *mut c_void,
    pub buffer_pool_new: unsafe extern "C" fn(*mut RawContext) -> *mut GstBufferPool,
    pub is_cuda_memory: unsafe extern "C" fn(*mut GstMemory) -> gboolean,
    /// Since 1.24, where work on a frame may still be under way on a stream of the frame's.
    pub memory_sync: Option<unsafe extern "C" fn(*mut GstMemory)>,
}

static LIBRARY: LazyLock<Result<Functions, Missing>> = LazyLock::new(open);

/// Opens the library, if that has not happened yet.
///
/// # Errors
/// [`Missing`].
pub fn load() -> Result<(), Missing> {
    functions().map(|_| ()).map_err(Clone::clone)
}

pub(crate) fn functions() -> Result<&'static Functions, &'static Missing> {
    LIBRARY.as_ref()
}

fn open() -> Result<Functions, Missing> {
    // Asked first: where there is no GPU, the library asks once, and waits for ever when it is to ask again.
    ask_driver().map_err(Missing::Driver)?;
    // SAFETY: the initialisers of GStreamer's libraries are made for being loaded at any time.
    let library = unsafe { Library::new(NAME) };
    let library = library.map_err(|error| Missing::Library(error.to_string()))?;
    // Its types stay with GLib for good, and so must their code.
    let library: &'static Library = Box::leak(Box::new(library));
    // SAFETY: the headers declare these functions so.
    unsafe {
        let load: unsafe extern "C" fn() -> gboolean = get(library, "gst_cuda_load_library")?;
        if load() == gst::glib::ffi::GFALSE {
            return Err(Missing::Driver(format!(
                "GStreamer finds no whole {DRIVER}"
            )));
        }
        let init: unsafe extern "C" fn() = get(library, "gst_cuda_memory_init_once")?;
        init();
        Ok(Functions {
            ensure_element_context: get(library, "gst_cuda_ensure_element_context")?,
            handle_set_context: get(library, "gst_cuda_handle_set_context")?,
            handle_context_query: get(library, "gst_cuda_handle_context_query")?,
            context_get_handle: get(library, "gst_cuda_context_get_handle")?,
            buffer_pool_new: get(library, "gst_cuda_buffer_pool_new")?,
            is_cuda_memory: get(library, "gst_is_cuda_memory")?,
            memory_sync: get(library, "gst_cuda_memory_sync").ok(),
        })
    }
}

/// A function of the library.
///
/// # Safety
/// `T` is the type of that function.
unsafe fn get<T: Copy>(library: &'static Library, name: &str) -> Result<T, Missing> {
    // SAFETY: the caller's.
    let found = unsafe { library.get::<T>(name.as_bytes()) };
    found
        .map(|function| *function)
        .map_err(|error| Missing::Library(error.to_string()))
}

/// Asks the driver for GPUs; an error is what it says instead.
fn ask_driver() -> Result<(), String> {
    // SAFETY: a driver's initialisers are made for being loaded at any time.
    let driver = unsafe { Library::new(DRIVER) }
        .map_err(|error| format!("there is no NVIDIA driver ({error})"))?;
    let absent = |error: libloading::Error| format!("{DRIVER} is no NVIDIA driver ({error})");
    let mut n_gpus = 0;
    // SAFETY: `cuda.h` declares these functions so.
    let result = unsafe {
        let init = driver.get::<unsafe extern "C" fn(c_uint) -> c_int>(b"cuInit\0");
        let count = driver.get::<unsafe extern "C" fn(*mut c_int) -> c_int>(b"cuDeviceGetCount\0");
        match init.map_err(absent)?(0) {
            0 => count.map_err(absent)?(&raw mut n_gpus),
            failed => failed,
        }
    };
    let verdict = match (result, n_gpus) {
        (0, 1..) => Ok(()),
        (0, _) => Err("the NVIDIA driver finds no GPU".to_owned()),
        (code, _) => Err(format!("the NVIDIA driver says {}", name_of(&driver, code))),
    };
    // Whatever it has set up is to stay.
    std::mem::forget(driver);
    verdict
}

/// What the driver calls an error.
fn name_of(driver: &Library, code: c_int) -> String {
    type Name = unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int;
    let mut name = std::ptr::null();
    // SAFETY: `cuda.h` declares it so; what it gives is a text that stays, or nothing.
    unsafe {
        match driver.get::<Name>(b"cuGetErrorName\0") {
            Ok(ask) if ask(code, &raw mut name) == 0 && !name.is_null() => {
                std::ffi::CStr::from_ptr(name)
                    .to_string_lossy()
                    .into_owned()
            }
            _ => format!("error {code}"),
        }
    }
}
