//! The trials of an experiment: the cross product of its variables, with what is taken out and added.

use peapod_yaml::Node;
use serde_json::Value as Json;

use super::source::Source;
use crate::lab::limit;
use crate::lab::model::{Assignment, Diagnostic, Experiment, Trial, Variable};
use crate::lab::nearest;

/// The trials of an experiment, in order: the cross product of its variables (the last one changes fastest) without
/// what `exclude` takes out, then what `include` adds; each under each of its schedules.
///
/// # Errors
/// When there are more than [`limit::TRIALS`].
pub fn trials(experiment: &Experiment) -> Result<Vec<Trial>, Diagnostic> {
    let product = experiment.variables.iter().fold(1_usize, |product, variable| {
        product.saturating_mul(variable.values.len())
    });
    let schedules = experiment.schedules.max(1) as usize;
    // Counted before anything is built. What is excluded counts too: it would have to be gone through.
    let total = product
        .saturating_add(experiment.include.len())
        .saturating_mul(schedules);
    if total > limit::TRIALS {
        let mut factors: Vec<String> = experiment
            .variables
            .iter()
            .map(|variable| format!("{} {}", variable.values.len(), variable.name))
            .collect();
        if schedules > 1 {
            factors.push(format!("{schedules} schedules"));
        }
        let message = format!(
            "an experiment may have {} trials, and this one has {total} ({})",
            limit::TRIALS,
            factors.join(" × ")
        );
        return Err(Diagnostic::error("experiment.too-many-trials", message)
            .hint("take values out of `variables`, or make two experiments of it"));
    }
    let mut assignments = vec![Assignment::new()];
    for variable in &experiment.variables {
        let with = |assignment: &Assignment, value: &Json| {
            let mut assignment = assignment.clone();
            assignment.insert(variable.name.clone(), value.clone());
            assignment
        };
        assignments = assignments
            .iter()
            .flat_map(|known| variable.values.iter().map(move |value| with(known, value)))
            .collect();
    }
    assignments.retain(|assignment| !experiment.exclude.iter().any(|excluded| agrees(assignment, excluded)));
    assignments.extend(
        experiment
            .include
            .iter()
            .filter(|added| !assignments.contains(added))
            .cloned()
            .collect::<Vec<_>>(),
    );
    let mut trials = Vec::with_capacity(assignments.len() * schedules);
    for variables in assignments {
        let kubernetes = match variables.get("kubernetes").and_then(Json::as_str) {
            Some(version) if experiment.kubernetes.len() > 1 => version.to_owned(),
            _ => experiment.kubernetes.first().cloned().unwrap_or_default(),
        };
        for schedule in 0..schedules as u64 {
            trials.push(Trial {
                index: trials.len(),
                variables: variables.clone(),
                seed: experiment.seed + schedule,
                kubernetes: kubernetes.clone(),
            });
        }
    }
    Ok(trials)
}

/// Whether an assignment has all the values of a partial one.
fn agrees(assignment: &Assignment, partial: &Assignment) -> bool {
    !partial.is_empty() && partial.iter().all(|(name, value)| assignment.get(name) == Some(value))
}

/// The assignments of `include` (whole) or `exclude` (partial).
pub fn assignments(
    source: &mut Source<'_>,
    node: &Node,
    what: &str,
    variables: &[Variable],
    whole: bool,
) -> Vec<Assignment> {
    let mut found = Vec::new();
    for item in source.list(node, what) {
        let mut given = Assignment::new();
        for (key, value) in source.mapping(item, &format!("an item of `{what}`")) {
            let Some(variable) = variables.iter().find(|variable| variable.name == key.name) else {
                let known: Vec<&str> = variables.iter().map(|variable| variable.name.as_str()).collect();
                let hint = nearest::hint(&key.name, known.iter().copied());
                let said = source.error(
                    "experiment.unknown-variable",
                    format!("no variable is called `{}`", key.name),
                    key.span,
                );
                if let Some(hint) = hint {
                    said.hint(hint);
                }
                continue;
            };
            let value_json = value.to_json();
            if !whole && !variable.values.contains(&value_json) {
                let message = format!("`{}` never has the value {value_json}", key.name);
                source.error("experiment.unknown-value", message, value.span);
            }
            given.insert(key.name.clone(), value_json);
        }
        if whole {
            for variable in variables {
                if !given.contains_key(&variable.name) {
                    let message = format!("a trial that is added needs a value for `{}`", variable.name);
                    source.error("experiment.missing-key", message, item.span);
                }
            }
            // In the order of declaration, whatever the order in the note.
            given = variables
                .iter()
                .filter_map(|variable| Some((variable.name.clone(), given.get(&variable.name)?.clone())))
                .collect();
        }
        found.push(given);
    }
    found
}
