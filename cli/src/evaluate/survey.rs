//! Goes through all scenes with one style after the other: paints, measures, tells.

use anyhow::Context;
use engines::{Look, Quality};
use image::RgbImage;

use super::findings::{Findings, SceneFindings};
use super::gram::GramDistance;
use super::kept::Kept;
use super::probe::{Probe, Probes};
use super::source::Source;
use super::studio::Studio;
use super::{flow_error, likeness, measure, table};
use crate::report;

/// What is to be measured of every style.
pub struct Survey {
    /// Where the scenes are.
    pub sources: Vec<Source>,
    /// How to paint what is compared with frames painted one by one.
    pub look: Look,
    /// Of the styles' networks.
    pub quality: Quality,
    /// Measure the stabilizer's flow, too.
    pub flow: bool,
    /// Ask what needs no known motion, with a picture that stands still for so many seconds.
    pub probe_seconds: Option<u32>,
    /// Measure the distance to a painting.
    pub gram: Option<GramDistance>,
    /// What is kept for a sheet, if one is wanted.
    pub kept: Option<Vec<Kept>>,
    /// Tell people what was found.
    pub is_talking: bool,
}

impl Survey {
    /// Measures a style; `studio` paints in it.
    ///
    /// # Errors
    /// If a scene cannot be read or painted.
    pub fn measure(&mut self, style: String, studio: &mut Studio) -> anyhow::Result<Findings> {
        let mut scenes = Vec::new();
        let mut probes = None;
        for source_idx in 0..self.sources.len() {
            let scene = self.sources[source_idx].read()?;
            studio.announce(&scene.name);
            let (mut findings, painted) = measure::compare(studio, self.look, &scene)
                .with_context(|| format!("painting {} in `{style}`", scene.name))?;
            if self.flow {
                findings.flow = flow_error::flow_error(&scene)?;
            }
            if let Some(gram) = &mut self.gram {
                likeness::add(gram, &scene, &painted, &mut findings)?;
            }
            if let Some(kept) = &mut self.kept {
                let name = format!("{style}: {}", scene.name);
                if Kept::has_room(kept, &scene) {
                    kept.push(Kept::of(name, &scene, &painted));
                } else {
                    report::warn(format!("{name} is left out of the sheet: it is full"));
                }
            }
            studio.be_silent();
            if scenes.is_empty() {
                let engine = studio.describe().unwrap_or_default();
                self.tell(table::heading(&format!(
                    "{style}, {}, {engine}",
                    self.quality
                )))?;
            }
            self.tell(table::row(&findings))?;
            scenes.push(findings);
            if probes.is_none() {
                // Asked while the scene is in memory, told after the table.
                probes = self.probe(studio, &scene.frames)?;
            }
        }
        let mean = SceneFindings::mean(&scenes);
        self.tell(table::row(&mean))?;
        let rest = [
            table::likeness(&mean),
            table::flow(&scenes),
            probes.as_ref().map(table::probes),
        ];
        for text in rest.into_iter().flatten() {
            self.tell(text)?;
        }
        Ok(Findings {
            style,
            engine: studio.describe().unwrap_or_default(),
            scenes,
            mean,
            probes,
        })
    }

    fn probe(&self, studio: &mut Studio, clip: &[RgbImage]) -> anyhow::Result<Option<Probes>> {
        let Some(drift_seconds) = self.probe_seconds else {
            return Ok(None);
        };
        let probes = Probe {
            studio: &mut *studio,
            look: self.look,
            clip,
            drift_seconds,
        }
        .run()?;
        studio.be_silent();
        Ok(Some(probes))
    }

    fn tell(&self, text: String) -> anyhow::Result<()> {
        if self.is_talking {
            report::line(text)?;
        }
        Ok(())
    }
}
