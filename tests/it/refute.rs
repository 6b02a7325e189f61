//! Counter-examples of false claims, on the real simulator.

use peapod::lab;
use peapod::lab::model::Outcome;
use peapod::lab::refute::{Change, Refutation, Search, refute};

fn search(text: &str) -> Refutation {
    let reading = lab::read(text, None, 1);
    assert_eq!(reading.diagnostics, [], "{text}");
    let experiment = reading.experiment.expect("an experiment");
    let found = refute(&experiment, 0, &Search::default()).expect("it runs");
    let alone = Search {
        threads: 1,
        ..Search::default()
    };
    assert_eq!(
        refute(&experiment, 0, &alone).expect("it runs"),
        found,
        "whatever the threads"
    );
    found
}

/// The changes of the case that was found, in words.
fn words(found: &Refutation) -> Vec<String> {
    let case = found.case.as_ref().unwrap_or_else(|| panic!("no case: {found:?}"));
    assert_eq!(case.outcome.outcome, Outcome::Fails);
    case.changes.iter().map(ToString::to_string).collect()
}

const POD: &str = "
steps:
  - apply: |
      apiVersion: v1
      kind: Pod
      metadata: {name: demo}
      spec:
        restartPolicy: Never
        containers:
        - {name: app, image: 'busybox:1.36', command: [sh, -c, 'sleep 2; exit 1']}
until: 1m
";

#[test]
fn five_false_claims() {
    // A container that fails makes its pod Failed: not if it is restarted.
    let found = search(&format!(
        "{POD}expect:\n- {{claim: c, eventually: \"pod('demo').status.phase == 'Failed'\"}}"
    ));
    assert_eq!(words(&found), ["Pod demo: spec.restartPolicy: \"Never\" → \"Always\""]);

    // A pod that is created runs: not on every cluster, whatever its containers do.
    let found = search(&format!(
        "{POD}refute: {{keep: [spec.restartPolicy, spec.containers]}}\nexpect:\n- {{claim: c, eventually: \"pod('demo').status.phase == 'Running'\"}}"
    ));
    assert_eq!(words(&found).len(), 1, "{found:?}");

    // A declared space is all that is tried, in its order: other codes than 0 change nothing.
    let found = search(&format!(
        "{POD}refute: {{vary: {{\"spec.containers[app].command[2]\": ['exit 1', 'exit 3', 'exit 0']}}}}\nexpect:\n- {{claim: c, finally: \"pod('demo').status.phase == 'Failed'\"}}"
    ));
    assert_eq!(
        words(&found),
        ["Pod demo: spec.containers[app].command[2]: \"sleep 2; exit 1\" → \"exit 0\""]
    );

    // A container that does not end is never restarted: not if it is killed.
    let always = POD.replace("Never", "Always").replace("sleep 2; exit 1", "sleep 3600");
    let found = search(&format!(
        "{always}refute: {{faults: [{{container: demo/app, kill: SIGKILL}}, {{node: node-1, shutdown: true}}], at: [20s]}}\nexpect:\n- {{claim: c, always: \"container('demo','app').restartCount == 0\", after: 10s}}"
    ));
    let case = found.case.as_ref().expect("a case");
    assert!(matches!(case.changes.as_slice(), [Change::Fault { .. }]), "{case:?}");

    // A deadline does not matter to what ends soon: only together with restarts it does.
    let found = search(&format!(
        "{POD}refute: {{vary: {{spec.restartPolicy: [OnFailure], spec.activeDeadlineSeconds: [600, 40]}}}}\nexpect:\n- {{claim: c, never: \"pod('demo').status.reason == 'DeadlineExceeded'\"}}"
    ));
    let mut both = words(&found);
    both.sort();
    assert_eq!(
        both,
        [
            "Pod demo: spec.activeDeadlineSeconds: 40 (added)",
            "Pod demo: spec.restartPolicy: \"Never\" → \"OnFailure\"",
        ]
    );
    assert_eq!(found.depth, 2);
}

#[test]
fn what_holds_is_not_refuted_and_what_fails_by_itself_needs_no_change() {
    let kept = "refute: {vary: {spec.restartPolicy: [OnFailure, Always]}}";
    let found = search(&format!(
        "{POD}{kept}\nexpect:\n- {{claim: c, eventually: \"exists('Pod', 'demo')\"}}"
    ));
    assert_eq!(
        (found.case.is_none(), found.complete, found.depth, found.changes),
        (true, true, 2, 2)
    );
    assert_eq!(
        found.tried, 3,
        "the note's own, and each change; the two do not go together"
    );

    let found = search(&format!(
        "{POD}expect:\n- {{claim: c, never: \"exists('Pod', 'demo')\"}}"
    ));
    assert_eq!((words(&found).len(), found.tried), (0, 1));
}

#[test]
fn a_field_of_a_variable_is_the_experiments_own() {
    let found = search(
        "variables: {code: [0]}
steps:
- apply: |
    apiVersion: v1
    kind: Pod
    metadata: {name: demo}
    spec:
      restartPolicy: Never
      containers:
      - {name: app, image: 'busybox:1.36', command: [sh, -c, 'exit {{ code }}']}
refute: {vary: {'spec.containers[app].command[2]': [exit 1], spec.containers: [[]]}}
until: 20s
expect:
- {claim: c, finally: \"pod('demo').status.phase == 'Succeeded'\"}",
    );
    assert_eq!((found.changes, found.case.is_none()), (0, true));
}

#[test]
fn what_is_wrong_with_refute_has_its_place() {
    let reading = lab::read(
        "refute:\n  varry: {}\n  at: [soon]\n  vary: {'a..b': [1]}\nsteps:\n- kubectl: get pods\n",
        Some("note.md"),
        10,
    );
    let said: Vec<String> = reading.diagnostics.iter().map(|said| said.to_string()).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(
        said[0].starts_with("note.md:11:3: error: `refute` has no key `varry`"),
        "{said:?}"
    );
    assert!(said[0].contains("`vary`"), "{said:?}");
}
