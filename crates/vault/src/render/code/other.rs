//! Other languages: `syntect`, scopes folded to a few classes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

use super::super::escape::text as escape;
use super::Piece;
use crate::limits;

fn syntaxes() -> &'static SyntaxSet {
    static SYNTAXES: OnceLock<SyntaxSet> = OnceLock::new();
    SYNTAXES.get_or_init(two_face::syntax::extra_newlines)
}

/// Scopes and the class of what has them; the innermost scope with a class counts.
fn classes() -> &'static [(Scope, &'static str)] {
    static CLASSES: OnceLock<Vec<(Scope, &'static str)>> = OnceLock::new();
    CLASSES.get_or_init(|| {
        let classes = [
            ("comment", "hl-comment"),
            ("string", "hl-string"),
            ("constant.numeric", "hl-number"),
            ("constant.character.escape", "hl-constant"),
            ("constant", "hl-constant"),
            ("keyword.operator", ""),
            ("keyword", "hl-keyword"),
            ("storage", "hl-keyword"),
            ("entity.name.tag", "hl-key"),
            ("entity.other.attribute-name", "hl-key"),
            ("meta.mapping.key", "hl-key"),
            ("support.type.property-name", "hl-key"),
            ("entity.name.function", "hl-function"),
            ("support.function", "hl-function"),
            ("variable.function", "hl-function"),
            ("entity.name", "hl-type"),
            ("support.type", "hl-type"),
            ("support.class", "hl-type"),
            ("variable", "hl-variable"),
        ];
        classes
            .into_iter()
            .filter_map(|(scope, class)| Some((Scope::new(scope).ok()?, class)))
            .collect()
    })
}

type Cache = Mutex<HashMap<(String, String), Arc<str>>>;

/// Writes code of a language; plain if it is not known or long.
pub(super) fn push(lang: &str, text: &str, out: &mut String) {
    static CACHE: OnceLock<Cache> = OnceLock::new();
    if text.len() > limits::HIGHLIGHT_OTHER_BYTES || text.lines().any(|line| line.len() > limits::HIGHLIGHT_LINE_BYTES)
    {
        return escape(out, text);
    }
    let Some(syntax) = syntaxes().find_syntax_by_token(lang) else {
        return escape(out, text);
    };
    let cache = CACHE.get_or_init(Cache::default);
    let key = (lang.to_owned(), text.to_owned());
    let known = cache.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    if let Some(html) = known {
        out.push_str(&html);
        return;
    }
    let mut html = String::with_capacity(text.len() * 2);
    super::push(pieces(syntax, text), &mut html);
    let html: Arc<str> = html.into();
    out.push_str(&html);
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() >= limits::HIGHLIGHT_CACHE {
        cache.clear();
    }
    cache.insert(key, html);
}

fn pieces<'t>(syntax: &SyntaxReference, text: &'t str) -> Vec<Piece<'t>> {
    let mut pieces = Vec::new();
    let mut state = ParseState::new(syntax);
    let mut stack = ScopeStack::new();
    for line in text.split_inclusive('\n') {
        let Ok(operations) = state.parse_line(line, syntaxes()) else {
            pieces.push((None, line));
            continue;
        };
        let mut at = 0;
        for (end, operation) in operations {
            if let Some(piece) = line.get(at..end) {
                pieces.push((class_of(&stack), piece));
                at = end;
            }
            if stack.apply(&operation).is_err() {
                break;
            }
        }
        pieces.push((class_of(&stack), line.get(at..).unwrap_or("")));
    }
    pieces
}

fn class_of(stack: &ScopeStack) -> Option<&'static str> {
    let of_scope = |scope: &Scope| {
        classes()
            .iter()
            .find(|(prefix, _)| prefix.is_prefix_of(*scope))
            .map(|(_, class)| *class)
    };
    stack
        .as_slice()
        .iter()
        .rev()
        .find_map(of_scope)
        .filter(|class| !class.is_empty())
}
