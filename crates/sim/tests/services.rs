//! Services from end to end: what is behind them, what their names mean, where a connection goes.

use peapod_sim::cluster::{Cluster, Config, NodeConfig};
use peapod_sim::fault::Fault;
use peapod_sim::request::{Request, Verb};
use peapod_sim::runtime::catalogue::Catalogue;
use peapod_sim::time::{SimDuration, SimTime};
use serde_json::{Value, json};

/// A request for nothing in particular.
fn plain() -> Request {
    Request {
        verb: Verb::Get,
        group: String::new(),
        version: "v1".to_owned(),
        resource: String::new(),
        namespace: String::new(),
        name: String::new(),
        subresource: String::new(),
        body: None,
        patch: None,
        query: Vec::new(),
    }
}

struct Bench {
    cluster: Cluster,
}

impl Bench {
    fn new(seed: u64, nodes: usize) -> Self {
        let nodes = (1..=nodes).map(|index| NodeConfig {
            name: format!("node-{index}"),
            ..NodeConfig::default()
        });
        let config = Config {
            seed,
            nodes: nodes.collect(),
            catalogue: Catalogue::default(),
            ..Config::default()
        };
        Self {
            cluster: Cluster::new(config).expect("a cluster"),
        }
    }

    fn create(&mut self, body: Value) {
        let (group, version) = match body["apiVersion"].as_str().unwrap_or("v1").split_once('/') {
            Some((group, version)) => (group.to_owned(), version.to_owned()),
            None => (String::new(), "v1".to_owned()),
        };
        let request = Request {
            verb: Verb::Create,
            group,
            version,
            resource: format!("{}s", body["kind"].as_str().expect("a kind").to_lowercase()),
            namespace: body["metadata"]["namespace"].as_str().unwrap_or("default").to_owned(),
            body: Some(body),
            ..plain()
        };
        self.cluster.request(&request).expect("created");
    }

    fn run(&mut self, seconds: u64) {
        self.cluster
            .run_until(SimTime(self.cluster.now().0 + SimDuration::from_secs(seconds).0));
    }

    fn exec(&mut self, pod: &str, script: &str) -> (i32, String, String) {
        let command: Vec<String> = ["sh", "-c", script].iter().map(ToString::to_string).collect();
        let end = self.cluster.exec("default", pod, "", &command).expect("executed");
        (end.exit_code, end.stdout, end.stderr)
    }

    fn slices(&self, service: &str) -> Vec<Value> {
        let all = self.cluster.objects("EndpointSlice");
        all.iter()
            .filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service)
            .map(|slice| (**slice).clone())
            .collect()
    }
}

/// A web server that answers with its pod's name.
fn server(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "app": app } },
        "spec": { "terminationGracePeriodSeconds": 5, "containers": [{
            "name": "app", "image": "busybox:1.36",
            "command": ["sh", "-c", "mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www"],
            "ports": [{ "name": "web", "containerPort": 8080 }],
        }] },
    })
}

fn client() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "client" },
        "spec": { "containers": [{ "name": "app", "image": "busybox:1.36", "command": ["sleep", "36000"] }] },
    })
}

fn service(name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": spec })
}

