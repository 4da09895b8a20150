//! The run: starts everything, watches it, and ends it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::card::Card;
use super::controls::Controls;
use super::feed::Feed;
use super::format::{Choice, Format, Wish};
use super::keys::{HELP, Key, Keys};
use super::line::{Event, Line};
use super::outlet::Outlet;
use super::page::{Page, Place};
use super::painter::{Painter, Spans};
use super::relay::Relay;
use super::rtsp::Server;
use super::snapshot::Snapshots;
use super::sound::Track;
use super::source::{Camera, Inlet, Microphone, Sound, Source};
use super::target::Target;
use super::time::Time;
use super::watch::Watchers;
use crate::args::{SteadyArgs, StyleArgs};
use crate::interrupt;
use crate::report::warn;

/// How often everything is looked at.
const TICK: Duration = Duration::from_millis(20);
/// How long the format waits for the source's first frame.
const FORMAT_PATIENCE: Duration = Duration::from_secs(5);
/// How long a source that runs may give no frame before it is taken for dead.
const SOURCE_PATIENCE: Duration = Duration::from_secs(4);
/// The same for one that has only just been started: servers answer slowly.
const START_PATIENCE: Duration = Duration::from_secs(15);
/// How long recordings may take to be finished.
const END_PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(5);
/// How long nobody may watch before the painter rests, and how long after that a source does that wakes slowly.
const REST_PATIENCE: Duration = Duration::from_secs(2);
const SOURCE_REST_PATIENCE: Duration = Duration::from_secs(10);
/// Time between two looks at how it goes, and between two lines about it.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// What to do.
pub struct Live<'a> {
    /// Where frames come from.
    pub source: Source,
    /// Where sound comes from.
    pub sound: Sound,
    /// Where the painting goes.
    pub targets: Vec<Target>,
    /// What is insisted on.
    pub wish: Wish,
    /// How to paint.
    pub style: &'a StyleArgs,
    /// How to keep the picture steady.
    pub steady: &'a SteadyArgs,
    /// Where a page shows and controls it.
    pub page: Option<SocketAddr>,
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
    /// Frames that came while nobody watched.
    pub frames_unwatched: u64,
    /// Frames that repeated the one before, and were not painted again.
    pub frames_reused: u64,
    /// Size of network that paints.
    pub quality: String,
    /// Height in pixels that it works on.
    pub processing_height: u32,
    /// Mean time from a frame's coming to its painting since the last line, in milliseconds.
    pub delay_ms: f64,
    /// The longest.
    pub delay_most_ms: f64,
    /// Cards that stood in for frames.
    pub cards: u64,
}

