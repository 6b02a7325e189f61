//! What a reader predicted, beside what came out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Assignment, Experiment, Predict, RunResult};
use super::trials;

/// Combinations of the variables for which an outcome can be predicted one by one; a reader fills in no more.
pub const MAX_COMBINATIONS: usize = 36;

/// What a reader says before a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// The answer to the question.
    pub words: String,
    /// What comes out for single combinations of the variables.
    pub outcomes: Vec<Said>,
}

/// What a reader says of one combination.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// The variables.
    pub when: Assignment,
    /// What comes out.
    pub outcome: String,
}

impl Answer {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.words.trim().is_empty() && self.outcomes.is_empty()
    }
}

/// A prediction beside an outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The answer that the run gives to the question; none where the experiment does not say what answers it.
    pub answer: Option<Value>,
    /// Whether the reader's words say the same; none where they say nothing, or there is no answer.
    pub right: Option<bool>,
    /// What was said of single combinations, what came out, and whether they agree.
    pub outcomes: Vec<(Said, Value, bool)>,
}

/// The observation that is asked about.
pub fn observation(experiment: &Experiment) -> Option<&str> {
    let of = experiment.predict.as_ref().and_then(|predict| predict.of.as_deref());
    of.or_else(|| experiment.observe.first().map(|observation| observation.name.as_str()))
}

/// The combinations of the variables whose outcome can be predicted one by one; none when there are too many, only one,
/// or nothing is observed.
pub fn combinations(experiment: &Experiment) -> Vec<Assignment> {
    if experiment.variables.is_empty() || experiment.observe.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<Assignment> = Vec::new();
    for trial in trials(experiment).unwrap_or_default() {
        if !found.contains(&trial.variables) {
            found.push(trial.variables);
        }
        if found.len() > MAX_COMBINATIONS {
            return Vec::new();
        }
    }
    found
}

/// Words that an outcome may be: the phases of a pod where a phase is observed, and what the experiment compares with.
pub fn suggestions(experiment: &Experiment) -> Vec<String> {
    let Some(name) = observation(experiment) else {
        return Vec::new();
    };
    let own = experiment.observe.iter().find(|observation| observation.name == name);
    let mut found: Vec<String> = Vec::new();
    let text = own.map_or("", |own| own.expression.text.as_str());
    if text.trim_end().ends_with("status.phase") {
        found.extend(["Pending", "Running", "Succeeded", "Failed"].map(str::to_owned));
    }
    if text.contains("==") || text.trim_start().starts_with("ever(") || text.trim_start().starts_with("exists(") {
        found.extend(["true", "false"].map(str::to_owned));
    }
    for expectation in &experiment.expect {
        let condition = expectation.condition.text();
        if !condition.contains(name) && !condition.contains(text) {
            continue;
        }
        // What stands between quotes, and is no argument of a function, is compared with.
        for (before, word) in quoted(&condition) {
            if !before.ends_with('(') && !word.is_empty() && !found.contains(&word) && found.len() < 20 {
                found.push(word);
            }
        }
    }
    found
}

fn quoted(text: &str) -> Vec<(String, String)> {
    let mut parts = text.split('\'');
    let mut found = Vec::new();
    while let (Some(before), Some(word)) = (parts.next(), parts.next()) {
        found.push((before.trim_end().to_owned(), word.to_owned()));
    }
    found
}

/// Compares a prediction with a run.
pub fn compare(result: &RunResult, answer: &Answer) -> Compared {
    let experiment = &result.experiment;
    let came = experiment
        .predict
        .as_ref()
        .and_then(|predict| self::answer(predict, result));
    let name = observation(experiment).unwrap_or_default();
    let outcomes = answer
        .outcomes
        .iter()
        .filter_map(|said| {
            let values = values_of(result, name, |variables| *variables == said.when);
            let value = one(values)?;
            let agrees = agrees(&value, &said.outcome);
            Some((said.clone(), value, agrees))
        })
        .collect();
    Compared {
        right: came
            .as_ref()
            .filter(|_| !answer.words.trim().is_empty())
            .map(|came| agrees(came, &answer.words)),
        answer: came,
        outcomes,
    }
}

/// What a run says to the question: the number of trials that are counted, or the observation, where all trials agree.
fn answer(predict: &Predict, result: &RunResult) -> Option<Value> {
    if !predict.count.is_empty() {
        let counted = result.trials.iter().filter(|trial| {
            predict.count.iter().all(|(name, values)| {
                let own = trial.observations.get(name).or_else(|| trial.trial.variables.get(name));
                own.is_some_and(|own| values.contains(own))
            })
        });
        // Trials of one combination under several seeds follow each other, and are one.
        let mut combinations: Vec<&Assignment> = counted.map(|trial| &trial.trial.variables).collect();
        combinations.dedup();
        return Some(combinations.len().into());
    }
    let name = predict.of.as_deref()?;
    let values = values_of(result, name, |_| true);
    (!values.is_empty()).then(|| one(values)).flatten()
}

