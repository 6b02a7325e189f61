//! Verdicts of claims.

use peapod_sim::time::{SimDuration, SimTime};
use serde::Serialize;

use crate::i18n::{Lang, Text, fill, time};
use crate::lab::model::{ClaimResult, Outcome, RunResult, Verdict};
use crate::timeline::axis::to_query;
use crate::web::address;

/// The class and the word of a verdict.
pub fn word(verdict: Verdict) -> (&'static str, Text) {
    match verdict {
        Verdict::Holds => ("holds", Text::Holds),
        Verdict::Fails => ("fails", Text::Fails),
        Verdict::Depends => ("depends", Text::Depends),
        Verdict::Unchecked => ("unchecked", Text::Unchecked),
    }
}

/// A claim with what a run says about it.
#[derive(Clone, Debug, Serialize)]
pub struct ClaimView {
    /// The sentence.
    pub claim: String,
    /// The condition as the note words it, with its keyword.
    pub condition: String,
    /// Where it applies, as the note words it.
    pub when: Option<String>,
    /// Class of the verdict.
    pub class: &'static str,
    /// Word of the verdict.
    pub verdict: &'static str,
    /// Whether it is what the note expects.
    pub as_expected: bool,
    /// Whether the note means to show that it is wrong.
    pub meant_to_fail: bool,
    /// `2/2 시행 · 늦어도 3.1초`.
    pub evidence: String,
    /// What the first trial that disagrees is, and its page at the instant that shows it.
    pub counter_example: Option<(String, String)>,
    /// What was not as expected there.
    pub message: String,
    /// For what it holds, when it depends.
    pub rule: Option<String>,
    /// The page that shows it: the counter-example, else the first trial that agrees.
    pub href: String,
}

/// The claims of a run. `sentence` gives the sentence of the note with a block id.
pub fn views(lang: Lang, run: &str, result: &RunResult, sentence: &dyn Fn(&str) -> Option<String>) -> Vec<ClaimView> {
    result
        .claims
        .iter()
        .enumerate()
        .map(|(index, claim)| view(lang, run, result, index, claim, sentence))
        .collect()
}

fn view(
    lang: Lang,
    run: &str,
    result: &RunResult,
    index: usize,
    claim: &ClaimResult,
    sentence: &dyn Fn(&str) -> Option<String>,
) -> ClaimView {
    let (class, verdict) = word(claim.verdict);
    let total = claim.trials_for + claim.trials_against;
    let mut evidence = vec![fill(
        lang,
        Text::TrialsFor.say(lang),
        &[("for", claim.trials_for.to_string()), ("all", total.to_string())],
    )];
    let latest = || {
        let times = result.trials.iter().filter_map(|trial| trial.expectations.get(index));
        times
            .filter(|outcome| outcome.outcome == Outcome::Holds)
            .filter_map(|outcome| outcome.at)
            .max()
    };
    if claim.keyword == "eventually"
        && claim.verdict == Verdict::Holds
        && let Some(at) = latest()
    {
        evidence.push(fill(lang, Text::AtMost.say(lang), &[("span", span(lang, at))]));
    }
    let counter_example = claim.counter_example.as_ref().map(|example| {
        let what = result
            .trials
            .iter()
            .find(|trial| trial.trial.index == example.trial)
            .map(|trial| super::assignment(lang, &trial.trial.variables))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| fill(lang, Text::TrialN.say(lang), &[("n", (example.trial + 1).to_string())]));
        let words = fill(lang, Text::CounterExample.say(lang), &[("what", what)]);
        (words, page(run, example.trial, example.at))
    });
    let first_for = result.trials.iter().find(|trial| {
        trial
            .expectations
            .get(index)
            .is_some_and(|outcome| outcome.outcome == Outcome::Holds)
    });
    let href = match (&counter_example, first_for) {
        (Some((_, href)), _) => href.clone(),
        (None, Some(trial)) => page(
            run,
            trial.trial.index,
            trial.expectations.get(index).and_then(|outcome| outcome.at),
        ),
        (None, None) => address::run(run),
    };
    ClaimView {
        claim: text_of(claim, sentence),
        condition: format!("{}: {}", claim.keyword, claim.condition),
        when: claim.when.clone(),
        class,
        verdict: verdict.say(lang),
        as_expected: claim.as_expected,
        meant_to_fail: claim.expected == Verdict::Fails,
        evidence: if total == 0 {
            String::new()
        } else {
            evidence.join(" · ")
        },
        counter_example,
        message: claim.counter_example.as_ref().map_or_else(String::new, |example| {
            against(lang, &claim.keyword, &claim.condition, &example.message)
        }),
        rule: claim
            .rule
            .as_deref()
            .map(|rule| fill(lang, Text::HoldsWhen.say(lang), &[("rule", super::rule(lang, rule))])),
        href,
    }
}

