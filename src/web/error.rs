//! What went wrong with a request, as a page in the reader's language. Causes inside are logged, not shown.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use minijinja::context;

use super::App;
use super::i18n::{Text, fill};
use super::reader::Reader;

/// A request that cannot be answered as asked.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    text: Text,
    values: Vec<(&'static str, String)>,
}

impl Problem {
    /// A problem with its status and its explanation.
    pub fn new(status: StatusCode, text: Text) -> Self {
        Self { status, text, values: Vec::new() }
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
        let text = fill(reader.lang, self.text.say(reader.lang), &self.values);
        let values = context! { title => self.title().say(reader.lang), text => text, status => self.status.as_u16() };
        match app.templates().render("pages/error.html", reader, values) {
            Ok(page) => (self.status, page).into_response(),
            Err(_) => (self.status, text).into_response(),
        }
    }
}

/// What a page's handler gives.
pub type PageResult = Result<Response, Problem>;
