//! What `.obsidian/app.json` and `types.json` say that changes what notes mean or how they are shown.

use std::collections::HashMap;
use std::sync::Arc;

use regex::Regex;
use serde::Serialize;
use serde_json::Value;

use super::{FileRef, Layer, Vault};
use crate::note::PropertyKind;
use crate::text::fold;

/// How a link to a file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LinkFormat {
    /// The name if no other file has it, otherwise the path.
    #[default]
    Shortest,
    /// The path from the note's folder.
    Relative,
    /// The path from the vault's root.
    Absolute,
}

/// How properties are shown above a note.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PropertyView {
    /// As a list.
    #[default]
    Visible,
    /// Not at all.
    Hidden,
    /// As the YAML that they are.
    Source,
}

/// Settings of a vault.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whether a link that no file resolves may mean the one note which has that alias. Off, as in Obsidian.
    pub alias_links: bool,
    /// `strictLineBreaks`: a single newline is no line break, as in CommonMark.
    pub strict_line_breaks: bool,
    /// `newLinkFormat`.
    pub link_format: LinkFormat,
    /// `useMarkdownLinks`: links are written `[text](path)`.
    pub markdown_links: bool,
    /// `attachmentFolderPath`: where Obsidian puts what is pasted. Links do not depend on it.
    pub attachment_folder: Option<String>,
    /// `propertiesInDocument`.
    pub properties: PropertyView,
    /// `types` of `types.json`, by lower-case name.
    pub types: Arc<HashMap<String, PropertyKind>>,
    /// `userIgnoreFilters`.
    pub excluded: Excluded,
}

/// Which files are excluded.
#[derive(Clone, Debug, Default)]
pub struct Excluded(Arc<[Filter]>);

/// A line of `userIgnoreFilters`.
#[derive(Clone, Debug)]
enum Filter {
    /// Folded.
    Prefix(String),
    Pattern(Regex),
}

impl Settings {
    /// Reads what the files of `.obsidian` say; a missing one is an empty text. What is wrong is told, and left as it would
    /// be without that file or key.
    pub fn read(app: &str, types: &str) -> (Self, Vec<SettingProblem>) {
        let mut settings = Self::default();
        let mut problems = Vec::new();
        let app = object("app.json", app, &mut problems);
        let mut wrong = |key: &'static str, value: &Value, wanted: &str| {
            problems.push(SettingProblem {
                file: "app.json",
                message: format!("`{key}` is {value}, not {wanted}; it is left out"),
            });
        };
        for (key, value) in &app {
            match (key.as_str(), value) {
                ("strictLineBreaks", Value::Bool(on)) => settings.strict_line_breaks = *on,
                ("strictLineBreaks", _) => wrong("strictLineBreaks", value, "true or false"),
                ("useMarkdownLinks", Value::Bool(on)) => settings.markdown_links = *on,
                ("useMarkdownLinks", _) => wrong("useMarkdownLinks", value, "true or false"),
                ("newLinkFormat", _) => match value.as_str() {
                    Some("shortest") => settings.link_format = LinkFormat::Shortest,
                    Some("relative") => settings.link_format = LinkFormat::Relative,
                    Some("absolute") => settings.link_format = LinkFormat::Absolute,
                    _ => wrong("newLinkFormat", value, "shortest, relative or absolute"),
                },
                ("attachmentFolderPath", Value::String(path)) => settings.attachment_folder = Some(path.clone()),
                ("attachmentFolderPath", _) => wrong("attachmentFolderPath", value, "a path"),
                ("propertiesInDocument", _) => match value.as_str() {
                    Some("visible") => settings.properties = PropertyView::Visible,
                    Some("hidden") => settings.properties = PropertyView::Hidden,
                    Some("source") => settings.properties = PropertyView::Source,
                    _ => wrong("propertiesInDocument", value, "visible, hidden or source"),
                },
                // Before 1.4.
                ("showFrontmatter", Value::Bool(false)) if !app.contains_key("propertiesInDocument") => {
                    settings.properties = PropertyView::Hidden;
                }
                ("userIgnoreFilters", Value::Array(filters)) => {
                    let mut excluded = Vec::new();
                    for filter in filters {
                        match filter.as_str().map(Filter::new) {
                            Some(Ok(filter)) => excluded.extend(filter),
                            Some(Err(why)) => wrong(
                                "userIgnoreFilters",
                                filter,
                                &format!("a pattern that can be read ({why})"),
                            ),
                            None => wrong("userIgnoreFilters", filter, "a path or a /pattern/"),
                        }
                    }
                    settings.excluded = Excluded(excluded.into());
                }
                ("userIgnoreFilters", Value::Null) => {}
                ("userIgnoreFilters", _) => wrong("userIgnoreFilters", value, "a list"),
                _ => {}
            }
        }
        let types = object("types.json", types, &mut problems);
        if let Some(Value::Object(types)) = types.get("types") {
            let kinds = types.iter().filter_map(|(name, kind)| {
                let kind = match kind.as_str()? {
                    "text" => PropertyKind::Text,
                    "multitext" => PropertyKind::List,
                    "number" => PropertyKind::Number,
                    "checkbox" => PropertyKind::Checkbox,
                    "date" => PropertyKind::Date,
                    "datetime" => PropertyKind::DateTime,
                    "tags" => PropertyKind::Tags,
                    "aliases" => PropertyKind::Aliases,
                    _ => return None,
                };
                Some((name.to_lowercase(), kind))
            });
            settings.types = Arc::new(kinds.collect());
        }
        (settings, problems)
    }
}

