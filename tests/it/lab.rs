//! Experiments from the text of a note to their verdicts, on the real simulator.

use std::collections::BTreeMap;

use peapod::i18n::Lang;
use peapod::lab::model::{Ended, Outcome, RunResult, RunStatus, Verdict};
use peapod::lab::{self, Cancel, RunEvent, Runner};
use peapod::timeline;
use peapod_sim::trace::{Trace, What};
use serde_json::{Value, json};

const FAILED_PHASE: &str = include_str!("../data/lab/failed-phase.yaml");

fn run_with(text: &str, threads: usize) -> (RunResult, BTreeMap<usize, Trace>) {
    let reading = lab::read(text, Some("note.md"), 1);
    assert_eq!(reading.diagnostics, [], "{text}");
    let runner = Runner::new(reading.experiment.expect("an experiment"))
        .expect("it compiles")
        .threads(threads);
    let mut traces = BTreeMap::new();
    let result = runner.run(&mut |event| {
        if let RunEvent::Trial { result, trace, json } = event {
            assert_eq!(serde_json::from_slice::<Trace>(json).expect("JSON"), *trace);
            traces.insert(result.trial.index, trace.clone());
        }
    });
    (result, traces)
}

fn run(text: &str) -> (RunResult, BTreeMap<usize, Trace>) {
    run_with(text, 2)
}

#[test]
fn when_a_pod_goes_failed() {
    let (result, traces) = run(FAILED_PHASE);
    assert_eq!(result.status, RunStatus::Finished);
    assert_eq!(result.trials.len(), 9);
    assert!(
        result
            .trials
            .iter()
            .all(|trial| trial.ended == Ended::Until && trial.error.is_none())
    );
    let verdicts: Vec<(Verdict, bool)> = result
        .claims
        .iter()
        .map(|claim| (claim.verdict, claim.as_expected))
        .collect();
    let holds = (Verdict::Holds, true);
    assert_eq!(
        verdicts,
        [holds, holds, holds, (Verdict::Depends, true)],
        "{:#?}",
        result.claims
    );
    assert_eq!(result.claims[3].rule.as_deref(), Some("restartPolicy = Never"));

    let phase = &result.tables[0];
    assert!(phase.minimal);
    let rules: Vec<(String, &str)> = phase
        .rules
        .iter()
        .map(|rule| (rule.outcome.to_string(), rule.text.as_str()))
        .collect();
    assert!(
        rules.contains(&("\"Failed\"".to_owned(), "restartPolicy = Never ∧ exitCode ≠ 0")),
        "{rules:?}"
    );
    assert!(
        rules.contains(&("\"Succeeded\"".to_owned(), "restartPolicy ≠ Always ∧ exitCode = 0")),
        "{rules:?}"
    );
    assert_eq!(rules.len(), 4, "Running has two ways: {rules:?}");

    // Why did it go Failed? The chain leads from the write of the phase to the person who applied the manifest.
    let failed = result
        .trials
        .iter()
        .position(|trial| trial.observations["phase"] == json!("Failed"))
        .expect("one failed");
    let trace = &traces[&failed];
    let write = trace
        .records
        .iter()
        .position(|record| match &record.what {
            What::Write { summary, .. } => summary
                .iter()
                .any(|change| change.path == "status.phase" && change.to == json!("Failed")),
            _ => false,
        })
        .expect("the phase was written");
    let chain = timeline::why::chain(trace, u32::try_from(write).expect("few records"));
    let decided = chain.iter().find_map(|(_, record)| match &record.what {
        What::Decision { code, values, .. } if code.starts_with("phase.") => lab::why::decision(Lang::En, code, values),
        _ => None,
    });
    assert!(
        decided.is_some_and(|text| text.ends_with("so the pod is Failed")),
        "{chain:#?}"
    );
    assert!(
        chain.iter().any(
            |(_, record)| matches!(&record.what, What::Runtime { event } if format!("{event:?}").contains("Exited"))
        )
    );
    assert!(
        matches!(&chain.last().expect("links").1.what, What::Command { text } if text.starts_with("kubectl apply"))
    );
}

