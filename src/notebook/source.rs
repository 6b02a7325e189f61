//! What the text of a cell is. The first line that is no comment decides:
//!
//! | it begins with | the cell is |
//! |---|---|
//! | `%%name` | what that command makes of the text under it |
//! | `$ `, `%name` | lines that are typed: into the workstation's shell, or commands for the cluster and its clock; what stands under a `$` line is what it is expected to print |
//! | `kubectl` | lines of the shell, all of them |
//! | anything else | YAML: an experiment if it has steps, expectations or variables at its top, a manifest if it has `kind` |

use super::Failure;
use super::magic::MAGICS;
use crate::lab::nearest_hint;
use crate::workstation::whole;

/// A cell that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing but blanks and comments.
    Empty,
    /// Lines, one after the other.
    Lines(Vec<Line>),
    /// A manifest: its text and how many lines of the cell stand above it.
    Manifest(String, u32),
    /// An experiment: likewise.
    Experiment(String, u32),
    /// `%%writefile NAME`
    File(String, String),
}

/// One line that is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its line in the cell, from 1.
    pub line: u32,
    /// What it is.
    pub what: Typed,
}

/// What is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Into the shell.
    Shell {
        /// The line, or the lines if it is continued.
        command: String,
        /// What it is expected to print, if the cell says so.
        expected: Option<String>,
    },
    /// A command for the cluster or its clock: the name with its `%`, and the words behind it.
    Magic {
        /// `%advance`
        name: String,
        /// The rest of the line.
        arguments: String,
    },
}

/// Reads a cell.
///
/// # Errors
/// When nothing can be made of it: an unknown `%` command, or YAML that is neither.
pub fn read(text: &str) -> Result<Source, Failure> {
    let first = text.lines().enumerate().find(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    let Some((index, first)) = first else {
        return Ok(Source::Empty);
    };
    let head = first.trim_start();
    if let Some(rest) = head.strip_prefix("%%") {
        let under: Vec<&str> = text.lines().skip(index + 1).collect();
        let under = if under.is_empty() {
            String::new()
        } else {
            under.join("\n") + "\n"
        };
        return block(text, rest, under, number(index) + 1);
    }
    if head.starts_with("$ ") || head == "$" || head.starts_with('%') {
        return lines(text, false).map(Source::Lines);
    }
    if is_kubectl(head) {
        return lines(text, true).map(Source::Lines);
    }
    yaml(text, number(index))
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX - 1) + 1
}

