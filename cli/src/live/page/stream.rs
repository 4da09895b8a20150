//! Answers that go on: the state with every change of it, and what is painted. Each has a thread of its own, so that one
//! who takes them slowly holds nobody up, and misses what came meanwhile.

use std::io;
use std::thread;
use std::time::Duration;

use super::client::Client;
use super::routes::Desk;
use super::state::State;

/// How often the state is looked at; a change that is seen within a tenth of a second is seen at once.
const INTERVAL: Duration = Duration::from_millis(100);

/// Sends the state, and again whenever it is another: meters are every second.
///
/// # Errors
/// When the client has gone.
pub fn events(mut client: Client, desk: &Desk) -> io::Result<()> {
    client.begin("text/event-stream")?;
    let mut sent = String::new();
    loop {
        let state = State::of(desk).json();
        if state != sent {
            client.write(format!("data: {state}\n\n").as_bytes())?;
            sent = state;
        }
        thread::sleep(INTERVAL);
    }
}

/// Sends what is painted, one picture in the place of the one before.
///
/// # Errors
/// When the client has gone.
pub fn preview(mut client: Client, desk: &Desk) -> io::Result<()> {
    let mut viewer = desk.preview.watch();
    client.begin("multipart/x-mixed-replace; boundary=frame")?;
    client.write(b"--frame\r\n")?;
    while let Some(jpeg) = viewer.next() {
        let head = format!(
            "Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
            jpeg.len()
        );
        // A browser shows a picture when it has seen that the next one begins.
        client.write(&[head.as_bytes(), &jpeg, b"\r\n--frame\r\n"].concat())?;
    }
    Ok(())
}
