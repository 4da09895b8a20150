//! Paints one picture with the engine alone, without GStreamer.
//!
//! ```text
//! cargo run --release -p samples --bin still -- photo.jpg painting.png
//! ```

use anyhow::{Context, Result, ensure};
use engines::{
    Frame, FrameFormat, FrameMut, Matrix, PixelFormat, Plane, PlaneMut, Quality, Range, Settings,
};

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    ensure!(arguments.len() == 2, "usage: still PHOTO PAINTING");
    let photo = image::open(&arguments[0]).with_context(|| format!("reading {}", arguments[0]))?;
    let photo = photo.to_rgb8();
    let (width, height) = (photo.width() as usize, photo.height() as usize);

    let format = FrameFormat::new(
        PixelFormat::Rgb,
        width,
        height,
        Matrix::default(),
        Range::Full,
    )?;
    let model = engines::styles::find("starry-night", Quality::Best)?;
    let mut engine = engines::open(&model, &format, &Settings::default())?;

    let mut painting = photo.clone();
    let stride_bytes = width * 3;
    let source = Frame::new(
        format,
        &[Plane {
            data: &photo,
            stride_bytes,
        }],
    )?;
    let target = PlaneMut {
        data: &mut painting,
        stride_bytes,
    };
    engine.submit(&source)?;
    engine.receive(&source, &mut FrameMut::new(format, [target])?)?;

    painting
        .save(&arguments[1])
        .with_context(|| format!("writing {}", arguments[1]))?;
    println!("{}: {width}x{height}, {}", arguments[1], engine.describe());
    Ok(())
}
