//! The run: starts everything, watches it, and ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use gst::prelude::*;
use gst_app::{AppLeakyType, AppSink, AppSrc};

use super::card::card;
use super::format::{Choice, Format, Wish};
use super::line::{Event, Line};
use super::relay::Relay;
use super::sink::{Outlet, Sink};
use super::sound::Track;
use super::source::{Camera, Inlet, Microphone, Sound, Source};
use super::time::Time;
use crate::args::{SteadyArgs, StyleArgs};
use crate::interrupt;
use crate::packages::make;
use crate::report::warn;
use crate::video::{chain, failure};

/// How often everything is looked at.
const TICK: Duration = Duration::from_millis(20);
/// How long the format waits for the source's first frame.
const FORMAT_PATIENCE: Duration = Duration::from_secs(5);
/// How long frames may be missing before the card stands in for them.
const CARD_PATIENCE: Duration = Duration::from_millis(700);
/// Time between two cards: enough for readers that want to see life.
const BETWEEN_CARDS: Duration = Duration::from_millis(200);
/// How long a source that runs may give no frame before it is taken for dead.
const SOURCE_PATIENCE: Duration = Duration::from_secs(4);
/// The same for one that has only just been started: servers answer slowly.
const START_PATIENCE: Duration = Duration::from_secs(15);
/// How long recordings may take to be finished.
const END_PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(5);
/// Time between two lines about how it goes.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// What to do.
pub struct Live<'a> {
    /// Where frames come from.
    pub source: Source,
    /// Where sound comes from.
    pub sound: Sound,
    /// Where the painting goes.
    pub sinks: Vec<Sink>,
    /// What is insisted on.
    pub wish: Wish,
    /// How to paint.
    pub style: &'a StyleArgs,
    /// How to keep the picture steady.
    pub steady: &'a SteadyArgs,
    /// Stops after this time.
    pub stop_after: Option<Duration>,
    /// Is told how it goes.
    pub tell: &'a mut dyn FnMut(&Meters) -> anyhow::Result<()>,
}

/// How it goes.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Meters {
    /// Time since the start.
    pub seconds: f64,
    /// Size and rate of the frames.
    pub format: String,
    /// Frames that came from the source.
    pub frames_in: u64,
    /// Frames that went to the sinks, cards among them.
    pub frames_out: u64,
    /// Frames that came while the one before was being painted, and were left out.
    pub frames_left_out: u64,
    /// Frames that repeated the one before, and were not painted again.
    pub frames_reused: u64,
    /// Size of network that paints.
    pub quality: String,
    /// Cards that stood in for frames.
    pub cards: u64,
}