#[test]
fn results_do_not_depend_on_threads() {
    let digests = |threads: usize| -> Vec<String> {
        run_with(FAILED_PHASE, threads)
            .0
            .trials
            .into_iter()
            .map(|trial| trial.digest)
            .collect()
    };
    let one = digests(1);
    assert_eq!(one, digests(4));
    let unique: std::collections::BTreeSet<&String> = one.iter().collect();
    assert_eq!(unique.len(), 9, "different trials have different traces");
}

/// The outcomes of the expectations of a single trial.
#[test]
fn verdicts_need_no_trace() {
    let experiment = lab::read(FAILED_PHASE, Some("note.md"), 1)
        .experiment
        .expect("an experiment");
    let mut bytes = 0;
    let mut without = Runner::new(experiment)
        .expect("it compiles")
        .without_traces()
        .run(&mut |event| {
            if let RunEvent::Trial { json, .. } = event {
                bytes += json.len();
            }
        });
    assert_eq!(bytes, 0);
    let (mut with, _) = run(FAILED_PHASE);
    for trial in with.trials.iter_mut().chain(&mut without.trials) {
        trial.digest.clear();
    }
    assert_eq!(with, without);
}

fn outcomes(text: &str) -> Vec<(Outcome, String)> {
    let (result, _) = run(text);
    let trial = &result.trials[0];
    assert!(trial.error.is_none(), "{:?}", trial.error);
    trial
        .expectations
        .iter()
        .map(|outcome| (outcome.outcome, outcome.message.clone()))
        .collect()
}

