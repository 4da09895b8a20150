//! How much of the processor painting gets where other programs want it as well.
//!
//! A frame that comes too late is lost, and a program that has no such times, as a compiler, does not mind waiting. Beside
//! programs that burn all cores, a thread of the common priority waits for its turn some milliseconds at every step of a
//! frame. So `impasto live` asks for a little more, where its user may have that. Whoever starts it by `nice` has chosen,
//! and is obeyed.
//!
//! RealtimeKit, which gives ordinary users more, is of no use here: it takes care that threads that are started later do
//! not take after the one that it lifted.

use std::fmt;

use rustix::process::{getpriority_process, setpriority_process};

/// Three times the share of what has 0, by the weights of Linux's scheduler.
const NICENESS: i32 = -5;

/// What became of it.
#[derive(Debug, PartialEq)]
pub enum Priority {
    /// Somebody had chosen this niceness.
    Chosen(i32),
    /// It was taken.
    Taken,
    /// It stays as it is, and why.
    Common(String),
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen(niceness) => write!(f, "niceness {niceness}, as it was started"),
            Self::Taken => write!(f, "niceness {NICENESS}"),
            Self::Common(reason) => write!(
                f,
                "that of any program ({reason}); with a line `USER - nice {NICENESS}` in /etc/security/limits.d/impasto.conf it gets more"
            ),
        }
    }
}

/// Lifts the priority of this thread, and of those that it will start.
pub fn lift() -> Priority {
    match getpriority_process(None) {
        Ok(0) => {}
        Ok(niceness) => return Priority::Chosen(niceness),
        Err(error) => return Priority::Common(error.to_string()),
    }
    match setpriority_process(None, NICENESS) {
        Ok(()) => Priority::Taken,
        Err(error) => Priority::Common(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_niceness_that_somebody_chose_is_kept() {
        let lifted = thread::spawn(|| {
            setpriority_process(None, 3).unwrap();
            (lift(), getpriority_process(None).unwrap())
        });
        assert_eq!(lifted.join().unwrap(), (Priority::Chosen(3), 3));
    }

    #[test]
    fn threads_take_after_the_one_that_was_lifted() {
        let lifted = thread::spawn(|| {
            let lifted = lift();
            let child = thread::spawn(|| getpriority_process(None).unwrap());
            (lifted, child.join().unwrap())
        });
        let (lifted, niceness) = lifted.join().unwrap();
        let is_lifted = lifted == Priority::Taken;
        assert_eq!(niceness, if is_lifted { NICENESS } else { 0 }, "{lifted}");
    }
}
