//! kubectl's dialect of JSONPath (`client-go/util/jsonpath`): text with `{…}` parts, `range … end`, filters with one
//! comparison.

use serde_json::Value;

use super::json::compact;
use crate::value::sorted;

/// The longest template, in bytes.
const MAX_TEMPLATE: usize = 16 * 1024;

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Node>),
    Identifier(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Wildcard,
    Recursive,
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: i64,
        single: bool,
    },
    Union(Vec<Vec<Step>>),
    Filter {
        left: Operand,
        operator: &'static str,
        right: Operand,
    },
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Path(Vec<Step>),
    Literal(Value),
    None,
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    source: String,
    nodes: Vec<Node>,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// kubectl's words for what is wrong, without `error parsing jsonpath …, `.
    pub fn parse(source: &str) -> Result<Template, String> {
        if source.len() > MAX_TEMPLATE {
            return Err(format!("the template is longer than {MAX_TEMPLATE} bytes"));
        }
        let chars: Vec<char> = source.chars().collect();
        let mut parser = Parser { chars: &chars, at: 0 };
        let mut open: Vec<(Vec<Step>, Vec<Node>)> = Vec::new();
        let mut nodes = Vec::new();
        while let Some(char) = parser.peek() {
            if char != '{' {
                let mut text = String::new();
                while let Some(char) = parser.peek().filter(|char| *char != '{') {
                    text.push(char);
                    parser.at += 1;
                }
                nodes.push(Node::Text(text));
                continue;
            }
            parser.at += 1;
            for node in parser.action()? {
                match node {
                    Action::Node(node) => nodes.push(node),
                    Action::Range(path) => {
                        if open.len() >= 16 {
                            return Err("range is nested too deep".to_owned());
                        }
                        open.push((path, std::mem::take(&mut nodes)));
                    }
                    Action::End => match open.pop() {
                        Some((path, outer)) => {
                            let body = std::mem::replace(&mut nodes, outer);
                            nodes.push(Node::Range(path, body));
                        }
                        None => return Err("not in range, nothing to end".to_owned()),
                    },
                }
            }
        }
        // An open range ends with the template.
        while let Some((path, outer)) = open.pop() {
            let body = std::mem::replace(&mut nodes, outer);
            nodes.push(Node::Range(path, body));
        }
        Ok(Template {
            source: source.to_owned(),
            nodes,
        })
    }

    /// The text that the template makes of a value.
    ///
    /// # Errors
    /// What was printed so far, and kubectl's words for what went wrong.
    pub fn print(&self, value: &Value) -> Result<String, (String, String)> {
        let mut out = String::new();
        match print(&self.nodes, value, &mut out) {
            Ok(()) => Ok(out),
            Err(error) => Err((out, error)),
        }
    }

    /// All values that the template's paths find.
    ///
    /// # Errors
    /// kubectl's words for what went wrong.
    pub fn find<'a>(&self, value: &'a Value) -> Result<Vec<&'a Value>, String> {
        let mut found = Vec::new();
        for node in &self.nodes {
            match node {
                Node::Path(path) => found.extend(walk(path, vec![value])?),
                Node::Identifier(name) => return Err(format!("unrecognized identifier {name}")),
                _ => {}
            }
        }
        Ok(found)
    }

    /// The template as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// A path as `--sort-by` and `custom-columns` take it (`a.b`, `.a.b`, `{a.b}`, `{.a.b}`) as a template.
///
/// # Errors
/// kubectl's words for a path that has another form.
pub fn relaxed(path: &str) -> Result<String, String> {
    let bare = path
        .strip_prefix('{')
        .and_then(|path| path.strip_suffix('}'))
        .unwrap_or(path);
    if path.is_empty() {
        return Ok(String::new());
    }
    let inner = bare.strip_prefix('.').unwrap_or(bare);
    if inner.is_empty() || inner.contains(['{', '}']) {
        return Err(
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'"
                .to_owned(),
        );
    }
    Ok(format!("{{.{inner}}}"))
}

/// The first value that a relaxed path finds.
///
/// # Errors
/// kubectl's words for a bad path.
pub fn evaluate_first(path: &str, value: &Value) -> Result<Option<Value>, String> {
    let template = Template::parse(&relaxed(path)?)?;
    Ok(template.find(value)?.first().map(|found| (*found).clone()))
}

