//! From the text of a template to its tree (`text/template/parse`).

use std::collections::BTreeMap;

use super::NAME;
use super::functions;

/// How deep actions and parentheses may nest: a bound on our own stack.
const MAX_DEPTH: usize = 60;

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
    Template {
        name: String,
        pipe: Option<Pipe>,
        place: Place,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Branch {
    pub pipe: Pipe,
    pub body: Vec<Node>,
    pub otherwise: Vec<Node>,
}

/// Where a node stands, as errors tell it, and its text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
    pub text: String,
}

impl Place {
    /// `output:1:2: executing "output" at <…>`
    pub(super) fn shown(&self) -> String {
        format!(
            "{NAME}:{}:{}: executing \"{NAME}\" at <{}>",
            self.line, self.column, self.text
        )
    }
}

/// Commands of which each gives its value to the next.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pipe {
    pub place: Place,
    pub variables: Vec<String>,
    /// `=` instead of `:=`.
    pub assigns: bool,
    pub commands: Vec<Command>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    pub place: Place,
    pub arguments: Vec<Argument>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Argument {
    pub place: Place,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a.b`, the name with its `$`.
    Variable(String, Vec<String>),
    Function(String),
    Pipe(Box<Pipe>),
    /// `(…).a.b`
    Chain(Box<Argument>, Vec<String>),
}

type Failure = (usize, String);
type Parsed<T> = Result<T, Failure>;

/// Reads a template and all that it defines.
pub(super) fn parse(source: &str) -> Parsed<BTreeMap<String, Vec<Node>>> {
    let mut parser = Parser {
        source,
        at: 0,
        depth: 0,
        ranges: 0,
        variables: vec!["$".to_owned()],
        named: BTreeMap::new(),
    };
    let (nodes, end) = parser.nodes()?;
    match end {
        End::Eof => {
            parser.named.insert(NAME.to_owned(), nodes);
            Ok(parser.named)
        }
        End::Close => parser.fail("unexpected {{end}}"),
        End::Else(_) => parser.fail("unexpected {{else}}"),
    }
}

/// What ended a list of nodes; of an `else`, the place behind the word.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Eof,
    Close,
    Else(usize),
}

struct Parser<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
    ranges: usize,
    variables: Vec<String>,
    named: BTreeMap<String, Vec<Node>>,
}

impl Parser<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.source.as_bytes()[..at.min(self.source.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    }

    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err((self.line(self.at), message.into()))
    }

    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn place(&self, start: usize, end: usize) -> Place {
        let line_start = self.source[..start].rfind('\n').map_or(0, |at| at + 1);
        Place {
            line: self.line(start),
            column: start - line_start,
            text: self.source[start..end.max(start)].trim_end().to_owned(),
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return self.fail(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Text and actions up to `{{end}}`, `{{else…}}` or the end.
    fn nodes(&mut self) -> Parsed<(Vec<Node>, End)> {
        let mut nodes = Vec::new();
        loop {
            let Some(open) = self.rest().find("{{") else {
                let text = self.rest().to_owned();
                self.at = self.source.len();
                if !text.is_empty() {
                    nodes.push(Node::Text(text));
                }
                return Ok((nodes, End::Eof));
            };
            let mut text = &self.source[self.at..self.at + open];
            self.at += open + 2;
            let trims = self.rest().starts_with('-') && self.rest()[1..].starts_with([' ', '\t', '\r', '\n']);
            if trims {
                text = text.trim_end_matches([' ', '\t', '\r', '\n']);
                self.at += 2;
            }
            if !text.is_empty() {
                nodes.push(Node::Text(text.to_owned()));
            }
            if self.rest().starts_with("/*") {
                let Some(end) = self.rest().find("*/") else {
                    return self.fail("unclosed comment");
                };
                self.at += end + 2;
                if !self.close() {
                    return self.fail("comment ends before closing delimiter");
                }
                continue;
            }
            if let Some(end) = self.action(&mut nodes)? {
                return Ok((nodes, end));
            }
        }
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|char| matches!(char, ' ' | '\t' | '\r' | '\n')) {
            // ` -}}` closes, it is no blank.
            if self.rest()[1..].starts_with("-}}") {
                self.at += 1;
                return;
            }
            self.at += 1;
        }
    }

    fn closes(&self) -> bool {
        self.rest().starts_with("}}")
            || self.rest().starts_with("-}}") && self.at > 0 && {
                self.source[..self.at].ends_with([' ', '\t', '\r', '\n'])
            }
    }

    /// Takes the end of an action, and the blanks behind it if it says so.
    fn close(&mut self) -> bool {
        self.blanks();
        if self.rest().starts_with("-}}") {
            self.at += 3;
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            self.at += rest.len() - trimmed.len();
            return true;
        }
        if self.rest().starts_with("}}") {
            self.at += 2;
            return true;
        }
        false
    }

    fn word(&self) -> &str {
        let rest = self.rest();
        let end = rest
            .find(|char: char| !(char.is_alphanumeric() || char == '_'))
            .unwrap_or(rest.len());
        &rest[..end]
    }

    fn end_of(&mut self, what: &str) -> Parsed<()> {
        if self.close() {
            return Ok(());
        }
        if self.at >= self.source.len() {
            return self.fail("unclosed action");
        }
        let found = self.found();
        self.fail(format!("unexpected {found} in {what}"))
    }

    /// What stands here, as the library's errors quote it.
    fn found(&self) -> String {
        match self.peek() {
            None => "EOF".to_owned(),
            Some('.') => "<.>".to_owned(),
            Some(_) if self.closes() => "\"}}\"".to_owned(),
            Some(char) if char.is_alphanumeric() => format!("<{}>", self.word()),
            Some(char) => format!("{:?}", char.to_string()),
        }
    }

    fn action(&mut self, nodes: &mut Vec<Node>) -> Parsed<Option<End>> {
        self.blanks();
        let word = self.word().to_owned();
        let behind = self.at + word.len();
        match word.as_str() {
            "end" => {
                self.at = behind;
                self.end_of("end")?;
                return Ok(Some(End::Close));
            }
            "else" => {
                self.at = behind;
                self.blanks();
                let at = self.at;
                if !matches!(self.word(), "if" | "with") {
                    self.end_of("else")?;
                }
                return Ok(Some(End::Else(at)));
            }
            "if" | "with" | "range" => {
                self.at = behind;
                let branch = self.deeper(|parser| parser.branch(&word))?;
                nodes.push(match word.as_str() {
                    "if" => Node::If(branch),
                    "with" => Node::With(branch),
                    _ => Node::Range(branch),
                });
            }
            "break" | "continue" if self.source[behind..].trim_start().starts_with(['}', '-']) => {
                if self.ranges == 0 {
                    return self.fail(format!("{{{{{word}}}}} outside {{{{range}}}}"));
                }
                self.at = behind;
                self.end_of(&word)?;
                nodes.push(if word == "break" { Node::Break } else { Node::Continue });
            }
            "define" => {
                self.at = behind;
                let name = self.name("define clause")?;
                self.end_of("define clause")?;
                self.definition(name)?;
            }
            "template" | "block" => {
                let start = self.at;
                self.at = behind;
                let context = format!("{word} clause");
                self.blanks();
                let named = self.at;
                let name = self.name(&context)?;
                self.blanks();
                let pipe = if self.closes() {
                    if word == "block" {
                        return self.fail("missing value for block clause");
                    }
                    None
                } else {
                    Some(self.pipe(&context, false)?)
                };
                let place = Place {
                    text: format!("{{{{{}}}}}", self.source[start..self.at].trim_end()),
                    ..self.place(named, named)
                };
                self.end_of(&context)?;
                if word == "block" {
                    self.definition(name.clone())?;
                }
                nodes.push(Node::Template { name, pipe, place });
            }
            _ => {
                let pipe = self.pipe("command", true)?;
                self.end_of("command")?;
                nodes.push(Node::Action(pipe));
            }
        }
        Ok(None)
    }

    fn name(&mut self, context: &str) -> Parsed<String> {
        self.blanks();
        match self.peek() {
            Some('"' | '`') => self.quoted(),
            _ => {
                let found = self.found();
                self.fail(format!("unexpected {found} in {context}"))
            }
        }
    }

    /// The body of a template that is defined inside another one.
    fn definition(&mut self, name: String) -> Parsed<()> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (nodes, end) = self.deeper(Self::nodes)?;
        self.variables = variables;
        self.ranges = ranges;
        match end {
            End::Close => {
                self.named.insert(name, nodes);
                Ok(())
            }
            End::Else(_) => self.fail("unexpected {{else}} in define clause"),
            End::Eof => self.fail("unexpected EOF"),
        }
    }

    fn branch(&mut self, word: &str) -> Parsed<Branch> {
        let known = self.variables.len();
        self.ranges += usize::from(word == "range");
        let pipe = self.pipe(word, true)?;
        self.end_of(word)?;
        let (body, end) = self.deeper(Self::nodes)?;
        // The other branch of a `range` is outside of its loop.
        self.ranges -= usize::from(word == "range");
        let otherwise = match end {
            End::Eof => return self.fail("unexpected EOF"),
            End::Close => Vec::new(),
            End::Else(at)
                if matches!(&self.source[at..], rest if rest.starts_with("if") || rest.starts_with("with"))
                    && !self.source[..self.at].ends_with("}}") =>
            {
                // `{{else if}}` is an `if` in the other branch, and shares its end.
                let inner = self.word().to_owned();
                if inner != word {
                    let found = self.found();
                    return self.fail(format!("unexpected {found} in else"));
                }
                self.at += inner.len();
                let inner_branch = self.deeper(|parser| parser.branch(&inner))?;
                vec![if inner == "if" {
                    Node::If(inner_branch)
                } else {
                    Node::With(inner_branch)
                }]
            }
            End::Else(_) => {
                let (nodes, end) = self.deeper(Self::nodes)?;
                match end {
                    End::Close => nodes,
                    End::Eof => return self.fail("unexpected EOF"),
                    End::Else(_) => return self.fail("expected end; found {{else}}"),
                }
            }
        };
        self.variables.truncate(known);
        Ok(Branch { pipe, body, otherwise })
    }

    fn pipe(&mut self, context: &str, declares: bool) -> Parsed<Pipe> {
        self.blanks();
        let start = self.at;
        let mut pipe = Pipe {
            place: Place::default(),
            variables: Vec::new(),
            assigns: false,
            commands: Vec::new(),
        };
        if declares && self.peek() == Some('$') {
            self.declarations(context, &mut pipe)?;
        }
        loop {
            self.blanks();
            if self.closes() || matches!(self.peek(), None | Some(')')) {
                break;
            }
            let command = self.command()?;
            pipe.commands.push(command);
            self.blanks();
            match self.peek() {
                Some('|') => {
                    self.at += 1;
                    self.blanks();
                    if self.closes() {
                        return self.fail(format!("missing value for {context}"));
                    }
                }
                _ => break,
            }
        }
        if pipe.commands.is_empty() {
            if self.at >= self.source.len() {
                return self.fail("unclosed action");
            }
            return self.fail(format!("missing value for {context}"));
        }
        // Only a function or a method can take what comes through a pipe.
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            let first = command.arguments.first().map(|argument| &argument.what);
            if matches!(
                first,
                Some(What::Bool(_) | What::Dot | What::Nil | What::Int(_) | What::Float(_) | What::Text(_))
            ) {
                return self.fail(format!("non executable command in pipeline stage {}", index + 1));
            }
        }
        pipe.place = self.place(start, self.at);
        Ok(pipe)
    }

    fn declarations(&mut self, context: &str, pipe: &mut Pipe) -> Parsed<()> {
        let start = self.at;
        let mut names = Vec::new();
        loop {
            if self.peek() != Some('$') {
                break;
            }
            self.at += 1;
            names.push(format!("${}", self.word()));
            self.at += self.word().len();
            self.blanks();
            let assigns = self.rest().starts_with('=');
            if assigns || self.rest().starts_with(":=") {
                self.at += if assigns { 1 } else { 2 };
                if assigns && let Some(name) = names.iter().find(|name| !self.variables.contains(name)) {
                    return self.fail(format!("undefined variable {name:?}"));
                }
                if !assigns {
                    self.variables.extend(names.iter().cloned());
                }
                pipe.variables = names;
                pipe.assigns = assigns;
                return Ok(());
            }
            if self.peek() == Some(',') && context == "range" && names.len() < 2 {
                self.at += 1;
                self.blanks();
                continue;
            }
            break;
        }
        // No declaration: the variable is an operand.
        self.at = start;
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let start = self.at;
        let mut arguments = Vec::new();
        loop {
            self.blanks();
            if self.closes() || matches!(self.peek(), Some('|' | ')')) {
                break;
            }
            if self.peek().is_none() {
                return self.fail("unclosed action");
            }
            let argument = self.operand()?;
            arguments.push(argument);
            match self.peek() {
                Some(' ' | '\t' | '\r' | '\n' | '|' | ')') | None => {}
                Some(_) if self.closes() => {}
                Some(char)
                    if char.is_alphanumeric()
                        || char == '.'
                        || matches!(arguments.last(), Some(last) if !matches!(last.what, What::Field(_) | What::Variable(..))) =>
                {
                    let found = self.found();
                    return self.fail(format!("unexpected {found} in operand"));
                }
                Some(char) => return self.fail(format!("bad character U+{:04X} '{char}'", u32::from(char))),
            }
        }
        if arguments.is_empty() {
            return self.fail("empty command");
        }
        Ok(Command {
            place: self.place(start, self.at),
            arguments,
        })
    }

    fn operand(&mut self) -> Parsed<Argument> {
        let start = self.at;
        let what = self.term()?;
        let mut fields = Vec::new();
        if !matches!(what, What::Field(_) | What::Variable(..)) {
            fields = self.fields();
        }
        if fields.is_empty() {
            // The library counts a chain from its second link.
            let mut place = self.place(start, self.at);
            place.column += match &what {
                What::Field(names) if names.len() > 1 => names[0].len() + 1,
                What::Variable(name, names) if !names.is_empty() => name.len(),
                _ => 0,
            };
            return Ok(Argument { place, what });
        }
        if matches!(
            what,
            What::Bool(_) | What::Int(_) | What::Float(_) | What::Text(_) | What::Nil
        ) {
            return self.fail(format!("unexpected . after term {:?}", &self.source[start..self.at]));
        }
        let inner = Argument {
            place: self.place(start, self.at),
            what,
        };
        Ok(Argument {
            place: self.place(start, self.at),
            what: What::Chain(Box::new(inner), fields),
        })
    }

    fn fields(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while self.peek() == Some('.') {
            let rest = &self.source[self.at + 1..];
            let end = rest
                .find(|char: char| !(char.is_alphanumeric() || char == '_'))
                .unwrap_or(rest.len());
            if end == 0 {
                break;
            }
            names.push(rest[..end].to_owned());
            self.at += 1 + end;
        }
        names
    }

    fn term(&mut self) -> Parsed<What> {
        let Some(char) = self.peek() else {
            return self.fail("unclosed action");
        };
        match char {
            '.' => {
                let digit = self.rest()[1..].starts_with(|char: char| char.is_ascii_digit());
                if digit {
                    return self.number();
                }
                let names = self.fields();
                if names.is_empty() {
                    self.at += 1;
                    return Ok(What::Dot);
                }
                Ok(What::Field(names))
            }
            '$' => {
                self.at += 1;
                let name = format!("${}", self.word());
                self.at += name.len() - 1;
                if !self.variables.contains(&name) {
                    return self.fail(format!("undefined variable {name:?}"));
                }
                let fields = self.fields();
                Ok(What::Variable(name, fields))
            }
            '"' | '`' => self.quoted().map(What::Text),
            '\'' => self.character(),
            '(' => {
                self.at += 1;
                let pipe = self.deeper(|parser| parser.pipe("parenthesized pipeline", true))?;
                self.blanks();
                if self.peek() != Some(')') {
                    return match self.peek() {
                        None => self.fail("unclosed action"),
                        Some(_) if self.closes() => self.fail("unclosed left paren"),
                        Some(_) => {
                            let found = self.found();
                            self.fail(format!("unexpected {found} in parenthesized pipeline"))
                        }
                    };
                }
                self.at += 1;
                Ok(What::Pipe(Box::new(pipe)))
            }
            '0'..='9' => self.number(),
            '+' | '-' if self.rest()[1..].starts_with(|char: char| char.is_ascii_digit() || char == '.') => {
                self.number()
            }
            char if char.is_alphabetic() || char == '_' => {
                let word = self.word().to_owned();
                self.at += word.len();
                Ok(match word.as_str() {
                    "true" => What::Bool(true),
                    "false" => What::Bool(false),
                    "nil" => What::Nil,
                    name if functions::is_known(name) => What::Function(word),
                    _ => return self.fail(format!("function {word:?} not defined")),
                })
            }
            ')' => self.fail("unexpected right paren"),
            char => self.fail(format!("unexpected {:?} in command", char.to_string())),
        }
    }

    fn number(&mut self) -> Parsed<What> {
        let rest = self.rest();
        let mut end = usize::from(rest.starts_with(['+', '-']));
        let hex = rest[end..].starts_with("0x") || rest[end..].starts_with("0X");
        let mut before = ' ';
        for char in rest[end..].chars() {
            let exponent = matches!(before, 'e' | 'E') && !hex && matches!(char, '+' | '-');
            if !(char.is_alphanumeric() || matches!(char, '.' | '_') || exponent) {
                break;
            }
            end += char.len_utf8();
            before = char;
        }
        let text = rest[..end].to_owned();
        self.at += end;
        let plain = text.replace('_', "").to_ascii_lowercase();
        let (sign, digits) = match plain.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, plain.strip_prefix('+').unwrap_or(&plain)),
        };
        let radix = |prefix: &str, radix: u32| digits.strip_prefix(prefix).map(|rest| i64::from_str_radix(rest, radix));
        let int = radix("0x", 16)
            .or_else(|| radix("0b", 2))
            .or_else(|| radix("0o", 8))
            .or_else(|| {
                (digits.len() > 1 && digits.bytes().all(|byte| byte.is_ascii_digit()))
                    .then(|| radix("0", 8))
                    .flatten()
            })
            .unwrap_or_else(|| digits.parse());
        if let Ok(int) = int {
            return Ok(What::Int(sign * int));
        }
        match plain.parse::<f64>() {
            Ok(float)
                if float.is_finite()
                    && plain.contains(['.', 'e'])
                    && digits.starts_with(|char: char| char.is_ascii_digit() || char == '.') =>
            {
                Ok(What::Float(float))
            }
            _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => self.fail(format!("integer overflow: {text:?}")),
            _ if digits.starts_with(|char: char| char.is_ascii_digit()) && digits.contains('e') && !hex => {
                self.fail(format!("illegal number syntax: {text:?}"))
            }
            _ => self.fail(format!("bad number syntax: {text:?}")),
        }
    }

    fn character(&mut self) -> Parsed<What> {
        let rest = &self.source[self.at + 1..];
        let Some(end) = rest.find('\'') else {
            return self.fail("unterminated character constant");
        };
        let inside = unquote(&rest[..end]).unwrap_or_default();
        let mut chars = inside.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => {
                self.at += end + 2;
                Ok(What::Int(i64::from(u32::from(char))))
            }
            _ => self.fail(format!("malformed character constant: '{}'", &rest[..end])),
        }
    }

    fn quoted(&mut self) -> Parsed<String> {
        let rest = self.rest();
        if let Some(raw) = rest.strip_prefix('`') {
            let Some(end) = raw.find('`') else {
                return self.fail("unterminated raw quoted string");
            };
            let text = raw[..end].to_owned();
            self.at += end + 2;
            return Ok(text);
        }
        let mut end = None;
        let mut escaped = false;
        for (index, char) in rest.char_indices().skip(1) {
            match char {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    end = Some(index);
                    break;
                }
                _ => {}
            }
        }
        let Some(end) = end else {
            return self.fail("unterminated quoted string");
        };
        match unquote(&rest[1..end]) {
            Some(text) => {
                self.at += end + 1;
                Ok(text)
            }
            None => self.fail("invalid syntax"),
        }
    }
}

/// The text of a Go literal between its quotes (`strconv.Unquote`).
fn unquote(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        let next = chars.next()?;
        let length = match next {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        if length > 0 {
            let digits: String = chars.by_ref().take(length).collect();
            let code = u32::from_str_radix(&digits, 16)
                .ok()
                .filter(|_| digits.len() == length)?;
            out.push(char::from_u32(code)?);
            continue;
        }
        out.push(match next {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '\\' | '"' | '\'' => next,
            _ => return None,
        });
    }
    Some(out)
}
