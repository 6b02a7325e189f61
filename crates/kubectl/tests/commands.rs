//! Command lines against a small store that answers as an API server does: what is asked, and what is said. The
//! expected texts are those of the real client.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use peapod_kubectl::merge::{json as merge_json, strategic};
use peapod_kubectl::{Api, Command, Files, LogRequest, Output, PatchKind, Request, Status, Verb, poll, resources, run};
use serde_json::{Value, json};

/// Objects by resource, namespace and name.
#[derive(Default)]
struct Store {
    objects: BTreeMap<(String, String, String), Value>,
    requests: Vec<Request>,
    uids: u32,
    /// Whether deleted pods stay until the test says so.
    graceful: bool,
}

fn status(code: u16, reason: &str, message: String) -> Status {
    Status {
        code,
        reason: reason.to_owned(),
        message,
        details: Value::Null,
    }
}

impl Store {
    fn qualified(request: &Request) -> String {
        if request.group.is_empty() {
            request.resource.clone()
        } else {
            format!("{}.{}", request.resource, request.group)
        }
    }

    fn put(&mut self, object: Value) {
        let resource = resources::of_object(&object).unwrap();
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("").to_owned();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        self.objects
            .insert((resource.plural.to_owned(), namespace, name), object);
    }
}

impl Api for Store {
    fn request(&mut self, request: &Request) -> Result<Value, Status> {
        self.requests.push(request.clone());
        let key = (
            request.resource.clone(),
            request.namespace.clone(),
            request.name.clone(),
        );
        let missing = || {
            status(
                404,
                "NotFound",
                format!("{} \"{}\" not found", Store::qualified(request), request.name),
            )
        };
        match request.verb {
            Verb::Get => self.objects.get(&key).cloned().ok_or_else(missing),
            Verb::List => {
                let wanted = request
                    .query
                    .iter()
                    .find(|(name, _)| name == "labelSelector")
                    .map(|(_, value)| value.clone());
                let items: Vec<Value> = self
                    .objects
                    .iter()
                    .filter(|((resource, namespace, _), _)| {
                        *resource == request.resource
                            && (request.namespace.is_empty() || *namespace == request.namespace)
                    })
                    .map(|(_, object)| object.clone())
                    .filter(|object| {
                        wanted.as_ref().is_none_or(|wanted| {
                            wanted.split(',').all(|pair| {
                                pair.split_once('=')
                                    .is_some_and(|(key, value)| object["metadata"]["labels"][key] == value)
                            })
                        })
                    })
                    .collect();
                Ok(json!({"kind": "List", "apiVersion": "v1", "items": items}))
            }
            Verb::Create if request.subresource == "eviction" => {
                self.objects.remove(&key);
                Ok(json!({"kind": "Status", "status": "Success"}))
            }
            Verb::Create => {
                let mut object = request.body.clone().unwrap();
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                let key = (request.resource.clone(), request.namespace.clone(), name.clone());
                if self.objects.contains_key(&key) {
                    return Err(status(
                        409,
                        "AlreadyExists",
                        format!("{} \"{name}\" already exists", Store::qualified(request)),
                    ));
                }
                self.uids += 1;
                if !request.namespace.is_empty() {
                    object["metadata"]["namespace"] = json!(request.namespace);
                }
                object["metadata"]["uid"] = json!(format!("uid-{}", self.uids));
                object["metadata"]["creationTimestamp"] = json!("2026-01-15T11:59:50Z");
                self.objects.insert(key, object.clone());
                Ok(object)
            }
            Verb::Patch => {
                let live = self.objects.get(&key).cloned().ok_or_else(missing)?;
                let body = request.body.clone().unwrap();
                let changed = match request.patch.unwrap() {
                    PatchKind::Strategic => strategic::apply(live["kind"].as_str().unwrap(), &live, &body)
                        .map_err(|message| status(500, "InternalError", message))?,
                    PatchKind::Merge => merge_json::apply(&live, &body),
                    PatchKind::Json => {
                        let mut live = live;
                        for change in body.as_array().unwrap() {
                            let path = change["path"].as_str().unwrap();
                            if let Some(place) = live.pointer_mut(path) {
                                *place = change["value"].clone();
                            }
                        }
                        live
                    }
                    PatchKind::Apply => body,
                };
                self.objects.insert(key, changed.clone());
                Ok(changed)
            }
            Verb::Delete => {
                let mut object = self.objects.get(&key).cloned().ok_or_else(missing)?;
                if self.graceful && request.resource == "pods" {
                    object["metadata"]["deletionTimestamp"] = json!("2026-01-15T12:00:30Z");
                    self.objects.insert(key, object.clone());
                    return Ok(object);
                }
                self.objects.remove(&key);
                Ok(
                    json!({"kind": "Status", "status": "Success", "details": {"name": request.name, "uid": object["metadata"]["uid"]}}),
                )
            }
            Verb::Update | Verb::DeleteCollection => Err(status(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource".to_owned(),
            )),
        }
    }

