//! From script text to the syntax tree: commands. Words are in `words.rs`.

use std::sync::{Arc, OnceLock};

use super::syntax::{Command, CommandKind, Item, List, Open, Pipeline, Redirect, Script, SyntaxError, Target, Word};

/// What is said of a quote that is not closed.
pub(super) const UNTERMINATED: &str = "unterminated quoted string";

/// How deep commands, substitutions and quotes may nest. Deeper scripts get an error: a bound on our own stack.
pub const MAX_DEPTH: u32 = 120;

/// Reads a script. Never fails: what precedes an error is kept.
pub fn parse(text: &str) -> Script {
    let mut parser = Parser::new(text, 1, 0);
    parser.script(None)
}

/// A reader of commands at a place in the text.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) line: u32,
    pub(super) line_start: usize,
    pub(super) depth: u32,
    pending: Vec<PendingHere>,
    /// What the end of the text cuts off, as far as it is no error.
    pub(super) cut: Option<Open>,
    /// The aliases that command words stand for, where there are any.
    pub(super) aliases: Option<&'a super::alias::Aliases>,
    pub(super) splices: super::alias::Splices,
}

struct PendingHere {
    delimiter: String,
    literal: bool,
    strip_tabs: bool,
    body: Arc<OnceLock<Word>>,
}

pub(super) type Parsed<T> = Result<T, SyntaxError>;

pub(super) const RESERVED: &[&str] = &[
    "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "{", "}", "!", "in",
];

/// Whether a byte ends a word.
pub(super) fn is_meta(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')'
    )
}

