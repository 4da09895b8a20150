//! Pictures sent through an engine.

use std::time::Duration;

use engines::{
    Engine, FrameFormat, Look, Matrix, Model, PixelFormat, Precision, Range, Settings, Stabilizer,
};
use image::RgbImage;

use crate::picture::Picture;

/// The settings of tests: half precision differs from processor to processor.
pub const F32: Settings = Settings {
    engine: engines::Place::Cpu,
    device: 0,
    context: None,
    processing_size: 0,
    precision: Precision::F32,
    max_in_flight: 1,
    frame_interval: Duration::from_millis(40),
    is_live: false,
};

/// The look of tests that know what a frame becomes by itself: what was painted before does not count.
pub const FRAME_BY_FRAME: Look = Look {
    strength: 1.0,
    keep_colors: false,
    stabilizer: Stabilizer::Off,
    persistence: 0.0,
    exposure_guard: false,
    reuse: false,
};

/// Sends one frame through. The target's rows lie further apart than the source's.
///
/// # Panics
/// If the engine takes or gives no frame.
pub fn paint(engine: &mut dyn Engine, source: &Picture) -> Picture {
    let mut target = Picture::blank(source.format, 24);
    engine
        .submit(&source.frame())
        .expect("an engine takes frames of its format");
    engine.drain().expect("an engine that works");
    let received = engine.receive(&source.frame(), &mut target.frame_mut());
    assert!(
        received.expect("an engine that works"),
        "a drained engine gives a frame"
    );
    target
}

/// Opens a network in f32 for a picture of its size and paints it.
///
/// # Errors
/// Those of [`engines::open`].
pub fn painted(model: &Model, photo: &RgbImage) -> engines::Result<RgbImage> {
    let (width, height) = photo.dimensions();
    let format = FrameFormat::new(
        PixelFormat::Rgb,
        width as usize,
        height as usize,
        Matrix::Bt709,
        Range::Full,
    )?;
    let mut source = Picture::blank(format, 0);
    source.planes[0].0.copy_from_slice(photo.as_raw());
    let mut engine = engines::open(model, &format, &F32)?;
    engine.set(FRAME_BY_FRAME);
    let target = paint(&mut *engine, &source);
    let (data, stride_bytes) = &target.planes[0];
    let rows = data
        .chunks(*stride_bytes)
        .flat_map(|row| &row[..3 * format.width]);
    let painted = RgbImage::from_raw(width, height, rows.copied().collect());
    Ok(painted.expect("as many bytes as pixels"))
}
