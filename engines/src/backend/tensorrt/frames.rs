//! Frames through the GPU: the backend.
//!
//! A frame is packed into page-locked memory, sent, followed, converted to what the network takes, painted, blended with the
//! history, converted back and fetched. Three streams let a frame be followed while the one before is painted, and be uploaded
//! and painted while the one before is shown.

#![expect(unsafe_code, reason = "kernels are given addresses")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};

use cudarc::driver::CudaSlice;

use super::awaited::Awaited;
use super::cache::Entry;
use super::cuda::{Cuda, address};
use super::kernels::{Download, Filter, Frame as KernelFrame, Picture, Upload};
use super::motion::Motion;
use super::scaler::Scaler;
use super::session::Infer;
use super::staging::Staging;
use super::steady::{Painted, Past, Steady};
use crate::backend::values::{MAX_GROWTH, Values};
use crate::backend::{Backend, Done, cpu};
use crate::convert::Arrangement;
use crate::device::GpuContext;
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameFormat, FrameMut, PixelFormat};
use crate::geometry::{Geometry, Window};
use crate::model::Model;
use crate::settings::{Look, Settings};
use crate::stabilizer::{History, Light, Task};
use crate::trunk;

/// A network on a GPU with all that brings frames to it and back.
pub(crate) struct TensorRt {
    network: Box<dyn Infer>,
    steady: Steady,
    scaling: Option<Scaling>,
    /// What is shown.
    target: Staging,
    /// When the network has done each slot.
    events: Vec<Awaited>,
    format: FrameFormat,
    values: Values,
    geometry: Geometry,
    input: Arrangement,
    painted: Arrangement,
    painted_size: (usize, usize),
    is_half: bool,
    description: String,
    /// What is worth a warning about how it was opened.
    pub(super) remark: Option<String>,
    // Last, for all else lives on it.
    cuda: Cuda,
}

/// What is needed where the network works at another size than the frame's.
struct Scaling {
    /// The frame in the network's colours, before it is scaled.
    full: CudaSlice<f32>,
    down: Scaler,
    up: Scaler,
    /// The paint, scaled.
    shown: CudaSlice<f32>,
}

/// A picture of the network's on the GPU.
pub(crate) struct Tensor {
    values: CudaSlice<u8>,
    /// Where its frame comes from, if it is an input.
    frame: Option<Staging>,
}

impl Tensor {
    /// What is to be said of one that is none of the network's input.
    fn no_input() -> Error {
        Error::Runtime {
            action: "sending a frame",
            reason: "the picture is none of the network's input".to_owned(),
        }
    }
}

/// A network on a GPU, ready to run.
pub(super) struct Ready<'a> {
    pub cuda: Cuda,
    pub network: Box<dyn Infer>,
    /// What was made of the model.
    pub entry: &'a Entry,
    pub model: &'a Model,
}

impl TensorRt {
    /// Makes all that brings frames to a network and back.
    ///
    /// # Errors
    /// [`Error::Gpu`], [`Error::Setting`] or [`Error::Style`].
    pub(super) fn new(ready: Ready<'_>, format: &FrameFormat, settings: &Settings) -> Result<Self> {
        let Ready {
            cuda,
            network,
            entry,
            model,
        } = ready;
        let n_slots = settings.checked_slots()?;
        let convention = cpu::measure(model)?;
        let geometry = Geometry::new(
            &convention,
            format.width,
            format.height,
            settings.processing_size,
        )?;
        let trunk = trunk::fitting(model, &geometry, (format.width, format.height));
        let [input, painted] = trunk::arrangements(trunk.as_ref(), convention.layout.value);
        let painted_size = painted
            .size(network.painted_dims())
            .ok_or_else(|| Error::Style {
                name: model.name.clone(),
                reason: format!(
                    "it gives values of shape {:?}, wanted a picture",
                    network.painted_dims()
                ),
            })?;
        let area = |(width, height): (usize, usize)| width as f64 * height as f64;
        let seen = (geometry.padded_width, geometry.padded_height);
        if area(painted_size) > MAX_GROWTH as f64 * area(seen) {
            return Err(Error::Style {
                name: model.name.clone(),
                reason: format!(
                    "it makes {painted_size:?} pixels of {seen:?}, wanted at most {MAX_GROWTH} times as many"
                ),
            });
        }
        let window = geometry.painted_window(painted_size);
        let frame_size = (format.width, format.height);
        let seen = (geometry.window.width, geometry.window.height);
        let shown = (window.width, window.height);
        let scales = seen != frame_size || shown != frame_size;
        let scaling = scales
            .then(|| Scaling::new(&cuda, frame_size, seen, shown))
            .transpose()?;
        let event = || cuda.new_awaited();
        let description = format!(
            "tensorrt: {} on {}, {}{}, {}x{}",
            entry.built_by,
            cuda.name,
            entry
                .quality
                .iter()
                .map(|quality| format!("{quality}, "))
                .collect::<String>(),
            entry.precision,
            painted_size.0,
            painted_size.1
        );
        Ok(Self {
            network,
            steady: Steady::new(&cuda, format, shown, settings.frame_interval)?,
            scaling,
            target: Staging::new(&cuda, format)?,
            events: (0..n_slots).map(|_| event()).collect::<Result<_>>()?,
            format: *format,
            values: Values::new(format, &convention, trunk.as_ref()),
            geometry,
            input,
            painted,
            painted_size,
            is_half: entry.is_half(),
            description,
            remark: None,
            cuda,
        })
    }

