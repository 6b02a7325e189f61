//! Decision tables: the smallest set of rules over the variables that gives exactly the observed outcomes.
//!
//! A rule is a *cube*: for each variable a set of values. For one outcome, its cells have to be covered and the cells
//! of all other outcomes must not be; combinations that were never run do not matter. All largest cubes of that kind are
//! found by cutting the other cells out of the whole, one after another; then the least number of them that covers is
//! searched exactly, within a bound on the work. What is bounded says so ([`DecisionTable::minimal`]).

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::judge::is_complete;
use super::model::{Assignment, Cell, DecisionTable, Experiment, Rule, Term, TrialResult, Variable};

/// Tables with more outcomes than this have no rules: nothing would be said more shortly by them.
const MAX_OUTCOMES: usize = 16;
/// Cubes that are kept while the largest ones are looked for.
const MAX_CUBES: usize = 4_000;
/// Steps of looking for the largest cubes, and of the search for the smallest cover.
const MAX_WORK: usize = 4_000_000;
/// A rule in words has at most so many clauses.
const MAX_CLAUSES: usize = 12;
/// More rules than this for one outcome say nothing to anybody.
const MAX_RULES: usize = 64;
/// Values of one variable: a set of them is a word.
const MAX_VALUES: usize = 64;

/// One table an observation, when there is anything to tabulate.
pub fn tables(experiment: &Experiment, trials: &[TrialResult]) -> Vec<DecisionTable> {
    if experiment.variables.is_empty() || trials.is_empty() {
        return Vec::new();
    }
    experiment
        .observe
        .iter()
        .map(|observation| table(experiment, &observation.name, trials))
        .collect()
}

