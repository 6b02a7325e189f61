//! Decisions of Kubernetes in words, by their code: what a rule said, and what follows from it.

use crate::i18n::{Lang, Text, fill};

/// The sentence of a decision; `None` for a code that has none.
pub fn words(lang: Lang, code: &str, values: &[(String, String)]) -> Option<String> {
    let text = match code {
        "admission.refused" => Text::DecisionAdmissionRefused,
        "deployment.scale" => Text::DecisionDeploymentScale,
        "gc.delete-dependent" => Text::DecisionGcDelete,
        "gc.drop-reference" => Text::DecisionGcDrop,
        "image.backoff" => Text::DecisionImageBackoff,
        "job.backoff" => Text::DecisionJobBackoff,
        "job.finished" => Text::DecisionJobFinished,
        "job.too-few" => Text::DecisionJobTooFew,
        "kill.container" => Text::DecisionKillContainer,
        "node.taint" => Text::DecisionNodeTaint,
        "node.unknown" => Text::DecisionNodeUnknown,
        "phase.all-succeeded" | "phase.ended-all-succeeded" => Text::DecisionPhaseSucceeded,
        "phase.container-running" => Text::DecisionPhaseRunning,
        "phase.ended-some-failed" => Text::DecisionPhaseFailed,
        "phase.init-failed-for-good" => Text::DecisionPhaseInitFailed,
        "phase.stopped-for-good" => Text::DecisionPhaseStopped,
        "phase.unknown-containers" => Text::DecisionPhaseUnknown,
        "phase.waiting-for-first-start" => Text::DecisionPhaseWaiting,
        "phase.will-restart" => Text::DecisionPhaseWillRestart,
        "podgc.delete" => Text::DecisionPodGc,
        "replicaset.too-few" => Text::DecisionReplicasTooFew,
        "replicaset.too-many" => Text::DecisionReplicasTooMany,
        "restart.backoff" => Text::DecisionRestartBackoff,
        "schedule.no-node" => Text::DecisionNoNode,
        "schedule.node-chosen" => Text::DecisionNodeChosen,
        "taint.evict" => Text::DecisionTaintEvict,
        _ => return None,
    };
    let values: Vec<(&str, String)> = values
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    Some(fill(lang, text.say(lang), &values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_a_sentence() {
        let values = [("wait".to_owned(), "2m40s".to_owned())];
        assert_eq!(
            words(Lang::Ko, "restart.backoff", &values).as_deref(),
            Some("다시 시작하기 전에 2m40s 동안 기다린다 (CrashLoopBackOff)")
        );
        assert_eq!(words(Lang::En, "nobody.knows", &[]), None);
    }
}
