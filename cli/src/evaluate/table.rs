//! The findings as people read them: a line per scene, a line per question.

use super::findings::{Measures, SceneFindings};
use super::probe::{Answer, Probes};

/// What stands over the lines of scenes: what is measured, and the columns of [`row`].
pub fn heading(what: &str) -> String {
    let columns = [
        format!(
            "{:<17}{:>28}{:>30}",
            "", "e_stab, next frame", "e_stab, ten frames later"
        ),
        format!(
            "{:>8}{:>9}{:>7}{:>14}",
            "detail", "strength", "ghost", "ms per frame"
        ),
    ]
    .concat();
    let three = format!("{:>7}{:>7}{:>7}{:>7}", "input", "alone", "steady", "ratio");
    let rest = format!(
        "{:>8}{:>9}{:>7}{:>7}{:>7}",
        "ratio", "steady", "dB", "alone", "steady"
    );
    format!("{what}\n{columns}\n{:<17}{three}  {three}{rest}", "scene")
}

/// A line about a scene.
pub fn row(scene: &SceneFindings) -> String {
    let of_three = |value: fn(&Measures) -> Option<f64>| {
        [&scene.input, &scene.unstabilised, &scene.stabilised]
            .map(|measures| number(value(measures), 7, 4))
            .concat()
    };
    [
        format!("{:<17}", scene.scene),
        of_three(|measures| measures.e_stab),
        number(scene.ratio, 7, 3),
        "  ".to_owned(),
        of_three(|measures| measures.e_10),
        number(scene.ratio_10, 7, 3),
        number(scene.detail, 8, 3),
        number(scene.stabilised.strength, 9, 3),
        number(scene.ghost_db, 7, 1),
        number(scene.unstabilised.ms, 7, 0),
        number(scene.stabilised.ms, 7, 0),
    ]
    .concat()
}

/// A line about style distances, if there are any.
pub fn likeness(mean: &SceneFindings) -> Option<String> {
    mean.input.style_distance?;
    let [input, alone, steady] = [&mean.input, &mean.unstabilised, &mean.stabilised]
        .map(|measures| number(measures.style_distance, 0, 4));
    Some(format!(
        "distance to the painting in style: input {input}, alone {alone}, steady {steady}"
    ))
}

/// A line per scene about the stabilizer's flow, and one per pair where there are several; none if it was not measured.
pub fn flow(scenes: &[SceneFindings]) -> Option<String> {
    let row = |what: &str, epes: [Option<f64>; 2], ms: [Option<f64>; 2]| {
        let (epes, ms) = (
            epes.map(|epe| number(epe, 9, 2)),
            ms.map(|ms| number(ms, 10, 2)),
        );
        format!("{what:<28}{}{}", epes.concat(), ms.concat())
    };
    let mut lines = Vec::new();
    for scene in scenes {
        let Some(flow) = &scene.flow else { continue };
        lines.push(row(
            &format!("{} ({}x{})", scene.scene, flow.width, flow.height),
            [flow.epe, flow.epe_visible],
            [flow.flow_ms, flow.pyramids_ms],
        ));
        for pair in flow.pairs.iter().filter(|_| flow.pairs.len() > 1) {
            lines.push(row(
                &format!("  frame {} to {}", pair.from, pair.to),
                [pair.epe, pair.epe_visible],
                [pair.flow_ms, pair.pyramids_ms].map(Some),
            ));
        }
    }
    let heading = format!(
        "{:<28}{:>9}{:>9}{:>10}{:>10}\n{:<28}{:>9}{:>9}{:>10}{:>10}",
        "flow",
        "px off",
        "px off",
        "ms",
        "ms",
        "scene (grid)",
        "all",
        "visible",
        "search",
        "pyramids"
    );
    (!lines.is_empty()).then(|| [heading, lines.join("\n")].join("\n"))
}

/// A line per question.
pub fn probes(probes: &Probes) -> String {
    let row = |what: &str,
               Answer {
                   unstabilised,
                   stabilised,
               }: Answer| {
        let (alone, steady) = (number(unstabilised, 9, 3), number(stabilised, 9, 3));
        format!("{what:<48}{alone}{steady}")
    };
    let cut = if probes.cut_is_clean {
        "clean".to_owned()
    } else {
        format!("{:.3} codes of the shot before are left", probes.cut_ghost)
    };
    [
        format!("{:<48}{:>9}{:>9}", "still picture", "alone", "steady"),
        row("noise, painted over photographed", probes.noise_gain),
        row(
            &format!("drift in {} s, codes", probes.drift_seconds),
            probes.drift,
        ),
        row("background from frame to frame, codes", probes.background),
        row("swing with the light, codes", probes.exposure),
        row("black after a fade, mean code", probes.fade),
        format!("difference after a fade, codes {:>35.3}", probes.fade_ghost),
        format!("frame after a cut: {cut}"),
    ]
    .join("\n")
}

fn number(value: Option<f64>, width: usize, decimals: usize) -> String {
    value.map_or_else(
        || format!("{:>width$}", "-"),
        |value| format!("{value:>width$.decimals$}"),
    )
}