fn table(experiment: &Experiment, name: &str, trials: &[TrialResult]) -> DecisionTable {
    let variables = occurring(&experiment.variables, trials.iter().map(|trial| &trial.trial.variables));
    let mut cells: Vec<(Cell, Vec<Value>)> = Vec::new();
    let mut places: HashMap<Vec<usize>, usize> = HashMap::new();
    for trial in trials {
        let values = indices(&variables, &trial.trial.variables);
        let outcome = is_complete(trial).then(|| trial.observations.get(name).cloned().unwrap_or(Value::Null));
        let index = *places.entry(values.clone()).or_insert_with(|| {
            cells.push((
                Cell {
                    values,
                    outcome: Value::Null,
                    trials: Vec::new(),
                },
                Vec::new(),
            ));
            cells.len() - 1
        });
        let (cell, outcomes) = &mut cells[index];
        cell.trials.push(trial.trial.index);
        if let Some(outcome) = outcome
            && !outcomes.contains(&outcome)
        {
            outcomes.push(outcome);
        }
    }
    let (mut known, mut outcomes): (Vec<Value>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
    for (cell, seen) in &mut cells {
        cell.outcome = match seen.as_slice() {
            // No trial of it came to its end: it says nothing.
            [] => {
                outcomes.push(None);
                continue;
            }
            [one] => one.clone(),
            several => Value::Array(several.to_vec()),
        };
        let index = known
            .iter()
            .position(|outcome| *outcome == cell.outcome)
            .unwrap_or_else(|| {
                known.push(cell.outcome.clone());
                known.len() - 1
            });
        outcomes.push(Some(index));
    }
    let (mut rules, mut minimal) = (Vec::new(), known.len() <= MAX_OUTCOMES);
    if minimal {
        for (index, outcome) in known.iter().enumerate() {
            let cases: Vec<(&[usize], Option<bool>)> = cells
                .iter()
                .zip(&outcomes)
                .map(|((cell, _), own)| (cell.values.as_slice(), own.map(|own| own == index)))
                .collect();
            let (cubes, exact) = cover(&sizes(&variables), &cases);
            minimal &= exact;
            if cubes.len() > MAX_RULES {
                (rules, minimal) = (Vec::new(), false);
                break;
            }
            rules.extend(cubes.iter().map(|cube| rule(&variables, cube, outcome)));
        }
    }
    let cells = cells.into_iter().map(|(cell, _)| cell).collect();
    DecisionTable {
        variables,
        outcome: name.to_owned(),
        cells,
        rules,
        minimal,
    }
}

/// The rule in words for the assignments where something is true; `None` stands for what is not known.
pub fn rule_for(variables: &[Variable], cases: &[(&Assignment, Option<bool>)]) -> Option<String> {
    let variables = occurring(variables, cases.iter().map(|(assignment, _)| *assignment));
    let mut merged: IndexMap<Vec<usize>, Option<bool>> = IndexMap::new();
    for (assignment, holds) in cases {
        let known = merged.entry(indices(&variables, assignment)).or_insert(*holds);
        // Under another schedule it came out otherwise: where it holds is no matter of the variables.
        *known = match (*known, *holds) {
            (Some(known), Some(holds)) => Some(known && holds),
            (known, holds) => known.or(holds),
        };
    }
    let cases: Vec<(&[usize], Option<bool>)> = merged
        .iter()
        .map(|(values, holds)| (values.as_slice(), *holds))
        .collect();
    if cases.iter().all(|(_, holds)| *holds != Some(true)) {
        return None;
    }
    let (cubes, _) = cover(&sizes(&variables), &cases);
    if cubes.len() > MAX_CLAUSES {
        return None;
    }
    let texts: Vec<(usize, String)> = cubes
        .iter()
        .map(|cube| {
            let rule = rule(&variables, cube, &Value::Null);
            (rule.terms.len(), rule.text)
        })
        .collect();
    let several = texts.len() > 1;
    let shown = texts.into_iter().map(|(terms, text)| {
        if several && terms > 1 {
            format!("({text})")
        } else {
            text
        }
    });
    Some(shown.collect::<Vec<_>>().join(" ∨ "))
}

/// The variables with the values that occur: those declared, in their order, then those that `include` adds.
fn occurring<'a>(variables: &[Variable], assignments: impl Iterator<Item = &'a Assignment> + Clone) -> Vec<Variable> {
    variables
        .iter()
        .map(|variable| {
            let used = |value: &Value| {
                assignments
                    .clone()
                    .any(|assignment| assignment.get(&variable.name) == Some(value))
            };
            let mut values: Vec<Value> = variable.values.iter().filter(|value| used(value)).cloned().collect();
            for value in assignments
                .clone()
                .filter_map(|assignment| assignment.get(&variable.name))
            {
                if !values.contains(value) {
                    values.push(value.clone());
                }
            }
            Variable {
                name: variable.name.clone(),
                values,
            }
        })
        .collect()
}

fn indices(variables: &[Variable], assignment: &Assignment) -> Vec<usize> {
    let index = |variable: &Variable| {
        let value = assignment.get(&variable.name).unwrap_or(&Value::Null);
        variable.values.iter().position(|known| known == value).unwrap_or(0)
    };
    variables.iter().map(index).collect()
}

fn sizes(variables: &[Variable]) -> Vec<usize> {
    variables.iter().map(|variable| variable.values.len()).collect()
}

/// For each variable the set of its values, as bits.
type Cube = Vec<u64>;

fn full(size: usize) -> u64 {
    if size >= 64 { u64::MAX } else { (1 << size) - 1 }
}

fn has(cube: &Cube, cell: &[usize]) -> bool {
    cube.iter().zip(cell).all(|(set, value)| set >> value & 1 == 1)
}

fn within(inner: &Cube, outer: &Cube) -> bool {
    inner.iter().zip(outer).all(|(inner, outer)| inner & !outer == 0)
}

