//! What went wrong with a request, as a page in the reader's language. Causes inside are logged, not shown.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::App;
use super::frame::{self, Frame};
use super::reader::Reader;
use crate::i18n::{Text, fill};

/// A request that cannot be answered as asked. As a response it is a mark only; [`explain`] makes the page.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    text: Text,
    values: Vec<(&'static str, String)>,
}

/// What a page's handler gives.
pub type PageResult = Result<Response, Problem>;

#[derive(Serialize)]
struct ErrorView {
    frame: Frame,
    title: &'static str,
    text: String,
    status: u16,
}

impl Problem {
    /// A problem with its status and its explanation.
    pub fn new(status: StatusCode, text: Text) -> Self {
        Self {
            status,
            text,
            values: Vec::new(),
        }
    }

    /// Something that does not exist.
    pub fn missing(text: Text) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// A failure of ours; the cause goes to standard error.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        eprintln!("peapod: {cause}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Text::InternalText)
    }

    /// The same with a place of its text filled.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    fn title(&self) -> Text {
        match self.status {
            StatusCode::NOT_FOUND => Text::NotFound,
            StatusCode::FORBIDDEN => Text::Forbidden,
            status if status.is_client_error() => Text::BadRequest,
            _ => Text::Internal,
        }
    }

    /// The page that says so.
    pub fn page(&self, app: &App, reader: Reader) -> Response {
        let view = ErrorView {
            frame: frame::frame(app, reader, &app.workspace().snapshot(), None),
            title: self.title().say(reader.lang),
            text: fill(reader.lang, self.text.say(reader.lang), &self.values),
            status: self.status.as_u16(),
        };
        match app.templates().part("pages/error.html", reader, &view) {
            Ok(page) => (self.status, axum::response::Html(page)).into_response(),
            Err(_) => (self.status, view.text).into_response(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Makes pages of problems, and of requests that are refused before a handler sees them.
pub(super) async fn explain(State(app): State<App>, request: Request, next: Next) -> Response {
    let reader = Reader::of(request.headers());
    let response = next.run(request).await;
    if let Some(problem) = response.extensions().get::<Problem>() {
        return problem.clone().page(&app, reader);
    }
    let is_plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE if is_plain => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Text::TooLarge).page(&app, reader)
        }
        status
            if is_plain
                && matches!(
                    status,
                    StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE
                ) =>
        {
            Problem::new(StatusCode::BAD_REQUEST, Text::BadRequestText).page(&app, reader)
        }
        _ => response,
    }
}
