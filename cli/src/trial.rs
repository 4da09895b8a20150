//! A trial run: does a network paint at all?

use engines::{
    Frame, FrameFormat, FrameMut, Matrix, Model, PixelFormat, Plane, PlaneMut, Range, Settings,
};

/// Side of the picture that is painted, in pixels: small enough to take no time.
const SIZE_PX: usize = 64;

/// Paints one small picture, and says where and how.
///
/// # Errors
/// If the network does not run.
pub fn try_out(model: &Model) -> anyhow::Result<String> {
    let model = engines::measure(model)?;
    let format = FrameFormat::new(
        PixelFormat::Rgb,
        SIZE_PX,
        SIZE_PX,
        Matrix::default(),
        Range::Full,
    )?;
    let mut engine = engines::open(&model, &format, &Settings::default())?;
    let stride_bytes = SIZE_PX * 3;
    let photo: Vec<u8> = (0..stride_bytes * SIZE_PX)
        .map(|idx| (idx % 251) as u8)
        .collect();
    let mut painting = photo.clone();
    let photo = Frame::new(
        format,
        &[Plane {
            data: &photo,
            stride_bytes,
        }],
    )?;
    let mut painting = FrameMut::new(
        format,
        [PlaneMut {
            data: &mut painting,
            stride_bytes,
        }],
    )?;
    engine.submit(&photo)?;
    engine.drain()?;
    anyhow::ensure!(
        engine.receive(&photo, &mut painting)?,
        "the engine gave no picture back"
    );
    Ok(engine.describe())
}
