//! Pools of frames, in this machine's memory or a GPU's.

use gst::glib;
use gst::prelude::*;

use crate::frame;

/// A pool of frames where those of these caps are; `context` is asked for on a GPU.
pub(super) fn new(
    caps: &gst::Caps,
    context: impl FnOnce() -> Result<gstcuda::Context, gstcuda::Missing>,
) -> Result<gst::BufferPool, gstcuda::Missing> {
    if frame::is_on_gpu(caps) {
        Ok(context()?.new_pool())
    } else {
        Ok(gst_video::VideoBufferPool::new().upcast())
    }
}

/// Sets a pool up for video frames, with strides of its own choice if whoever reads them knows `VideoMeta`, and says how many
/// bytes each has then.
pub(super) fn set_up(
    pool: &gst::BufferPool,
    caps: &gst::Caps,
    size: u32,
    (min, max): (u32, u32),
    takes_meta: bool,
) -> Result<u32, glib::BoolError> {
    let mut config = pool.config();
    config.set_params(Some(caps), size, min, max);
    if takes_meta {
        config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_META.as_str());
    }
    pool.set_config(config)?;
    Ok(pool.config().params().map_or(size, |(_, size, ..)| size))
}
