//! Networks of nothing but convolutions by 3x3, as all our own are, run by this project's own code: [`conv`].
//!
//! OpenVINO computes each product that the definition of a convolution has; Winograd's way does with a quarter of them. In
//! half precision they are made in fixed point of 16 bits: Winograd's way would lose too much in bfloat16.

mod graph;

use std::mem::replace;
use std::ops::Range;

use aligned_vec::{AVec, avec};
use conv::{Chain, Conv, Made, Maps, MapsMut, Then, Walk};
use graph::layers;

use super::session::Plan;
use crate::convert::Finish;
use crate::onnx::ModelProto;
use crate::trunk::Trunk;

/// Layers in order. Values are numbered: 0 is the picture, and each layer gives the next.
pub(super) struct Own {
    layers: Vec<Layer>,
    /// Of each value.
    shapes: Vec<Shape>,
    /// Which buffer each value lies in, but for those that need none: those that painting starts and ends with, which are
    /// others' memory, and what is between two layers that run at once.
    places: Vec<usize>,
    buffers: Vec<Buffer>,
    /// The value that painting starts with: the picture, or what the first two layers give, if they run at once.
    start: usize,
    /// The value that it ends with: the painted picture, or what the last two layers make into it.
    end: usize,
}

/// Memory of a value, and what [`Maps::peaks`] says of it.
struct Buffer {
    values: AVec<f32>,
    peaks: Vec<f32>,
}

/// Numbers of a value that does not stay in the caches until the next layer reads it: 8 MiB. Where only that one does, both
/// run at once.
const MANY: usize = 1 << 21;

/// Height, width and channels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shape([usize; 3]);

struct Layer {
    conv: Conv,
    walk: Walk,
    n_in: usize,
    bias: Vec<f32>,
    input: usize,
    /// The value that is added to what the convolution gives.
    add: Option<usize>,
    relu: bool,
    /// Whether it runs at once with the next layer, which alone sees its value.
    is_led_on: bool,
}

impl Own {
    /// Reads a trunk for what is planned. None if it has anything else than convolutions by 3x3, with or without a cut at 0
    /// or another value added, and doublings before them; nor if the precision is half and the processor knows no fast way to
    /// it.
    pub(super) fn of(trunk: &Trunk, plan: &Plan<'_>) -> Option<Self> {
        let model = ModelProto::parse(&trunk.bytes).ok()?;
        let mut layers = layers(model.graph.as_ref()?, plan.way.precision())?;
        let [_, height, width, n_channels] = trunk.input.dims(plan.size);
        let side = |n: i64| usize::try_from(n).ok();
        let mut shapes = vec![Shape([side(height)?, side(width)?, side(n_channels)?])];
        for layer in &layers {
            let Shape([height, width, n_channels]) = shapes[layer.input];
            let [height, width] = layer.walk.size([height, width]);
            let shape = Shape([height, width, layer.bias.len()]);
            if n_channels != layer.n_in || layer.add.is_some_and(|add| shapes[add] != shape) {
                return None;
            }
            shapes.push(shape);
        }
        if shapes.last() != shapes.first() {
            return None;
        }
        lead_on(&mut layers, &shapes);
        let sees_picture = layers.iter().skip(1).any(|layer| layer.reads(0));
        let opens = layers.first()?.is_led_on && !sees_picture;
        let start = if opens { 2 } else { 0 };
        let n_layers = layers.len();
        let leaves = plan.by_rows && can_leave(&layers, &shapes, start);
        let end = if leaves { n_layers - 2 } else { n_layers };
        let (places, buffers) = places(&layers[..end], &shapes, start);
        Some(Self {
            layers,
            shapes,
            places,
            buffers,
            start,
            end,
        })
    }

    /// Numbers of what painting starts with, if that is not the picture: a value, and its peaks behind it.
    pub(super) fn n_opened(&self) -> Option<usize> {
        (self.start > 0).then(|| self.shapes[self.start].len_with_peaks())
    }

    /// Numbers of what painting ends with, if that is not the picture: a value, and its peaks behind it.
    pub(super) fn n_unfinished(&self) -> Option<usize> {
        (self.end < self.layers.len()).then(|| self.shapes[self.end].len_with_peaks())
    }

