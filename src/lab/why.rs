//! Why: what the decisions in a trace mean, in words, with the page of the Kubernetes documentation that says so.
//!
//! The chain of causes itself is [`crate::timeline::why`]; here is one table with a text for every code that the
//! simulator decides by. A test reads the simulator's sources and finds codes that have none.

use crate::i18n::{Lang, fill};

/// What a code means.
struct Meaning {
    code: &'static str,
    ko: &'static str,
    en: &'static str,
    /// Page and section under <https://kubernetes.io/docs/>.
    page: &'static str,
}

const PHASE: &str = "concepts/workloads/pods/pod-lifecycle/#pod-phase";

const MEANINGS: &[Meaning] = &[
    Meaning {
        code: "autoscaler.rescale",
        ko: "오토스케일러가 레플리카를 {from}개에서 {to}개로 바꾸었다: {reason}",
        en: "the autoscaler changed the replicas from {from} to {to}: {reason}",
        page: "concepts/workloads/autoscaling/horizontal-pod-autoscale/#algorithm-details",
    },
    // Where a connection to a Service goes.
    Meaning {
        code: "service.backend",
        ko: "서비스의 포트 {port}로 온 연결을 쓸 수 있는 엔드포인트 {backends}개 중에서 무작위로 고른 {backend:으로/로} 보냈다",
        en: "the connection to port {port} of the Service went to {backend}, drawn from {backends} usable endpoints",
        page: "reference/networking/virtual-ips/",
    },
    Meaning {
        code: "service.same-backend",
        ko: "sessionAffinity가 ClientIP이므로 이 클라이언트의 연결을 지난번과 같은 {backend:으로/로} 보냈다",
        en: "session affinity is ClientIP, so this client's connection went to {backend} as before",
        page: "reference/networking/virtual-ips/#session-affinity",
    },
    Meaning {
        code: "service.no-endpoints",
        ko: "서비스의 포트 {port} 뒤에 준비된 엔드포인트가 없어서(알려진 것 {known}개) 연결을 거부했다",
        en: "no endpoint behind port {port} of the Service is ready ({known} known), so the connection was refused",
        page: "reference/networking/virtual-ips/",
    },
    Meaning {
        code: "service.no-local-endpoints",
        ko: "트래픽 정책이 Local인데 이 노드에 준비된 엔드포인트가 없어서 포트 {port}로 온 패킷을 버렸다",
        en: "the traffic policy is Local and no endpoint on this node is ready, so packets to port {port} were dropped",
        page: "reference/networking/virtual-ips/#traffic-policies",
    },
    // The phase of a pod.
    Meaning {
        code: "phase.init-failed-for-good",
        ko: "초기화 컨테이너가 실패로 끝났고 다시 시작되지 않으므로 파드는 Failed다",
        en: "an init container ended with a failure and is not restarted, so the pod is Failed",
        page: "concepts/workloads/pods/init-containers/#detailed-behavior",
    },
    Meaning {
        code: "phase.waiting-for-first-start",
        ko: "아직 한 번도 시작하지 못한 컨테이너가 있으므로 파드는 Pending이다",
        en: "a container has never started yet, so the pod is Pending",
        page: PHASE,
    },
    Meaning {
        code: "phase.container-running",
        ko: "모든 컨테이너가 한 번은 시작했고 하나라도 실행 중이므로 파드는 Running이다",
        en: "every container has started once and at least one runs, so the pod is Running",
        page: PHASE,
    },
    Meaning {
        code: "phase.will-restart",
        ko: "컨테이너가 끝났지만 restartPolicy에 따라 다시 시작될 것이므로 파드는 Running이다",
        en: "the containers ended, but the restart policy starts one again, so the pod is Running",
        page: "concepts/workloads/pods/pod-lifecycle/#restart-policy",
    },
    Meaning {
        code: "phase.all-succeeded",
        ko: "모든 컨테이너가 0으로 끝났고 다시 시작되지 않으므로 파드는 Succeeded다",
        en: "all containers ended with 0 and none is restarted, so the pod is Succeeded",
        page: PHASE,
    },
    Meaning {
        code: "phase.stopped-for-good",
        ko: "모든 컨테이너가 끝났고 아무것도 다시 시작되지 않으며 하나라도 0이 아닌 코드로 끝났으므로 파드는 Failed다",
        en: "all containers ended, none is restarted, and at least one did not end with 0, so the pod is Failed",
        page: PHASE,
    },
    Meaning {
        code: "phase.ended-all-succeeded",
        ko: "파드가 끝났고 모든 컨테이너가 0으로 끝났으므로 Succeeded다",
        en: "the pod has been ended and all its containers ended with 0, so it is Succeeded",
        page: PHASE,
    },
    Meaning {
        code: "phase.ended-some-failed",
        ko: "파드가 끝났고 0이 아닌 코드로 끝난 컨테이너가 있으므로 Failed다",
        en: "the pod has been ended and a container did not end with 0, so it is Failed",
        page: PHASE,
    },
    Meaning {
        code: "phase.unknown-containers",
        ko: "상태를 아직 모르는 컨테이너가 있으므로 파드는 Pending이다",
        en: "the state of a container is not known yet, so the pod is Pending",
        page: PHASE,
    },
    // Static pods and the end of a node.
    Meaning {
        code: "static.refused",
        ko: "kubelet은 {file}의 매니페스트를 실행하지 않는다: {message}",
        en: "the kubelet does not run the manifest in {file}: {message}",
        page: "tasks/configure-pod-container/static-pod/",
    },
    Meaning {
        code: "static.waits",
        ko: "같은 이름의 이전 정적 파드가 아직 끝나지 않았으므로 10~15초 뒤에 다시 본다",
        en: "an earlier static pod of the same name has not ended yet, so the kubelet looks again in 10 to 15 seconds",
        page: "tasks/configure-pod-container/static-pod/",
    },
    Meaning {
        code: "mirror.refused",
        ko: "API 서버가 미러 파드를 받지 않았다: {message}. 정적 파드는 그래도 실행된다",
        en: "the API server does not take the mirror pod: {message}; the static pod runs all the same",
        page: "tasks/configure-pod-container/static-pod/",
    },
    Meaning {
        code: "shutdown.ends",
        ko: "노드가 종료되는 중이고 우선순위 {priority}부터의 차례이므로 파드는 {seconds}초 안에 끝나야 한다",
        en: "the node shuts down and it is the turn of priorities from {priority} on, so the pod has {seconds} seconds to end",
        page: "concepts/cluster-administration/node-shutdown/#graceful-node-shutdown",
    },
    // Containers.
    Meaning {
        code: "restart.backoff",
        ko: "같은 컨테이너가 되풀이해 끝났으므로 다시 시작하기 전에 적어도 {wait}을 기다린다 (CrashLoopBackOff)",
        en: "the container ended again and again, so it waits at least {wait} before it is restarted (CrashLoopBackOff)",
        page: "concepts/workloads/pods/pod-lifecycle/#container-restarts",
    },
    Meaning {
        code: "kill.container",
        ko: "kubelet이 컨테이너를 끝내기로 했다: {message}",
        en: "the kubelet decided to stop the container: {message}",
        page: "concepts/workloads/pods/pod-lifecycle/#container-probes",
    },
    Meaning {
        code: "image.backoff",
        ko: "이미지를 받지 못했으므로 적어도 {wait} 뒤에 다시 받는다 (ImagePullBackOff)",
        en: "the image could not be pulled, so it is tried again after at least {wait} (ImagePullBackOff)",
        page: "concepts/containers/images/#imagepullbackoff",
    },
    Meaning {
        code: "eviction.pressure",
        ko: "{signal:이/가} {available:으로/로} 문턱값 {threshold}보다 적으므로 노드에 {condition:이/가} 생겼다",
        en: "{signal} is {available}, less than the threshold of {threshold}, so the node has {condition}",
        page: "concepts/scheduling-eviction/node-pressure-eviction/#node-conditions",
    },
    Meaning {
        code: "eviction.pressure-over",
        ko: "문턱값을 마지막으로 밑돈 뒤 evictionPressureTransitionPeriod가 지났으므로 {condition:이/가} 걷혔다",
        en: "evictionPressureTransitionPeriod has passed since the threshold was last met, so {condition} is over",
        page: "concepts/scheduling-eviction/node-pressure-eviction/#node-condition-oscillation",
    },
    Meaning {
        code: "eviction.pod",
        ko: "노드에 {resource:이/가} 모자라(문턱값 {threshold}, 남은 양 {available}) 쫓아낼 순서의 맨 앞에 있는 파드를 쫓아냈다: {order}",
        en: "the node is short of {resource} (threshold {threshold}, available {available}), so the first pod in the order of eviction had to go: {order}",
        page: "concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction",
    },
    Meaning {
        code: "eviction.storage-limit",
        ko: "파드가 쓸 수 있는 것보다 많이 썼으므로 kubelet이 쫓아냈다: {message}",
        en: "the pod has written more than it may, so the kubelet evicted it: {message}",
        page: "concepts/storage/ephemeral-storage/#resource-emphemeralstorage-consumption",
    },
    Meaning {
        code: "admission.refused",
        ko: "노드의 kubelet이 파드를 받지 않았다: {reason} ({message})",
        en: "the kubelet of the node refused the pod: {reason} ({message})",
        page: "concepts/scheduling-eviction/assign-pod-node/#nodename",
    },
    // Scheduling.
    Meaning {
        code: "schedule.node-chosen",
        ko: "들어갈 수 있는 노드 {feasible}개 가운데 {node:을/를} 골랐다",
        en: "of {feasible:feasible node/feasible nodes} the scheduler chose {node}",
        page: "concepts/scheduling-eviction/kube-scheduler/#kube-scheduler-implementation",
    },
    Meaning {
        code: "schedule.no-node",
        ko: "파드가 들어갈 노드가 없다: {message}",
        en: "no node takes the pod: {message}",
        page: "concepts/scheduling-eviction/kube-scheduler/#kube-scheduler-implementation",
    },
    // Storage.
    Meaning {
        code: "volume.bound",
        ko: "클레임과 볼륨 {volume:이/가} 서로 짝이 되었다",
        en: "the claim and the volume {volume} were bound to each other",
        page: "concepts/storage/persistent-volumes/#binding",
    },
    Meaning {
        code: "volume.node-chosen",
        ko: "클레임은 첫 소비자를 기다렸고, 파드가 {node:으로/로} 정해졌으므로 이제 그 노드를 위한 볼륨을 만든다",
        en: "the claim waited for its first consumer; the pod goes to {node}, so a volume is made for that node now",
        page: "concepts/storage/storage-classes/#volume-binding-mode",
    },
    Meaning {
        code: "volume.multi-attach",
        ko: "볼륨 {volume:은/는} 한 노드에만 붙을 수 있는데 아직 {node}에 붙어 있다",
        en: "the volume {volume} can be attached to one node only and is still attached to {node}",
        page: "concepts/storage/persistent-volumes/#access-modes",
    },
    // Workloads.
    Meaning {
        code: "deployment.scale",
        ko: "롤아웃의 다음 단계: {replicaSet}의 복제본을 {from}에서 {to:으로/로} 바꾼다",
        en: "the next step of the rollout: {replicaSet} goes from {from} to {to:replica/replicas}",
        page: "concepts/workloads/controllers/deployment/#rolling-update-deployment",
    },
    Meaning {
        code: "replicaset.too-few",
        ko: "살아 있는 파드가 {active}개뿐이고 {wanted}개가 있어야 하므로 새로 만든다",
        en: "there are {active:active pod/active pods} and {wanted} are wanted, so pods are created",
        page: "concepts/workloads/controllers/replicaset/#how-a-replicaset-works",
    },
    Meaning {
        code: "replicaset.too-many",
        ko: "살아 있는 파드가 {active}개이고 {wanted}개면 되므로 남는 파드를 지운다",
        en: "there are {active:active pod/active pods} and {wanted} are wanted, so some are deleted",
        page: "concepts/workloads/controllers/replicaset/#how-a-replicaset-works",
    },
    Meaning {
        code: "job.too-few",
        ko: "Job의 살아 있는 파드가 {active}개이고 {wanted}개가 있어야 하므로 새로 만든다",
        en: "the Job has {active:active pod/active pods} and wants {wanted}, so pods are created",
        page: "concepts/workloads/controllers/job/#parallel-jobs",
    },
    Meaning {
        code: "job.backoff",
        ko: "Job의 파드가 {failures}번 실패했으므로 {wait}초를 더 기다린 뒤에 새로 만든다",
        en: "pods of the Job failed {failures:time/times}, so the next one waits for {wait} s more",
        page: "concepts/workloads/controllers/job/#pod-backoff-failure-policy",
    },
    Meaning {
        code: "job.finished",
        ko: "Job이 끝났다: {condition} {reason} {message}",
        en: "the Job is finished: {condition} {reason} {message}",
        page: "concepts/workloads/controllers/job/#job-termination-and-cleanup",
    },
    Meaning {
        code: "statefulset.roll",
        ko: "{pod:은/는} 옛 템플릿으로 만들어졌으므로 지워지고, 리비전 {revision:으로/로} 다시 만들어진다",
        en: "{pod} was made from an older template, so it is deleted and made again at revision {revision}",
        page: "concepts/workloads/controllers/statefulset/#rolling-updates",
    },
    Meaning {
        code: "cronjob.start",
        ko: "일정에 따라 {time}이 되었으므로 Job {job:을/를} 만든다",
        en: "by the schedule {time} has come, so the Job {job} is made",
        page: "concepts/workloads/controllers/cron-jobs/#schedule-syntax",
    },
    // Collecting.
    Meaning {
        code: "gc.delete-dependent",
        ko: "주인({owners})이 없어졌으므로 딸린 오브젝트를 지운다",
        en: "its owner ({owners}) is gone, so the dependent is deleted",
        page: "concepts/architecture/garbage-collection/#owners-dependents",
    },
    Meaning {
        code: "gc.drop-reference",
        ko: "주인 하나({owners})가 없어졌고 다른 주인이 남았으므로 참조만 지운다",
        en: "one owner ({owners}) is gone and another is left, so only the reference is taken out",
        page: "concepts/architecture/garbage-collection/#owners-dependents",
    },
    Meaning {
        code: "podgc.delete",
        ko: "파드 가비지 컬렉터가 파드를 지운다: {why}",
        en: "the pod garbage collector deletes the pod: {why}",
        page: "concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection",
    },
    // Nodes.
    Meaning {
        code: "node.unknown",
        ko: "kubelet이 {silence} 동안 소식이 없으므로 노드의 상태는 Unknown이 된다",
        en: "nothing was heard of the kubelet for {silence}, so the node's conditions become Unknown",
        page: "reference/node/node-status/#heartbeats",
    },
    Meaning {
        code: "node.taint",
        ko: "노드의 상태에 따라 테인트 {taint:을/를} 단다",
        en: "by the node's condition it gets the taint {taint}",
        page: "concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions",
    },
    Meaning {
        code: "taint.evict",
        ko: "{node}의 NoExecute 테인트를 참는 시간이 지났으므로 파드를 지운다",
        en: "the pod tolerated the NoExecute taint of {node} no longer, so it is deleted",
        page: "concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions",
    },
];

