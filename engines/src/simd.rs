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
        pulp::Arch::new().dispatch(
            #[inline(always)]
            move || {
                let _once = once;
                $work
            },
        )
    }};
}

pub(crate) use vectorise;
