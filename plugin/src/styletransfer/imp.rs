/**
 * SECTION:element-styletransfer
 *
 * Repaints video with a style network.
 *
 * ```bash
 * gst-launch-1.0 videotestsrc pattern=ball ! styletransfer style=starry-night ! videoconvert ! autovideosink
 * ```
 */
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_transform::{
    BaseTransformMode, GenerateOutputSuccess, InputBuffer, PrepareOutputBufferSuccess,
};
use gst_base::subclass::prelude::*;

use super::counts::Counts;
use super::ladder::Step;
use super::latency::{self, Latency};
use super::order::Opened;
use super::painter::{Change, Painter, Received};
use super::pool;
use super::settings::{Pace, Settings, Style};
use super::{Engine, Precision, Quality, Stabilizer};
use crate::{error, frame};

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "styletransfer",
        gst::DebugColorFlags::empty(),
        Some("repaints video with a style network"),
    )
});

#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::StyleTransfer)]
pub struct StyleTransfer {
    #[property(name = "style", get = Self::style, set = Self::set_style, type = Option<String>, nullable, nick = "Style",
        blurb = "Name of a bundled or installed style, path of an .onnx file, or a mix of styles of one family: a:0.7+b:0.3 (`impasto styles` lists the names)",
        default = Some(engines::styles::DEFAULT), mutable_playing)]
    #[property(name = "strength", get, set, type = f32, member = strength, nick = "Strength",
        blurb = "How much of the painting replaces the photo: 0 lets frames through untouched, 1 is all paint",
        minimum = 0.0, maximum = 1.0, default = 1.0, controllable, mutable_playing)]
    #[property(name = "keep-colors", get, set, type = bool, member = keep_colors, nick = "Keep colors",
        blurb = "Paint in the colours of the input: its chroma stays, its luma is painted",
        default = false, controllable, mutable_playing)]
    #[property(name = "quality", get, set, type = Quality, member = quality, nick = "Quality",
        blurb = "Size of network, for styles that have several: smaller is faster, larger paints finer",
        builder(Quality::default()).controllable().mutable_playing())]
    #[property(name = "processing-size", get, set, type = u32, member = processing_size, nick = "Processing size",
        blurb = "Height in pixels at which the network works (16 to 8192), 0 = the frame's own; the paint is scaled to the frame, so smaller is faster and gives larger strokes",
        minimum = 0, maximum = 8192, default = 0, controllable, mutable_playing)]
    #[property(name = "precision", get, set, type = Precision, member = precision, nick = "Precision",
        blurb = "Number format in which the network computes",
        builder(Precision::default()).mutable_ready())]
    #[property(name = "engine", get, set, type = Engine, member = engine, nick = "Engine",
        blurb = "Where the network runs; what was asked for by name and is not there is an error that says what is missing (`impasto doctor` tells more). With tensorrt, frames in memory:CUDAMemory stay on the GPU",
        builder(Engine::default()).mutable_ready())]
    #[property(name = "device", get, set, type = u32, member = device, nick = "Device",
        blurb = "Index of the GPU, where the network runs on one (`impasto doctor` lists them)",
        minimum = 0, maximum = 255, default = 0, mutable_ready)]
    #[property(name = "max-in-flight", get, set, type = u32, member = max_in_flight, nick = "Max in flight",
        blurb = "Frames that may be inside the element at once. 1: all cores work on one frame, and no frame waits for the next; n: cores work on several frames, which paints more of them in a second and adds n-1 frame times of latency: for files, and for live streams that would lose frames otherwise",
        minimum = 1, maximum = 8, default = 1, mutable_playing)]
    #[property(name = "stabilizer", get, set, type = Stabilizer, member = stabilizer, nick = "Stabilizer",
        blurb = "How the picture is kept steady: which paint of the frame before is kept, so that it does not flicker",
        builder(Stabilizer::default()).controllable().mutable_playing())]
    #[property(name = "persistence", get, set, type = f32, member = persistence, nick = "Persistence",
        blurb = "Largest share of motion-compensated history at a moving pixel: more is steadier and softer; what does not move keeps more; 0 is the same as stabilizer=off",
        minimum = 0.0, maximum = 0.95, default = engines::Look::default().persistence, controllable, mutable_playing)]
    #[property(name = "exposure-guard", get, set, type = bool, member = exposure_guard, nick = "Exposure guard",
        blurb = "Keep a camera's automatic exposure that hunts for its level (0.3 to 3 Hz) out of the paint",
        default = engines::Look::default().exposure_guard, controllable, mutable_playing)]
    settings: Mutex<Settings>,

    #[property(name = "active-engine", get = Self::active_engine, type = String, nick = "Active engine",
        blurb = "Where and how the network runs: processor, library, number format, size; empty before caps are negotiated")]
    painter: Mutex<Option<Painter>>,

    counts: Counts,
    /// The CUDA context, where frames are on a GPU.
    context: gstcuda::Slot,
    latency: Latency,
}

