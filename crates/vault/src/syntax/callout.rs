//! The types of callouts.

/// Obsidian's 13 types, each with its aliases.
const TYPES: &[(&str, &[&str])] = &[
    ("note", &[]),
    ("abstract", &["summary", "tldr"]),
    ("info", &[]),
    ("todo", &[]),
    ("tip", &["hint", "important"]),
    ("success", &["check", "done"]),
    ("question", &["help", "faq"]),
    ("warning", &["caution", "attention"]),
    ("failure", &["fail", "missing"]),
    ("danger", &["error"]),
    ("bug", &[]),
    ("example", &[]),
    ("quote", &["cite"]),
];

/// The type that a lower-cased type looks like; unknown ones look like a note.
pub(crate) fn canonical(kind: &str) -> &'static str {
    TYPES
        .iter()
        .find(|(name, aliases)| *name == kind || aliases.contains(&kind))
        .map_or("note", |(name, _)| name)
}

/// The title of a callout without one: its type, with a capital letter.
pub(crate) fn default_title(kind: &str) -> String {
    let mut chars = kind.chars();
    chars.next().map_or_else(String::new, |first| {
        first
            .to_uppercase()
            .chain(chars.as_str().to_lowercase().chars())
            .collect()
    })
}