/// Whether a byte may be in a variable's name.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, line: u32, depth: u32) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            line,
            line_start: 0,
            depth,
            pending: Vec::new(),
            cut: None,
            aliases: None,
            splices: super::alias::Splices::default(),
        }
    }

    pub(super) fn error<T>(&self, message: impl Into<String>) -> Parsed<T> {
        let column = u32::try_from(self.at.saturating_sub(self.line_start))
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        Err(SyntaxError {
            line: self.line,
            column,
            message: message.into(),
        })
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn peek_at(&self, offset: usize) -> Option<u8> {
        self.bytes.get(self.at + offset).copied()
    }

    /// Takes one byte and counts lines.
    pub(super) fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
            self.line_start = self.at;
        }
        Some(byte)
    }

    pub(super) fn starts_with(&self, text: &str) -> bool {
        self.bytes[self.at.min(self.bytes.len())..].starts_with(text.as_bytes())
    }

    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return self.error(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Reads complete commands up to the end, or up to an unquoted `)` when `close` is given.
    pub(super) fn script(&mut self, close: Option<u8>) -> Script {
        let mut script = Script::default();
        loop {
            match self.complete_command(close) {
                Ok(Some(list)) => script.lines.push(list),
                Ok(None) => break,
                Err(error) => {
                    if self.peek().is_none() && self.cut.is_none() {
                        let is_text = error.message == UNTERMINATED;
                        self.cut = Some(if is_text { Open::Text } else { Open::Command });
                    }
                    script.error = Some(error);
                    break;
                }
            }
        }
        script.open = self.cut;
        script
    }

    pub(super) fn complete_command(&mut self, close: Option<u8>) -> Parsed<Option<List>> {
        self.newlines()?;
        match self.peek() {
            None => return Ok(None),
            byte if byte == close && close.is_some() => return Ok(None),
            Some(_) => {}
        }
        let mut list = List::new();
        loop {
            list.push(self.item()?);
            let separated = self.separator(&mut list);
            self.blanks();
            match self.peek() {
                None => break,
                Some(b'\n') => {
                    self.newline()?;
                    break;
                }
                byte if byte == close && close.is_some() => break,
                Some(_) if separated => {}
                Some(_) => return self.unexpected(None),
            }
        }
        // A here-document whose line is the last one has its body cut off: it is empty.
        if self.peek().is_none() {
            self.here_documents()?;
        }
        Ok(Some(list))
    }

    /// Takes `;` or `&` after an item.
    fn separator(&mut self, list: &mut List) -> bool {
        self.blanks();
        match self.peek() {
            Some(b';') if self.peek_at(1) != Some(b';') => {
                self.at += 1;
                true
            }
            Some(b'&') if self.peek_at(1) != Some(b'&') => {
                self.at += 1;
                if let Some(item) = list.last_mut() {
                    item.background = true;
                }
                true
            }
            _ => false,
        }
    }

    /// Commands up to one of the closing words, which is left where it is.
    fn compound_list(&mut self, closers: &[&str]) -> Parsed<List> {
        let mut list = List::new();
        loop {
            self.newlines()?;
            if self.at_closer(closers) {
                if list.is_empty() {
                    return self.unexpected(None);
                }
                return Ok(list);
            }
            list.push(self.item()?);
            let separated = self.separator(&mut list);
            self.blanks();
            if separated || self.peek() == Some(b'\n') || self.at_closer(closers) {
                continue;
            }
            return self.unexpected(closers.first().copied());
        }
    }

    fn at_closer(&self, closers: &[&str]) -> bool {
        closers.iter().any(|closer| match *closer {
            ")" => self.peek() == Some(b')'),
            ";;" => self.starts_with(";;") || self.starts_with(";&"),
            word => self.at_word(word),
        })
    }

    fn at_word(&self, word: &str) -> bool {
        self.starts_with(word) && self.peek_at(word.len()).is_none_or(is_meta)
    }

    fn take_word(&mut self, word: &str) -> Parsed<()> {
        self.newlines_unless(word)?;
        if !self.at_word(word) {
            return self.unexpected(Some(word));
        }
        self.at += word.len();
        Ok(())
    }

    fn newlines_unless(&mut self, word: &str) -> Parsed<()> {
        self.blanks();
        if self.at_word(word) { Ok(()) } else { self.newlines() }
    }

    /// The error for what stands here.
    fn unexpected<T>(&mut self, expected: Option<&str>) -> Parsed<T> {
        self.blanks();
        let found = match self.peek() {
            None => "end of file".to_owned(),
            Some(b'\n') => "newline".to_owned(),
            Some(byte) if is_meta(byte) => {
                let two = ["&&", "||", ";;", ">>", "<<"]
                    .into_iter()
                    .find(|two| self.starts_with(two));
                format!(
                    "\"{}\"",
                    two.map_or_else(|| char::from(byte).to_string(), str::to_owned)
                )
            }
            Some(_) => {
                let end = self.bytes[self.at..]
                    .iter()
                    .position(|&byte| is_meta(byte))
                    .unwrap_or(self.bytes.len() - self.at);
                let word: String = self
                    .text
                    .get(self.at..self.at + end)
                    .unwrap_or("word")
                    .chars()
                    .take(40)
                    .collect();
                if RESERVED.contains(&word.as_str()) {
                    format!("\"{word}\"")
                } else {
                    "word".to_owned()
                }
            }
        };
        let hint = expected
            .map(|word| format!(" (expecting \"{word}\")"))
            .unwrap_or_default();
        self.error(format!("unexpected {found}{hint}"))
    }

    fn item(&mut self) -> Parsed<Item> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let and = self.starts_with("&&");
            if !and && !self.starts_with("||") {
                return Ok(Item {
                    first,
                    rest,
                    background: false,
                });
            }
            self.at += 2;
            self.newlines()?;
            rest.push((and, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        let mut negated = false;
        self.blanks();
        while self.at_word("!") {
            self.at += 1;
            negated = !negated;
            self.blanks();
        }
        let mut commands = vec![self.nested(Self::command)?];
        loop {
            self.blanks();
            if self.peek() != Some(b'|') || self.peek_at(1) == Some(b'|') {
                return Ok(Pipeline { negated, commands });
            }
            self.at += 1;
            self.newlines()?;
            commands.push(self.nested(Self::command)?);
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        self.blanks();
        self.stop_at_alias()?;
        let line = self.line;
        let kind = match self.peek() {
            Some(b'(') => {
                self.at += 1;
                let list = self.compound_list(&[")"])?;
                self.at += 1;
                CommandKind::Subshell(list)
            }
            _ if self.at_word("{") => {
                self.at += 1;
                let list = self.compound_list(&["}"])?;
                self.at += 1;
                CommandKind::Group(list)
            }
            _ if self.at_word("if") => self.conditional()?,
            _ if self.at_word("while") => self.repeat(false)?,
            _ if self.at_word("until") => self.repeat(true)?,
            _ if self.at_word("for") => self.iteration()?,
            _ if self.at_word("case") => self.selection()?,
            _ => {
                if let Some(name) = self.function_head() {
                    self.newlines()?;
                    let body = Arc::new(self.nested(Self::command)?);
                    return Ok(Command {
                        kind: CommandKind::Function { name, body },
                        redirects: Vec::new(),
                        line,
                    });
                }
                return self.simple(line);
            }
        };
        let mut redirects = Vec::new();
        loop {
            self.blanks();
            match self.redirect()? {
                Some(redirect) => redirects.push(redirect),
                None => return Ok(Command { kind, redirects, line }),
            }
        }
    }

    /// `name (` `)` or busybox's `function name`; leaves everything as it is when it is neither.
    fn function_head(&mut self) -> Option<Arc<str>> {
        let start = self.at;
        let keyword = self.at_word("function");
        if keyword {
            self.at += "function".len();
            self.blanks();
        }
        let name_start = self.at;
        let name_byte = |byte: u8| {
            is_name(byte) || (!is_meta(byte) && !matches!(byte, b'"' | b'\'' | b'\\' | b'$' | b'`' | b'=' | b'#'))
        };
        while self.peek().is_some_and(name_byte) {
            self.at += 1;
        }
        let name = self.text.get(name_start..self.at).unwrap_or_default();
        let mut parentheses = false;
        if !name.is_empty() && !RESERVED.contains(&name) {
            let after_name = self.at;
            self.blanks();
            if self.peek() == Some(b'(') {
                self.at += 1;
                self.blanks();
                if self.peek() == Some(b')') {
                    self.at += 1;
                    parentheses = true;
                }
            }
            if parentheses || keyword {
                if !parentheses {
                    self.at = after_name;
                }
                return Some(name.into());
            }
        }
        self.at = start;
        None
    }

    fn conditional(&mut self) -> Parsed<CommandKind> {
        let mut arms = Vec::new();
        self.at += 2;
        loop {
            let condition = self.compound_list(&["then"])?;
            self.take_word("then")?;
            let body = self.compound_list(&["fi", "elif", "else"])?;
            arms.push((condition, body));
            if self.at_word("elif") {
                self.at += 4;
                continue;
            }
            let mut otherwise = None;
            if self.at_word("else") {
                self.at += 4;
                otherwise = Some(self.compound_list(&["fi"])?);
            }
            self.take_word("fi")?;
            return Ok(CommandKind::If { arms, otherwise });
        }
    }

    fn body(&mut self) -> Parsed<List> {
        self.take_word("do")?;
        let body = self.compound_list(&["done"])?;
        self.take_word("done")?;
        Ok(body)
    }

    fn repeat(&mut self, until: bool) -> Parsed<CommandKind> {
        self.at += 5;
        let condition = self.compound_list(&["do"])?;
        Ok(CommandKind::While {
            until,
            condition,
            body: self.body()?,
        })
    }

    fn iteration(&mut self) -> Parsed<CommandKind> {
        self.at += 3;
        self.blanks();
        let start = self.at;
        while self.peek().is_some_and(is_name) {
            self.at += 1;
        }
        let name = self.text.get(start..self.at).unwrap_or_default();
        if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
            return self.error("bad for loop variable");
        }
        let name: Arc<str> = name.into();
        self.blanks();
        let separated = self.peek() == Some(b';');
        if !separated {
            self.newlines()?;
        }
        let mut words = None;
        if !separated && self.at_word("in") {
            self.at += 2;
            let mut list = Vec::new();
            loop {
                self.blanks();
                match self.peek() {
                    None | Some(b'\n') => break,
                    Some(b';') => break,
                    Some(byte) if is_meta(byte) => return self.unexpected(None),
                    Some(_) => list.push(self.word()?),
                }
            }
            words = Some(list);
        }
        if self.peek() == Some(b';') {
            self.at += 1;
        }
        Ok(CommandKind::For {
            name,
            words,
            body: self.body()?,
        })
    }

    fn selection(&mut self) -> Parsed<CommandKind> {
        self.at += 4;
        self.blanks();
        if self.peek().is_none_or(is_meta) {
            return self.unexpected(None);
        }
        let subject = self.word()?;
        self.take_word("in")?;
        let mut arms = Vec::new();
        loop {
            self.newlines()?;
            if self.at_word("esac") {
                self.at += 4;
                return Ok(CommandKind::Case { subject, arms });
            }
            if self.peek() == Some(b'(') {
                self.at += 1;
            }
            let mut patterns = Vec::new();
            loop {
                self.blanks();
                if self.peek().is_none_or(is_meta) {
                    return self.unexpected(Some(")"));
                }
                patterns.push(self.word()?);
                self.blanks();
                match self.peek() {
                    Some(b'|') => self.at += 1,
                    Some(b')') => {
                        self.at += 1;
                        break;
                    }
                    _ => return self.unexpected(Some(")")),
                }
            }
            self.newlines()?;
            let list = if self.starts_with(";;") || self.starts_with(";&") || self.at_word("esac") {
                List::new()
            } else {
                self.compound_list(&[";;", "esac"])?
            };
            let falls_through = self.starts_with(";&");
            if self.starts_with(";;") || falls_through {
                self.at += 2;
            } else if !self.at_word("esac") {
                return self.unexpected(Some(";;"));
            }
            arms.push((patterns, list, falls_through));
        }
    }

    fn simple(&mut self, line: u32) -> Parsed<Command> {
        let mut assigns = Vec::new();
        let mut words = Vec::new();
        let mut redirects = Vec::new();
        if self.reserved_here() {
            return self.unexpected(None);
        }
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            match self.peek() {
                None => break,
                Some(byte) if is_meta(byte) && !self.at_process() => break,
                Some(_) => {}
            }
            if words.is_empty()
                && let Some(name) = self.assignment_name()
            {
                assigns.push((name, self.assigned_word()?));
                continue;
            }
            if words.is_empty() || self.after_blank_alias() {
                self.stop_at_alias()?;
            }
            words.push(self.word()?);
        }
        if assigns.is_empty() && words.is_empty() && redirects.is_empty() {
            return self.unexpected(None);
        }
        Ok(Command {
            kind: CommandKind::Simple { assigns, words },
            redirects,
            line,
        })
    }

    /// Whether `<(` or `>(` stands here: a command as a file (busybox).
    pub(super) fn at_process(&self) -> bool {
        self.starts_with("<(") || self.starts_with(">(")
    }

    fn reserved_here(&self) -> bool {
        RESERVED.iter().any(|word| *word != "in" && self.at_word(word))
    }

    fn assignment_name(&mut self) -> Option<Arc<str>> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| !is_name(byte))?;
        if length == 0 || rest[0].is_ascii_digit() || rest[length] != b'=' {
            return None;
        }
        let name = self.text.get(self.at..self.at + length)?.into();
        self.at += length + 1;
        Some(name)
    }

    fn redirect(&mut self) -> Parsed<Option<Redirect>> {
        let digits = self.bytes[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let operator = self.peek_at(digits);
        let both = digits == 0 && self.starts_with("&>");
        if !both && !matches!(operator, Some(b'<' | b'>')) || self.at_process() {
            return Ok(None);
        }
        let number: Option<u32> = self
            .text
            .get(self.at..self.at + digits)
            .and_then(|digits| digits.parse().ok());
        if digits > 0 && number.is_none_or(|number| number > 1023) {
            return self.error("bad file descriptor number");
        }
        self.at += digits;
        let operators = ["&>", "<<-", "<<", "<&", "<>", "<", ">>", ">&", ">|", ">"];
        let Some(operator) = operators.into_iter().find(|operator| self.starts_with(operator)) else {
            return Ok(None);
        };
        self.at += operator.len();
        self.blanks();
        if self.peek().is_none_or(is_meta) && !self.at_process() {
            return self.unexpected(None);
        }
        let fd = number.unwrap_or(u32::from(!operator.starts_with('<')));
        let target = match operator {
            "<<" | "<<-" => {
                let (delimiter, literal) = self.here_delimiter()?;
                let body = Arc::new(OnceLock::new());
                self.pending.push(PendingHere {
                    delimiter,
                    literal,
                    strip_tabs: operator == "<<-",
                    body: Arc::clone(&body),
                });
                Target::Here(body)
            }
            "<" => Target::Read(self.word()?),
            ">" => Target::Write(self.word()?),
            ">|" => Target::Clobber(self.word()?),
            ">>" => Target::Append(self.word()?),
            "<>" => Target::ReadWrite(self.word()?),
            "&>" => Target::Both(self.word()?),
            _ => Target::Duplicate(self.word()?),
        };
        Ok(Some(Redirect { fd, target }))
    }

    /// The delimiter of a here-document with its quotes removed, and whether it had any.
    fn here_delimiter(&mut self) -> Parsed<(String, bool)> {
        let mut delimiter = Vec::new();
        let mut literal = false;
        while let Some(byte) = self.peek() {
            match byte {
                b'\'' | b'"' => {
                    literal = true;
                    self.at += 1;
                    loop {
                        match self.bump() {
                            None => return self.error(UNTERMINATED),
                            Some(end) if end == byte => break,
                            Some(inner) => delimiter.push(inner),
                        }
                    }
                }
                b'\\' => {
                    literal = true;
                    self.at += 1;
                    delimiter.extend(self.bump());
                }
                byte if is_meta(byte) => break,
                byte => {
                    delimiter.push(byte);
                    self.at += 1;
                }
            }
        }
        Ok((String::from_utf8_lossy(&delimiter).into_owned(), literal))
    }

    /// Takes a newline and the bodies of the here-documents that its line announced.
    fn newline(&mut self) -> Parsed<()> {
        self.bump();
        self.here_documents()
    }

    fn here_documents(&mut self) -> Parsed<()> {
        for here in std::mem::take(&mut self.pending) {
            let line = self.line;
            let mut body = String::new();
            let mut found = false;
            while self.at < self.bytes.len() {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let mut text = rest.split('\n').next().unwrap_or_default();
                let ended = text.len() < rest.len();
                self.at = (self.at + text.len() + 1).min(self.bytes.len());
                self.line += 1;
                self.line_start = self.at;
                if here.strip_tabs {
                    text = text.trim_start_matches('\t');
                }
                if text == here.delimiter {
                    found = true;
                    break;
                }
                body.push_str(text);
                if ended {
                    body.push('\n');
                }
            }
            if !found {
                self.cut = Some(Open::Text);
            }
            let word = if here.literal {
                vec![super::syntax::Part::Quoted(body.as_str().into())]
            } else {
                self.nested(|parser| {
                    let mut inner = Parser::new(&body, line, parser.depth);
                    inner.here_body()
                })?
            };
            let _ = here.body.set(word);
        }
        Ok(())
    }

    /// Skips blanks, comments and joined lines.
    pub(super) fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => {
                    self.at += 1;
                    self.bump();
                }
                Some(b'#') if self.at == 0 || is_meta(self.bytes[self.at - 1]) => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Skips blanks, comments and newlines.
    fn newlines(&mut self) -> Parsed<()> {
        loop {
            self.blanks();
            if self.peek() != Some(b'\n') {
                return Ok(());
            }
            self.newline()?;
        }
    }
}
