//! Manifests and consoles as experiments: the other cells of a note give the same kind of result as an experiment.

use peapod_sim::version::Version;

use super::model::{
    Action, ClusterSpec, Condition, Diagnostic, Expectation, Experiment, JitterMode, OrElse, Place, Step, Timing,
    Until, Verdict,
};
use super::read::Reading;
use super::{duration, limit, program};
use crate::workstation::whole;

/// An experiment without variables that applies the manifests of a `yaml` fence to a fresh cluster and runs until
/// nothing changes any more, at most [`limit::MANIFEST_CAP`]. `id` is the cell's id in its note.
///
/// Problems of the manifest are diagnostics at their place in the note; what the API server would refuse is an error.
pub fn manifest(id: &str, text: &str, file: Option<&str>, first_line: u32) -> Reading {
    let mut experiment = empty(id, text, first_line);
    experiment.steps.push(apply(text, first_line));
    let mut diagnostics = program::check(&experiment);
    for diagnostic in &mut diagnostics {
        diagnostic.line = diagnostic.line.max(first_line);
    }
    Reading::of(experiment, diagnostics, file)
}

/// An experiment that types the lines of a `console` fence (`$ kubectl …`, `$ sleep 30` lets virtual time pass) and
/// expects the text after each as its output, where `…` stands for anything. `before` are the manifests that are
/// applied first, with the line of the note in which each begins: those of the same note above the console. They get
/// [`limit::CONSOLE_LEAD`] to come up.
pub fn console(id: &str, text: &str, before: &[(&str, u32)], file: Option<&str>, first_line: u32) -> Reading {
    let mut experiment = empty(id, text, first_line);
    experiment
        .steps
        .extend(before.iter().map(|(text, first_line)| apply(text, *first_line)));
    if !before.is_empty() {
        experiment.steps.push(step(
            Action::Sleep {
                duration: limit::CONSOLE_LEAD,
            },
            Place {
                line: first_line,
                column: 1,
                length: 1,
            },
        ));
    }
    let mut diagnostics = Vec::new();
    let mut length = limit::CONSOLE_LEAD;
    let all = typed(text);
    // A line that needs a shell makes all of them lines of it: they share its files and variables.
    let shell = all.iter().any(|typed| needs_shell(&typed.command));
    for typed in all {
        let column = 1 + u32::try_from(typed.column).unwrap_or(0);
        let first = typed.command.lines().next().unwrap_or_default();
        let width = u32::try_from(first.chars().count()).unwrap_or(1);
        let place = Place {
            line: first_line + typed.line,
            column,
            length: width,
        };
        let (word, rest) = typed
            .command
            .split_once(char::is_whitespace)
            .unwrap_or((&typed.command, ""));
        match word {
            _ if shell => {
                let index = experiment.steps.len();
                let text = typed.command.clone();
                experiment.steps.push(step(Action::Shell { text, place }, place));
                if !typed.output.trim().is_empty() {
                    experiment
                        .expect
                        .push(prints(index, &typed.command, &typed.output, place));
                }
            }
            "kubectl" => {
                let line = rest.trim();
                let rest_at = typed.command.len() - rest.trim_start().len();
                let place = Place {
                    column: column + u32::try_from(rest_at).unwrap_or(0),
                    length: u32::try_from(line.chars().count()).unwrap_or(1),
                    ..place
                };
                let index = experiment.steps.len();
                experiment.steps.push(step(
                    Action::Kubectl {
                        text: plain(line),
                        place,
                    },
                    place,
                ));
                if !typed.output.trim().is_empty() {
                    experiment
                        .expect
                        .push(prints(index, &typed.command, &typed.output, place));
                }
            }
            "sleep" => {
                let seconds = rest.trim();
                let seconds = if seconds.parse::<f64>().is_ok() {
                    format!("{seconds}s")
                } else {
                    seconds.to_owned()
                };
                match duration::parse(&seconds) {
                    Ok(span) => {
                        length = length + span;
                        experiment.steps.push(step(Action::Sleep { duration: span }, place));
                    }
                    Err(message) => diagnostics.push(Diagnostic::error("console.sleep", message).at(place)),
                }
            }
            // Everything else needs a shell.
            _ => {}
        }
    }
    // Commands that wait take their time; the last one ends the trial.
    experiment.until = Until::Settled {
        cap: length + limit::SETTLED_CAP,
    };
    diagnostics.extend(program::check(&experiment));
    if length > limit::VIRTUAL_TIME {
        let place = Place {
            line: first_line,
            column: 1,
            length: 1,
        };
        diagnostics.push(Diagnostic::error("experiment.limit", "a console may take 30 days of virtual time").at(place));
    }
    Reading::of(experiment, diagnostics, file)
}

