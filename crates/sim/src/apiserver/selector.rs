//! Label and field selectors as requests word them (`apimachinery/pkg/labels/selector.go`, `fields/selector.go`).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::objects::Kind;

use super::field::quoted;
use super::names;

/// One requirement of a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    operator: Operator,
    /// Sorted and distinct.
    values: Vec<String>,
}

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Equals,
    DoubleEquals,
    NotEquals,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

/// A label selector: all its requirements hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Symbol(&'static str),
    End,
}

impl Token {
    fn literal(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Symbol(symbol) => symbol,
            Self::End => "",
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SYMBOLS: [&str; 9] = ["==", "!=", ")", ",", "!", "=", "<", ">", "("];
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            tokens.push(Token::End);
            return tokens;
        }
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            tokens.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
            continue;
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || "=!(),<>".contains(c))
            .unwrap_or(rest.len());
        tokens.push(Token::Word(rest[..end].to_owned()));
        rest = &rest[end..];
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).unwrap_or(&Token::End)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    /// `Parser.parse`
    fn parse(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::Word(_) | Token::Symbol("!") => {
                    let requirement = self
                        .requirement()
                        .map_err(|error| format!("unable to parse requirement: {error}"))?;
                    requirements.push(requirement);
                    match self.take() {
                        Token::End => return Ok(requirements),
                        Token::Symbol(",") => {
                            if !matches!(self.peek(), Token::Word(_) | Token::Symbol("!")) {
                                return Err(format!(
                                    "found '{}', expected: identifier after ','",
                                    self.peek().literal()
                                ));
                            }
                        }
                        other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.literal())),
                    }
                }
                Token::End => return Ok(requirements),
                other => {
                    return Err(format!(
                        "found '{}', expected: !, identifier, or 'end of string'",
                        other.literal()
                    ));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = *self.peek() == Token::Symbol("!");
        if absent {
            self.take();
        }
        let Token::Word(key) = self.take() else {
            self.next -= 1;
            return Err(format!("found '{}', expected: identifier", self.peek().literal()));
        };
        let reasons = names::label_key(&key);
        if !reasons.is_empty() {
            return Err(invalid("<nil>", &key, &reasons));
        }
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            let operator = if absent {
                Operator::DoesNotExist
            } else {
                Operator::Exists
            };
            return Ok(Requirement {
                key,
                operator,
                values: Vec::new(),
            });
        }
        let token = self.take();
        let operator = match &token {
            Token::Word(word) if word == "in" => Operator::In,
            Token::Word(word) if word == "notin" => Operator::NotIn,
            Token::Symbol("=") => Operator::Equals,
            Token::Symbol("==") => Operator::DoubleEquals,
            Token::Symbol("!=") => Operator::NotEquals,
            Token::Symbol(">") => Operator::GreaterThan,
            Token::Symbol("<") => Operator::LessThan,
            other => {
                return Err(format!(
                    "found '{}', expected: in, notin, =, ==, !=, gt, lt",
                    other.literal()
                ));
            }
        };
        let mut values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => vec![self.value()?],
        };
        values.sort();
        values.dedup();
        for (index, value) in values.iter().enumerate() {
            if matches!(operator, Operator::GreaterThan | Operator::LessThan) {
                if value.parse::<i64>().is_err() {
                    let reason = "for 'Gt', 'Lt' operators, the value must be an integer".to_owned();
                    return Err(invalid(&format!("values[{index}]"), value, &[reason]));
                }
                continue;
            }
            let reasons = names::label_value(value);
            if !reasons.is_empty() {
                return Err(invalid(&format!("values[{index}][{key}]"), value, &reasons));
            }
        }
        Ok(Requirement { key, operator, values })
    }

    /// `parseValues`
    fn values(&mut self) -> Result<Vec<String>, String> {
        let open = self.take();
        if open != Token::Symbol("(") {
            return Err(format!("found '{}' expected: '('", open.literal()));
        }
        match self.peek() {
            Token::Word(_) | Token::Symbol(",") => {
                let values = self.words()?;
                match self.take() {
                    Token::Symbol(")") => Ok(values),
                    other => Err(format!("found '{}', expected: ')'", other.literal())),
                }
            }
            Token::Symbol(")") => {
                self.take();
                Ok(vec![String::new()])
            }
            other => Err(format!("found '{}', expected: ',', ')' or identifier", other.literal())),
        }
    }

    /// `parseIdentifiersList`
    fn words(&mut self) -> Result<Vec<String>, String> {
        let mut words = Vec::new();
        loop {
            match self.take() {
                Token::Word(word) => {
                    words.push(word);
                    match self.peek() {
                        Token::Symbol(",") => {}
                        Token::Symbol(")") => return Ok(words),
                        other => return Err(format!("found '{}', expected: ',' or ')'", other.literal())),
                    }
                }
                Token::Symbol(",") => {
                    if words.is_empty() {
                        words.push(String::new());
                    }
                    if *self.peek() == Token::Symbol(")") {
                        words.push(String::new());
                        return Ok(words);
                    }
                    if *self.peek() == Token::Symbol(",") {
                        self.take();
                        words.push(String::new());
                    }
                }
                other => return Err(format!("found '{}', expected: ',', or identifier", other.literal())),
            }
        }
    }

    /// `parseExactValue`: nothing is the empty value.
    fn value(&mut self) -> Result<String, String> {
        match self.peek().clone() {
            Token::End | Token::Symbol(",") => Ok(String::new()),
            Token::Word(word) => {
                self.take();
                Ok(word)
            }
            other => Err(format!("found '{}', expected: identifier", other.literal())),
        }
    }
}

fn invalid(field: &str, value: &str, reasons: &[String]) -> String {
    format!("{field}: Invalid value: {}: {}", quoted(value), reasons.join("; "))
}

