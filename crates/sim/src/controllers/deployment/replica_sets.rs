//! The ReplicaSets of a Deployment: which is the new one, their revisions and annotations
//! (`pkg/controller/deployment/util/deployment_util.go`).

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;

use super::rolling::Fences;

/// The revision of a ReplicaSet or Deployment.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// Earlier revisions of a ReplicaSet that was rolled back to.
pub const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The Deployment's size when it last scaled the ReplicaSet.
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// That size and the surge.
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// The label that tells the pods of one template from those of another.
pub const HASH_LABEL: &str = "pod-template-hash";

/// Annotations that are not copied to ReplicaSets.
const SKIPPED: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
];
/// Characters that the list of earlier revisions may take.
const MAX_HISTORY: usize = 2000;

/// The pods that a ReplicaSet is to have.
pub fn size(set: &apps::ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// Whether two templates are the same but for the hash label (`EqualIgnoreHash`).
pub fn same_template(a: Option<&core::PodTemplateSpec>, b: Option<&core::PodTemplateSpec>) -> bool {
    let without_hash = |template: Option<&core::PodTemplateSpec>| {
        let mut template = template.cloned().unwrap_or_default();
        let meta = template.metadata.get_or_insert_default();
        if let Some(labels) = &mut meta.labels {
            labels.remove(HASH_LABEL);
        }
        meta.creation_timestamp = None;
        // An empty map and none are the same.
        meta.labels = meta.labels.take().filter(|labels| !labels.is_empty());
        meta.annotations = meta.annotations.take().filter(|annotations| !annotations.is_empty());
        template
    };
    without_hash(a) == without_hash(b)
}

/// The ReplicaSet with the Deployment's template; the oldest, should there be several (`FindNewReplicaSet`).
pub fn find_new<'a>(deployment: &apps::Deployment, sets: &'a [apps::ReplicaSet]) -> Option<&'a apps::ReplicaSet> {
    let template = deployment.spec.as_ref().map(|spec| &spec.template);
    sets.iter()
        .find(|set| same_template(set.spec.as_ref().and_then(|spec| spec.template.as_ref()), template))
}

/// Oldest first, then by name (`ReplicaSetsByCreationTimestamp`).
pub fn sort_by_age(sets: &mut [apps::ReplicaSet]) {
    sets.sort_by(|a, b| {
        let key = |set: &apps::ReplicaSet| {
            (
                set.metadata.creation_timestamp.as_ref().map(|time| time.0),
                set.metadata.name.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
}

fn annotation<'a>(set: &'a apps::ReplicaSet, name: &str) -> Option<&'a str> {
    set.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// A number kept in an annotation.
pub fn number(set: &apps::ReplicaSet, name: &str) -> Option<i32> {
    annotation(set, name)?.parse().ok().filter(|number| *number >= 0)
}

/// The revision of a ReplicaSet, zero without one.
pub fn revision(set: &apps::ReplicaSet) -> i64 {
    annotation(set, REVISION)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Writes down the size for which a ReplicaSet is scaled; says whether something changed (`SetReplicasAnnotations`).
pub fn set_replicas_annotations(set: &mut apps::ReplicaSet, fences: Fences) -> bool {
    let annotations = set.metadata.annotations.get_or_insert_default();
    let mut changed = false;
    for (name, number) in [
        (DESIRED_REPLICAS, fences.desired),
        (MAX_REPLICAS, fences.desired + fences.surge),
    ] {
        let text = number.to_string();
        if annotations.get(name) != Some(&text) {
            annotations.insert(name.to_owned(), text);
            changed = true;
        }
    }
    changed
}

/// Takes over the Deployment's annotations and raises the revision; says whether something changed
/// (`SetNewReplicaSetAnnotations`).
pub fn set_new_annotations(deployment: &apps::Deployment, set: &mut apps::ReplicaSet, new_revision: i64) -> bool {
    let annotations = set.metadata.annotations.get_or_insert_default();
    let mut changed = false;
    for (name, value) in deployment.metadata.annotations.iter().flatten() {
        if !SKIPPED.contains(&name.as_str()) && annotations.get(name) != Some(value) {
            annotations.insert(name.clone(), value.clone());
            changed = true;
        }
    }
    let old = annotations.get(REVISION).cloned();
    let old_number: i64 = match old.as_deref().map(str::parse) {
        None => 0,
        Some(Ok(number)) => number,
        Some(Err(_)) => return false,
    };
    if old_number < new_revision {
        annotations.insert(REVISION.to_owned(), new_revision.to_string());
        changed = true;
        if let Some(old) = old {
            let known = annotations.get(REVISION_HISTORY).cloned().unwrap_or_default();
            let mut history: Vec<&str> = known.split(',').filter(|text| !text.is_empty()).collect();
            history.push(&old);
            while history.len() > 1 && history.iter().map(|text| text.len() + 1).sum::<usize>() > MAX_HISTORY {
                history.remove(0);
            }
            let history = history.join(",");
            annotations.insert(REVISION_HISTORY.to_owned(), history);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotated(pairs: &[(&str, &str)]) -> apps::ReplicaSet {
        let mut set = apps::ReplicaSet::default();
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        set.metadata.annotations = Some(pairs.collect());
        set
    }

    #[test]
    fn rolling_back_moves_the_old_revision_into_the_history() {
        let deployment = apps::Deployment::default();
        let mut set = annotated(&[(REVISION, "1")]);
        assert!(set_new_annotations(&deployment, &mut set, 3));
        assert!(set_new_annotations(&deployment, &mut set, 5));
        assert!(!set_new_annotations(&deployment, &mut set, 5));
        assert_eq!(annotation(&set, REVISION), Some("5"));
        assert_eq!(annotation(&set, REVISION_HISTORY), Some("1,3"));
    }
}
