//! Templates: embedded, strict about names, and with the texts of the reader's language.

use axum::response::{Html, IntoResponse, Response};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, context};
use rust_embed::RustEmbed;
use serde::Serialize;

use super::error::Problem;
use super::reader::Reader;
use super::{address, assets};
use crate::i18n::{Lang, Text, fill};

#[derive(RustEmbed)]
#[folder = "templates/"]
#[include = "layout.html"]
#[include = "pages/*"]
#[include = "partials/*"]
struct Sources;

/// All templates.
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// Reads the templates. In debug builds they come from the disk and are read again for each page.
    pub fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".html") {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        environment
            .set_loader(|name| Ok(Sources::get(name).map(|file| String::from_utf8_lossy(&file.data).into_owned())));
        environment.set_formatter(write_value);
        environment.add_function("static", |path: &str| assets::address(path));
        environment.add_function("t", text);
        environment.add_filter("url", |path: &str| address::encode(path));
        Self { environment }
    }

    /// A part of a page. To the view's fields are added `lang` and `theme`.
    ///
    /// # Errors
    /// The template's mistake; its place is logged.
    pub fn part(&self, name: &str, reader: Reader, view: &impl Serialize) -> Result<String, Problem> {
        self.render(name, reader, view)
            .map_err(|error| Problem::internal(format!("{name}: {error:#}")))
    }

    /// A whole page.
    pub fn page(&self, name: &str, reader: Reader, view: &impl Serialize) -> Response {
        match self.part(name, reader, view) {
            Ok(page) => Html(page).into_response(),
            Err(problem) => problem.into_response(),
        }
    }

    fn render(&self, name: &str, reader: Reader, view: &impl Serialize) -> Result<String, Error> {
        let frame = context! { lang => reader.lang.tag(), theme => reader.theme.name() };
        let view = Value::from(Serde(view));
        let values = context! { ..frame, ..view };
        if cfg!(debug_assertions) {
            let mut fresh = self.environment.clone();
            fresh.clear_templates();
            return fresh.get_template(name)?.render(values);
        }
        self.environment.get_template(name)?.render(values)
    }
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes a value as minijinja does, but leaves `/` alone: addresses stay readable in the page's source, and a slash means
/// nothing inside a quoted attribute or a text.
fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() && matches!(state.auto_escape(), AutoEscape::Html) => {
            let mut rest = text;
            while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
                let (before, after) = rest.split_at(at);
                let escaped = match after.as_bytes().first() {
                    Some(b'&') => "&amp;",
                    Some(b'<') => "&lt;",
                    Some(b'>') => "&gt;",
                    Some(b'"') => "&quot;",
                    _ => "&#39;",
                };
                out.write_str(before)?;
                out.write_str(escaped)?;
                rest = &after[1..];
            }
            out.write_str(rest)?;
            Ok(())
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// `t("Name", place=value …)` of a template: the text of the page's language.
fn text(state: &State<'_, '_>, name: &str, values: Kwargs) -> Result<String, Error> {
    let lang = state
        .lookup("lang")
        .and_then(|lang| lang.as_str().and_then(Lang::named))
        .unwrap_or_default();
    let text = Text::named(name)
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("there is no text named {name}")))?;
    let words = text.say(lang);
    if !words.contains('{') {
        return Ok(words.to_owned());
    }
    let mut pairs = Vec::new();
    for key in values.args() {
        let value: Value = values.get(key)?;
        pairs.push((key, value.to_string()));
    }
    Ok(fill(lang, words, &pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_read() {
        let templates = Templates::new();
        for name in Sources::iter() {
            if let Err(error) = templates.environment.get_template(&name) {
                panic!("{name}: {error:#}");
            }
        }
    }

    #[test]
    fn every_text_that_a_template_names_exists() {
        for name in Sources::iter() {
            let source = Sources::get(&name)
                .map(|file| String::from_utf8_lossy(&file.data).into_owned())
                .unwrap_or_default();
            for call in source.split("t(\"").skip(1) {
                let text = call.split('"').next().unwrap_or("");
                assert!(Text::named(text).is_some(), "{name}: there is no text named {text}");
            }
        }
    }
}