    fn now(&self) -> Timestamp {
        "2026-01-15T12:00:00Z".parse().unwrap()
    }

    fn logs(&mut self, request: &LogRequest) -> Result<String, Status> {
        if request.previous {
            return Err(status(
                400,
                "BadRequest",
                format!(
                    "previous terminated container \"{}\" in pod \"{}\" not found",
                    request.container, request.pod
                ),
            ));
        }
        Ok(format!("{} line\n", request.container))
    }
}

struct Manifests(Vec<Value>);

impl Files for Manifests {
    fn manifests(&self, _: &str) -> Result<Vec<Value>, String> {
        Ok(self.0.clone())
    }

    fn text(&self, name: &str) -> Result<String, String> {
        Err(format!("open {name}: no such file or directory"))
    }
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "nginx", "image": image}]}}},
    })
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-of-{name}"), "labels": {"app": "web"}, "creationTimestamp": "2026-01-15T11:59:50Z"},
        "spec": {"nodeName": "node-1", "containers": [{"name": "a", "image": "a:1"}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "a", "ready": true, "restartCount": 0, "state": {"running": {}}}]},
    })
}

fn node(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "creationTimestamp": "2026-01-15T11:00:00Z"}, "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.36.2"}}})
}

fn act(store: &mut Store, line: &str) -> Output {
    act_with(store, line, vec![])
}

fn act_with(store: &mut Store, line: &str, manifests: Vec<Value>) -> Output {
    match Command::parse(line) {
        Ok(command) => run(&command, store, &Manifests(manifests)),
        Err(error) => Output {
            stderr: error.stderr,
            exit_code: error.exit_code,
            ..Output::default()
        },
    }
}

/// Runs lines in order; after each stands what it must print, standard error behind standard output.
fn story(store: &mut Store, steps: &[(&str, &str)]) {
    for (line, expected) in steps {
        let out = act(store, line);
        assert_eq!(format!("{}{}", out.stdout, out.stderr), *expected, "$ kubectl {line}");
        assert_eq!(
            out.exit_code != 0,
            out.stderr.contains("rror"),
            "$ kubectl {line}: exit code {}",
            out.exit_code
        );
    }
}