/// Paints until it is interrupted, a window is closed, or the time is over.
///
/// # Errors
/// What cannot work from the start, or an error of the painter.
pub fn run(live: Live<'_>) -> anyhow::Result<()> {
    let mut session = Session::start(&live)?;
    let start = Instant::now();
    let (mut told, mut looked) = (start, start);
    let is_over = || {
        interrupt::check().is_err() || live.stop_after.is_some_and(|time| start.elapsed() > time)
    };
    let mut outcome = Ok(());
    while !is_over() {
        match session.tend() {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
        if looked.elapsed() > BETWEEN_LOOKS {
            looked = Instant::now();
            session.look();
        }
        if told.elapsed() > BETWEEN_LINES {
            told = Instant::now();
            (live.tell)(&session.meters())?;
        }
        thread::sleep(TICK);
    }
    session.end();
    (live.tell)(&session.meters())?;
    outcome
}

/// Everything that runs.
struct Session {
    time: Time,
    format: Format,
    camera: Line<Camera>,
    microphone: Option<Line<Microphone>>,
    painter: Painter,
    controls: Arc<Controls>,
    page: Option<Page>,
    /// The terminal's keys, if there is one.
    keys: Option<Keys>,
    sinks: Vec<Line<Outlet>>,
    watchers: Watchers,
    rest: Rest,
    /// How long frames have taken since the last line.
    delay: Spans,
    card: Card,
    track: Arc<Track>,
    unpainted: Arc<Relay>,
    painted: Arc<Relay>,
    /// Frames that had come when the last one was seen, and when that was.
    seen: (u64, Instant),
    /// Whether the source has failed since.
    is_lost: bool,
    /// Frames that came in rests that are over.
    n_unwatched: u64,
}

/// Who rests while nobody watches.
enum Rest {
    /// Nobody; when somebody was watching last.
    None(Instant),
    /// The painter; since when, and after how many frames.
    Painter(Instant, u64),
    /// The source too; after how many frames.
    All(u64),
}

impl Session {
    fn start(live: &Live<'_>) -> anyhow::Result<Self> {
        live.source.check()?;
        for target in &live.targets {
            if let Target::Sink(sink) = target {
                sink.check()?;
            }
        }
        let place = live.page.map(Place::take).transpose()?;
        let time = Time::start();
        let choice = Arc::new(Choice::new(live.wish));
        let [unpainted, painted, sound] = [0; 3].map(|_| Arc::new(Relay::default()));
        let track = Arc::new(Track::new(sound.clone(), time.now()));
        let inlet = Inlet {
            time: time.clone(),
            choice: choice.clone(),
            frames: unpainted.clone(),
            track: track.clone(),
        };
        let mut camera = Line::start(Camera {
            source: live.source.clone(),
            with_sound: live.sound == Sound::Source,
            inlet: inlet.clone(),
        })?;
        let microphone = match live.sound {
            Sound::Source | Sound::None => None,
            ref sound => {
                let sound = sound.clone();
                Some(Line::start(Microphone { sound, inlet })?)
            }
        };
        let format = wait_for_format(&choice, &mut camera)?;
        eprintln!("painting {} as {format}", live.source);
        let style = (live.style, live.steady);
        let painter = Painter::start(style, &time, format, [&unpainted, &painted])?;
        let feed = Feed {
            time: time.clone(),
            format,
            frames: painted.clone(),
            sound,
            has_sound: live.sound != Sound::None,
        };
        // An address that is taken is found out before a recording is begun.
        let (mut servers, mut sinks) = (Vec::new(), Vec::new());
        for target in &live.targets {
            if let Target::Rtsp(mount) = target {
                servers.push(Server::start(mount, feed.clone())?);
            }
        }
        for target in &live.targets {
            if let Target::Sink(sink) = target {
                let outlet = Outlet::new(sink.clone(), feed.clone());
                sinks.push(Line::start(outlet).with_context(|| format!("opening {sink}"))?);
            }
        }
        let quality = live.style.network.quality;
        let controls = Controls::of(painter.element(), quality, Snapshots::new(&painted, format))?;
        let controls = Arc::new(controls);
        let page =
            place.map(|place| Page::start(place, controls.clone(), [&unpainted, &painted], format));
        let keys = Keys::listen();
        if keys.is_some() {
            eprintln!("{HELP}");
        }
        Ok(Self {
            controls,
            page: page.transpose()?,
            keys,
            watchers: Watchers::of(&sinks, servers),
            rest: Rest::None(Instant::now()),
            delay: Spans::default(),
            card: Card::new(format, live.source.lost(), &painted),
            seen: (0, Instant::now()),
            is_lost: false,
            n_unwatched: 0,
            time,
            format,
            camera,
            microphone,
            painter,
            sinks,
            track,
            unpainted,
            painted,
        })
    }

    /// Sees to everything. False once something has ended that all hangs on.
    fn tend(&mut self) -> anyhow::Result<bool> {
        let n = self.unpainted.n_passed();
        if n != self.seen.0 {
            self.seen = (n, Instant::now());
            if std::mem::take(&mut self.is_lost) {
                eprintln!("{}: frames come again", self.camera.builder.source);
            }
        }
        self.rest();
        if !matches!(self.rest, Rest::None(_)) {
            // What comes is not wanted, and what does not come is not missed.
            self.seen.1 = Instant::now();
        }
        let quiet = self.seen.1.elapsed();
        self.is_lost |= tend_source(&mut self.camera, n > 0, quiet);
        if let Some(Event::Failed(error, wait)) = self.microphone.as_mut().and_then(Line::tend) {
            warn(format!(
                "no sound: {error:#}; next attempt in {:.1} s",
                wait.as_secs_f32()
            ));
        }
        self.card.show(&self.time, n > 0, quiet);
        self.track.fill(self.time.now());
        self.painter.set_quality(self.controls.quality());
        self.painter.tend()?;
        while let Some(key) = self.keys.as_ref().and_then(Keys::next) {
            if key == Key::End {
                return Ok(false);
            }
            match self.controls.press(key) {
                Ok(told) => eprintln!("{told}"),
                Err(error) => warn(format!("{error:#}")),
            }
        }
        Ok(!tend_sinks(&mut self.sinks))
    }

    /// Rests while nobody watches: the painter at once, the source after a while.
    fn rest(&mut self) {
        let is_watched =
            self.watchers.are_there() || self.page.as_ref().is_some_and(Page::is_watched);
        let n = self.unpainted.n_passed();
        let patience = if self.camera.builder.source.wakes_at_once() {
            Duration::ZERO
        } else {
            SOURCE_REST_PATIENCE
        };
        match self.rest {
            Rest::None(_) if is_watched => self.rest = Rest::None(Instant::now()),
            Rest::None(since) if since.elapsed() > REST_PATIENCE => {
                eprintln!("nobody watches");
                self.painter.rest(true);
                self.rest = Rest::Painter(Instant::now(), n);
            }
            Rest::Painter(_, before) | Rest::All(before) if is_watched => {
                eprintln!("somebody watches");
                self.n_unwatched += n - before;
                self.camera.rest(false);
                self.painter.rest(false);
                self.rest = Rest::None(Instant::now());
            }
            Rest::Painter(since, before) if since.elapsed() > patience => {
                self.camera.rest(true);
                self.rest = Rest::All(before);
            }
            _ => {}
        }
    }

    /// Looks how it has gone since the last look, and tells the page.
    fn look(&mut self) {
        let recent = self.painter.delay();
        self.delay.add(recent);
        if let Some(page) = &self.page {
            page.show(&self.meters_with(recent));
        }
    }

    /// How it has gone since this was asked last.
    fn meters(&mut self) -> Meters {
        let mut delay = std::mem::take(&mut self.delay);
        delay.add(self.painter.delay());
        self.meters_with(delay)
    }

    fn meters_with(&self, delay: Spans) -> Meters {
        let n_frames = self.unpainted.n_passed();
        let count = |name| self.painter.stat::<u64>(name).unwrap_or(0);
        let ms = |time: Duration| (time.as_secs_f64() * 10_000.0).round() / 10.0;
        Meters {
            seconds: self.time.now().mseconds() as f64 / 1000.0,
            format: self.format.to_string(),
            frames_in: n_frames,
            frames_out: self.painted.n_passed(),
            frames_left_out: n_frames.saturating_sub(self.n_unwatched() + count("frames-in")),
            frames_unwatched: self.n_unwatched(),
            frames_reused: count("frames-reused"),
            quality: self.painter.stat("quality").unwrap_or_default(),
            processing_height: self.painter.height().unwrap_or(self.format.height as u32),
            delay_ms: ms(delay.mean().unwrap_or_default()),
            delay_most_ms: ms(delay.most),
            cards: self.card.n_shown,
        }
    }

    /// Frames that came while nobody watched.
    fn n_unwatched(&self) -> u64 {
        self.n_unwatched
            + match self.rest {
                Rest::None(_) => 0,
                Rest::Painter(_, before) | Rest::All(before) => self.unpainted.n_passed() - before,
            }
    }

    /// Lets recordings be finished, and takes down all that goes in and out.
    fn end(&mut self) {
        self.camera.end();
        if let Some(microphone) = &mut self.microphone {
            microphone.end();
        }
        for sink in &self.sinks {
            sink.builder.close();
        }
        for sink in self
            .sinks
            .iter_mut()
            .filter(|sink| sink.builder.sink.is_once())
        {
            sink.finish(END_PATIENCE);
        }
    }
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

/// Sees to the source, which has given no frame for `quiet`, and perhaps none at all yet. True if it has failed.
fn tend_source(camera: &mut Line<Camera>, has_started: bool, quiet: Duration) -> bool {
    let source = camera.builder.source.clone();
    let mut event = camera.tend();
    if let Some(Event::Ended) = event {
        if source.loops() {
            camera.restart();
        } else {
            event = Some(camera.fail(anyhow::anyhow!("it has ended")));
        }
    }
    let is_dead = |runs: Duration| {
        if has_started && quiet < runs {
            quiet > SOURCE_PATIENCE
        } else {
            runs > START_PATIENCE
        }
    };
    if camera.runs_for().is_some_and(is_dead) {
        event = Some(camera.fail(anyhow::anyhow!("no frames come")));
    }
    let Some(Event::Failed(error, wait)) = event else {
        return false;
    };
    warn(format!(
        "{source}: {error:#}; next attempt in {:.1} s",
        wait.as_secs_f32()
    ));
    true
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