fn values_of(result: &RunResult, name: &str, is: impl Fn(&Assignment) -> bool) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for trial in result.trials.iter().filter(|trial| is(&trial.trial.variables)) {
        let value = trial.observations.get(name).cloned().unwrap_or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// The value; where schedules disagree, all of them.
fn one(mut values: Vec<Value>) -> Option<Value> {
    match values.len() {
        0 | 1 => values.pop(),
        _ => Some(Value::Array(values)),
    }
}

/// Whether words say a value: numbers by their value, also with a unit behind (`2개`), words whatever their case.
pub fn agrees(value: &Value, words: &str) -> bool {
    let words = words.trim().trim_matches(['"', '\'', '`', '.']).trim();
    match value {
        Value::Null => ["", "-", "none", "null", "없음"].contains(&words.to_lowercase().as_str()),
        Value::Bool(true) => ["true", "yes", "예", "참", "맞다", "그렇다"].contains(&words.to_lowercase().as_str()),
        Value::Bool(false) => {
            ["false", "no", "아니오", "아니요", "거짓", "아니다"].contains(&words.to_lowercase().as_str())
        }
        Value::Number(number) => {
            let digits: Vec<&str> = words
                .split(|c: char| !c.is_ascii_digit() && c != '.' && c != '-')
                .filter(|part| part.contains(|c: char| c.is_ascii_digit()))
                .collect();
            match digits.as_slice() {
                [only] => only.parse::<f64>().ok() == number.as_f64(),
                _ => false,
            }
        }
        Value::String(text) => text.to_lowercase() == words.to_lowercase(),
        // Where schedules disagree, whoever says one of the outcomes is not wrong.
        Value::Array(values) => values.iter().any(|value| agrees(value, words)),
        Value::Object(_) => serde_json::from_str::<Value>(words).is_ok_and(|said| said == *value),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::lab::{Runner, read};

    #[test]
    fn words_say_values() {
        for (value, words, right) in [
            (json!(2), "2", true),
            (json!(2), " 2개 ", true),
            (json!(2), "둘", false),
            (json!(2), "2 또는 3", false),
            (json!("Failed"), "failed", true),
            (json!("Failed"), "'Failed'.", true),
            (json!("Failed"), "Running", false),
            (json!(true), "예", true),
            (json!(false), "true", false),
            (json!(null), "없음", true),
            (json!(["Running", "Failed"]), "Failed", true),
        ] {
            assert_eq!(agrees(&value, words), right, "{value} {words}");
        }
    }

    const TEXT: &str = "\
id: a
variables: {restartPolicy: [Always, Never], exitCode: [0, 1]}
steps:
- apply: |
    apiVersion: v1
    kind: Pod
    metadata: {name: demo}
    spec:
      restartPolicy: {{ restartPolicy }}
      containers: [{name: app, image: busybox, command: [sh, -c, 'sleep 2; exit {{ exitCode }}']}]
until: 1m
observe: {phase: pod('demo').status.phase, restarts: \"container('demo', 'app').restartCount\"}
expect:
- never: phase == 'Unknown'
predict: {ask: How many fail?, count: {phase: Failed}}
";

    #[test]
    fn a_prediction_is_compared_with_what_came_out() {
        let experiment = read(TEXT, None, 1).experiment.unwrap();
        let combinations = combinations(&experiment);
        assert_eq!(combinations.len(), 4);
        assert_eq!(
            suggestions(&experiment),
            ["Pending", "Running", "Succeeded", "Failed", "Unknown"]
        );
        let result = Runner::new(experiment).unwrap().threads(1).run(&mut |_| {});
        let answer = Answer {
            words: "2".to_owned(),
            outcomes: vec![
                Said {
                    when: combinations[3].clone(),
                    outcome: "Failed".to_owned(),
                },
                Said {
                    when: combinations[0].clone(),
                    outcome: "Succeeded".to_owned(),
                },
            ],
        };
        let compared = compare(&result, &answer);
        assert_eq!((compared.answer, compared.right), (Some(json!(1)), Some(false)));
        let outcomes: Vec<(&Value, bool)> = compared
            .outcomes
            .iter()
            .map(|(_, value, right)| (value, *right))
            .collect();
        assert_eq!(outcomes, [(&json!("Failed"), true), (&json!("Running"), false)]);
    }

    #[test]
    fn what_is_counted_has_to_be_there() {
        for (key, right) in [
            ("count: {phase: Failed}", true),
            ("count: {phse: Failed}", false),
            ("of: restart", false),
            ("of: restarts", true),
        ] {
            let text = TEXT.replace("count: {phase: Failed}", key);
            let reading = read(&text, None, 1);
            assert_eq!(reading.experiment.is_some(), right, "{key}: {:?}", reading.diagnostics);
        }
    }
}
