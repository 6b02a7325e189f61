//! From events to the tree: anchors, merge keys, limits.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span as Marks, Tag};

use crate::error::Error;
use crate::node::{Key, Node, Value};
use crate::scalar::{self, Refusal};
use crate::text::{Source, lenient, pieces};
use crate::{Dialect, Span};

/// How deep values may lie in each other. (go-yaml allows 10,000; no Kubernetes object comes near 200.)
pub const MAX_DEPTH: usize = 200;

/// Reads all documents; empty ones are left out.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(text: &str, dialect: Dialect) -> Result<Vec<Node>, Error> {
    read_each(text, dialect).into_iter().collect()
}

/// Reads all documents, and goes on after one that is wrong where the next `---` begins another (in
/// [`Dialect::Kubernetes`]; otherwise an error is the last result). Empty documents are left out.
pub fn read_each(text: &str, dialect: Dialect) -> Vec<Result<Node, Error>> {
    const BYTE_ORDER_MARK: &str = "\u{feff}";
    let (skipped, text) = match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => (BYTE_ORDER_MARK.len(), rest),
        None => (0, text),
    };
    let pieces = match dialect {
        Dialect::Kubernetes => pieces(text),
        Dialect::Core => vec![(text, 0, 0)],
    };
    let mut results = Vec::new();
    for (piece, offset, line) in pieces {
        let source = Source::new(piece, (skipped + offset, line));
        if dialect == Dialect::Kubernetes
            && let Some((start, _)) = piece.char_indices().find(|(_, c)| forbidden(*c))
        {
            let span = source.span_of(start, start + 1);
            results.push(Err(Error::value(span, "control characters are not allowed".to_owned())));
            continue;
        }
        let mut eased: Option<String> = None;
        for _ in 0..MAX_EASINGS {
            match Reader::new(&source, dialect).read(eased.as_deref().unwrap_or(piece)) {
                Ok(documents) => {
                    results.extend(documents.into_iter().map(Ok));
                    break;
                }
                Err(Broken {
                    documents,
                    error,
                    retry,
                }) => match retry {
                    Some(text) if dialect == Dialect::Kubernetes => eased = Some(text),
                    _ => {
                        results.extend(documents.into_iter().map(Ok));
                        results.push(Err(error));
                        break;
                    }
                },
            }
        }
    }
    results
}

/// How often a piece is read again after something that go-yaml accepts and the parser does not was written differently.
const MAX_EASINGS: usize = 200;

/// `yaml/v2 readerc.go`: characters that no YAML text may hold.
fn forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

/// A piece that could not be read to its end.
struct Broken {
    documents: Vec<Node>,
    error: Error,
    /// The same text, written so that the parser will accept the place where it stopped.
    retry: Option<String>,
}

/// A collection that is still open.
enum Open {
    Sequence {
        items: Vec<Node>,
    },
    Mapping {
        entries: Vec<(Key, Node)>,
        key: Option<Pending>,
        merged: Option<Merged>,
    },
}

/// A key whose value is still to come.
enum Pending {
    Key(Key),
    Merge,
    /// A null key, which `kubectl` refuses in words that hold the value.
    Null(Span),
}

struct Frame {
    open: Open,
    start: Marker,
    anchor: usize,
    /// Nodes in it so far, and the depth of the deepest.
    size: u64,
    height: usize,
}

struct Anchored {
    node: Node,
    size: u64,
    height: usize,
}

struct Reader<'a> {
    source: &'a Source<'a>,
    dialect: Dialect,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, Anchored>,
    /// Nodes that were decoded, and those of them that an alias brought.
    decoded: u64,
    aliased: u64,
}

impl<'a> Reader<'a> {
    fn new(source: &'a Source<'a>, dialect: Dialect) -> Self {
        Self {
            source,
            dialect,
            frames: Vec::new(),
            anchors: BTreeMap::new(),
            decoded: 0,
            aliased: 0,
        }
    }

    fn read(mut self, text: &str) -> Result<Vec<Node>, Broken> {
        let mut parser = Parser::new_from_str(text);
        let mut documents = Vec::new();
        while let Some(next) = parser.next_event() {
            let done = match next {
                Ok((event, marks)) => self.event(event, marks),
                Err(error) => {
                    let retry = lenient(text, error.info(), self.source.offset(error.marker().index()));
                    return Err(Broken {
                        documents,
                        error: self.scan_error(&error),
                        retry,
                    });
                }
            };
            match done {
                Ok(Some(document)) if document.is_null() => {}
                Ok(Some(document)) => documents.push(document),
                Ok(None) => {}
                Err(error) => {
                    return Err(Broken {
                        documents,
                        error,
                        retry: None,
                    });
                }
            }
        }
        Ok(documents)
    }

    fn scan_error(&self, error: &saphyr_parser::ScanError) -> Error {
        if error.info().contains("unknown anchor") {
            let marker = *error.marker();
            let span = self.source.span(marker, marker);
            return Error::value(
                span,
                format!("unknown anchor '{}' referenced", self.anchor_name(marker)),
            );
        }
        Error::syntax(self.source, error)
    }