/// The cubes that cover all cells with `true` and none with `false`, and whether there are no fewer.
fn cover(sizes: &[usize], cases: &[(&[usize], Option<bool>)]) -> (Vec<Cube>, bool) {
    let on: Vec<&[usize]> = cases
        .iter()
        .filter(|(_, holds)| *holds == Some(true))
        .map(|(cell, _)| *cell)
        .collect();
    let off: Vec<&[usize]> = cases
        .iter()
        .filter(|(_, holds)| *holds == Some(false))
        .map(|(cell, _)| *cell)
        .collect();
    if on.is_empty() {
        return (Vec::new(), true);
    }
    if sizes.iter().any(|size| *size > MAX_VALUES) {
        let cubes = on
            .iter()
            .map(|cell| cell.iter().map(|value| 1 << (value % 64)).collect())
            .collect();
        return (
            if off.is_empty() {
                vec![vec![u64::MAX; sizes.len()]]
            } else {
                cubes
            },
            off.is_empty(),
        );
    }
    let mut work = MAX_WORK;
    let (mut chosen, exact) = match largest(sizes, &on, &off, &mut work) {
        Some(cubes) if cubes.len() * on.len() <= work => smallest(sizes, &cubes, &on, &mut work),
        _ => (greedy(sizes, &on, &off), false),
    };
    if chosen.len() <= MAX_RULES {
        chosen.sort_by_key(|cube| on.iter().position(|cell| has(cube, cell)));
        sharpen(sizes, &mut chosen, &on);
    }
    (chosen, exact)
}

/// All largest cubes without a cell of `off` that have one of `on`; `None` when there is too much to do.
fn largest(sizes: &[usize], on: &[&[usize]], off: &[&[usize]], work: &mut usize) -> Option<Vec<Cube>> {
    let mut cubes: Vec<Cube> = vec![sizes.iter().map(|size| full(*size)).collect()];
    for cell in off {
        let (hit, mut kept): (Vec<Cube>, Vec<Cube>) = cubes.into_iter().partition(|cube| has(cube, cell));
        let mut cut: Vec<Cube> = Vec::new();
        *work = work.checked_sub(hit.len() * sizes.len() * on.len())?;
        for cube in hit {
            for (variable, value) in cell.iter().enumerate() {
                let mut smaller = cube.clone();
                smaller[variable] &= !(1 << value);
                if smaller[variable] != 0 && on.iter().any(|cell| has(&smaller, cell)) {
                    cut.push(smaller);
                }
            }
        }
        cut.sort_unstable();
        cut.dedup();
        let cost = cut.len() * (kept.len() + cut.len());
        *work = work.checked_sub(cost)?;
        let maximal = |cube: &Cube| {
            !kept.iter().any(|other| within(cube, other))
                && !cut.iter().any(|other| other != cube && within(cube, other))
        };
        let mut fresh: Vec<Cube> = cut.iter().filter(|cube| maximal(cube)).cloned().collect();
        kept.append(&mut fresh);
        cubes = kept;
        if cubes.len() > MAX_CUBES {
            return None;
        }
    }
    cubes.retain(|cube| on.iter().any(|cell| has(cube, cell)));
    Some(cubes)
}

/// How much a person has to read: values named, over all variables that matter.
fn cost(sizes: &[usize], cube: &Cube) -> usize {
    cube.iter()
        .zip(sizes)
        .map(|(set, size)| {
            let count = set.count_ones() as usize;
            if count == *size { 0 } else { 2 + count.min(size - count) }
        })
        .sum()
}

/// A smallest choice of cubes that covers all cells, and whether the search came to its end.
fn smallest(sizes: &[usize], cubes: &[Cube], on: &[&[usize]], work: &mut usize) -> (Vec<Cube>, bool) {
    let mut order: Vec<usize> = (0..cubes.len()).collect();
    order.sort_by_key(|index| (cost(sizes, &cubes[*index]), *index));
    let covers: Vec<Vec<usize>> = order
        .iter()
        .map(|index| (0..on.len()).filter(|cell| has(&cubes[*index], on[*cell])).collect())
        .collect();
    let by_cell: Vec<Vec<usize>> = (0..on.len())
        .map(|cell| (0..order.len()).filter(|cube| covers[*cube].contains(&cell)).collect())
        .collect();
    let costs: Vec<usize> = order.iter().map(|index| cost(sizes, &cubes[*index])).collect();
    let mut search = Search {
        covers: &covers,
        by_cell: &by_cell,
        costs: &costs,
        best: None,
        work,
        cut_short: false,
    };
    search.first_guess();
    search.go(&mut vec![0; on.len()], &mut Vec::new(), 0);
    let exact = !search.cut_short;
    let best = search.best.unwrap_or_default();
    (
        best.2.into_iter().map(|cube| cubes[order[cube]].clone()).collect(),
        exact,
    )
}