/// Paints until it is interrupted, a window is closed, or the time is over.
///
/// # Errors
/// What cannot work from the start, or an error of the painter.
pub fn run(live: Live<'_>) -> anyhow::Result<()> {
    live.source.check()?;
    for sink in &live.sinks {
        sink.check()?;
    }
    let time = Time::start();
    let choice = Arc::new(Choice::new(live.wish));
    let [painted, sound] = [Arc::new(Relay::default()), Arc::new(Relay::default())];
    let track = Arc::new(Track::new(sound.clone(), time.now()));
    let unpainted = Arc::new(Relay::default());
    let n_frames = Arc::new(AtomicU64::new(0));
    let to_painter = unpainted.clone();
    let inlet = Inlet {
        time: time.clone(),
        choice: choice.clone(),
        frames: Arc::new(move |buffer, time| to_painter.pass(buffer, time)),
        track: track.clone(),
        n_frames: n_frames.clone(),
    };
    let mut camera = Line::start(Camera {
        source: live.source.clone(),
        with_sound: live.sound == Sound::Source,
        inlet: inlet.clone(),
    })?;
    let mut microphone = match live.sound {
        Sound::Source | Sound::None => None,
        ref sound => Some(Line::start(Microphone {
            sound: sound.clone(),
            inlet: Inlet {
                n_frames: Arc::default(),
                ..inlet
            },
        })?),
    };
    let format = wait_for_format(&choice, &mut camera)?;
    eprintln!("painting {} as {format}", live.source);
    let painter = Painter::start(&live, &time, format, &unpainted, &painted)?;
    let mut sinks = Vec::new();
    for sink in &live.sinks {
        let has_sound = live.sound != Sound::None;
        let outlet = Outlet::new(
            sink.clone(),
            time.clone(),
            format,
            [&painted, &sound],
            has_sound,
        );
        sinks.push(Line::start(outlet).with_context(|| format!("opening {sink}"))?);
    }

    let start = Instant::now();
    let mut card = Card::new(format, live.source.lost(), &painted);
    let mut told = Instant::now();
    let mut seen = (0, Instant::now());
    let outcome = loop {
        if interrupt::check().is_err() || live.stop_after.is_some_and(|time| start.elapsed() > time)
        {
            break Ok(());
        }
        let n = n_frames.load(Ordering::Relaxed);
        if n != seen.0 {
            seen = (n, Instant::now());
        }
        tend_source(&mut camera, n > 0, seen.1.elapsed());
        if let Some(Event::Failed(error, wait)) = microphone.as_mut().and_then(Line::tend) {
            warn(format!(
                "no sound: {error:#}; next attempt in {:.1} s",
                wait.as_secs_f32()
            ));
        }
        card.show(&time, n > 0, seen.1.elapsed());
        track.fill(time.now());
        if let Err(error) = painter.check() {
            break Err(error);
        }
        if tend_sinks(&mut sinks) {
            break Ok(());
        }
        if told.elapsed() > BETWEEN_LINES {
            told = Instant::now();
            let meters = painter.meters(&time, format, n, &card);
            if let Err(error) = (live.tell)(&meters) {
                break Err(error);
            }
        }
        thread::sleep(TICK);
    };
    camera.end();
    if let Some(microphone) = &mut microphone {
        microphone.end();
    }
    for sink in &sinks {
        sink.builder.close();
    }
    for sink in sinks.iter_mut().filter(|sink| sink.builder.sink.is_once()) {
        sink.finish(END_PATIENCE);
    }
    let n = n_frames.load(Ordering::Relaxed);
    (live.tell)(&painter.meters(&time, format, n, &card))?;
    outcome
}

/// Waits until the source has told its format, for a while.
fn wait_for_format(choice: &Choice, camera: &mut Line<Camera>) -> anyhow::Result<Format> {
    let start = Instant::now();
    while choice.made().is_none() && start.elapsed() < FORMAT_PATIENCE {
        interrupt::check()?;
        if let Some(Event::Failed(error, _)) = camera.tend() {
            // A film that cannot be read now never will be.
            if camera.builder.source.loops() {
                return Err(error.context(format!("reading {}", camera.builder.source)));
            }
            warn(format!("{}: {error:#}", camera.builder.source));
        }
        thread::sleep(TICK);
    }
    Ok(choice.make(None))
}

/// Sees to the source, which has given no frame for `quiet`, and perhaps none at all yet.
fn tend_source(camera: &mut Line<Camera>, has_started: bool, quiet: Duration) {
    let source = camera.builder.source.clone();
    let lost = |error: &anyhow::Error, wait: Duration| {
        warn(format!(
            "{source}: {error:#}; next attempt in {:.1} s",
            wait.as_secs_f32()
        ));
    };
    match camera.tend() {
        Some(Event::Failed(error, wait)) => lost(&error, wait),
        Some(Event::Ended) if source.loops() => camera.restart(),
        Some(Event::Ended) => {
            if let Event::Failed(error, wait) = camera.fail(anyhow::anyhow!("it has ended")) {
                lost(&error, wait);
            }
        }
        Some(Event::Back) | None => {}
    }
    let is_dead = |runs: Duration| {
        if has_started && quiet < runs {
            quiet > SOURCE_PATIENCE
        } else {
            runs > START_PATIENCE
        }
    };
    if camera.runs_for().is_some_and(is_dead) {
        let silent = anyhow::anyhow!("no frames come");
        if let Event::Failed(error, wait) = camera.fail(silent) {
            lost(&error, wait);
        }
    }
}

/// Sees to the sinks. True if one has ended that all hangs on.
fn tend_sinks(sinks: &mut [Line<Outlet>]) -> bool {
    let mut is_over = false;
    for line in sinks {
        let sink = line.builder.sink.clone();
        match line.tend() {
            Some(Event::Failed(..) | Event::Ended) if sink.is_all() => is_over = true,
            Some(Event::Failed(error, _)) if sink.is_once() => {
                warn(format!("{sink}: {error:#}; the recording ends here"));
                line.end();
            }
            Some(Event::Failed(error, wait)) => {
                warn(format!(
                    "{sink}: {error:#}; next attempt in {:.1} s",
                    wait.as_secs_f32()
                ));
            }
            Some(Event::Ended) => line.restart(),
            Some(Event::Back) => eprintln!("{sink}: trying again"),
            None => {}
        }
    }
    is_over
}