    /// The name behind `*` at a place.
    fn anchor_name(&self, marker: Marker) -> String {
        let end = Marker::new(usize::MAX, 0, 0);
        let rest = self.source.slice(marker, end);
        let rest = rest.strip_prefix('*').unwrap_or(rest);
        rest.chars()
            .take_while(|c| !c.is_whitespace() && !matches!(c, ',' | ']' | '}'))
            .collect()
    }

    /// Takes an event; a document when it is complete.
    fn event(&mut self, event: Event<'_>, marks: Marks) -> Result<Option<Node>, Error> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let span = self.source.span(marks.start, marks.end);
                let node = self.scalar(&text, style, tag.as_deref(), span)?;
                let merge = self.dialect == Dialect::Kubernetes
                    && *text == *"<<"
                    && (style == ScalarStyle::Plain && tag.is_none()
                        || tag.as_deref().is_some_and(|tag| short(tag) == "!!merge"));
                if merge && anchor == 0 && self.expects_key() {
                    self.set_key(Pending::Merge);
                    return Ok(None);
                }
                self.decoded += 1;
                self.close(
                    Anchored {
                        node,
                        size: 1,
                        height: 0,
                    },
                    anchor,
                )
            }
            Event::SequenceStart(anchor, _) => self.open(Open::Sequence { items: Vec::new() }, marks, anchor),
            Event::MappingStart(anchor, _) => self.open(
                Open::Mapping {
                    entries: Vec::new(),
                    key: None,
                    merged: None,
                },
                marks,
                anchor,
            ),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.frames.pop() else {
                    return Ok(None);
                };
                let (value, end) = match frame.open {
                    Open::Sequence { items } => (Value::Sequence(items), marks.end),
                    Open::Mapping { entries, .. } => (Value::Mapping(entries), marks.end),
                };
                let node = Node {
                    span: self.collection_span(&value, frame.start, end),
                    value,
                };
                self.close(
                    Anchored {
                        node,
                        size: frame.size + 1,
                        height: frame.height,
                    },
                    frame.anchor,
                )
            }
            Event::Alias(anchor) => self.alias(anchor, marks),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(None)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(None),
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Node, Error> {
        let tag = tag.map(short).unwrap_or_default();
        let value =
            scalar::resolve(text, style == ScalarStyle::Plain, &tag, self.dialect).map_err(
                |refusal| match refusal {
                    Refusal::Tag(problem) => Error::value(span, problem),
                    Refusal::Json(problem) => Error::json(span, problem),
                },
            )?;
        Ok(Node { span, value })
    }

    /// A block collection ends where its last value ends: the parser's own end lies at the next token.
    fn collection_span(&self, value: &Value, start: Marker, end: Marker) -> Span {
        let mut span = self.source.span(start, end);
        let last = match value {
            Value::Sequence(items) => items.last().map(|item| item.span.end),
            Value::Mapping(entries) => entries.last().map(|(_, value)| value.span.end),
            _ => None,
        };
        let flow = self.source.slice(start, Marker::new(start.index() + 1, 0, 0));
        if !matches!(flow, "[" | "{") {
            span.end = last.filter(|end| *end >= span.start).unwrap_or(span.start);
        }
        span
    }

    fn open(&mut self, open: Open, marks: Marks, anchor: usize) -> Result<Option<Node>, Error> {
        self.decoded += 1;
        self.check_depth(self.frames.len() + 1, || self.source.span(marks.start, marks.end))?;
        self.frames.push(Frame {
            open,
            start: marks.start,
            anchor,
            size: 0,
            height: 0,
        });
        Ok(None)
    }

    fn check_depth(&self, depth: usize, span: impl Fn() -> Span) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::value(span(), format!("exceeded max depth of {MAX_DEPTH}")));
        }
        Ok(())
    }

    /// `decode.go unmarshal`: a document may not consist of aliases nearly alone.
    fn alias(&mut self, anchor: usize, marks: Marks) -> Result<Option<Node>, Error> {
        let span = self.source.span(marks.start, marks.end);
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(Error::value(
                span,
                format!("anchor '{}' value contains itself", self.anchor_name(marks.start)),
            ));
        };
        let (size, height) = (anchored.size, anchored.height);
        self.decoded = self.decoded.saturating_add(size).saturating_add(1);
        self.aliased = self.aliased.saturating_add(size);
        if self.aliased > 100
            && self.decoded > 1000
            && self.aliased as f64 / self.decoded as f64 > allowed_ratio(self.decoded)
        {
            return Err(Error::value(span, "document contains excessive aliasing".to_owned()));
        }
        self.check_depth(self.frames.len() + height, || span)?;
        let node = Node {
            span,
            value: anchored.node.value.clone(),
        };
        self.close(Anchored { node, size, height }, 0)
    }

    fn expects_key(&self) -> bool {
        matches!(
            self.frames.last(),
            Some(Frame {
                open: Open::Mapping { key: None, .. },
                ..
            })
        )
    }

    fn set_key(&mut self, pending: Pending) {
        if let Some(Frame {
            open: Open::Mapping { key, .. },
            ..
        }) = self.frames.last_mut()
        {
            *key = Some(pending);
        }
    }

    /// Puts a complete value into what is open, or gives it back as the document.
    fn close(&mut self, done: Anchored, anchor: usize) -> Result<Option<Node>, Error> {
        let Anchored { node, size, height } = done;
        if anchor != 0 {
            self.anchors.insert(
                anchor,
                Anchored {
                    node: node.clone(),
                    size,
                    height,
                },
            );
        }
        if self.expects_key() {
            let pending = self.key_of(&node)?;
            self.set_key(pending);
            return Ok(None);
        }
        let Some(frame) = self.frames.last_mut() else {
            return Ok(Some(node));
        };
        frame.size = frame.size.saturating_add(size);
        frame.height = frame.height.max(height + 1);
        match &mut frame.open {
            Open::Sequence { items } => items.push(node),
            Open::Mapping { entries, key, merged } => match key.take() {
                Some(Pending::Key(key)) => put_own(entries, merged.as_mut(), key, node),
                Some(Pending::Merge) => merge(entries, merged, node)?,
                Some(Pending::Null(span)) => {
                    let value = go_syntax(&node);
                    let problem = format!("unsupported map key of type: %!s(<nil>), key: <nil>, value: {value}");
                    return Err(Error::json(span, problem));
                }
                None => {}
            },
        }
        Ok(None)
    }

    fn key_of(&self, node: &Node) -> Result<Pending, Error> {
        let span = node.span;
        if matches!(node.value, Value::Sequence(_) | Value::Mapping(_)) {
            return Err(Error::value(span, format!("invalid map key: {}", go_syntax(node))));
        }
        let name = match self.dialect {
            Dialect::Kubernetes => scalar::key(&node.value),
            // Text as it is written: `1.0: x` has the key `1.0`.
            Dialect::Core => match &node.value {
                Value::String(text) => Some(text.clone()),
                _ => Some(self.source.text_of(span).to_owned()),
            },
        };
        Ok(name.map_or(Pending::Null(span), |name| Pending::Key(Key { span, name })))
    }
}