/// Whether a printed text is as the note shows it: lines without the blanks at their ends, and `…` (or a line that is
/// `...`) stands for anything, `<age>` for a span such as `5m10s`.
pub fn agrees(shown: &str, printed: &str) -> bool {
    let tidy = |text: &str| {
        let lines: Vec<&str> = text.trim_matches('\n').lines().map(str::trim_end).collect();
        lines.join("\n").trim_end().to_owned()
    };
    let shown = tidy(shown)
        .lines()
        .map(|line| if line.trim() == "..." { "…" } else { line })
        .collect::<Vec<_>>()
        .join("\n");
    let printed = tidy(printed);
    if shown.contains("<age>") {
        return as_pattern(&squeeze(&shown)).is_some_and(|pattern| pattern.is_match(&squeeze(&printed)));
    }
    let parts: Vec<String> = shown.split('…').map(squeeze).collect();
    let printed = squeeze(&printed);
    let [first, middle @ .., last] = parts.as_slice() else {
        return squeeze(&shown) == printed;
    };
    let Some(mut rest) = printed.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

/// A text with `…` and `<age>` as a pattern of the whole.
fn as_pattern(shown: &str) -> Option<regex::Regex> {
    let escaped = regex::escape(shown)
        .replace('…', ".*")
        .replace("<age>", "(?:[0-9]+[smhdy])+");
    regex::Regex::new(&format!("(?s)^{escaped}$")).ok()
}

/// Blanks in a row are one: where `…` stands for a value, columns cannot be as wide as they would be printed.
fn squeeze(text: &str) -> String {
    let mut squeezed = String::with_capacity(text.len());
    for character in text.chars() {
        let blank = matches!(character, ' ' | '\t');
        if !(blank && squeezed.ends_with(' ')) {
            squeezed.push(if blank { ' ' } else { character });
        }
    }
    squeezed
}

/// Whether a line is more than one call of `kubectl` or `sleep`.
fn needs_shell(command: &str) -> bool {
    let word = command.split_whitespace().next().unwrap_or_default();
    let mut quoted = false;
    let special = command.chars().any(|c| {
        quoted ^= c == '\'';
        !quoted && matches!(c, '|' | ';' | '&' | '<' | '>' | '$' | '`' | '\n')
    });
    // What follows is told piece by piece.
    let follows = command
        .split_whitespace()
        .any(|word| matches!(word, "-w" | "--watch" | "--watch-only" | "--follow"))
        || command.contains(" logs ") && command.split_whitespace().any(|word| word == "-f");
    special || follows || !matches!(word, "kubectl" | "sleep")
}

/// A line that is typed into a console, and what is printed under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The command; several lines if it is continued.
    pub command: String,
    /// Line in the fence, from 0.
    pub line: u32,
    /// Column of the command, from 0.
    pub column: usize,
    /// The lines under it, each with its end.
    pub output: String,
    /// Which lines of the fence those are, from 0.
    pub under: std::ops::Range<usize>,
}

/// The lines of a console that begin with `$ `, each with what stands under it.
pub fn typed(text: &str) -> Vec<Typed> {
    let mut typed: Vec<Typed> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let head = line.trim_start();
        if let Some(command) = head.strip_prefix("$ ") {
            let command = command.trim();
            if command.is_empty() || command.starts_with('#') {
                continue;
            }
            let column = line.find(command).map_or(0, |at| line[..at].chars().count());
            let command = whole(command, &mut lines.by_ref().map(|(_, line)| line));
            let last = index + command.matches('\n').count();
            typed.push(Typed {
                command,
                line: u32::try_from(index).unwrap_or(0),
                column,
                output: String::new(),
                under: last + 1..last + 1,
            });
        } else if let Some(last) = typed.last_mut() {
            last.output.push_str(line);
            last.output.push('\n');
            last.under.end = index + 1;
        }
    }
    typed
}

fn empty(id: &str, text: &str, first_line: u32) -> Experiment {
    Experiment {
        id: id.to_owned(),
        title: id.to_owned(),
        question: None,
        kubernetes: vec![Version::NEWEST.to_string()],
        cluster: ClusterSpec::default(),
        variables: Vec::new(),
        include: Vec::new(),
        exclude: Vec::new(),
        seed: 1,
        jitter: JitterMode::Real,
        schedules: 1,
        steps: Vec::new(),
        until: Until::Settled {
            cap: limit::MANIFEST_CAP,
        },
        observe: Vec::new(),
        expect: Vec::new(),
        predict: None,
        refute: Default::default(),
        first_line,
        source: text.to_owned(),
    }
}

