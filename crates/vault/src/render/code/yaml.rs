//! YAML, line by line: keys, scalars, comments, block scalars, and `{{ … }}` of experiments.

use super::Piece;

/// Keys whose block scalar is YAML itself: the manifests of an experiment.
const NESTED_YAML: &[&str] = &["apply", "create", "manifest"];

/// The pieces of a text.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    // Lines indented deeper than this belong to a block scalar.
    let mut scalar: Option<usize> = None;
    let mut flow = 0;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if let Some(parent) = scalar {
            if line.trim().is_empty() || indent > parent {
                pieces.push((Some("hl-string"), line));
                continue;
            }
            scalar = None;
        }
        let mut lexer = Lexer {
            line,
            at: 0,
            flow,
            pieces: &mut pieces,
            key: None,
        };
        lexer.run();
        let (block, key) = (lexer.is_block_scalar(), lexer.key);
        flow = lexer.flow;
        if block && !key.is_some_and(|key| NESTED_YAML.contains(&key)) {
            scalar = Some(key_indent(line));
        }
    }
    pieces
}

/// The column of the key of a line: markers of sequences count as indentation.
fn key_indent(line: &str) -> usize {
    let mut rest = line;
    while let Some(inner) = rest.trim_start_matches(' ').strip_prefix("- ") {
        rest = inner;
    }
    // The content of `- |` is deeper than the dash.
    let content = rest.trim_start_matches(' ');
    let has_key = content.contains(':');
    let column = line.len() - content.len();
    if has_key {
        column
    } else {
        line.len() - line.trim_start_matches(' ').len()
    }
}

struct Lexer<'t, 'p> {
    line: &'t str,
    at: usize,
    /// Depth of `{` and `[`.
    flow: usize,
    pieces: &'p mut Vec<Piece<'t>>,
    /// The last key.
    key: Option<&'t str>,
}

impl<'t> Lexer<'t, '_> {
    fn push(&mut self, class: Option<&'static str>, end: usize) {
        self.pieces.push((class, &self.line[self.at..end]));
        self.at = end;
    }

    fn run(&mut self) {
        while self.at < self.line.len() {
            let rest = &self.line[self.at..];
            let Some(first) = rest.chars().next() else { break };
            let after_space = self.line[..self.at].chars().next_back().is_none_or(char::is_whitespace);
            let second_is_space = rest[first.len_utf8()..].chars().next().is_none_or(char::is_whitespace);
            match first {
                _ if first.is_whitespace() => {
                    let length = rest.len() - rest.trim_start().len();
                    self.push(None, self.at + length);
                }
                '#' if after_space => {
                    self.push(Some("hl-comment"), self.at + rest.trim_end_matches(['\n', '\r']).len())
                }
                '{' if rest.starts_with("{{") => {
                    let end = rest.find("}}").map_or(rest.trim_end().len(), |end| end + 2);
                    self.push(Some("hl-variable"), self.at + end);
                }
                '{' | '[' => {
                    self.flow += 1;
                    self.push(None, self.at + 1);
                }
                '}' | ']' if self.flow > 0 => {
                    self.flow -= 1;
                    self.push(None, self.at + 1);
                }
                ',' if self.flow > 0 => self.push(None, self.at + 1),
                '-' | '?' | ':' if second_is_space => self.push(None, self.at + 1),
                '-' if self.at == 0 && rest.trim_end() == "---" => self.push(Some("hl-keyword"), self.at + 3),
                '"' | '\'' => self.quoted(first),
                '&' | '*' | '!' if !second_is_space => {
                    let end = rest
                        .find(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | ']'))
                        .unwrap_or(rest.len());
                    self.push(Some("hl-keyword"), self.at + end.max(1));
                }
                '|' | '>' if self.flow == 0 => self.push(Some("hl-keyword"), self.at + 1),
                _ => self.plain(),
            }
        }
    }

    /// A quoted scalar, up to its quote or the line's end; a key if a colon follows.
    fn quoted(&mut self, quote: char) {
        let rest = &self.line[self.at..];
        let mut escaped = false;
        let mut end = rest.trim_end().len().max(1);
        for (at, c) in rest.char_indices().skip(1) {
            if c == quote && !escaped {
                end = at + 1;
                break;
            }
            escaped = c == '\\' && quote == '"' && !escaped;
        }
        let is_key = rest[end..].starts_with(':') && rest[end + 1..].chars().next().is_none_or(char::is_whitespace);
        self.push(Some(if is_key { "hl-key" } else { "hl-string" }), self.at + end);
    }

    /// A plain scalar: a key, a number, a constant or a text.
    fn plain(&mut self) {
        let rest = &self.line[self.at..];
        let mut end = rest.len();
        let mut is_key = false;
        let mut before = ' ';
        for (at, c) in rest.char_indices() {
            let next = rest[at + c.len_utf8()..].chars().next();
            let ends = match c {
                '\n' | '\r' => true,
                ':' if next
                    .is_none_or(|next| next.is_whitespace() || (self.flow > 0 && matches!(next, ',' | '}' | ']'))) =>
                {
                    is_key = true;
                    true
                }
                '#' => before.is_whitespace() && at > 0,
                ',' | '}' | ']' | '[' => self.flow > 0 && at > 0,
                '{' => at > 0 && (self.flow > 0 || next == Some('{')),
                _ => false,
            };
            if ends {
                end = at;
                break;
            }
            before = c;
        }
        let word = rest[..end].trim_end();
        if is_key {
            self.key = Some(word);
        }
        let class = if is_key { Some("hl-key") } else { scalar_class(word) };
        let end = if word.is_empty() {
            rest.chars().next().map_or(rest.len(), char::len_utf8)
        } else {
            word.len()
        };
        self.push(class, self.at + end);
    }

    /// Whether the line ends in `|` or `>` (with indicators), so that a block scalar follows.
    fn is_block_scalar(&self) -> bool {
        let line = self.line.trim_end();
        let line = line.find(" #").map_or(line, |comment| line[..comment].trim_end());
        let mark = line.trim_end_matches(|c: char| matches!(c, '+' | '-') || c.is_ascii_digit());
        let before = mark.strip_suffix(['|', '>']);
        before.is_some_and(|before| before.is_empty() || before.ends_with([' ', ':'])) && !line.ends_with(": -")
    }
}

fn scalar_class(word: &str) -> Option<&'static str> {
    if matches!(
        word,
        "true" | "false" | "null" | "~" | "True" | "False" | "yes" | "no" | "on" | "off"
    ) {
        return Some("hl-constant");
    }
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && (digits.parse::<f64>().is_ok()
            || digits
                .strip_prefix("0x")
                .is_some_and(|hex| u64::from_str_radix(hex, 16).is_ok()));
    is_number.then_some("hl-number")
}
