//! Commands that follow a change to its end.

use super::{Action, Grammar, Line, ParseError};
use crate::flags::{switch, values};

/// `kubectl rollout`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// `status`, with `--watch` and `--timeout` in milliseconds
    Status {
        /// Wait until it ends.
        watch: bool,
        /// 0 is for ever.
        timeout: i64,
        /// `--revision`
        revision: i64,
    },
    /// `history`, with `--revision`
    History(i64),
    /// `undo`, with `--to-revision`
    Undo(i64),
    /// `restart`
    Restart,
    /// `pause`
    Pause,
    /// `resume`
    Resume,
}

/// What `kubectl wait` waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum For {
    /// `delete`
    Delete,
    /// `create`
    Create,
    /// `condition=NAME[=VALUE]`
    Condition(String, String),
    /// `jsonpath={…}[=VALUE]`
    JsonPath(String, Option<String>),
}

pub(super) const ROLLOUT: Grammar = Grammar {
    names: &["rollout"],
    flags: &[
        &values(["timeout", "revision", "to-revision"]),
        &[switch("watch").short('w')],
    ],
    subcommands: &["status", "history", "undo", "restart", "pause", "resume"],
    read: rollout,
};

fn rollout(line: &Line) -> Result<Action, ParseError> {
    let number = |flag: &str| line.int(flag).map(Option::unwrap_or_default);
    let what = match line.subcommand {
        Some("status") => Rollout::Status {
            watch: line.on_unless_off("watch"),
            timeout: line.duration("timeout")?.unwrap_or(0),
            revision: number("revision")?,
        },
        Some("history") => Rollout::History(number("revision")?),
        Some("undo") => Rollout::Undo(number("to-revision")?),
        Some("restart") => Rollout::Restart,
        Some("pause") => Rollout::Pause,
        Some("resume") => Rollout::Resume,
        _ => {
            return Err(ParseError::new(
                "rollout needs one of: status, history, undo, restart, pause, resume",
            ));
        }
    };
    if line.given.args.is_empty() && line.given.all("filename").is_empty() {
        return Err(ParseError::new("required resource not specified"));
    }
    Ok(Action::Rollout(what, line.targets()))
}

pub(super) const WAIT: Grammar = Grammar {
    names: &["wait"],
    flags: &[&values(["for", "timeout"])],
    subcommands: &[],
    read: |line| {
        Ok(Action::Wait {
            what: wait_for(line.given.get("for").unwrap_or(""))?,
            targets: line.targets(),
            timeout: line.duration("timeout")?.unwrap_or(30_000),
        })
    },
};

fn wait_for(text: &str) -> Result<For, ParseError> {
    if text.eq_ignore_ascii_case("delete") {
        return Ok(For::Delete);
    }
    if text.eq_ignore_ascii_case("create") {
        return Ok(For::Create);
    }
    if let Some(condition) = text.strip_prefix("condition=") {
        let (name, value) = condition.split_once('=').unwrap_or((condition, "true"));
        return Ok(For::Condition(name.to_owned(), value.to_owned()));
    }
    if let Some(path) = text.strip_prefix("jsonpath=") {
        // The value follows the first `=` behind the closing brace.
        let end = path.rfind('}').map_or(0, |end| end + 1);
        return match path[end..].strip_prefix('=') {
            Some("") => Err(ParseError::new("jsonpath wait has to have a value after equal sign")),
            Some(value) => Ok(For::JsonPath(path[..end].to_owned(), Some(value.to_owned()))),
            None => Ok(For::JsonPath(path.to_owned(), None)),
        };
    }
    Err(ParseError::new(format!("unrecognized condition: {text:?}")))
}
