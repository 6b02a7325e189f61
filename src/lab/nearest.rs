//! The word that was probably meant.

/// The word nearest to `word` among `known`, if one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let known: Vec<&str> = known.into_iter().collect();
    let by_distance = known
        .iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), *candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.chars().count().max(word.chars().count()) / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate);
    // Words are also cut short: `node` for `nodeName`.
    let cut = || {
        known
            .iter()
            .filter(|known| lower.len() > 2 && known.to_lowercase().starts_with(&lower))
            .min_by_key(|known| known.len())
    };
    by_distance.or_else(|| cut().copied())
}

/// `did you mean X?`, or the known words if there are few, or nothing.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(meant) = nearest(word, known.clone()) {
        return Some(format!("did you mean `{meant}`?"));
    }
    let known: Vec<&str> = known.into_iter().collect();
    (!known.is_empty() && known.len() <= 16).then(|| format!("known here: {}", known.join(", ")))
}

/// Insertions, deletions, replacements and swaps of neighbors from one word to the other (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().take(64).collect(), right.chars().take(64).collect());
    let mut rows: [Vec<usize>; 3] = [Vec::new(), (0..=right.len()).collect(), vec![0; right.len() + 1]];
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1; right.len() + 1];
        for (j, b) in right.iter().enumerate() {
            let cost = usize::from(a != b);
            row[j + 1] = (rows[1][j + 1] + 1).min(row[j] + 1).min(rows[1][j] + cost);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                row[j + 1] = row[j + 1].min(rows[0][j - 1] + 1);
            }
        }
        rows[0] = std::mem::replace(&mut rows[1], row);
    }
    rows[1][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant_is_found() {
        let keys = ["variables", "steps", "until", "observe", "expect", "title"];
        for (word, meant) in [
            ("variable", Some("variables")),
            ("step", Some("steps")),
            ("unitl", Some("until")),
            ("Observe", Some("observe")),
            ("expekt", Some("expect")),
            ("banana", None),
        ] {
            assert_eq!(nearest(word, keys), meant, "{word}");
        }
        assert_eq!(distance("unitl", "until"), 1);
    }
}
