//! What a word of a cell means: a field of a manifest, an object, a command.

use std::fmt::Write as _;
use std::sync::Arc;

use peapod_kubectl::{command, resources};
use peapod_sim::objects::{Kind, RESOURCES};
use peapod_vault::render::escape;
use serde_json::Value;

use super::complete::{at_cursor, part};
use super::magic::MAGICS;
use super::output::Bundle;
use super::session::View;
use crate::i18n::Lang;
use crate::lab::expr::schema::{Struct, Type, of_kind};

/// Fields and places that are listed.
const MAX_LINES: usize = 60;

/// What the word at the cursor (in characters) means; `None` when nothing is known of it.
pub fn inspect(text: &str, cursor: usize, view: &View, lang: Lang) -> Option<Bundle> {
    let characters: Vec<char> = text.chars().collect();
    let cursor = cursor.min(characters.len());
    let is_word = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '/' | '%');
    let start = (0..cursor)
        .rev()
        .take_while(|at| is_word(&characters[*at]))
        .last()
        .unwrap_or(cursor);
    let end = (cursor..characters.len())
        .take_while(|at| is_word(&characters[*at]))
        .last()
        .map_or(cursor, |at| at + 1);
    let word: String = characters[start..end].iter().collect();
    if word.is_empty() {
        return None;
    }
    let line_start = (0..start)
        .rev()
        .find(|at| characters[*at] == '\n')
        .map_or(0, |at| at + 1);
    let head: String = characters[line_start..start].iter().collect();
    if let Some(magic) = MAGICS.iter().find(|magic| magic.name == word) {
        let said = match lang {
            Lang::Ko => magic.ko,
            Lang::En => magic.en,
        };
        return Some(bundle(
            format!("{} {}", magic.name, magic.usage).trim_end(),
            &[said.to_owned()],
        ));
    }
    let is_typed = head.trim_start().starts_with(['$', '%']) || head.trim_start().starts_with("kubectl");
    if is_typed {
        return typed(&word, view);
    }
    let before: String = characters[..start].iter().collect();
    if let Some((kind, path)) = at_cursor(text, &before)
        && let Type::Struct(parent) = part(kind, &path)
        && let Some(of) = parent.field(&word)
    {
        let mut path = path;
        path.push(word.clone());
        return Some(field(kind, &path, of));
    }
    anywhere(&word).or_else(|| typed(&word, view))
}

fn bundle(title: &str, lines: &[String]) -> Bundle {
    let plain = std::iter::once(title.to_owned())
        .chain(lines.iter().cloned())
        .collect::<Vec<_>>()
        .join("\n");
    let mut html = format!("<p><b>{}</b></p>", escape(title));
    if !lines.is_empty() {
        let _ = write!(html, "<pre>{}</pre>", escape(&lines.join("\n")));
    }
    Bundle::new(plain).with("text/html", html)
}

/// `<string>`, `<[]Container>` … as `kubectl explain` writes them.
fn type_name(of: &Type) -> String {
    match of {
        Type::Any => "Object".to_owned(),
        Type::Bool => "boolean".to_owned(),
        Type::Int => "integer".to_owned(),
        Type::Number => "number".to_owned(),
        Type::Text => "string".to_owned(),
        Type::List(element) => format!("[]{}", type_name(element)),
        Type::Map(element) => format!("map[string]{}", type_name(element)),
        Type::Struct(own) => own.name.to_owned(),
    }
}

fn inside(of: &Type) -> Option<&Arc<Struct>> {
    match of {
        Type::Struct(own) => Some(own),
        Type::List(element) | Type::Map(element) => inside(element),
        _ => None,
    }
}

fn field(kind: Kind, path: &[String], of: &Type) -> Bundle {
    let resource = kind.resource();
    let title = format!("{}.{} <{}>", resource.name, path.join("."), type_name(of));
    let mut lines = vec![format!("apiVersion: {}", resource.api_version())];
    if let Some(own) = inside(of) {
        lines.push("FIELDS:".to_owned());
        let shown = own.fields.iter().take(MAX_LINES);
        lines.extend(shown.map(|(name, of)| format!("  {name} <{}>", type_name(of))));
    }
    bundle(&title, &lines)
}

