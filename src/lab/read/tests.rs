//! Errors are tested as a reader sees them: the line, carets under what is meant, the message and its hints.

use super::*;

/// Reads a text and shows each diagnostic under its line.
fn said(text: &str) -> String {
    let reading = read(text, Some("note.md"), 1);
    let mut shown = String::new();
    for diagnostic in &reading.diagnostics {
        assert_eq!(diagnostic.file.as_deref(), Some("note.md"));
        let line = text.lines().nth(diagnostic.line as usize - 1).unwrap_or_default();
        let carets = "^".repeat(diagnostic.length as usize);
        shown += &format!(
            "{line}\n{}{carets} {}\n",
            " ".repeat(diagnostic.column as usize - 1),
            diagnostic.message
        );
        for hint in &diagnostic.hints {
            shown += &format!("  hint: {hint}\n");
        }
    }
    shown
}

fn check(text: &str, expected: &str) {
    let (text, expected) = (unindent(text), unindent(expected));
    assert_eq!(said(&text).trim_end(), expected.trim_end(), "\n--- of\n{text}");
}

/// Takes away the indentation of this file.
fn unindent(text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    text.lines()
        .map(|line| line.get(8..).unwrap_or("").to_owned() + "\n")
        .collect()
}

#[test]
fn unknown_and_duplicate_keys() {
    check(
        "
        titel: x
        steps:
          - kubectl: get pods
            afer: 5s
        seed: 1
        seed: 2
        until: 1m
        ",
        "
        titel: x
        ^^^^^ an experiment has no key `titel`
          hint: did you mean `title`?
            afer: 5s
            ^^^^ a step has no key `afer`
          hint: did you mean `after`?
        seed: 2
        ^^^^ `seed` is written twice
        ",
    );
}

#[test]
fn wrong_types_and_durations() {
    check(
        "
        seed: one
        variables:
          a: 1
          b: []
        steps:
          - kubectl: get pods
            after: 10
          - wait: {for: t > 3, timeout: soon}
        until: tomorrow
        ",
        "
        seed: one
              ^^^ `seed` needs a whole number, not text
          a: 1
             ^ `a` needs the list of its values, not a number
          hint: write `a: [a, b]`
          b: []
             ^^ `b` has no value
            after: 10
                   ^^ \"10\" is no duration; write a number and a unit, such as 10m, 90s, 1h30m or 300ms
          hint: 10s are seconds, 10m minutes
          - wait: {for: t > 3, timeout: soon}
                                        ^^^^ \"soon\" is no duration; write a number and a unit, such as 10m, 90s, 1h30m or 300ms
        until: tomorrow
               ^^^^^^^^ \"tomorrow\" is no duration; write a number and a unit, such as 10m, 90s, 1h30m or 300ms
          hint: or `settled`: until nothing changes any more
        ",
    );
}

#[test]
fn static_pods() {
    check(
        "
        cluster:
          static:
            node-2: {}
            node-1:
              a/b.yaml: text
              list.yaml: [1]
              bad.yaml: |
                apiVersion: v1
                kind: Pod
                metadata: {name: a}
                spec: {containers: [{name: c, imge: nginx}]}
        steps:
          - fault: {node: node-1, staticPod: {write: a.yaml}}
          - fault: {node: node-1, staticPod: {wirte: a.yaml}}
          - fault: {node: node-1, staticPod: {remove: a.yaml}}
        ",
        "
            node-2: {}
            ^^^^^^ there is no node `node-2`
          hint: did you mean `node-1`?
              a/b.yaml: text
              ^^^^^^^^ a file name has no `/`: the directory has no others in it
              list.yaml: [1]
                         ^^^ `list.yaml` needs a manifest as a text, not a list
          hint: write `|` and the manifest below it, further in
                spec: {containers: [{name: c, imge: nginx}]}
                                    ^^^^^^^^^^^^^^^^^^^^^^ spec.containers[0].image: Required value
          hint: each container names its image, such as image: nginx:1.25
                spec: {containers: [{name: c, imge: nginx}]}
                                              ^^^^ unknown field \"spec.containers[0].imge\"
          hint: did you mean image?
          - fault: {node: node-1, staticPod: {write: a.yaml}}
                                             ^^^^^^^^^^^^^^^ a file is written with its manifest, or removed
          hint: `{write: web.yaml, manifest: …}` or `{remove: web.yaml}`
          - fault: {node: node-1, staticPod: {wirte: a.yaml}}
                                              ^^^^^ `staticPod` has no key `wirte`
          hint: did you mean `write`?
        ",
    );
}

