//! Keys that are pressed while it runs.

use std::io::{IsTerminal, Read};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// What the keys do.
pub const HELP: &str = "n, p: next and previous style; +, -: stronger and fainter; space: off and on; k: the photo's colours; \
                        s: snapshot; q: end";

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The next style of the list.
    Next,
    /// The style before.
    Previous,
    /// More of the painting.
    Stronger,
    /// Less of it.
    Fainter,
    /// The photo, or the painting again.
    Toggle,
    /// The photo's colours, or the painting's again.
    Colors,
    /// A picture of now.
    Snapshot,
    /// What the keys do.
    Help,
    /// The end.
    End,
}

/// The terminal, which gives every key at once for as long as this lives.
pub struct Keys {
    pressed: Receiver<Key>,
    before: Termios,
}

impl Keys {
    /// Listens to the terminal, if there is one.
    pub fn listen() -> Option<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        tcsetattr(&stdin, OptionalActions::Now, &modes).ok()?;
        let (sender, pressed) = channel();
        // It waits for a key when the program ends, and ends with it.
        thread::spawn(move || {
            for byte in std::io::stdin().lock().bytes().map_while(Result::ok) {
                if let Some(key) = Key::of(byte)
                    && sender.send(key).is_err()
                {
                    return;
                }
            }
        });
        Some(Self { pressed, before })
    }

    /// A key that was pressed and not asked for yet.
    pub fn next(&self) -> Option<Key> {
        self.pressed.try_recv().ok()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // If the terminal is gone, nothing is left to be put back.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}

impl Key {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            b'n' => Self::Next,
            b'p' => Self::Previous,
            b'+' | b'=' => Self::Stronger,
            b'-' => Self::Fainter,
            b' ' => Self::Toggle,
            b'k' => Self::Colors,
            b's' => Self::Snapshot,
            b'h' | b'?' => Self::Help,
            b'q' => Self::End,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_keys_that_do_something() {
        for (letter, wanted) in [
            (b'n', Key::Next),
            (b'p', Key::Previous),
            (b'+', Key::Stronger),
            (b'-', Key::Fainter),
            (b' ', Key::Toggle),
            (b'k', Key::Colors),
            (b's', Key::Snapshot),
            (b'q', Key::End),
        ] {
            assert_eq!(Key::of(letter), Some(wanted));
            assert!(letter == b' ' || HELP.contains(char::from(letter)));
        }
        assert_eq!(Key::of(b'x'), None);
    }
}