#[glib::object_subclass]
impl ObjectSubclass for StyleTransfer {
    const NAME: &'static str = "GstStyleTransfer";
    type Type = super::StyleTransfer;
    type ParentType = gst_base::BaseTransform;
}

// Written out and not derived as a whole, because a structure has no derived property.
impl ObjectImpl for StyleTransfer {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let stats = glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                .nick("Statistics")
                .blurb(
                    "Counts since the start: frames-in, frames-out, frames-late (dropped before painting) and frames-reused (those of frames-out that repeat the frame before, and so does their painting); quality: the size of network that runs, empty for a style of one size; median, p95 and p99 of each stage (upload, infer, stabilize, download; of large pictures the network's first layers belong to upload, its last ones to what follows infer) in nanoseconds over the last 300 frames painted in this style: `upload-median`, `stabilize-p95`...",
                )
                .read_only()
                .build();
            StyleTransfer::derived_properties()
                .iter()
                .cloned()
                .chain([stats])
                .collect()
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.derived_set_property(id, value, pspec);
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.counts.stats(self.painter().as_ref()).to_value(),
            _ => self.derived_property(id, pspec),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_qos(true);
    }
}

impl GstObjectImpl for StyleTransfer {}

impl ElementImpl for StyleTransfer {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Style transfer",
                "Filter/Effect/Video",
                "Repaints video in the style of a painting with a neural network",
                "The Impasto developers",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let side = engines::MIN_SIZE_PX as i32..=engines::MAX_SIZE_PX as i32;
            let mut caps = gst_video::VideoCapsBuilder::new()
                .format_list(frame::formats())
                .width_range(side.clone())
                .height_range(side)
                .build();
            if engines::HAS_TENSORRT {
                let mut on_gpu = caps.copy();
                on_gpu
                    .make_mut()
                    .set_features_simple(Some(gst::CapsFeatures::new([gstcuda::FEATURE])));
                caps.merge(on_gpu);
            }
            [
                ("sink", gst::PadDirection::Sink),
                ("src", gst::PadDirection::Src),
            ]
            .into_iter()
            .map(|(name, direction)| {
                gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
                    .expect("name, direction and caps are valid")
            })
            .collect()
        });
        &TEMPLATES
    }

    fn set_context(&self, context: &gst::Context) {
        let device = self.settings().device;
        self.context.set(&*self.obj(), context, device);
        self.parent_set_context(context);
    }
}