struct Search<'a> {
    covers: &'a [Vec<usize>],
    by_cell: &'a [Vec<usize>],
    costs: &'a [usize],
    /// Number of cubes, their cost, the cubes.
    best: Option<(usize, usize, Vec<usize>)>,
    work: &'a mut usize,
    cut_short: bool,
}

impl Search<'_> {
    /// The cube that covers most of what is left, again and again: something to beat.
    fn first_guess(&mut self) {
        let mut left: Vec<bool> = vec![true; self.by_cell.len()];
        let mut chosen = Vec::new();
        while left.iter().any(|left| *left) {
            let gain = |cube: &usize| self.covers[*cube].iter().filter(|cell| left[**cell]).count();
            let Some(best) = (0..self.covers.len())
                .max_by_key(|cube| (gain(cube), usize::MAX - self.costs[*cube], usize::MAX - cube))
            else {
                return;
            };
            if gain(&best) == 0 {
                return;
            }
            self.covers[best].iter().for_each(|cell| left[*cell] = false);
            chosen.push(best);
        }
        let cost = chosen.iter().map(|cube| self.costs[*cube]).sum();
        self.best = Some((chosen.len(), cost, chosen));
    }

    fn go(&mut self, covered: &mut Vec<u32>, chosen: &mut Vec<usize>, cost: usize) {
        match self.work.checked_sub(covered.len()) {
            Some(left) => *self.work = left,
            None => {
                self.cut_short = true;
                return;
            }
        }
        // The cell with the fewest cubes leaves the fewest ways.
        let open = (0..covered.len())
            .filter(|cell| covered[*cell] == 0)
            .min_by_key(|cell| self.by_cell[*cell].len());
        let Some(cell) = open else {
            if self
                .best
                .as_ref()
                .is_none_or(|(count, known, _)| (chosen.len(), cost) < (*count, *known))
            {
                self.best = Some((chosen.len(), cost, chosen.clone()));
            }
            return;
        };
        // Cells that share no cube need one each.
        if let Some((count, known, _)) = &self.best {
            let needed = chosen.len() + self.at_least(covered, *count + 1 - chosen.len().min(*count));
            if needed > *count || needed == *count && cost >= *known {
                return;
            }
        }
        for index in 0..self.by_cell[cell].len() {
            let cube = self.by_cell[cell][index];
            self.covers[cube].iter().for_each(|cell| covered[*cell] += 1);
            chosen.push(cube);
            self.go(covered, chosen, cost + self.costs[cube]);
            chosen.pop();
            self.covers[cube].iter().for_each(|cell| covered[*cell] -= 1);
            if self.cut_short {
                return;
            }
        }
    }

    /// A number of cubes without which what is open cannot be covered; counted up to `enough`.
    fn at_least(&self, covered: &[u32], enough: usize) -> usize {
        let mut blocked = vec![false; self.covers.len()];
        let mut count = 0;
        for cell in (0..covered.len()).filter(|cell| covered[*cell] == 0) {
            if self.by_cell[cell].iter().all(|cube| !blocked[*cube]) {
                count += 1;
                if count >= enough {
                    break;
                }
                self.by_cell[cell].iter().for_each(|cube| blocked[*cube] = true);
            }
        }
        count
    }
}

