//! Words under way: the pieces of which a word's value is made, and what becomes of them: fields, text, a pattern.

use std::sync::Arc;

use super::pattern::Pattern;
use crate::runtime::syscalls::Ctx;

/// A word under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Builder {
    pieces: Vec<Piece>,
    /// Bytes of its pieces; what would make it longer than [`MAX_WORD`] is left out.
    length: usize,
    too_long: bool,
}

/// Bytes that a word may have.
pub(super) const MAX_WORD: usize = 32 << 20;

/// Fields that a word or a command may have.
pub(super) const MAX_FIELDS: usize = 1 << 20;

#[derive(Clone, Debug)]
struct Piece {
    text: Arc<str>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Stands for itself and makes a field.
    Quoted,
    /// Literal text: patterns in it count.
    Literal,
    /// An expansion outside of quotes: it is split into fields, and patterns in it count.
    Expanded,
    /// Between two positional parameters.
    Split,
}

/// The characters of a field and whether each is quoted.
pub(crate) type Chars = Vec<(char, bool)>;

impl Builder {
    pub fn quoted(&mut self, text: Arc<str>) {
        self.push(text, Kind::Quoted);
    }

    pub fn literal(&mut self, text: Arc<str>) {
        self.push(text, Kind::Literal);
    }

    /// The value of an expansion.
    pub fn value(&mut self, text: Arc<str>, quoted: bool) {
        self.push(text, if quoted { Kind::Quoted } else { Kind::Expanded });
    }

    fn push(&mut self, text: Arc<str>, kind: Kind) {
        if self.length + text.len() > MAX_WORD || self.pieces.len() > 2 * MAX_FIELDS {
            self.too_long = true;
            return;
        }
        self.length += text.len();
        self.pieces.push(Piece { text, kind });
    }

    /// Whether something had to be left out.
    pub fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// A boundary between two positional parameters.
    pub fn split(&mut self) {
        self.push("".into(), Kind::Split);
    }

    /// The value as one text, as in an assignment.
    pub fn text(&self) -> Arc<str> {
        if let [piece] = self.pieces.as_slice()
            && piece.kind != Kind::Split
        {
            return Arc::clone(&piece.text);
        }
        let mut text = String::new();
        for piece in &self.pieces {
            text.push_str(if piece.kind == Kind::Split { " " } else { &piece.text });
        }
        text.into()
    }

    /// The value as a pattern.
    pub fn pattern(&self) -> Pattern {
        let mut chars = Chars::new();
        for piece in &self.pieces {
            match piece.kind {
                Kind::Split => chars.push((' ', true)),
                kind => chars.extend(piece.text.chars().map(|c| (c, kind == Kind::Quoted))),
            }
        }
        Pattern::new(&chars)
    }

    /// The value as fields: split at the characters of `ifs`, with patterns replaced by the paths that they match.
    pub fn fields(self, ctx: &mut Ctx<'_>, ifs: &str, globbing: bool, fields: &mut Vec<Arc<str>>) {
        if let [piece] = self.pieces.as_slice() {
            let plain = match piece.kind {
                Kind::Quoted => true,
                Kind::Literal => !has_glob(&piece.text),
                Kind::Expanded => {
                    !piece.text.is_empty() && !has_glob(&piece.text) && !piece.text.contains(|c| ifs.contains(c))
                }
                Kind::Split => false,
            };
            if plain {
                fields.push(Arc::clone(&piece.text));
                return;
            }
        }
        for chars in self.split_fields(ifs) {
            let special = globbing && chars.iter().any(|&(c, quoted)| !quoted && matches!(c, '*' | '?' | '['));
            if special {
                let paths = glob(ctx, &chars);
                if !paths.is_empty() {
                    fields.extend(paths);
                    continue;
                }
            }
            fields.push(chars.iter().map(|&(c, _)| c).collect::<String>().into());
        }
    }