/// What was not as expected, in the reader's language; the laboratory says it in English.
pub(crate) fn against(lang: Lang, keyword: &str, condition: &str, message: &str) -> String {
    let text = match keyword {
        "eventually" => Text::AgainstEventually,
        "always" => Text::AgainstAlways,
        "never" => Text::AgainstNever,
        "finally" => Text::AgainstFinally,
        _ => return message.to_owned(),
    };
    match lang {
        Lang::Ko => fill(lang, text.say(lang), &[("condition", condition.to_owned())]),
        Lang::En => message.replace('`', ""),
    }
}

/// The sentence of a claim: its own, else that of the note's block, else its condition.
pub fn text_of(claim: &ClaimResult, sentence: &dyn Fn(&str) -> Option<String>) -> String {
    if !claim.claim.is_empty() && !claim.claim.starts_with('^') {
        return claim.claim.clone();
    }
    let block = claim.block.as_deref().or_else(|| claim.claim.strip_prefix('^'));
    block
        .and_then(|id| sentence(id).or_else(|| Some(format!("^{id}"))))
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| claim.condition.clone())
}

fn page(run: &str, trial: usize, at: Option<SimTime>) -> String {
    let base = address::trial(run, trial);
    match at {
        Some(at) => format!("{base}?t={}", to_query(at)),
        None => base,
    }
}

fn span(lang: Lang, at: SimTime) -> String {
    time::span(lang, SimDuration(at.0))
}

/// What one trial says about one expectation.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeView {
    /// The sentence.
    pub claim: String,
    /// Class of the verdict.
    pub class: &'static str,
    /// Word of the verdict.
    pub word: &'static str,
    /// What was not as expected.
    pub message: String,
    /// The page at the instant that decided it.
    pub href: Option<String>,
    /// That instant in words.
    pub at: String,
}

/// The outcomes of the expectations that apply to a trial.
pub fn outcomes(
    lang: Lang,
    run: &str,
    result: &RunResult,
    trial: usize,
    sentence: &dyn Fn(&str) -> Option<String>,
) -> Vec<OutcomeView> {
    let Some(found) = result.trials.iter().find(|t| t.trial.index == trial) else {
        return Vec::new();
    };
    let claims = &result.experiment.expect;
    found
        .expectations
        .iter()
        .zip(claims)
        .filter_map(|(outcome, expectation)| {
            let (class, word) = match outcome.outcome {
                Outcome::Holds => ("holds", Text::Holds),
                Outcome::Fails => ("fails", Text::Fails),
                Outcome::Undecided => ("unchecked", Text::Unchecked),
                Outcome::NotApplicable => return None,
            };
            let claim = match (&expectation.block, expectation.claim.as_str()) {
                (Some(block), _) => sentence(block).unwrap_or_else(|| format!("^{block}")),
                (None, "") => format!("{}: {}", expectation.condition.keyword(), expectation.condition.text()),
                (None, text) => text.to_owned(),
            };
            Some(OutcomeView {
                claim,
                class,
                word: word.say(lang),
                message: match outcome.message.as_str() {
                    "" => String::new(),
                    message => against(
                        lang,
                        expectation.condition.keyword(),
                        &expectation.condition.text(),
                        message,
                    ),
                },
                href: outcome.at.map(|at| page(run, trial, Some(at))),
                at: outcome.at.map_or_else(String::new, |at| span(lang, at)),
            })
        })
        .collect()
}
