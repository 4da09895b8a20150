//! Contexts, which elements of a pipeline agree upon.

use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gst::glib::translate::{FromGlibPtrFull, FromGlibPtrNone, ToGlibPtr, from_glib};
use gst::prelude::*;

use crate::library::{Functions, Missing, RawContext, functions};

/// What GStreamer calls contexts of this kind.
const TYPE: &str = "gst.cuda.context";

/// A CUDA context that elements share: a `GstCudaContext`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context(gst::Object);

impl Context {
    /// The `CUcontext`.
    pub fn handle(&self) -> usize {
        let get = loaded().context_get_handle;
        // SAFETY: it is a context.
        unsafe { get(self.raw()) }.expose_provenance()
    }

    /// Index of its GPU.
    pub fn device(&self) -> u32 {
        self.0.property("cuda-device-id")
    }

    /// The same for an engine on the GPU [`Context::device`].
    pub fn for_engines(&self) -> engines::GpuContext {
        let keeper = Arc::new(self.clone());
        // SAFETY: the handle is its own, and lives as long as it does.
        unsafe { engines::GpuContext::new(self.handle(), keeper) }
    }

    /// A pool of frames in its memory.
    pub fn new_pool(&self) -> gst::BufferPool {
        let new = loaded().buffer_pool_new;
        // SAFETY: it is a context; the pool is the caller's.
        unsafe { gst::BufferPool::from_glib_full(new(self.raw())) }
    }

    pub(crate) fn raw(&self) -> *mut RawContext {
        self.0.to_glib_none().0
    }
}

/// The functions; who has a context or a frame has loaded them.
pub(crate) fn loaded() -> &'static Functions {
    functions().expect("contexts come from the library")
}

/// An element's place for its context. GStreamer's own functions fill it, some of them by way of the element's
/// `set_context`.
#[derive(Default)]
pub struct Slot {
    context: AtomicPtr<RawContext>,
    /// Held while a context is taken away or counted, but never while GStreamer is called.
    changing: Mutex<()>,
}

impl Slot {
    /// The context, if there is one.
    pub fn get(&self) -> Option<Context> {
        let _held = self.hold();
        let context = self.context.load(Ordering::Acquire);
        // SAFETY: it is a context, and stays one while nobody takes it away.
        (!context.is_null()).then(|| Context(unsafe { gst::Object::from_glib_none(context) }))
    }

    /// Takes the context away.
    pub fn clear(&self) {
        let context = {
            let _held = self.hold();
            self.context.swap(ptr::null_mut(), Ordering::AcqRel)
        };
        if !context.is_null() {
            // SAFETY: it was this slot's own.
            drop(unsafe { gst::Object::from_glib_full(context) });
        }
    }

    /// The context on that GPU that the element has, finds with its neighbours or the application, or makes.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn ensure(
        &self,
        element: &impl IsA<gst::Element>,
        device: u32,
    ) -> Result<Context, Missing> {
        let functions = functions().map_err(Clone::clone)?;
        if self.get().is_some_and(|context| context.device() != device) {
            self.clear();
        }
        // SAFETY: the place is a context's or nobody's, and GStreamer puts one there that is to be this slot's own.
        let is_there: bool = unsafe {
            from_glib((functions.ensure_element_context)(
                element.as_ref().to_glib_none().0,
                device as i32,
                self.context.as_ptr(),
            ))
        };
        let context = is_there.then(|| self.get()).flatten();
        context.ok_or(Missing::Context(device))
    }

    /// To be called by the element's `set_context`: takes a context that is on that GPU, if it has none.
    pub fn set(&self, element: &impl IsA<gst::Element>, context: &gst::Context, device: u32) {
        // Whoever has one has opened the library; for others there is no need to.
        if context.context_type() != TYPE {
            return;
        }
        let Ok(functions) = functions() else {
            return;
        };
        let mut found = ptr::null_mut();
        // SAFETY: what is found is the caller's.
        unsafe {
            (functions.handle_set_context)(
                element.as_ref().to_glib_none().0,
                context.to_glib_none().0,
                device as i32,
                &raw mut found,
            );
        }
        if found.is_null() {
            return;
        }
        let _held = self.hold();
        let kept = self.context.compare_exchange(
            ptr::null_mut(),
            found,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if kept.is_err() {
            // SAFETY: it was given to this call.
            drop(unsafe { gst::Object::from_glib_full(found) });
        }
    }

    /// Answers a neighbour's question for a context. False if that was not the question, or there is none.
    pub fn answer(&self, element: &impl IsA<gst::Element>, query: &mut gst::QueryRef) -> bool {
        let Some(context) = self.get() else {
            return false;
        };
        // SAFETY: all three are what they are.
        unsafe {
            from_glib((loaded().handle_context_query)(
                element.as_ref().to_glib_none().0,
                query.as_mut_ptr(),
                context.raw(),
            ))
        }
    }

    fn hold(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.clear();
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(&self.get()).finish()
    }
}
