//! The browser side: pages rendered here, that can be read without JavaScript; small modules add the rest.
//!
//! One file a page or resource ([`router`] names them all). [`view`] makes what templates see; [`templates`] and
//! [`assets`] are embedded in the program; every word is in [`crate::i18n`]; [`security`] guards every request; [`runs`] carries
//! out what the Run buttons start. The notes come from [`crate::workspace`], results from [`crate::store`].

pub mod address;
mod assets;
mod cache;
mod cells;
mod compare;
mod copies;
mod error;
mod events;
mod export;
mod files;
mod frame;
mod history;
mod note;
mod predict;
mod reader;
mod refute;
pub mod rooms;
mod run;
pub mod runs;
mod search;
mod security;
mod settings;
mod start;
mod tags;
mod templates;
mod trial;
pub mod view;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::limit::RequestBodyLimitLayer;

use crate::i18n::{Lang, Text};
use crate::lab::branch::NoReturn;
use crate::store::{RunId, Store};
use crate::workspace::Workspace;
use cache::Cache;
use error::Problem;
use reader::Reader;
use rooms::Rooms;
use runs::Runs;
use templates::Templates;

/// Largest body of a request: a changed cell, with room for its encoding.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// How long a page may take; event streams are not pages.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything that requests share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    workspace: Workspace,
    store: Store,
    runs: Runs,
    rooms: Rooms,
    templates: Templates,
    hosts: Vec<String>,
    frames: Cache<(u64, Lang), frame::Index>,
    notes: Cache<note::PreparedKey, note::Prepared>,
    results: Cache<(RunId, Lang), String>,
    trials: Cache<(RunId, usize), trial::Loaded>,
    /// Trials and other futures that are compared.
    sides: Cache<String, compare::Side>,
    /// Points of no return: run, trial, claim, deed.
    returns: Cache<(RunId, usize, usize, String), NoReturn>,
    searches: refute::Searches,
    /// Futures are worked out one at a time.
    working: tokio::sync::Semaphore,
}

impl App {
    /// An application over a workspace and its results. `hosts` are names, beside `localhost`, under which it may be asked.
    pub fn new(workspace: Workspace, store: Store, hosts: Vec<String>) -> Self {
        let runs = Runs::new(store.clone());
        let rooms = Rooms::new(store.clone(), workspace.clone());
        let inner = Inner {
            rooms,
            workspace,
            store,
            runs,
            templates: Templates::new(),
            hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
            frames: Cache::new(4),
            notes: Cache::new(256),
            results: Cache::new(512),
            trials: Cache::new(24),
            sides: Cache::new(16),
            returns: Cache::new(64),
            searches: refute::Searches::default(),
            working: tokio::sync::Semaphore::new(1),
        };
        Self { inner: Arc::new(inner) }
    }

    fn workspace(&self) -> &Workspace {
        &self.inner.workspace
    }

    fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The runs that go on.
    pub fn runs(&self) -> &Runs {
        &self.inner.runs
    }

    /// The sessions.
    pub fn rooms(&self) -> &Rooms {
        &self.inner.rooms
    }

    fn templates(&self) -> &Templates {
        &self.inner.templates
    }

    fn hosts(&self) -> &[String] {
        &self.inner.hosts
    }
}

/// All pages and resources.
pub fn router(app: App) -> Router {
    let pages = Router::new()
        .route("/", get(start::page))
        .route("/notes", get(tags::all))
        .route("/n/{*path}", get(note::page))
        .route("/tag/{*tag}", get(tags::page))
        .route("/file/{*path}", get(files::serve))
        .route("/run", post(run::start))
        .route("/predict", post(predict::keep))
        .route("/r/{run}", get(run::page))
        .route("/r/{run}/result", get(run::result))
        .route("/r/{run}/cancel", post(run::cancel))
        .route("/r/{run}/resume", post(run::resume))
        .route("/r/{run}/copy.md", get(copies::of_run))
        .route("/copy", post(copies::markdown))
        .route("/api/cells/read", post(copies::read))
        .route("/api/cells/complete", post(copies::completion))
        .route("/compare", get(compare::page))
        .route("/r/{run}/refute/{claim}", get(refute::page).post(refute::start))
        .route("/r/{run}/refute/{claim}/cancel", post(refute::cancel))
        .route("/r/{run}/{trial}/branch", get(compare::branched))
        .route("/r/{run}/{trial}", get(trial::page))
        .route("/r/{run}/{trial}/at", get(trial::at))
        .route("/r/{run}/{trial}/lanes", get(trial::lanes))
        .route("/history/{*path}", get(history::page))
        .route("/sessions", get(rooms::page::list).post(rooms::page::open))
        .route("/sessions/{id}/forget", post(rooms::page::forget))
        .route("/s/{id}", get(rooms::page::page))
        .route("/api/sessions", get(rooms::api::list).post(rooms::api::begin))
        .route("/api/sessions/{id}", get(rooms::api::get).delete(rooms::api::forget))
        .route("/api/sessions/{id}/do", post(rooms::api::act))
        .route("/api/sessions/{id}/complete", post(rooms::api::completion))
        .route("/api/sessions/{id}/inspect", post(rooms::api::inspection))
        .route("/search", get(search::page))
        .route("/quick.json", get(search::quick))
        .route("/export/{*path}", get(export::serve))
        .route("/settings", get(settings::page).post(settings::save))
        .route("/static/{*path}", get(assets::serve))
        .route("/favicon.ico", get(favicon))
        .fallback(missing)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), in_time));
    let streams = Router::new()
        .route("/r/{run}/events", get(events::of_run))
        .route("/events", get(events::of_note))
        .route("/api/sessions/{id}/events", get(rooms::api::events));
    let compress = SizeAbove::new(1024)
        .and(NotForContentType::SSE)
        .and(NotForContentType::IMAGES);
    let panicked = app.clone();
    pages
        .merge(streams)
        .layer(CatchPanicLayer::custom(move |_: Box<dyn std::any::Any + Send>| {
            Problem::internal("a request panicked; the message stands above").page(&panicked, Reader::default())
        }))
        .layer(CompressionLayer::new().compress_when(compress))
        .layer(RequestBodyLimitLayer::new(MAX_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), error::explain))
        .layer(middleware::from_fn_with_state(app.clone(), security::guard))
        .with_state(app)
}

async fn missing(axum::extract::State(app): axum::extract::State<App>, reader: Reader) -> Response {
    Problem::missing(Text::PageNotFound).page(&app, reader)
}

async fn wrong_method(axum::extract::State(app): axum::extract::State<App>, reader: Reader) -> Response {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, Text::MethodNotAllowed).page(&app, reader)
}

async fn favicon() -> Response {
    axum::response::Redirect::permanent("/static/icon.svg").into_response()
}

/// Gives a page up that takes too long.
async fn in_time(axum::extract::State(app): axum::extract::State<App>, request: Request, next: Next) -> Response {
    let reader = Reader::of(request.headers());
    match tokio::time::timeout(PAGE_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, Text::TooSlow).page(&app, reader),
    }
}