#[test]
fn a_service_reaches_ready_pods_by_name_and_by_named_port() {
    let mut bench = Bench::new(1, 2);
    bench.create(client());
    bench.create(service(
        "web",
        json!({ "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": "web" }] }),
    ));
    bench.run(5);
    let (code, _, error) = bench.exec("client", "wget -q -O- http://web");
    assert_eq!(code, 1);
    assert!(error.contains("Connection refused"), "{error}");
    for name in ["a", "b"] {
        bench.create(server(name, "web"));
    }
    bench.run(5);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let (code, output, error) = bench.exec("client", "wget -q -O- http://web");
        assert_eq!(code, 0, "{error}");
        seen.insert(output);
    }
    assert_eq!(seen.len(), 2, "both pods answer: {seen:?}");
    for name in ["web.default", "web.default.svc", "web.default.svc.cluster.local."] {
        assert_eq!(
            bench.exec("client", &format!("wget -q -O- http://{name}/")).0,
            0,
            "{name}"
        );
    }
    let (code, _, error) = bench.exec("client", "wget -q -O- http://nope/");
    assert_eq!((code, error.as_str()), (1, "wget: bad address 'nope'\n"));
    let slices = bench.slices("web");
    assert_eq!(slices.len(), 1);
    assert_eq!(
        slices[0]["ports"],
        json!([{ "name": "", "port": 8080, "protocol": "TCP" }])
    );
    assert_eq!(
        slices[0]["endpoints"][0]["conditions"],
        json!({ "ready": true, "serving": true, "terminating": false })
    );
    let endpoints = bench.cluster.object("Endpoints", "default", "web").expect("Endpoints");
    assert_eq!(
        endpoints["subsets"][0]["addresses"].as_array().map(Vec::len),
        Some(2),
        "{endpoints}"
    );
}

#[test]
fn a_port_that_the_service_does_not_have_is_silence() {
    let mut bench = Bench::new(1, 1);
    bench.create(client());
    bench.create(server("a", "web"));
    bench.create(service(
        "web",
        json!({ "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }] }),
    ));
    bench.run(5);
    let before = bench.cluster.now();
    let (code, _, error) = bench.exec("client", "wget -q -T 3 -O- http://web:81");
    assert_eq!((code, error.as_str()), (1, "wget: download timed out\n"));
    let took = bench.cluster.now().since(before);
    assert!(
        took >= SimDuration::from_secs(3) && took < SimDuration::from_secs(4),
        "{took}"
    );
}

#[test]
fn nslookup_speaks_as_busybox_does() {
    let mut bench = Bench::new(1, 1);
    bench.create(client());
    bench.create(service(
        "web",
        json!({ "clusterIP": "10.96.1.2", "selector": { "app": "web" }, "ports": [{ "port": 80 }] }),
    ));
    bench.run(5);
    let (code, output, _) = bench.exec("client", "nslookup web");
    let expected = "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\nName:\tweb.default.svc.cluster.local\nAddress: 10.96.1.2\n\n\
        ** server can't find web.svc.cluster.local: NXDOMAIN\n\n** server can't find web.cluster.local: NXDOMAIN\n\n\n\
        ** server can't find web.svc.cluster.local: NXDOMAIN\n\n** server can't find web.cluster.local: NXDOMAIN\n\n";
    assert_eq!((code, output.as_str()), (1, expected));
    let (code, output, _) = bench.exec("client", "nslookup web.default");
    assert_eq!(code, 1);
    assert_eq!(output.matches("can't find web.default: NXDOMAIN").count(), 2);
    let (code, output, _) = bench.exec("client", "nslookup web.default.svc.cluster.local");
    assert_eq!(code, 0);
    assert!(output.ends_with("Address: 10.96.1.2\n\n\n"), "{output:?}");
    let (_, output, _) = bench.exec("client", "nslookup 10.96.1.2");
    assert!(
        output.contains("2.1.96.10.in-addr.arpa\tname = web.default.svc.cluster.local"),
        "{output}"
    );
}

fn stateful_set(service: Value) -> [Value; 2] {
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "web" },
        "spec": { "serviceName": "web", "replicas": 2, "selector": { "matchLabels": { "app": "web" } }, "template": {
            "metadata": { "labels": { "app": "web" } },
            "spec": { "containers": [{
                "name": "app", "image": "busybox:1.36",
                "command": ["sh", "-c", "mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"],
                "readinessProbe": { "exec": { "command": ["test", "!", "-e", "/unready"] }, "periodSeconds": 1, "failureThreshold": 1 },
                "ports": [{ "containerPort": 80 }],
            }] },
        } },
    });
    [self::service("web", service), set]
}

