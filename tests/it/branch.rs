//! Other futures of a trial, and where they part.

use peapod::lab;
use peapod::lab::branch::{Deed, future, no_return};
use peapod::lab::model::{Experiment, Outcome};
use peapod::timeline::compare::compare;
use peapod_sim::time::SimDuration;
use peapod_sim::trace::What;

const TEXT: &str = "
variables: {code: [0, 1]}
steps:
  - apply: |
      apiVersion: v1
      kind: Pod
      metadata: {name: demo}
      spec:
        restartPolicy: Never
        containers:
        - {name: app, image: 'busybox:1.36', command: [sh, -c, 'sleep 20; exit {{ code }}']}
  - wait: {for: \"pod('demo').status.phase in ['Succeeded', 'Failed']\", timeout: 5m, orElse: continue}
until: 2m
observe: {phase: pod('demo').status.phase}
expect:
- {claim: it succeeds, finally: \"pod('demo').status.phase == 'Succeeded'\"}
";

fn experiment(text: &str) -> Experiment {
    let reading = lab::read(text, None, 1);
    assert_eq!(reading.diagnostics, [], "{text}");
    reading.experiment.expect("an experiment")
}

fn deed(text: &str) -> Deed {
    Deed::read(text).unwrap_or_else(|said| panic!("{text}: {said}"))
}

#[test]
fn a_branch_that_changes_nothing_has_the_identical_trace() {
    for text in [
        TEXT,
        "steps:\n- kubectl: create deployment web --image=nginx:1.27 --replicas=2\n- after: 20s\n  fault: {node: node-1, crash: true}\nuntil: settled\n",
    ] {
        let experiment = experiment(text);
        let (result, trace) = future(&experiment, 0, &[], true).expect("it runs");
        let (again, same) = future(&experiment, 0, &[], true).expect("it runs");
        assert_eq!((&result, &trace), (&again, &same));
        assert!(compare(&trace, &same).is_none());
        // What only looks is a command in the trace, and shifts nothing else.
        for at in [1, 7, 15, 33, 64] {
            let looks = [(SimDuration::from_secs(at), deed("kubectl get pods"))];
            let (_, looked) = future(&experiment, 0, &looks, true).expect("it runs");
            assert_eq!(compare(&trace, &looked).course, None, "at {at}");
            let others = |trace: &peapod_sim::trace::Trace| -> Vec<_> {
                let others = trace
                    .records
                    .iter()
                    .filter(|record| !matches!(record.what, What::Command { .. }));
                others
                    .map(|record| (record.at, record.actor.clone(), record.what.clone()))
                    .collect()
            };
            assert_eq!(others(&trace), others(&looked), "at {at}");
            assert_eq!(trace.versions.len(), looked.versions.len());
        }
    }
}

#[test]
fn a_deed_parts_the_futures_at_its_instant_and_its_causes_lead_back_to_it() {
    let experiment = experiment(TEXT);
    let (_, trace) = future(&experiment, 0, &[], true).expect("it runs");
    let kill = [(SimDuration::from_secs(12), deed("{container: demo/app, kill: SIGKILL}"))];
    let (result, other) = future(&experiment, 0, &kill, true).expect("it runs");
    assert_eq!(result.observations["phase"], "Failed");
    let difference = compare(&trace, &other);
    assert_eq!((difference.asked_left.len(), difference.asked_right.len()), (0, 1));
    let parting = difference.course.expect("they part");
    assert_eq!(parting.at.0 / 1_000_000_000, 12);
    let chain = peapod::timeline::why::chain(&other, parting.right.expect("a record"));
    assert!(
        chain
            .iter()
            .any(|(_, record)| matches!(record.what, What::Fault { .. })),
        "{chain:?}"
    );
}

#[test]
fn the_point_of_no_return_is_just_before_the_container_ends() {
    let experiment = experiment(TEXT);
    let deeds = [deed("kubectl get pods"), deed("{container: demo/app, kill: SIGKILL}")];
    let found = no_return(&experiment, 0, 0, &deeds).expect("it runs");
    assert_eq!(found.without.outcome, Outcome::Holds);
    let (at, by, outcome) = found.last.expect("killing changes it");
    assert_eq!((&by, outcome.outcome), (&deeds[1], Outcome::Fails));
    // A millisecond later nothing changes it any more.
    for (later, wanted) in [(0, Outcome::Fails), (1, Outcome::Holds)] {
        let at = at + SimDuration::from_millis(later);
        let (result, _) = future(&experiment, 0, &[(at, by.clone())], false).expect("it runs");
        assert_eq!(result.expectations[0].outcome, wanted, "at {at}");
    }
    assert!(at > SimDuration::from_secs(20), "{at}");

    let nothing = no_return(&experiment, 0, 0, &deeds[..1]).expect("it runs");
    assert_eq!(nothing.last, None);
}

#[test]
fn what_is_no_deed_is_said() {
    for wrong in [
        "kubectl frobnicate",
        "{nod: node-1, powerOff: true}",
        "",
        "kubectl",
        "x: |",
    ] {
        assert!(Deed::read(wrong).is_err(), "{wrong:?}");
    }
    let experiment = experiment(TEXT);
    assert!(future(&experiment, 2, &[], false).is_err());
    assert!(no_return(&experiment, 0, 1, &[]).is_err());
}