/// `decode.go allowedAliasRatio`: 99 % for small documents, down to 10 % for huge ones.
fn allowed_ratio(decoded: u64) -> f64 {
    const LOW: u64 = 400_000;
    const HIGH: u64 = 4_000_000;
    match decoded {
        ..=LOW => 0.99,
        HIGH.. => 0.10,
        _ => 0.99 - 0.89 * ((decoded - LOW) as f64 / (HIGH - LOW) as f64),
    }
}

/// What a mapping knows of its keys once something is merged into it: the index of each, and whether it was merged.
type Merged = BTreeMap<String, (usize, bool)>;

/// A key that is written replaces one that was merged before it; a second time it is kept as a duplicate.
fn put_own(entries: &mut Vec<(Key, Node)>, merged: Option<&mut Merged>, key: Key, node: Node) {
    let Some(merged) = merged else {
        entries.push((key, node));
        return;
    };
    match merged.get(&key.name) {
        Some((index, true)) => {
            let index = *index;
            merged.insert(key.name.clone(), (index, false));
            entries[index] = (key, node);
        }
        _ => {
            merged.insert(key.name.clone(), (entries.len(), false));
            entries.push((key, node));
        }
    }
}

/// `decode.go merge`: what is merged replaces what stands before it, and in a list of mappings the earlier win.
fn merge(entries: &mut Vec<(Key, Node)>, merged: &mut Option<Merged>, node: Node) -> Result<(), Error> {
    let refused = |span| {
        Error::value(
            span,
            "map merge requires map or sequence of maps as the value".to_owned(),
        )
    };
    let span = node.span;
    let sources = match node.value {
        Value::Mapping(found) => vec![found],
        Value::Sequence(items) => {
            let mut sources = Vec::new();
            for item in items.into_iter().rev() {
                let Value::Mapping(found) = item.value else {
                    return Err(refused(item.span));
                };
                sources.push(found);
            }
            sources
        }
        _ => return Err(refused(span)),
    };
    let own = || {
        entries
            .iter()
            .enumerate()
            .map(|(index, (key, _))| (key.name.clone(), (index, false)))
            .collect()
    };
    let merged = merged.get_or_insert_with(own);
    for (key, value) in sources.into_iter().flatten() {
        match merged.get(&key.name) {
            Some((index, _)) => entries[*index].1 = value,
            None => {
                merged.insert(key.name.clone(), (entries.len(), true));
                entries.push((key, value));
            }
        }
    }
    Ok(())
}

/// `!!str` for the core schema's tags, the tag itself for others.
fn short(tag: &Tag) -> String {
    let full = format!("{}{}", tag.handle, tag.suffix);
    match full.strip_prefix("tag:yaml.org,2002:") {
        Some(name) => format!("!!{name}"),
        None => full,
    }
}

/// A value as Go's `%#v` prints it.
fn go_syntax(node: &Node) -> String {
    match &node.value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::Sequence(items) => {
            format!(
                "[]interface {{}}{{{}}}",
                items.iter().map(go_syntax).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Mapping(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{:?}:{}", key.name, go_syntax(value)))
                .collect();
            format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
        }
    }
}
