//! The reader's choices: language and theme, kept as cookies.

use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::error::PageResult;
use super::reader::{LANG_COOKIE, Reader, THEME_COOKIE, Theme};
use super::{App, address, frame};
use crate::i18n::{Lang, Text};

#[derive(Serialize)]
struct SettingsView {
    frame: frame::Frame,
    back: String,
    languages: Vec<(&'static str, &'static str, bool)>,
    themes: Vec<(&'static str, &'static str, bool)>,
}

#[derive(Deserialize)]
pub(super) struct From {
    #[serde(default)]
    back: String,
}

/// `GET /settings`.
pub(super) async fn page(State(app): State<App>, Query(from): Query<From>, reader: Reader) -> PageResult {
    let snapshot = app.workspace().snapshot();
    let word = |theme| match theme {
        Theme::Auto => Text::ThemeAuto,
        Theme::Light => Text::ThemeLight,
        Theme::Dark => Text::ThemeDark,
    };
    let view = SettingsView {
        frame: frame::frame(&app, reader, &snapshot, None),
        back: own(&from.back),
        languages: Lang::ALL
            .map(|lang| (lang.tag(), lang.endonym(), lang == reader.lang))
            .to_vec(),
        themes: Theme::ALL
            .map(|theme| (theme.name(), word(theme).say(reader.lang), theme == reader.theme))
            .to_vec(),
    };
    Ok(app.templates().page("pages/settings.html", reader, &view))
}

#[derive(Deserialize)]
pub(super) struct Choice {
    lang: Option<String>,
    theme: Option<String>,
    #[serde(default)]
    back: String,
}

/// `POST /settings`: sets the cookies and leads back.
pub(super) async fn save(_: HeaderMap, Form(choice): Form<Choice>) -> Response {
    let lang = choice
        .lang
        .as_deref()
        .and_then(Lang::named)
        .map(|lang| (LANG_COOKIE, lang.tag()));
    let theme = choice
        .theme
        .as_deref()
        .and_then(Theme::named)
        .map(|theme| (THEME_COOKIE, theme.name()));
    let cookies: Vec<_> = [lang, theme]
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| {
            HeaderValue::from_str(&format!(
                "{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly"
            ))
            .ok()
        })
        .map(|cookie| (header::SET_COOKIE, cookie))
        .collect();
    (
        StatusCode::SEE_OTHER,
        AppendHeaders(cookies),
        [(header::LOCATION, address::location(&own(&choice.back)))],
    )
        .into_response()
}

/// An address of this server; anything else leads to the first page.
fn own(back: &str) -> String {
    let is_own = back.starts_with('/') && !back.starts_with("//") && !back.contains(['\\', '\r', '\n']);
    if is_own { back.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn one_is_led_back_to_this_server_only() {
        for (given, expected) in [
            ("/n/파드", "/n/파드"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("", "/"),
            ("/a\r\nx", "/"),
        ] {
            assert_eq!(own(given), expected, "{given:?}");
        }
    }
}