enum Action {
    Node(Node),
    Range(Vec<Step>),
    End,
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
}

fn ends_name(char: char) -> bool {
    char.is_whitespace() || matches!(char, '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// What stands between `{` and `}`.
    fn action(&mut self) -> Result<Vec<Action>, String> {
        let mut actions = Vec::new();
        loop {
            match self.peek() {
                None => return Err("unclosed action".to_owned()),
                Some('}') => {
                    self.at += 1;
                    return Ok(actions);
                }
                Some(blank) if blank.is_whitespace() => self.at += 1,
                Some(quote @ ('"' | '\'')) => actions.push(Action::Node(Node::Text(self.quoted(quote)?))),
                Some('.' | '$' | '@' | '[' | '*') => actions.push(Action::Node(Node::Path(self.path()?))),
                Some(char) if char.is_alphanumeric() || char == '_' || char == '-' => {
                    let mut name = String::new();
                    while let Some(char) = self.peek().filter(|char| !ends_name(*char)) {
                        name.push(char);
                        self.at += 1;
                    }
                    match name.as_str() {
                        "end" => actions.push(Action::End),
                        "range" => {
                            while self.peek().is_some_and(char::is_whitespace) {
                                self.at += 1;
                            }
                            let path = self.path()?;
                            actions.push(Action::Range(path));
                        }
                        _ => {
                            // Whatever follows belongs to the same mistake.
                            while self.peek().is_some_and(|char| char != '}') {
                                self.at += 1;
                            }
                            actions.push(Action::Node(Node::Identifier(name)));
                        }
                    }
                }
                Some(other) => return Err(unrecognized(other)),
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err("unterminated quoted string".to_owned()),
                Some(char) if char == quote => {
                    self.at += 1;
                    return Ok(text);
                }
                Some('\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some('n') => text.push('\n'),
                        Some('t') => text.push('\t'),
                        Some('r') => text.push('\r'),
                        Some(other) => text.push(other),
                        None => return Err("unterminated quoted string".to_owned()),
                    }
                    self.at += 1;
                }
                Some(char) => {
                    text.push(char);
                    self.at += 1;
                }
            }
        }
    }

    fn path(&mut self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        if matches!(self.peek(), Some('$' | '@')) {
            self.at += 1;
        }
        loop {
            match self.peek() {
                Some('.') => {
                    self.at += 1;
                    if self.peek() == Some('.') {
                        self.at += 1;
                        steps.push(Step::Recursive);
                    }
                    let name = self.name();
                    match name.as_str() {
                        "" => {}
                        "*" => steps.push(Step::Wildcard),
                        _ => steps.push(Step::Field(name)),
                    }
                }
                Some('[') => steps.push(self.brackets()?),
                _ => return Ok(steps),
            }
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(char) = self.peek() {
            if char == '\\' {
                self.at += 1;
                name.extend(self.peek());
                self.at += 1;
            } else if ends_name(char) || matches!(char, '=' | '!' | '<' | '>' | ')') {
                break;
            } else {
                name.push(char);
                self.at += 1;
            }
        }
        name
    }

    fn brackets(&mut self) -> Result<Step, String> {
        self.at += 1;
        if self.chars[self.at..].starts_with(&['?', '(']) {
            self.at += 2;
            return self.filter();
        }
        let start = self.at;
        let mut quote = None;
        loop {
            match (self.peek(), quote) {
                (None, _) => return Err("unterminated array".to_owned()),
                (Some('\''), None) => quote = Some('\''),
                (Some('\''), Some(_)) => quote = None,
                (Some('}'), None) => return Err("unterminated array".to_owned()),
                (Some(']'), None) => break,
                _ => {}
            }
            self.at += 1;
        }
        let text: String = self.chars[start..self.at].iter().collect();
        self.at += 1;
        if text == "*" {
            return Ok(Step::Wildcard);
        }
        let mut parts = Vec::new();
        for part in text.split(',') {
            parts.push(vec![index(part.trim())?]);
        }
        Ok(match parts.len() {
            1 => match parts.pop().and_then(|mut steps| steps.pop()) {
                Some(Step::Union(mut paths)) if paths.len() == 1 => {
                    let mut path = paths.pop().unwrap_or_default();
                    if path.len() == 1 {
                        path.pop().unwrap_or(Step::Wildcard)
                    } else {
                        Step::Union(vec![path])
                    }
                }
                Some(step) => step,
                None => Step::Wildcard,
            },
            _ => Step::Union(parts),
        })
    }

    fn filter(&mut self) -> Result<Step, String> {
        let left = self.operand()?;
        let mut operator = "exists";
        for candidate in ["==", "!=", "<=", ">=", "<", ">"] {
            let length = candidate.len();
            if self.chars[self.at..].iter().take(length).collect::<String>() == candidate {
                operator = candidate;
                self.at += length;
                break;
            }
        }
        let right = if operator == "exists" {
            Operand::None
        } else {
            self.operand()?
        };
        if self.peek() != Some(')') {
            return Err(self
                .peek()
                .map_or_else(|| "unterminated filter".to_owned(), unrecognized));
        }
        self.at += 1;
        if self.peek() != Some(']') {
            return Err("unclosed array expect ]".to_owned());
        }
        self.at += 1;
        Ok(Step::Filter { left, operator, right })
    }

    fn operand(&mut self) -> Result<Operand, String> {
        let skip = |parser: &mut Self| {
            while parser.peek().is_some_and(char::is_whitespace) {
                parser.at += 1;
            }
        };
        skip(self);
        let operand = match self.peek() {
            Some(quote @ ('"' | '\'')) => Operand::Literal(Value::String(self.quoted(quote)?)),
            Some('@' | '.' | '$' | '[') => Operand::Path(self.path()?),
            Some(char) if char.is_ascii_alphanumeric() || char == '-' => {
                let mut word = String::new();
                while let Some(char) = self
                    .peek()
                    .filter(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '+'))
                {
                    word.push(char);
                    self.at += 1;
                }
                Operand::Literal(serde_json::from_str(&word).map_err(|_| format!("unrecognized identifier {word}"))?)
            }
            Some(other) => return Err(unrecognized(other)),
            None => return Err("unterminated filter".to_owned()),
        };
        skip(self);
        Ok(operand)
    }
}