/// A cover without a claim to be the smallest: each open cell is widened as far as it goes.
fn greedy(sizes: &[usize], on: &[&[usize]], off: &[&[usize]]) -> Vec<Cube> {
    let forbidden: HashSet<&[usize]> = off.iter().copied().collect();
    let mut work = MAX_WORK;
    let mut cubes: Vec<Cube> = Vec::new();
    let mut covered: HashSet<Vec<usize>> = HashSet::new();
    for cell in on {
        if covered.contains(*cell) {
            continue;
        }
        let mut cube: Cube = cell.iter().map(|value| 1 << value).collect();
        for variable in 0..sizes.len() {
            for value in (0..sizes[variable]).filter(|value| *value != cell[variable]) {
                // Only the cells that the value would add have to be looked at.
                let mut added = cube.clone();
                added[variable] = 1 << value;
                let count = added
                    .iter()
                    .fold(1_usize, |count, set| count.saturating_mul(set.count_ones() as usize));
                match work.checked_sub(count) {
                    Some(left) => work = left,
                    None => continue,
                }
                if cells_of(&added).iter().all(|cell| !forbidden.contains(cell.as_slice())) {
                    cube[variable] |= 1 << value;
                }
            }
        }
        covered.extend(cells_of(&cube));
        cubes.push(cube);
    }
    cubes
}

/// All cells of a cube.
fn cells_of(cube: &Cube) -> Vec<Vec<usize>> {
    cube.iter().fold(vec![Vec::new()], |cells, set| {
        let values: Vec<usize> = (0..MAX_VALUES).filter(|value| set >> value & 1 == 1).collect();
        cells
            .iter()
            .flat_map(|cell| values.iter().map(move |value| [cell.as_slice(), &[*value]].concat()))
            .collect()
    })
}

/// Where cubes overlap, says with one value what was said with several: `= OnFailure` is plainer than `≠ Never`.
fn sharpen(sizes: &[usize], cubes: &mut [Cube], on: &[&[usize]]) {
    for index in (0..cubes.len()).rev() {
        let own: Vec<&&[usize]> = on
            .iter()
            .filter(|cell| {
                has(&cubes[index], cell)
                    && !cubes
                        .iter()
                        .enumerate()
                        .any(|(other, cube)| other != index && has(cube, cell))
            })
            .collect();
        for variable in 0..sizes.len() {
            let set = cubes[index][variable];
            if set == full(sizes[variable]) || own.is_empty() {
                continue;
            }
            let needed = own.iter().fold(0_u64, |needed, cell| needed | 1 << cell[variable]);
            if needed.count_ones() == 1 {
                cubes[index][variable] = needed;
            }
        }
    }
}

fn rule(variables: &[Variable], cube: &Cube, outcome: &Value) -> Rule {
    let mut terms = Vec::new();
    let mut texts = Vec::new();
    for (variable, set) in variables.iter().zip(cube) {
        let size = variable.values.len();
        if *set & full(size) == full(size) {
            continue;
        }
        let values: Vec<Value> = variable
            .values
            .iter()
            .enumerate()
            .filter(|(index, _)| set >> index & 1 == 1)
            .map(|(_, value)| value.clone())
            .collect();
        texts.push(term_text(variable, &values));
        terms.push(Term {
            variable: variable.name.clone(),
            values,
        });
    }
    let text = if texts.is_empty() {
        "⊤".to_owned()
    } else {
        texts.join(" ∧ ")
    };
    Rule {
        outcome: outcome.clone(),
        terms,
        text,
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        other => other.to_string(),
    }
}

fn term_text(variable: &Variable, values: &[Value]) -> String {
    let name = &variable.name;
    let others: Vec<&Value> = variable.values.iter().filter(|value| !values.contains(value)).collect();
    match (values, others.as_slice()) {
        ([one], _) => return format!("{name} = {}", word(one)),
        (_, [one]) => return format!("{name} ≠ {}", word(one)),
        _ => {}
    }
    if let Some(text) = interval(variable, values) {
        return text;
    }
    let list = |values: &[&Value]| values.iter().map(|value| word(value)).collect::<Vec<_>>().join(", ");
    if others.len() < values.len() {
        format!("{name} ∉ {{{}}}", list(&others))
    } else {
        format!("{name} ∈ {{{}}}", list(&values.iter().collect::<Vec<_>>()))
    }
}

