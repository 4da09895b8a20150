//! What it costs to keep the picture steady, measured in the engine: nothing but its own work is timed.

use std::time::{Duration, Instant};

use anyhow::ensure;
use engines::{
    Engine, Frame, FrameFormat, FrameMut, Look, Model, Plane, PlaneMut, Settings, Stabilizer,
    Stage, Times,
};

use super::pictures::Pictures;

/// Times of a frame.
pub struct Steady {
    /// What is added to a moving frame by `flow`.
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
        Ok(Self {
            flow: moving(setup, Stabilizer::Flow, n_frames)?,
            gate: moving(setup, Stabilizer::Gate, n_frames)?,
            held: held(setup, n_frames)?,
        })
    }
}

fn moving(setup: &Setup<'_>, stabilizer: Stabilizer, n_frames: usize) -> anyhow::Result<Times> {
    let look = Look {
        stabilizer,
        reuse: false,
        ..Look::default()
    };
    let mut easel = Easel::open(setup, look)?;
    // The first has no frame before it.
    for frame in setup.pictures.there_and_back().take(1 + n_frames) {
        crate::interrupt::check()?;
        easel.paint(frame)?;
    }
    Ok(easel.engine.stats().times(Stage::Stabilize))
}

fn held(setup: &Setup<'_>, n_frames: usize) -> anyhow::Result<Times> {
    let mut easel = Easel::open(setup, Look::default())?;
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
    fn open(setup: &'a Setup<'a>, look: Look) -> anyhow::Result<Self> {
        let mut engine = engines::open(setup.model, &setup.format, &setup.settings)?;
        engine.set(look);
        Ok(Self {
            setup,
            engine,
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
