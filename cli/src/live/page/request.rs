//! Requests, of the little of HTTP/1.1 that the page needs. Whatever else comes is refused in words.

use std::io;

use super::client::Response;

/// Largest head of a request in bytes; a browser's has less than one kilobyte.
const MAX_HEAD: usize = 8192;
/// Headers of a request at most.
const MAX_HEADERS: usize = 64;
/// Largest body of a request in bytes; the page's have less than 200.
pub const MAX_BODY: usize = 4096;

/// What is asked for.
#[derive(Debug, Default)]
pub struct Request {
    /// `GET`, `POST`.
    pub method: String,
    /// With its slash, without the query.
    pub path: String,
    /// What follows the question mark.
    pub query: String,
    /// The header `Host`.
    pub host: Option<String>,
    /// The header `Origin`.
    pub origin: Option<String>,
    /// The body, of [`MAX_BODY`] bytes at most.
    pub body: Vec<u8>,
}

/// Why there is no request.
#[derive(Debug)]
pub enum Failure {
    /// The client has gone, or never asked.
    Gone,
    /// It is none, or none that is taken; what to answer.
    Refused(Response),
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Request {
    /// A parameter of the query, as it stands there.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| {
            pair.split_once('=')
                .filter(|(found, _)| *found == name)
                .map(|(_, value)| value)
        })
    }
}

/// A refusal in words.
pub fn refuse(status: u16, words: impl Into<String>) -> Failure {
    Failure::Refused(Response::refuse(status, words))
}

/// The request whose head `bytes` begin with, where its body starts, and how long that is; nothing if the head is not
/// whole yet.
pub fn head(bytes: &[u8]) -> Result<Option<(Request, usize, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut found = httparse::Request::new(&mut headers);
    let start = match found.parse(&bytes[..bytes.len().min(MAX_HEAD)]) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Ok(None),
        Ok(httparse::Status::Partial) => {
            return Err(refuse(
                431,
                format!("the head of the request has more than {MAX_HEAD} bytes"),
            ));
        }
        Err(httparse::Error::TooManyHeaders) => {
            return Err(refuse(
                431,
                format!("the request has more than {MAX_HEADERS} headers"),
            ));
        }
        Err(error) => {
            return Err(refuse(
                400,
                format!("this is no request of HTTP/1.1: {error}"),
            ));
        }
    };
    let one = |name: &str| {
        let mut values = found
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name));
        let first = values.next();
        if values.next().is_some() {
            return Err(refuse(
                400,
                format!("the request has the header {name} twice"),
            ));
        }
        Ok(first.map(|header| String::from_utf8_lossy(header.value).trim().to_owned()))
    };
    if one("transfer-encoding")?.is_some() {
        return Err(refuse(
            411,
            "the body comes in pieces, wanted one with a Content-Length",
        ));
    }
    let length = match one("content-length")? {
        None => 0,
        Some(text) => text.parse().map_err(|_| {
            refuse(
                400,
                format!("the Content-Length is `{text}`, wanted a number of bytes"),
            )
        })?,
    };
    let target = found.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        method: found.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        host: one("host")?,
        origin: one("origin")?,
        body: Vec::new(),
    };
    Ok(Some((request, start, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> u16 {
        match head(text.as_bytes()) {
            Err(Failure::Refused(response)) => response.status,
            Err(Failure::Gone) => 0,
            Ok(_) => 200,
        }
    }

    #[test]
    fn a_request_is_read_as_it_comes() {
        let text = "POST /set?token=ab&x=1 HTTP/1.1\r\nHOST: a:1\r\norigin: http://a:1\r\nContent-Length: 2\r\n\r\n{}";
        let n_head = text.len() - 2;
        assert!(
            (0..n_head).all(|n| head(&text.as_bytes()[..n]).is_ok_and(|found| found.is_none()))
        );
        let (request, start, length) = head(text.as_bytes()).unwrap().unwrap();
        assert_eq!((start, length), (n_head, 2));
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/set")
        );
        assert_eq!(request.host.as_deref(), Some("a:1"));
        assert_eq!(request.origin.as_deref(), Some("http://a:1"));
        assert_eq!(request.parameter("token"), Some("ab"));
        assert_eq!(request.parameter("x"), Some("1"));
        assert_eq!(request.parameter("toke"), None);
    }

    #[test]
    fn what_is_too_large_or_not_clear_is_refused() {
        for (text, wanted) in [
            ("HELLO\r\n\r\n".to_owned(), 400),
            (format!("GET /{} HTTP/1.1\r\n", "x".repeat(MAX_HEAD)), 431),
            (
                format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65)),
                431,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
                400,
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
                411,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned(),
                400,
            ),
        ] {
            assert_eq!(status(&text), wanted, "{text}");
        }
    }
}
