//! From script text to the syntax tree: words, quotes and expansions.

use std::sync::Arc;

use super::parser::{Parsed, Parser, UNTERMINATED, is_meta, is_name};
use super::syntax::{Open, Param, ParamOp, Part, Script, Word};

/// Where a run of parts ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// At a byte that separates words.
    Meta,
    /// At the closing `"`.
    Quote,
    /// At the `}` of `${x-word}`, outside (false) or inside (true) of double quotes.
    Brace(bool),
    /// At the `/` or `}` of `${x/pattern/text}`.
    Slash,
    /// At the `:` or `}` of `${x:offset:length}`.
    Colon,
    /// At the end of the text: a here-document or an arithmetic expression.
    End,
}

impl Until {
    /// Whether literal text counts as quoted and single quotes are ordinary.
    fn quoted(self) -> bool {
        matches!(self, Self::Quote | Self::Brace(true) | Self::End)
    }
}

/// Collects literal text between expansions.
#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    text: Vec<u8>,
    quoted: bool,
}

impl Parts {
    fn push(&mut self, byte: u8, quoted: bool) {
        if self.quoted != quoted {
            self.flush();
            self.quoted = quoted;
        }
        self.text.push(byte);
    }

    fn flush(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let text: Arc<str> = String::from_utf8_lossy(&self.text).as_ref().into();
        self.text.clear();
        self.parts.push(if self.quoted {
            Part::Quoted(text)
        } else {
            Part::Text(text)
        });
    }

    fn part(&mut self, part: Part) {
        self.flush();
        self.parts.push(part);
    }

    fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.text.is_empty()
    }

    fn finish(mut self) -> Word {
        self.flush();
        self.parts
    }
}

