//! Frames that are on the GPU already, in a context that others made.

use std::ffi::c_void;
use std::sync::Arc;

use cudarc::driver::CudaSlice;

use super::super::cuda::{Cuda, address};
use super::case::{Case, EVEN, ODD};
use super::clip::{clip, play};
use super::{Driver, Hurry, with_driver};
use crate::convert::video::{Video, largest_difference};
use crate::device::{DeviceFrame, DevicePlane, GpuContext};
use crate::engine::Engine;
use crate::error::Error;
use crate::frame::{Frame, FrameMut, PixelFormat};
use crate::settings::{Look, Stabilizer};

/// Bytes before a frame, and between its rows: no multiple of anything.
const BEFORE: usize = 3;
const BETWEEN: usize = 7;
/// What is there.
const UNTOUCHED: u8 = 0xA5;

/// A context that others made, which goes when nobody has it any more.
struct Owner {
    handle: usize,
    destroy: unsafe extern "C" fn(*mut c_void) -> i32,
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: it was made by the same driver, and nobody has it any more.
        let result = unsafe { (self.destroy)(std::ptr::with_exposed_provenance_mut(self.handle)) };
        assert_eq!(result, 0);
    }
}

impl Driver {
    /// Makes a context, as GStreamer does.
    fn new_context(&self) -> GpuContext {
        type Create = unsafe extern "C" fn(*mut *mut c_void, u32, i32) -> i32;
        let mut context = std::ptr::null_mut();
        // SAFETY: `driver.cpp` has these functions, and is never unloaded.
        unsafe {
            let create = self.0.get::<Create>(b"cuCtxCreate_v2").unwrap();
            assert_eq!(create(&raw mut context, 0, 0), 0);
            let pop = self
                .0
                .get::<unsafe extern "C" fn(*mut *mut c_void) -> i32>(b"cuCtxPopCurrent_v2");
            assert_eq!(pop.unwrap()(&raw mut context), 0);
            let destroy = *self.0.get(b"cuCtxDestroy_v2").unwrap();
            let handle = context.expose_provenance();
            GpuContext::new(handle, Arc::new(Owner { handle, destroy }))
        }
    }

    /// Contexts that were made and are left.
    fn n_contexts(&self) -> usize {
        // SAFETY: `driver.cpp` has this function.
        let count = unsafe {
            self.0
                .get::<unsafe extern "C" fn() -> usize>(b"fake_count_contexts")
        };
        // SAFETY: it can be called at any time.
        unsafe { count.unwrap()() }
    }
}

/// A frame on the GPU.
struct There {
    memory: CudaSlice<u8>,
    like: Video,
    context: usize,
}

impl There {
    /// Room for a frame like this one; its bytes, if `is_filled`.
    fn new(cuda: &Cuda, video: &Video, is_filled: bool) -> Self {
        let like = Video {
            format: video.format,
            planes: video.planes.clone(),
        };
        let made = Self {
            memory: cuda.alloc(BEFORE + Self::n_bytes(&like)).unwrap(),
            context: cuda.given().unwrap().handle(),
            like,
        };
        let bytes = made.bytes();
        bytes.fill(UNTOUCHED);
        if is_filled {
            made.for_rows(|at, row| bytes[at..at + row.len()].copy_from_slice(row));
        }
        made
    }

    fn n_bytes(video: &Video) -> usize {
        (0..video.format.pixels.n_planes())
            .map(|idx| {
                let (width, n_rows) = Self::size(video, idx);
                (width + BETWEEN) * n_rows
            })
            .sum()
    }

    fn size(video: &Video, plane_idx: usize) -> (usize, usize) {
        let format = video.format;
        format
            .pixels
            .plane_size(plane_idx, format.width, format.height)
    }

    /// Calls something with each row of the video that it is like, and with where the row's twin begins.
    fn for_rows(&self, mut act: impl FnMut(usize, &[u8])) {
        let mut at = BEFORE;
        for (idx, (data, stride)) in self.like.planes.iter().enumerate() {
            let (width, n_rows) = Self::size(&self.like, idx);
            for row in data.chunks(*stride).take(n_rows) {
                act(at, &row[..width]);
                at += width + BETWEEN;
            }
        }
    }

