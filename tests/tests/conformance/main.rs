//! One suite of statements about how frames go through a network, kept by every backend.
//!
//! The networks are tiny and made by code, so that what comes out is known: it is computed a second time, plainly and
//! in f64, and may differ by the backend's tolerance.

#![forbid(unsafe_code)]

mod convention;
mod format;
mod look;
mod order;
mod size;

use engines::{Engine, FrameFormat, Look, Matrix, Model, PixelFormat, Range, Settings, Sidecar};
use tests::difference;
use tests::network::Network;
use tests::painting::{F32, FRAME_BY_FRAME, paint};
use tests::picture::Picture;

/// A backend under test.
pub struct Backend {
    /// How engines are opened on it.
    pub open: fn(&Model, &FrameFormat, &Settings) -> engines::Result<Box<dyn Engine>>,
    /// Largest difference from the reference, in codes of the frame's format.
    pub tolerance: u16,
}

/// The CPU computes in f32: what is left is which way a half is rounded.
pub const CPU: Backend = Backend {
    open: engines::open,
    tolerance: 1,
};

macro_rules! suite {
    ($name:ident, $backend:expr) => {
        suite! { $name, $backend,
            convention: [every_convention_is_kept, instance_normalisation_sees_the_whole_picture],
            format: [every_format_of_every_size_is_painted, every_colour_space_is_painted,
                colours_beyond_the_screen_are_cut],
            look: [strength_fades_in_codes, strength_zero_is_the_photo, keep_colors_paints_luma_only,
                a_look_counts_from_the_next_received_frame],
            order: [a_second_submit_finds_no_slot, nothing_is_received_before_a_submit,
                frames_of_another_format_are_refused, reset_drops_the_frame, frames_and_times_are_counted,
                an_engine_goes_on_after_a_refused_frame, engines_side_by_side_do_not_mix],
            size: [the_border_is_reflected_to_the_last_pixel, borders_wider_than_the_picture_fold,
                alignment_is_measured_and_hidden, fixed_sizes_are_scaled_to, outputs_a_few_pixels_off_are_fitted,
                outputs_twice_or_half_the_size_are_fitted,
                processing_size_is_the_networks_height, processing_sizes_out_of_range_are_refused],
        }
    };
    ($name:ident, $backend:expr, $($module:ident: [$($statement:ident),+]),+ $(,)?) => {
        mod $name {
            $($(
                #[test]
                fn $statement() {
                    crate::$module::$statement(&$backend);
                }
            )+)+
        }
    };
}

suite!(cpu, crate::CPU);

impl Backend {
    /// Opens a network made by code, to paint frame by frame.
    fn engine(&self, network: Network, sidecar: &Sidecar, format: &FrameFormat) -> Box<dyn Engine> {
        self.engine_with(network, sidecar, format, &F32)
    }

    fn engine_with(
        &self,
        network: Network,
        sidecar: &Sidecar,
        format: &FrameFormat,
        settings: &Settings,
    ) -> Box<dyn Engine> {
        let model = Model::parse("test".to_owned(), network.bytes().into(), sidecar);
        let opened = model.and_then(|model| (self.open)(&model, format, settings));
        let mut engine = opened.unwrap_or_else(|error| panic!("{format:?}: {error}"));
        engine.set(FRAME_BY_FRAME);
        engine
    }

    /// Asks that `found` be `wanted`, to the tolerance.
    fn assert_same(&self, found: &Picture, wanted: &Picture, case: &str) {
        let (difference, idx) = difference::largest(&found.samples(), &wanted.samples());
        let (plane_idx, x, y) = found.place(idx);
        assert!(
            difference <= self.tolerance,
            "{case}: {:?} differs by {difference} at plane {plane_idx}, sample {x}, row {y}: {}, wanted {}",
            found.format,
            found.sample(plane_idx, x, y),
            wanted.sample(plane_idx, x, y)
        );
        assert!(
            found.padding_is_untouched(),
            "{case}: bytes between the rows of {:?} changed",
            found.format
        );
    }
}

fn paint_with(engine: &mut dyn Engine, look: Look, source: &Picture) -> Picture {
    engine.set(look);
    paint(engine, source)
}

/// A format with the colour space that video of that format usually has.
fn format(pixels: PixelFormat, width: usize, height: usize) -> FrameFormat {
    FrameFormat::new(pixels, width, height, Matrix::Bt709, Range::Limited)
        .expect("a size within the limits")
}
