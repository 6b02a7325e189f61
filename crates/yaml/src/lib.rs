//! YAML with a place for every value.
//!
//! One reader for everything that Peapod reads: manifests (as `kubectl` reads them: YAML 1.1 scalars through
//! `sigs.k8s.io/yaml`), experiments, and the properties of notes (YAML 1.2 core). The event stream comes from
//! `saphyr-parser`; what a plain scalar means, merge keys, duplicate keys, alias limits and spans are ours.
#![allow(dead_code)]

/// Which plain scalars mean what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `sigs.k8s.io/yaml` on `go.yaml.in/yaml/v2`: `yes` is a boolean, `0644` is 420, keys too.
    Kubernetes,
    /// YAML 1.2 core schema: for experiments and note properties.
    Core,
}

/// A place in the text that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: usize,
    /// Byte offset after the last byte.
    pub end: usize,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value stands.
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
    Number(serde_json::Number),
    /// Text.
    String(String),
    /// A sequence.
    Sequence(Vec<Node>),
    /// A mapping in source order; keys are text, as in JSON. A duplicate key appears twice here.
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
