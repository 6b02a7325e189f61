//! Who reads: the language and the theme that a request asks for.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::Serialize;

use crate::i18n::Lang;

/// How a page is lit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the reader's system is.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All themes.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// As the cookie and the `data-theme` attribute have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }
}

/// Name of the cookie that keeps the language.
pub const LANG_COOKIE: &str = "peapod_lang";
/// Name of the cookie that keeps the theme.
pub const THEME_COOKIE: &str = "peapod_theme";

/// The reader's choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// Language of the interface.
    pub lang: Lang,
    /// Theme.
    pub theme: Theme,
}

impl Reader {
    /// From the cookies, else from `Accept-Language`.
    pub fn of(headers: &HeaderMap) -> Self {
        let accepted = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        Self {
            lang: cookie(headers, LANG_COOKIE)
                .and_then(Lang::named)
                .unwrap_or_else(|| Lang::accepted(accepted)),
            theme: cookie(headers, THEME_COOKIE).and_then(Theme::named).unwrap_or_default(),
        }
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_outranks_the_browser() {
        let headers = |pairs: &[(header::HeaderName, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| (k.clone(), v.parse().expect("a header")))
                .collect::<HeaderMap>()
        };
        let reader = Reader::of(&headers(&[(header::ACCEPT_LANGUAGE, "ko")]));
        assert_eq!((reader.lang, reader.theme), (Lang::Ko, Theme::Auto));
        let reader = Reader::of(&headers(&[
            (header::ACCEPT_LANGUAGE, "ko"),
            (header::COOKIE, "a=b; peapod_lang=en; peapod_theme=dark"),
        ]));
        assert_eq!((reader.lang, reader.theme), (Lang::En, Theme::Dark));
        let reader = Reader::of(&headers(&[(header::COOKIE, "peapod_lang=xx; peapod_theme=;;=")]));
        assert_eq!(reader, Reader::default());
    }
}