impl Parser<'_> {
    /// A word of a command.
    pub(super) fn word(&mut self) -> Parsed<Word> {
        self.parts(Until::Meta)
    }

    /// The value of an assignment. A tilde also counts after each `:`; that is done when it is expanded.
    pub(super) fn assigned_word(&mut self) -> Parsed<Word> {
        self.parts(Until::Meta)
    }

    /// The body of a here-document, all of the text.
    pub(super) fn here_body(&mut self) -> Parsed<Word> {
        self.parts(Until::End)
    }

    fn parts(&mut self, until: Until) -> Parsed<Word> {
        let mut parts = Parts::default();
        let quoted = until.quoted();
        loop {
            let Some(byte) = self.peek() else {
                return match until {
                    Until::Meta | Until::End => Ok(parts.finish()),
                    Until::Quote => self.error(UNTERMINATED),
                    _ => self.error("missing '}'"),
                };
            };
            match (byte, until) {
                (b'<' | b'>', Until::Meta) if parts.is_empty() && self.at_process() => {
                    let part = self.process(byte == b'<')?;
                    parts.part(part);
                    continue;
                }
                (byte, Until::Meta) if is_meta(byte) => return Ok(parts.finish()),
                (b'"', Until::Quote) => return Ok(parts.finish()),
                (b'}', Until::Brace(_) | Until::Slash | Until::Colon) => return Ok(parts.finish()),
                (b'/', Until::Slash) | (b':', Until::Colon) => return Ok(parts.finish()),
                _ => {}
            }
            match byte {
                b'\\' => self.backslash(&mut parts, until),
                b'\'' if !quoted => {
                    self.at += 1;
                    self.single_quotes(&mut parts)?;
                }
                b'"' if until != Until::End => {
                    self.at += 1;
                    let inner = self.nested(|parser| parser.parts(Until::Quote))?;
                    self.at += 1;
                    if quoted {
                        // Quotes within "${x-"…"}": what is inside is as it would be outside of all quotes.
                        parts.flush();
                        parts.parts.extend(inner);
                    } else {
                        parts.part(Part::DoubleQuotes(inner));
                    }
                }
                b'`' => {
                    let part = self.backquotes(quoted)?;
                    parts.part(part);
                }
                b'$' => {
                    if let Some(part) = self.dollar(quoted)? {
                        parts.part(part);
                    } else {
                        self.at += 1;
                        parts.push(b'$', quoted);
                    }
                }
                _ => {
                    self.bump();
                    parts.push(byte, quoted);
                }
            }
        }
    }

    fn backslash(&mut self, parts: &mut Parts, until: Until) {
        self.at += 1;
        let Some(next) = self.peek() else {
            parts.push(b'\\', true);
            self.cut = Some(Open::Command);
            return;
        };
        if next == b'\n' {
            self.bump();
            return;
        }
        let special = match until {
            Until::Quote => matches!(next, b'$' | b'`' | b'"' | b'\\'),
            Until::Brace(true) => matches!(next, b'$' | b'`' | b'"' | b'\\' | b'}'),
            Until::End => matches!(next, b'$' | b'`' | b'\\'),
            _ => true,
        };
        if !special {
            parts.push(b'\\', true);
        }
        // A character of several bytes stays whole: the rest of it is ordinary text.
        self.bump();
        parts.push(next, true);
        while self.peek().is_some_and(|byte| byte & 0xc0 == 0x80) {
            parts.push(self.bytes[self.at], true);
            self.at += 1;
        }
    }

    fn single_quotes(&mut self, parts: &mut Parts) -> Parsed<()> {
        let start = self.at;
        loop {
            match self.bump() {
                None => return self.error(UNTERMINATED),
                Some(b'\'') => break,
                Some(_) => {}
            }
        }
        let text = self.text.get(start..self.at - 1).unwrap_or_default();
        parts.part(Part::Quoted(text.into()));
        Ok(())
    }

    /// `` `…` ``: the text inside loses one level of backslashes and is a script of its own.
    fn backquotes(&mut self, quoted: bool) -> Parsed<Part> {
        let line = self.line;
        self.at += 1;
        let mut text = Vec::new();
        loop {
            match self.bump() {
                None => return self.error("unterminated backquoted command"),
                Some(b'`') => break,
                Some(b'\\') => match self.peek() {
                    Some(next @ (b'$' | b'`' | b'\\')) => {
                        self.at += 1;
                        text.push(next);
                    }
                    Some(b'"') if quoted => {
                        self.at += 1;
                        text.push(b'"');
                    }
                    _ => text.push(b'\\'),
                },
                Some(byte) => text.push(byte),
            }
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        self.nested(|parser| {
            let mut inner = Parser::new(&text, line, parser.depth);
            let script = inner.script(None);
            match script.error {
                Some(error) => Err(error),
                None => Ok(Part::Command(Arc::new(script))),
            }
        })
    }

    /// What a `$` begins; `None` when it is an ordinary character.
    fn dollar(&mut self, quoted: bool) -> Parsed<Option<Part>> {
        let Some(next) = self.peek_at(1) else { return Ok(None) };
        match next {
            b'(' => {
                if self.peek_at(2) == Some(b'(')
                    && let Some(length) = self.arithmetic_length()
                {
                    let start = self.at + 3;
                    let expression = self.text.get(start..start + length).unwrap_or_default();
                    let line = self.line;
                    let parts = self.nested(|parser| Parser::new(expression, line, parser.depth).parts(Until::End))?;
                    let end = start + length + 2;
                    while self.at < end {
                        self.bump();
                    }
                    return Ok(Some(Part::Arithmetic(parts)));
                }
                self.at += 2;
                Ok(Some(Part::Command(self.enclosed()?)))
            }
            b'{' => {
                self.at += 2;
                let param = self.nested(|parser| parser.braced(quoted))?;
                Ok(Some(Part::Param(Box::new(param))))
            }
            b'\'' if !quoted => {
                self.at += 2;
                let text = self.c_quotes()?;
                Ok(Some(Part::Quoted(text.as_str().into())))
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                self.at += 1;
                let name = self.name();
                Ok(Some(plain(&name)))
            }
            b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!' | b'0'..=b'9' => {
                self.at += 2;
                Ok(Some(plain(&char::from(next).to_string())))
            }
            _ => Ok(None),
        }
    }

    /// `<(…)` or `>(…)`
    fn process(&mut self, reads: bool) -> Parsed<Part> {
        self.at += 2;
        Ok(Part::Process {
            script: self.enclosed()?,
            reads,
        })
    }

    /// A script up to its `)`, which is taken as well.
    fn enclosed(&mut self) -> Parsed<Arc<Script>> {
        let script = self.nested(|parser| {
            let script = parser.script(Some(b')'));
            match script.error {
                Some(error) => Err(error),
                None => Ok(script),
            }
        })?;
        if self.peek() != Some(b')') {
            return self.error("unexpected end of file (expecting \")\")");
        }
        self.at += 1;
        Ok(Arc::new(script))
    }

    fn name(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(is_name) {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default().to_owned()
    }

    /// Length of the expression of `$((…))`, if the parentheses close as an expression's do.
    fn arithmetic_length(&self) -> Option<usize> {
        let start = self.at + 3;
        let mut depth = 0usize;
        let mut at = start;
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b'(' => depth += 1,
                b')' if depth == 0 => {
                    return (self.bytes.get(at + 1) == Some(&b')')).then_some(at - start);
                }
                b')' => depth -= 1,
                b'\\' => at += 1,
                b'\'' | b'"' if byte == b'\'' => return None,
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// After `${`, up to and including `}`.
    fn braced(&mut self, quoted: bool) -> Parsed<Param> {
        let length =
            self.peek() == Some(b'#') && !matches!(self.peek_at(1), Some(b'}' | b':' | b'-' | b'=' | b'+' | b'%'));
        // `${#}` is the number of parameters, `${#-x}` an expansion of it, `${##}` its length.
        let length = length
            || (self.peek() == Some(b'#') && matches!(self.peek_at(1), Some(b'-')) && self.peek_at(2) == Some(b'}'));
        if length && !(self.peek_at(1) == Some(b'#') && self.peek_at(2) != Some(b'}')) {
            self.at += 1;
            let Some(name) = self.parameter_name() else {
                return self.bad();
            };
            if self.peek() != Some(b'}') {
                return self.bad();
            }
            self.at += 1;
            return Ok(Param {
                name: name.as_str().into(),
                op: ParamOp::Length,
            });
        }
        let Some(name) = self.parameter_name() else {
            return self.bad();
        };
        let name: Arc<str> = name.as_str().into();
        let colon = self.peek() == Some(b':');
        let operator = self.peek_at(usize::from(colon));
        let op = match operator {
            Some(b'}') if !colon => ParamOp::Plain,
            Some(kind @ (b'-' | b'=' | b'?' | b'+')) => {
                self.at += 1 + usize::from(colon);
                let word = self.parts(Until::Brace(quoted))?;
                ParamOp::Default {
                    kind: char::from(kind),
                    colon,
                    word,
                }
            }
            Some(kind @ (b'%' | b'#')) if !colon => {
                self.at += 1;
                let longest = self.peek() == Some(kind);
                self.at += usize::from(longest);
                let word = self.parts(Until::Brace(false))?;
                ParamOp::Trim {
                    suffix: kind == b'%',
                    longest,
                    word,
                }
            }
            Some(b'/') if !colon => {
                self.at += 1;
                let all = self.peek() == Some(b'/');
                self.at += usize::from(all);
                let pattern = self.parts(Until::Slash)?;
                let mut with = Word::new();
                if self.peek() == Some(b'/') {
                    self.at += 1;
                    with = self.parts(Until::Brace(quoted))?;
                }
                ParamOp::Replace { all, pattern, with }
            }
            Some(_) if colon => {
                self.at += 1;
                let offset = self.parts(Until::Colon)?;
                let mut length = None;
                if self.peek() == Some(b':') {
                    self.at += 1;
                    length = Some(self.parts(Until::Brace(true))?);
                }
                ParamOp::Substring { offset, length }
            }
            _ => return self.bad(),
        };
        if self.peek() != Some(b'}') {
            return self.error("missing '}'");
        }
        self.at += 1;
        Ok(Param { name, op })
    }

    /// `${…}` that cannot be expanded: the script runs up to it.
    fn bad(&mut self) -> Parsed<Param> {
        loop {
            match self.bump() {
                None => return self.error("missing '}'"),
                Some(b'}') => {
                    return Ok(Param {
                        name: "".into(),
                        op: ParamOp::Bad,
                    });
                }
                Some(_) => {}
            }
        }
    }

    fn parameter_name(&mut self) -> Option<String> {
        match self.peek()? {
            byte if byte.is_ascii_digit() => {
                let start = self.at;
                while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    self.at += 1;
                }
                self.text.get(start..self.at).map(str::to_owned)
            }
            byte if is_name(byte) => Some(self.name()),
            byte @ (b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => {
                self.at += 1;
                Some(char::from(byte).to_string())
            }
            _ => None,
        }
    }

    /// `$'…'` with C's escapes (busybox).
    fn c_quotes(&mut self) -> Parsed<String> {
        let mut text = Vec::new();
        loop {
            match self.bump() {
                None => return self.error(UNTERMINATED),
                Some(b'\'') => return Ok(String::from_utf8_lossy(&text).into_owned()),
                Some(b'\\') => {
                    let Some(next) = self.bump() else { continue };
                    match next {
                        b'n' => text.push(b'\n'),
                        b't' => text.push(b'\t'),
                        b'r' => text.push(b'\r'),
                        b'a' => text.push(7),
                        b'b' => text.push(8),
                        b'e' => text.push(27),
                        b'f' => text.push(12),
                        b'v' => text.push(11),
                        b'0'..=b'7' => {
                            let mut value = u32::from(next - b'0');
                            for _ in 0..2 {
                                if let Some(digit @ b'0'..=b'7') = self.peek() {
                                    value = value * 8 + u32::from(digit - b'0');
                                    self.at += 1;
                                }
                            }
                            text.push((value & 0xff) as u8);
                        }
                        b'x' => {
                            let digits: String = self.bytes[self.at..]
                                .iter()
                                .take(2)
                                .take_while(|b| b.is_ascii_hexdigit())
                                .map(|&b| char::from(b))
                                .collect();
                            self.at += digits.len();
                            text.push(u8::from_str_radix(&digits, 16).unwrap_or(b'x'));
                        }
                        other => text.push(other),
                    }
                }
                Some(byte) => text.push(byte),
            }
        }
    }
}

fn plain(name: &str) -> Part {
    Part::Param(Box::new(Param {
        name: name.into(),
        op: ParamOp::Plain,
    }))
}