/// Something in a file of settings that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    /// `app.json` or `types.json`.
    pub file: &'static str,
    /// What is wrong.
    pub message: String,
}

fn object(file: &'static str, text: &str, problems: &mut Vec<SettingProblem>) -> serde_json::Map<String, Value> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return serde_json::Map::new();
    }
    let message = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => return object,
        Ok(_) => "it is no JSON object; none of it is used".to_owned(),
        Err(error) => format!("it is no JSON ({error}); none of it is used"),
    };
    problems.push(SettingProblem { file, message });
    serde_json::Map::new()
}

impl Filter {
    fn new(text: &str) -> Result<Option<Self>, String> {
        let text = text.trim();
        if let Some(pattern) = text
            .strip_prefix('/')
            .and_then(|text| text.strip_suffix('/'))
            .filter(|p| !p.is_empty())
        {
            let pattern = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build();
            return pattern
                .map(|pattern| Some(Self::Pattern(pattern)))
                .map_err(|error| match error {
                    regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                    _ => "it is no regular expression".to_owned(),
                });
        }
        let prefix = fold(text.trim_start_matches('/'));
        Ok((!prefix.is_empty()).then_some(Self::Prefix(prefix)))
    }

    fn holds(&self, path: &str) -> bool {
        match self {
            Self::Prefix(prefix) => fold(path).starts_with(prefix.as_str()),
            Self::Pattern(pattern) => pattern.is_match(path),
        }
    }
}

impl Vault {
    /// What changes what links and lines mean.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes other settings.
    pub fn set_settings(&mut self, settings: Settings) {
        if settings.alias_links != self.settings.alias_links {
            self.links = std::sync::OnceLock::new();
        }
        self.settings = settings;
    }

    /// Whether a file is excluded (`userIgnoreFilters`): hidden from search, the graph and unlinked mentions, last when a
    /// note is opened by name. It can be linked to all the same.
    pub fn is_excluded(&self, file: &FileRef) -> bool {
        file.layer == Layer::User && self.settings.excluded.0.iter().any(|filter| filter.holds(&file.path))
    }

