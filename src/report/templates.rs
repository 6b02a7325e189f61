//! The templates of reports: embedded in the program, one environment for all reports.
//!
//! A name that a template uses and its context lacks is an error, so that a misspelling fails a test and not a reader.

use std::sync::OnceLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use rust_embed::RustEmbed;
use serde::Serialize;

#[derive(RustEmbed)]
#[folder = "templates/report/"]
struct Files;

/// Renders the template at `name` (a path under `templates/report/`) with a context.
///
/// # Errors
/// When there is no such template, or it uses what the context lacks.
pub fn render(name: &str, context: impl Serialize) -> Result<String, Error> {
    let context = Value::from(Serde(context));
    if cfg!(debug_assertions) {
        // A debug build reads the files from disk each time: an edited template shows at the next request.
        return environment().get_template(name)?.render(context);
    }
    static SHARED: OnceLock<Environment<'static>> = OnceLock::new();
    SHARED.get_or_init(environment).get_template(name)?.render(context)
}

/// A fresh environment over the embedded templates.
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Tags on lines of their own leave no empty lines behind.
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("code", code);
    environment.set_loader(|name| {
        Files::get(name)
            .map(|file| {
                String::from_utf8(file.data.into_owned())
                    .map_err(|_| Error::new(ErrorKind::InvalidOperation, format!("{name} is not UTF-8")))
            })
            .transpose()
    });
    environment
}

/// A sentence as HTML: what stands between backticks is code.
fn code(text: &str) -> Value {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = minijinja::HtmlEscape(part);
        html.push_str(&if index % 2 == 1 {
            format!("<code>{part}</code>")
        } else {
            part.to_string()
        });
    }
    Value::from_safe_string(html)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_make_code() {
        assert_eq!(code("a `b < c` & d").to_string(), "a <code>b &lt; c</code> &amp; d");
    }

    #[test]
    fn every_template_parses() {
        let environment = environment();
        for name in Files::iter().filter(|name| !name.ends_with(".css")) {
            if let Err(error) = environment.get_template(&name) {
                panic!("{name}: {error:#}");
            }
        }
    }
}
