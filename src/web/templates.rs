//! Templates: embedded, strict about names, and with the texts of the reader's language.

use axum::response::Html;
use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, context};
use rust_embed::RustEmbed;

use super::assets;
use super::i18n::{Lang, Text, fill};
use super::reader::Reader;

#[derive(RustEmbed)]
#[folder = "templates/"]
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
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_auto_escape_callback(|name| if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None });
        environment.set_loader(|name| Ok(Sources::get(name).map(|file| String::from_utf8_lossy(&file.data).into_owned())));
        environment.add_function("static", |path: &str| assets::address(path));
        environment.add_function("t", text);
        environment.add_function("percent", |value: f64| format!("{value:.3}%"));
        environment.add_filter("url", |path: &str| super::address::encode(path));
        Self { environment }
    }

    /// A page or a part of one. To the values are added `lang`, `theme` and what [`Templates::render`]'s reader chose.
    ///
    /// # Errors
    /// The template's mistake, with its place.
    pub fn render(&self, name: &str, reader: Reader, values: Value) -> Result<Html<String>, Error> {
        let frame = context! { lang => reader.lang.tag(), theme => reader.theme.name() };
        let render = |environment: &Environment<'_>| environment.get_template(name)?.render(context! { ..frame, ..values });
        if cfg!(debug_assertions) {
            let mut fresh = self.environment.clone();
            fresh.clear_templates();
            return render(&fresh).map(Html);
        }
        render(&self.environment).map(Html)
    }
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

/// `t("Name", place=value …)` of a template: the text of the page's language.
fn text(state: &minijinja::State<'_, '_>, name: &str, values: Kwargs) -> Result<String, Error> {
    let lang = state.lookup("lang").and_then(|lang| lang.as_str().and_then(Lang::named)).unwrap_or_default();
    let text = Text::named(name).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("there is no text named {name}")))?;
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
}
