//! What was run, for `history_request`.

use serde_json::{Value, json};

use super::wire::Request;

/// Cells that are remembered.
const MAX: usize = 10_000;

/// The number of this process's session: nothing is kept of others.
const SESSION: i64 = 1;

/// One cell that was run.
struct Entry {
    line: u32,
    input: String,
    output: Option<String>,
}

/// The cells that were run, oldest first.
#[derive(Default)]
pub(super) struct History {
    entries: Vec<Entry>,
}

impl History {
    /// Remembers a cell and the text of its result.
    pub(super) fn push(&mut self, line: u32, input: &str, output: Option<String>) {
        if self.entries.len() == MAX {
            self.entries.remove(0);
        }
        self.entries.push(Entry {
            line,
            input: input.to_owned(),
            output,
        });
    }

    /// The rows that a request asks for.
    pub(super) fn rows(&self, request: &Request) -> Vec<Value> {
        let count = request.number("n").and_then(|n| usize::try_from(n).ok());
        let mut found: Vec<&Entry> = match request.text("hist_access_type") {
            "range" => {
                // 0 is this session, and so is its own number.
                if !matches!(request.number("session").unwrap_or(0), 0 | SESSION) {
                    return Vec::new();
                }
                let start = request.number("start").unwrap_or(0);
                let stop = request.number("stop").unwrap_or(i64::MAX);
                let within = |entry: &&Entry| (start..stop).contains(&i64::from(entry.line));
                self.entries.iter().filter(within).collect()
            }
            "search" => {
                let pattern: Vec<char> = request.text("pattern").chars().collect();
                let matches = |entry: &&Entry| glob(&pattern, &entry.input.chars().collect::<Vec<_>>());
                self.entries.iter().filter(matches).collect()
            }
            _ => self.entries.iter().collect(),
        };
        if request.on("unique", false) {
            let mut seen = std::collections::BTreeSet::new();
            found.reverse();
            found.retain(|entry| seen.insert(entry.input.as_str()));
            found.reverse();
        }
        if let Some(count) = count.filter(|_| request.text("hist_access_type") != "range") {
            found.drain(..found.len().saturating_sub(count));
        }
        let with_output = request.on("output", false);
        let row = |entry: &Entry| match with_output {
            true => json!([SESSION, entry.line, [entry.input, entry.output]]),
            false => json!([SESSION, entry.line, entry.input]),
        };
        found.into_iter().map(row).collect()
    }
}

/// Whether a text is as a pattern with `*` and `?` says, all of it.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                again = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                (p, t) = (p + 1, t + 1);
            }
            _ => match again {
                Some((star, from)) => {
                    again = Some((star, from + 1));
                    (p, t) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("%n*", "%now", true),
            ("%n*", "now", false),
            ("*w", "%now", true),
            ("?now", "%now", true),
            ("*a*b*", "xaybz", true),
            ("", "", true),
            ("a", "ab", false),
            ("*****", "", true),
        ] {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(glob(&chars(pattern), &chars(text)), expected, "{pattern} {text}");
        }
    }
}
