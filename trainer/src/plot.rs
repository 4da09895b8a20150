//! The losses of a run as curves: a panel for each loss over the steps, on a logarithmic scale.

use std::path::Path;

use anyhow::{Context, ensure};
use image::{Rgb, RgbImage};

use crate::output::Output;
use crate::text::{self, LETTER_PX};

/// Columns of the table that are drawn.
const LOSSES: [&str; 7] = [
    "content",
    "style",
    "roughness",
    "tone",
    "stability",
    "lattice",
    "identity",
];

const N_COLUMNS: u32 = 2;
const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: Rgb<u8> = Rgb([20; 3]);
const GRID: Rgb<u8> = Rgb([225; 3]);
const PHASE: Rgb<u8> = Rgb([220, 120, 40]);
const FAINT: Rgb<u8> = Rgb([170, 195, 230]);
const CURVE: Rgb<u8> = Rgb([30, 80, 170]);

/// Width and height of the area that a curve is drawn in, in pixels.
const AREA_PX: [u32; 2] = [480, 200];
/// Space of a panel left of, above, right of and below its area: numbers and name.
const MARGIN_PX: [u32; 4] = [72, 28, 24, 28];
/// Part of a curve's points that are averaged for its smooth line.
const SMOOTH: f64 = 0.02;

/// The table of a run.
struct Table {
    steps: Vec<f64>,
    /// Steps at which another phase begins.
    phases: Vec<f64>,
    /// Of each of [`LOSSES`].
    losses: [Vec<f64>; LOSSES.len()],
}

/// Draws the table at `csv`, `step,phase,content,style,roughness,tone,stability,lattice,identity,...`, into `png`.
///
/// # Errors
/// If the table cannot be read, holds something else or no line at all, or the picture cannot be written.
pub fn write(csv: &Path, png: &Path) -> anyhow::Result<()> {
    let output = Output::create(png)?;
    let text =
        std::fs::read_to_string(csv).with_context(|| format!("reading {}", csv.display()))?;
    let picture = plot(&text).with_context(|| format!("drawing {}", csv.display()))?;
    output.write(&picture)
}

/// Draws a table. A loss of 0 is one that was not measured.
///
/// # Errors
/// If it is no table of losses, or has no line.
pub fn plot(csv: &str) -> anyhow::Result<RgbImage> {
    let table = Table::parse(csv)?;
    let [left, above, right, below] = MARGIN_PX;
    let [width, height] = [AREA_PX[0] + left + right, AREA_PX[1] + above + below];
    let n_rows = (LOSSES.len() as u32).div_ceil(N_COLUMNS);
    let mut picture = RgbImage::from_pixel(N_COLUMNS * width, n_rows * height, PAPER);
    for (idx, (name, values)) in LOSSES.iter().zip(&table.losses).enumerate() {
        let (column, row) = (idx as u32 % N_COLUMNS, idx as u32 / N_COLUMNS);
        let corner = [column * width + left, row * height + above];
        draw(&mut picture, corner, name, &table, values);
    }
    Ok(picture)
}

impl Table {
    fn parse(csv: &str) -> anyhow::Result<Self> {
        let mut lines = csv.lines();
        let head: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let place = |name: &str| {
            head.iter()
                .position(|column| *column == name)
                .with_context(|| format!("it has no column `{name}`"))
        };
        let (step, phase) = (place("step")?, place("phase")?);
        let mut places = [0; LOSSES.len()];
        for (place_of, name) in places.iter_mut().zip(LOSSES) {
            *place_of = place(name)?;
        }
        let mut table = Self {
            steps: Vec::new(),
            phases: Vec::new(),
            losses: Default::default(),
        };
        let mut last_phase = None;
        for (idx, line) in lines.enumerate() {
            let cells: Vec<&str> = line.split(',').collect();
            ensure!(
                cells.len() == head.len(),
                "line {} has {} columns, wanted {}",
                idx + 2,
                cells.len(),
                head.len()
            );
            let number = |place: usize| -> anyhow::Result<f64> {
                let cell = cells[place].trim();
                cell.parse()
                    .with_context(|| format!("line {} has `{cell}`, wanted a number", idx + 2))
            };
            let at = number(step)?;
            table.steps.push(at);
            if last_phase.is_some_and(|last| last != cells[phase]) {
                table.phases.push(at);
            }
            last_phase = Some(cells[phase]);
            for (values, place) in table.losses.iter_mut().zip(places) {
                values.push(number(place)?);
            }
        }
        ensure!(!table.steps.is_empty(), "it has no lines yet");
        Ok(table)
    }
}

