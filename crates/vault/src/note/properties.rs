//! Properties: the YAML at the top of a note.

use std::ops::Range;

use peapod_yaml::{Dialect, Node, Span};
use serde::Serialize;
use serde_json::{Map, Value};

use super::facts::{Subpath, Tag};
use crate::diagnostic::{Diagnostic, Severity};
use crate::place::{Lines, Place};
use crate::syntax::wikilink;
use crate::text::{chars, nfc};

/// The properties of a note.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Properties {
    /// The block with its `---` lines, if the note has one.
    pub place: Option<Place>,
    /// The properties by name, in the order of the file; empty if there are none or the YAML is broken.
    pub values: Map<String, Value>,
    /// Whether the YAML could not be read; a diagnostic of the note says why and where.
    pub broken: bool,
    /// Links in the values: `"[[note|text]]"`.
    pub links: Vec<PropertyLink>,
    /// Names whose spelling Obsidian no longer reads since 1.9 (`tag`, `tags: a, b`); they are counted nevertheless.
    pub legacy: Vec<String>,
}

impl Properties {
    /// The value of a property; names are compared without regard to case.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let name = name.to_lowercase();
        self.values
            .iter()
            .find(|(key, _)| key.to_lowercase() == name)
            .map(|(_, value)| value)
    }

    /// How a property is shown and edited.
    pub fn kind(&self, name: &str) -> PropertyKind {
        match name.to_lowercase().as_str() {
            "tags" | "tag" => return PropertyKind::Tags,
            "aliases" | "alias" => return PropertyKind::Aliases,
            _ => {}
        }
        match self.get(name) {
            Some(Value::Bool(_)) => PropertyKind::Checkbox,
            Some(Value::Number(_)) => PropertyKind::Number,
            Some(Value::Array(_)) => PropertyKind::List,
            Some(Value::String(text)) if is_date(text) => PropertyKind::Date,
            Some(Value::String(text)) if is_date_time(text) => PropertyKind::DateTime,
            _ => PropertyKind::Text,
        }
    }
}

/// How a property is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PropertyKind {
    /// Text; also nothing, and nested mappings (shown as JSON).
    Text,
    /// A list of texts.
    List,
    /// A number.
    Number,
    /// True or false.
    Checkbox,
    /// `YYYY-MM-DD`.
    Date,
    /// `YYYY-MM-DDTHH:mm[:ss]`.
    DateTime,
    /// The note's tags.
    Tags,
    /// The note's other names.
    Aliases,
}

/// A link in a property's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PropertyLink {
    /// The property's name.
    pub key: String,
    /// The path part.
    pub target: String,
    /// The part after `#`.
    pub subpath: Option<Subpath>,
    /// The text after the bar.
    pub alias: Option<String>,
}

/// What the top of a note gave.
#[derive(Debug, Default)]
pub(super) struct Front {
    pub properties: Properties,
    pub tags: Vec<Tag>,
    pub aliases: Vec<String>,
    pub css_classes: Vec<String>,
    pub diagnostics: Vec<Diagnostic>,
    /// Where the text begins.
    pub body: usize,
}

/// The YAML between a first line `---` and the next one, and where the text goes on.
fn split(text: &str) -> Option<(Range<usize>, usize)> {
    let start = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let mut lines = text[start..].split_inclusive('\n');
    let is_mark = |line: &str| line.trim_end() == "---";
    let first = lines.next().filter(|line| is_mark(line))?;
    let yaml = start + first.len();
    let mut at = yaml;
    for line in lines {
        if is_mark(line) {
            return Some((yaml..at, at + line.len()));
        }
        at += line.len();
    }
    None
}