#[test]
fn steps_waits_and_faults_are_done_in_order() {
    let outcomes = outcomes(
        "
steps:
  - apply: |
      apiVersion: v1
      kind: Pod
      metadata: {name: demo}
      spec:
        containers: [{name: app, image: 'busybox:1.36', command: [sh, -c, 'echo hello; sleep 3600']}]
  - wait: {for: \"pod('demo').status.phase == 'Running'\", timeout: 1m}
  - after: 10s
    fault: {container: demo/app, kill: SIGKILL}
  - wait: {for: \"container('demo', 'app').restartCount == 1\", timeout: 1m}
  - kubectl: delete pod demo --grace-period=3
until: 2m
expect:
  - eventually: container('demo', 'app').lastState.exitCode == 137
  - eventually: logs('demo').contains('hello')
    within: 10s
  - finally: \"!exists('Pod', 'demo')\"
  - always: t > 0 && t <= 120 || t == 0
  - never: pod('demo').status.phase == 'Succeeded'
  - eventually: pod('demo').metadata.deletionTimestamp != null
  - eventually: pod('demo').status.phase == 'Succeeded'
",
    );
    for (outcome, message) in &outcomes[..6] {
        assert_eq!((*outcome, message.as_str()), (Outcome::Holds, ""));
    }
    assert_eq!(outcomes[6].0, Outcome::Fails);
    assert!(outcomes[6].1.contains("did not come to hold"), "{}", outcomes[6].1);
}

#[test]
fn a_trial_that_fails_is_a_result() {
    let (result, _) = run("
variables: {image: ['busybox:1.36', 'Not A Name']}
steps:
  - apply: |
      apiVersion: v1
      kind: Pod
      metadata: {name: demo}
      spec: {restartPolicy: Never, containers: [{name: app, image: 'busybox:1.36', command: [sh, -c, 'exit 0']}]}
  - when: image != 'busybox:1.36'
    kubectl: delete pod nobody
until: 30s
observe: {phase: pod('demo').status.phase}
expect:
  - finally: phase == 'Succeeded'
");
    assert_eq!(result.status, RunStatus::Finished);
    assert_eq!(
        (result.trials[0].ended, result.trials[1].ended),
        (Ended::Until, Ended::Error)
    );
    let error = result.trials[1].error.as_ref().expect("an error");
    assert_eq!(error.line, 10);
    assert!(error.message.contains("pods \"nobody\" not found"), "{error}");
    assert_eq!(result.trials[1].expectations[0].outcome, Outcome::Undecided);
    assert_eq!(
        result.claims[0].verdict,
        Verdict::Unchecked,
        "the other trial might show the contrary"
    );
}

#[test]
fn a_command_that_fails_for_one_object_fails_after_its_wait_for_another() {
    let (result, _) = run("
steps:
  - apply: |
      apiVersion: v1
      kind: Pod
      metadata: {name: demo}
      spec: {containers: [{name: app, image: 'busybox:1.36', command: [sleep, 1h]}]}
  - wait: {for: \"pods().exists(p, p.status.phase == 'Running')\", timeout: 1m}
  - kubectl: delete pod demo nobody
until: 2m
observe: {there: \"exists('Pod', 'demo')\"}
");
    let trial = &result.trials[0];
    assert_eq!(trial.ended, Ended::Error, "{trial:?}");
    let error = trial.error.as_ref().expect("an error");
    assert!(error.message.contains("pods \"nobody\" not found"), "{error}");
    assert_eq!(trial.observations["there"], json!(false));
}

#[test]
fn an_endless_loop_in_a_container_costs_virtual_time_only() {
    let began = std::time::Instant::now();
    let (result, _) = run("
steps:
  - apply: |
      apiVersion: v1
      kind: Pod
      metadata: {name: demo}
      spec: {containers: [{name: app, image: 'busybox:1.36', command: [sh, -c, 'while true; do :; done']}]}
until: 1m
observe: {phase: pod('demo').status.phase}
");
    assert_eq!(
        result.trials[0].observations["phase"],
        json!("Running"),
        "{:?}",
        result.trials[0]
    );
    assert!(began.elapsed() < std::time::Duration::from_secs(30));
}

#[test]
fn an_unknown_tag_fails_to_pull_as_it_really_would() {
    let (result, _) = run("
steps:
  - apply: |
      apiVersion: v1
      kind: Pod
      metadata: {name: demo}
      spec: {containers: [{name: app, image: 'nginx:1.14.2-nothing'}]}
until: 1m
observe:
  reason: container('demo', 'app').state.reason
  phase: pod('demo').status.phase
");
    let observed = &result.trials[0].observations;
    assert_eq!(observed["phase"], json!("Pending"));
    assert!(
        ["ErrImagePull", "ImagePullBackOff"].contains(&observed["reason"].as_str().unwrap_or_default()),
        "{observed:?}"
    );
}

#[test]
fn bad_manifests_are_said_in_the_api_servers_words_at_their_place() {
    let text = "\
steps:
  - apply: |
      apiVersion: v1
      kind: Pod
      metadata: {name: demo}
      spec:
        containers:
        - name: app
          imagee: busybox:1.36
until: 1m
";
    let reading = lab::read(text, Some("파드.md"), 40);
    assert!(reading.experiment.is_none());
    let unknown = reading
        .diagnostics
        .iter()
        .find(|said| said.code == "manifest.unknown-field")
        .expect("found");
    assert_eq!((unknown.line, unknown.column), (48, 11), "{unknown}");
    assert!(
        unknown.message.contains("unknown field \"spec.containers[0].imagee\""),
        "{unknown}"
    );
    assert!(unknown.to_string().starts_with("파드.md:48:11: error: "));

    let cell = lab::cell::manifest(
        "pod",
        &text
            .replace("steps:\n  - apply: |\n", "")
            .replace("      ", "")
            .replace("until: 1m\n", ""),
        None,
        7,
    );
    assert!(cell.experiment.is_none(), "the same in a manifest cell");
}

#[test]
fn a_manifest_by_itself_runs_until_it_settles() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: once}
spec:
  restartPolicy: Never
  containers: [{name: app, image: 'busybox:1.36', command: [sh, -c, 'sleep 3']}]
";
    let reading = lab::cell::manifest("pod-once", text, None, 1);
    assert_eq!(reading.diagnostics, []);
    let result = Runner::new(reading.experiment.expect("an experiment"))
        .expect("it compiles")
        .run(&mut |_| {});
    let [trial] = result.trials.as_slice() else {
        panic!("one trial")
    };
    assert!(trial.error.is_none(), "{:?}", trial.error);
    assert!(matches!(trial.ended, Ended::Settled | Ended::Cap));
    assert!(trial.duration.as_secs() <= 120 && trial.duration.as_secs() >= 3);
}

#[test]
fn a_console_prints_what_the_note_shows() {
    let manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: demo}\nspec: {containers: [{name: app, image: 'busybox:1.36', command: [sleep, '3600']}]}\n";
    let text = "\
$ kubectl get pod demo
NAME   READY   STATUS    RESTARTS   AGE
demo   1/1     Running   0          …
$ kubectl get pod nobody
Error from server (NotFound): pods \"nobody\" not found
$ sleep 60
$ kubectl get pod demo -o jsonpath='{.status.phase}'
Pending
";
    let reading = lab::cell::console("console", text, &[(manifest, 3)], Some("n.md"), 10);
    assert_eq!(reading.diagnostics, []);
    let result = Runner::new(reading.experiment.expect("an experiment"))
        .expect("it compiles")
        .run(&mut |_| {});
    let shown: Vec<(Verdict, u32)> = result
        .claims
        .iter()
        .map(|claim| (claim.verdict, claim.place.line))
        .collect();
    assert_eq!(
        shown,
        [(Verdict::Holds, 10), (Verdict::Holds, 13), (Verdict::Fails, 16)],
        "{:#?}",
        result.claims
    );
    let message = &result.claims[2]
        .counter_example
        .as_ref()
        .expect("a counter-example")
        .message;
    assert!(message.ends_with("Running"), "{message}");
}

#[test]
fn a_run_can_be_stopped_and_gone_on_with() {
    let experiment = lab::read(FAILED_PHASE, None, 1).experiment.expect("an experiment");
    let whole = Runner::new(experiment.clone()).expect("it compiles").run(&mut |_| {});
    let cancel = Cancel::new();
    let stop = cancel.clone();
    let part = Runner::new(experiment.clone())
        .expect("it compiles")
        .threads(1)
        .cancelled_by(cancel)
        .run(&mut |event| {
            if let RunEvent::Progress(progress) = event
                && progress.done == 4
            {
                stop.cancel();
            }
        });
    assert_eq!((part.status, part.trials.len()), (RunStatus::Cancelled, 4));
    let mut ran = 0;
    let rest = Runner::new(experiment)
        .expect("it compiles")
        .resume(part.trials)
        .run(&mut |event| {
            ran += usize::from(matches!(event, RunEvent::Trial { .. }));
        });
    assert_eq!((ran, rest.trials), (5, whole.trials));
    assert_eq!(rest.claims, whole.claims);
}

#[test]
fn the_command_line_shows_and_checks() {
    let folder = tempfile::tempdir().expect("a folder");
    let note = format!("# 노트\n\n```experiment\n{FAILED_PHASE}```\n\nNever이면 Failed가 된다. ^never-fails\n");
    std::fs::write(folder.path().join("노트.md"), &note).expect("written");
    let peapod = |arguments: &[&str]| {
        let output = crate::cli::peapod()
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("peapod starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, shown, said) = peapod(&["run", "노트#exit-by-policy", "--no-save"]);
    assert_eq!(code, Some(0), "{shown}{said}");
    assert!(!folder.path().join(".peapod").exists(), "nothing is kept");
    let (code, shown, said) = peapod(&["run", "노트#exit-by-policy"]);
    assert_eq!(code, Some(0), "{shown}{said}");
    assert!(shown.contains("✓ holds     Never이면 Failed가 된다."), "{shown}");
    assert!(
        shown.contains("Failed    ⇐ restartPolicy = Never ∧ exitCode ≠ 0"),
        "{shown}"
    );
    let (code, shown, _) = peapod(&["run", "노트", "--json"]);
    let results: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((code, &results[0]["result"]["status"]), (Some(0), &json!("finished")));
    let kept = tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let store = peapod::store::Store::of_vault(folder.path());
        store.history("노트.md", "exit-by-policy").await.expect("a history")
    });
    assert_eq!(kept.len(), 2, "both runs are kept beside the note");
    assert!(kept.iter().all(|run| run.status == RunStatus::Finished));
    let (code, shown, said) = peapod(&["check", "."]);
    assert_eq!(code, Some(0), "{shown}{said}");
    assert!(shown.contains("1 cell, 9 trials, 4 claims: all as written"), "{shown}");

    // A claim that is wrong is 1; a cell that cannot be read is 2.
    std::fs::write(
        folder.path().join("노트.md"),
        note.replace("never: phase == 'Failed'", "never: phase == 'Running'"),
    )
    .expect("written");
    let (code, shown, _) = peapod(&["check", "."]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(
        shown.contains("it holds in none of 3 trials, and the note expects that it holds"),
        "{shown}"
    );
    let (code, shown, _) = peapod(&["check", ".", "--format", "junit"]);
    assert_eq!(code, Some(1));
    assert!(shown.contains("tests=\"4\" failures=\"1\" errors=\"0\""), "{shown}");
    std::fs::write(
        folder.path().join("노트.md"),
        note.replace("status.phase", "status.phse"),
    )
    .expect("written");
    let (code, shown, _) = peapod(&["check", "."]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("노트.md:23:"), "{shown}");
    assert!(shown.contains("did you mean `phase`?"), "{shown}");
    let (code, _, said) = peapod(&["run", "노트#nothing"]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("has no cell \"nothing\"; it has exit-by-policy"),
        "{said}"
    );
}

#[test]
fn a_node_with_static_pods_that_shuts_down() {
    let (result, _) = run(r#"
title: static pods and a shutdown
cluster:
  nodes: 2
  settings:
    shutdownGracePeriodByPodPriority:
    - {priority: 0, shutdownGracePeriodSeconds: 20}
    - {priority: 1000, shutdownGracePeriodSeconds: 5}
  static:
    node-1:
      web.yaml: |
        apiVersion: v1
        kind: Pod
        metadata: {name: web}
        spec:
          terminationGracePeriodSeconds: {{ grace }}
          containers: [{name: c, image: "nginx:1.27"}]
variables:
  grace: [1, 2]
steps:
  - wait: {for: "pod('web-node-1').status.phase == 'Running'", timeout: 20s}
  - fault:
      node: node-2
      staticPod:
        write: other.yaml
        manifest: |
          apiVersion: v1
          kind: Pod
          metadata: {name: other}
          spec: {containers: [{name: c, image: "busybox:1.36", command: [sh, -c, "echo up; sleep 3600"]}]}
  - after: 20s
    kubectl: delete pod other-node-2 --wait=false
  - at: 60s
    fault: {node: node-1, shutdown: true}
until: 120s
observe:
  grace_of: pod('web-node-1').spec.terminationGracePeriodSeconds
expect:
  - eventually: logs('other-node-2') == 'up\n'
    claim: its log can be read
  - eventually: pod('web-node-1').status.reason == 'Terminated'
    claim: it is ended
    after: 60s
    within: 5s
  - finally: pod('other-node-2').status.phase == 'Running' && container('other-node-2', 'c').restartCount == 0
    claim: a deleted mirror comes back
  - eventually: condition(node('node-1'), 'Ready').message == 'node is shutting down'
    claim: the node says why
"#);
    assert_eq!(result.status, RunStatus::Finished);
    let errors: Vec<_> = result.trials.iter().filter_map(|trial| trial.error.as_ref()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    for claim in &result.claims {
        assert_eq!(claim.verdict, Verdict::Holds, "{claim:#?}");
    }
    let graces: Vec<&Value> = result
        .trials
        .iter()
        .map(|trial| &trial.observations["grace_of"])
        .collect();
    assert_eq!(graces, [&json!(1), &json!(2)]);
}