    /// Bytes of a picture of this size.
    fn n_bytes(&self, (width, height): (usize, usize)) -> usize {
        3 * width * height * if self.is_half { 2 } else { 4 }
    }

    /// The window of the network's output.
    fn painted_window(&self) -> Window {
        self.geometry.painted_window(self.painted_size)
    }

    /// What the network sees.
    fn seen(&self, input: &Tensor) -> Picture {
        let Geometry {
            padded_width,
            padded_height,
            window,
        } = self.geometry;
        let size = (padded_width, padded_height);
        Picture::new(
            address(&input.values),
            size,
            window,
            self.input,
            self.is_half,
        )
    }

    /// What the network gave.
    fn given(&self, painted: &Tensor) -> Picture {
        Picture::new(
            address(&painted.values),
            self.painted_size,
            self.painted_window(),
            self.painted,
            self.is_half,
        )
    }

    /// Whether the photo shows through.
    fn needs_source(&self, look: Look) -> bool {
        let has_alpha = matches!(self.format.pixels, PixelFormat::Rgba | PixelFormat::Bgra);
        look.strength < 1.0 || look.keep_colors || has_alpha
    }
}

impl Scaling {
    /// Between frames, what the network sees of them and what it gives.
    fn new(
        cuda: &Cuda,
        frame: (usize, usize),
        seen: (usize, usize),
        given: (usize, usize),
    ) -> Result<Self> {
        Ok(Self {
            full: cuda.alloc(3 * frame.0 * frame.1)?,
            down: Scaler::new(cuda, frame, seen, Filter::Triangle)?,
            up: Scaler::new(cuda, given, frame, Filter::CatmullRom)?,
            shown: cuda.alloc(3 * frame.0 * frame.1)?,
        })
    }
}

impl Drop for TensorRt {
    fn drop(&mut self) {
        // What is under way uses memory that is about to go. Where the GPU no longer answers, nothing is.
        let _ = self.cuda.finish();
    }
}

impl Backend for TensorRt {
    type Tensor = Tensor;
    type Motion = Motion;
    type Past = Past;
    type Held<'a> = Infallible;

    fn alloc_input(&mut self) -> Result<Tensor> {
        let Geometry {
            padded_width,
            padded_height,
            ..
        } = self.geometry;
        Ok(Tensor {
            values: self
                .cuda
                .alloc(self.n_bytes((padded_width, padded_height)))?,
            frame: Some(Staging::new(&self.cuda, &self.format)?),
        })
    }

    fn alloc_painted(&mut self) -> Result<Tensor> {
        Ok(Tensor {
            values: self.cuda.alloc(self.n_bytes(self.painted_size))?,
            frame: None,
        })
    }

    fn alloc_motion(&mut self) -> Result<Motion> {
        self.steady.tracker.alloc_motion(&self.cuda)
    }

    fn send(&mut self, frame: &Frame<'_>, input: &mut Tensor) -> Result<()> {
        self.cuda.bind()?;
        let staging = input.frame.as_mut().ok_or_else(Tensor::no_input)?;
        staging.send(&self.cuda.following, frame)
    }

    fn follow(
        &mut self,
        _: &Frame<'_>,
        input: &Tensor,
        task: Task,
        motion: &mut Motion,
    ) -> Result<Light> {
        let staging = input.frame.as_ref().ok_or_else(Tensor::no_input)?;
        let frame = staging.frame(&self.format);
        let tracker = &mut self.steady.tracker;
        // SAFETY: it was sent by that stream, in that format.
        unsafe { tracker.follow(&self.cuda, frame, task, motion) }
    }

    fn forget(&mut self) {
        self.steady.forget();
    }

