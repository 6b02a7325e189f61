//! Passes over the text of one inline container: bare addresses, inline footnotes, highlights, tags, block ids.
//!
//! `pulldown-cmark` has already found code, links, emphasis and math; here they are opaque. What is left are characters,
//! each with its bytes in the file, so that a pass may match across events and still know its place.

use std::ops::Range;

use super::blocks::Found;
use super::tree::{Inline, InlineKind, Node, NodeKind};
use crate::note::{ExternalLink, Tag};
use crate::text::chars::{is_cjk, is_hangul, is_tag_char};
use crate::text::nfc;

/// A character or something opaque.
#[derive(Clone, Debug)]
pub(crate) enum Token {
    /// A character, its bytes in the file, and whether it was escaped or written as an entity: such a one is never
    /// syntax.
    Char {
        c: char,
        start: usize,
        end: usize,
        fixed: bool,
    },
    Node(Box<Inline>),
}

impl Token {
    pub(crate) fn range(&self) -> Range<usize> {
        match self {
            Self::Char { start, end, .. } => *start..*end,
            Self::Node(inline) => inline.range.clone(),
        }
    }

    /// The character, if it may be syntax.
    fn syntax(&self) -> Option<char> {
        match self {
            Self::Char { c, fixed: false, .. } => Some(*c),
            _ => None,
        }
    }

    fn char(&self) -> Option<char> {
        match self {
            Self::Char { c, .. } => Some(*c),
            Self::Node(_) => None,
        }
    }

    pub(crate) fn is_break(&self) -> bool {
        matches!(self, Self::Node(inline) if matches!(inline.kind, InlineKind::SoftBreak | InlineKind::HardBreak))
    }

    /// White space or a line break.
    pub(crate) fn is_space(&self) -> bool {
        self.char().is_some_and(char::is_whitespace) || self.is_break()
    }
}

/// The bytes of some tokens.
pub(crate) fn range_of(tokens: &[Token]) -> Option<Range<usize>> {
    Some(tokens.first()?.range().start..tokens.last()?.range().end)
}

/// Tokens without white space at their ends.
pub(crate) fn trimmed(mut tokens: Vec<Token>) -> Vec<Token> {
    let spaces = tokens.iter().rev().take_while(|token| token.is_space()).count();
    tokens.truncate(tokens.len() - spaces);
    let spaces = tokens.iter().take_while(|token| token.is_space()).count();
    tokens.drain(..spaces);
    tokens
}

/// What a container is inside of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context {
    /// Inside a link nothing becomes a link, a tag or a footnote.
    pub link: bool,
    /// Inside a footnote nothing becomes an inline footnote.
    pub footnote: bool,
}

/// Turns the tokens of a container into inlines.
pub(crate) fn finish(mut tokens: Vec<Token>, context: Context, found: &mut Found<'_>) -> Vec<Inline> {
    let has = |c: char| tokens.iter().any(|token| token.syntax() == Some(c));
    let (colon, caret, equals, hash) = (has(':'), has('^'), has('='), has('#'));
    if colon && !context.link {
        tokens = addresses(tokens, found);
    }
    if caret && !context.link && !context.footnote {
        tokens = footnotes(tokens, found);
    }
    if equals {
        tokens = highlights(tokens, context, found);
    }
    if hash && !context.link {
        tokens = tags(tokens, found);
    }
    join(tokens)
}

/// Joins characters to texts.
fn join(tokens: Vec<Token>) -> Vec<Inline> {
    let mut inlines: Vec<Inline> = Vec::new();
    let mut open = false;
    for token in tokens {
        match token {
            Token::Char { c, start, end, .. } => match inlines.last_mut() {
                Some(Inline {
                    range,
                    kind: InlineKind::Text(text),
                }) if open => {
                    text.push(c);
                    range.end = end.max(range.end);
                }
                _ => {
                    inlines.push(Inline {
                        range: start..end,
                        kind: InlineKind::Text(c.to_string()),
                    });
                    open = true;
                }
            },
            Token::Node(inline) => {
                inlines.push(*inline);
                open = false;
            }
        }
    }
    inlines
}