    /// A link to a file as it would be written in a note, by the settings of the vault.
    pub fn link_to(&self, from: &FileRef, to: &FileRef) -> String {
        let without = |path: &str| path.strip_suffix(".md").unwrap_or(path).to_owned();
        let name = super::last_segment(&to.path);
        let path = match self.settings.link_format {
            LinkFormat::Absolute => without(&to.path),
            LinkFormat::Relative => relative(super::folder(&from.path), &without(&to.path)),
            LinkFormat::Shortest => match self.names.named(&fold(name)) {
                [_] => without(name),
                _ => without(&to.path),
            },
        };
        if self.settings.markdown_links {
            let extension = &to.path[without(&to.path).len()..];
            let encoded = path.replace('%', "%25").replace(' ', "%20") + extension;
            return format!("[{}]({encoded})", without(name));
        }
        format!("[[{path}]]")
    }
}

/// A path as it is seen from a folder.
fn relative(folder: &str, path: &str) -> String {
    let from: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    let to: Vec<&str> = path.split('/').collect();
    let common = from.iter().zip(&to[..to.len() - 1]).take_while(|(a, b)| a == b).count();
    let up = "../".repeat(from.len() - common);
    format!("{up}{}", to[common..].join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::Note;

    #[test]
    fn settings_are_read() {
        let app = r#"{"strictLineBreaks": true, "useMarkdownLinks": 1, "newLinkFormat": "relative", "unknown": [],
            "attachmentFolderPath": "첨부", "propertiesInDocument": "source",
            "userIgnoreFilters": ["스크랩/", "/\\.draft\\./", "/(/", 3]}"#;
        let (settings, problems) = Settings::read(app, r#"{"types": {"Due": "date", "x": "no"}}"#);
        assert!(settings.strict_line_breaks && !settings.markdown_links);
        assert_eq!(settings.link_format, LinkFormat::Relative);
        assert_eq!(settings.properties, PropertyView::Source);
        assert_eq!(settings.attachment_folder.as_deref(), Some("첨부"));
        assert_eq!(settings.types.get("due"), Some(&PropertyKind::Date));
        assert_eq!(problems.len(), 3, "{problems:?}");
        let mut vault = Vault::new(settings);
        for (path, excluded) in [
            ("스크랩/a.md", true),
            ("b.draft.md", true),
            ("c.md", false),
            ("x/스크랩/a.md", false),
        ] {
            let file = FileRef {
                layer: Layer::User,
                path: path.into(),
            };
            vault.insert(Layer::User, Note::parse(path, ""));
            assert_eq!(vault.is_excluded(&file), excluded, "{path}");
        }
        for broken in ["{", "[]", "\"x\""] {
            let (settings, problems) = Settings::read(broken, broken);
            assert!(!settings.strict_line_breaks);
            assert_eq!(problems.len(), 2, "{broken}");
        }
    }

    #[test]
    fn links_are_written_as_the_settings_say() {
        let file = |path: &str| FileRef {
            layer: Layer::User,
            path: path.into(),
        };
        for (app, to, expected) in [
            ("{}", "a/하나.md", "[[하나]]"),
            ("{}", "a/둘.md", "[[a/둘]]"),
            (r#"{"newLinkFormat": "absolute"}"#, "a/하나.md", "[[a/하나]]"),
            (r#"{"newLinkFormat": "relative"}"#, "a/하나.md", "[[../a/하나]]"),
            (r#"{"newLinkFormat": "relative"}"#, "b/셋 넷.md", "[[셋 넷]]"),
            (r#"{"useMarkdownLinks": true}"#, "b/셋 넷.md", "[셋 넷](셋%20넷.md)"),
            ("{}", "b/p.png", "[[p.png]]"),
        ] {
            let mut vault = Vault::new(Settings::read(app, "").0);
            for path in ["a/하나.md", "a/둘.md", "b/둘.md", "b/셋 넷.md"] {
                vault.insert(Layer::User, Note::parse(path, ""));
            }
            vault.insert_attachment(Layer::User, "b/p.png");
            assert_eq!(vault.link_to(&file("b/n.md"), &file(to)), expected, "{app}");
        }
    }
}