#[test]
fn a_headless_service_has_a_name_for_each_pod() {
    let mut bench = Bench::new(1, 1);
    bench.create(client());
    for object in stateful_set(json!({ "clusterIP": "None", "selector": { "app": "web" }, "ports": [{ "port": 80 }] }))
    {
        bench.create(object);
    }
    bench.run(20);
    for pod in ["web-0", "web-1"] {
        assert_eq!(
            bench.exec("client", &format!("wget -q -O- http://{pod}.web")).1,
            format!("{pod}\n")
        );
    }
    let (_, output, _) = bench.exec("client", "nslookup web.default.svc.cluster.local");
    assert_eq!(output.matches("Address: 10.244.").count(), 2, "{output}");
    bench.exec("web-0", "touch /unready");
    bench.run(5);
    let (code, _, error) = bench.exec("client", "wget -q -O- http://web-0.web");
    assert_eq!((code, error.as_str()), (1, "wget: bad address 'web-0.web'\n"));
    let (_, output, _) = bench.exec("client", "nslookup web.default.svc.cluster.local");
    assert_eq!(output.matches("Address: 10.244.").count(), 1, "{output}");
}

#[test]
fn unready_addresses_are_published_when_the_service_says_so() {
    let mut bench = Bench::new(1, 1);
    bench.create(client());
    let spec = json!({ "clusterIP": "None", "publishNotReadyAddresses": true, "selector": { "app": "web" }, "ports": [{ "port": 80 }] });
    for object in stateful_set(spec) {
        bench.create(object);
    }
    bench.run(20);
    bench.exec("web-0", "touch /unready");
    bench.run(5);
    assert_eq!(bench.exec("client", "wget -q -O- http://web-0.web").1, "web-0\n");
    let slices = bench.slices("web");
    assert_eq!(
        slices[0]["endpoints"][0]["conditions"],
        json!({ "ready": true, "serving": false, "terminating": false })
    );
    assert_eq!(slices[0]["endpoints"][0]["hostname"], "web-0");
}

#[test]
fn a_client_with_affinity_stays() {
    let mut bench = Bench::new(3, 1);
    bench.create(client());
    for name in ["a", "b", "c"] {
        bench.create(server(name, "web"));
    }
    bench.create(service(
        "web",
        json!({
            "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }], "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 100 } },
        }),
    ));
    bench.run(10);
    let first = bench.exec("client", "wget -q -O- http://web").1;
    for _ in 0..10 {
        assert_eq!(bench.exec("client", "wget -q -O- http://web").1, first);
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        bench.run(200);
        seen.insert(bench.exec("client", "wget -q -O- http://web").1);
    }
    assert!(seen.len() > 1, "{seen:?}");
}

#[test]
fn node_ports_external_names_and_traffic_policy() {
    let mut bench = Bench::new(1, 3);
    let mut own = client();
    own["spec"]["nodeName"] = "node-1".into();
    bench.create(own);
    let mut pod = server("a", "web");
    pod["spec"]["nodeName"] = "node-2".into();
    bench.create(pod);
    bench.create(service(
        "web",
        json!({
            "type": "NodePort", "externalTrafficPolicy": "Local", "selector": { "app": "web" },
            "ports": [{ "port": 80, "targetPort": 8080, "nodePort": 30080 }],
        }),
    ));
    bench.create(service(
        "alias",
        json!({ "type": "ExternalName", "externalName": "web.default.svc.cluster.local" }),
    ));
    bench.run(5);
    let address = |bench: &Bench, node: &str| {
        let node = bench.cluster.object("Node", "", node).expect("the node");
        node["status"]["addresses"][0]["address"]
            .as_str()
            .expect("an address")
            .to_owned()
    };
    // Its own node's address takes a client to any pod, another node's only to pods of that node.
    for (node, reached) in [("node-1", true), ("node-2", true), ("node-3", false)] {
        let get = format!("wget -q -T 2 -O- http://{}:30080", address(&bench, node));
        let (code, output, error) = bench.exec("client", &get);
        assert_eq!(code == 0, reached, "{node}: {output}{error}");
        assert_eq!(error.contains("timed out"), !reached, "{node}: {error}");
    }
    assert_eq!(bench.exec("client", "wget -q -O- http://alias").0, 0);
}

