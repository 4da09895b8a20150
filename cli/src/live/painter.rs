//! The pipeline in the middle: frames in, paintings out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use engines::{Quality, Stabilizer, Stage};
use gst::prelude::*;
use gst_app::{AppLeakyType, AppSink, AppSrc};

use super::format::Format;
use super::pace::{Load, Pace, Way};
use super::relay::Relay;
use super::time::Time;
use crate::args::{SteadyArgs, StyleArgs};
use crate::packages::make;
use crate::report::warn;
use crate::video::{chain, failure};

/// Time over which that of frames is averaged.
const WINDOW: Duration = Duration::from_millis(250);

/// How old a frame may be when it comes.
const ON_ITS_WAY: gst::ClockTime = gst::ClockTime::from_mseconds(300);

/// Frames in, paintings out.
pub struct Painter {
    pipeline: gst::Pipeline,
    style: gst::Element,
    entrance: AppSrc,
    unpainted: Arc<Relay>,
    /// How long it has worked on frames since this was looked at last.
    work: Arc<Mutex<Spans>>,
    /// The element's figures after the last frame.
    stats: Arc<Mutex<Option<gst::Structure>>>,
    /// How long after they came frames were painted, since somebody asked for it last.
    delay: Arc<Mutex<Spans>>,
    /// When frames were taken again last, in nanoseconds: what came before is not shown any more.
    awake_since: Arc<AtomicU64>,
    time: Time,
    looked: Instant,
    /// Frames that had come by then.
    n_came: u64,
    /// Whether another network has begun to paint since this was looked at last.
    has_changed: Arc<AtomicBool>,
    /// Size of network, height and stabilizer that the user wants.
    wanted: (Quality, u32, Stabilizer),
    /// How it paints, where nobody named a size.
    pace: Option<Pace>,
    format: Format,
}

/// How long something took, frame by frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spans {
    n_frames: u32,
    total: Duration,
    /// The longest.
    pub most: Duration,
}

impl Spans {
    /// Takes up those that came after.
    pub fn add(&mut self, later: Self) {
        self.n_frames += later.n_frames;
        self.total += later.total;
        self.most = self.most.max(later.most);
    }

    /// The mean; nothing if there were no frames.
    pub fn mean(&self) -> Option<Duration> {
        self.total.checked_div(self.n_frames)
    }
}

/// Takes up how long a frame took.
fn note(spans: &Mutex<Spans>, took: Duration) {
    let mut spans = spans.lock().expect("nobody panics while counting");
    spans.n_frames += 1;
    spans.total += took;
    spans.most = spans.most.max(took);
}

/// All that was taken up, which is forgotten.
fn take(spans: &Mutex<Spans>) -> Spans {
    std::mem::take(&mut *spans.lock().expect("nobody panics while counting"))
}

