//! What is to be opened, and what was: the part of the settings that needs another engine when it changes.

use engines::{Engine, FrameFormat, Look, Quality, Rung};

/// What is to be opened.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    /// Style or mix.
    pub style: String,
    /// It is made of several styles.
    pub is_mix: bool,
    pub size: Size,
    pub engine: engines::Settings,
}

/// Which size of the style.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Size {
    /// This one and no other.
    Named(Quality),
    /// Whichever is right; the painter makes one of the others of it.
    Auto,
    /// The largest that paints a frame in the frame interval, found by trying.
    Fitting,
    /// The largest that is not above this one, or the smallest.
    UpTo(Quality),
}

/// A style that is open.
pub(super) struct Opened {
    pub order: Order,
    pub engine: Box<dyn Engine>,
    /// The size that runs, where the style has several or its file tells.
    pub quality: Option<Quality>,
    /// The sizes to choose among; empty if there is no choice.
    pub rungs: Vec<Rung>,
    /// Why this size, if it was found by trying.
    pub reason: Option<String>,
}

impl Order {
    /// Reads the style and opens it for frames of `format`; sizes are tried in `look`.
    pub(super) fn open(&self, format: &FrameFormat, look: Look) -> engines::Result<Opened> {
        let rungs = match self.size {
            Size::Named(_) => Vec::new(),
            _ => engines::rungs(&self.style)?,
        };
        let quality = match self.size {
            Size::Fitting => return self.open_fitting(format, look, rungs),
            Size::Named(quality) => quality,
            Size::UpTo(quality) => up_to(quality, &rungs),
            Size::Auto => Quality::Auto,
        };
        let model = engines::styles::find(&self.style, quality)?;
        Ok(Opened {
            order: self.clone(),
            engine: engines::open(&model, format, &self.engine)?,
            quality: model.quality(),
            rungs,
            reason: None,
        })
    }

    fn open_fitting(
        &self,
        format: &FrameFormat,
        look: Look,
        rungs: Vec<Rung>,
    ) -> engines::Result<Opened> {
        let fit = engines::open_fitting(&self.style, format, &self.engine, look)?;
        let interval = self.engine.frame_interval;
        Ok(Opened {
            order: self.clone(),
            engine: fit.engine,
            quality: fit.model.quality(),
            rungs,
            reason: fit
                .pace
                .map(|pace| format!("a frame takes {pace:.1?} of {interval:.1?}")),
        })
    }
}

/// The largest size that is not above `quality`, or the smallest; [`Quality::Auto`] where there is no choice.
fn up_to(quality: Quality, rungs: &[Rung]) -> Quality {
    let sizes = || rungs.iter().map(|rung| rung.quality);
    sizes()
        .rfind(|size| *size <= quality)
        .or_else(|| sizes().next())
        .unwrap_or(Quality::Auto)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_a_style_lacks_are_replaced_by_those_below() {
        let rungs = [Quality::Balanced, Quality::Best].map(|quality| Rung {
            quality,
            work_per_px: 1.0,
        });
        assert_eq!(up_to(Quality::Best, &rungs), Quality::Best);
        assert_eq!(up_to(Quality::Best, &rungs[..1]), Quality::Balanced);
        assert_eq!(up_to(Quality::Fast, &rungs), Quality::Balanced);
        assert_eq!(up_to(Quality::Balanced, &[]), Quality::Auto);
    }
}
