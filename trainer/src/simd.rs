//! Loops in the vector instructions of the processor at hand.

/// Evaluates an expression in code compiled for the widest vector instructions known to it that this processor has.
///
/// The closure must be one that can be called only once. Of any other, the compiler makes a function of its own that is
/// called by all copies and compiled for none.
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