    /// The fake GPU's memory is this machine's.
    #[expect(clippy::mut_from_ref, reason = "it is memory of others")]
    fn bytes(&self) -> &mut [u8] {
        let at = std::ptr::with_exposed_provenance_mut(address(&self.memory) as usize);
        // SAFETY: it is as long, and nothing else uses it meanwhile.
        unsafe { std::slice::from_raw_parts_mut(at, self.memory.len()) }
    }

    fn frame(&self) -> DeviceFrame<'_> {
        let mut start = address(&self.memory) + BEFORE as u64;
        let planes: Vec<_> = (0..self.like.format.pixels.n_planes())
            .map(|idx| {
                let (width, n_rows) = Self::size(&self.like, idx);
                let plane = DevicePlane {
                    address: start,
                    stride_bytes: width + BETWEEN,
                };
                start += (plane.stride_bytes * n_rows) as u64;
                plane
            })
            .collect();
        // SAFETY: it is laid out so, and nothing else uses it meanwhile.
        unsafe { DeviceFrame::new(self.like.format, self.context, &planes) }.unwrap()
    }

    /// The frame, once nothing was written beside it.
    fn take(self) -> Video {
        let bytes = self.bytes();
        let mut video = Video::new(self.like.format, 3, |_, _, _| 0);
        let mut rows = Vec::new();
        self.for_rows(|at, row| rows.push((at, row.len())));
        let mut untouched = bytes.to_vec();
        for &(at, n_bytes) in &rows {
            untouched[at..at + n_bytes].fill(UNTOUCHED);
        }
        assert!(untouched.iter().all(|&byte| byte == UNTOUCHED));
        let mut targets = video.frame_mut();
        for (target, (at, n_bytes)) in targets.rows_mut().zip(rows) {
            target.copy_from_slice(&bytes[at..at + n_bytes]);
        }
        video
    }
}

/// Which frames are on the GPU.
#[derive(Clone, Copy, Debug)]
struct OnGpu {
    sources: bool,
    targets: bool,
}

/// Paints a clip as `play` does, with frames on the GPU; what is on the GPU when it is submitted is overwritten at once.
fn play_on_gpu(engine: &mut dyn Engine, cuda: &Cuda, clip: &[Video], which: OnGpu) -> Vec<Video> {
    let mut paintings = Vec::new();
    for n_in in 1..=clip.len() {
        let source = &clip[n_in - 1];
        if which.sources {
            let there = There::new(cuda, source, true);
            engine.submit(&Frame::on_gpu(there.frame())).unwrap();
            there.bytes().fill(0);
        } else {
            engine.submit(&source.frame()).unwrap();
        }
        if n_in == clip.len() {
            engine.drain().unwrap();
        }
        while paintings.len() < n_in && engine.is_ready() {
            let source = &clip[paintings.len()];
            if which.targets {
                let there = There::new(cuda, source, false);
                let mut target = FrameMut::on_gpu(there.frame());
                assert!(engine.receive(&source.frame(), &mut target).unwrap());
                paintings.push(there.take());
            } else {
                let mut painting = Video::new(source.format, 3, |_, _, _| 0);
                let received = engine.receive(&source.frame(), &mut painting.frame_mut());
                assert!(received.unwrap());
                paintings.push(painting);
            }
        }
    }
    paintings
}

#[test]
fn frames_on_the_gpu_are_painted_as_those_of_this_machine() {
    let looks = [
        Look::default(),
        Look {
            strength: 0.6,
            ..Look::default()
        },
        Look {
            keep_colors: true,
            stabilizer: Stabilizer::Gate,
            ..Look::default()
        },
    ];
    with_driver(|driver| {
        let formats = [
            PixelFormat::Nv12,
            PixelFormat::I420,
            PixelFormat::P010,
            PixelFormat::Rgba,
            PixelFormat::Bgr,
        ];
        for (idx, pixels) in formats.into_iter().enumerate() {
            for (size, max_in_flight) in [(EVEN, 1), (ODD, 3)] {
                let case = Case {
                    pixels,
                    size,
                    max_in_flight,
                    look: looks[(idx + max_in_flight) % looks.len()],
                    ..Case::default()
                };
                check(driver, &case, Hurry::Nothing);
            }
        }
        for hurry in Hurry::ALL {
            let case = Case {
                size: ODD,
                max_in_flight: 3,
                processing_size: 48,
                look: looks[1],
                ..Case::default()
            };
            check(driver, &case, hurry);
        }
    });
}