    /// Makes what painting starts with, of which there are [`Own::n_opened`] numbers. `fill` writes rows of the picture as
    /// the trunk takes it, which is never held as a whole; some are asked for twice.
    pub(super) fn open(
        &self,
        fill: &(dyn Fn(Range<usize>, &mut [f32]) + Sync),
        opened: &mut [f32],
    ) {
        let (values, peaks) = opened.split_at_mut(self.shapes[self.start].len());
        let Shape([height, width, _]) = self.shapes[0];
        let picture = Made {
            height,
            width,
            fill,
        };
        self.chain(0)
            .run_on_made(picture, MapsMut { values, peaks });
    }

    /// Two layers at the beginning or the end, to which nothing is added.
    fn chain(&self, first: usize) -> Chain<'_> {
        Chain([first, first + 1].map(|idx| {
            let layer = &self.layers[idx];
            (&layer.conv, layer.then(|_| &[]))
        }))
    }

    /// Paints a picture as the trunk takes it, or what [`Own::open`] made of it, into one as the trunk gives it, of the same
    /// size, or into what [`Own::finish`] makes that of.
    pub(super) fn paint(&mut self, input: &[f32], painted: &mut [f32]) {
        let (start_values, start_peaks) = input.split_at(self.shapes[self.start].len());
        let Shape([end_height, ..]) = self.shapes[self.end];
        // A picture's, which nobody asks for.
        let mut picture_peaks = vec![0.0; end_height];
        let (painted, end_peaks) = painted.split_at_mut(self.shapes[self.end].len());
        let end_peaks = if end_peaks.is_empty() {
            &mut picture_peaks[..]
        } else {
            end_peaks
        };
        let mut rest = self.start..self.end;
        while let Some(first) = rest.next() {
            let layer = &self.layers[first];
            let second = layer.is_led_on.then(|| rest.next()).flatten();
            let made = second.unwrap_or(first) + 1;
            let place = self.places[made];
            let is_last = made == self.end;
            let mut buffer = Buffer::of(0, 0);
            let output = if is_last {
                MapsMut {
                    values: &mut *painted,
                    peaks: &mut *end_peaks,
                }
            } else {
                buffer = replace(&mut self.buffers[place], buffer);
                MapsMut {
                    values: &mut buffer.values,
                    peaks: &mut buffer.peaks,
                }
            };
            let buffer_of = |value: usize| &self.buffers[self.places[value]];
            let values = |value: usize| match value {
                value if value == self.start => start_values,
                value => &buffer_of(value).values[..],
            };
            let peaks = match layer.input {
                0 => None,
                value if value == self.start => Some(start_peaks),
                value => Some(&buffer_of(value).peaks[..]),
            };
            let Shape([height, width, _]) = self.shapes[layer.input];
            let input = Maps {
                values: values(layer.input),
                height,
                width,
                peaks,
            };
            match second.map(|second| &self.layers[second]) {
                None => layer.conv.run(input, layer.then(values), output),
                Some(next) => {
                    let both = [layer, next].map(|layer| (&layer.conv, layer.then(values)));
                    Chain(both).run(input, output);
                }
            }
            if !is_last {
                self.buffers[place] = buffer;
            }
        }
    }
}

impl Finish for Own {
    /// By the last two layers.
    fn finish(&self, values: &[f32], rows: Range<usize>, out: &mut [f32]) {
        let Shape([height, width, _]) = self.shapes[self.end];
        let (values, peaks) = values.split_at(self.shapes[self.end].len());
        let input = Maps {
            values,
            height,
            width,
            peaks: Some(peaks),
        };
        self.chain(self.end).run_rows(input, rows, out);
    }
}

impl Buffer {
    /// Of so many numbers and rows.
    fn of(len: usize, height: usize) -> Self {
        Self {
            values: avec![0.0; len],
            peaks: vec![0.0; height],
        }
    }
}

impl Shape {
    fn len(self) -> usize {
        self.0.iter().product()
    }

    /// Numbers of a value with its peaks behind it.
    fn len_with_peaks(self) -> usize {
        self.len() + self.0[0]
    }
}

impl Layer {
    /// What follows its convolution, where values are found.
    fn then<'a>(&'a self, values: impl Fn(usize) -> &'a [f32]) -> Then<'a> {
        Then {
            bias: Some(&self.bias),
            add: self.add.map(values),
            relu: self.relu,
        }
    }

    fn reads(&self, value: usize) -> bool {
        self.input == value || self.add == Some(value)
    }
}

