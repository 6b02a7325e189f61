//! What a person typed, as the index and the snippets need it.

use super::bigrams;
use super::fold::Folded;

/// A query with something in it to be found.
#[derive(Debug)]
pub(super) struct Query {
    /// The whole query as one phrase of the index.
    pub(super) phrase: String,
    /// All its words, wherever they stand; `None` for a single word.
    pub(super) words: Option<String>,
    /// The whole query, folded, for snippets.
    pub(super) needle: String,
    /// Its words, folded, the longest first.
    pub(super) needles: Vec<String>,
}

impl Query {
    pub(super) fn new(text: &str) -> Option<Self> {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let text = text.trim_start();
        let phrase = bigrams::phrase(text)?;
        let words: Vec<&str> = text
            .split_whitespace()
            .filter(|word| bigrams::phrase(word).is_some())
            .collect();
        let all: Vec<String> = words.iter().filter_map(|word| bigrams::phrase(word)).collect();
        let mut needles: Vec<String> = words.iter().map(|word| Folded::new(word).text).collect();
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        needles.dedup();
        let words = (all.len() > 1).then(|| all.join(" AND "));
        Some(Self {
            phrase,
            words,
            needle: Folded::new(text.trim()).text,
            needles,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_a_phrase_and_words() {
        let query = Query::new(" 파드 Never ").expect("something to find");
        assert_eq!(query.phrase, "\"파드 드 Never\"");
        assert_eq!(query.words.as_deref(), Some("\"파드\" AND \"Never\"*"));
        assert_eq!(query.needles, ["파드", "never"]);
        assert!(Query::new("  \u{0} … ").is_none());
        assert!(Query::new("파드").expect("one word").words.is_none());
    }
}