impl Painter {
    /// Lets frames of `unpainted` become those of `painted`.
    ///
    /// # Errors
    /// If GStreamer lacks an element, or the style is not understood.
    pub fn start(
        (style_args, steady): (&StyleArgs, &SteadyArgs),
        time: &Time,
        format: Format,
        [unpainted, painted]: [&Arc<Relay>; 2],
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
        style_args.apply(&style)?;
        steady.apply(&style);
        let exit = AppSink::builder().sync(false).max_buffers(1).build();
        let relay = painted.clone();
        let delay = Arc::<Mutex<Spans>>::default();
        let awake_since = Arc::<AtomicU64>::default();
        let (noted, clock, since) = (delay.clone(), time.clone(), awake_since.clone());
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if let Some(buffer) = sample.buffer_owned()
                && let Some(pts) = buffer.pts()
                && (pts + ON_ITS_WAY).nseconds() >= since.load(Ordering::Relaxed)
            {
                note(&noted, clock.now().saturating_sub(pts).into());
                relay.pass(buffer, pts);
            }
            Ok(gst::FlowSuccess::Ok)
        });
        exit.set_callbacks(callbacks.build());
        let elements = [entrance.clone().upcast(), style.clone(), exit.upcast()];
        chain(&pipeline, &elements)?;
        let wanted = (
            style_args.network.quality,
            style_args.processing_size,
            steady.stabilizer,
        );
        let has_changed = Arc::<AtomicBool>::default();
        let noted = has_changed.clone();
        style.connect_notify(Some("active-engine"), move |_, _| {
            noted.store(true, Ordering::Relaxed);
        });
        let painter = Self {
            entrance,
            unpainted: unpainted.clone(),
            work: watch(&style)?,
            stats: follow(&style)?,
            pipeline,
            style,
            delay,
            awake_since,
            time: time.clone(),
            looked: Instant::now(),
            n_came: unpainted.n_passed(),
            has_changed,
            pace: pace(wanted, format),
            wanted,
            format,
        };
        painter.rest(false);
        // If it does not start, the reason is a message on its bus.
        let _ = painter.pipeline.set_state(gst::State::Playing);
        Ok(painter)
    }

    /// Sees to its messages, and that it keeps up.
    ///
    /// # Errors
    /// What stopped it.
    pub fn tend(&mut self) -> anyhow::Result<()> {
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        while let Some(message) = bus.pop() {
            match message.view() {
                gst::MessageView::Error(_) => {
                    return Err(failure::tell(&[message], "".as_ref()));
                }
                gst::MessageView::Warning(warning) => warn(warning.error().message()),
                gst::MessageView::Element(element) => {
                    let step = element.structure();
                    if let Some(step) = step.filter(|found| found.name() == "impasto-quality") {
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
        let elapsed = self.looked.elapsed();
        if elapsed > WINDOW {
            self.looked = Instant::now();
            self.keep_up(elapsed);
        }
        Ok(())
    }

    /// Paints with less effort where the smallest network was too slow in the time that `elapsed`, and with more again when
    /// there is time.
    fn keep_up(&mut self, elapsed: Duration) {
        let work = take(&self.work);
        let n_came = self.unpainted.n_passed();
        let n_new = n_came - std::mem::replace(&mut self.n_came, n_came);
        // Where frames are left out though painting is fast enough, others have the cores: a frame takes as long as it is
        // until the next.
        let is_full = n_new <= u64::from(work.n_frames) + 1;
        let took = work.mean().map(|took| {
            if is_full {
                took
            } else {
                took.max(elapsed / work.n_frames)
            }
        });
        let is_least = self.stat::<String>("quality").as_deref() == Some(Quality::Fast.name());
        let shares = self.shares();
        let has_changed = self.has_changed.swap(false, Ordering::Relaxed);
        let Some(pace) = self.pace.as_mut() else {
            return;
        };
        let now = Instant::now();
        if has_changed {
            pace.arrive(now);
        }
        let (Some(took), Some((network, stabilizer)), true) = (took, shares, is_least) else {
            return;
        };
        let before = pace.way();
        let load = Load {
            took,
            network,
            stabilizer,
        };
        if !pace.note(load, now) {
            return;
        }
        let way = pace.way();
        if !way.needs_opening(&before) {
            pace.arrive(now);
        }
        let mut words = String::new();
        if !way.follows {
            words += ", steadied only where nothing moves";
        }
        if way.n_at_once > 1 {
            words += ", two frames at once";
        }
        eprintln!(
            "painting {} lines high{words}: a frame takes {:.0} ms",
            way.height,
            took.as_secs_f64() * 1000.0
        );
        self.paint(way);
    }

    /// Lets the element paint in a way.
    fn paint(&self, way: Way) {
        // While the picture is lower than it could be, a larger network would only take the time away again.
        let (quality, height) = if way.is_whole {
            (Quality::Auto, 0)
        } else {
            (Quality::Fast, way.height)
        };
        self.style.set_property_from_str("quality", quality.name());
        self.style.set_property("processing-size", height);
        self.style.set_property("max-in-flight", way.n_at_once);
        if self.wanted.2 == Stabilizer::Auto {
            // What the element chooses, it chooses when it opens a network, and keeps.
            let stabilizer = match (way.follows, way.is_whole) {
                (true, true) => Stabilizer::Auto,
                (true, false) => Stabilizer::Flow,
                (false, _) => Stabilizer::Gate,
            };
            self.style
                .set_property_from_str("stabilizer", stabilizer.name());
        }
    }

    /// The shares of a frame's time that go to the network and to the stabilizer.
    fn shares(&self) -> Option<(f64, f64)> {
        let time = |stage: Stage| self.stat::<u64>(&format!("{}-median", stage.name()));
        let [upload, network, stabilizer, download] = Stage::ALL.map(time);
        let (network, stabilizer) = (network? as f64, stabilizer? as f64);
        let whole = network + stabilizer + (upload? + download?) as f64;
        (whole > 0.0).then_some((network / whole, stabilizer / whole))
    }

    /// Paints in a size of network that the user names from now on, or, with `auto`, in what keeps up.
    pub fn set_quality(&mut self, quality: Quality) {
        if quality == self.wanted.0 {
            return;
        }
        self.wanted.0 = quality;
        self.pace = pace(self.wanted, self.format);
        let (_, height, stabilizer) = self.wanted;
        self.style.set_property_from_str("quality", quality.name());
        self.style.set_property("processing-size", height);
        self.style.set_property("max-in-flight", 1_u32);
        self.style
            .set_property_from_str("stabilizer", stabilizer.name());
    }

    /// Takes no more frames, or takes them again.
    pub fn rest(&self, rests: bool) {
        if rests {
            self.unpainted.remove(&self.entrance);
        } else {
            // One that stayed inside when nobody watched is not what is to be seen first.
            let now = self.time.now().nseconds();
            self.awake_since.store(now, Ordering::Relaxed);
            self.unpainted.add(self.entrance.clone());
        }
    }

    /// The element that paints.
    pub fn element(&self) -> &gst::Element {
        &self.style
    }

    /// How long frames have taken since this was asked last.
    pub fn delay(&self) -> Spans {
        take(&self.delay)
    }

    /// A figure of the element's.
    pub fn stat<'a, T>(&self, name: &str) -> Option<T>
    where
        T: for<'b> gst::glib::value::FromValue<'b> + 'static,
    {
        let stats = self.stats.lock().expect("nobody panics while counting");
        stats.as_ref()?.get(name).ok()
    }

    /// Height in pixels that the network works on, where it is not the frame's own.
    pub fn height(&self) -> Option<u32> {
        let way = self.pace.as_ref()?.way();
        (!way.is_whole).then_some(way.height)
    }
}

impl Drop for Painter {
    fn drop(&mut self) {
        // A pipeline that does not stop is beyond help, and the process is about to end.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// What chooses the height, where the user names neither size nor height.
fn pace((quality, height, stabilizer): (Quality, u32, Stabilizer), format: Format) -> Option<Pace> {
    let interval = Duration::from_secs(1) / format.fps as u32;
    let may_hold = stabilizer == Stabilizer::Auto;
    let pace = || Pace::new(format.height, interval, may_hold, Instant::now());
    ((quality, height) == (Quality::Auto, 0)).then(pace)
}

/// Notes how long an element works until it gives a frame.
fn watch(style: &gst::Element) -> anyhow::Result<Arc<Mutex<Spans>>> {
    let work = Arc::<Mutex<Spans>>::default();
    let began = Arc::<Mutex<Option<Instant>>>::default();
    for (name, is_entrance) in [("sink", true), ("src", false)] {
        let (work, began) = (work.clone(), began.clone());
        let pad = style.static_pad(name).context("a filter has two pads")?;
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let mut began = began.lock().expect("nobody panics while counting");
            if is_entrance {
                *began = Some(Instant::now());
            } else if let Some(began) = began.take() {
                note(&work, began.elapsed());
            }
            gst::PadProbeReturn::Ok
        });
    }
    Ok(work)
}

/// Keeps the figures of an element as they are after each frame. Who asks the element itself waits until it has painted
/// what it is at; and where it always paints, for seconds.
fn follow(style: &gst::Element) -> anyhow::Result<Arc<Mutex<Option<gst::Structure>>>> {
    let stats = Arc::<Mutex<Option<gst::Structure>>>::default();
    let kept = stats.clone();
    let pad = style.static_pad("src").context("a filter has two pads")?;
    let style = style.downgrade();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let now = style.upgrade().map(|style| style.property("stats"));
        *kept.lock().expect("nobody panics while counting") = now;
        gst::PadProbeReturn::Ok
    });
    Ok(stats)
}
