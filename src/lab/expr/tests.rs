//! Expressions over a small cluster: what they give, above all where something is missing.

use indexmap::IndexMap;
use peapod_sim::objects::{Kind, Object};
use peapod_sim::store::Store;
use peapod_sim::time::SimTime;
use peapod_sim::trace::{Change, LogLine};
use peapod_sim::world::Actor;
use serde_json::{Value, json};

use super::*;
use crate::lab::model::{Expression, Observation, Place, Variable};

fn view() -> View {
    let mut store = Store::default();
    let mut put = |kind: Kind, value: Value| {
        let object = Object::from_json(kind, value).expect("an object");
        store.write(SimTime::ZERO, Change::Added, object, 0, Actor::User);
    };
    put(
        Kind::Pod,
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "demo", "namespace": "default", "uid": "u1", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": "busybox:1.36"}]},
            "status": {
                "phase": "Running", "startTime": "2024-08-10T10:20:53Z",
                "conditions": [{"type": "Ready", "status": "False"}],
                "containerStatuses": [{
                    "name": "app", "image": "busybox:1.36", "imageID": "", "ready": false, "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "Error"}},
                }],
            },
        }),
    );
    put(
        Kind::Pod,
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "other", "namespace": "default", "uid": "u2", "labels": {"app": "web", "tier": "db"}},
            "spec": {"containers": [{"name": "app", "image": "busybox:1.36"}]},
            "status": {"phase": "Pending"},
        }),
    );
    put(
        Kind::Node,
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}),
    );
    let mut view = View::default();
    store.history().iter().for_each(|write| view.apply(write));
    for (instance, text) in [(0, "old"), (1, "hello"), (1, "world")] {
        view.log(&LogLine {
            at: SimTime::ZERO,
            pod_uid: "u1".into(),
            container: "app".into(),
            instance,
            stderr: false,
            text: text.into(),
        });
    }
    view
}

fn value(text: &str) -> Value {
    let variables = [
        Variable {
            name: "n".into(),
            values: vec![json!(2)],
        },
        Variable {
            name: "who".into(),
            values: vec![json!("demo")],
        },
    ];
    let observation = |name: &str, text: &str| Observation {
        name: name.into(),
        expression: Expression {
            text: text.into(),
            place: Place::default(),
        },
    };
    let observe = [
        observation("phase", "pod(who).status.phase"),
        observation("gone", "pod('gone').status.phase"),
    ];
    let mut compiler = Compiler::new(Names::new(&variables, &observe));
    let compiled = compiler
        .compile(text)
        .unwrap_or_else(|troubles| panic!("{text}: {troubles:?}"));
    let variables: Assignment = IndexMap::from([("n".to_owned(), json!(2)), ("who".to_owned(), json!("demo"))]);
    let bound = compiled.bind(&variables);
    let view = view();
    let scope = Scope::new(&view, SimTime(1_500_000_000), &[]);
    let value = scope.eval(&bound.node).to_json();
    assert_eq!(scope.trouble(), None, "{text}");
    value
}