    fn split_fields(self, ifs: &str) -> Vec<Chars> {
        let mut fields = Vec::new();
        let mut current: Option<Chars> = None;
        // A field has been ended by white space: a separator that follows belongs to the same gap.
        let mut after_blank = false;
        for piece in self.pieces {
            match piece.kind {
                Kind::Split => {
                    fields.extend(current.take());
                    after_blank = false;
                }
                Kind::Quoted | Kind::Literal => {
                    let quoted = piece.kind == Kind::Quoted;
                    current
                        .get_or_insert_default()
                        .extend(piece.text.chars().map(|c| (c, quoted)));
                    after_blank = false;
                }
                Kind::Expanded => {
                    for c in piece.text.chars() {
                        if !ifs.contains(c) {
                            current.get_or_insert_default().push((c, false));
                            after_blank = false;
                        } else if c == ' ' || c == '\t' || c == '\n' {
                            if let Some(field) = current.take() {
                                fields.push(field);
                                after_blank = true;
                            }
                        } else if after_blank {
                            after_blank = false;
                        } else {
                            fields.push(current.take().unwrap_or_default());
                        }
                    }
                }
            }
        }
        fields.extend(current);
        fields
    }
}

fn has_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The paths that match a pattern, in order; none when nothing matches.
pub(crate) fn glob(ctx: &mut Ctx<'_>, chars: &[(char, bool)]) -> Vec<Arc<str>> {
    let mut bases: Vec<String> = vec![String::new()];
    let components: Vec<&[(char, bool)]> = chars.split(|&(c, _)| c == '/').collect();
    for (index, component) in components.iter().enumerate() {
        let last = index + 1 == components.len();
        let pattern = Pattern::new(component);
        let literal: String = component.iter().map(|&(c, _)| c).collect();
        let mut next = Vec::new();
        for base in bases {
            ctx.spend(4);
            if component.is_empty() || !pattern.is_special() {
                let path = format!("{base}{literal}");
                if last {
                    if component.is_empty() || ctx.walk(&path, false).is_ok_and(|walk| walk.found.is_some()) {
                        next.push(path);
                    }
                } else {
                    next.push(path + "/");
                }
                continue;
            }
            let directory = if base.is_empty() { "." } else { &base };
            let Ok(mut names) = ctx.list(directory) else { continue };
            if pattern.begins_with_dot() {
                names.splice(0..0, [".".to_owned(), "..".to_owned()]);
            }
            for name in names {
                if name.starts_with('.') && !pattern.begins_with_dot() || !pattern.matches(&name) {
                    continue;
                }
                let path = format!("{base}{name}");
                if last {
                    next.push(path);
                } else if ctx.stat(&path, true).is_ok_and(|node| node.is_directory()) {
                    next.push(path + "/");
                }
            }
        }
        bases = next;
        if bases.len() > 10_000 {
            break;
        }
    }
    bases.sort();
    bases.into_iter().map(Arc::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[(&str, Kind)], ifs: &str) -> Vec<String> {
        let pieces = pieces
            .iter()
            .map(|&(text, kind)| Piece {
                text: text.into(),
                kind,
            })
            .collect();
        let fields = Builder {
            pieces,
            ..Builder::default()
        }
        .split_fields(ifs);
        fields
            .into_iter()
            .map(|field| field.into_iter().map(|(c, _)| c).collect())
            .collect()
    }

    #[test]
    fn expansions_are_split_and_quotes_are_not() {
        use Kind::{Expanded, Literal, Quoted, Split};
        let cases: &[(&[(&str, Kind)], &str, &[&str])] = &[
            (&[(" a  b ", Expanded)], " \t\n", &["a", "b"]),
            (&[("a b", Quoted)], " \t\n", &["a b"]),
            (&[("", Expanded)], " ", &[]),
            (&[("", Quoted)], " ", &[""]),
            (
                &[("x", Literal), (" a ", Expanded), ("y", Literal)],
                " ",
                &["x", "a", "y"],
            ),
            (&[("a:b::c", Expanded)], ":", &["a", "b", "", "c"]),
            (&[("a : b", Expanded)], ": ", &["a", "b"]),
            (&[(":a", Expanded)], ":", &["", "a"]),
            (&[("a:", Expanded)], ":", &["a"]),
            (&[("a", Quoted), ("", Split), ("", Quoted)], " ", &["a", ""]),
            (&[("a b", Expanded)], "", &["a b"]),
        ];
        for (pieces, ifs, expected) in cases {
            assert_eq!(split(pieces, ifs), *expected, "{pieces:?} with {ifs:?}");
        }
    }
}
