//! Aliases: words that stand for text. They change what a script means while it runs, so a script that has some is read one
//! complete command at a time, each with the aliases that are set by then.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::code::{Code, Op};
use super::compile;
use super::parser::{Parsed, Parser, RESERVED, is_meta};

/// Aliases by name.
pub(super) type Aliases = BTreeMap<Arc<str>, Arc<str>>;

/// Aliases that one command may contain.
const MAX_SPLICES: u32 = 1_000;

/// Bytes that a script may grow to by its aliases.
const MAX_TEXT: usize = 1 << 20;

/// Where the text of aliases is within the text that is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Splices {
    /// Names with the part of the text that came from them: within it they do not count again.
    from: Vec<(Arc<str>, usize, usize)>,
    /// Ends of alias texts that end in a blank: the word that follows may be an alias as well.
    open: Vec<usize>,
    /// The alias that stands where the parser stopped: its name, and where the word ends.
    hit: Option<(Arc<str>, usize, usize)>,
}

impl Parser<'_> {
    /// Stops when the word that begins here is an alias.
    pub(super) fn stop_at_alias(&mut self) -> Parsed<()> {
        let Some(aliases) = self.aliases else { return Ok(()) };
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let quoting = |byte: u8| matches!(byte, b'"' | b'\'' | b'\\' | b'$' | b'`');
        let length = rest
            .iter()
            .position(|&byte| is_meta(byte) || quoting(byte))
            .unwrap_or(rest.len());
        if rest.get(length).is_some_and(|&byte| quoting(byte)) {
            return Ok(());
        }
        let name = self.text.get(self.at..self.at + length).unwrap_or_default();
        let at = self.at;
        let masked = self
            .splices
            .from
            .iter()
            .any(|(own, start, end)| &**own == name && (*start..*end).contains(&at));
        if name.is_empty() || masked || RESERVED.contains(&name) {
            return Ok(());
        }
        match aliases.get_key_value(name) {
            Some((name, _)) => {
                self.splices.hit = Some((Arc::clone(name), at, at + length));
                self.error("an alias stands here")
            }
            None => Ok(()),
        }
    }

    /// Whether nothing but blanks is between here and the end of an alias text that ends in a blank.
    pub(super) fn after_blank_alias(&self) -> bool {
        self.splices.open.iter().any(|&end| {
            self.bytes
                .get(end..self.at)
                .is_some_and(|between| between.iter().all(|byte| matches!(byte, b' ' | b'\t')))
        })
    }
}

impl Splices {
    /// Puts an alias's text in its place; gives the new text.
    fn apply(&mut self, text: &str, (name, start, end): (Arc<str>, usize, usize), value: &str) -> String {
        let after = start + value.len();
        let moved = |place: usize| if place >= end { place - end + after } else { place };
        for (_, from, to) in &mut self.from {
            *from = moved(*from);
            *to = moved(*to);
        }
        for place in &mut self.open {
            *place = moved(*place);
        }
        self.from.push((name, start, after));
        if value.ends_with([' ', '\t']) {
            self.open.push(after);
        }
        format!("{}{value}{}", &text[..start], &text[end..])
    }
}

/// The code of the next complete command of a script, with the rest of the script at its end.
pub(super) fn next(text: &Arc<str>, at: usize, line: u32, aliases: &Aliases) -> Code {
    let mut text = Arc::clone(text);
    let mut splices = Splices::default();
    for _ in 0..MAX_SPLICES {
        let mut parser = Parser::new(&text, line, 0);
        parser.at = at;
        parser.aliases = Some(aliases);
        parser.splices = std::mem::take(&mut splices);
        let parsed = parser.complete_command(None);
        let (at, line) = (parser.at, parser.line);
        splices = std::mem::take(&mut parser.splices);
        if let Some(hit) = splices.hit.take() {
            let value = aliases.get(&hit.0).cloned().unwrap_or_default();
            if text.len() + value.len() > MAX_TEXT {
                break;
            }
            text = splices.apply(&text, hit, &value).into();
            continue;
        }
        return match parsed {
            Ok(Some(list)) => compile::compile_command(&list, Op::More { text, at, line }),
            Ok(None) => Code::default(),
            Err(error) => Code {
                ops: vec![Op::SyntaxError(error)],
            },
        };
    }
    let message = format!("aliases give more than {MAX_SPLICES} words or {MAX_TEXT} bytes");
    Code {
        ops: vec![Op::SyntaxError(super::syntax::SyntaxError {
            line,
            column: 1,
            message,
        })],
    }
}