impl BaseTransformImpl for StyleTransfer {
    const MODE: BaseTransformMode = BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        self.counts.reset();
        // A style that does not exist is told now, not when the first frame comes.
        let settings = self.settings().clone();
        engines::styles::find(&settings.style.normal, settings.quality())
            .map_err(|error| error::message(&error))?;
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.painter() = None;
        self.context.clear();
        self.latency.set(Duration::ZERO);
        Ok(())
    }

    fn unit_size(&self, caps: &gst::Caps) -> Option<usize> {
        gst_video::VideoInfo::from_caps(caps)
            .map(|info| info.size())
            .ok()
    }

    /// Frames leave where they came. Those in a GPU's memory are taken only where the network runs on one.
    fn transform_caps(
        &self,
        direction: gst::PadDirection,
        caps: &gst::Caps,
        filter: Option<&gst::Caps>,
    ) -> Option<gst::Caps> {
        if self.takes_gpu() {
            return self.parent_transform_caps(direction, caps, filter);
        }
        self.parent_transform_caps(direction, &frame::without_gpu(caps), filter)
    }

    fn accept_caps(&self, direction: gst::PadDirection, caps: &gst::Caps) -> bool {
        (!frame::is_on_gpu(caps) || self.takes_gpu()) && self.parent_accept_caps(direction, caps)
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(incaps)
            .map_err(|_| gst::loggable_error!(CAT, "caps {incaps} are no video"))?;
        let format = frame::format_of(&info).map_err(|reason| {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{reason}"));
            gst::loggable_error!(CAT, "{reason}")
        })?;
        let settings = self.settings().clone();
        let context = frame::is_on_gpu(incaps)
            .then(|| self.context.ensure(&*self.obj(), settings.device))
            .transpose()
            .map_err(|missing| {
                self.post_error_message(error::no_context(&missing));
                gst::loggable_error!(CAT, "{missing}")
            })?;
        let fits = |painter: &Painter| {
            painter.fits(&settings.order(painter.pace()), &format)
                && *painter.info() == info
                && painter.context() == context.as_ref()
        };
        if self.painter().as_ref().is_some_and(fits) {
            return Ok(());
        }
        let pace = Pace::new(&info, self.ask_is_live());
        let order = settings.order(pace);
        let opened = Painter::open(&order, info, format, pace, context, settings.look());
        let mut painter = opened.map_err(|error| {
            self.post_error_message(error::message(&error));
            gst::loggable_error!(CAT, "{error}")
        })?;
        gst::info!(
            CAT,
            imp = self,
            "painting `{}` on {}",
            order.style,
            painter.engine().describe()
        );
        if let Opened {
            quality: Some(quality),
            reason: Some(reason),
            ..
        } = painter.opened()
        {
            gst::info!(CAT, imp = self, "quality=auto chose {quality}: {reason}");
        }
        self.warn(painter.take_remark());
        self.latency
            .set(latency_of(painter.engine().frame_time(), &painter));
        *self.painter() = Some(painter);
        Ok(())
    }

    fn submit_input_buffer(
        &self,
        is_discont: bool,
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.take_controlled_values(&buffer);
        if buffer.flags().contains(gst::BufferFlags::DISCONT) {
            // What was before has nothing to do with what comes.
            self.drain()?;
            self.reset();
        }
        self.counts.n_in.add();
        let settings = self.settings().clone();
        self.switch_passthrough(settings.is_off())?;
        let queued = self.parent_submit_input_buffer(is_discont, buffer)?;
        if queued == gst::FlowSuccess::CustomSuccess {
            self.counts.n_late.add();
            if let Some(painter) = self.painter().as_mut() {
                painter.note_late();
            }
            return Ok(queued);
        }
        self.follow(&settings)?;
        if settings.is_off() {
            return Ok(queued);
        }
        let Some(buffer) = self.take_queued_buffer() else {
            return Ok(queued);
        };
        let submitted = match self.painter().as_mut() {
            Some(painter) => painter.submit(buffer, settings.look()),
            None => return Err(gst::FlowError::NotNegotiated),
        };
        submitted.map_err(|message| self.fail(message))?;
        Ok(gst::FlowSuccess::Ok)
    }

    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        let oldest = self
            .painter()
            .as_ref()
            .and_then(|painter| painter.oldest().cloned());
        let Some(source) = oldest else {
            // Nothing is inside the engine: either there is nothing to do, or the frame goes through.
            let passed = self.parent_generate_output();
            if matches!(passed, Ok(GenerateOutputSuccess::Buffer(_))) {
                self.counts.n_out.add();
            }
            return passed;
        };
        let mut target = match self.prepare_output_buffer(InputBuffer::Readable(&source))? {
            PrepareOutputBufferSuccess::Buffer(buffer) => buffer,
            PrepareOutputBufferSuccess::InputBuffer => {
                source.copy_deep().map_err(|_| gst::FlowError::Error)?
            }
        };
        drop(source);
        let received = match self.painter().as_mut() {
            Some(painter) => painter.receive(target.make_mut()),
            None => return Err(gst::FlowError::Flushing),
        };
        match received.map_err(|message| self.fail(message))? {
            Received::Nothing => return Ok(GenerateOutputSuccess::NoOutput),
            Received::Painted => (),
            Received::Repeated => {
                self.counts.n_reused.add();
            }
        }
        let n_out = self.counts.n_out.add();
        if n_out.is_multiple_of(latency::CHECK_FRAMES) {
            self.check_latency();
        }
        Ok(GenerateOutputSuccess::Buffer(target))
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        use gst::EventView;

        match event.view() {
            EventView::Eos(_) | EventView::Caps(_) | EventView::Segment(_) | EventView::Gap(_) => {
                if let Err(error) = self.drain() {
                    gst::debug!(
                        CAT,
                        imp = self,
                        "draining before {}: {error}",
                        event.type_()
                    );
                }
                if matches!(event.view(), EventView::Segment(_)) {
                    self.reset();
                }
            }
            EventView::FlushStop(_) => self.reset(),
            _ => (),
        }
        self.parent_sink_event(event)
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        if query.type_() == gst::QueryType::Context && self.context.answer(&*self.obj(), query) {
            return true;
        }
        if !BaseTransformImplExt::parent_query(self, direction, query) {
            return false;
        }
        if let gst::QueryViewMut::Latency(answer) = query.view_mut() {
            let (is_live, min, max) = answer.result();
            self.latency.note_live(is_live);
            if is_live && !self.obj().is_passthrough() {
                let own = self.latency.get();
                answer.set(is_live, min + own, max.map(|max| max + own));
            }
        }
        true
    }

    fn propose_allocation(
        &self,
        decide_query: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        self.parent_propose_allocation(decide_query, query)?;
        if decide_query.is_none() {
            return Ok(());
        }
        pool::propose(query, |caps| self.new_pool(caps))
    }

    fn decide_allocation(
        &self,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        pool::decide(query, |caps| self.new_pool(caps))?;
        self.parent_decide_allocation(query)
    }

    fn transform_meta<'a>(
        &self,
        _outbuf: &mut gst::BufferRef,
        _meta: gst::MetaRef<'a, gst::Meta>,
        _inbuf: &'a gst::BufferRef,
    ) -> bool {
        // Size and format stay, so whatever is said about the picture stays true. Metas that describe
        // memory do not come here.
        true
    }
}