fn check(driver: &Driver, case: &Case, hurry: Hurry) {
    let clip = clip(case.format());
    let wanted = play(&mut *case.on_gpu(), &clip, None).unwrap();
    driver.hurry(hurry);
    for (sources, targets) in [(true, true), (true, false), (false, true), (false, false)] {
        let context = driver.new_context();
        let cuda = Cuda::open(0, Some(&context)).unwrap();
        let mut engine = case.on_gpu_in(Some(context));
        let which = OnGpu { sources, targets };
        let found = play_on_gpu(&mut *engine, &cuda, &clip, which);
        assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(&wanted) {
            let found = largest_difference(found, wanted);
            assert_eq!(found, 0.0, "{which:?} {hurry:?} {case:?}");
        }
        let before = driver.n_allocated();
        engine.submit(&clip[0].frame()).unwrap();
        assert_eq!(driver.n_allocated(), before, "a frame cost memory");
        drop(cuda);
        assert_eq!(driver.n_contexts(), 1, "the engine keeps its context");
        drop(engine);
        assert_eq!((driver.live(), driver.n_contexts()), ([0, 0], 0));
    }
    driver.hurry(Hurry::Nothing);
}

#[test]
fn frames_of_other_contexts_are_refused() {
    with_driver(|driver| {
        let case = Case::default();
        let clip = clip(case.format());
        let [own, other] = [driver.new_context(), driver.new_context()];
        let cuda = Cuda::open(0, Some(&other)).unwrap();
        let there = There::new(&cuda, &clip[0], true);
        let engines = [case.on_gpu_in(Some(own)), case.on_gpu(), case.on_cpu()];
        for mut engine in engines {
            let refused = engine.submit(&Frame::on_gpu(there.frame()));
            assert!(matches!(refused, Err(Error::ForeignFrame)), "{refused:?}");
            engine.submit(&clip[0].frame()).unwrap();
            engine.drain().unwrap();
            let mut target = FrameMut::on_gpu(there.frame());
            let refused = engine.receive(&clip[0].frame(), &mut target);
            assert!(matches!(refused, Err(Error::ForeignFrame)), "{refused:?}");
            // The frame is still there.
            let mut painting = Video::new(case.format(), 3, |_, _, _| 0);
            let received = engine.receive(&clip[0].frame(), &mut painting.frame_mut());
            assert!(received.unwrap());
        }
    });
}

#[test]
fn paint_goes_from_engine_to_engine_within_a_context() {
    with_driver(|driver| {
        let case = Case::default();
        let clip = clip(case.format());
        let context = driver.new_context();
        let mut old = case.on_gpu_in(Some(context.clone()));
        play(&mut *old, &clip[..1], None).unwrap();
        let past = old.hand_over().expect("it has painted");
        drop(old);
        let mut new = case.on_gpu_in(Some(context.clone()));
        new.take_over(past);
        let taken = play(&mut *new, &clip[1..2], None).unwrap();
        // Another context's memory is none of its own.
        let past = new.hand_over().expect("it has painted");
        let mut elsewhere = case.on_gpu();
        elsewhere.take_over(past);
        let alone = play(&mut *elsewhere, &clip[1..2], None).unwrap();
        let wanted = play(&mut *case.on_gpu(), &clip[1..2], None).unwrap();
        assert_eq!(largest_difference(&alone[0], &wanted[0]), 0.0);
        assert!(largest_difference(&taken[0], &wanted[0]) > 0.0);
        drop((new, elsewhere, context));
        assert_eq!((driver.live(), driver.n_contexts()), ([0, 0], 0));
    });
}