/// Finds the layers that run at once with the next.
fn lead_on(layers: &mut [Layer], shapes: &[Shape]) {
    for idx in 0..layers.len().saturating_sub(1) {
        let (layer, next, value) = (&layers[idx], &layers[idx + 1], idx + 1);
        let sees_alone = next.input == value && next.add != Some(value);
        let is_alone = sees_alone && !layers[idx + 2..].iter().any(|layer| layer.reads(value));
        let is_free = layer.add.is_none() && !(idx > 0 && layers[idx - 1].is_led_on);
        layers[idx].is_led_on = is_alone && is_free && shapes[value].len() >= MANY;
    }
}

/// Whether the last two layers can be left for later, and that pays: others come before them, they run at once and see
/// nothing but the value before them, and the picture would not stay in the caches.
fn can_leave(layers: &[Layer], shapes: &[Shape], start: usize) -> bool {
    let Some(first) = layers.len().checked_sub(2).filter(|&first| first > start) else {
        return false;
    };
    let last = &layers[first..];
    let sees_before = last[0].input == first && last.iter().all(|layer| layer.add.is_none());
    last[0].is_led_on && sees_before && shapes[layers.len()].len() >= MANY
}

/// Which buffer each value lies in, and the buffers: one whose value nobody asks for any more is used again.
fn places(layers: &[Layer], shapes: &[Shape], start: usize) -> (Vec<usize>, Vec<Buffer>) {
    let (mut places, mut buffers) = (vec![0; shapes.len()], Vec::<Buffer>::new());
    let mut free: Vec<usize> = Vec::new();
    for idx in start..layers.len().saturating_sub(1) {
        if layers[idx].is_led_on {
            continue;
        }
        let (len, [height, ..]) = (shapes[idx + 1].len(), shapes[idx + 1].0);
        let fits = |&place: &usize| {
            let Buffer { values, peaks } = &buffers[place];
            [values.len(), peaks.len()] == [len, height]
        };
        places[idx + 1] = match free.iter().position(fits) {
            Some(at) => free.swap_remove(at),
            None => {
                buffers.push(Buffer::of(len, height));
                buffers.len() - 1
            }
        };
        let later = &layers[idx + 1..];
        let ran = &layers[idx - usize::from(idx > 0 && layers[idx - 1].is_led_on)..=idx];
        let is_done = |&value: &usize| {
            let reads = |layers: &[Layer]| layers.iter().any(|layer| layer.reads(value));
            reads(ran) && !reads(later)
        };
        let has_place = |&value: &usize| !layers[value - 1].is_led_on;
        let done = (start + 1..=idx).filter(has_place).filter(is_done);
        free.extend(done.map(|value| places[value]));
    }
    (places, buffers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::measure::psnr_db;
    use crate::backend::cpu::network::Way;
    use crate::backend::cpu::probe;
    use crate::backend::cpu::trial::{TEST_SIZE, Trial};
    use crate::convention::ValueRange;
    use crate::gallery;
    use crate::model::Model;
    use crate::onnx::Node;
    use crate::settings::{Precision, Quality};
    use crate::trunk;

    /// What a network paints, and how it was run.
    fn painted(model: &Model, way: Way) -> (Vec<f32>, Way) {
        let (convention, trunk) = (&model.convention, trunk::cut(&model.bytes).unwrap());
        let mut trial =
            Trial::open(model, convention, Some(&trunk), ValueRange::Unit, way).unwrap();
        // The second picture goes through memory that the first has used.
        trial.paint().unwrap();
        (trial.paint().unwrap().to_vec(), trial.way())
    }

    #[test]
    fn our_own_networks_paint_as_openvino_paints_them() {
        probe().unwrap();
        for piece in gallery::pieces().filter(|piece| piece.name == "great-wave") {
            let model = piece.model().unwrap();
            let [own, theirs] = [Way::Own, Way::Runtime].map(|way| {
                let way = way(Precision::F32);
                let (painted, found) = painted(&model, way);
                assert_eq!(found, way);
                painted
            });
            assert_eq!(own.len(), theirs.len());
            let pairs = own.iter().zip(&theirs);
            let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // A twentieth of a code.
            assert!(error < 2e-4, "{:?}: {error}", piece.quality);
        }
    }

    /// As far as the processor knows it.
    #[test]
    fn fixed_point_paints_as_f32_does() {
        probe().unwrap();
        for piece in gallery::pieces() {
            let model = piece.model().unwrap();
            let (fixed, way) = painted(&model, Way::Own(Precision::Half));
            if way != Way::Own(Precision::Half) {
                return;
            }
            let (exact, _) = painted(&model, Way::Own(Precision::F32));
            let db = psnr_db(&exact, &fixed, ValueRange::Unit);
            // A sixth of a code; in OpenVINO's bfloat16 they are at 53 to 62 dB.
            assert!(db > 63.0, "{} {:?}: {db}", piece.name, piece.quality);
        }
    }

    fn open(trunk: &Trunk, size: (usize, usize), by_rows: bool) -> Own {
        let plan = Plan {
            trunk: Some(trunk),
            size,
            way: Way::Own(Precision::F32),
            by_rows,
            n_slots: 1,
        };
        Own::of(trunk, &plan).unwrap()
    }

    /// Of pictures so large that they do, which have borders of bands in them.
    #[test]
    fn layers_that_run_at_once_paint_the_same() {
        let piece = gallery::pieces().find(|piece| piece.quality == Quality::Fast);
        let trunk = trunk::cut(&piece.unwrap().model().unwrap().bytes).unwrap();
        let size = (1216, 1792);
        let mut at_once = open(&trunk, size, false);
        assert!(at_once.layers.iter().any(|layer| layer.is_led_on));
        let mut left = open(&trunk, size, true);
        let mut by_themselves = open(&trunk, size, false);
        for layer in &mut by_themselves.layers {
            layer.is_led_on = false;
        }
        let (layers, shapes) = (&by_themselves.layers, &by_themselves.shapes);
        (by_themselves.places, by_themselves.buffers) = places(layers, shapes, 0);
        by_themselves.start = 0;
        let n = shapes[0].len();
        let n_row = n / shapes[0].0[0];
        let picture: Vec<f32> = (0..n).map(|i| (i * 7919 % 1009) as f32 / 1008.0).collect();
        let mut opened = vec![f32::NAN; at_once.n_opened().unwrap()];
        let fill = |rows: Range<usize>, out: &mut [f32]| {
            out.copy_from_slice(&picture[rows.start * n_row..rows.end * n_row]);
        };
        at_once.open(&fill, &mut opened);
        assert_eq!(by_themselves.n_opened(), None);
        let painted = |own: &mut Own, input: &[f32]| {
            let mut painted = vec![f32::NAN; own.n_unfinished().unwrap_or(n)];
            own.paint(input, &mut painted);
            painted
        };
        let wanted = painted(&mut by_themselves, &picture);
        let unfinished = painted(&mut left, &opened);
        assert!(unfinished.len() < n);
        let mut finished = vec![f32::NAN; n];
        let n_rows = 37;
        for (idx, rows) in finished.chunks_mut(n_rows * n_row).enumerate() {
            let first = idx * n_rows;
            left.finish(&unfinished, first..first + rows.len() / n_row, rows);
        }
        for found in [painted(&mut at_once, &opened), finished] {
            let pairs = found.iter().zip(&wanted);
            let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error < 1e-4, "{error}");
            assert!(found.iter().all(|value| value.is_finite()));
        }
    }

    #[test]
    fn graphs_with_anything_else_are_left_alone() {
        let piece = gallery::pieces().next().unwrap();
        let trunk = trunk::cut(&piece.model().unwrap().bytes).unwrap();
        let model = ModelProto::parse(&trunk.bytes).unwrap();
        let graph = model.graph.unwrap();
        assert!(layers(&graph, Precision::F32).is_some());
        let at = |op: &str| graph.nodes.iter().position(|node| node.op == op).unwrap();
        let changed = |op: &str, change: fn(&mut Node)| {
            let mut graph = graph.clone();
            change(&mut graph.nodes[at(op)]);
            layers(&graph, Precision::F32).is_none()
        };
        assert!(changed("Relu", |node| "Sigmoid".clone_into(&mut node.op)));
        assert!(changed("Resize", |node| node.attributes.clear()));
        assert!(changed("Conv", |node| node.attributes.clear()));
        assert!(changed("Add", |node| node.inputs[1] = node.inputs[0].clone()));
        let mut wide = open(&trunk, TEST_SIZE, false);
        assert!(wide.shapes.pop() == Some(wide.shapes[0]));
        // What another size of the family gives does not fit in.
        let mut graph = graph.clone();
        let conv = at("Conv");
        graph.nodes.swap(conv, conv + 2);
        assert!(layers(&graph, Precision::F32).is_none());
    }
}
