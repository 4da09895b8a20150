//! `impasto live` as it is started by a user, and other programs; all are killed when they are no longer needed.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long something may take on a slow machine beside other tests.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// How long what was restarted may take until it is there again: what users are promised, and as much again for machines
/// that do other things as well.
pub const BACK: Duration = Duration::from_secs(10);

/// A program.
pub struct Program {
    child: Child,
    said: Receiver<(Instant, String)>,
}

impl Program {
    /// `impasto live`, small and slow enough for any machine.
    pub fn live(arguments: &[&str]) -> Self {
        let small = ["--size", "320x180", "--fps", "15", "--quality", "fast"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_impasto"));
        command.arg("live").args(small).args(arguments);
        Self::start(&mut command)
    }

    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, said) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("{line}");
                // Nobody listens any more.
                let _ = sender.send((Instant::now(), line));
            }
        });
        Self { child, said }
    }

    /// Waits for a line with a word in it; returns the line, and when it was said.
    pub fn heard(&self, word: &str) -> (Instant, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.said.recv_timeout(left);
            let (time, line) = line.unwrap_or_else(|_| panic!("never said `{word}`"));
            if line.contains(word) {
                return (time, line);
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success(), "{name}");
    }

    /// Waits until it has ended well.
    pub fn ended(mut self) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended by itself is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}