#[test]
fn what_is_there() {
    for (text, expected) in [
        ("phase", json!("Running")),
        ("phase == 'Running' && n == 2", json!(true)),
        ("container('demo', 'app').restartCount", json!(3)),
        ("container(pod('demo'), 'app').state.reason", json!("CrashLoopBackOff")),
        (
            "container('demo', 'app').state.waiting.reason",
            json!("CrashLoopBackOff"),
        ),
        ("container('demo', 'app').lastState.exitCode + n", json!(139)),
        (
            "pod('demo').status.containerStatuses[0].lastState.terminated.exitCode",
            json!(137),
        ),
        ("condition(pod('demo'), 'Ready').status", json!("False")),
        ("pods('app=web').size()", json!(2)),
        ("size(pods('app=web,tier!=db'))", json!(1)),
        ("pods().map(p, p.metadata.name)", json!(["demo", "other"])),
        ("pods('app').filter(p, p.status.phase == 'Pending').size()", json!(1)),
        ("pods('app').all(p, p.status.phase != 'Failed')", json!(true)),
        ("pods('app').exists(p, p.status.phase == 'Pending')", json!(true)),
        ("pods('app').exists_one(p, p.status.phase == 'Pending')", json!(true)),
        (
            "exists('Pod', 'demo') && exists('pods', 'demo') && !exists('deploy', 'demo')",
            json!(true),
        ),
        (
            "object('Node', 'node-1').metadata.name == node('node-1').metadata.name",
            json!(true),
        ),
        ("logs('demo')", json!("hello\nworld\n")),
        ("logs('demo', 'app').contains('old')", json!(false)),
        ("logs('demo').matches('(?m)^wor.d$')", json!(true)),
        ("t", json!(1.5)),
        ("t > 1 && t < n", json!(true)),
        (
            "timestamp(pod('demo').status.startTime) - timestamp('2024-08-10T10:20:50Z') == duration('3s')",
            json!(true),
        ),
        ("phase in ['Pending', 'Running']", json!(true)),
        ("'app' in pod('demo').metadata.labels", json!(true)),
        ("pod('demo').metadata.labels['app']", json!("web")),
        ("n > 1 ? 'many' : 'one'", json!("many")),
        ("'a' + who + string(n)", json!("ademo2")),
        ("[1, 2] + [n]", json!([1, 2, 2])),
        ("{'a': n}.a", json!(2)),
        ("-n * 3 % 4", json!(-2)),
        ("pods().map(p, p.metadata.name + '!')[1]", json!("other!")),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn what_is_missing_is_false_and_never_an_error() {
    for (text, expected) in [
        ("gone", json!(null)),
        ("gone == 'Failed'", json!(false)),
        ("gone != 'Failed'", json!(false)),
        ("!(gone == 'Failed')", json!(true)),
        ("gone in ['Failed']", json!(false)),
        ("'x' in pod('gone').metadata.labels", json!(false)),
        ("gone < 'x' || gone >= 'x'", json!(false)),
        ("container('gone', 'app').restartCount > 0", json!(false)),
        ("container('demo', 'nobody').restartCount + 1", json!(null)),
        ("container('demo', 'app').state.exitCode == 0", json!(false)),
        ("pod('demo').status.containerStatuses[5].ready", json!(null)),
        ("pod('demo').spec.nodeName == ''", json!(false)),
        ("has(pod('demo').metadata.deletionTimestamp)", json!(false)),
        ("has(pod('demo').status.phase)", json!(true)),
        ("pod('demo').metadata.deletionTimestamp == null", json!(true)),
        ("pod('demo').status.phase != null", json!(true)),
        ("condition(pod('gone'), 'Ready').status == 'True'", json!(false)),
        ("condition(pod('demo'), 'Nothing').status == 'True'", json!(false)),
        ("pod('gone').status.containerStatuses.all(c, c.ready)", json!(true)),
        ("pod('gone').status.containerStatuses.size() == 0", json!(false)),
        ("logs('gone').contains('x')", json!(false)),
        ("logs('other')", json!("")),
        ("!pod('demo').spec.hostNetwork", json!(true)),
        ("events('BackOff').size()", json!(0)),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn only_what_is_looked_at_is_evaluated_again() {
    let deps = |text: &str| {
        let mut compiler = Compiler::new(Names::default());
        compiler.compile(text).expect("it compiles").deps
    };
    let key = |name: &str| Key::new(Kind::Pod, "default", name);
    let one = deps("container('demo', 'app').restartCount > 2 && pod('demo').status.phase == 'Running'");
    assert!(one.touched_by(&key("demo")) && !one.touched_by(&key("other")));
    assert!(!one.time && !one.logs && one.kinds.is_empty());
    assert!(deps("pods('a=b').size() > 1").touched_by(&key("any")));
    assert!(deps("t > 5").time && deps("logs('demo') == ''").logs);
    assert!(deps("condition(node('n'), 'Ready').status == 'True'").touched_by(&Key::new(Kind::Node, "", "n")));
}

#[test]
fn trackers_follow_a_whole_trial() {
    let mut compiler = Compiler::new(Names::default());
    let expressions = [
        "ever(pod('demo').status.phase == 'Running')",
        "last(pod('demo').status.phase)",
        "first(pod('gone').status.phase)",
    ];
    let compiled: Vec<Compiled> = expressions
        .iter()
        .map(|text| compiler.compile(text).expect("it compiles"))
        .collect();
    let mut trackers = Trackers::new(compiler.into_trackers());
    let values = |trackers: &Trackers, view: &View| -> Vec<Value> {
        let scope = Scope::new(view, SimTime::ZERO, trackers.values());
        compiled.iter().map(|of| scope.eval(&of.node).to_json()).collect()
    };
    let empty = View::default();
    trackers.look(&empty, SimTime::ZERO, |_| true);
    assert_eq!(values(&trackers, &empty), [json!(false), json!(null), json!(null)]);
    trackers.look(&view(), SimTime(1), |_| true);
    trackers.look(&empty, SimTime(2), |_| true);
    assert_eq!(
        values(&trackers, &empty),
        [json!(true), json!("Running"), json!(null)],
        "the pod is gone, what was stays"
    );
}

#[test]
fn wild_texts_are_refused_without_harm() {
    let deep = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let long = "1 + ".repeat(4_000) + "1";
    for text in [
        deep.as_str(),
        long.as_str(),
        "",
        "\0",
        "a.b.c.d(",
        "'\u{1f600}",
        "[[[[",
        "pod(",
        "x ? y",
        "💥",
        "pod('a').",
        "1 2 3",
        "!",
    ] {
        let mut compiler = Compiler::new(Names::default());
        assert!(compiler.compile(text).is_err(), "{text:.40}");
    }
}