#[test]
fn faults() {
    check(
        "
        steps:
          - fault: {node: node-1, powerOf: true}
          - fault: {nod: node-1, powerOff: true}
          - fault: {container: demo, kill: SIGKILL}
          - fault: {container: demo/app, kill: SIGKIL}
          - fault: {node: node-1, partition: yes}
        ",
        "
          - fault: {node: node-1, powerOf: true}
                                  ^^^^^^^ a fault of a node has no key `powerOf`
          hint: did you mean `powerOff`?
          - fault: {nod: node-1, powerOff: true}
                    ^^^ a fault is about one of node, container, sandbox, registry, image
          hint: did you mean `node`?
          - fault: {container: demo, kill: SIGKILL}
                               ^^^^ a container is named as pod/container
          hint: such as `demo/app`
          - fault: {container: demo/app, kill: SIGKIL}
                                               ^^^^^^ `SIGKIL` is no signal
          hint: did you mean `SIGKILL`?
          - fault: {node: node-1, partition: yes}
                                             ^^^ `partition` needs true or false, not text
        ",
    );
}

#[test]
fn settings_are_those_that_the_components_have() {
    check(
        "
        cluster:
          settings:
            evictionHrd: {memory.available: 1Gi}
            evictionHard: {memory.free: 1Gi}
            containerLogMaxFiles: [1]
        steps:
          - fault: {node: node-1, memoryPressure: much}
        ",
        "
            evictionHrd: {memory.available: 1Gi}
            ^^^^^^^^^^^ there is no setting `evictionHrd`
          hint: did you mean `evictionHard`?
            containerLogMaxFiles: [1]
                                  ^^^ `containerLogMaxFiles` needs one value, not a list
          - fault: {node: node-1, memoryPressure: much}
                                                  ^^^^ `memoryPressure` needs true, false or the amount that is taken, such as 6Gi
        ",
    );
    check(
        "
        cluster:
          settings:
            evictionSoft: {memory.available: 1Gi}
        steps:
          - kubectl: get pods
        ",
        "
            evictionSoft: {memory.available: 1Gi}
                          ^^^^^^^^^^^^^^^^^^^^^^^ setting evictionHard or evictionSoft: grace period must be specified for the soft eviction threshold memory.available
        ",
    );
}

#[test]
fn expressions_know_the_types_of_kubernetes() {
    check(
        "
        variables: {exitCode: [0, 1]}
        steps:
          - kubectl: get pods
        observe:
          phase: pod('demo').status.phse
          korean: pod('데모').status.phase == 'Failed' && pod('데모').spec.node
          fine: container('demo', 'app').state.reason
          raw: pod('demo').status.containerStatuses[0].state.exitCod
          text: pods('app=web').phase
        expect:
          - eventually: phase = 'Failed'
          - eventually: exitCode == '1'
          - never: \"pod('demo').restartCount > 1\"
          - when: exitcode == 1
            always: fine
          - always: condition(pod('demo'), 'Ready').stat == 'True'
        ",
        "
          phase: pod('demo').status.phse
                                    ^^^^ a PodStatus has no field `phse`
          hint: did you mean `phase`?
          korean: pod('데모').status.phase == 'Failed' && pod('데모').spec.node
                                                                       ^^^^ a PodSpec has no field `node`
          hint: did you mean `nodeName`?
          raw: pod('demo').status.containerStatuses[0].state.exitCod
                                                             ^^^^^^^ a ContainerState has no field `exitCod`
          hint: did you mean `exitCode`?
          text: pods('app=web').phase
                                ^^^^^ a list has no field `phase`
          hint: name an element, as in `[0].phase`, or use `.exists(x, x.phase == …)`
          - eventually: phase = 'Failed'
                              ^ `=` is no operator of an expression
          hint: `==` compares
          - eventually: exitCode == '1'
                                 ^^ a whole number is never equal to text
          hint: write `1` without quotes
          - never: \"pod('demo').restartCount > 1\"
                                ^^^^^^^^^^^^ a Pod has no field `restartCount`
          hint: it is in `container(pod, name).restartCount`
          - when: exitcode == 1
                  ^^^^^^^^ no variable is called `exitcode`
          hint: did you mean `exitCode`?
            always: fine
                    ^^^^ this is text, and true or false is needed here
          hint: compare it, as in `x == 'Failed'`
          - always: condition(pod('demo'), 'Ready').stat == 'True'
                                                    ^^^^ a PodCondition has no field `stat`
          hint: did you mean `status`?
        ",
    );
}

