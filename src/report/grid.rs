//! The grid of outcomes: a decision table laid out in rows and columns.

use serde::Serialize;
use serde_json::Value;

use crate::i18n::{Lang, Text};
use crate::lab::model::{Cell, DecisionTable};
use crate::timeline::State;

/// At most so many rows are laid out; [`Grid::hidden`] counts the others.
pub(super) const MAX_ROWS: usize = 60;

/// A laid-out decision table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Grid {
    /// Name of the observation.
    pub(super) outcome: String,
    /// Names of the variables whose values head the rows.
    pub(super) row_variables: Vec<String>,
    /// Name of the variable whose values head the columns; empty when there is one column without a head.
    pub(super) column_variable: String,
    /// Heads of the columns.
    pub(super) columns: Vec<String>,
    /// The rows.
    pub(super) rows: Vec<Row>,
    /// How many rows were left out.
    pub(super) hidden: usize,
}

/// A row of the grid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    /// Values of the row's variables.
    pub(super) heads: Vec<String>,
    /// One entry a column; `None` where no trial has this assignment.
    pub(super) cells: Vec<Option<Outcome>>,
}

/// What came out for one assignment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Outcome {
    /// The outcome in words.
    pub(super) text: String,
    /// Class of the style sheet: a state of Kubernetes, or one of six colors.
    pub(super) class: String,
    /// Other observations of the same assignment, as `restarts 7`.
    pub(super) more: Vec<String>,
    /// The trials.
    pub(super) trials: Vec<usize>,
}

