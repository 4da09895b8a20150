//! Connections: a thread for each, and no more of them than there is room for.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::client::{Client, Response};
use super::request::Failure;
use super::routes::{Answer, Desk};
use super::stream;

/// Connections at once: a browser holds two for a page that it shows, and takes six at most.
const MAX_CONNECTIONS: usize = 32;
/// Time before connections are taken again after the system has refused one.
const REFUSED_WAIT: Duration = Duration::from_millis(100);

/// A connection's place among those that there is room for.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(n_taken: &Arc<AtomicUsize>) -> Option<Self> {
        let seat = Self(n_taken.clone());
        let n_before = n_taken.fetch_add(1, Ordering::Relaxed);
        (n_before < MAX_CONNECTIONS).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers whoever connects, until the program ends.
///
/// # Errors
/// If no thread can be had.
pub fn serve(listener: TcpListener, desk: Arc<Desk>) -> std::io::Result<()> {
    let n_taken = Arc::default();
    let accept = move || {
        for stream in listener.incoming() {
            let Ok(client) = stream.and_then(Client::new) else {
                thread::sleep(REFUSED_WAIT);
                continue;
            };
            let Some(seat) = Seat::take(&n_taken) else {
                let full = format!("there are {MAX_CONNECTIONS} connections already; close a page");
                // Who does not take it has gone.
                let _ = client.turn_away(&Response::refuse(503, full));
                continue;
            };
            let desk = desk.clone();
            // Without a thread the connection is closed, and the client may try again.
            let _ = thread::Builder::new()
                .name("page".to_owned())
                .spawn(move || {
                    let _seat = seat;
                    // Who does not take an answer has gone.
                    let _ = converse(client, &desk);
                });
        }
    };
    thread::Builder::new()
        .name("page-accept".to_owned())
        .spawn(accept)?;
    Ok(())
}

/// Hears a client and answers it.
fn converse(mut client: Client, desk: &Desk) -> std::io::Result<()> {
    let request = match client.request() {
        Ok(request) => request,
        Err(Failure::Gone) => return Ok(()),
        Err(Failure::Refused(response)) => return client.answer(&response),
    };
    match desk.answer(&request) {
        Answer::Whole(response) => client.answer(&response),
        Answer::Events => stream::events(client, desk),
        Answer::Preview => stream::preview(client, desk),
    }
}