#[test]
fn templates_and_names() {
    check(
        "
        variables:
          policy: [Always]
          t: [1]
          my-name: [1]
        steps:
          - apply: |
              apiVersion: v1
              kind: Pod
              metadata: {name: demo}
              spec: {restartPolicy: {{ polic }}, containers: [{name: a, image: busybox}]}
        ",
        "
          t: [1]
          ^ `t` has a meaning of its own in expressions
          my-name: [1]
          ^^^^^^^ `my-name` cannot be used in expressions
          hint: a name has letters a–z, digits and `_`, and begins with a letter
              spec: {restartPolicy: {{ polic }}, containers: [{name: a, image: busybox}]}
                                       ^^^^^ no variable is called `polic`
          hint: did you mean `policy`?
        ",
    );
}

#[test]
fn a_million_trials_are_refused_at_the_variables() {
    let values: Vec<String> = (0..100).map(|value| value.to_string()).collect();
    let list = format!("[{}]", values.join(", "));
    let text = format!("steps:\n  - kubectl: get pods\nvariables:\n  a: {list}\n  b: {list}\n  c: {list}\nuntil: 1m\n");
    let reading = read(&text, None, 10);
    assert!(reading.experiment.is_none());
    let [error] = reading.diagnostics.as_slice() else {
        panic!("{:?}", reading.diagnostics)
    };
    assert_eq!(
        (error.code.as_str(), error.line, error.column, error.length),
        ("experiment.too-many-trials", 12, 1, 9)
    );
    assert_eq!(
        error.message,
        "an experiment may have 10000 trials, and this one has 1000000 (100 a × 100 b × 100 c)"
    );
}

#[test]
fn broken_yaml_is_an_error_at_its_place() {
    let reading = read("steps:\n  - apply: [\n", Some("a.md"), 40);
    assert!(reading.experiment.is_none());
    let error = &reading.diagnostics[0];
    assert_eq!(error.code, "experiment.yaml");
    assert!(error.line >= 41, "{error}");
    for text in [
        "",
        "# only a comment",
        "- a",
        "3",
        "a: b: c",
        "\t",
        "steps",
        "{",
        "steps: {}",
        "steps: []",
        "until: 5m",
    ] {
        let reading = read(text, None, 1);
        assert!(
            reading.experiment.is_none() && !reading.diagnostics.is_empty(),
            "{text:?}"
        );
    }
}

#[test]
fn the_cross_product_is_in_order() {
    let text = unindent(
        "
        kubernetes: '1.36'
        variables:
          policy: [Always, Never]
          code: [0, 1]
        exclude:
          - {policy: Always, code: 0}
        include:
          - {code: 137, policy: Never}
        seed: 5
        schedules: 2
        steps:
          - kubectl: get pods
        until: 1m
        ",
    );
    let experiment = read(&text, None, 1).experiment.expect("an experiment");
    let trials = trials(&experiment).expect("few trials");
    let shown: Vec<String> = trials
        .iter()
        .map(|trial| format!("{} {}", program::words(&trial.variables), trial.seed))
        .collect();
    assert_eq!(
        shown,
        [
            "policy = Always, code = 1 5",
            "policy = Always, code = 1 6",
            "policy = Never, code = 0 5",
            "policy = Never, code = 0 6",
            "policy = Never, code = 1 5",
            "policy = Never, code = 1 6",
            "policy = Never, code = 137 5",
            "policy = Never, code = 137 6",
        ]
    );
    assert!(
        trials
            .iter()
            .enumerate()
            .all(|(index, trial)| trial.index == index && trial.kubernetes == "1.36")
    );
}