/// Lays out the first of the tables; the others stand in its cells as further observations.
pub(super) fn grid(tables: &[DecisionTable], lang: Lang) -> Option<Grid> {
    let (table, others) = tables.split_first()?;
    let (columns, row_variables) = match table.variables.as_slice() {
        [.., last] if table.variables.len() > 1 => (last.values.clone(), &table.variables[..table.variables.len() - 1]),
        all => (vec![Value::Null], all),
    };
    let has_columns = table.variables.len() > 1;
    let mut keys: Vec<&[usize]> = Vec::new();
    for cell in &table.cells {
        let key = row_key(cell, has_columns);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let colors = Colors::of(table);
    let hidden = keys.len().saturating_sub(MAX_ROWS);
    let rows = keys.iter().take(MAX_ROWS).map(|key| Row {
        heads: row_variables
            .iter()
            .zip(*key)
            .map(|(variable, index)| {
                variable
                    .values
                    .get(*index)
                    .map_or_else(String::new, |value| show(value, lang))
            })
            .collect(),
        cells: (0..columns.len())
            .map(|column| {
                let here = |cell: &&Cell| {
                    row_key(cell, has_columns) == *key && (!has_columns || cell.values.last() == Some(&column))
                };
                table
                    .cells
                    .iter()
                    .find(here)
                    .map(|cell| outcome(cell, table, others, &colors, lang))
            })
            .collect(),
    });
    Some(Grid {
        outcome: table.outcome.clone(),
        row_variables: row_variables.iter().map(|variable| variable.name.clone()).collect(),
        column_variable: table
            .variables
            .last()
            .filter(|_| has_columns)
            .map(|variable| variable.name.clone())
            .unwrap_or_default(),
        columns: if has_columns {
            columns.iter().map(|value| show(value, lang)).collect()
        } else {
            vec![table.outcome.clone()]
        },
        rows: rows.collect(),
        hidden,
    })
}

fn row_key(cell: &Cell, has_columns: bool) -> &[usize] {
    match cell.values.split_last() {
        Some((_, rows)) if has_columns => rows,
        _ => &cell.values,
    }
}

fn outcome(cell: &Cell, table: &DecisionTable, others: &[DecisionTable], colors: &Colors, lang: Lang) -> Outcome {
    let values = |table: &DecisionTable, cell: &Cell| -> Vec<(String, Value)> {
        let pairs = table.variables.iter().zip(&cell.values);
        pairs
            .filter_map(|(variable, index)| Some((variable.name.clone(), variable.values.get(*index)?.clone())))
            .collect()
    };
    let own = values(table, cell);
    let more = others.iter().filter_map(|other| {
        let same = other.cells.iter().find(|candidate| values(other, candidate) == own)?;
        (!same.outcome.is_null()).then(|| format!("{} {}", other.outcome, show(&same.outcome, lang)))
    });
    Outcome {
        text: show_outcome(&cell.outcome, lang),
        class: colors.class(&cell.outcome),
        more: more.collect(),
        trials: cell.trials.clone(),
    }
}

/// Which color an outcome has: that of its state, or else one by its place among the outcomes.
pub(super) struct Colors(Vec<Value>);

impl Colors {
    /// The colors of a table.
    pub(super) fn of(table: &DecisionTable) -> Self {
        let mut outcomes = Vec::new();
        for cell in &table.cells {
            if !outcomes.contains(&cell.outcome) {
                outcomes.push(cell.outcome.clone());
            }
        }
        Self(outcomes)
    }

    /// The class of the style sheet.
    pub(super) fn class(&self, outcome: &Value) -> String {
        if let Some(state) = outcome.as_str().and_then(State::of_word) {
            return format!("s-{}", state.class());
        }
        if outcome.is_null() {
            return "empty".to_owned();
        }
        let place = self
            .0
            .iter()
            .filter(|known| !known.is_null())
            .position(|known| known == outcome)
            .unwrap_or(0);
        format!("v-{}", place % 6)
    }
}

/// A value as a person reads it: texts without quotation marks, everything else as JSON.
pub(super) fn show(value: &Value, lang: Lang) -> String {
    match value {
        Value::Null => Text::Missing.say(lang).to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An outcome as a person reads it; an array stands for schedules that disagree.
pub(super) fn show_outcome(value: &Value, lang: Lang) -> String {
    match value {
        Value::Array(all) => {
            let all: Vec<String> = all.iter().map(|value| show(value, lang)).collect();
            format!("{}: {}", Text::Mixed.say(lang), all.join(" / "))
        }
        value => show(value, lang),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::model::Variable;
    use serde_json::json;

    fn table(variables: &[(&str, Vec<Value>)], outcome: &str, cells: &[(&[usize], Value)]) -> DecisionTable {
        DecisionTable {
            variables: variables
                .iter()
                .map(|(name, values)| Variable {
                    name: (*name).to_owned(),
                    values: values.clone(),
                })
                .collect(),
            outcome: outcome.to_owned(),
            cells: cells
                .iter()
                .enumerate()
                .map(|(index, (values, outcome))| Cell {
                    values: values.to_vec(),
                    outcome: outcome.clone(),
                    trials: vec![index],
                })
                .collect(),
            rules: Vec::new(),
            minimal: true,
        }
    }

    /// The grid as lines of text.
    fn drawn(grid: &Grid) -> Vec<String> {
        let rows = grid.rows.iter().map(|row| {
            let cells = row.cells.iter().map(|cell| {
                cell.as_ref()
                    .map_or("-".to_owned(), |cell| format!("{}:{}", cell.text, cell.class))
            });
            format!("{} | {}", row.heads.join(","), cells.collect::<Vec<_>>().join(" "))
        });
        rows.collect()
    }

    #[test]
    fn the_last_variable_heads_the_columns() {
        let policy = ("policy", vec![json!("Always"), json!("Never")]);
        let code = ("code", vec![json!(0), json!(1)]);
        let phases = table(
            &[policy.clone(), code.clone()],
            "phase",
            &[
                (&[0, 0], json!("Running")),
                (&[0, 1], json!("Running")),
                (&[1, 1], json!("Failed")),
            ],
        );
        let restarts = table(
            &[policy, code],
            "restarts",
            &[(&[0, 0], json!(7)), (&[1, 1], Value::Null)],
        );
        let grid = grid(&[phases, restarts], Lang::Ko).expect("a grid");
        assert_eq!(
            (grid.row_variables.as_slice(), grid.columns.as_slice()),
            (&["policy".to_owned()][..], &["0".to_owned(), "1".to_owned()][..])
        );
        assert_eq!(
            drawn(&grid),
            [
                "Always | Running:s-running Running:s-running",
                "Never | - Failed:s-failed"
            ]
        );
        assert_eq!(grid.rows[0].cells[0].as_ref().expect("there").more, ["restarts 7"]);
        assert!(grid.rows[1].cells[1].as_ref().expect("there").more.is_empty());
    }

    #[test]
    fn one_variable_heads_the_rows_and_none_gives_one_cell() {
        let one = table(
            &[("way", vec![json!("a"), json!("b")])],
            "ok",
            &[(&[0], json!(true)), (&[1], json!([true, false]))],
        );
        assert_eq!(
            drawn(&grid(&[one], Lang::En).expect("a grid")),
            ["a | true:v-0", "b | mixed: true / false:v-1"]
        );
        let none = table(&[], "phase", &[(&[], Value::Null)]);
        assert_eq!(drawn(&grid(&[none], Lang::En).expect("a grid")), [" | none:empty"]);
        assert!(grid(&[], Lang::En).is_none());
    }
}