fn unrecognized(char: char) -> String {
    format!("unrecognized character in action: U+{:04X} '{char}'", u32::from(char))
}

/// One part between brackets: an index, a slice or a quoted path.
fn index(text: &str) -> Result<Step, String> {
    if let Some(quoted) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        let chars: Vec<char> = format!(".{quoted}").chars().collect();
        let mut parser = Parser { chars: &chars, at: 0 };
        return Ok(Step::Union(vec![parser.path()?]));
    }
    let bad = || format!("invalid array index {text}");
    let number = |part: &str| {
        if part.is_empty() {
            Ok(None)
        } else {
            part.parse::<i64>().map(Some).map_err(|_| bad())
        }
    };
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [""] => Err(bad()),
        [one] => Ok(Step::Slice {
            start: number(one)?,
            end: None,
            step: 1,
            single: true,
        }),
        [start, end] => Ok(Step::Slice {
            start: number(start)?,
            end: number(end)?,
            step: 1,
            single: false,
        }),
        [start, end, step] => {
            let step = number(step)?.unwrap_or(1);
            if step <= 0 {
                return Err("step must be > 0".to_owned());
            }
            Ok(Step::Slice {
                start: number(start)?,
                end: number(end)?,
                step,
                single: false,
            })
        }
        _ => Err(bad()),
    }
}

fn walk<'a>(path: &[Step], mut values: Vec<&'a Value>) -> Result<Vec<&'a Value>, String> {
    for step in path {
        values = advance(step, values)?;
    }
    Ok(values)
}

fn advance<'a>(step: &Step, values: Vec<&'a Value>) -> Result<Vec<&'a Value>, String> {
    let mut found = Vec::new();
    match step {
        Step::Field(name) => found.extend(
            values
                .into_iter()
                .filter_map(|value| value.as_object().and_then(|map| map.get(name))),
        ),
        Step::Wildcard => {
            for value in values {
                found.extend(children(value));
            }
        }
        Step::Recursive => {
            for value in values {
                recurse(value, &mut found);
            }
        }
        Step::Union(paths) => {
            for path in paths {
                found.extend(walk(path, values.clone())?);
            }
        }
        Step::Slice {
            start,
            end,
            step,
            single,
        } => {
            for value in values {
                let Value::Array(items) = value else {
                    if value.is_null() {
                        continue;
                    }
                    return Err(format!("{} is not array or slice", go_type(value)));
                };
                found.extend(slice(items, *start, *end, *step, *single)?);
            }
        }
        Step::Filter { left, operator, right } => {
            for value in values {
                let Value::Array(items) = value else { continue };
                for item in items {
                    if holds(item, left, operator, right)? {
                        found.push(item);
                    }
                }
            }
        }
    }
    Ok(found)
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(map) => sorted(map).into_iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    }
}