/// Bare `http(s)` addresses.
fn addresses(tokens: Vec<Token>, found: &mut Found<'_>) -> Vec<Token> {
    let mut result = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let boundary = at == 0 || tokens[at - 1].char().is_none_or(|c| !c.is_ascii_alphanumeric());
        let end = if boundary { address_end(&tokens, at) } else { None };
        let Some(end) = end else {
            result.push(tokens[at].clone());
            at += 1;
            continue;
        };
        let url: String = tokens[at..end].iter().filter_map(Token::char).collect();
        let range = tokens[at].range().start..tokens[end - 1].range().end;
        let text = Inline {
            range: range.clone(),
            kind: InlineKind::Text(url.clone()),
        };
        let index = found.external.len();
        found.external.push(ExternalLink {
            url: url.clone(),
            text: url,
            place: found.place(range.clone()),
        });
        result.push(Token::Node(Box::new(Inline {
            range,
            kind: InlineKind::External(index, vec![text]),
        })));
        at = end;
    }
    result
}

/// Where an address that begins at a token ends.
fn address_end(tokens: &[Token], at: usize) -> Option<usize> {
    if !matches!(tokens[at].syntax(), Some('h' | 'H')) {
        return None;
    }
    let matches = |text: &str| {
        text.chars().enumerate().all(|(index, c)| {
            tokens
                .get(at + index)
                .and_then(Token::char)
                .is_some_and(|token| token.eq_ignore_ascii_case(&c))
        })
    };
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| matches(scheme))?
        .len();
    let mut end = at + scheme;
    // Korean particles stick to addresses far more often than Hangul stands in one unencoded.
    let goes_on = |c: char| !c.is_whitespace() && c != '<' && !is_hangul(c) && !is_cjk(c);
    while tokens.get(end).and_then(Token::char).is_some_and(goes_on) {
        end += 1;
    }
    // GFM: punctuation at the end is not part of it, nor is a bracket that nothing opened.
    let count = |wanted: char| {
        tokens[at..end]
            .iter()
            .filter(|token| token.char() == Some(wanted))
            .count()
    };
    let (opened, mut closed) = (count('('), count(')'));
    while end > at + scheme {
        match tokens[end - 1].char() {
            Some('?' | '!' | '.' | ',' | ':' | '*' | '_' | '~' | '\'' | '"') => end -= 1,
            Some(')') if closed > opened => {
                closed -= 1;
                end -= 1;
            }
            Some(';') => end -= 1,
            _ => break,
        }
    }
    (end > at + scheme).then_some(end)
}

/// `^[inline footnotes]`.
fn footnotes(tokens: Vec<Token>, found: &mut Found<'_>) -> Vec<Token> {
    // Where each `[` is closed, in one walk.
    let mut partner = vec![None; tokens.len()];
    let mut open = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.syntax() {
            Some('[') => open.push(index),
            Some(']') => {
                if let Some(start) = open.pop() {
                    partner[start] = Some(index);
                }
            }
            _ => {}
        }
    }
    let mut result = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let close = match tokens[at].syntax() {
            Some('^') => partner.get(at + 1).copied().flatten().filter(|&close| close > at + 2),
            _ => None,
        };
        let Some(close) = close else {
            result.push(tokens[at].clone());
            at += 1;
            continue;
        };
        let range = tokens[at].range().start..tokens[close].range().end;
        // One level only: a footnote in a footnote stays text.
        let content = finish(
            tokens[at + 2..close].to_vec(),
            Context {
                link: false,
                footnote: true,
            },
            found,
        );
        let inner = range_of(&tokens[at + 2..close]).unwrap_or(range.clone());
        let index = found.inline_footnote(range.clone(), vec![Node::new(inner, NodeKind::Paragraph(content))]);
        result.push(Token::Node(Box::new(Inline {
            range,
            kind: InlineKind::Footnote(index),
        })));
        at = close + 1;
    }
    result
}