    fn upload(&mut self, _: &Frame<'_>, light: Light, input: &mut Tensor) -> Result<()> {
        let seen = self.seen(input);
        let stream = &self.cuda.coming;
        let staging = input.frame.as_ref().ok_or_else(Tensor::no_input)?;
        staging.hold_back(stream)?;
        let size = (self.format.width, self.format.height);
        let full = self.scaling.as_ref();
        let job = Upload {
            frame: staging.frame(&self.format),
            map: self.values.relit(light),
            picture: full.map_or(seen, |scaling| {
                Picture::planes(address(&scaling.full), size)
            }),
        };
        // SAFETY: frame and pictures were made in these sizes, and are used on this stream until the network has run.
        unsafe {
            self.cuda.launch(stream, "upload", &job, job.grid())?;
            if let Some(scaling) = &self.scaling {
                scaling.down.scale(&self.cuda, stream, job.picture, seen)?;
            }
        }
        Ok(())
    }

    fn infer(&mut self, slot_idx: usize, input: &Tensor, painted: &mut Tensor) -> Result<()> {
        let (from, to) = (address(&input.values), address(&painted.values));
        // SAFETY: both were made for this network, and belong to it until the slot has been waited for.
        unsafe { self.network.run(&self.cuda, from, to)? };
        self.events[slot_idx].record(&self.cuda.coming)
    }

    fn wait(&mut self, slot_idx: usize) -> Result<()> {
        self.events[slot_idx].wait()
    }

    fn blend<'a>(
        &mut self,
        tensor: &'a Tensor,
        motion: Option<&'a Motion>,
    ) -> Result<Done<'a, Self>> {
        self.cuda.bind()?;
        let painted = Painted {
            picture: self.given(tensor),
            bounds: self.values.bounds,
            is_bgr: self.values.is_bgr,
        };
        Ok(match self.steady.blend(&self.cuda, &painted, motion)? {
            true => Done::Blended,
            false => Done::Painted(tensor),
        })
    }

    fn hand_over(&mut self) -> Option<Past> {
        self.steady.hand_over(&self.cuda)
    }

    fn take_over(&mut self, past: Past) -> bool {
        self.steady.take_over(&self.cuda, past)
    }

    fn is_fading(&self) -> bool {
        self.steady.is_fading()
    }

    fn download(
        &mut self,
        done: Done<'_, Self>,
        input: &Tensor,
        _: &Frame<'_>,
        look: Look,
        target: &mut FrameMut<'_>,
    ) -> Result<()> {
        self.cuda.bind()?;
        let stream = &self.cuda.going;
        let (mut shown, map, mut bounds) = match done {
            Done::Painted(painted) => (
                self.given(painted),
                self.values.from_network,
                self.values.bounds,
            ),
            Done::Blended => (
                self.steady.history(),
                self.values.from_history,
                (0.0, History::WHITE),
            ),
            Done::Held(never) => match never {},
        };
        let photo = if self.needs_source(look) {
            let staging = input.frame.as_ref().ok_or_else(Tensor::no_input)?;
            staging.hold_back(stream)?;
            staging.frame(&self.format)
        } else {
            KernelFrame::new(&self.format, &[])
        };
        if let Some(scaling) = &self.scaling {
            let size = (self.format.width, self.format.height);
            let full = Picture::planes(address(&scaling.shown), size);
            // SAFETY: both were made in these sizes, and are used on this stream alone.
            unsafe { scaling.up.scale(&self.cuda, stream, shown, full)? };
            shown = full;
            if self.format.pixels.packed().is_none() {
                // What scaling adds beyond black and white is cut where codes end, as on the CPU.
                bounds = (f32::NEG_INFINITY, f32::INFINITY);
            }
        }
        let job = Download {
            shown,
            map,
            low: bounds.0,
            high: bounds.1,
            source: photo,
            target: match target.device() {
                Some(bytes) => {
                    let planes = bytes
                        .planes
                        .map(|plane| (plane.address, plane.stride_bytes));
                    KernelFrame::new(&self.format, &planes)
                }
                None => self.target.frame(&self.format),
            },
            strength: look.strength,
            keep_colors: look.keep_colors.into(),
            luma: self.format.matrix.luma(),
        };
        let (kernel, grid) = job.kernel();
        // SAFETY: pictures and frames were made in these sizes; the photo is read only where the look needs it. For a frame
        // of others its maker vouches.
        unsafe { self.cuda.launch(stream, kernel, &job, grid)? };
        match target.device() {
            // Whoever has it may look at it when this returns.
            Some(_) => self.target.catch_up(stream),
            None => self.target.fetch(stream, target),
        }
    }

    fn describe(&self) -> String {
        self.description.clone()
    }

    fn take_remark(&mut self) -> Option<String> {
        // Once is enough: what is wrong with a disk is wrong for all engines.
        static IS_SAID: AtomicBool = AtomicBool::new(false);
        self.remark
            .take()
            .filter(|_| !IS_SAID.swap(true, Ordering::Relaxed))
    }

    fn context(&self) -> Option<&GpuContext> {
        self.cuda.given()
    }
}
