//! `id` attributes of headings: GitHub's rule.

use std::collections::HashMap;

use unicode_normalization::char::is_combining_mark;

use super::nfc;

/// GitHub's slug of a text: NFC, lower case, letters, marks, digits, `_` and `-` kept, spaces as `-`, the rest dropped.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in nfc(text).to_lowercase().chars() {
        match c {
            ' ' => slug.push('-'),
            '_' | '-' => slug.push(c),
            _ if c.is_alphanumeric() || is_combining_mark(c) => slug.push(c),
            _ => {}
        }
    }
    slug
}

/// Gives each heading of a note a slug of its own: a second `a` becomes `a-1`.
#[derive(Debug, Default)]
pub(crate) struct Slugs {
    /// How often each slug was given, so that many equal headings stay cheap.
    given: HashMap<String, usize>,
}

impl Slugs {
    /// The next free slug for a text.
    pub(crate) fn next(&mut self, text: &str) -> String {
        // A heading of nothing but signs has no slug; it needs a name all the same.
        let base = Some(slug(text))
            .filter(|slug| !slug.is_empty())
            .unwrap_or_else(|| "section".to_owned());
        let mut candidate = base.clone();
        while self.given.contains_key(&candidate) {
            let count = self.given.entry(base.clone()).or_insert(0);
            *count += 1;
            candidate = format!("{base}-{count}");
        }
        self.given.insert(candidate.clone(), 0);
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_follow_github() {
        assert_eq!(slug("파드 단계(phase)"), "파드-단계phase");
        assert_eq!(slug("a  b"), "a--b");
        let mut slugs = Slugs::default();
        let given: Vec<_> = ["Heading", "Heading", "heading", "heading-1"]
            .iter()
            .map(|text| slugs.next(text))
            .collect();
        assert_eq!(given, ["heading", "heading-1", "heading-2", "heading-1-1"]);
    }
}