#[test]
fn apply_creates_changes_and_leaves_alone() {
    let mut store = Store::default();
    let apply = |store: &mut Store, image| act_with(store, "apply -f web.yaml", vec![deployment(image)]).stdout;
    assert_eq!(apply(&mut store, "nginx:1"), "deployment.apps/web created\n");
    assert_eq!(apply(&mut store, "nginx:1"), "deployment.apps/web unchanged\n");
    assert_eq!(apply(&mut store, "nginx:2"), "deployment.apps/web configured\n");
    let live = act(
        &mut store,
        "get deploy web -o jsonpath={.spec.template.spec.containers[0].image}",
    );
    assert_eq!(live.stdout, "nginx:2");
    let said = act(
        &mut store,
        "get deploy web -o jsonpath={.metadata.annotations.kubectl\\\\.kubernetes\\\\.io/last-applied-configuration}",
    );
    assert!(said.stdout.starts_with(r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"annotations":{},"labels":{"app":"web"},"name":"web","namespace":"default"}"#), "{}", said.stdout);
}

#[test]
fn changes_speak_as_the_client_does() {
    let mut store = Store::default();
    act_with(&mut store, "create -f web.yaml", vec![deployment("nginx:1")]);
    store.put(pod("p1"));
    store.put(node("node-1"));
    story(
        &mut store,
        &[
            ("scale deploy web --replicas=5", "deployment.apps/web scaled\n"),
            (
                "set image deploy/web nginx=nginx:2",
                "deployment.apps/web image updated\n",
            ),
            ("set image deploy/web nginx=nginx:2", ""),
            (
                "set image deploy/web other=nginx:2",
                "error: unable to find container named \"other\"\n",
            ),
            ("label pod p1 tier=front", "pod/p1 labeled\n"),
            (
                "label pod p1 tier=back",
                "error: 'tier' already has a value (front), and --overwrite is false\n",
            ),
            ("label pod p1 tier=back --overwrite", "pod/p1 labeled\n"),
            ("label pod p1 tier-", "pod/p1 unlabeled\n"),
            ("annotate pod p1 note=hello", "pod/p1 annotated\n"),
            (
                "annotate pod p1 note=hello2",
                "error: --overwrite is false but found the following declared annotation(s): 'note' already has a value (hello)\n",
            ),
            (
                "patch deploy web -p '{\"spec\":{\"replicas\":3}}'",
                "deployment.apps/web patched\n",
            ),
            (
                "patch deploy web -p '{\"spec\":{\"replicas\":3}}'",
                "deployment.apps/web patched (no change)\n",
            ),
            (
                "patch deploy web -p 'spec: {replicas: 4}'",
                "deployment.apps/web patched\n",
            ),
            ("taint nodes node-1 key=value:NoSchedule", "node/node-1 tainted\n"),
            ("taint nodes node-1 key:NoSchedule-", "node/node-1 untainted\n"),
            ("cordon node-1", "node/node-1 cordoned\n"),
            ("cordon node-1", "node/node-1 already cordoned\n"),
            (
                "get nodes",
                "NAME     STATUS                     ROLES    AGE   VERSION\nnode-1   Ready,SchedulingDisabled   <none>   60m   v1.36.2\n",
            ),
            ("uncordon node-1", "node/node-1 uncordoned\n"),
            ("rollout restart deploy/web", "deployment.apps/web restarted\n"),
            ("rollout pause deploy/web", "deployment.apps/web paused\n"),
            (
                "rollout pause deploy/web",
                "error: deployments.apps \"web\" is already paused\n",
            ),
            ("rollout resume deploy/web", "deployment.apps/web resumed\n"),
            ("run r1 --image=nginx", "pod/r1 created\n"),
            ("create configmap cm --from-literal=k=v", "configmap/cm created\n"),
            (
                "create deployment web --image=nginx",
                "error: failed to create deployment: deployments.apps \"web\" already exists\n",
            ),
            ("expose deploy web --port=80", "service/web exposed\n"),
            ("get pods -n other", "No resources found in other namespace.\n"),
            (
                "get pods nosuch",
                "Error from server (NotFound): pods \"nosuch\" not found\n",
            ),
            ("get frob", "error: the server doesn't have a resource type \"frob\"\n"),
            ("logs p1", "a line\n"),
            (
                "logs p1 -p",
                "Error from server (BadRequest): previous terminated container \"a\" in pod \"p1\" not found\n",
            ),
            (
                "logs nosuch",
                "error: error from server (NotFound): pods \"nosuch\" not found in namespace \"default\"\n",
            ),
            ("get pod p1 -o name", "pod/p1\n"),
            ("frob", "error: unknown command \"frob\" for \"kubectl\"\n"),
            (
                "get pods --frob",
                "error: unknown flag: --frob\nSee 'kubectl get --help' for usage.\n",
            ),
        ],
    );
}

#[test]
fn several_kinds_stand_apart() {
    let mut store = Store::default();
    act_with(&mut store, "create -f web.yaml", vec![deployment("nginx:1")]);
    store.put(pod("p1"));
    let expected = "NAME                  READY   UP-TO-DATE   AVAILABLE   AGE\ndeployment.apps/web   0/2     0            0           10s\n\nNAME     READY   STATUS    RESTARTS   AGE\npod/p1   1/1     Running   0          10s\n";
    assert_eq!(act(&mut store, "get deploy,po").stdout, expected);
    assert_eq!(act(&mut store, "get deploy/web po/p1").stdout, expected);
    assert_eq!(
        act(&mut store, "get po,svc").stdout,
        "NAME     READY   STATUS    RESTARTS   AGE\npod/p1   1/1     Running   0          10s\n"
    );
    assert_eq!(
        act(&mut store, "get pods -A --show-labels").stdout,
        "NAMESPACE   NAME   READY   STATUS    RESTARTS   AGE   LABELS\ndefault     p1     1/1     Running   0          10s   app=web\n"
    );
}

#[test]
fn deletion_waits_until_the_object_is_gone() {
    let mut store = Store {
        graceful: true,
        ..Store::default()
    };
    store.put(pod("p1"));
    store.put(pod("p2"));
    let out = act(&mut store, "delete pod p1");
    assert_eq!(out.stdout, "pod \"p1\" deleted from default namespace\n");
    let mut wait = out.waits_for.unwrap();
    assert!(poll(&mut wait, &mut store).is_none());
    store.objects.retain(|key, _| key.2 != "p1");
    assert_eq!(poll(&mut wait, &mut store), Some(Output::default()));

    let out = act(&mut store, "delete pods --all --wait=false");
    assert_eq!(
        (out.stdout.as_str(), out.waits_for),
        ("pod \"p2\" deleted from default namespace\n", None)
    );
    let body = |store: &Store| {
        store
            .requests
            .iter()
            .rev()
            .find(|request| request.verb == Verb::Delete)
            .unwrap()
            .body
            .clone()
            .unwrap()
    };
    assert_eq!(body(&store), json!({"propagationPolicy": "Background"}));
    let out = act(
        &mut store,
        "delete pod p2 --force --grace-period=0 --cascade=orphan --wait=false",
    );
    assert_eq!(out.stdout, "pod \"p2\" force deleted from default namespace\n");
    assert!(out.stderr.starts_with("Warning: Immediate deletion does not wait"));
    assert_eq!(
        body(&store),
        json!({"propagationPolicy": "Orphan", "gracePeriodSeconds": 0})
    );
    let out = act(&mut store, "delete pod nosuch");
    assert_eq!(
        (out.stderr.as_str(), out.exit_code),
        ("Error from server (NotFound): pods \"nosuch\" not found\n", 1)
    );
}

#[test]
fn replace_by_force_creates_again_once_the_old_pod_is_gone() {
    let mut store = Store {
        graceful: true,
        ..Store::default()
    };
    store.put(pod("p1"));
    let out = act_with(&mut store, "replace --force -f p.yaml", vec![pod("p1")]);
    assert_eq!(out.stdout, "pod \"p1\" deleted from default namespace\n");
    let mut wait = out.waits_for.unwrap();
    assert!(poll(&mut wait, &mut store).is_none());
    store.objects.clear();
    assert_eq!(poll(&mut wait, &mut store).unwrap().stdout, "pod/p1 replaced\n");
}

#[test]
fn drain_tells_what_it_leaves_and_what_it_takes() {
    let mut store = Store::default();
    store.put(node("node-1"));
    store.put(pod("bare"));
    let mut owned = pod("web-1");
    owned["metadata"]["ownerReferences"] = json!([{"kind": "ReplicaSet", "name": "web", "controller": true}]);
    store.put(owned);
    let refused = act(&mut store, "drain node-1 --ignore-daemonsets");
    assert_eq!(refused.stdout, "node/node-1 cordoned\n");
    assert_eq!(
        refused.stderr,
        "error: unable to drain node \"node-1\" due to error: cannot delete Pods that declare no controller (use --force to override): default/bare, continuing command...\nThere are pending nodes to be drained:\n node-1\ncannot delete Pods that declare no controller (use --force to override): default/bare\n"
    );
    let done = act(&mut store, "drain node-1 --ignore-daemonsets --force");
    assert_eq!(
        done.stdout,
        "node/node-1 already cordoned\nevicting pod default/bare\nevicting pod default/web-1\npod/bare evicted\npod/web-1 evicted\nnode/node-1 drained\n"
    );
    assert_eq!(
        done.stderr,
        "Warning: deleting Pods that declare no controller: default/bare\n"
    );
}

#[test]
fn a_rollout_is_undone_and_its_history_shown() {
    let mut store = Store::default();
    act_with(&mut store, "apply -f web.yaml", vec![deployment("nginx:2")]);
    let uid = store.objects.values().next().unwrap()["metadata"]["uid"].clone();
    for (revision, image) in [("1", "nginx:1"), ("2", "nginx:2")] {
        store.put(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": format!("web-{revision}"), "namespace": "default", "labels": {"app": "web"}, "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [{"kind": "Deployment", "name": "web", "uid": uid, "controller": true}]},
            "spec": {"template": {"metadata": {"labels": {"app": "web", "pod-template-hash": revision}}, "spec": {"containers": [{"name": "nginx", "image": image}]}}},
        }));
    }
    assert_eq!(
        act(&mut store, "rollout history deploy/web").stdout,
        "deployment.apps/web \nREVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n\n"
    );
    assert_eq!(
        act(&mut store, "rollout undo deploy/web").stdout,
        "deployment.apps/web rolled back\n"
    );
    assert_eq!(
        act(
            &mut store,
            "get deploy web -o jsonpath={.spec.template.spec.containers[0].image}"
        )
        .stdout,
        "nginx:1"
    );
    let missing = act(&mut store, "rollout undo deploy/web --to-revision=99");
    assert!(
        missing
            .stderr
            .ends_with("error: unable to find specified revision 99 in history\n"),
        "{}",
        missing.stderr
    );
}

