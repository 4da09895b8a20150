//! What is asked for by which path, and what is answered.

use std::sync::Arc;

use super::client::Response;
use super::guard::Guard;
use super::preview::Preview;
use super::request::Request;
use super::state::{Board, State};
use super::thumbnails::Thumbnails;
use crate::live::controls::{Change, Controls};
use crate::report;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JSON: &str = "application/json";

/// Stands in the page where the token goes.
const TOKEN: &str = "{token}";

/// All that the page shows and changes.
pub struct Desk {
    /// Who may ask.
    pub guard: Guard,
    /// How it is painted.
    pub controls: Arc<Controls>,
    /// How it goes.
    pub board: Board,
    /// The present frame in every style.
    pub thumbnails: Thumbnails,
    /// What is painted.
    pub preview: Preview,
}

/// What becomes of a request.
pub enum Answer {
    /// All at once.
    Whole(Response),
    /// The state, with every change.
    Events,
    /// What is painted, picture after picture.
    Preview,
}

type Route = fn(&Desk, &Request) -> Answer;

/// Method, path and what answers.
const ROUTES: [(&str, &str, Route); 12] = [
    ("GET", "/", |desk, _| desk.page().into()),
    ("GET", "/page.css", |_, _| {
        Response::new(CSS, include_str!("page.css")).into()
    }),
    ("GET", "/page.js", |_, _| {
        Response::new(SCRIPT, include_str!("page.js")).into()
    }),
    ("GET", "/icon.svg", |_, _| {
        Response::new(SVG, include_str!("icon.svg")).into()
    }),
    ("GET", "/events", |_, _| Answer::Events),
    ("GET", "/preview", |_, _| Answer::Preview),
    ("GET", "/state", |desk, _| desk.state().into()),
    ("GET", "/styles", |desk, _| {
        Response::new(JSON, desk.thumbnails.styles_json()).into()
    }),
    ("GET", "/thumbnail", |desk, request| {
        desk.thumbnail(request).into()
    }),
    ("GET", "/snapshot", |desk, _| desk.snapshot().into()),
    ("POST", "/set", |desk, request| {
        desk.set(&request.body).into()
    }),
    ("POST", "/thumbnails", |desk, _| desk.paint().into()),
];

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self::Whole(response)
    }
}

impl Desk {
    /// Answers whatever is asked.
    pub fn answer(&self, request: &Request) -> Answer {
        if let Err(reason) = self.guard.check(request) {
            return Response::refuse(403, reason).into();
        }
        let Request { method, path, .. } = request;
        match ROUTES.iter().find(|(_, found, _)| found == path) {
            Some((wanted, _, route)) if wanted == method => route(self, request),
            Some((wanted, ..)) => {
                let words = format!("{path} takes {wanted} and not {method}");
                Response::refuse(405, words).into()
            }
            None => Response::refuse(404, format!("there is nothing at {path}")).into(),
        }
    }

    fn page(&self) -> Response {
        let page = include_str!("page.html").replace(TOKEN, self.guard.token());
        Response::new(HTML, page)
    }

    fn state(&self) -> Response {
        Response::new(JSON, State::of(self).json())
    }

    fn paint(&self) -> Response {
        match self.thumbnails.paint() {
            Ok(()) => self.state(),
            Err(error) => Response::refuse(409, report::chain(&error)),
        }
    }

    fn set(&self, body: &[u8]) -> Response {
        let change: Change = match serde_json::from_slice(body) {
            Ok(change) => change,
            Err(error) => {
                let words = format!(
                    "the change is not understood: {error}; wanted JSON such as {{\"style\": \"udnie\", \"strength\": 0.5}}"
                );
                return Response::refuse(400, words);
            }
        };
        match self.controls.change(&change) {
            Ok(()) => self.state(),
            Err(error) => Response::refuse(400, report::chain(&error)),
        }
    }

    fn thumbnail(&self, request: &Request) -> Response {
        let text = request.parameter("idx").unwrap_or_default();
        let n = self.controls.names().len();
        let Some(idx) = text.parse().ok().filter(|&idx| idx < n) else {
            let words = format!(
                "idx is `{text}`, wanted the number of a style, from 0 to {}",
                n - 1
            );
            return Response::refuse(400, words);
        };
        match self.thumbnails.jpeg(idx) {
            Some(jpeg) => Response::new("image/jpeg", jpeg.to_vec()),
            None => Response::refuse(404, "this style is not painted yet: POST /thumbnails"),
        }
    }

    fn snapshot(&self) -> Response {
        match self.controls.png() {
            Ok(png) => Response::file("image/png", "impasto.png", png),
            Err(error) => Response::refuse(409, report::chain(&error)),
        }
    }
}
