//! `sed`: from the text of a script to its commands.

use std::sync::Arc;

use super::sed::{Address, Command, Piece, Verb};
use crate::shell::regex::Regex;

struct Parser<'a> {
    chars: Vec<char>,
    at: usize,
    extended: bool,
    program: Vec<Command>,
    open: Vec<usize>,
    text: &'a str,
}

pub(super) fn parse(text: &str, extended: bool) -> Result<Vec<Command>, String> {
    let mut parser = Parser {
        chars: text.chars().collect(),
        at: 0,
        extended,
        program: Vec::new(),
        open: Vec::new(),
        text,
    };
    parser.commands()?;
    if parser.open.is_empty() {
        Ok(parser.program)
    } else {
        Err("unmatched '{'".to_owned())
    }
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|c| c == ' ' || c == '\t') {
            self.at += 1;
        }
    }

    fn commands(&mut self) -> Result<(), String> {
        loop {
            while self.peek().is_some_and(|c| c.is_whitespace() || c == ';') {
                self.at += 1;
            }
            let Some(c) = self.peek() else { return Ok(()) };
            if c == '#' {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
                continue;
            }
            let first = self.address()?;
            self.blanks();
            let mut second = None;
            if first.is_some() && self.peek() == Some(',') {
                self.at += 1;
                self.blanks();
                second = Some(self.address()?.ok_or("unexpected ','")?);
                self.blanks();
            }
            let mut negated = false;
            while self.peek() == Some('!') {
                negated = true;
                self.at += 1;
                self.blanks();
            }
            let Some(letter) = self.peek() else {
                return Err("missing command".to_owned());
            };
            self.at += 1;
            let verb = self.verb(letter)?;
            self.program.push(Command {
                first,
                second,
                negated,
                verb,
            });
        }
    }

    fn number(&mut self) -> Option<u64> {
        let start = self.at;
        let mut value = 0u64;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            value = value.saturating_mul(10).saturating_add(u64::from(digit));
            self.at += 1;
        }
        (self.at > start).then_some(value)
    }

    fn address(&mut self) -> Result<Option<Address>, String> {
        match self.peek() {
            Some('$') => {
                self.at += 1;
                Ok(Some(Address::Last))
            }
            Some('+') => {
                self.at += 1;
                Ok(Some(Address::Plus(self.number().ok_or("bad address")?)))
            }
            Some(c) if c.is_ascii_digit() => {
                let line = self.number().unwrap_or(0);
                if self.peek() == Some('~') {
                    self.at += 1;
                    let step = self.number().unwrap_or(0);
                    return Ok(Some(Address::Step(line, step)));
                }
                Ok(Some(Address::Line(line)))
            }
            Some(c @ ('/' | '\\')) => {
                self.at += 1;
                let mut delimiter = c;
                if c == '\\' {
                    delimiter = self.peek().ok_or("bad address")?;
                    self.at += 1;
                }
                let text = self.delimited(delimiter)?;
                let mut ignore_case = false;
                while self.peek() == Some('I') {
                    ignore_case = true;
                    self.at += 1;
                }
                Ok(Some(Address::Matches(self.regex(&text, ignore_case)?)))
            }
            _ => Ok(None),
        }
    }

    fn regex(&self, text: &str, ignore_case: bool) -> Result<Option<Arc<Regex>>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let regex = Regex::new(text, self.extended).map_err(|error| format!("bad regex '{text}': {error}"))?;
        Ok(Some(Arc::new(regex.ignoring_case(ignore_case))))
    }

    /// Text up to a delimiter; a backslash before the delimiter makes it ordinary.
    fn delimited(&mut self, delimiter: char) -> Result<String, String> {
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            if c == '\\' {
                let Some(next) = self.peek() else { break };
                self.at += 1;
                if next == delimiter && !next.is_ascii_alphanumeric() {
                    // `s|a\|b|…|`: the delimiter as itself.
                    if next == '|' && !self.extended || "/,:#@!%;~\"' ".contains(next) {
                        text.push(next);
                    } else {
                        text.push('\\');
                        text.push(next);
                    }
                } else {
                    text.push('\\');
                    text.push(next);
                }
                continue;
            }
            if c == delimiter {
                return Ok(text);
            }
            text.push(c);
        }
        Err(format!(
            "unterminated text in '{}'",
            self.text.chars().take(40).collect::<String>()
        ))
    }

    fn verb(&mut self, letter: char) -> Result<Verb, String> {
        Ok(match letter {
            '{' => {
                self.open.push(self.program.len());
                Verb::Open(usize::MAX)
            }
            '}' => {
                let open = self.open.pop().ok_or("unexpected '}'")?;
                let here = self.program.len();
                if let Some(command) = self.program.get_mut(open) {
                    command.verb = Verb::Open(here);
                }
                Verb::Close
            }
            's' => self.substitution()?,
            'y' => {
                let delimiter = self.peek().ok_or("bad y command")?;
                self.at += 1;
                let from: Vec<char> = unescaped(&self.delimited(delimiter)?);
                let to: Vec<char> = unescaped(&self.delimited(delimiter)?);
                if from.len() != to.len() {
                    return Err("strings for 'y' command are different lengths".to_owned());
                }
                Verb::Transliterate(from.into_iter().zip(to).collect())
            }
            'p' => Verb::Print,
            'P' => Verb::PrintFirst,
            'd' => Verb::Delete,
            'D' => Verb::DeleteFirst,
            'n' => Verb::Next,
            'N' => Verb::Append,
            'q' | 'Q' => {
                self.blanks();
                let code = self.number().unwrap_or(0);
                Verb::Quit {
                    print: letter == 'q',
                    code: (code & 0xff) as i32,
                }
            }
            'a' => Verb::After(self.inserted()),
            'i' => Verb::Before(self.inserted()),
            'c' => Verb::Change(self.inserted()),
            'h' | 'H' => Verb::Hold { append: letter == 'H' },
            'g' | 'G' => Verb::Get { append: letter == 'G' },
            'x' => Verb::Exchange,
            '=' => Verb::Number,
            'l' => Verb::List,
            'r' => Verb::Read(self.rest_of_line()),
            'w' => Verb::Write(self.rest_of_line()),
            ':' => Verb::Label(self.label()),
            'b' => Verb::Branch(self.label()),
            't' => Verb::BranchIf {
                label: self.label(),
                changed: true,
            },
            'T' => Verb::BranchIf {
                label: self.label(),
                changed: false,
            },
            letter => return Err(format!("unsupported command {letter}")),
        })
    }

    fn label(&mut self) -> String {
        self.blanks();
        let mut label = String::new();
        while let Some(c) = self.peek().filter(|c| !matches!(c, '\n' | ';' | '}')) {
            label.push(c);
            self.at += 1;
        }
        label.trim().to_owned()
    }

    fn rest_of_line(&mut self) -> String {
        self.blanks();
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| *c != '\n') {
            text.push(c);
            self.at += 1;
        }
        text
    }

    /// The text of `a`, `i` and `c`: on the same line or, after a backslash, on the next ones.
    fn inserted(&mut self) -> String {
        self.blanks();
        if self.peek() == Some('\\') {
            self.at += 1;
            self.blanks();
            if self.peek() == Some('\n') {
                self.at += 1;
            }
        }
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '\n' => break,
                '\\' => match self.peek() {
                    Some('t') => {
                        text.push('\t');
                        self.at += 1;
                    }
                    Some('n') => {
                        text.push('\n');
                        self.at += 1;
                    }
                    Some(next) => {
                        text.push(next);
                        self.at += 1;
                    }
                    None => {}
                },
                c => text.push(c),
            }
        }
        text.push('\n');
        text
    }

    fn substitution(&mut self) -> Result<Verb, String> {
        let delimiter = self.peek().ok_or("bad s command")?;
        self.at += 1;
        let pattern = self.delimited(delimiter)?;
        let with = self.replacement(delimiter)?;
        let (mut all, mut which, mut print, mut ignore_case) = (false, 1, false, false);
        let mut file = None;
        loop {
            match self.peek() {
                Some('w') => {
                    self.at += 1;
                    file = Some(self.rest_of_line());
                    break;
                }
                Some('g') => all = true,
                Some('p') => print = true,
                Some('i' | 'I') => ignore_case = true,
                Some('m' | 'M' | 'e') => {}
                Some(c) if c.is_ascii_digit() => {
                    which = self.number().unwrap_or(1).max(1);
                    continue;
                }
                Some(c) if c == ';' || c == '}' || c.is_whitespace() => break,
                None => break,
                Some(c) => return Err(format!("unknown option to s command: {c}")),
            }
            self.at += 1;
        }
        Ok(Verb::Substitute {
            regex: self.regex(&pattern, ignore_case)?,
            with,
            all,
            which,
            print,
            file,
        })
    }

    fn replacement(&mut self, delimiter: char) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut flush = |text: &mut String, piece: Option<Piece>| {
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(text)));
            }
            pieces.extend(piece);
        };
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                c if c == delimiter => {
                    flush(&mut text, None);
                    return Ok(pieces);
                }
                '&' => flush(&mut text, Some(Piece::Group(0))),
                '\\' => {
                    let Some(next) = self.peek() else { break };
                    self.at += 1;
                    match next {
                        '0'..='9' => flush(&mut text, Some(Piece::Group(next as usize - '0' as usize))),
                        'n' => text.push('\n'),
                        't' => text.push('\t'),
                        'U' => flush(&mut text, Some(Piece::Upper)),
                        'L' => flush(&mut text, Some(Piece::Lower)),
                        'E' => flush(&mut text, Some(Piece::EndCase)),
                        next => text.push(next),
                    }
                }
                c => text.push(c),
            }
        }
        Err("unterminated s command".to_owned())
    }
}

fn unescaped(text: &str) -> Vec<char> {
    let mut chars = text.chars();
    let mut result = Vec::new();
    while let Some(c) = chars.next() {
        if c == '\\' {
            match chars.next() {
                Some('n') => result.push('\n'),
                Some('t') => result.push('\t'),
                Some(next) => result.push(next),
                None => result.push('\\'),
            }
        } else {
            result.push(c);
        }
    }
    result
}