fn is_kubectl(line: &str) -> bool {
    line.strip_prefix("kubectl")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// `%%name arguments` and the text under it.
fn block(text: &str, head: &str, under: String, at: u32) -> Result<Source, Failure> {
    let (name, arguments) = head.split_once(char::is_whitespace).unwrap_or((head, ""));
    let shell = |command: String| {
        vec![Line {
            line: at,
            what: Typed::Shell {
                command,
                expected: None,
            },
        }]
    };
    match name.trim() {
        "yaml" | "apply" => Ok(Source::Manifest(under, at - 1)),
        "experiment" => Ok(Source::Experiment(under, at - 1)),
        "sh" | "bash" => Ok(Source::Lines(shell(under))),
        "kubectl" => Ok(Source::Lines(shell(format!("kubectl {}\n{under}", arguments.trim())))),
        "writefile" if !arguments.trim().is_empty() => Ok(Source::File(arguments.trim().to_owned(), under)),
        "writefile" => Err(place(
            text,
            at - 1,
            "UsageError",
            "%%writefile needs the name of a file",
        )),
        other => {
            let known = MAGICS.iter().filter_map(|magic| magic.name.strip_prefix("%%"));
            let failure = place(text, at - 1, "UsageError", &format!("there is no command %%{other}"));
            Err(match nearest_hint(other, known.collect::<Vec<_>>()) {
                Some(hint) => failure.hint(&hint),
                None => failure,
            })
        }
    }
}

fn place(text: &str, line: u32, name: &str, message: &str) -> Failure {
    let length = text
        .lines()
        .nth((line.max(1) - 1) as usize)
        .map_or(1, |line| line.chars().count());
    Failure::at(name, message, text, (line, 1, u32::try_from(length).unwrap_or(1)))
}

/// Lines that are typed. Where `bare`, every line is one of the shell, and nothing is expected.
fn lines(text: &str, bare: bool) -> Result<Vec<Line>, Failure> {
    let all: Vec<&str> = text.lines().collect();
    let mut found: Vec<Line> = Vec::new();
    let mut index = 0;
    while let Some(own) = all.get(index) {
        let at = number(index);
        let head = own.trim_start();
        let typed = head.strip_prefix("$ ").or((head == "$").then_some(""));
        let typed = typed.or((bare && !head.starts_with('%') && !head.starts_with('#')).then_some(head));
        index += 1;
        if let Some(command) = typed {
            let command = command.trim();
            if command.is_empty() || command.starts_with('#') {
                continue;
            }
            let command = whole(command, &mut all[index..].iter().copied());
            index += command.matches('\n').count();
            found.push(Line {
                line: at,
                what: Typed::Shell {
                    command,
                    expected: None,
                },
            });
        } else if head.starts_with("%%") {
            return Err(place(
                text,
                at,
                "UsageError",
                "a %% command stands in the first line of its cell",
            ));
        } else if head.starts_with('%') {
            let (name, arguments) = head.split_once(char::is_whitespace).unwrap_or((head, ""));
            found.push(Line {
                line: at,
                what: Typed::Magic {
                    name: name.to_owned(),
                    arguments: arguments.trim().to_owned(),
                },
            });
        } else {
            match found.last_mut().map(|line| &mut line.what) {
                Some(Typed::Shell { expected, .. }) => {
                    // An empty line alone says nothing of what is printed.
                    if expected.is_some() || !own.trim().is_empty() {
                        let expected = expected.get_or_insert_default();
                        expected.push_str(own);
                        expected.push('\n');
                    }
                }
                _ if head.is_empty() || head.starts_with('#') => {}
                _ => {
                    return Err(place(
                        text,
                        at,
                        "UsageError",
                        "a line begins with `$ ` (the shell) or `%` (the cluster and its clock); a manifest has a cell of its own",
                    ));
                }
            }
        }
    }
    Ok(found)
}

/// Keys that only an experiment has at its top.
const OF_EXPERIMENTS: &[&str] = &[
    "experiment",
    "steps",
    "expect",
    "variables",
    "observe",
    "question",
    "predict",
];

fn yaml(text: &str, first: u32) -> Result<Source, Failure> {
    let keys: Vec<&str> = text.lines().filter_map(top_key).collect();
    let has = |names: &[&str]| keys.iter().any(|key| names.contains(key));
    let trimmed = text.trim_start();
    if has(&["kind", "apiVersion"]) || trimmed.starts_with('{') || trimmed.starts_with("---") {
        Ok(Source::Manifest(text.to_owned(), 0))
    } else if has(OF_EXPERIMENTS) {
        Ok(Source::Experiment(text.to_owned(), 0))
    } else {
        let message = "this is no cell that can run: a manifest has `apiVersion` and `kind` at its top, an experiment `steps`, a line of the shell begins with `$ `, a command for the clock with `%`";
        let word = text
            .lines()
            .nth(first as usize - 1)
            .and_then(|line| line.split_whitespace().next())
            .unwrap_or_default();
        let failure = place(text, first, "UsageError", message);
        let known = ["apiVersion", "kind", "steps", "kubectl"];
        Err(match nearest_hint(word.trim_end_matches(':'), known) {
            Some(hint) => failure.hint(&hint),
            None => failure,
        })
    }
}

/// The key of a line that begins in the first column.
pub(super) fn top_key(line: &str) -> Option<&str> {
    let (key, value) = line.split_once(':')?;
    let plain = value.is_empty() || value.starts_with([' ', '\t']);
    (plain && !key.is_empty() && !key.starts_with([' ', '\t', '-', '#', '%', '$'])).then(|| key.trim())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shell(line: u32, command: &str, expected: Option<&str>) -> Line {
        Line {
            line,
            what: Typed::Shell {
                command: command.to_owned(),
                expected: expected.map(str::to_owned),
            },
        }
    }

    #[test]
    fn the_first_line_decides() {
        assert_eq!(read("\n# only words\n"), Ok(Source::Empty));
        assert_eq!(
            read("# c\n$ kubectl get pods\nNAME …\n\n$ sleep 1\n%now\n"),
            Ok(Source::Lines(vec![
                shell(2, "kubectl get pods", Some("NAME …\n\n")),
                shell(5, "sleep 1", None),
                Line {
                    line: 6,
                    what: Typed::Magic {
                        name: "%now".to_owned(),
                        arguments: String::new(),
                    },
                },
            ]))
        );
        assert_eq!(
            read("kubectl get pods\nsleep 1\n"),
            Ok(Source::Lines(vec![
                shell(1, "kubectl get pods", None),
                shell(2, "sleep 1", None)
            ]))
        );
        let manifest = "apiVersion: v1\nkind: Pod\n";
        assert_eq!(read(manifest), Ok(Source::Manifest(manifest.to_owned(), 0)));
        assert_eq!(
            read(&format!("%%yaml\n{manifest}")),
            Ok(Source::Manifest(manifest.to_owned(), 1))
        );
        assert!(matches!(read("title: x\nsteps: []\n"), Ok(Source::Experiment(..))));
        assert_eq!(
            read("%%writefile a.txt\nx\n"),
            Ok(Source::File("a.txt".to_owned(), "x\n".to_owned()))
        );
    }

    #[test]
    fn what_is_no_cell_is_said_at_its_place() {
        for (text, at) in [
            ("a: 1\n", "  1 | a: 1"),
            ("\n%%yamll\n", "  2 | %%yamll"),
            ("%now\nkind: Pod\n", "  2 | kind: Pod"),
        ] {
            let failure = read(text).unwrap_err();
            assert_eq!(failure.name, "UsageError");
            assert_eq!(failure.traceback[1], at, "{text}");
        }
        assert!(read("%%yamll\n").unwrap_err().traceback[3].contains("yaml"));
    }

    #[test]
    fn commands_have_several_lines() {
        assert_eq!(
            read("$ cat <<EOF\nkind: Pod\nEOF\nkind: Pod\n"),
            Ok(Source::Lines(vec![shell(
                1,
                "cat <<EOF\nkind: Pod\nEOF",
                Some("kind: Pod\n")
            )]))
        );
    }
}
