//! An experiment with its results, made by hand: what the store keeps and the reports show.

use std::sync::Arc;

use indexmap::IndexMap;
use peapod::lab::model::{
    Cell, ClaimResult, ClusterSpec, CounterExample, DecisionTable, Ended, Expectation, ExpectationOutcome, Experiment,
    JitterMode, Observation, Outcome, Place, Rule, RunResult, RunStatus, Term, Trial, TrialResult, Until, Variable,
    Verdict,
};
use peapod::lab::model::{Condition, Expression};
use peapod::store::{EncodedTrace, FinishedTrial, NewRun};
use peapod_sim::time::{SimDuration, SimTime};
use peapod_sim::trace::{Change, LogLine, ObjectRef, Record, RuntimeEvent, Trace, Version, What};
use serde_json::{Value, json};

/// The text of the cell.
pub const SOURCE: &str = "id: exit-by-policy\ntitle: 파드는 언제 Failed가 되는가\n";

fn expression(text: &str) -> Expression {
    Expression {
        text: text.to_owned(),
        place: Place::default(),
    }
}

/// restartPolicy × exitCode.
pub fn experiment() -> Experiment {
    let variable = |name: &str, values: Vec<Value>| Variable {
        name: name.to_owned(),
        values,
    };
    let expectation = |block: &str, when: &str, condition: Condition| Expectation {
        claim: String::new(),
        block: Some(block.to_owned()),
        when: Some(expression(when)),
        condition,
        within: None,
        lasting: None,
        after: None,
        of: None,
        expected: Verdict::Holds,
        place: Place::default(),
    };
    Experiment {
        id: "exit-by-policy".to_owned(),
        title: "파드는 언제 Failed가 되는가".to_owned(),
        question: None,
        kubernetes: vec!["1.36".to_owned()],
        cluster: ClusterSpec::default(),
        variables: vec![
            variable("restartPolicy", vec![json!("Always"), json!("Never")]),
            variable("exitCode", vec![json!(0), json!(1)]),
        ],
        include: Vec::new(),
        exclude: Vec::new(),
        seed: u64::MAX,
        jitter: JitterMode::Real,
        schedules: 1,
        steps: Vec::new(),
        until: Until::For(SimDuration::from_secs(600)),
        observe: vec![Observation {
            name: "phase".to_owned(),
            expression: expression("pod('demo').status.phase"),
        }],
        expect: vec![
            expectation(
                "never-fails",
                "restartPolicy == 'Never' && exitCode != 0",
                Condition::Eventually(expression("phase == 'Failed'")),
            ),
            expectation(
                "always-never-fails",
                "restartPolicy == 'Always'",
                Condition::Never(expression("phase == 'Failed'")),
            ),
        ],
        predict: None,
        refute: Default::default(),
        first_line: 1,
        source: SOURCE.to_owned(),
    }
}

/// A run of it that is about to start.
pub fn new_run(note: &str) -> NewRun {
    NewRun {
        note: note.to_owned(),
        cell: "exit-by-policy".to_owned(),
        source: SOURCE.to_owned(),
        scratch: false,
        experiment: experiment(),
        settings: json!({"schedules": 1}),
        kubernetes: "1.36".to_owned(),
        total: 4,
    }
}

/// The trial with an index, of four.
pub fn trial(index: usize) -> FinishedTrial {
    let (policy, code) = (["Always", "Never"][index / 2], index % 2);
    let phase = match (policy, code) {
        ("Always", _) => "Running",
        (_, 0) => "Succeeded",
        _ => "Failed",
    };
    let trace = EncodedTrace::new(&trace(policy, code, phase)).expect("JSON");
    let applies = policy == "Never" && code != 0;
    let result = TrialResult {
        trial: Trial {
            index,
            variables: IndexMap::from([
                ("restartPolicy".to_owned(), json!(policy)),
                ("exitCode".to_owned(), json!(code)),
            ]),
            seed: u64::MAX,
            kubernetes: "1.36".to_owned(),
        },
        ended: Ended::Until,
        error: None,
        observations: IndexMap::from([("phase".to_owned(), json!(phase))]),
        expectations: vec![
            ExpectationOutcome {
                outcome: if applies {
                    Outcome::Holds
                } else {
                    Outcome::NotApplicable
                },
                at: applies.then_some(SimTime(3_100_000_000)),
                message: String::new(),
            },
            ExpectationOutcome {
                outcome: if policy == "Always" {
                    Outcome::Holds
                } else {
                    Outcome::NotApplicable
                },
                at: None,
                message: String::new(),
            },
        ],
        digest: trace.digest.clone(),
        notices: vec!["not simulated: seccompProfile (it is stored, and has no effect)".to_owned()],
        duration: SimDuration::from_secs(600),
        records: 6,
    };
    FinishedTrial {
        result,
        trace: Some(trace),
    }
}