#[test]
fn waits_end_when_their_condition_is_met() {
    let mut store = Store::default();
    store.put(pod("p1"));
    let out = act(&mut store, "wait --for=condition=Ready pod/p1 --timeout=20s");
    let mut wait = out.waits_for.unwrap();
    assert_eq!((out.stdout.as_str(), wait.timeout), ("", Some(20_000)));
    assert_eq!(
        peapod_kubectl::time_out(&wait).stderr,
        "error: timed out waiting for the condition on pods/p1\n"
    );
    let mut ready = pod("p1");
    ready["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    store.put(ready);
    assert_eq!(poll(&mut wait, &mut store).unwrap().stdout, "pod/p1 condition met\n");
    assert_eq!(
        act(&mut store, "wait --for=jsonpath='{.status.phase}'=Running pod/p1").stdout,
        "pod/p1 condition met\n"
    );
}

#[test]
fn objects_are_printed_without_being_sent() {
    let mut store = Store::default();
    let out = act(
        &mut store,
        "run r2 --image=busybox:1.36 --restart=Never --dry-run=client -o yaml -- sh -c true",
    );
    assert_eq!(
        out.stdout,
        "apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    run: r2\n  name: r2\nspec:\n  containers:\n  - args:\n    - sh\n    - -c\n    - \"true\"\n    image: busybox:1.36\n    name: r2\n    resources: {}\n  dnsPolicy: ClusterFirst\n  restartPolicy: Never\nstatus: {}\n"
    );
    assert!(store.requests.is_empty());
}
