//! What it costs to keep the picture steady, measured in the engine: nothing but its own work is timed.

use std::time::{Duration, Instant};

use anyhow::ensure;
use engines::{
    Engine, Frame, FrameFormat, FrameMut, Look, Model, Plane, PlaneMut, Settings, Stabilizer,
    Stage, Times,
};

use super::pictures::Pictures;

/// Frames in a row each way, in turns.
const BLOCK: usize = 10;

/// Times of a frame.
pub struct Steady {
    /// What is added by `flow` to the time that a moving frame takes outside the network.
    pub flow: Times,
    /// The same by `gate`.
    pub gate: Times,
    /// All that a frame takes which repeats the one before.
    pub held: Times,
}

/// What is painted.
pub struct Setup<'a> {
    /// The network.
    pub model: &'a Model,
    /// Of the frames.
    pub format: FrameFormat,
    /// How the network is opened.
    pub settings: Settings,
    /// The frames.
    pub pictures: &'a Pictures,
}

impl Steady {
    /// Paints `n_frames` each way.
    ///
    /// # Errors
    /// If the network does not run.
    pub fn measure(setup: &Setup<'_>, n_frames: usize) -> anyhow::Result<Self> {
        let [off, gate, flow] = moving(setup, n_frames)?;
        let bare = Times::of(off).median;
        let added = |took: Vec<Duration>| {
            Times::of(took.iter().map(|took| took.saturating_sub(bare)).collect())
        };
        Ok(Self {
            flow: added(flow),
            gate: added(gate),
            held: held(setup, n_frames)?,
        })
    }
}

/// What frames take outside the network, painted one by one, by `gate` and by `flow`.
fn moving(setup: &Setup<'_>, n_frames: usize) -> anyhow::Result<[Vec<Duration>; 3]> {
    let mut easel = Easel::open(setup)?;
    let mut frames = setup.pictures.there_and_back();
    let mut took = [const { Vec::new() }; 3];
    while took[0].len() < n_frames {
        let n_block = BLOCK.min(n_frames - took[0].len());
        for (took, stabilizer) in
            took.iter_mut()
                .zip([Stabilizer::Off, Stabilizer::Gate, Stabilizer::Flow])
        {
            easel.engine.set(Look {
                stabilizer,
                exposure_guard: stabilizer != Stabilizer::Off,
                reuse: false,
                ..Look::default()
            });
            // The first has no frame before it.
            for idx in 0..=n_block {
                crate::interrupt::check()?;
                let whole = easel.paint(frames.next().expect("there are pictures, for ever"))?;
                let of_network = easel.engine.stats().latest(Stage::Infer);
                took.extend((idx > 0).then_some(whole.saturating_sub(of_network)));
            }
        }
    }
    Ok(took)
}

fn held(setup: &Setup<'_>, n_frames: usize) -> anyhow::Result<Times> {
    let mut easel = Easel::open(setup)?;
    let mut frames = setup.pictures.there_and_back();
    let frame = frames.next().expect("there are pictures, for ever");
    easel.paint(frame)?;
    let took = (0..n_frames)
        .map(|_| easel.paint(frame))
        .collect::<anyhow::Result<_>>()?;
    let n_reused = easel.engine.stats().n_reused;
    ensure!(
        n_reused == n_frames as u64,
        "only {n_reused} of {n_frames} repeated frames were held"
    );
    Ok(Times::of(took))
}

/// An engine with a frame to paint into.
struct Easel<'a> {
    setup: &'a Setup<'a>,
    engine: Box<dyn Engine>,
    target: gst::Buffer,
}

impl<'a> Easel<'a> {
    fn open(setup: &'a Setup<'a>) -> anyhow::Result<Self> {
        Ok(Self {
            setup,
            engine: engines::open(setup.model, &setup.format, &setup.settings)?,
            target: gst::Buffer::with_size(setup.pictures.info.size())?,
        })
    }

    /// Paints a frame and says how long that took.
    fn paint(&mut self, source: &gst::Buffer) -> anyhow::Result<Duration> {
        let Setup {
            format, pictures, ..
        } = *self.setup;
        let info = &pictures.info;
        let source = gst_video::VideoFrameRef::from_buffer_ref_readable(source, info)?;
        let target = self.target.get_mut().expect("nobody else has it");
        let mut target = gst_video::VideoFrameRef::from_buffer_ref_writable(target, info)?;
        let strides: Vec<_> = info
            .stride()
            .iter()
            .map(|stride| *stride as usize)
            .collect();
        let planes = strides
            .iter()
            .enumerate()
            .map(|(idx, &stride_bytes)| {
                let data = source.plane_data(idx as u32)?;
                Ok(Plane { data, stride_bytes })
            })
            .collect::<Result<Vec<_>, gst::glib::BoolError>>()?;
        let source = Frame::new(format, &planes)?;
        let planes = target
            .planes_data_mut()
            .into_iter()
            .zip(strides)
            .map(|(data, stride_bytes)| PlaneMut { data, stride_bytes });
        let mut target = FrameMut::new(format, planes)?;
        let start = Instant::now();
        self.engine.submit(&source)?;
        self.engine.drain()?;
        let is_painted = self.engine.receive(&source, &mut target)?;
        let took = start.elapsed();
        ensure!(is_painted, "the engine gave no picture back");
        Ok(took)
    }
}
