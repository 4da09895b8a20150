//! What was found out, as it goes into JSON. Values without a number (no such pair, no such pixel) are null.

use std::fs;

use anyhow::Context;
use serde::Serialize;

use super::flow_error::FlowFindings;
use super::mean::mean;
use super::probe::Probes;
use crate::output::Output;

/// Everything that a run of the command found out.
#[derive(Serialize)]
pub struct Report {
    /// How the picture was to be kept steady.
    pub stabilizer: &'static str,
    /// Largest share of history at a moving pixel.
    pub persistence: f32,
    /// Whether a camera's hunting exposure was to be kept out.
    pub exposure_guard: bool,
    /// Size of network.
    pub quality: &'static str,
    /// Number format of the network.
    pub precision: &'static str,
    /// Height in pixels at which the network worked, 0 = the frame's own.
    pub processing_size: u32,
    /// One per style.
    pub styles: Vec<Findings>,
}

/// What was found out about a style.
#[derive(Serialize)]
pub struct Findings {
    /// Its name or path.
    pub style: String,
    /// Where and how its network ran on the last scene.
    pub engine: String,
    /// One per scene.
    pub scenes: Vec<SceneFindings>,
    /// Means over the scenes that have the value.
    pub mean: SceneFindings,
    /// Answers to questions that need no known motion, if they were asked.
    pub probes: Option<Probes>,
}

/// What was found out about a scene.
#[derive(Clone, Serialize)]
pub struct SceneFindings {
    /// Its name.
    pub scene: String,
    /// Frames that were painted.
    pub frames: usize,
    /// Of the frames, in pixels.
    pub width: u32,
    /// Of the frames, in pixels.
    pub height: u32,
    /// Pairs of neighbouring frames with known motion.
    pub pairs: usize,
    /// Pairs of frames ten apart with known motion.
    pub pairs_10: usize,
    /// Of the scene itself.
    pub input: Measures,
    /// Painted frame by frame.
    pub unstabilised: Measures,
    /// Painted as asked.
    pub stabilised: Measures,
    /// `e_stab` of stabilised over unstabilised.
    pub ratio: Option<f64>,
    /// The same of `e_10`.
    pub ratio_10: Option<f64>,
    /// `gradient_energy` of stabilised over unstabilised: below 1 detail was lost.
    pub detail: Option<f64>,
    /// PSNR in dB of stabilised against unstabilised where a frame shows something for the first time: low where
    /// history shines through.
    pub ghost_db: Option<f64>,
    /// Of the stabilizer's flow, if it was asked for.
    pub flow: Option<FlowFindings>,
}

/// What was measured of some frames.
#[derive(Clone, Default, Serialize)]
pub struct Measures {
    /// Mean over pairs of neighbouring frames of the warp error over pixels seen in both.
    pub e_stab: Option<f64>,
    /// The same over pairs of frames ten apart.
    pub e_10: Option<f64>,
    /// As `e_stab`, spread over all pixels.
    pub huang: Option<f64>,
    /// `e_stab` of each pair.
    pub e_stab_of_pairs: Vec<Option<f64>>,
    /// Mean step between neighbouring pixels.
    pub gradient_energy: Option<f64>,
    /// Mean difference to the input.
    pub strength: Option<f64>,
    /// Distance to the painting in the Gram matrices of VGG16.
    pub style_distance: Option<f64>,
    /// Median milliseconds per frame.
    pub ms: Option<f64>,
}

impl Report {
    /// Writes it as JSON for people to read.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, output: Output) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("writing JSON")?;
        fs::write(output.partial(), text + "\n")
            .with_context(|| format!("writing {}", output.path().display()))?;
        output.finish()
    }
}

impl SceneFindings {
    /// Of all scenes together.
    pub fn mean(scenes: &[Self]) -> Self {
        let all = |measures: fn(&Self) -> &Measures| {
            Measures::mean(&scenes.iter().map(measures).collect::<Vec<_>>())
        };
        let of = |value: fn(&Self) -> Option<f64>| mean(scenes.iter().map(value));
        Self {
            scene: "mean".to_owned(),
            frames: scenes.iter().map(|scene| scene.frames).sum(),
            width: scenes.iter().map(|scene| scene.width).max().unwrap_or(0),
            height: scenes.iter().map(|scene| scene.height).max().unwrap_or(0),
            pairs: scenes.iter().map(|scene| scene.pairs).sum(),
            pairs_10: scenes.iter().map(|scene| scene.pairs_10).sum(),
            input: all(|scene| &scene.input),
            unstabilised: all(|scene| &scene.unstabilised),
            stabilised: all(|scene| &scene.stabilised),
            ghost_db: of(|scene| scene.ghost_db),
            flow: None,
            ratio: None,
            ratio_10: None,
            detail: None,
        }
        .with_ratios()
    }

    /// Fills in what follows from the rest.
    pub fn with_ratios(mut self) -> Self {
        let over = |value: fn(&Measures) -> Option<f64>| {
            let (numerator, denominator) = (value(&self.stabilised)?, value(&self.unstabilised)?);
            (denominator > 0.0).then(|| numerator / denominator)
        };
        let ratio = over(|measures| measures.e_stab);
        let ratio_10 = over(|measures| measures.e_10);
        let detail = over(|measures| measures.gradient_energy);
        (self.ratio, self.ratio_10, self.detail) = (ratio, ratio_10, detail);
        self
    }
}

impl Measures {
    fn mean(all: &[&Self]) -> Self {
        let of = |value: fn(&Self) -> Option<f64>| mean(all.iter().map(|measures| value(measures)));
        Self {
            e_stab: of(|measures| measures.e_stab),
            e_10: of(|measures| measures.e_10),
            huang: of(|measures| measures.huang),
            e_stab_of_pairs: Vec::new(),
            gradient_energy: of(|measures| measures.gradient_energy),
            strength: of(|measures| measures.strength),
            style_distance: of(|measures| measures.style_distance),
            ms: of(|measures| measures.ms),
        }
    }
}