/// Draws one panel, whose area has its top left corner at `corner`.
fn draw(picture: &mut RgbImage, corner: [u32; 2], name: &str, table: &Table, values: &[f64]) {
    let [left, top] = corner;
    let [width, height] = AREA_PX;
    text::write(picture, [left, top - 18], name, INK);
    let is_known = |value: &f64| value.is_finite() && *value > 0.0;
    let known = || values.iter().copied().filter(is_known);
    let last = table.steps.last().copied().unwrap_or(1.0).max(1.0);
    let x = |step: f64| left + (step / last * f64::from(width)).clamp(0.0, width.into()) as u32;
    if known().next().is_some() {
        let low = known().fold(f64::INFINITY, f64::min).log10() - 0.03;
        let high = known().fold(0.0, f64::max).log10() + 0.03;
        let y = |value: f64| {
            let part = (high - value.log10()) / (high - low);
            top + (part * f64::from(height)).clamp(0.0, height.into()) as u32
        };
        for tick in ticks(low, high) {
            rule(picture, [left, y(tick)], [width, 0], GRID);
            let label = short(tick);
            let at = left.saturating_sub(text::width_px(&label) + 6);
            text::write(
                picture,
                [at, y(tick).saturating_sub(LETTER_PX / 2)],
                &label,
                INK,
            );
        }
        for &phase in &table.phases {
            rule(picture, [x(phase), top], [0, height], PHASE);
        }
        let points: Vec<(f64, f64)> = table
            .steps
            .iter()
            .copied()
            .zip(values.iter().copied())
            .filter(|(_, value)| is_known(value))
            .collect();
        for (points, colour, is_thick) in [(&points, FAINT, false), (&smooth(&points), CURVE, true)]
        {
            let places: Vec<[u32; 2]> = points
                .iter()
                .map(|&(at, value)| [x(at), y(value)])
                .collect();
            for pair in places.windows(2) {
                line(picture, pair[0], pair[1], colour);
                if is_thick {
                    let [from, to] = [pair[0], pair[1]].map(|[x, y]| [x, y + 1]);
                    line(picture, from, to, colour);
                }
            }
        }
    } else {
        text::write(picture, [left + 12, top + 12], "not measured", INK);
    }
    rule(picture, [left, top], [0, height], INK);
    rule(picture, [left, top + height], [width, 0], INK);
    for part in [0.0, 0.5, 1.0] {
        let label = short((last * part).round());
        let at = x(last * part).saturating_sub(text::width_px(&label) / 2);
        text::write(picture, [at, top + height + 6], &label, INK);
    }
    let label = "steps";
    let at = left + width / 4 - text::width_px(label) / 2;
    text::write(picture, [at, top + height + 6], label, INK);
}

/// Running means of a curve, each over the points near by.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let reach = (points.len() as f64 * SMOOTH).ceil() as usize;
    (0..points.len())
        .map(|idx| {
            let end = (idx + reach + 1).min(points.len());
            let near = &points[idx.saturating_sub(reach)..end];
            let sum: f64 = near.iter().map(|(_, value)| value.log10()).sum();
            (points[idx].0, 10f64.powf(sum / near.len() as f64))
        })
        .collect()
}

/// Round numbers between two powers of ten, eight at most if they are not of many orders.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let steps: [&[f64]; 4] = [
        &[
            1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0,
        ],
        &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
        &[1.0, 2.0, 5.0],
        &[1.0],
    ];
    let within = |steps: &[f64]| -> Vec<f64> {
        (low.floor() as i32..=high.ceil() as i32)
            .flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)))
            .filter(|tick| (low..=high).contains(&tick.log10()))
            .collect()
    };
    let mut found = steps.into_iter().map(within);
    let coarsest = || within(steps[3]);
    found
        .find(|ticks| ticks.len() <= 8)
        .unwrap_or_else(coarsest)
}

/// A number in as few signs as tell it.
fn short(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e6).contains(&value.abs()) {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.5}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn rule(picture: &mut RgbImage, [left, top]: [u32; 2], [width, height]: [u32; 2], colour: Rgb<u8>) {
    line(picture, [left, top], [left + width, top + height], colour);
}

/// A line of one pixel; what does not fit is cut off.
fn line(picture: &mut RgbImage, from: [u32; 2], to: [u32; 2], colour: Rgb<u8>) {
    let n = from[0].abs_diff(to[0]).max(from[1].abs_diff(to[1])).max(1);
    for idx in 0..=n {
        let [x, y] = [0, 1].map(|axis| {
            let [from, to] = [from[axis], to[axis]].map(f64::from);
            (from + (to - from) * f64::from(idx) / f64::from(n)).round() as u32
        });
        if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
            *pixel = colour;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "step,phase,content,style,roughness,tone,stability,lattice,identity,seconds\n";

    #[test]
    fn curves_phases_and_axes_are_drawn() {
        let lines: String = (1..=50)
            .map(|idx| {
                let phase = if idx <= 30 { "live" } else { "frozen" };
                let loss = 10.0 / f64::from(idx);
                format!(
                    "{},{phase},{loss},{loss},0.01,0.02,0,1e-6,0.02,{idx}\n",
                    idx * 20
                )
            })
            .collect();
        let picture = plot(&format!("{HEAD}{lines}")).unwrap();
        let count = |colour| picture.pixels().filter(|pixel| **pixel == colour).count();
        for colour in [INK, GRID, PHASE, CURVE] {
            assert!(count(colour) > 100, "{colour:?}");
        }
    }

    #[test]
    fn one_line_is_enough() {
        plot(&format!("{HEAD}20,live,1,1,1,1,1,1,1,1\n")).unwrap();
    }

    #[test]
    fn other_tables_are_refused_by_what_they_lack() {
        for (csv, word) in [
            (String::new(), "`step`"),
            ("step,phase,content\n".to_owned(), "`style`"),
            (HEAD.to_owned(), "no lines"),
            (format!("{HEAD}20,live,1,1\n"), "line 2"),
            (format!("{HEAD}20,live,1,x,1,1,1,1,1,1\n"), "`x`"),
        ] {
            let error = plot(&csv).unwrap_err();
            assert!(format!("{error:#}").contains(word), "{error:#}");
        }
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(0.0, 3.0), [1.0, 10.0, 100.0, 1000.0]);
        let labels: Vec<String> = ticks(-0.75, -0.4).into_iter().map(short).collect();
        assert_eq!(labels, ["0.18", "0.2", "0.25", "0.3", "0.35"]);
        assert_eq!(short(0.25), "0.25");
        assert_eq!(short(2000.0), "2000");
        assert_eq!(short(0.0), "0");
        assert_eq!(short(2e-6), "2.0e-6");
    }
}