impl LabelSelector {
    /// Reads a selector.
    ///
    /// # Errors
    /// What the API server says of one that cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = Parser {
            tokens: tokens(text),
            next: 0,
        }
        .parse()?;
        requirements.sort_by(|left, right| left.key.cmp(&right.key));
        Ok(Self(requirements))
    }

    /// Whether an object's labels satisfy it.
    pub fn matches(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        let value_of = |key: &str| labels.and_then(|labels| labels.get(key));
        self.0.iter().all(|requirement| {
            let value = value_of(&requirement.key);
            let listed = || value.is_some_and(|value| requirement.values.contains(value));
            let compared = |by: fn(&i64, &i64) -> bool| {
                let pair = value
                    .and_then(|value| value.parse::<i64>().ok())
                    .zip(requirement.values.first());
                pair.is_some_and(|(value, limit)| limit.parse::<i64>().is_ok_and(|limit| by(&value, &limit)))
            };
            match requirement.operator {
                Operator::In | Operator::Equals | Operator::DoubleEquals => listed(),
                Operator::NotIn | Operator::NotEquals => !listed(),
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
                Operator::GreaterThan => compared(i64::gt),
                Operator::LessThan => compared(i64::lt),
            }
        })
    }
}

impl std::fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, requirement) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            let (key, values) = (&requirement.key, requirement.values.join(","));
            match requirement.operator {
                Operator::In => write!(f, "{key} in ({values})"),
                Operator::NotIn => write!(f, "{key} notin ({values})"),
                Operator::Equals => write!(f, "{key}={values}"),
                Operator::DoubleEquals => write!(f, "{key}=={values}"),
                Operator::NotEquals => write!(f, "{key}!={values}"),
                Operator::Exists => write!(f, "{key}"),
                Operator::DoesNotExist => write!(f, "!{key}"),
                Operator::GreaterThan => write!(f, "{key}>{values}"),
                Operator::LessThan => write!(f, "{key}<{values}"),
            }?;
        }
        Ok(())
    }
}

/// A field selector: `(field, equal, value)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<(String, bool, String)>);

impl FieldSelector {
    /// Reads a selector for objects of a kind.
    ///
    /// # Errors
    /// What the API server says of one that cannot be read, or of a field that the kind cannot be selected by.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, String> {
        let mut terms = Vec::new();
        for term in split_terms(text) {
            if term.is_empty() {
                continue;
            }
            let (field, equal, value) =
                term_of(&term).ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{term}'"))?;
            let field = if field == "spec.host" && kind == Kind::Pod {
                "spec.nodeName".to_owned()
            } else {
                field
            };
            if !selectable(kind, &field) {
                return Err(unsupported(kind, &field));
            }
            terms.push((field, equal, value));
        }
        Ok(Self(terms))
    }

    /// Whether an object satisfies it.
    pub fn matches(&self, object: &Value) -> bool {
        self.0
            .iter()
            .all(|(field, equal, wanted)| (field_of(object, field) == *wanted) == *equal)
    }
}

/// Terms are parted by commas that no backslash stands before.
fn split_terms(text: &str) -> Vec<String> {
    let (mut terms, mut term, mut escaped) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            ',' if !escaped => terms.push(std::mem::take(&mut term)),
            _ => term.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    terms.push(term);
    terms
}

fn term_of(term: &str) -> Option<(String, bool, String)> {
    let index = term.find(['=', '!'])?;
    let (field, rest) = term.split_at(index);
    let (equal, value) = if let Some(value) = rest.strip_prefix("!=") {
        (false, value)
    } else if let Some(value) = rest.strip_prefix("==") {
        (true, value)
    } else {
        (true, rest.strip_prefix('=')?)
    };
    Some((
        field.to_owned(),
        equal,
        value.replace("\\,", ",").replace("\\=", "=").replace("\\\\", "\\"),
    ))
}

fn selectable(kind: Kind, field: &str) -> bool {
    let own: &[&str] = match kind {
        Kind::Pod => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        Kind::Event => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        Kind::Node => &["spec.unschedulable"],
        Kind::Job => &["status.successful"],
        Kind::Secret => &["type"],
        Kind::Namespace => &["status.phase"],
        Kind::ReplicationController => &["status.replicas"],
        Kind::Service => &["spec.clusterIP", "spec.type"],
        _ => &[],
    };
    field == "metadata.name" || (field == "metadata.namespace" && kind.resource().namespaced) || own.contains(&field)
}

fn unsupported(kind: Kind, field: &str) -> String {
    match kind {
        Kind::Pod
        | Kind::Event
        | Kind::Node
        | Kind::Namespace
        | Kind::Secret
        | Kind::ReplicationController
        | Kind::Job
        | Kind::Service => {
            format!("field label not supported: {field}")
        }
        _ => format!(
            "{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            quoted(field)
        ),
    }
}

fn field_of(object: &Value, field: &str) -> String {
    if field == "source" {
        // The component, or who reports it.
        let source = text_at(object, "/source/component");
        return if source.is_empty() {
            text_at(object, "/reportingComponent")
        } else {
            source
        };
    }
    if field == "status.successful" {
        return object
            .pointer("/status/succeeded")
            .and_then(Value::as_i64)
            .unwrap_or(0)
            .to_string();
    }
    let pointer = format!("/{}", field.replace('.', "/"));
    match object.pointer(&pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.get("ip").and_then(Value::as_str))
            .collect::<Vec<_>>()
            .join(","),
        Some(Value::Null) | None => match field {
            "spec.unschedulable" | "spec.hostNetwork" => "false".to_owned(),
            _ => String::new(),
        },
        Some(other) => other.to_string(),
    }
}

fn text_at(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

impl FieldSelector {
    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
