//! What `kubectl` printed at the end of a case: `get`, `describe` and `logs`, word for word but for what is a machine's own.
//!
//! Event objects are compared by [`super::events`], so neither `get events` nor the events of a `describe` are compared here.

use peapod_sim::cluster::Cluster;

use super::mask::{mask_hashes, mask_suffixes};
use crate::cluster_api::{self, Texts};

/// A command and what it printed.
#[derive(Clone, Debug, PartialEq)]
pub struct Printed {
    /// The command without `kubectl`.
    pub command: String,
    /// What it printed.
    pub output: String,
}

/// Columns whose cells say how old something is.
const AGES: &[&str] = &["AGE", "DURATION", "LAST SCHEDULE"];
/// Lines of a description that say how long something took, or when it was.
const INSTANTS: &[&str] = &["Duration:", "kubernetes.io/config.seen:"];

/// The commands at the end of a `kubectl.txt` that are compared.
pub fn recorded(text: &str) -> Vec<Printed> {
    let mut found: Vec<Printed> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ kubectl ") {
            found.push(Printed {
                command: command.to_owned(),
                output: String::new(),
            });
        } else if let Some(last) = found.last_mut() {
            last.output.push_str(line);
            last.output.push('\n');
        }
    }
    found.retain(|printed| is_compared(&printed.command));
    found
}

fn is_compared(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        // A node's description is its machine's, and YAML has ids and instants everywhere.
        ["describe", what, ..] => !what.starts_with("node"),
        ["get", what, rest @ ..] => !what.starts_with("event") && !what.starts_with("node") && !rest.contains(&"yaml"),
        // Names that were generated are others here.
        ["logs", name, ..] => name == &super::mask::family(name),
        _ => false,
    }
}

/// What the same commands print about a simulated cluster.
pub fn simulated(cluster: &Cluster, namespace: &str, recorded: &[Printed]) -> Vec<Printed> {
    let printed = recorded.iter().map(|printed| {
        // Each command sees the cluster as it was at the end.
        let mut cluster = cluster.clone();
        let line = if namespace == "default" {
            printed.command.clone()
        } else {
            format!("{} -n {namespace}", printed.command)
        };
        let output = cluster_api::kubectl(&mut cluster, &line, &Texts(Vec::new()));
        Printed {
            command: printed.command.clone(),
            output: (output.stdout + &output.stderr)
                .replace(&format!("in {namespace} namespace"), "in default namespace"),
        }
    });
    printed.collect()
}

/// Everything in which the two disagree, in words; empty when they agree.
pub fn compare(recorded: &[Printed], simulated: &[Printed]) -> Vec<String> {
    let mut problems = Vec::new();
    for (real, ours) in recorded.iter().zip(simulated) {
        let (one, other) = (lines(real), lines(ours));
        let at = one.iter().zip(&other).position(|(a, b)| a != b);
        let Some(at) = at.or((one.len() != other.len()).then(|| one.len().min(other.len()))) else {
            continue;
        };
        let shown = |lines: &[String]| {
            lines
                .get(at)
                .map_or_else(|| "its end".to_owned(), |line| format!("`{line}`"))
        };
        let command = &real.command;
        problems.push(format!(
            "kubectl {command}: recorded {}, simulated {}",
            shown(&one),
            shown(&other)
        ));
    }
    problems
}

/// The lines that are compared, masked. Descriptions of several objects stand in an order that no generated name decides.
fn lines(printed: &Printed) -> Vec<String> {
    let command = printed.command.as_str();
    if command.starts_with("logs") {
        return printed.output.trim_end().lines().map(masked).collect();
    }
    let mut blocks: Vec<Vec<String>> = if command.starts_with("describe") {
        printed.output.split("\n\n\n").map(described).collect()
    } else {
        printed
            .output
            .split("\n\n")
            .map(|block| table(block, command))
            .collect()
    };
    blocks.retain(|block| !block.is_empty());
    if command.starts_with("describe") {
        blocks.sort();
    }
    blocks.concat()
}

/// A description without its events.
fn described(block: &str) -> Vec<String> {
    let lines = block.lines().take_while(|line| !line.starts_with("Events:"));
    lines.map(masked).filter(|line| !line.is_empty()).collect()
}

