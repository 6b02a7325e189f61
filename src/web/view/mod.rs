//! What templates see: plain values made of results and traces, with words in the reader's language and addresses of pages.

pub mod claims;
pub mod diff;
pub mod grid;
pub mod instant;
pub mod problem;
pub mod result;
pub mod timeline;
pub mod why;

use crate::i18n::{Lang, Text};
pub use crate::lab::said::value;

/// An assignment in one line: `restartPolicy = Never, exitCode = 1`.
pub fn assignment(lang: Lang, variables: &crate::lab::model::Assignment) -> String {
    variables
        .iter()
        .map(|(name, given)| format!("{name} = {}", value(lang, given)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A rule of a decision table in words: `restartPolicy = Never 이고 exitCode ≠ 0`.
pub fn rule(lang: Lang, text: &str) -> String {
    if text == "⊤" {
        return Text::RuleAlways.say(lang).to_owned();
    }
    let (and, or) = (Text::RuleAnd.say(lang), Text::RuleOr.say(lang));
    text.replace(" ∧ ", &format!(" {and} "))
        .replace(" ∨ ", &format!(" {or} "))
}
