//! Who is connected: a client says one request and gets one response, and is not waited for beyond measure.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::request::{Failure, MAX_BODY, Request, head, refuse};

/// How long a request may take to come as a whole.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a client may take to take some bytes, to hang up, and to say what nobody hears.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);
const END_PATIENCE: Duration = Duration::from_millis(500);
const INSTANT: Duration = Duration::from_millis(20);

/// What the page may load and do: only what this server sends.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is answered.
#[derive(Debug)]
pub struct Response {
    /// Its number in HTTP.
    pub status: u16,
    kind: &'static str,
    /// Name under which a browser stores it.
    file_name: Option<&'static str>,
    body: Vec<u8>,
}

/// A client whose patience is limited.
pub struct Client {
    stream: TcpStream,
    deadline: Instant,
}

impl Client {
    /// One that has just connected.
    ///
    /// # Errors
    /// If it has gone already.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_write_timeout(Some(WRITE_PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            deadline: Instant::now() + PATIENCE,
        })
    }

    /// Waits for its request.
    ///
    /// # Errors
    /// If none comes in time, or none that is understood.
    pub fn request(&mut self) -> Result<Request, Failure> {
        let mut bytes = Vec::new();
        let (mut request, start, length) = loop {
            if let Some(found) = head(&bytes)? {
                break found;
            }
            self.read(&mut bytes)?;
        };
        if length > MAX_BODY {
            return Err(refuse(
                413,
                format!("the body has {length} bytes, wanted at most {MAX_BODY}"),
            ));
        }
        while bytes.len() < start + length {
            self.read(&mut bytes)?;
        }
        request.body = bytes[start..start + length].to_vec();
        Ok(request)
    }

    fn read(&mut self, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        let late = || match bytes.is_empty() {
            // Browsers connect before they have something to ask.
            true => Failure::Gone,
            false => refuse(
                408,
                format!("the request did not come within {} s", PATIENCE.as_secs()),
            ),
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut piece = [0; 2048];
        match self.stream.read(&mut piece) {
            Ok(0) => Err(Failure::Gone),
            Ok(n) => {
                bytes.extend(&piece[..n]);
                Ok(())
            }
            Err(error) if is_late(&error) => Err(late()),
            Err(error) => Err(error.into()),
        }
    }

    /// Answers, and hangs up.
    ///
    /// # Errors
    /// If the client does not take it.
    pub fn answer(mut self, response: &Response) -> io::Result<()> {
        self.send(response)?;
        // What is left unread when a connection is closed would tear the answer away from the client.
        self.stream.shutdown(Shutdown::Write)?;
        self.stream.set_read_timeout(Some(END_PATIENCE))?;
        let until = Instant::now() + END_PATIENCE;
        let mut rest = [0; 2048];
        while Instant::now() < until && self.stream.read(&mut rest).is_ok_and(|n| n > 0) {}
        Ok(())
    }

    /// Answers without having heard, and without waiting for more than an instant.
    ///
    /// # Errors
    /// If the client does not take it.
    pub fn turn_away(mut self, response: &Response) -> io::Result<()> {
        self.stream.set_read_timeout(Some(INSTANT))?;
        // Whatever it was.
        let _ = self.stream.read(&mut [0; 2048]);
        self.send(response)
    }

    fn send(&mut self, response: &Response) -> io::Result<()> {
        let mut bytes = head_of_answer(response.status, response.kind);
        bytes.push_str(&format!("Content-Length: {}\r\n", response.body.len()));
        if let Some(name) = response.file_name {
            bytes.push_str(&format!(
                "Content-Disposition: attachment; filename=\"{name}\"\r\n"
            ));
        }
        bytes.push_str("\r\n");
        self.write(bytes.as_bytes())?;
        self.write(&response.body)
    }

    /// Begins an answer that goes on until somebody hangs up.
    ///
    /// # Errors
    /// If the client does not take it.
    pub fn begin(&mut self, kind: &str) -> io::Result<()> {
        let head = head_of_answer(200, kind) + "\r\n";
        self.write(head.as_bytes())
    }

    /// Goes on with it.
    ///
    /// # Errors
    /// If the client does not take it, or not in time.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }
}

impl Response {
    /// Something that was asked for.
    pub fn new(kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            kind,
            file_name: None,
            body: body.into(),
        }
    }

    /// Something to be stored under a name.
    pub fn file(kind: &'static str, name: &'static str, body: Vec<u8>) -> Self {
        Self {
            file_name: Some(name),
            ..Self::new(kind, body)
        }
    }

    /// Why something is not to be had, in a line.
    pub fn refuse(status: u16, words: impl Into<String>) -> Self {
        Self {
            status,
            ..Self::new("text/plain; charset=utf-8", words.into() + "\n")
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// The head of an answer, but for its last lines.
fn head_of_answer(status: u16, kind: &str) -> String {
    format!(
        "HTTP/1.1 {status} {}\r\nConnection: close\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: {POLICY}\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: same-origin\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n",
        reason(status)
    )
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}
