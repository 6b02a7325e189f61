//! What a local server must not allow: other sites that speak to it through the reader's browser.
//!
//! *DNS rebinding*: a page of another site makes its own name point to this machine; so a request whose `Host` is a
//! foreign name is refused. *Cross-site requests*: a form on another site posts to this server; so a request that changes
//! something must come from a page of this server. The content security policy allows nothing inline and nothing foreign.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::App;
use super::error::Problem;
use super::reader::Reader;
use crate::i18n::Text;

/// The policy of every page.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    ),
];

/// Refuses what comes from elsewhere, and sets the security headers of every answer.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match refusal(request.method(), request.headers(), request.uri().host(), app.hosts()) {
        Some(text) => {
            let reader = Reader::of(request.headers());
            Problem::new(StatusCode::FORBIDDEN, text).page(&app, reader)
        }
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Why a request is refused, if it is.
fn refusal(method: &Method, headers: &HeaderMap, authority: Option<&str>, allowed: &[String]) -> Option<Text> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"));
    let host = text(header::HOST).or(authority).unwrap_or("");
    if !is_own(host, allowed) {
        return Some(Text::ForeignHost);
    }
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    // Browsers send one of the two with every request that can change something; a program that sends neither
    // cannot be driven by another site.
    let same_origin = text(header::ORIGIN)
        .is_none_or(|origin| origin.strip_prefix("http://").or(origin.strip_prefix("https://")) == Some(host));
    let same_site =
        text(HeaderName::from_static("sec-fetch-site")).is_none_or(|site| matches!(site, "same-origin" | "none"));
    (!(same_origin && same_site)).then_some(Text::ForeignOrigin)
}

/// Whether a `Host` can only mean this server: an IP address (no name is resolved for it), `localhost`, or a name that the
/// person who started the server allowed.
fn is_own(host: &str, allowed: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.parse::<IpAddr>().is_ok() || allowed.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: Method, pairs: &[(&'static str, &str)]) -> Option<Text> {
        let headers = pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).expect("a header"),
                )
            })
            .collect();
        refusal(&method, &headers, None, &["notes.lan".to_owned()])
    }

    #[test]
    fn only_own_names_are_answered() {
        for (host, refused) in [
            ("127.0.0.1:7327", false),
            ("localhost:7327", false),
            ("LOCALHOST", false),
            ("[::1]:7327", false),
            ("192.168.0.7:80", false),
            ("notes.lan:7327", false),
            ("evil.example:7327", true),
            ("127.0.0.1.evil.example", true),
            ("localhost.evil.example", true),
            ("", true),
            ("[::1", false),
            ("[evil", true),
        ] {
            assert_eq!(asked(Method::GET, &[("host", host)]).is_some(), refused, "{host}");
        }
    }

    #[test]
    fn only_own_pages_change_anything() {
        let host = ("host", "localhost:7327");
        for (more, refused) in [
            (vec![], false),
            (vec![("origin", "http://localhost:7327")], false),
            (vec![("origin", "http://localhost:7328")], true),
            (vec![("origin", "http://evil.example")], true),
            (vec![("origin", "null")], true),
            (vec![("sec-fetch-site", "same-origin")], false),
            (vec![("sec-fetch-site", "cross-site")], true),
            (vec![("sec-fetch-site", "same-site")], true),
        ] {
            let mut pairs = vec![host];
            pairs.extend(more.clone());
            assert_eq!(asked(Method::POST, &pairs).is_some(), refused, "{more:?}");
            assert!(asked(Method::GET, &pairs).is_none());
        }
    }
}