/// A pod that runs for two seconds and ends.
pub fn trace(policy: &str, code: usize, phase: &str) -> Trace {
    let at = |millis: u64| SimTime(millis * 1_000_000);
    let pod = Arc::new(ObjectRef {
        kind: "Pod".into(),
        namespace: "default".into(),
        name: "demo".into(),
        uid: "u-1".into(),
    });
    let object = |phase: &str, state: Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "demo", "namespace": "default", "uid": "u-1", "creationTimestamp": "2024-08-10T10:20:53Z"},
            "spec": {"nodeName": "node-1", "restartPolicy": policy, "containers": [{"name": "app", "image": "busybox:1.36"}]},
            "status": {"phase": phase, "containerStatuses": [{"name": "app", "restartCount": 0, "ready": false, "state": state}]},
        })
    };
    let record = |millis, actor: &str, what, causes| Record {
        at: at(millis),
        actor: actor.into(),
        object: Some(pod.clone()),
        container: None,
        what,
        causes,
    };
    let write = |change, version| What::Write {
        change,
        resource_version: version,
        summary: Vec::new(),
    };
    let reason = if code == 0 { "Completed" } else { "Error" };
    let ended = json!({"terminated": {"exitCode": code, "reason": reason}});
    let version = |millis, record, change, value: Value| Version {
        at: at(millis),
        record,
        change,
        object: pod.clone(),
        value: value.into(),
    };
    Trace {
        start: "2024-08-10T10:20:53Z".into(),
        end: at(600_000),
        records: vec![
            record(
                0,
                "user",
                What::Command {
                    text: format!("apply -f - # restartPolicy: {policy}, exit {code}"),
                },
                vec![],
            ),
            record(10, "kube-apiserver", write(Change::Added, 1), vec![0]),
            record(
                1000,
                "kubelet/node-1",
                What::Runtime {
                    event: RuntimeEvent::Started,
                },
                vec![1],
            ),
            record(1100, "kubelet/node-1", write(Change::Modified, 2), vec![2]),
            record(
                3000,
                "container/default/demo/app",
                What::Runtime {
                    event: RuntimeEvent::Exited {
                        exit_code: i32::try_from(code).expect("small"),
                        reason: reason.into(),
                    },
                },
                vec![2],
            ),
            record(3100, "kubelet/node-1", write(Change::Modified, 3), vec![4]),
            record(
                3200,
                "kubelet/node-1",
                What::Event {
                    kind: if code == 0 { "Normal" } else { "Warning" }.into(),
                    reason: if code == 0 { "Completed" } else { "BackOff" }.into(),
                    message: "끝 <b>".into(),
                },
                vec![4],
            ),
        ],
        versions: vec![
            version(
                10,
                1,
                Change::Added,
                object("Pending", json!({"waiting": {"reason": "ContainerCreating"}})),
            ),
            version(
                1100,
                3,
                Change::Modified,
                object("Running", json!({"running": {"startedAt": "2024-08-10T10:20:54Z"}})),
            ),
            version(3100, 5, Change::Modified, object(phase, ended)),
        ],
        logs: vec![LogLine {
            at: at(2000),
            pod_uid: "u-1".into(),
            container: "app".into(),
            instance: 0,
            stderr: false,
            text: "안녕".into(),
        }],
    }
}

/// What the whole run gave.
pub fn result() -> RunResult {
    let claim =
        |block: &str, keyword: &str, condition: &str, verdict, trials_for, counter_example: Option<CounterExample>| {
            ClaimResult {
                claim: String::new(),
                block: Some(block.to_owned()),
                of: None,
                keyword: keyword.to_owned(),
                condition: condition.to_owned(),
                when: None,
                expected: Verdict::Holds,
                verdict,
                as_expected: verdict == Verdict::Holds,
                trials_for,
                trials_against: usize::from(counter_example.is_some()),
                counter_example,
                rule: None,
                place: Place::default(),
            }
        };
    let cells = [
        (0, 0, "Running"),
        (0, 1, "Running"),
        (1, 0, "Succeeded"),
        (1, 1, "Failed"),
    ];
    let term = |variable: &str, value: Value| Term {
        variable: variable.to_owned(),
        values: vec![value],
    };
    let experiment = experiment();
    RunResult {
        tables: vec![DecisionTable {
            variables: experiment.variables.clone(),
            outcome: "phase".to_owned(),
            cells: cells
                .iter()
                .enumerate()
                .map(|(index, (a, b, phase))| Cell {
                    values: vec![*a, *b],
                    outcome: json!(phase),
                    trials: vec![index],
                })
                .collect(),
            rules: vec![
                Rule {
                    outcome: json!("Failed"),
                    terms: vec![term("restartPolicy", json!("Never")), term("exitCode", json!(1))],
                    text: "restartPolicy = Never ∧ exitCode = 1".to_owned(),
                },
                Rule {
                    outcome: json!("Running"),
                    terms: vec![term("restartPolicy", json!("Always"))],
                    text: "restartPolicy = Always".to_owned(),
                },
            ],
            minimal: true,
        }],
        experiment,
        status: RunStatus::Finished,
        trials: (0..4).map(|index| trial(index).result).collect(),
        claims: vec![
            claim(
                "never-fails",
                "eventually",
                "phase == 'Failed'",
                Verdict::Holds,
                1,
                None,
            ),
            claim(
                "always-never-fails",
                "never",
                "phase == 'Failed'",
                Verdict::Holds,
                2,
                None,
            ),
        ],
        diagnostics: Vec::new(),
        peapod: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
