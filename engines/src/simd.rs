//! Loops in the vector instructions of the processor at hand.

/// Evaluates an expression in code compiled for the widest vector instructions known to it that this processor has.
///
/// The closure must be one that can be called only once. Of any other, the compiler makes a function of its own that is
/// called by all copies and compiled for none. The same goes for what is called within: a function handed over as a value,
/// and `map` of an array of vectors or pixels, are calls as soon as the compiler thinks the code around them long enough.
macro_rules! vectorise {
    ($work:expr) => {{
        struct Once;
        let once = Once;
        crate::simd::dispatch(
            #[inline(always)]
            move || {
                let _once = once;
                $work
            },
        )
    }};
}

pub(crate) use vectorise;

/// Does work in vectors of at most eight f32, the widest of them that this processor has: what is worked on here in
/// eights gains nothing from wider ones.
#[inline(always)]
pub(crate) fn dispatch<W: pulp::WithSimd>(work: W) -> W::Output {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return match pulp::x86::V3::try_new() {
        Some(simd) => pulp::Simd::vectorize(simd, work),
        None => pulp::Simd::vectorize(pulp::Scalar, work),
    };
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    pulp::Arch::new().dispatch(work)
}
