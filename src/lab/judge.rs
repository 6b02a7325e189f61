//! Verdicts: what all trials together say about a claim.

use super::model::{
    Assignment, ClaimResult, CounterExample, Ended, Expectation, Experiment, Outcome, TrialResult, Verdict,
};
use super::table;

/// One result an expectation, in the order of the experiment.
pub fn claims(experiment: &Experiment, trials: &[TrialResult]) -> Vec<ClaimResult> {
    experiment
        .expect
        .iter()
        .enumerate()
        .map(|(index, expectation)| claim(experiment, expectation, index, trials))
        .collect()
}

fn claim(experiment: &Experiment, expectation: &Expectation, index: usize, trials: &[TrialResult]) -> ClaimResult {
    let outcome = |trial: &TrialResult| {
        trial
            .expectations
            .get(index)
            .map_or(Outcome::Undecided, |decided| decided.outcome)
    };
    let those = |wanted: Outcome| trials.iter().filter(move |trial| outcome(trial) == wanted);
    let (trials_for, trials_against) = (those(Outcome::Holds).count(), those(Outcome::Fails).count());
    let undecided = those(Outcome::Undecided).count();
    let verdict = match (trials_for, trials_against) {
        (0, 0) => Verdict::Unchecked,
        // A trial that could not decide it might be the one that shows the contrary.
        (_, 0) if undecided > 0 => Verdict::Unchecked,
        (_, 0) => Verdict::Holds,
        (0, _) => Verdict::Fails,
        _ => Verdict::Depends,
    };
    let rule = (verdict == Verdict::Depends)
        .then(|| {
            let decided = |trial: &TrialResult| match outcome(trial) {
                Outcome::Holds => Some(true),
                Outcome::Fails => Some(false),
                Outcome::NotApplicable | Outcome::Undecided => None,
            };
            let cases: Vec<(&Assignment, Option<bool>)> = trials
                .iter()
                .map(|trial| (&trial.trial.variables, decided(trial)))
                .collect();
            table::rule_for(&experiment.variables, &cases)
        })
        .flatten();
    // The smallest trial that disagrees is the first: values are declared from the plain to the special.
    let counter_example = those(Outcome::Fails).next().map(|trial| {
        let decided = trial.expectations.get(index);
        CounterExample {
            trial: trial.trial.index,
            at: decided.and_then(|decided| decided.at),
            message: decided.map(|decided| decided.message.clone()).unwrap_or_default(),
        }
    });
    ClaimResult {
        claim: expectation.claim.clone(),
        block: expectation.block.clone(),
        of: expectation.of.clone(),
        keyword: expectation.condition.keyword().to_owned(),
        condition: expectation.condition.text(),
        when: expectation.when.as_ref().map(|when| when.text.clone()),
        expected: expectation.expected,
        verdict,
        as_expected: verdict == expectation.expected,
        trials_for,
        trials_against,
        counter_example,
        rule,
        place: expectation.place,
    }
}

/// Whether a trial came to its end, so that its observations count.
pub fn is_complete(trial: &TrialResult) -> bool {
    matches!(trial.ended, Ended::Until | Ended::Settled | Ended::Cap)
}