/// The rows of a table, cells apart; ages and the machine's addresses are masked, generated names do not order it.
fn table(block: &str, command: &str) -> Vec<String> {
    let cells = |line: &str| -> Vec<String> {
        let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        cells.map(str::to_owned).collect()
    };
    let mut lines = block.lines().filter(|line| !line.trim().is_empty());
    let Some(head) = lines.next().map(cells) else {
        return Vec::new();
    };
    if !command.starts_with("get") || head.first().is_none_or(|cell| cell != "NAME") {
        return block.lines().map(masked).collect();
    }
    let mut rows: Vec<String> = lines
        .map(|line| {
            let cells = cells(line).into_iter().enumerate().map(|(at, cell)| {
                let aged = head.get(at).is_some_and(|title| AGES.contains(&title.as_str()));
                if aged {
                    "AGE".to_owned()
                } else {
                    masked(cell.split(" (").next().unwrap_or_default())
                }
            });
            cells.collect::<Vec<_>>().join("  ")
        })
        .collect();
    rows.sort();
    rows.insert(0, head.join("  "));
    rows
}

/// A line with one blank for many, and without instants, addresses, ids and what was generated.
fn masked(line: &str) -> String {
    let depth = line.len() - line.trim_start().len();
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut kept: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        // An eviction tells how much its machine had.
        if line.contains("The node was low on resource") && ["Ki", "Mi,", "Ki,"].iter().any(|unit| word.ends_with(unit))
        {
            kept.push("QUANTITY".to_owned());
            at += 1;
            continue;
        }
        if INSTANTS.contains(word) {
            kept.push(format!("{word} INSTANT"));
            break;
        }
        if is_weekday(word) && words.len() >= at + 6 {
            kept.push("INSTANT".to_owned());
            at += 6;
            continue;
        }
        kept.push(mask_addresses(&mask_suffixes(&mask_hashes(word))));
        at += 1;
    }
    format!("{}{}", " ".repeat(depth), kept.join(" "))
}

fn is_weekday(word: &str) -> bool {
    ["Mon,", "Tue,", "Wed,", "Thu,", "Fri,", "Sat,", "Sun,"].contains(&word)
}

/// Every `a.b.c.d` of numbers becomes `IP`.
fn mask_addresses(word: &str) -> String {
    let mut masked = String::new();
    let mut rest = word;
    while let Some(from) = rest.find(|c: char| c.is_ascii_digit()) {
        let number = |c: char| c.is_ascii_digit() || c == '.';
        let length = rest[from..].find(|c| !number(c)).unwrap_or(rest.len() - from);
        let (before, found) = (&rest[..from], &rest[from..from + length]);
        masked.push_str(before);
        let parts: Vec<&str> = found.split('.').collect();
        masked.push_str(if parts.len() == 4 && parts.iter().all(|part| !part.is_empty()) {
            "IP"
        } else {
            found
        });
        rest = &rest[from + length..];
    }
    masked + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = "# kubectl get pods -o wide -w
$ kubectl get pods -o wide
NAME   READY   STATUS      RESTARTS      AGE   IP            NODE
p      0/1     Completed   2 (23s ago)   30s   10.244.1.91   node-1

$ kubectl describe pods
Name:             p
Node:             node-1/10.88.0.11
Start Time:       Tue, 24 Nov 2026 00:41:12 +0000
Containers:
  app:
    Container ID:  containerd://2ce449dfd694285cd24ddeb5e9c9052f9f1c667dfec9b1f62e17f8fd22b56ff8
    Exit Code:     0
Events:
  Type     Reason     Age                From               Message

$ kubectl get events
LAST SEEN   TYPE
30s         Normal

$ kubectl logs p -c app --tail=40
hello
";

    #[test]
    fn events_have_a_comparison_of_their_own() {
        let commands: Vec<String> = recorded(RECORDED).into_iter().map(|printed| printed.command).collect();
        assert_eq!(
            commands,
            ["get pods -o wide", "describe pods", "logs p -c app --tail=40"]
        );
    }

    #[test]
    fn only_what_is_a_machines_own_may_differ() {
        for (from, to, agree) in [
            ("10.88.0.11", "192.168.0.11", true),
            ("Tue, 24 Nov 2026 00:41:12", "Sat, 10 Aug 2024 10:20:55", true),
            ("2ce449dfd694285cd24d", "fd432543ae6c639dcd10", true),
            ("2 (23s ago)   30s", "2 (21s ago)   31s", true),
            ("From               Message", "From   Message", true),
            ("Exit Code:     0", "Exit Code:     1", false),
            ("Completed", "Error", false),
            ("2 (23s ago)", "3 (23s ago)", false),
            ("hello", "hallo", false),
            ("    Exit Code:     0\n", "", false),
        ] {
            let other = RECORDED.replace(from, to);
            assert_ne!(other, RECORDED, "{from} is not there");
            let problems = compare(&recorded(RECORDED), &recorded(&other));
            assert_eq!(problems.is_empty(), agree, "{from} -> {to}: {problems:?}");
        }
    }
}
