//! The page that shows and controls a run in a browser of this machine.
//!
//! A connection has a thread of its own ([`server`]), which hears a request ([`client`], [`request`]), looks
//! whether it may be asked ([`guard`]) and answers it ([`routes`]). What the page shows comes as a stream ([`stream`]): how it is painted and how it
//! goes ([`state`]), and small pictures of what is painted ([`preview`]). [`thumbnails`] paints the present frame in every
//! style. None of it is on the way of the frames: they are taken from a relay, where nobody waits for anybody.

mod client;
mod guard;
mod preview;
mod request;
mod routes;
mod server;
mod state;
mod stream;
mod thumbnails;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context;

use super::controls::Controls;
use super::format::Format;
use super::relay::Relay;
use super::run::Meters;
use crate::report::warn;
use guard::Guard;
use preview::Preview;
use routes::Desk;
use state::Board;
use thumbnails::Thumbnails;

/// Where the page is unless another address is named.
pub const ADDRESS: &str = "127.0.0.1:7870";

/// The page's place, before there is anything to show.
pub struct Place {
    listener: TcpListener,
    guard: Guard,
}

/// The page, for as long as this lives.
pub struct Page {
    desk: Arc<Desk>,
}

impl Place {
    /// Takes an address.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn take(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| {
            format!("taking the address {address} for the page; another can be named: --page 127.0.0.1:0 takes any port that is free")
        })?;
        let guard = Guard::new(listener.local_addr()?)?;
        Ok(Self { listener, guard })
    }
}

impl Page {
    /// Shows a run, and says where.
    ///
    /// # Errors
    /// If GStreamer lacks what makes the preview, or no thread can be had.
    pub fn start(
        place: Place,
        controls: Arc<Controls>,
        [unpainted, painted]: [&Arc<Relay>; 2],
        format: Format,
    ) -> anyhow::Result<Self> {
        let address = place.listener.local_addr()?;
        let (url, listener) = (place.guard.url(), place.listener);
        let desk = Arc::new(Desk {
            guard: place.guard,
            board: Board::default(),
            thumbnails: Thumbnails::new(controls.names(), unpainted, format),
            preview: Preview::new(painted, format)?,
            controls,
        });
        server::serve(listener, desk.clone()).context("starting the page")?;
        eprintln!("the page: {url}");
        if !address.ip().is_loopback() {
            warn(format!(
                "the page listens on {address}, beyond this machine: whoever has its address with the token, or reads it \
                 on the way, sees the painting and changes it; nothing is encrypted"
            ));
        }
        Ok(Self { desk })
    }

    /// Tells how it goes.
    pub fn show(&self, meters: &Meters) {
        self.desk.board.show(meters);
    }

    /// Whether somebody looks at the preview.
    pub fn is_watched(&self) -> bool {
        self.desk.preview.is_watched()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.desk.thumbnails.end();
        self.desk.preview.end();
    }
}
