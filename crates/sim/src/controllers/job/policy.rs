//! What the pod failure policy and the success policy of a Job say
//! (`pkg/controller/job/{pod_failure_policy,success_policy}.go`).

use crate::core;
use k8s_openapi::api::batch::v1 as batch;

use super::indexes::Indexes;

/// What a policy says of a failed pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why the whole Job fails, if it does.
    pub job_failure: Option<String>,
    /// Whether the failure counts towards the back-off limit.
    pub counts: bool,
    /// The action of the rule that matched.
    pub action: Option<String>,
}

/// The first rule that matches decides; without one the failure counts (`matchPodFailurePolicy`).
pub fn judge(policy: Option<&batch::PodFailurePolicy>, pod: &core::Pod) -> Verdict {
    for (index, rule) in policy.iter().flat_map(|policy| policy.rules.iter()).enumerate() {
        let subject = match (&rule.on_exit_codes, &rule.on_pod_conditions) {
            (Some(requirement), _) => on_exit_codes(pod, requirement),
            (None, Some(patterns)) => on_conditions(pod, patterns),
            (None, None) => None,
        };
        let Some(subject) = subject else { continue };
        let action = Some(rule.action.clone());
        return match rule.action.as_str() {
            "Ignore" => Verdict {
                counts: false,
                action,
                job_failure: None,
            },
            "FailJob" => {
                let message = format!("{subject} matching {} rule at index {index}", rule.action);
                Verdict {
                    counts: true,
                    action,
                    job_failure: Some(message),
                }
            }
            _ => Verdict {
                counts: true,
                action,
                job_failure: None,
            },
        };
    }
    Verdict {
        counts: true,
        ..Verdict::default()
    }
}

fn name(pod: &core::Pod) -> String {
    let meta = &pod.metadata;
    format!(
        "{}/{}",
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default()
    )
}

fn on_exit_codes(pod: &core::Pod, requirement: &batch::PodFailurePolicyOnExitCodesRequirement) -> Option<String> {
    let status = pod.status.as_ref()?;
    let all = status
        .container_statuses
        .iter()
        .flatten()
        .chain(status.init_container_statuses.iter().flatten());
    for container in all {
        let Some(ended) = container.state.as_ref().and_then(|state| state.terminated.as_ref()) else {
            continue;
        };
        let wanted = requirement
            .container_name
            .as_ref()
            .is_none_or(|name| *name == container.name);
        let listed = requirement.values.contains(&ended.exit_code);
        let matches = match requirement.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        };
        if wanted && ended.exit_code != 0 && matches {
            let (code, pod) = (ended.exit_code, name(pod));
            return Some(format!(
                "Container {} for pod {pod} failed with exit code {code}",
                container.name
            ));
        }
    }
    None
}

fn on_conditions(pod: &core::Pod, patterns: &[batch::PodFailurePolicyOnPodConditionsPattern]) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|condition| {
        let status = |pattern: &batch::PodFailurePolicyOnPodConditionsPattern| {
            pattern.status.as_deref().unwrap_or("True") == condition.status
        };
        patterns
            .iter()
            .any(|pattern| pattern.type_ == condition.type_ && status(pattern))
    })?;
    Some(format!("Pod {} has condition {}", name(pod), found.type_))
}

/// The message of the rule that says enough indexes have succeeded (`matchSuccessPolicy`).
pub fn success(policy: Option<&batch::SuccessPolicy>, completions: usize, succeeded: &Indexes) -> Option<String> {
    let rules = &policy.filter(|_| !succeeded.is_empty())?.rules;
    let met = |rule: &batch::SuccessPolicyRule| {
        let count = rule.succeeded_count.and_then(|count| usize::try_from(count).ok());
        match &rule.succeeded_indexes {
            Some(text) => {
                let required = Indexes::parse(text, completions);
                let common = required.common(succeeded);
                !required.is_empty() && (common == required.total() || count.is_some_and(|count| common >= count))
            }
            None => count.is_some_and(|count| succeeded.total() >= count),
        }
    };
    rules
        .iter()
        .position(met)
        .map(|index| format!("Matched rules at index {index}"))
}