fn recurse<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    let inner = children(value);
    if !inner.is_empty() {
        found.push(value);
        for child in inner {
            recurse(child, found);
        }
    }
}

fn slice(
    items: &[Value],
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
    single: bool,
) -> Result<Vec<&Value>, String> {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let from_end = |index: i64| if index < 0 { index + length } else { index };
    let first = from_end(start.unwrap_or(0));
    let last = if single {
        first + 1
    } else {
        from_end(end.unwrap_or(length))
    };
    if first == last {
        return Ok(Vec::new());
    }
    if first >= length || first < 0 {
        return Err(format!("array index out of bounds: index {first}, length {length}"));
    }
    if last > length || last < 0 {
        return Err(format!(
            "array index out of bounds: index {}, length {length}",
            last - 1
        ));
    }
    if first > last {
        return Err(format!("starting index {first} is greater than ending index {last}"));
    }
    let (first, last) = (usize::try_from(first).unwrap_or(0), usize::try_from(last).unwrap_or(0));
    Ok(items[first..last]
        .iter()
        .step_by(usize::try_from(step).unwrap_or(1))
        .collect())
}

fn holds(item: &Value, left: &Operand, operator: &str, right: &Operand) -> Result<bool, String> {
    let value = |operand: &Operand| -> Result<Option<Value>, String> {
        match operand {
            Operand::None => Ok(None),
            Operand::Literal(literal) => Ok(Some(literal.clone())),
            Operand::Path(path) => {
                let found = walk(path, vec![item])?;
                if found.len() > 1 {
                    return Err("can only compare one element at a time".to_owned());
                }
                Ok(found.first().map(|found| (*found).clone()))
            }
        }
    };
    let Some(left) = value(left)? else { return Ok(false) };
    if operator == "exists" {
        return Ok(true);
    }
    let Some(right) = value(right)? else { return Ok(false) };
    let order = match (&left, &right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64().partial_cmp(&right.as_f64()),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => return Err("incompatible types for comparison".to_owned()),
    };
    Ok(match operator {
        "==" => order.is_some_and(std::cmp::Ordering::is_eq),
        "!=" => order.is_none_or(std::cmp::Ordering::is_ne),
        "<" => order.is_some_and(std::cmp::Ordering::is_lt),
        "<=" => order.is_some_and(std::cmp::Ordering::is_le),
        ">" => order.is_some_and(std::cmp::Ordering::is_gt),
        _ => order.is_some_and(std::cmp::Ordering::is_ge),
    })
}

fn print(nodes: &[Node], value: &Value, out: &mut String) -> Result<(), String> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Path(path) => {
                let found = walk(path, vec![value])?;
                let shown: Vec<String> = found
                    .into_iter()
                    .map(|found| match found {
                        Value::String(text) => text.clone(),
                        Value::Null => String::new(),
                        other => compact(other),
                    })
                    .collect();
                out.push_str(&shown.join(" "));
            }
            Node::Range(path, body) => {
                for found in walk(path, vec![value])? {
                    // A range goes through the items of a list that its path ends in.
                    print(body, found, out)?;
                }
            }
            Node::Identifier(name) => return Err(format!("unrecognized identifier {name}")),
        }
    }
    Ok(())
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "map[string]interface {}",
        Value::Array(_) => "[]interface {}",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::Null => "<nil>",
    }
}

/// A value as Go source (`%#v`), which kubectl prints when a template fails.
#[must_use]
pub fn go_syntax(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let inner: Vec<String> = sorted(map)
                .into_iter()
                .map(|(key, value)| format!("{key:?}:{}", go_syntax(value)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", inner.join(", "))
        }
        Value::Array(items) => format!(
            "[]interface {{}}{{{}}}",
            items.iter().map(go_syntax).collect::<Vec<_>>().join(", ")
        ),
        Value::String(text) => format!("{text:?}"),
        Value::Null => "interface {}(nil)".to_owned(),
        other => other.to_string(),
    }
}