fn meaning(code: &str) -> Option<&'static Meaning> {
    MEANINGS.iter().find(|meaning| meaning.code == code)
}

/// A decision of Kubernetes in words; `None` for a code of another version that has none here.
pub fn decision(lang: Lang, code: &str, values: &[(String, String)]) -> Option<String> {
    let meaning = meaning(code)?;
    let template = match lang {
        Lang::Ko => meaning.ko,
        Lang::En => meaning.en,
    };
    let values: Vec<(&str, String)> = values
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    Some(fill(lang, template, &values).trim_end().to_owned())
}

/// The page of the Kubernetes documentation that says so.
pub fn page(lang: Lang, code: &str) -> Option<String> {
    let prefix = match lang {
        Lang::Ko => "https://kubernetes.io/ko/docs/",
        Lang::En => "https://kubernetes.io/docs/",
    };
    Some(format!("{prefix}{}", meaning(code)?.page))
}

/// Where the source of a rule can be read: `pkg/kubelet/kubelet_pods.go getPhase` names a file of Kubernetes.
pub fn source(rule: &str) -> Option<String> {
    let (path, _) = rule.split_once(' ')?;
    path.ends_with(".go")
        .then(|| format!("https://github.com/kubernetes/kubernetes/blob/v1.36.2/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Every text between quotes in the simulator's sources that has the form of a code.
    fn codes(folder: &Path, found: &mut BTreeSet<String>) {
        let literal = regex::Regex::new(r#""([a-z]+\.[a-z]+(?:-[a-z]+)*)""#).expect("a regular expression");
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                codes(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                let text = text.split("#[cfg(test)]").next().unwrap_or_default();
                found.extend(literal.captures_iter(text).map(|found| found[1].to_owned()));
            }
        }
    }

    #[test]
    fn every_code_has_words_in_both_languages() {
        let mut found = BTreeSet::new();
        codes(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/sim/src"),
            &mut found,
        );
        // What has the form of a code and is none: hosts, files, fields, and what manifests are told.
        let other = |code: &str| {
            let (head, tail) = code.split_once('.').unwrap_or_default();
            let heads = [
                "manifest", "metadata", "spec", "status", "involved", "limits", "requests", "services", "tls", "ca",
                "http", "cgroup", "cpu", "memory", "pids",
            ];
            let tails = [
                "available",
                "io",
                "yaml",
                "com",
                "org",
                "go",
                "conf",
                "local",
                "html",
                "sh",
                "txt",
                "net",
                "apps",
                "batch",
                "core",
                "rs",
            ];
            heads.contains(&head) || tails.contains(&tail)
        };
        let missing: Vec<&String> = found
            .iter()
            .filter(|code| !other(code) && meaning(code).is_none())
            .collect();
        assert!(missing.is_empty(), "codes without words in src/lab/why.rs: {missing:?}");
        assert!(found.contains("phase.stopped-for-good") && found.contains("schedule.no-node"));
        for meaning in MEANINGS {
            assert!(found.contains(meaning.code), "nothing decides by {}", meaning.code);
        }
    }

    #[test]
    fn values_are_filled_in() {
        let values = [
            ("node".to_owned(), "node-1".to_owned()),
            ("feasible".to_owned(), "3".to_owned()),
        ];
        assert_eq!(
            decision(Lang::En, "schedule.node-chosen", &values).as_deref(),
            Some("of 3 feasible nodes the scheduler chose node-1")
        );
        assert_eq!(
            decision(Lang::Ko, "schedule.node-chosen", &values).as_deref(),
            Some("들어갈 수 있는 노드 3개 가운데 node-1을 골랐다")
        );
        assert_eq!(decision(Lang::En, "of.tomorrow", &[]), None);
        assert_eq!(
            source("pkg/kubelet/kubelet_pods.go getPhase").as_deref(),
            Some("https://github.com/kubernetes/kubernetes/blob/v1.36.2/pkg/kubelet/kubelet_pods.go")
        );
    }
}
