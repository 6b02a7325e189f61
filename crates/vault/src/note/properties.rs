//! Properties: the YAML at the top of a note.

use serde::Serialize;
use serde_json::{Map, Value};

use super::facts::Subpath;
use crate::place::Place;

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