impl StyleTransfer {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn painter(&self) -> MutexGuard<'_, Option<Painter>> {
        self.painter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn style(&self) -> Option<String> {
        Some(self.settings().style.text.clone())
    }

    /// Whether frames in a GPU's memory can stay there.
    fn takes_gpu(&self) -> bool {
        if !engines::HAS_TENSORRT || self.settings().engine != Engine::TensorRt {
            return false;
        }
        let loaded = gstcuda::load();
        if let Err(missing) = &loaded {
            gst::debug!(CAT, imp = self, "frames do not stay on a GPU: {missing}");
        }
        loaded.is_ok()
    }

    /// A pool of frames where those of these caps are.
    fn new_pool(&self, caps: &gst::Caps) -> Result<gst::BufferPool, gst::LoggableError> {
        let device = self.settings().device;
        let context = || self.context.ensure(&*self.obj(), device);
        pool::new(caps, context).map_err(|missing| gst::loggable_error!(CAT, "{missing}"))
    }

    /// No name at all stands for the default style.
    fn set_style(&self, style: Option<String>) {
        let text = style.unwrap_or_else(|| engines::styles::DEFAULT.to_owned());
        let style = Style::new(text);
        self.settings().style = style;
    }

    fn active_engine(&self) -> String {
        self.painter()
            .as_ref()
            .map(|painter| painter.engine().describe())
            .unwrap_or_default()
    }

    /// Brings properties that are controlled to their values at the buffer's time.
    fn take_controlled_values(&self, buffer: &gst::BufferRef) {
        let obj = self.obj();
        let segment = obj.segment();
        let Some(segment) = segment.downcast_ref::<gst::ClockTime>() else {
            return;
        };
        if let Some(time) = buffer.pts().and_then(|pts| segment.to_stream_time(pts)) {
            // Fails where nothing is controlled.
            let _ = obj.sync_values(time);
        }
    }

    fn switch_passthrough(&self, is_off: bool) -> Result<(), gst::FlowError> {
        let obj = self.obj();
        if obj.is_passthrough() != is_off {
            // Painted frames leave before those that go through, and are old when painting goes on.
            self.drain()?;
            self.reset();
            gst::debug!(CAT, imp = self, "passthrough: {is_off}");
            obj.set_passthrough(is_off);
            // Upstream may use the pool of downstream only in passthrough; painting needs one of its own.
            obj.reconfigure_sink();
            obj.reconfigure_src();
            if self.latency.is_live() {
                self.post_latency_changed();
            }
        }
        Ok(())
    }