/// Reads the properties of a note.
pub(super) fn read(text: &str, lines: &Lines) -> Front {
    let mut front = Front::default();
    let Some((yaml, body)) = split(text) else { return front };
    front.body = body;
    let mark = text[..body].trim_end_matches(['\n', '\r', ' ', '\t']).len();
    front.properties.place = Some(lines.place(text, text[..yaml.start].find("---").unwrap_or(0)..mark));
    let place = |span: Span| lines.place(text, yaml.start + span.start..yaml.start + span.end.max(span.start + 1));
    let broken = |front: &mut Front, span: Span, message: String, hint: &str| {
        front.properties.broken = true;
        front.properties.values.clear();
        front
            .diagnostics
            .push(Diagnostic::new(Severity::Error, "note.properties", message, place(span)).hint(hint));
    };
    let root = match peapod_yaml::read(&text[yaml.clone()], Dialect::Core) {
        Ok(documents) => documents.into_iter().next(),
        Err(error) => {
            let message = format!("the properties are no YAML: {}", error.problem);
            broken(
                &mut front,
                error.span,
                message,
                "the rest of the note is read without them",
            );
            return front;
        }
    };
    let Some(root) = root.filter(|root| !root.is_null()) else {
        return front;
    };
    if !matches!(root.value, peapod_yaml::Value::Mapping(_)) {
        let message = format!("properties are `name: value` lines, not a {}", root.kind());
        broken(
            &mut front,
            root.span,
            message,
            "for text at the top of a note leave out the `---` lines",
        );
        return front;
    }
    for (key, value) in root.entries() {
        if front.properties.values.contains_key(&key.name) {
            let message = format!("the property `{}` is there twice", key.name);
            broken(&mut front, key.span, message, "keep one of them");
            return front;
        }
        front.properties.values.insert(key.name.clone(), value.to_json());
    }
    for (key, value) in root.entries() {
        read_links(&key.name, value, &mut front.properties.links);
        special(&mut front, &key.name, value, &place);
    }
    if !front.properties.legacy.is_empty() {
        let message = format!(
            "Obsidian no longer reads {} as written here",
            front.properties.legacy.join(", ")
        );
        let place = front.properties.place.unwrap_or_default();
        let hint = "write a list under `tags`, `aliases` or `cssclasses`";
        front
            .diagnostics
            .push(Diagnostic::new(Severity::Notice, "note.legacy-property", message, place).hint(hint));
    }
    front
}

/// Tags, aliases and classes; their old spellings too.
fn special(front: &mut Front, name: &str, value: &Node, place: &dyn Fn(Span) -> Place) {
    let folded = name.to_lowercase();
    let old_name = matches!(folded.as_str(), "tag" | "alias" | "cssclass");
    let texts: Vec<(String, Span)> = match &value.value {
        peapod_yaml::Value::Sequence(items) => items
            .iter()
            .filter_map(|item| Some((text_of(item)?, item.span)))
            .collect(),
        _ => text_of(value).into_iter().map(|text| (text, value.span)).collect(),
    };
    let is_list = matches!(value.value, peapod_yaml::Value::Sequence(_) | peapod_yaml::Value::Null);
    match folded.as_str() {
        "tags" | "tag" => {
            for (text, span) in texts {
                let parts: Vec<&str> = if is_list {
                    vec![text.trim()]
                } else {
                    text.split([',', ' ', '\t', '\n']).collect()
                };
                for part in parts {
                    let part = part.strip_prefix('#').unwrap_or(part).trim_end_matches('/');
                    let valid = part.chars().all(chars::is_tag_char) && !part.chars().all(|c| c.is_ascii_digit());
                    if valid {
                        front.tags.push(Tag {
                            name: nfc(part),
                            in_properties: true,
                            place: place(span),
                        });
                    }
                }
            }
        }
        "aliases" | "alias" => front.aliases.extend(
            texts
                .into_iter()
                .map(|(text, _)| nfc(text.trim()))
                .filter(|t| !t.is_empty()),
        ),
        "cssclasses" | "cssclass" => {
            let safe = |class: &str| class.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            for (text, _) in texts {
                front
                    .css_classes
                    .extend(text.split_whitespace().filter(|class| safe(class)).map(str::to_owned));
            }
        }
        _ => return,
    }
    if old_name || !is_list {
        front.properties.legacy.push(name.to_owned());
    }
}

/// A scalar as text.
fn text_of(node: &Node) -> Option<String> {
    match &node.value {
        peapod_yaml::Value::String(text) => Some(text.clone()),
        peapod_yaml::Value::Number(number) => Some(number.to_string()),
        peapod_yaml::Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Links in texts, lists included.
fn read_links(key: &str, value: &Node, links: &mut Vec<PropertyLink>) {
    if let Some(text) = value.as_str() {
        links.extend(wikilink::find_all(text).into_iter().map(|(_, _, link)| PropertyLink {
            key: key.to_owned(),
            target: link.target,
            subpath: link.subpath,
            alias: link.alias,
        }));
    }
    value.items().iter().for_each(|item| read_links(key, item, links));
}

/// Whether `text` is `dddd-dd-dd`.
fn is_date(text: &str) -> bool {
    matches_shape(text, "dddd-dd-dd")
}

/// Whether `text` is `dddd-dd-ddTdd:dd` with or without seconds.
fn is_date_time(text: &str) -> bool {
    matches_shape(text, "dddd-dd-ddTdd:dd") || matches_shape(text, "dddd-dd-ddTdd:dd:dd")
}

fn matches_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            _ => byte == shape,
        })
}
