//! Which size of a style fits the time that frames leave: [`Quality::Auto`] where frames need not keep time.

use std::time::Duration;

use crate::engine::{Engine, open};
use crate::error::{Error, Result};
use crate::frame::FrameFormat;
use crate::mix::Mix;
use crate::model::Model;
use crate::settings::{Look, Quality, Settings};
use crate::styles;

/// A size of a style and how much work it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    /// The size.
    pub quality: Quality,
    /// Multiplications per pixel of the frame.
    pub work_per_px: f64,
}

/// An opened size of a style.
pub struct Fit {
    /// The network.
    pub model: Model,
    /// The engine, in the look that it was measured in.
    pub engine: Box<dyn Engine>,
    /// Time from one frame to the next, where there was a choice of sizes.
    pub pace: Option<Duration>,
}

/// The sizes of a style or mix with their work, smallest first; empty for a style of one size.
///
/// # Errors
/// As [`styles::find`].
pub fn rungs(style: &str) -> Result<Vec<Rung>> {
    let sizes = styles::sizes(style)?;
    // The styles of a mix are of one build.
    let mix = Mix::parse(style)?;
    let one = &mix.parts()[0].style;
    let rung = |quality| {
        Ok(Rung {
            quality,
            work_per_px: styles::find(one, quality)?.work_per_px,
        })
    };
    sizes.into_iter().map(rung).collect()
}

/// Opens the largest size of a style that paints a frame in `settings.frame_interval`, or the smallest if none does. The
/// sizes are tried at the frames' own size, smallest first, so that one too large is opened once and the next never.
///
/// # Errors
/// As [`styles::find`] and [`open`].
pub fn open_fitting(
    style: &str,
    format: &FrameFormat,
    settings: &Settings,
    look: Look,
) -> Result<Fit> {
    let sizes = styles::sizes(style)?;
    let has_choice = sizes.len() > 1;
    let tries = if has_choice {
        sizes
    } else {
        vec![Quality::Auto]
    };
    let mut fit: Option<Fit> = None;
    for quality in tries {
        let tried = styles::find(style, quality).and_then(|model| {
            let mut engine = open(&model, format, settings)?;
            engine.set(look);
            let pace = has_choice.then(|| engine.measure_pace()).transpose()?;
            Ok(Fit {
                model,
                engine,
                pace,
            })
        });
        let tried = match tried {
            // The size before has memory enough.
            Err(Error::Memory { .. } | Error::GpuMemory { .. }) if fit.is_some() => break,
            tried => tried?,
        };
        let keeps_up = tried
            .pace
            .is_none_or(|pace| pace <= settings.frame_interval);
        if keeps_up || fit.is_none() {
            fit = Some(tried);
        }
        if !keeps_up {
            break;
        }
    }
    Ok(fit.expect("there is at least one size to try"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Matrix, PixelFormat, Range};

    fn fit(interval: Duration) -> Fit {
        let format =
            FrameFormat::new(PixelFormat::Rgb, 64, 48, Matrix::Bt709, Range::Full).unwrap();
        let settings = Settings {
            frame_interval: interval,
            ..Settings::default()
        };
        open_fitting(styles::DEFAULT, &format, &settings, Look::default()).unwrap()
    }

    #[test]
    fn the_largest_that_keeps_up_is_opened() {
        for (interval, wanted) in [
            (Duration::from_secs(60), Quality::Best),
            (Duration::ZERO, Quality::Fast),
        ] {
            let found = fit(interval);
            assert_eq!(found.model.quality(), Some(wanted));
            assert!(found.pace.unwrap() > Duration::ZERO);
            let stats = found.engine.stats();
            assert_eq!((stats.n_in, stats.n_out), (0, 0), "trials are not counted");
        }
    }

    #[test]
    fn rungs_lead_upwards() {
        let mix = format!("{}+{}", styles::DEFAULT, styles::IDENTITY);
        for style in [styles::DEFAULT, &mix] {
            let rungs = rungs(style).unwrap();
            let qualities: Vec<_> = rungs.iter().map(|rung| rung.quality).collect();
            assert_eq!(qualities, Quality::SIZES);
            assert!(rungs.is_sorted_by(|a, b| a.work_per_px < b.work_per_px));
        }
    }
}
