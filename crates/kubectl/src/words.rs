//! Splits a command line into words, by the shell's rules for quotes and backslashes. There are no variables, no
//! globs, no substitutions: what looks like one is refused rather than taken literally.

/// The longest command line that is read, in bytes.
pub const MAX_LINE: usize = 64 * 1024;

/// Why a line could not be split.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// A quote is not closed.
    #[error("column {column}: this {quote} is not closed by another {quote}")]
    Open {
        /// Where the quote stands, from 1, in characters.
        column: usize,
        /// The quote.
        quote: char,
    },
    /// A character that a shell gives a meaning which is not supported.
    #[error(
        "column {column}: `{what}` is shell syntax that is not supported here; write one kubectl command, or quote it"
    )]
    Shell {
        /// Where it stands, from 1, in characters.
        column: usize,
        /// The character.
        what: char,
    },
    /// The line is too long.
    #[error("the command is longer than {MAX_LINE} bytes")]
    Long,
}

/// Splits `line` into words. A word that begins with an unquoted `#` starts a comment.
///
/// # Errors
/// An open quote, unsupported shell syntax, or a line longer than [`MAX_LINE`].
pub fn split(line: &str) -> Result<Vec<String>, WordsError> {
    if line.len() > MAX_LINE {
        return Err(WordsError::Long);
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().enumerate().peekable();
    while let Some((index, char)) = chars.next() {
        let column = index + 1;
        match char {
            '\'' => {
                let text = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some((_, '\'')) => break,
                        Some((_, other)) => text.push(other),
                        None => return Err(WordsError::Open { column, quote: '\'' }),
                    }
                }
            }
            '"' => {
                let text = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some((_, '"')) => break,
                        Some((_, '\\')) => match chars.next() {
                            Some((_, '\n')) => {}
                            Some((_, escaped @ ('"' | '\\' | '$' | '`'))) => text.push(escaped),
                            Some((_, other)) => text.extend(['\\', other]),
                            None => return Err(WordsError::Open { column, quote: '"' }),
                        },
                        Some((_, other)) => text.push(other),
                        None => return Err(WordsError::Open { column, quote: '"' }),
                    }
                }
            }
            '\\' => match chars.next() {
                // A backslash before a newline joins the lines.
                Some((_, '\n')) | None => {}
                Some((_, other)) => word.get_or_insert_default().push(other),
            },
            '#' if word.is_none() => break,
            '|' | ';' | '&' | '<' | '>' | '`' => return Err(WordsError::Shell { column, what: char }),
            '$' if matches!(chars.peek(), Some((_, '(' | '{'))) => return Err(WordsError::Shell { column, what: '$' }),
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_split_as_a_shell_does() {
        let cases: &[(&str, &[&str])] = &[
            ("get pods", &["get", "pods"]),
            ("  get\tpods \n", &["get", "pods"]),
            ("patch x -p '{\"a\": [1, 2]}'", &["patch", "x", "-p", "{\"a\": [1, 2]}"]),
            ("a\"b c\"'d e'f", &["ab cd ef"]),
            ("a \"q \\\" \\n\"", &["a", "q \" \\n"]),
            ("a \\\n  b", &["a", "b"]),
            ("a '' b", &["a", "", "b"]),
            ("get pods # all", &["get", "pods"]),
            ("a#b", &["a#b"]),
            ("-o jsonpath={.items[*].x}", &["-o", "jsonpath={.items[*].x}"]),
        ];
        for (line, expected) in cases {
            assert_eq!(split(line).unwrap(), *expected, "{line}");
        }
    }

    #[test]
    fn refusals_say_where() {
        assert_eq!(
            split("get 'x").unwrap_err(),
            WordsError::Open { column: 5, quote: '\'' }
        );
        assert_eq!(
            split("get x | head").unwrap_err(),
            WordsError::Shell { column: 7, what: '|' }
        );
        assert_eq!(
            split("get $(x)").unwrap_err(),
            WordsError::Shell { column: 5, what: '$' }
        );
    }
}