#[test]
fn an_ending_pod_gets_no_new_connections_unless_it_is_the_last() {
    let mut bench = Bench::new(1, 1);
    bench.create(client());
    let mut pod = server("a", "web");
    pod["spec"]["containers"][0]["command"][2] =
        "mkdir /www; hostname > /www/index.html; trap '' TERM; httpd -p 8080 -h /www; while true; do sleep 1; done"
            .into();
    pod["spec"]["terminationGracePeriodSeconds"] = 20.into();
    bench.create(pod);
    bench.create(service(
        "web",
        json!({ "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }] }),
    ));
    bench.run(5);
    let delete = Request {
        verb: Verb::Delete,
        version: "v1".to_owned(),
        resource: "pods".to_owned(),
        namespace: "default".to_owned(),
        name: "a".to_owned(),
        ..plain()
    };
    bench.cluster.request(&delete).expect("deleted");
    bench.run(3);
    let slices = bench.slices("web");
    assert_eq!(
        slices[0]["endpoints"][0]["conditions"],
        json!({ "ready": false, "serving": true, "terminating": true })
    );
    assert_eq!(bench.exec("client", "wget -q -O- http://web").1, "a\n");
    bench.create(server("b", "web"));
    bench.run(4);
    for _ in 0..5 {
        assert_eq!(bench.exec("client", "wget -q -O- http://web").1, "b\n");
    }
    bench.run(30);
    let slices = bench.slices("web");
    assert_eq!(slices[0]["endpoints"].as_array().map(Vec::len), Some(1));
}

#[test]
fn rules_stay_as_they_are_while_kube_proxy_is_down() {
    let mut bench = Bench::new(1, 1);
    bench.create(client());
    bench.create(service(
        "web",
        json!({ "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }] }),
    ));
    bench.run(5);
    let stop = |on| Fault::StopComponent {
        component: "kube-proxy".to_owned(),
        on,
    };
    bench.cluster.fault(&stop(true)).expect("stopped");
    bench.create(server("a", "web"));
    bench.run(5);
    assert_eq!(bench.exec("client", "wget -q -O- http://web").0, 1);
    bench.cluster.fault(&stop(false)).expect("started");
    bench.run(1);
    assert_eq!(bench.exec("client", "wget -q -O- http://web").0, 0);
}

#[test]
fn an_endpoint_slice_that_is_deleted_comes_back_and_goes_with_its_service() {
    let mut bench = Bench::new(1, 1);
    bench.create(server("a", "web"));
    bench.create(service(
        "web",
        json!({ "selector": { "app": "web" }, "ports": [{ "port": 80 }] }),
    ));
    bench.run(5);
    let delete = |bench: &mut Bench, group: &str, resource: &str, name: &str| {
        let request = Request {
            verb: Verb::Delete,
            group: group.to_owned(),
            version: "v1".to_owned(),
            resource: resource.to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
            ..plain()
        };
        bench.cluster.request(&request).expect("deleted");
    };
    let name = bench.slices("web")[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    delete(&mut bench, "discovery.k8s.io", "endpointslices", &name);
    bench.run(2);
    assert_eq!(bench.slices("web")[0]["endpoints"].as_array().map(Vec::len), Some(1));
    delete(&mut bench, "", "services", "web");
    bench.run(2);
    assert!(bench.slices("web").is_empty());
    assert!(bench.cluster.object("Endpoints", "default", "web").is_none());
}

fn patch(bench: &mut Bench, group: &str, resource: &str, name: &str, body: Value) {
    let request = Request {
        verb: Verb::Patch,
        group: group.to_owned(),
        resource: resource.to_owned(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
        patch: Some(peapod_sim::request::PatchKind::Merge),
        body: Some(body),
        ..plain()
    };
    bench.cluster.request(&request).expect("patched");
}

fn replicas(bench: &Bench) -> i64 {
    let deployment = bench
        .cluster
        .object("Deployment", "default", "web")
        .expect("the Deployment");
    deployment["spec"]["replicas"].as_i64().expect("replicas")
}

#[test]
fn an_autoscaler_follows_the_load_that_it_is_told() {
    let mut bench = Bench::new(1, 2);
    bench.create(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "annotations": { "peapod.dev/load-cpu": "100m" } },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "web" } }, "template": {
            "metadata": { "labels": { "app": "web" } },
            "spec": { "containers": [{
                "name": "app", "image": "busybox:1.36", "command": ["sleep", "36000"], "resources": { "requests": { "cpu": "200m" } },
            }] },
        } },
    }));
    bench.create(json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "name": "web" },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" }, "minReplicas": 1, "maxReplicas": 8,
            "metrics": [{ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 } } }],
        },
    }));
    bench.run(60);
    assert_eq!(replicas(&bench), 1);
    // 580m for pods of which each should use 100m: six, once five have shown to be too few.
    let load = |load: &str| json!({ "metadata": { "annotations": { "peapod.dev/load-cpu": load } } });
    patch(&mut bench, "apps", "deployments", "web", load("580m"));
    bench.run(120);
    assert_eq!(replicas(&bench), 6);
    patch(&mut bench, "apps", "deployments", "web", load("100m"));
    bench.run(200);
    assert_eq!(replicas(&bench), 6, "five minutes pass before replicas go");
    bench.run(200);
    assert_eq!(replicas(&bench), 1);
    let hpa = bench
        .cluster
        .object("HorizontalPodAutoscaler", "default", "web")
        .expect("the autoscaler");
    assert_eq!(
        hpa["status"]["currentMetrics"][0]["resource"]["current"]["averageUtilization"],
        50
    );
    let condition = |kind: &str| {
        let conditions = hpa["status"]["conditions"].as_array().expect("conditions");
        let found = conditions.iter().find(|condition| condition["type"] == kind);
        found.map(|condition| condition["reason"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(condition("ScalingActive").as_deref(), Some("ValidMetricFound"));
}

#[test]
fn a_replication_controller_has_pods() {
    let mut bench = Bench::new(1, 1);
    bench.create(json!({
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": { "name": "web" },
        "spec": { "replicas": 2, "selector": { "app": "web" }, "template": {
            "metadata": { "labels": { "app": "web" } },
            "spec": { "containers": [{ "name": "app", "image": "busybox:1.36", "command": ["sleep", "36000"] }] },
        } },
    }));
    bench.run(10);
    let controller = bench
        .cluster
        .object("ReplicationController", "default", "web")
        .expect("the controller");
    assert_eq!(controller["status"]["readyReplicas"], 2);
    assert_eq!(bench.cluster.objects("Pod").len(), 2);
}

#[test]
fn what_every_namespace_has_comes_back() {
    let mut bench = Bench::new(1, 1);
    for (resource, name) in [("serviceaccounts", "default"), ("configmaps", "kube-root-ca.crt")] {
        let request = Request {
            verb: Verb::Delete,
            resource: resource.to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
            ..plain()
        };
        bench.cluster.request(&request).expect("deleted");
    }
    bench.run(1);
    assert!(bench.cluster.object("ServiceAccount", "default", "default").is_some());
    assert!(
        bench
            .cluster
            .object("ConfigMap", "default", "kube-root-ca.crt")
            .is_some()
    );
}
