//! The study report of a note, as a file to keep.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde::Deserialize;

use super::error::{PageResult, Problem};
use super::reader::Reader;
use super::{App, address, note};
use crate::i18n::Text;
use crate::report::{self, Material};

/// The formats of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// One file that needs nothing else.
    #[default]
    Html,
    /// Markdown for Obsidian.
    Md,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    to: Format,
}

/// `GET /export/{*path}?to=html|md`: to be saved, never opened as a page of this server.
pub(super) async fn serve(
    State(app): State<App>,
    Path(path): Path<String>,
    Query(asked): Query<Asked>,
    reader: Reader,
) -> PageResult {
    let snapshot = app.workspace().snapshot();
    let (file, note) = note::find(&snapshot.vault, &path).ok_or(Problem::missing(Text::PageNotFound))?;
    let material = Material::gather(app.workspace(), app.store(), &file, Timestamp::now())
        .await
        .map_err(Problem::internal)?;
    let lang = reader.lang;
    let (kind, extension) = match asked.to {
        Format::Html => ("text/html; charset=utf-8", "html"),
        Format::Md => ("text/markdown; charset=utf-8", "report.md"),
    };
    let made = tokio::task::spawn_blocking(move || match asked.to {
        Format::Html => report::html(&material, lang),
        Format::Md => report::markdown(&material, lang),
    });
    let text = made.await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    let name = address::location(&address::encode(&note.name.replace('/', "-")));
    let disposition = format!("attachment; filename=\"report.{extension}\"; filename*=UTF-8''{name}.{extension}");
    let disposition = HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, text).into_response())
}
