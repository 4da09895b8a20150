//! How much of the processor painting gets where other programs want it as well.
//!
//! A frame that comes too late is lost, and a program that has no such times, as a compiler, does not mind waiting. Beside
//! programs that burn all cores, a thread of the common priority waits for its turn some milliseconds at every step of a
//! frame. So `impasto live` asks for a little more: where it may not take that itself, from RealtimeKit, which desktops have
//! for sound. Whoever starts it by `nice` has chosen, and is obeyed.

use std::fmt;

use gio::glib;
use gio::prelude::*;
use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::gettid;

/// Three times the share of what has 0, by the weights of Linux's scheduler.
const NICENESS: i32 = -5;
/// RealtimeKit, on the system's bus.
const KIT: &str = "org.freedesktop.RealtimeKit1";
const KIT_PATH: &str = "/org/freedesktop/RealtimeKit1";
const PATIENCE_MS: i32 = 1000;

/// What became of it.
#[derive(Debug, PartialEq)]
pub enum Priority {
    /// Somebody had chosen this niceness.
    Chosen(i32),
    /// It was taken.
    Taken,
    /// RealtimeKit gave it.
    Given,
    /// It stays as it is, and why.
    Common(String),
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen(niceness) => write!(f, "niceness {niceness}, as it was started"),
            Self::Taken => write!(f, "niceness {NICENESS}"),
            Self::Given => write!(f, "niceness {NICENESS}, by RealtimeKit"),
            Self::Common(reason) => write!(f, "that of any program ({reason})"),
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
    if setpriority_process(None, NICENESS).is_ok() {
        return Priority::Taken;
    }
    let bus = gio::bus_get_sync(gio::BusType::System, gio::Cancellable::NONE);
    match bus.and_then(|bus| ask(&bus)) {
        Ok(()) => Priority::Given,
        Err(error) => Priority::Common(format!("RealtimeKit: {}", error.message())),
    }
}

/// Asks RealtimeKit on `bus`.
fn ask(bus: &gio::DBusConnection) -> Result<(), glib::Error> {
    let thread = u64::from(gettid().as_raw_nonzero().get().unsigned_abs());
    let answer = bus.call_sync(
        Some(KIT),
        KIT_PATH,
        KIT,
        "MakeThreadHighPriority",
        Some(&(thread, NICENESS).to_variant()),
        None,
        gio::DBusCallFlags::NONE,
        PATIENCE_MS,
        gio::Cancellable::NONE,
    );
    answer.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
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
        let is_lifted = matches!(lifted, Priority::Taken | Priority::Given);
        assert_eq!(niceness, if is_lifted { NICENESS } else { 0 }, "{lifted}");
    }

    #[test]
    fn realtime_kit_is_asked_for_this_thread() {
        const INTERFACE: &str = "<node><interface name='org.freedesktop.RealtimeKit1'>\
            <method name='MakeThreadHighPriority'><arg type='t'/><arg type='i'/></method></interface></node>";
        let bus = gio::TestDBus::new(gio::TestDBusFlags::NONE);
        bus.up();
        let address = bus.bus_address().unwrap();
        let connect = || {
            let flags = gio::DBusConnectionFlags::AUTHENTICATION_CLIENT
                | gio::DBusConnectionFlags::MESSAGE_BUS_CONNECTION;
            let none = gio::Cancellable::NONE;
            gio::DBusConnection::for_address_sync(&address, flags, None, none).unwrap()
        };
        let client = connect();
        assert!(ask(&client).is_err(), "nobody is there");

        let (told, asked) = mpsc::channel();
        let (stop, stopped) = mpsc::channel();
        let kit = connect();
        let server = thread::spawn(move || {
            let context = glib::MainContext::new();
            context
                .with_thread_default(|| {
                    let node = gio::DBusNodeInfo::for_xml(INTERFACE).unwrap();
                    let interface = node.lookup_interface(KIT).unwrap();
                    let object = kit
                        .register_object(KIT_PATH, &interface)
                        .method_call(move |_, _, _, _, method, arguments, invocation| {
                            let arguments = arguments.get::<(u64, i32)>();
                            told.send((method.to_owned(), arguments)).unwrap();
                            invocation.return_value(None);
                        })
                        .build();
                    let object = object.unwrap();
                    let flags = gio::BusNameOwnerFlags::NONE;
                    let name =
                        gio::bus_own_name_on_connection(&kit, KIT, flags, |_, _| {}, |_, _| {});
                    while stopped.try_recv().is_err() {
                        context.iteration(false);
                        thread::sleep(std::time::Duration::from_millis(1));
                    }
                    gio::bus_unown_name(name);
                    kit.unregister_object(object).unwrap();
                })
                .unwrap();
        });
        // Until it has its name.
        let answer = (0..1000).find_map(|_| {
            thread::sleep(std::time::Duration::from_millis(5));
            ask(&client).ok()
        });
        stop.send(()).unwrap();
        server.join().unwrap();
        assert!(answer.is_some(), "it never answers");
        let thread = u64::from(gettid().as_raw_nonzero().get().unsigned_abs());
        let wanted = (
            "MakeThreadHighPriority".to_owned(),
            Some((thread, NICENESS)),
        );
        assert_eq!(asked.recv().unwrap(), wanted);
        client.close_sync(gio::Cancellable::NONE).unwrap();
        bus.down();
    }
}