/// Neighboring numbers are an interval.
fn interval(variable: &Variable, values: &[Value]) -> Option<String> {
    let mut all: Vec<(f64, &Value)> = variable
        .values
        .iter()
        .map(|value| value.as_f64().map(|number| (number, value)))
        .collect::<Option<_>>()?;
    all.sort_by(|left, right| left.0.total_cmp(&right.0));
    let inside: Vec<bool> = all.iter().map(|(_, value)| values.contains(value)).collect();
    let first = inside.iter().position(|inside| *inside)?;
    let last = inside.iter().rposition(|inside| *inside)?;
    if !inside[first..=last].iter().all(|inside| *inside) {
        return None;
    }
    let name = &variable.name;
    let (low, high) = (word(all[first].1), word(all[last].1));
    Some(if first == 0 {
        format!("{name} ≤ {high}")
    } else if last + 1 == all.len() {
        format!("{name} ≥ {low}")
    } else {
        format!("{low} ≤ {name} ≤ {high}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn variables() -> Vec<Variable> {
        vec![
            Variable {
                name: "restartPolicy".to_owned(),
                values: vec![json!("Always"), json!("OnFailure"), json!("Never")],
            },
            Variable {
                name: "exitCode".to_owned(),
                values: vec![json!(0), json!(1), json!(137)],
            },
        ]
    }

    fn grid(variables: &[Variable]) -> Vec<Assignment> {
        variables.iter().fold(vec![Assignment::new()], |grid, variable| {
            grid.iter()
                .flat_map(|known| {
                    variable.values.iter().map(move |value| {
                        let mut known = known.clone();
                        known.insert(variable.name.clone(), value.clone());
                        known
                    })
                })
                .collect()
        })
    }

    fn rule_of(variables: &[Variable], holds: impl Fn(&Assignment) -> bool) -> Option<String> {
        let grid = grid(variables);
        let cases: Vec<(&Assignment, Option<bool>)> = grid.iter().map(|case| (case, Some(holds(case)))).collect();
        rule_for(variables, &cases)
    }

    #[test]
    fn rules_read_as_a_person_would_say_them() {
        let both = variables();
        let never = |case: &Assignment| case["restartPolicy"] == "Never";
        let zero = |case: &Assignment| case["exitCode"] == 0;
        for (text, rule) in [
            (
                "restartPolicy = Never ∧ exitCode ≠ 0",
                rule_of(&both, |case| never(case) && !zero(case)),
            ),
            ("restartPolicy ≠ Never", rule_of(&both, |case| !never(case))),
            ("⊤", rule_of(&both, |_| true)),
            ("exitCode = 137", rule_of(&both, |case| case["exitCode"] == 137)),
            (
                "restartPolicy = Always ∨ (restartPolicy = OnFailure ∧ exitCode ≠ 0)",
                rule_of(&both, |case| {
                    case["restartPolicy"] == "Always" || case["restartPolicy"] == "OnFailure" && !zero(case)
                }),
            ),
        ] {
            assert_eq!(rule.as_deref(), Some(text));
        }
        assert_eq!(rule_of(&both, |_| false), None);
        let numbers = vec![Variable {
            name: "n".to_owned(),
            values: (1..=9).map(|n| json!(n)).collect(),
        }];
        let n = |case: &Assignment| case["n"].as_u64().unwrap_or(0);
        for (text, rule) in [
            ("n ≥ 4", rule_of(&numbers, |case| n(case) >= 4)),
            ("n ≤ 3", rule_of(&numbers, |case| n(case) <= 3)),
            ("3 ≤ n ≤ 5", rule_of(&numbers, |case| (3..=5).contains(&n(case)))),
            ("n ∈ {2, 5, 7}", rule_of(&numbers, |case| [2, 5, 7].contains(&n(case)))),
            ("n ∉ {2, 5, 7}", rule_of(&numbers, |case| ![2, 5, 7].contains(&n(case)))),
        ] {
            assert_eq!(rule.as_deref(), Some(text));
        }
    }

    /// The least number of cubes, by trying all of them.
    fn brute_force(sizes: &[usize], cases: &[(&[usize], Option<bool>)]) -> usize {
        let mut cubes: Vec<Cube> = vec![Vec::new()];
        for size in sizes {
            cubes = cubes
                .iter()
                .flat_map(|cube| (1..1_u64 << size).map(|set| [cube.as_slice(), &[set]].concat()))
                .collect();
        }
        cubes.retain(|cube| {
            !cases
                .iter()
                .any(|(cell, holds)| *holds == Some(false) && has(cube, cell))
        });
        let on: Vec<&[usize]> = cases
            .iter()
            .filter(|(_, holds)| *holds == Some(true))
            .map(|(cell, _)| *cell)
            .collect();
        let masks: Vec<u32> = cubes
            .iter()
            .map(|cube| {
                on.iter()
                    .enumerate()
                    .filter(|(_, cell)| has(cube, cell))
                    .fold(0, |mask, (bit, _)| mask | 1 << bit)
            })
            .collect();
        let all = (1_u32 << on.len()) - 1;
        let mut reached = std::collections::BTreeSet::from([0_u32]);
        let mut count = 0;
        while !reached.contains(&all) {
            reached = reached
                .iter()
                .flat_map(|known| masks.iter().map(move |mask| known | mask))
                .collect();
            count += 1;
        }
        count
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn covers_are_exact_and_smallest(
            sizes in proptest::collection::vec(2_usize..=3, 1..=3),
            outcomes in proptest::collection::vec(proptest::option::weighted(0.9, any::<bool>()), 27),
        ) {
            // Trying everything takes long beyond a dozen cells.
            prop_assume!(sizes.iter().product::<usize>() <= 12);
            let mut cells: Vec<Vec<usize>> = vec![Vec::new()];
            for size in &sizes {
                cells = cells.iter().flat_map(|cell| (0..*size).map(|value| [cell.as_slice(), &[value]].concat())).collect();
            }
            let cases: Vec<(&[usize], Option<bool>)> =
                cells.iter().zip(&outcomes).map(|(cell, holds)| (cell.as_slice(), *holds)).collect();
            let (cubes, exact) = cover(&sizes, &cases);
            prop_assert!(exact);
            for (cell, holds) in &cases {
                let covered = cubes.iter().any(|cube| has(cube, cell));
                prop_assert!(holds.is_none_or(|holds| holds == covered), "{cell:?}");
            }
            prop_assert_eq!(cubes.len(), brute_force(&sizes, &cases));
        }
    }

    #[test]
    fn large_and_wild_tables_end() {
        // Four variables of ten values with a pattern that has no short rule.
        let sizes = [10, 10, 10, 10];
        let mut cells: Vec<Vec<usize>> = vec![Vec::new()];
        for size in sizes {
            cells = cells
                .iter()
                .flat_map(|cell| (0..size).map(|value| [cell.as_slice(), &[value]].concat()))
                .collect();
        }
        let noise = |cell: &[usize]| {
            cell.iter()
                .fold(7_usize, |hash, value| hash.wrapping_mul(31).wrapping_add(*value))
                % 7
                < 3
        };
        let cases: Vec<(&[usize], Option<bool>)> =
            cells.iter().map(|cell| (cell.as_slice(), Some(noise(cell)))).collect();
        let (cubes, exact) = cover(&sizes, &cases);
        assert!(!exact);
        assert!(
            cases
                .iter()
                .all(|(cell, holds)| *holds == Some(cubes.iter().any(|cube| has(cube, cell))))
        );
    }
}