/// `==highlights==`.
fn highlights(tokens: Vec<Token>, context: Context, found: &mut Found<'_>) -> Vec<Token> {
    let mut pairs = Vec::new();
    let mut open = None;
    let mut at = 0;
    while at < tokens.len() {
        let length = tokens[at..]
            .iter()
            .take_while(|token| token.syntax() == Some('='))
            .count();
        if length != 2 {
            at += length.max(1);
            continue;
        }
        let before_space = at == 0 || tokens[at - 1].is_space();
        let after_space = tokens
            .get(at + 2)
            .is_none_or(|token| token.is_space() || token.syntax() == Some('>'));
        match open {
            Some(start) if !before_space && at > start + 2 => {
                pairs.push((start, at));
                open = None;
            }
            None if !after_space => open = Some(at),
            _ => {}
        }
        at += 2;
    }
    if pairs.is_empty() {
        return tokens;
    }
    let mut result = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().enumerate();
    let mut pairs = pairs.into_iter().peekable();
    while let Some((index, token)) = rest.next() {
        let Some((start, end)) = pairs.next_if(|(start, _)| *start == index) else {
            result.push(token);
            continue;
        };
        let range_start = token.range().start;
        let content: Vec<Token> = rest.by_ref().take(end - start + 1).map(|(_, token)| token).collect();
        let range_end = content.last().map_or(range_start, |token| token.range().end);
        let inside = content[1..content.len() - 2].to_vec();
        let range = range_start..range_end;
        let children = finish(inside, context, found);
        result.push(Token::Node(Box::new(Inline {
            range,
            kind: InlineKind::Highlight(children),
        })));
    }
    result
}

/// `#tags`.
fn tags(tokens: Vec<Token>, found: &mut Found<'_>) -> Vec<Token> {
    let mut result: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let starts = tokens[at].syntax() == Some('#') && (at == 0 || tokens[at - 1].is_space());
        let length = if starts {
            tokens[at + 1..]
                .iter()
                .take_while(|token| token.syntax().is_some_and(is_tag_char))
                .count()
        } else {
            0
        };
        let name: String = tokens[at..]
            .iter()
            .skip(1)
            .take(length)
            .filter_map(Token::char)
            .collect();
        let name = name.trim_end_matches('/');
        if name.is_empty() || name.chars().all(|c| c.is_ascii_digit()) {
            result.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let end = at + 1 + name.chars().count();
        let range = tokens[at].range().start..tokens[end - 1].range().end;
        let index = found.tags.len();
        found.tags.push(Tag {
            name: nfc(name),
            in_properties: false,
            place: found.place(range.clone()),
        });
        result.push(Token::Node(Box::new(Inline {
            range,
            kind: InlineKind::Tag(index),
        })));
        at = end;
        // What follows directly (`#a#b`) is text.
        while at < tokens.len() && !tokens[at].is_space() && tokens[at].syntax() == Some('#') {
            result.push(tokens[at].clone());
            at += 1;
        }
    }
    result
}

/// Takes a block id off the end of a block's tokens: the id, its bytes with `^`, and the number of tokens that remain.
pub(crate) fn block_id(tokens: &[Token]) -> Option<(String, Range<usize>, usize)> {
    let mut end = tokens.len();
    while end > 0 && tokens[end - 1].is_space() {
        end -= 1;
    }
    let id_char = |token: &Token| token.syntax().is_some_and(|c| c.is_ascii_alphanumeric() || c == '-');
    let mut start = end;
    while start > 0 && id_char(&tokens[start - 1]) {
        start -= 1;
    }
    if start == end || start == 0 || tokens[start - 1].syntax() != Some('^') {
        return None;
    }
    let caret = start - 1;
    if caret > 0 && !tokens[caret - 1].is_space() {
        return None;
    }
    let id = tokens[start..end].iter().filter_map(Token::char).collect();
    let range = tokens[caret].range().start..tokens[end - 1].range().end;
    let mut rest = caret;
    while rest > 0 && tokens[rest - 1].is_space() {
        rest -= 1;
    }
    Some((id, range, rest))
}
