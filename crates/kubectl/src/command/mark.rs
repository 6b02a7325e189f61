//! Commands that change a part of live objects: labels, annotations, images, variables, resources.

use super::{Action, Grammar, Line, ParseError, Targets, split_at};
use crate::flags::{switches, value, values};

/// Whether a word is a change, as `label`, `annotate` and `set` take it: `KEY=VALUE` or `KEY-`.
fn is_change(word: &str) -> bool {
    word.contains('=') || (word.len() > 1 && word.ends_with('-'))
}

pub(super) const MARK: Grammar = Grammar {
    names: &["label", "annotate"],
    flags: &[&switches(["overwrite", "list"]), &values(["resource-version"])],
    subcommands: &[],
    read: mark,
};

fn mark(line: &Line) -> Result<Action, ParseError> {
    let given = &line.given;
    let annotations = line.name == "annotate";
    let noun = if annotations { "annotation" } else { "label" };
    let (names, changes) = split_at(&given.args, noun, is_change)?;
    let (mut set, mut remove) = (Vec::new(), Vec::new());
    for change in changes {
        match change.split_once('=') {
            Some((key, value)) => set.push((key.to_owned(), value.to_owned())),
            None => remove.push(change.trim_end_matches('-').to_owned()),
        }
    }
    if let Some((key, _)) = set.iter().find(|(key, _)| remove.contains(key)) {
        return Err(ParseError::new(if annotations {
            format!("can not both modify and remove the following annotation(s) in the same command: {key}")
        } else {
            "can not both modify and remove a label in the same command".to_owned()
        }));
    }
    let list = given.on("list");
    if set.is_empty() && remove.is_empty() && !list {
        return Err(ParseError::new(format!("at least one {noun} update is required")));
    }
    Ok(Action::Mark {
        annotations,
        targets: Targets {
            args: names,
            ..line.targets()
        },
        set,
        remove,
        overwrite: given.on("overwrite"),
        list,
        write: line.write()?,
    })
}

pub(super) const SET: Grammar = Grammar {
    names: &["set"],
    flags: &[
        &[
            value("containers").short('c'),
            value("container").short('c'),
            value("env").short('e'),
        ],
        &switches(["overwrite", "list"]),
        &values(["from", "limits", "requests"]),
    ],
    subcommands: &["image", "env", "resources"],
    read: set,
};

fn set(line: &Line) -> Result<Action, ParseError> {
    let (given, targets, write) = (&line.given, line.targets(), line.write()?);
    let container = || given.text("containers").or_else(|| given.text("container"));
    match line.subcommand {
        Some("image") => {
            let (names, changes) = split_at(&given.args, "image", is_change)?;
            let images: Vec<(String, String)> = changes
                .iter()
                .filter_map(|change| change.split_once('='))
                .map(|(name, image)| (name.to_owned(), image.to_owned()))
                .collect();
            if images.is_empty() {
                return Err(ParseError::new("at least one image update is required"));
            }
            Ok(Action::SetImage(Targets { args: names, ..targets }, images, write))
        }
        Some("env") => {
            let (names, mut changes) = split_at(&given.args, "env", is_change)?;
            changes.extend(given.all("env"));
            if changes.is_empty() {
                return Err(ParseError::new("at least one environment variable must be provided"));
            }
            Ok(Action::SetEnv(
                Targets { args: names, ..targets },
                changes,
                container(),
                write,
            ))
        }
        Some("resources") => {
            if given.get("limits").is_none() && given.get("requests").is_none() {
                return Err(ParseError::new(
                    "you must specify an update to requests or limits (in the form of --requests/--limits)",
                ));
            }
            Ok(Action::SetResources(
                targets,
                container(),
                given.text("limits"),
                given.text("requests"),
                write,
            ))
        }
        _ => Err(ParseError::new("set needs one of: image, env, resources")),
    }
}
