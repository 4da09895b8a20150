//! A run on disk: everything that the next step depends on.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, ensure};
use bytemuck::{cast_slice, pod_collect_to_vec};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};

use super::{Recipe, Run};
use crate::adam::Moments;
use crate::output::write_whole;

/// Writes all of it.
pub(super) fn write(path: &Path, run: &mut Run) -> anyhow::Result<()> {
    let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
    visit(run, &mut |name, values| {
        parts.push((name, cast_slice(values).to_vec()));
        Ok(())
    })?;
    let views = parts.iter().map(|(name, bytes)| {
        Ok((
            name,
            TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)?,
        ))
    });
    let views: Vec<_> = views.collect::<anyhow::Result<_>>()?;
    let facts = HashMap::from([
        ("size".to_owned(), run.network.size.name().to_owned()),
        ("recipe".to_owned(), serde_json::to_string(&run.recipe)?),
        ("n_steps".to_owned(), run.n_steps.to_string()),
        ("is_frozen".to_owned(), run.is_frozen.to_string()),
    ]);
    write_whole(path, &serialize(views, Some(facts))?)
}

/// Reads what [`write()`] wrote for the same network and recipe.
pub(super) fn read(path: &Path, run: &mut Run) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let broken = || {
        format!(
            "{} is no whole checkpoint; remove it to start anew",
            path.display()
        )
    };
    let file = SafeTensors::deserialize(&bytes).with_context(broken)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).with_context(broken)?;
    let facts = header.metadata().clone().with_context(broken)?;
    let fact = |name: &str| facts.get(name).with_context(broken);
    let other = |what: &str| {
        format!(
            "{} is of a run with {what}; name another folder, or remove it to start anew",
            path.display()
        )
    };
    ensure!(
        fact("size")? == run.network.size.name(),
        other("another size")
    );
    let recipe: Recipe = serde_json::from_str(fact("recipe")?).with_context(broken)?;
    ensure!(recipe == run.recipe, other("another recipe"));
    visit(run, &mut |name, values| {
        let tensor = file
            .tensor(&name)
            .with_context(|| other("other styles or layers"))?;
        let found: Vec<f32> = pod_collect_to_vec(tensor.data());
        // Moments grow at their first step; all else has its length from the start.
        ensure!(
            values.is_empty() || values.len() == found.len(),
            other("other styles or layers")
        );
        *values = found;
        Ok(())
    })?;
    run.n_steps = fact("n_steps")?.parse().with_context(broken)?;
    run.is_frozen = fact("is_frozen")?.parse().with_context(broken)?;
    Ok(())
}

/// Shows all numbers by name, and takes back what becomes of them.
fn visit(
    run: &mut Run,
    each: &mut impl FnMut(String, &mut Vec<f32>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let units = &run.network.plan.units;
    for ((unit, weights), own) in units
        .iter()
        .zip(&mut run.network.weights)
        .zip(&mut run.weights)
    {
        each(format!("{}.weight", unit.name), weights)?;
        moments(&format!("{}.weight", unit.name), own, each)?;
    }
    for (style, own) in run.network.styles.iter_mut().zip(&mut run.styles) {
        for ((unit, affine), [gains, offsets]) in units.iter().zip(&mut style.units).zip(own) {
            let name = format!("{}/{}", style.name, unit.name);
            each(format!("{name}.gain"), &mut affine.gain)?;
            each(format!("{name}.offset"), &mut affine.offset)?;
            each(format!("{name}.mean"), &mut affine.mean)?;
            each(format!("{name}.variance"), &mut affine.variance)?;
            moments(&format!("{name}.gain"), gains, each)?;
            moments(&format!("{name}.offset"), offsets, each)?;
        }
    }
    Ok(())
}

fn moments(
    name: &str,
    moments: &mut Moments,
    each: &mut impl FnMut(String, &mut Vec<f32>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut n_steps = vec![moments.n_steps as f32];
    each(format!("{name}.steps"), &mut n_steps)?;
    each(format!("{name}.first"), &mut moments.first)?;
    each(format!("{name}.second"), &mut moments.second)?;
    moments.n_steps = n_steps.first().map_or(0, |&n| n as u32);
    Ok(())
}