fn apply(text: &str, first_line: u32) -> Step {
    let first = text.lines().next().unwrap_or_default();
    let place = Place {
        line: first_line,
        column: 1,
        length: u32::try_from(first.chars().count()).unwrap_or(1),
    };
    step(
        Action::Apply {
            text: plain(text),
            place,
        },
        place,
    )
}

fn step(action: Action, place: Place) -> Step {
    Step {
        when: None,
        timing: Timing::Now,
        action,
        or_else: OrElse::Fail,
        place,
    }
}

fn prints(step: usize, command: &str, output: &str, place: Place) -> Expectation {
    let condition = Condition::Prints {
        step,
        command: command.to_owned(),
        output: output.trim_end().to_owned(),
    };
    Expectation {
        claim: format!("$ {command}"),
        block: None,
        when: None,
        condition,
        within: None,
        lasting: None,
        after: None,
        of: None,
        expected: Verdict::Holds,
        place,
    }
}

/// A text that is no template, as a template: its braces stand for themselves.
fn plain(text: &str) -> String {
    text.replace("{{", "{{ '{{' }}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use indexmap::IndexMap;

    #[test]
    fn an_ellipsis_stands_for_anything() {
        for (shown, printed, expected) in [
            ("Running", "Running\n", true),
            ("Running", "Pending\n", false),
            (
                "NAME   READY   STATUS   RESTARTS      AGE\ndemo   0/1     Error    … (… ago)     …",
                "NAME   READY   STATUS   RESTARTS      AGE\ndemo   0/1     Error    6 (2m3s ago)   9m\n",
                true,
            ),
            ("a\n…\nd", "a\nb\nc\nd\n", true),
            ("a\n...\nd", "a\nb\nc\nd\n", true),
            ("a … c", "a b d", false),
            ("…", "", true),
            ("", "", true),
            ("x…x", "x", false),
            ("a   1/1   <age>", "a   1/1   5m10s\n", true),
            ("a   1/1   <age>", "a   1/1   old\n", false),
            ("a+   …   <age>", "a+   x   y   3d\n", true),
            ("a+   <age>", "aa   3d\n", false),
        ] {
            assert_eq!(agrees(shown, printed), expected, "{shown:?} and {printed:?}");
        }
    }

    #[test]
    fn braces_of_a_manifest_stand_for_themselves() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  t: \"{{ .Values.x }}\"\n";
        let reading = manifest("cell", text, Some("n.md"), 7);
        assert_eq!(reading.diagnostics, []);
        let experiment = reading.experiment.expect("an experiment");
        let program = program::compile(&experiment).expect("it compiles");
        assert_eq!(program.steps[0].templates[0].render(&IndexMap::new()).text, text);
    }

    #[test]
    fn a_console_is_typed_line_by_line() {
        let text = "$ kubectl get pod demo\nNAME …\n$ sleep 30\n# a comment\n$ kubectl delete pod demo\n";
        let steps = |text: &str| {
            let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
            let reading = console("c", text, &[(map, 3)], None, 20);
            let steps = reading
                .experiment
                .map(|experiment| experiment.steps)
                .unwrap_or_default();
            steps.into_iter().skip(2).collect::<Vec<_>>()
        };
        let [get, sleep, delete] = &steps(text)[..] else {
            panic!()
        };
        assert!(matches!(&get.action, Action::Kubectl { text, .. } if text == "get pod demo"));
        assert!(matches!(sleep.action, Action::Sleep { .. }));
        assert_eq!((delete.place.line, delete.place.column), (24, 11));
        let piped = steps(&format!("{text}$ kubectl get pods |\\\n> wc -l\n0\n"));
        assert!(piped.iter().all(|step| matches!(step.action, Action::Shell { .. })));
        assert!(matches!(&piped[3].action, Action::Shell { text, .. } if text == "kubectl get pods |\\\nwc -l"));
    }

    #[test]
    fn what_needs_a_shell() {
        for (command, expected) in [
            ("kubectl get pods", false),
            ("kubectl get pods -o jsonpath='{.items[*].metadata.name};$'", false),
            ("sleep 3", false),
            ("kubectl get pods | wc -l", true),
            ("kubectl get pods -w", true),
            ("kubectl apply -f a.yaml", false),
            ("kubectl logs -f a", true),
            ("kubectl get pod $NAME", true),
            ("echo a", true),
        ] {
            assert_eq!(needs_shell(command), expected, "{command}");
        }
    }
}