#[test]
fn all_that_the_language_has_is_read() {
    let text = unindent(
        "
        id: everything
        title: 모든 것
        question: 무엇이 있는가?
        kubernetes: 1.36
        cluster:
          nodes:
            - {name: a, cpu: 2, memory: 4Gi, pods: 10, labels: {zone: x}, taints: ['k=v:NoSchedule', {key: q, effect: NoExecute}]}
            - {}
          settings: {nodeMonitorGracePeriod: 50s, evictionHard: {memory.available: 500Mi, pid.available: 1000}, evictionSoft: 'memory.available<1Gi', evictionSoftGracePeriod: {memory.available: 1m30s}}
          featureGates: {ContainerStopSignals: true}
        variables: {n: [1, 2]}
        jitter: none
        steps:
          - wait: {for: \"pod('demo').status.phase in ['Succeeded', 'Failed']\", timeout: 5m, orElse: continue}
          - at: 6m
            when: n == 1
            kubectl: delete pod demo --grace-period={{ n }}
          - after: 10s
            fault: {node: '{{ \"node-\" + string(n) }}', powerOff: true}
          - fault: {registry: docker.io, down: 2m}
          - fault: {node: a, memoryPressure: 3Gi}
          - fault: {node: a, diskPressure: '{{ n }}Gi'}
          - fault: {node: a, pidPressure: false}
          - fault: {sandbox: demo, kill: true}
          - fault: {image: 'busybox:2', available: true}
        until: {settled: 20m}
        observe:
          ever: ever(pod('demo').status.phase == 'Failed')
          names: pods('app=web').map(p, p.metadata.name)
          age: timestamp(pod('demo').status.startTime) + duration('5s')
          there: has(pod('demo').metadata.deletionTimestamp)
        expect:
          - claim: ^c-1
            until: {a: n == 1, b: t > 5}
            within: 5s
          - claim: text
            of: '[[note]]'
            verdict: depends
            finally: ever && there
            for: 5s
          - shape: {kind: Pod, metadata: {name: demo}, status: {phase: Running}}
          - always: events('BackOff').all(e, e.involvedObject.name == 'demo') || logs('demo').matches('a+')
            after: 5s
        predict: {ask: 무엇이 될까?}
        ",
    );
    let reading = read(&text, None, 1);
    assert_eq!(reading.diagnostics, []);
    let experiment = reading.experiment.expect("an experiment");
    assert_eq!(experiment.cluster.nodes[0].taints.len(), 2);
    assert_eq!(experiment.cluster.nodes[1].name, "node-2");
    assert_eq!(experiment.expect[0].block.as_deref(), Some("c-1"));
    let stored = serde_json::to_string(&experiment).expect("it can be stored");
    assert_eq!(
        serde_json::from_str::<Experiment>(&stored).expect("and read"),
        experiment
    );
}

#[test]
fn feature_gates() {
    check(
        "
        kubernetes: ['1.32', '1.33']
        cluster:
          featureGates: {SidecarContainers: false, SidecarContainer: true, ContainerStopSignals: 1, WinOverlay: true}
        steps:
          - kubectl: get pods
        ",
        "
          featureGates: {SidecarContainers: false, SidecarContainer: true, ContainerStopSignals: 1, WinOverlay: true}
                         ^^^^^^^^^^^^^^^^^ feature gate SidecarContainers cannot be set to false in Kubernetes 1.33: it is locked to true since 1.33
          featureGates: {SidecarContainers: false, SidecarContainer: true, ContainerStopSignals: 1, WinOverlay: true}
                                                   ^^^^^^^^^^^^^^^^ there is no feature gate SidecarContainer; did you mean SidecarContainers?
          featureGates: {SidecarContainers: false, SidecarContainer: true, ContainerStopSignals: 1, WinOverlay: true}
                                                                                                 ^ `ContainerStopSignals` is `true` or `false`, not a number
        ",
    );
}
