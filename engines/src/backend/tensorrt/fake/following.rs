//! Frames followed on the GPU beside the same frames followed by the definitions.

#![expect(unsafe_code, reason = "memory of the GPU is copied")]

use std::time::Duration;

use cudarc::driver::result::memcpy_dtoh_async;

use super::super::cuda::Cuda;
use super::super::flow::Flow;
use super::super::kernels::Address;
use super::super::motion::Motion;
use super::super::pyramid::Pyramid;
use super::super::staging::Staging;
use super::super::tracker::Tracker;
use super::clip::clip;
use super::scenes::{Scene, sintel, synthetic};
use super::with_driver;
use crate::convert::video::{Video, format};
use crate::frame::{FrameFormat, PixelFormat};
use crate::stabilizer::pyramid::Pyramid as Twin;
use crate::stabilizer::{self, FLOW_LEVEL, FlowField, Light, Task, flow_between, luma};

const INTERVAL: Duration = Duration::from_millis(40);

/// Values that lie on the GPU, once its streams have done all they had to.
fn fetched(cuda: &Cuda, address: Address, n_values: usize) -> Vec<f32> {
    let mut values = vec![f32::NAN; n_values];
    cuda.finish().unwrap();
    // SAFETY: what is not page-locked is copied before the call returns; the driver checks the rest.
    unsafe { memcpy_dtoh_async(&mut values, address, cuda.following.cu_stream()) }.unwrap();
    values
}

/// A frame on its way to the GPU.
fn sent(cuda: &Cuda, video: &Video) -> Staging {
    let mut staging = Staging::new(cuda, &video.format).unwrap();
    staging.send(&cuda.following, &video.frame()).unwrap();
    staging
}

/// Flow as the GPU finds it, in the form of the definition's.
fn flow_on_gpu(cuda: &Cuda, scene: &Scene) -> FlowField {
    let format = scene.format();
    let step = luma::step(&format);
    let twin = Twin::new(format.width / step, format.height / step);
    let pyramids = scene.frames.each_ref().map(|video| {
        let frame = sent(cuda, video);
        let mut pyramid = Pyramid::new(cuda, &format, &twin).unwrap();
        // SAFETY: it was sent by that stream, and stays until it has been read.
        unsafe { pyramid.read(cuda, frame.frame(&format)) }.unwrap();
        cuda.finish().unwrap();
        pyramid
    });
    let level = &twin.levels[FLOW_LEVEL];
    let (width, height) = (level.width, level.height);
    let mut flow = Flow::new(cuda, &twin).unwrap();
    flow.find(cuda, &pyramids[0], &pyramids[1]).unwrap();
    let cell_px = step << FLOW_LEVEL;
    let mut steps = fetched(cuda, flow.address(), 4 * width * height);
    steps.iter_mut().for_each(|step| *step *= cell_px as f32);
    FlowField {
        width,
        height,
        cell_px,
        u: steps[..width * height].to_vec(),
        v: steps[width * height..2 * width * height].to_vec(),
        time: Duration::ZERO,
        pyramids_time: Duration::ZERO,
    }
}

/// Mean end-point error in pixels, and the share of pixels that are no further off than one.
fn error(field: &FlowField, scene: &Scene) -> [f32; 2] {
    let width = scene.format().width;
    let (mut sum, mut n_near, mut n) = (0.0_f64, 0.0, 0.0);
    for (idx, step) in scene.steps.iter().enumerate() {
        let Some([u, v]) = step else {
            continue;
        };
        let cell = |at: usize, n_cells: usize| (at / field.cell_px).min(n_cells - 1);
        let cell = cell(idx / width, field.height) * field.width + cell(idx % width, field.width);
        let off = (field.u[cell] - u).hypot(field.v[cell] - v);
        sum += f64::from(off);
        n_near += if off <= 1.0 { 1.0 } else { 0.0 };
        n += 1.0;
    }
    [(sum / n) as f32, (n_near / n) as f32]
}

#[test]
fn flow_is_as_near_to_the_truth_as_the_definition() {
    with_driver(|_| {
        let cuda = Cuda::open(0, None).unwrap();
        let scenes = sintel().into_iter().map(|(scene, _)| scene);
        for scene in synthetic().into_iter().chain(scenes) {
            let [older, newer] = scene.frames.each_ref().map(Video::frame);
            let wanted = error(&flow_between(&older, &newer), &scene);
            let found = error(&flow_on_gpu(&cuda, &scene), &scene);
            println!(
                "{}: {found:?} px and share, definition {wanted:?}",
                scene.name
            );
            // Where most is not found anyway, chance decides on how far off it is.
            let [most, least] = if wanted[0] < 3.0 {
                [1.05, 0.97]
            } else {
                [1.35, 0.95]
            };
            assert!(found[0] <= most * wanted[0] + 0.01, "{}", scene.name);
            assert!(found[1] >= least * wanted[1], "{}", scene.name);
        }
    });
}

/// A tracker on the GPU beside the definition.
struct Both {
    cuda: Cuda,
    found: (Tracker, Motion),
    wanted: (stabilizer::Tracker, stabilizer::Motion),
}

