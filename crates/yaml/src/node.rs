//! The tree that is read: values, keys and their places.

use std::collections::BTreeMap;

use serde_json::{Map, Number};

use crate::Span;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value stands. The value of an alias (`*name`) stands where the alias is; what is inside stands where the
    /// anchor is.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// A YAML value after resolution.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer or a float, as JSON holds it.
    Number(Number),
    /// Text.
    String(String),
    /// A sequence.
    Sequence(Vec<Node>),
    /// A mapping in source order; keys are text, as in JSON. A duplicate key appears twice here, and the last counts.
    Mapping(Vec<(Key, Node)>),
}

/// A mapping key and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where the key stands.
    pub span: Span,
    /// The key as text.
    pub name: String,
}

/// A reference token of a JSON pointer (RFC 6901): `~` and `/` are escaped.
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

impl Node {
    /// The value of a key of a mapping, the last one if the key is written twice.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .rev()
            .find(|(known, _)| known.name == key)
            .map(|(_, value)| value)
    }

    /// The entries of a mapping, in source order; nothing for anything else.
    pub fn entries(&self) -> &[(Key, Node)] {
        if let Value::Mapping(entries) = &self.value {
            entries
        } else {
            &[]
        }
    }

    /// The items of a sequence; nothing for anything else.
    pub fn items(&self) -> &[Node] {
        if let Value::Sequence(items) = &self.value {
            items
        } else {
            &[]
        }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = &self.value {
            Some(text)
        } else {
            None
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        if let Value::Number(number) = &self.value {
            number.as_i64()
        } else {
            None
        }
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        if let Value::Number(number) = &self.value {
            number.as_f64()
        } else {
            None
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self.value {
            Some(value)
        } else {
            None
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// What kind of value it is, for messages: `null`, `a boolean`, `a number`, `text`, `a list`, `a mapping`.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// The value as JSON; of a key that is written twice, the last one.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::String(text) => text.as_str().into(),
            Value::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Value::Mapping(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    map.insert(key.name.clone(), value.to_json());
                }
                serde_json::Value::Object(map)
            }
        }
    }

    /// The node at a JSON pointer.
    pub fn at(&self, pointer: &str) -> Option<&Node> {
        let mut node = self;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            node = match &node.value {
                Value::Mapping(_) => node.get(&token)?,
                Value::Sequence(items) => items.get(token.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(node)
    }

    /// The place of the value at a JSON pointer.
    pub fn place(&self, pointer: &str) -> Option<Span> {
        self.at(pointer).map(|node| node.span)
    }

    /// The place of every value by JSON pointer, in the order of the text; the whole is `""`. Of a key that is written
    /// twice, the last one.
    pub fn places(&self) -> Vec<(String, Span)> {
        fn walk(node: &Node, pointer: &mut String, places: &mut Vec<(String, Span)>) {
            places.push((pointer.clone(), node.span));
            let length = pointer.len();
            match &node.value {
                Value::Sequence(items) => {
                    for (index, item) in items.iter().enumerate() {
                        pointer.push_str(&format!("/{index}"));
                        walk(item, pointer, places);
                        pointer.truncate(length);
                    }
                }
                Value::Mapping(entries) => {
                    let last: BTreeMap<&str, usize> = entries
                        .iter()
                        .enumerate()
                        .map(|(index, (key, _))| (key.name.as_str(), index))
                        .collect();
                    for (index, (key, value)) in entries.iter().enumerate() {
                        if last.get(key.name.as_str()) != Some(&index) {
                            continue;
                        }
                        pointer.push('/');
                        pointer.push_str(&escape(&key.name));
                        walk(value, pointer, places);
                        pointer.truncate(length);
                    }
                }
                _ => {}
            }
        }
        let mut places = Vec::new();
        walk(self, &mut String::new(), &mut places);
        places
    }
}
