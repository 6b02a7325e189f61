//! The `cel` crate's parser, with its complaints put into words for people who do not know its grammar.

use cel::common::ast::SourceInfo;
use cel::parser::Parser;
use cel::{IdedExpr, ParseErrors};

use super::Trouble;
use crate::lab::limit;

/// Parses an expression.
pub fn parse(text: &str) -> Result<(IdedExpr, SourceInfo), Vec<Trouble>> {
    let whole = |message: String| {
        vec![Trouble {
            start: 0,
            end: text.len().min(60),
            message,
            hints: Vec::new(),
        }]
    };
    if text.trim().is_empty() {
        return Err(whole("an expression is missing here".to_owned()));
    }
    if text.chars().count() > limit::EXPRESSION_LENGTH {
        return Err(whole(format!(
            "an expression may have {} characters",
            limit::EXPRESSION_LENGTH
        )));
    }
    let depth = u16::try_from(limit::EXPRESSION_DEPTH).unwrap_or(u16::MAX);
    // The generated parser is a large machine: whatever it does with strange text, a note never brings the process down.
    let parsed = std::panic::catch_unwind(|| {
        Parser::new()
            .max_recursion_depth(depth)
            .error_recovery_limit(10)
            .parse_with_source_info(text)
    });
    match parsed {
        Ok(Ok(parsed)) => Ok(parsed),
        Ok(Err(errors)) => Err(vec![explain(text, &errors)]),
        Err(_) => Err(whole("this expression cannot be read".to_owned())),
    }
}

/// One trouble for the first error; those after it are mostly its consequences.
fn explain(text: &str, errors: &ParseErrors) -> Trouble {
    let Some(first) = errors.errors.first() else {
        return Trouble {
            start: 0,
            end: text.len(),
            message: "this expression cannot be read".into(),
            hints: Vec::new(),
        };
    };
    let (line, column) = (
        usize::try_from(first.pos.0).unwrap_or(1),
        usize::try_from(first.pos.1).unwrap_or(1),
    );
    let mut line_start = 0;
    for (index, part) in text.split_inclusive('\n').enumerate() {
        if index + 1 == line.max(1) {
            break;
        }
        line_start += part.len();
    }
    let mut start = (line_start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let rest = &text[start..];
    let token_end = rest
        .find(char::is_whitespace)
        .map_or(text.len(), |end| start + end.max(1));
    let message = first.msg.trim_start_matches("Syntax error: ");
    let mut hints = Vec::new();
    let message = if rest.is_empty() || message.contains("'<EOF>' expecting") && rest.trim().is_empty() {
        if text.matches('\'').count() % 2 == 1 {
            hints.push("a `'` has no second one".to_owned());
        }
        "the expression ends too early".to_owned()
    } else if rest.starts_with('=') && !rest.starts_with("==") {
        hints.push("`==` compares".to_owned());
        "`=` is no operator of an expression".to_owned()
    } else if rest.starts_with('\'') || rest.starts_with('"') {
        hints.push("text stands between two `'`".to_owned());
        format!("unexpected {}", rest.lines().next().unwrap_or_default())
    } else {
        let word = rest[..token_end - start].trim();
        let instead = match word {
            "and" => Some("`&&`"),
            "or" => Some("`||`"),
            "not" => Some("`!`"),
            "is" => Some("`==`"),
            "&" => Some("`&&`"),
            "|" => Some("`||`"),
            _ => None,
        };
        if let Some(instead) = instead {
            hints.push(format!("write {instead}"));
        }
        if word.is_empty() {
            "the expression ends too early".to_owned()
        } else {
            format!("unexpected `{word}`")
        }
    };
    Trouble {
        start,
        end: token_end.max(start),
        message,
        hints,
    }
}