/// How far off a frame's motion is.
#[derive(Debug, Default)]
struct Off {
    /// Mean share of history, as found and as wanted.
    kept: [f32; 2],
    /// Mean and largest difference of shares.
    mean_share: f32,
    largest_share: f32,
    /// Mean difference in cells of steps where both keep history.
    mean_step: f32,
}

impl Both {
    fn new(format: &FrameFormat) -> Self {
        let cuda = Cuda::open(0, None).unwrap();
        let tracker = Tracker::new(&cuda, format, INTERVAL).unwrap();
        let motion = tracker.alloc_motion(&cuda).unwrap();
        Self {
            cuda,
            found: (tracker, motion),
            wanted: (
                stabilizer::Tracker::new(format, INTERVAL),
                stabilizer::Motion::default(),
            ),
        }
    }

    /// Follows a frame with both: light as found and as wanted, and how far off the rest is if it is not fresh.
    fn follow(&mut self, video: &Video, task: Task) -> ([Light; 2], Option<Off>) {
        let Self {
            cuda,
            found: (tracker, motion),
            wanted: (twin, wanted),
        } = self;
        let staging = sent(cuda, video);
        let frame = staging.frame(&video.format);
        // SAFETY: it was sent by that stream, in the tracker's format.
        let light = unsafe { tracker.follow(cuda, frame, task, motion) }.unwrap();
        let lights = [light, twin.follow(&video.frame(), task, wanted)];
        assert_eq!(motion.is_fresh, wanted.is_fresh);
        cuda.finish().unwrap();
        let off = (!motion.is_fresh).then(|| {
            assert_eq!(motion.size, (wanted.width, wanted.height));
            let n_cells = wanted.share.len();
            let [u, v, share] = motion.planes().map(|plane| fetched(cuda, plane, n_cells));
            off([&u, &v, &share], wanted)
        });
        (lights, off)
    }
}

fn off([u, v, share]: [&[f32]; 3], wanted: &stabilizer::Motion) -> Off {
    let n_cells = share.len() as f32;
    let mut off = Off::default();
    let mut n_kept = 0.0;
    for idx in 0..share.len() {
        let far = (share[idx] - wanted.share[idx]).abs();
        off.mean_share += far / n_cells;
        off.largest_share = off.largest_share.max(far);
        off.kept[0] += share[idx] / n_cells;
        off.kept[1] += wanted.share[idx] / n_cells;
        if share[idx].min(wanted.share[idx]) > 0.1 {
            n_kept += 1.0;
            off.mean_step += (u[idx] - wanted.u[idx]).hypot(v[idx] - wanted.v[idx]);
        }
    }
    off.mean_step /= f32::max(n_kept, 1.0);
    off
}

#[test]
fn what_is_kept_is_what_the_definition_keeps() {
    with_driver(|_| {
        let panning = clip(format(PixelFormat::Nv12, 480, 352));
        let clips = sintel().into_iter();
        let clips = clips.map(|(scene, clip)| (scene.name, clip));
        for (name, clip) in [("panning".to_owned(), panning)].into_iter().chain(clips) {
            for with_flow in [false, true] {
                let task = Task {
                    with_flow,
                    persistence: 0.8,
                    guard: true,
                };
                let mut both = Both::new(&clip[0].format);
                for (idx, video) in clip.iter().enumerate() {
                    let ([found, wanted], off) = both.follow(video, task);
                    assert!((found.gain - wanted.gain).abs() < 1e-5, "{name} {idx}");
                    assert!((found.offset - wanted.offset).abs() < 1e-3, "{name} {idx}");
                    let Some(off) = off else {
                        continue;
                    };
                    println!("{name} {idx} {with_flow}: {off:?}");
                    if with_flow {
                        // Cells whose flow differs a little may be believed a little more or less.
                        let [found, wanted] = off.kept;
                        assert!((found - wanted).abs() <= 0.03, "{name} {idx}: {off:?}");
                        assert!(off.mean_share <= 0.1, "{name} {idx}: {off:?}");
                        assert!(off.mean_step <= 0.25, "{name} {idx}: {off:?}");
                    } else {
                        assert!(off.largest_share <= 1e-4, "{name} {idx}: {off:?}");
                        assert_eq!(off.mean_step, 0.0, "{name} {idx}: {off:?}");
                    }
                }
            }
        }
    });
}

#[test]
fn what_went_before_a_reset_is_forgotten() {
    with_driver(|_| {
        let clip = clip(format(PixelFormat::Nv12, 144, 96));
        let task = Task {
            with_flow: true,
            persistence: 0.8,
            guard: true,
        };
        let mut both = Both::new(&clip[0].format);
        assert!(both.follow(&clip[0], task).1.is_none());
        assert!(both.follow(&clip[1], task).1.is_some());
        both.found.0.reset();
        both.wanted.0.reset();
        assert!(both.follow(&clip[2], task).1.is_none());
        assert!(both.follow(&clip[3], task).1.is_some());
    });
}
