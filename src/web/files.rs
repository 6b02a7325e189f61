//! Files of the vault that are not notes. Only what a scan found is served, under the name that the scan gave it.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use peapod_vault::{FileRef, Layer};
use sha2::{Digest, Sha256};

use super::App;
use super::error::{PageResult, Problem};
use super::reader::Reader;
use crate::i18n::Text;
use crate::workspace::FileError;

/// A file is not a page: it may run nothing, and what it would load it may not.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

/// `GET /file/{*path}`.
pub async fn serve(
    State(app): State<App>,
    Path(path): Path<String>,
    headers: HeaderMap,
    _reader: Reader,
) -> PageResult {
    let workspace = app.workspace().clone();
    let found = tokio::task::spawn_blocking(move || {
        let of = |layer| {
            workspace.file(&FileRef {
                layer,
                path: path.clone(),
            })
        };
        match of(Layer::User) {
            Err(FileError::Missing(_)) => of(Layer::Library),
            other => other,
        }
    });
    let file = match found.await.map_err(Problem::internal)? {
        Ok(file) => file,
        Err(FileError::TooLarge { .. }) => return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Text::TooLarge)),
        Err(FileError::Unreadable { path, reason }) => return Err(Problem::internal(format!("{path}: {reason}"))),
        Err(FileError::Missing(_) | FileError::Outside(_)) => return Err(Problem::missing(Text::PageNotFound)),
    };
    let digest: String = Sha256::digest(&file.bytes)
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{digest}\"");
    let etag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""));
    let common = [
        (header::ETAG, etag),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|given| given.as_bytes() == tag.as_bytes())
    {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    // What a browser would not show as a picture or a text is saved, never opened as a page of this server.
    let shown = file.media_type.starts_with("image/")
        || file.media_type.starts_with("text/plain")
        || file.media_type.starts_with("audio/")
        || file.media_type.starts_with("video/")
        || file.media_type == "application/pdf";
    let disposition = HeaderValue::from_static(if shown { "inline" } else { "attachment" });
    let kind = [
        (header::CONTENT_TYPE, HeaderValue::from_static(file.media_type)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((common, kind, file.bytes).into_response())
}
