//! The grid of outcomes and its rule.

use serde::Serialize;
use serde_json::Value;

use super::why::state_class;
use crate::i18n::{Lang, Text};
use crate::lab::model::{Cell, DecisionTable, RunResult};
use crate::timeline::State;
use crate::web::address;

/// More columns than this become rows.
const MAX_COLUMNS: usize = 8;
/// At most so many panels (small multiples); more are in the table of trials.
const MAX_PANELS: usize = 60;

/// A decision table to draw.
#[derive(Debug, Serialize)]
pub struct GridView {
    /// Name of the observation.
    pub outcome: String,
    /// Small multiples: one panel for each assignment of the variables beyond the second.
    pub panels: Vec<Panel>,
    /// The rules, one line an outcome.
    pub rules: Vec<RuleView>,
    /// Whether no smaller set of rules exists.
    pub minimal: bool,
}

/// One panel of the grid.
#[derive(Debug, Serialize)]
pub struct Panel {
    /// The values of the other variables; empty when there is one panel only.
    pub caption: String,
    /// Name of the variable down the side.
    pub row_name: String,
    /// Name of the variable along the top; empty when there is one variable only.
    pub column_name: String,
    /// Values along the top.
    pub columns: Vec<String>,
    /// Rows: value and cells; a cell that no trial has is none.
    pub rows: Vec<(String, Vec<Option<Outcome>>)>,
}

/// One cell.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The outcome in words.
    pub text: String,
    /// The other observations.
    pub more: String,
    /// Class of the style sheet.
    pub class: String,
    /// The trial's page.
    pub href: String,
    /// Index of the trial.
    pub trial: usize,
}

/// All rules of one outcome.
#[derive(Debug, Serialize)]
pub struct RuleView {
    /// The outcome.
    pub outcome: String,
    /// Class of the style sheet.
    pub class: String,
    /// The rules, each in words.
    pub rules: Vec<String>,
}

/// The tables of a run, the one that says most first: the first whose outcomes are states of Kubernetes, then the others.
pub fn views(lang: Lang, run: &str, result: &RunResult) -> Vec<GridView> {
    let tables = &result.tables;
    let is_state = |table: &DecisionTable| {
        table
            .cells
            .iter()
            .any(|cell| cell.outcome.as_str().is_some_and(|word| State::of_word(word).is_some()))
    };
    let main = tables.iter().position(is_state).unwrap_or(0);
    let order = (0..tables.len())
        .filter(|index| *index == main)
        .chain((0..tables.len()).filter(|index| *index != main));
    order
        .filter_map(|index| tables.get(index))
        .filter(|table| !table.variables.is_empty())
        .map(|table| view(lang, run, table, tables))
        .collect()
}

/// The class of an outcome: of the state that it names, or one of six by its place among the outcomes.
fn class_of(table: &DecisionTable, outcome: &Value) -> String {
    if let Some(state) = outcome.as_str().and_then(State::of_word) {
        return state_class(state).to_owned();
    }
    match outcome {
        Value::Null => return "empty".to_owned(),
        Value::Array(_) => return "s-pending".to_owned(),
        _ => {}
    }
    let mut seen: Vec<&Value> = Vec::new();
    for cell in &table.cells {
        if !cell.outcome.is_null() && !seen.contains(&&cell.outcome) {
            seen.push(&cell.outcome);
        }
    }
    let index = seen.iter().position(|value| *value == outcome).unwrap_or(0);
    format!("v-{}", index % 6)
}