/// Frames in, paintings out.
struct Painter {
    pipeline: gst::Pipeline,
    style: gst::Element,
    unpainted: Arc<Relay>,
    painted: Arc<Relay>,
}

impl Painter {
    fn start(
        live: &Live<'_>,
        time: &Time,
        format: Format,
        unpainted: &Arc<Relay>,
        painted: &Arc<Relay>,
    ) -> anyhow::Result<Self> {
        let pipeline = gst::Pipeline::new();
        time.rule(&pipeline);
        // The newest frame waits for the painter, and gives way to a newer one.
        let entrance = AppSrc::builder()
            .caps(&format.caps())
            .format(gst::Format::Time)
            .is_live(true)
            .max_buffers(1)
            .leaky_type(AppLeakyType::Downstream)
            .build();
        let style = make("styletransfer")?;
        live.style.apply(&style)?;
        live.steady.apply(&style);
        let exit = AppSink::builder().sync(false).max_buffers(1).build();
        let relay = painted.clone();
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if let Some(buffer) = sample.buffer_owned()
                && let Some(pts) = buffer.pts()
            {
                relay.pass(buffer, pts);
            }
            Ok(gst::FlowSuccess::Ok)
        });
        exit.set_callbacks(callbacks.build());
        chain(
            &pipeline,
            &[entrance.clone().upcast(), style.clone(), exit.upcast()],
        )?;
        unpainted.add(entrance);
        let painter = Self {
            pipeline,
            style,
            unpainted: unpainted.clone(),
            painted: painted.clone(),
        };
        // If it does not start, the reason is a message on its bus.
        let _ = painter.pipeline.set_state(gst::State::Playing);
        Ok(painter)
    }

    /// Tells of its messages.
    fn check(&self) -> anyhow::Result<()> {
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        while let Some(message) = bus.pop() {
            match message.view() {
                gst::MessageView::Error(_) => {
                    return Err(failure::tell(&[message], "".as_ref()));
                }
                gst::MessageView::Warning(warning) => warn(warning.error().message()),
                gst::MessageView::Element(element) => {
                    if let Some(step) = element
                        .structure()
                        .filter(|found| found.name() == "impasto-quality")
                    {
                        let word = |name| step.get::<String>(name).unwrap_or_default();
                        eprintln!(
                            "{} instead of {}: {}",
                            word("to"),
                            word("from"),
                            word("reason")
                        );
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn meters(&self, time: &Time, format: Format, n_frames: u64, card: &Card) -> Meters {
        let stats: gst::Structure = self.style.property("stats");
        let count = |name| stats.get::<u64>(name).unwrap_or(0);
        Meters {
            seconds: time.now().mseconds() as f64 / 1000.0,
            format: format.to_string(),
            frames_in: n_frames,
            frames_out: self.painted.n_passed(),
            frames_left_out: self.unpainted.n_passed().saturating_sub(count("frames-in")),
            frames_reused: count("frames-reused"),
            quality: stats.get("quality").unwrap_or_default(),
            cards: card.n_shown,
        }
    }
}

impl Drop for Painter {
    fn drop(&mut self) {
        // A pipeline that does not stop is beyond help, and the process is about to end.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Stands in for frames that do not come.
struct Card {
    starting: gst::Buffer,
    lost: gst::Buffer,
    painted: Arc<Relay>,
    shown: Option<Instant>,
    n_shown: u64,
}

impl Card {
    fn new(format: Format, lost: &str, painted: &Arc<Relay>) -> Self {
        Self {
            starting: card(format, "starting"),
            lost: card(format, lost),
            painted: painted.clone(),
            shown: None,
            n_shown: 0,
        }
    }

    /// Hands a card to the sinks if no frame has come for `quiet`, and none of it too soon after the last.
    fn show(&mut self, time: &Time, has_started: bool, quiet: Duration) {
        let is_early = self
            .shown
            .is_some_and(|shown| shown.elapsed() < BETWEEN_CARDS);
        if quiet < CARD_PATIENCE || is_early {
            return;
        }
        self.shown = Some(Instant::now());
        self.n_shown += 1;
        let card = if has_started {
            &self.lost
        } else {
            &self.starting
        };
        self.painted.pass(card.clone(), time.now());
    }
}