/// Where a field of this name stands, in any kind.
fn anywhere(word: &str) -> Option<Bundle> {
    let mut found: Vec<(String, String)> = Vec::new();
    for resource in RESOURCES {
        let mut path = vec![resource.name.to_owned()];
        places(&of_kind(resource.kind), word, &mut path, &mut found);
    }
    let (_, first) = found.first()?.clone();
    let lines: Vec<String> = found
        .iter()
        .take(MAX_LINES)
        .map(|(place, of)| format!("  {place} <{of}>"))
        .collect();
    Some(bundle(&format!("{word} <{first}>"), &lines))
}

fn places(of: &Type, word: &str, path: &mut Vec<String>, found: &mut Vec<(String, String)>) {
    /// Deeper than any field that people write, short of types that contain themselves.
    const DEPTH: usize = 10;
    if path.len() > DEPTH || found.len() >= MAX_LINES {
        return;
    }
    match of {
        Type::List(element) | Type::Map(element) => places(element, word, path, found),
        Type::Struct(own) => {
            for (name, of) in &own.fields {
                path.push((*name).to_owned());
                if *name == word {
                    found.push((path.join("."), type_name(of)));
                }
                places(of, word, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// A word of a command line: a command of `kubectl`, a kind, an object.
fn typed(word: &str, view: &View) -> Option<Bundle> {
    if command::names().any(|name| name == word) {
        let subcommands = command::subcommands(word);
        let mut lines = Vec::new();
        if !subcommands.is_empty() {
            lines.push(format!("kubectl {word} {}", subcommands.join("|")));
        }
        lines.extend(command::flags(word).into_iter().map(|(flag, value)| {
            if value {
                format!("  {flag}=…")
            } else {
                format!("  {flag}")
            }
        }));
        return Some(bundle(&format!("kubectl {word}"), &lines));
    }
    if let Some(resource) = resources::find(word) {
        let lines = [
            format!("kind: {}", resource.kind),
            format!("apiVersion: {}", resource.api_version()),
            format!("short names: {}", resource.short.join(", ")),
        ];
        return Some(bundle(resource.plural, &lines));
    }
    let (kind, name) = match word.split_once('/') {
        Some((kind, name)) => (Some(resources::find(kind)?.kind), name),
        None => (None, word),
    };
    let mut all = view
        .objects
        .iter()
        .filter(|(own, _)| kind.is_none_or(|kind| kind == **own));
    let object = all.find_map(|(_, objects)| {
        objects
            .iter()
            .find(|object| object.pointer("/metadata/name").and_then(Value::as_str) == Some(name))
    })?;
    let text = peapod_kubectl::print::output::print(
        object,
        &command::Format::Yaml,
        &peapod_kubectl::print::output::Options::default(),
    );
    let title = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    Some(bundle(
        &format!("{title} {name}"),
        &text.0.lines().map(str::to_owned).collect::<Vec<_>>(),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_have_meanings() {
        let pod = "apiVersion: v1\nkind: Pod\nspec:\n  restartPolicy: Never\n";
        for (text, cursor, expected) in [
            ("restartPolicy", 13, "restartPolicy <string>"),
            (pod, 37, "Pod.spec.restartPolicy <string>"),
            ("%advance 3s", 3, "%advance TIME"),
            ("$ kubectl describe pod", 14, "kubectl describe"),
            ("$ kubectl get sts", 17, "statefulsets"),
        ] {
            let plain = inspect(text, cursor, &View::default(), Lang::En)
                .unwrap()
                .plain()
                .to_owned();
            assert_eq!(plain.lines().next(), Some(expected), "{text}");
        }
        assert_eq!(inspect("nothingLikeThis", 3, &View::default(), Lang::En), None);
    }
}