fn view(lang: Lang, run: &str, table: &DecisionTable, all: &[DecisionTable]) -> GridView {
    let count = |index: usize| table.variables.get(index).map_or(1, |variable| variable.values.len());
    // The variable with more values goes down the side when it would not fit along the top.
    let (row, column) = match table.variables.len() {
        1 if count(0) <= 5 => (None, Some(0)),
        1 => (Some(0), None),
        _ if count(1) > MAX_COLUMNS && count(0) <= MAX_COLUMNS => (Some(1), Some(0)),
        _ => (Some(0), Some(1)),
    };
    let others: Vec<usize> = (0..table.variables.len())
        .filter(|index| Some(*index) != row && Some(*index) != column)
        .collect();
    let mut keys: Vec<Vec<usize>> = Vec::new();
    for cell in &table.cells {
        let key: Vec<usize> = others
            .iter()
            .filter_map(|index| cell.values.get(*index).copied())
            .collect();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let words = |index: usize| -> Vec<String> {
        table.variables.get(index).map_or_else(
            || vec![String::new()],
            |v| v.values.iter().map(|value| super::value(lang, value)).collect(),
        )
    };
    let name = |index: Option<usize>| {
        index
            .and_then(|index| table.variables.get(index))
            .map_or_else(String::new, |v| v.name.clone())
    };
    let panels = keys
        .iter()
        .take(MAX_PANELS)
        .map(|key| {
            let caption: Vec<String> = others
                .iter()
                .zip(key)
                .filter_map(|(variable, value)| {
                    Some(format!("{} = {}", name(Some(*variable)), words(*variable).get(*value)?))
                })
                .collect();
            let find = |row_value: usize, column_value: usize| {
                table.cells.iter().find(|cell| {
                    let at = |index: Option<usize>, value: usize| {
                        index.is_none_or(|index| cell.values.get(index) == Some(&value))
                    };
                    at(row, row_value)
                        && at(column, column_value)
                        && others.iter().zip(key).all(|(i, v)| cell.values.get(*i) == Some(v))
                })
            };
            let columns = column.map_or_else(|| vec![String::new()], words);
            let rows = row
                .map_or_else(|| vec![String::new()], words)
                .into_iter()
                .enumerate()
                .map(|(r, word)| {
                    let cells = (0..columns.len())
                        .map(|c| find(r, c).map(|cell| outcome(lang, run, table, cell, all)))
                        .collect();
                    (word, cells)
                })
                .collect();
            Panel {
                caption: caption.join(", "),
                row_name: name(row),
                column_name: name(column),
                columns,
                rows,
            }
        })
        .collect();
    GridView {
        outcome: table.outcome.clone(),
        panels,
        rules: rules(lang, table),
        minimal: table.minimal,
    }
}

fn outcome(lang: Lang, run: &str, table: &DecisionTable, cell: &Cell, all: &[DecisionTable]) -> Outcome {
    let trial = cell.trials.first().copied().unwrap_or(0);
    let more: Vec<String> = all
        .iter()
        .filter(|other| other.outcome != table.outcome)
        .filter_map(|other| {
            let same = other.cells.iter().find(|c| c.trials.contains(&trial))?;
            Some(format!("{} {}", other.outcome, super::value(lang, &same.outcome)))
        })
        .take(3)
        .collect();
    let text = if cell.outcome.is_array() {
        format!("{}: {}", Text::Mixed.say(lang), super::value(lang, &cell.outcome))
    } else {
        super::value(lang, &cell.outcome)
    };
    Outcome {
        text,
        more: more.join(" · "),
        class: class_of(table, &cell.outcome),
        href: address::trial(run, trial),
        trial,
    }
}

fn rules(lang: Lang, table: &DecisionTable) -> Vec<RuleView> {
    let mut views: Vec<(&Value, RuleView)> = Vec::new();
    for rule in &table.rules {
        let words = super::rule(lang, &rule.text);
        match views.iter_mut().find(|(outcome, _)| **outcome == rule.outcome) {
            Some((_, view)) => view.rules.push(words),
            None => {
                let view = RuleView {
                    outcome: super::value(lang, &rule.outcome),
                    class: class_of(table, &rule.outcome),
                    rules: vec![words],
                };
                views.push((&rule.outcome, view));
            }
        }
    }
    views.into_iter().map(|(_, view)| view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::model::{Rule, Variable};
    use serde_json::json;

    fn table(sizes: &[usize]) -> DecisionTable {
        let variables: Vec<Variable> = sizes
            .iter()
            .enumerate()
            .map(|(i, size)| Variable {
                name: format!("v{i}"),
                values: (0..*size).map(|n| json!(n)).collect(),
            })
            .collect();
        let mut assignments = vec![Vec::new()];
        for size in sizes {
            assignments = assignments
                .iter()
                .flat_map(|head: &Vec<usize>| (0..*size).map(|n| [head.clone(), vec![n]].concat()))
                .collect();
        }
        let cells = assignments
            .into_iter()
            .enumerate()
            .map(|(index, values)| Cell {
                values,
                outcome: json!(if index == 0 { "Failed" } else { "Running" }),
                trials: vec![index],
            })
            .collect();
        let rules = vec![Rule {
            outcome: json!("Failed"),
            terms: Vec::new(),
            text: "v0 = 0 ∧ v1 = 0".into(),
        }];
        DecisionTable {
            variables,
            outcome: "phase".into(),
            cells,
            rules,
            minimal: true,
        }
    }

    #[test]
    fn every_trial_has_its_place() {
        for (sizes, panels, rows, columns) in [
            (vec![3], 1, 1, 3),
            (vec![9], 1, 9, 1),
            (vec![3, 3], 1, 3, 3),
            (vec![2, 12], 1, 12, 2),
            (vec![2, 3, 4], 4, 2, 3),
            (vec![2, 2, 2, 2], 4, 2, 2),
        ] {
            let table = table(&sizes);
            let view = view(Lang::Ko, "1", &table, std::slice::from_ref(&table));
            assert_eq!(view.panels.len(), panels, "{sizes:?}");
            assert!(
                view.panels
                    .iter()
                    .all(|panel| panel.rows.len() == rows && panel.columns.len() == columns),
                "{sizes:?}"
            );
            let mut trials: Vec<usize> = view
                .panels
                .iter()
                .flat_map(|p| {
                    p.rows
                        .iter()
                        .flat_map(|(_, cells)| cells.iter().flatten().map(|cell| cell.trial))
                })
                .collect();
            trials.sort_unstable();
            assert_eq!(trials, (0..sizes.iter().product()).collect::<Vec<_>>(), "{sizes:?}");
        }
    }

    #[test]
    fn rules_are_read_aloud() {
        let table = table(&[2, 2]);
        let view = view(Lang::Ko, "1", &table, std::slice::from_ref(&table));
        assert_eq!(view.rules[0].rules, ["v0 = 0 그리고 v1 = 0"]);
        assert_eq!(view.rules[0].class, "s-failed");
    }
}
