//! Pools of frames, in this machine's memory or a GPU's.

use gst::glib;
use gst::prelude::*;

use super::imp::CAT;
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

/// Offers upstream a pool, of those that `new` makes for caps.
pub(super) fn propose(
    query: &mut gst::query::Allocation,
    new: impl FnOnce(&gst::Caps) -> Result<gst::BufferPool, gst::LoggableError>,
) -> Result<(), gst::LoggableError> {
    let (caps, needs_pool) = asked(query)?;
    let size = bytes(&caps)?;
    let pool = needs_pool.then(|| new(&caps)).transpose()?;
    let size = match &pool {
        Some(pool) => set_up(pool, &caps, size, (0, 0), true)?,
        None => size,
    };
    query.add_allocation_pool(pool.as_ref(), size, 0, 0);
    query.add_allocation_meta::<gst_video::VideoMeta>(None);
    Ok(())
}

/// Takes the pool that downstream offers, if it can hold the frames, or one that `new` makes for their caps.
pub(super) fn decide(
    query: &mut gst::query::Allocation,
    new: impl FnOnce(&gst::Caps) -> Result<gst::BufferPool, gst::LoggableError>,
) -> Result<(), gst::LoggableError> {
    let (caps, _) = asked(query)?;
    let own = bytes(&caps)?;
    let offered = query
        .allocation_pools()
        .next()
        .map(|(pool, size, min, max)| (pool.clone(), size.max(own), min, max));
    let is_offered = offered.is_some();
    let (pool, size, min, max) = offered.unwrap_or((None, own, 0, 0));
    let takes_meta = query
        .find_allocation_meta::<gst_video::VideoMeta>()
        .is_some();
    let set_up = |pool: gst::BufferPool| {
        let size = set_up(&pool, &caps, size, (min, max), takes_meta);
        size.map(|size| (pool, size))
    };
    // A pool of others on a GPU may be of another context.
    let offered = pool.filter(|_| !frame::is_on_gpu(&caps));
    let (pool, size) = match offered.map(set_up) {
        Some(Ok(pool)) => pool,
        // None was offered, or one that cannot hold these frames.
        _ => set_up(new(&caps)?)?,
    };
    if is_offered {
        query.set_nth_allocation_pool(0, Some(&pool), size, min, max);
    } else {
        query.add_allocation_pool(Some(&pool), size, min, max);
    }
    Ok(())
}

/// The caps that a query is about, and whether it asks for a pool.
fn asked(query: &gst::query::Allocation) -> Result<(gst::Caps, bool), gst::LoggableError> {
    match query.get_owned() {
        (Some(caps), needs_pool) => Ok((caps, needs_pool)),
        (None, _) => Err(gst::loggable_error!(CAT, "allocation query without caps")),
    }
}

/// Size of a frame without any padding of a pool's own.
fn bytes(caps: &gst::Caps) -> Result<u32, glib::BoolError> {
    Ok(gst_video::VideoInfo::from_caps(caps)?.size() as u32)
}

/// Sets a pool up for video frames, with strides of its own choice if whoever reads them knows `VideoMeta`, and says how many
/// bytes each has then.
fn set_up(
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
