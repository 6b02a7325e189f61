//! Style sheets and modules: embedded in the binary, named by the hash of their content.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use serde::Deserialize;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Static;

/// The first sixteen digits of the SHA-256 of each file, by path.
static VERSIONS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    Static::iter()
        .filter_map(|path| {
            Static::get(&path).map(|file| (path.to_string(), hexadecimal(&file.metadata.sha256_hash()[..8])))
        })
        .collect()
});

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The address of a static file with the hash of its content, so that a browser may keep it for ever. In debug builds
/// files are read from disk and may change under a running server; there the address has no hash.
pub fn address(path: &str) -> String {
    match VERSIONS.get(path) {
        Some(version) if !cfg!(debug_assertions) => format!("/static/{path}?v={version}"),
        _ => format!("/static/{path}"),
    }
}

#[derive(Deserialize)]
pub(super) struct Version {
    v: Option<String>,
}

/// `GET /static/{*path}`.
pub(super) async fn serve(Path(path): Path<String>, Query(version): Query<Version>, headers: HeaderMap) -> Response {
    let Some(file) = Static::get(&path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = hexadecimal(&file.metadata.sha256_hash()[..8]);
    let quoted = format!("\"{tag}\"");
    // A module imports others by bare path; those are asked for again each time and mostly answered by 304.
    let keep = if version.v.as_deref() == Some(&tag) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let etag = HeaderValue::from_str(&quoted).unwrap_or(HeaderValue::from_static(""));
    let common = [
        (header::ETAG, etag),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
    ];
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|given| given.as_bytes() == quoted.as_bytes())
    {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    };
    (
        common,
        [(header::CONTENT_TYPE, HeaderValue::from_static(kind))],
        file.data.into_owned(),
    )
        .into_response()
}
