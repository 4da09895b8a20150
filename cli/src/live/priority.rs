//! How much of the processor painting gets where other programs want it as well.
//!
//! A frame that comes too late is lost, and a program that has no such times, as a compiler, does not mind waiting. Beside
//! programs that burn all cores, a thread of the common priority waits for its turn some milliseconds at every step of a
//! frame. So `impasto live` asks for a little more, where its user may have that. Whoever starts it by `nice` has chosen,
//! and is obeyed.
//!
//! Everybody may have shorter turns. A thread that wakes while another is at its turn goes first if its own turn is the
//! shorter one (Linux 6.12 and later, which give tasks of their own slices the earlier deadline), and since it is soon done
//! with its step, that takes nothing from the other's share.
//!
//! RealtimeKit, which gives ordinary users more, is of no use here: it takes care that threads that are started later do
//! not take after the one that it lifted.

use std::fmt;

use rustix::process::{getpriority_process, setpriority_process};

/// Three times the share of what has 0, by the weights of Linux's scheduler.
const NICENESS: i32 = -5;

/// Time of a turn, in nanoseconds: the shortest that Linux gives. Common is 3 ms.
const TURN_NS: u64 = 100_000;

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

/// Lifts the priority of this thread, and of those that it will start, and shortens their turns.
pub fn lift() -> Priority {
    let priority = lift_niceness();
    shorten_turns();
    priority
}

fn lift_niceness() -> Priority {
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

/// Asks for turns of [`TURN_NS`]. Linux before 6.12 does not care; nothing depends on it.
#[expect(unsafe_code, reason = "no library calls sched_setattr for a slice")]
fn shorten_turns() {
    let Ok(niceness) = getpriority_process(None) else {
        return;
    };
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: niceness,
        sched_priority: 0,
        sched_runtime: TURN_NS,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads as many bytes as the structure says that it has, and writes none. 0 is this thread.
    unsafe {
        libc::syscall(
            libc::SYS_sched_setattr,
            0,
            std::ptr::from_ref(&attributes),
            0,
        )
    };
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

    /// The length of this thread's turns, where the kernel tells.
    fn turn_ns() -> Option<u64> {
        let facts = std::fs::read_to_string("/proc/thread-self/sched").ok()?;
        let line = facts.lines().find(|line| line.starts_with("se.slice"))?;
        line.split(':').nth(1)?.trim().parse().ok()
    }

    /// Major and minor version of the kernel.
    fn kernel() -> Vec<u32> {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let numbers = release.split(['.', '-']).take(2);
        numbers.map(|number| number.parse().unwrap()).collect()
    }

    #[test]
    fn threads_that_are_started_later_have_short_turns_too() {
        let turns = thread::spawn(|| {
            lift();
            thread::spawn(turn_ns).join().unwrap()
        });
        match turns.join().unwrap() {
            Some(turn_ns) if kernel() >= vec![6, 12] => assert_eq!(turn_ns, TURN_NS),
            other => eprintln!("not known to this kernel: {other:?}"),
        }
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