    /// Follows a change of style, quality or size in the background.
    fn follow(&self, settings: &Settings) -> Result<(), gst::FlowError> {
        let has_next = self
            .painter()
            .as_mut()
            .is_some_and(|painter| painter.has_next(&settings.order(painter.pace())));
        if has_next {
            self.drain()?;
        }
        let (order, change, described) = match self.painter().as_mut() {
            Some(painter) => {
                let order = settings.order(painter.pace());
                let change = painter.follow(&order, settings.look());
                if matches!(change, Some(Change::Done(_))) {
                    self.warn(painter.take_remark());
                    self.renew_latency(painter.engine().frame_time(), painter);
                }
                (order, change, painter.engine().describe())
            }
            None => return Ok(()),
        };
        match change {
            None => (),
            Some(Change::Done(step)) => {
                gst::info!(CAT, imp = self, "painting `{}` on {described}", order.style);
                if let Some(step) = step {
                    self.tell(&step);
                }
                self.obj().notify("active-engine");
            }
            Some(Change::Refused(error)) => {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::Settings,
                    ("{error}; painting goes on as before"),
                    ["asked for {order:?}"]
                );
            }
        }
        Ok(())
    }

    fn warn(&self, remark: Option<String>) {
        if let Some(remark) = remark {
            gst::warning!(CAT, imp = self, "{remark}");
        }
    }

    /// Tells of a change of size that nobody asked for by name.
    fn tell(&self, step: &Step) {
        let Step { from, to, reason } = step;
        gst::info!(
            CAT,
            imp = self,
            "quality=auto steps from {from} to {to}: {reason}"
        );
        let message = gst::Structure::builder("impasto-quality")
            .field("from", from.name())
            .field("to", to.name())
            .field("reason", reason.to_string())
            .build();
        let obj = self.obj();
        let message = gst::message::Element::builder(message).src(&*obj).build();
        // Without a bus there is nobody to be told.
        let _ = obj.post_message(message);
    }

    /// Asks upstream whether the stream is live. No lock is held meanwhile, for the answer may come from another thread.
    fn ask_is_live(&self) -> bool {
        let mut query = gst::query::Latency::new();
        if self.obj().sink_pad().peer_query(&mut query) {
            let (is_live, ..) = query.result();
            self.latency.note_live(is_live);
        }
        self.latency.is_live()
    }

    /// Forgets the frames inside the engine, and what it keeps of those before.
    fn reset(&self) {
        if let Some(painter) = self.painter().as_mut() {
            painter.reset();
        }
    }

    /// Pushes every frame inside the engine downstream.
    fn drain(&self) -> Result<(), gst::FlowError> {
        let drained = self.painter().as_mut().map_or(Ok(()), Painter::drain);
        drained.map_err(|message| self.fail(message))?;
        while self
            .painter()
            .as_ref()
            .is_some_and(|painter| painter.oldest().is_some())
        {
            match self.generate_output()? {
                GenerateOutputSuccess::Buffer(buffer) => self.obj().src_pad().push(buffer)?,
                _ => break,
            };
        }
        Ok(())
    }

    fn fail(&self, message: gst::ErrorMessage) -> gst::FlowError {
        self.post_error_message(message);
        gst::FlowError::Error
    }

    /// Tells the pipeline when frames have come to take much longer or shorter than the latency answer says.
    fn check_latency(&self) {
        if let Some(painter) = self.painter().as_ref() {
            let stats = painter.engine().stats();
            let median = engines::Stage::ALL
                .map(|stage| stats.times(stage).median)
                .iter()
                .sum();
            self.renew_latency(median, painter);
        }
    }

    /// The same for what a frame is known to take.
    fn renew_latency(&self, time: Duration, painter: &Painter) {
        if self.latency.renew(latency_of(time, painter)) {
            self.post_latency_changed();
        }
    }

    fn post_latency_changed(&self) {
        let obj = self.obj();
        let _ = obj.post_message(gst::message::Latency::builder().src(&*obj).build());
    }
}

/// What a painter whose frames take `time` adds.
fn latency_of(time: Duration, painter: &Painter) -> Duration {
    latency::of_frames(time, painter.info().fps(), painter.engine().max_in_flight())
}
