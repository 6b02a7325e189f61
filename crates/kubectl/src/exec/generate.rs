//! Commands that write an object themselves: `create TYPE`, `run`, `expose`, `autoscale`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Failure, Info, Session};
use crate::command::{Action, DryRun, Generate, Generator, Run, Write};
use crate::resources::{self, Resource};
use crate::value::{int, list, map, text};

impl Session<'_> {
    fn generated(
        &mut self,
        resource: &'static Resource,
        object: Value,
        manager: &str,
        word: &str,
        write: &Write,
    ) -> Result<(), Failure> {
        let namespace = self.scope(resource);
        let name = text(&object, "/metadata/name").to_owned();
        let mut info = Info {
            resource,
            namespace: namespace.clone(),
            name,
            object: Value::Null,
            source: None,
        };
        if write.dry_run == DryRun::Client {
            return self.report(&info, word, &object, write);
        }
        let created = self
            .create_one(resource, &namespace, object, manager, write.dry_run)
            .map_err(|status| {
                if manager == "kubectl-create" && status.reason != "Invalid" {
                    Failure::Message(format!("failed to create {}: {}", resource.singular, status.message))
                } else {
                    Failure::Status(status)
                }
            })?;
        text(&created, "/metadata/name").clone_into(&mut info.name);
        self.report(&info, word, &created, write)
    }

    pub(super) fn generate(&mut self, generate: &Generate) -> Result<(), Failure> {
        let name = &generate.name;
        let find = |kind: &str| {
            resources::find(kind)
                .ok_or_else(|| Failure::Message(format!("the server doesn't have a resource type \"{kind}\"")))
        };
        let image = generate.images.first().cloned().unwrap_or_default();
        let (kind, object) = match &generate.generator {
            Generator::Namespace => (
                "namespaces",
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {}, "status": {}}),
            ),
            Generator::ServiceAccount => (
                "serviceaccounts",
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}),
            ),
            Generator::ConfigMap => {
                let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
                let data = self.data(generate, |key| format!("cannot add key \"{key}\", another key by that name already exists in Data for ConfigMap \"{name}\""))?;
                if !data.is_empty() {
                    object["data"] = data.into_iter().map(|(key, value)| (key, json!(value))).collect();
                }
                ("configmaps", object)
            }
            Generator::Secret(kind) => {
                let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
                let data = self.data(generate, |key| format!("cannot add key \"{key}\", another key by that name already exists in Data for Secret \"{name}\""))?;
                if !data.is_empty() {
                    object["data"] = data
                        .into_iter()
                        .map(|(key, value)| (key, json!(STANDARD.encode(value))))
                        .collect();
                }
                if let Some(kind) = kind {
                    object["type"] = json!(kind);
                }
                ("secrets", object)
            }
            Generator::Deployment { replicas, port } => {
                let containers: Vec<Value> = generate
                    .images
                    .iter()
                    .map(|image| {
                        let mut container = json!({"name": container_name(image), "image": image, "resources": {}});
                        if let Some(port) = port {
                            container["ports"] = json!([{"containerPort": port}]);
                        }
                        if !generate.command.is_empty() {
                            container["command"] = json!(generate.command);
                        }
                        container
                    })
                    .collect();
                if generate.images.len() > 1 && !generate.command.is_empty() {
                    return Err("cannot specify multiple --image options and command".into());
                }
                let labels = json!({"app": name});
                let object = json!({
                    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
                    "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "strategy": {}, "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}},
                    "status": {},
                });
                ("deployments", object)
            }
            Generator::Job { from: None } => {
                let object = json!({
                    "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
                    "spec": {"template": {"metadata": {}, "spec": {"containers": [container(name, &image, &generate.command)], "restartPolicy": "Never"}}},
                    "status": {},
                });
                ("jobs", object)
            }
            Generator::Job { from: Some(from) } => ("jobs", self.job_from(name, from)?),
            Generator::CronJob { schedule, restart } => {
                let object = json!({
                    "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name},
                    "spec": {
                        "schedule": schedule,
                        "jobTemplate": {"metadata": {"name": name}, "spec": {"template": {"metadata": {}, "spec": {"containers": [container(name, &image, &generate.command)], "restartPolicy": restart}}}},
                    },
                    "status": {},
                });
                ("cronjobs", object)
            }
            Generator::Service { kind, tcp, cluster_ip } => {
                let ports = tcp
                    .iter()
                    .map(|pair| {
                        let (port, target) = pair.split_once(':').unwrap_or((pair, pair));
                        let number: i64 = port.parse().map_err(|_| Failure::Message(format!("invalid port specification: {pair}")))?;
                        let target = target.parse::<i64>().map_or_else(|_| json!(target), |target| json!(target));
                        Ok(json!({"name": pair.replace(':', "-"), "protocol": "TCP", "port": number, "targetPort": target}))
                    })
                    .collect::<Result<Vec<Value>, Failure>>()?;
                let mut object = json!({
                    "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": name}},
                    "spec": {"ports": ports, "selector": {"app": name}, "type": kind}, "status": {"loadBalancer": {}},
                });
                if let Some(ip) = cluster_ip {
                    object["spec"]["clusterIP"] = json!(ip);
                }
                ("services", object)
            }
            Generator::PodDisruptionBudget {
                selector,
                min_available,
                max_unavailable,
            } => {
                let mut spec = json!({"selector": {"matchLabels": equalities(selector)?}});
                for (field, amount) in [("minAvailable", min_available), ("maxUnavailable", max_unavailable)] {
                    if let Some(amount) = amount {
                        spec[field] = amount
                            .parse::<i64>()
                            .map_or_else(|_| json!(amount), |number| json!(number));
                    }
                }
                (
                    "poddisruptionbudgets",
                    json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec, "status": {}}),
                )
            }
            Generator::PriorityClass {
                value,
                global_default,
                description,
                preemption_policy,
            } => {
                let mut object = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value, "preemptionPolicy": preemption_policy});
                if *global_default {
                    object["globalDefault"] = json!(true);
                }
                if !description.is_empty() {
                    object["description"] = json!(description);
                }
                ("priorityclasses", object)
            }
            Generator::Quota { hard } => {
                let hard: serde_json::Map<String, Value> = hard
                    .split(',')
                    .filter_map(|pair| pair.split_once('='))
                    .map(|(key, value)| (key.to_owned(), json!(value)))
                    .collect();
                (
                    "resourcequotas",
                    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": {"hard": hard}, "status": {}}),
                )
            }
        };
        let mut object = object;
        if self.explicit_namespace && find(kind)?.namespaced {
            object["metadata"]["namespace"] = json!(self.namespace);
        }
        self.generated(find(kind)?, object, "kubectl-create", "created", &generate.write)
    }

    /// The keys and values of `--from-literal`, `--from-file` and `--from-env-file`.
    fn data(&self, generate: &Generate, taken: impl Fn(&str) -> String) -> Result<Vec<(String, String)>, Failure> {
        let mut data: Vec<(String, String)> = Vec::new();
        let mut add = |key: &str, value: String| {
            if data.iter().any(|(known, _)| known == key) {
                return Err(Failure::Message(taken(key)));
            }
            data.push((key.to_owned(), value));
            Ok(())
        };
        for literal in &generate.literals {
            match literal.split_once('=') {
                Some((key, value)) if !key.is_empty() => {
                    let unquoted = value
                        .strip_prefix('"')
                        .and_then(|value| value.strip_suffix('"'))
                        .or_else(|| value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')));
                    add(key, unquoted.unwrap_or(value).to_owned())?;
                }
                _ => {
                    return Err(Failure::Message(format!(
                        "invalid literal source {literal}, expected key=value"
                    )));
                }
            }
        }
        for file in &generate.files {
            let (key, path) = file
                .split_once('=')
                .unwrap_or_else(|| (file.rsplit('/').next().unwrap_or(file), file));
            add(key, self.files.text(path).map_err(Failure::Message)?)?;
        }
        for file in &generate.env_files {
            for line in self.files.text(file).map_err(Failure::Message)?.lines() {
                let line = line.trim_start();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let (key, value) = line.split_once('=').unwrap_or((line, ""));
                add(key, value.to_owned())?;
            }
        }
        Ok(data)
    }

    fn job_from(&mut self, name: &str, from: &str) -> Result<Value, Failure> {
        let source = match from.split_once('/') {
            Some((kind, source)) if resources::find(kind).is_some_and(|resource| resource.kind == "CronJob") => source,
            Some(_) => return Err("from must be an existing cronjob".into()),
            None => return Err(Failure::Message(format!("from must be an existing cronjob: {from}"))),
        };
        let cron_jobs = resources::find("cronjobs").ok_or("cronjobs are not known")?;
        let namespace = self.scope(cron_jobs);
        let cron_job = self.get_one(cron_jobs, &namespace, source)?;
        let mut annotations = serde_json::Map::new();
        annotations.insert("cronjob.kubernetes.io/instantiate".to_owned(), json!("manual"));
        for (key, value) in map(&cron_job, "/spec/jobTemplate/metadata/annotations")
            .into_iter()
            .flatten()
        {
            annotations.insert(key.clone(), value.clone());
        }
        let mut metadata = json!({"name": name, "annotations": annotations});
        if let Some(labels) = cron_job.pointer("/spec/jobTemplate/metadata/labels") {
            metadata["labels"] = labels.clone();
        }
        metadata["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "CronJob", "name": source, "uid": text(&cron_job, "/metadata/uid"), "controller": true}]);
        let spec = cron_job.pointer("/spec/jobTemplate/spec").cloned().unwrap_or_default();
        Ok(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec, "status": {}}))
    }

    pub(super) fn run_pod(&mut self, run: &Run) -> Result<(), Failure> {
        let labels = match &run.labels {
            Some(labels) => Value::Object(equalities(labels)?),
            None => json!({"run": run.name}),
        };
        let mut container = json!({"name": run.name, "image": run.image, "resources": {}});
        if !run.args.is_empty() {
            container[if run.as_command { "command" } else { "args" }] = json!(run.args);
        }
        if !run.env.is_empty() {
            let env = run
                .env
                .iter()
                .map(|pair| match pair.split_once('=') {
                    Some((key, value)) if !key.is_empty() => Ok(json!({"name": key, "value": value})),
                    _ => Err(Failure::Message(format!("invalid env: {pair}"))),
                })
                .collect::<Result<Vec<Value>, Failure>>()?;
            container["env"] = json!(env);
        }
        if let Some(port) = run.port {
            container["ports"] = json!([{"containerPort": port}]);
        }
        if let Some(policy) = &run.image_pull_policy {
            container["imagePullPolicy"] = json!(policy);
        }
        if run.privileged {
            container["securityContext"] = json!({"privileged": true});
        }
        let mut metadata = json!({"name": run.name, "labels": labels});
        if self.explicit_namespace {
            metadata["namespace"] = json!(self.namespace);
        }
        if !run.annotations.is_empty() {
            metadata["annotations"] = Value::Object(equalities(&run.annotations.join(","))?);
        }
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": run.restart}, "status": {},
        });
        if let Some(overrides) = &run.overrides {
            let overrides: Value = serde_json::from_str(overrides)
                .map_err(|error| Failure::Message(format!("Invalid JSON in --overrides: {error}")))?;
            pod = crate::merge::json::apply(&pod, &overrides);
        }
        let pods = resources::find("pods").ok_or("pods are not known")?;
        self.generated(pods, pod, "kubectl-run", "created", &run.write)
    }

    pub(super) fn expose(&mut self, action: &Action) -> Result<(), Failure> {
        let Action::Expose {
            targets,
            name,
            port,
            target_port,
            kind,
            protocol,
            selector,
            cluster_ip,
            write,
        } = action
        else {
            return Ok(());
        };
        let (infos, failures) = self.visit(targets, "expose")?;
        for info in &infos {
            let chosen = match selector {
                Some(selector) => Value::Object(equalities(selector)?),
                None => match info.resource.kind {
                    "Deployment" | "ReplicaSet" | "StatefulSet" => {
                        if !list(&info.object, "/spec/selector/matchExpressions").is_empty() {
                            return Err("couldn't convert expressions - \"selector\" to map-based selector format".into());
                        }
                        info.object.pointer("/spec/selector/matchLabels").cloned().unwrap_or_default()
                    }
                    "ReplicationController" | "Service" => info.object.pointer("/spec/selector").cloned().unwrap_or_default(),
                    "Pod" => match info.object.pointer("/metadata/labels") {
                        Some(labels) => labels.clone(),
                        None => return Err("couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed".into()),
                    },
                    other => return Err(Failure::Message(format!("cannot expose a {other}"))),
                },
            };
            let spec = super::change::template_spec(info.resource.kind).unwrap_or("/spec");
            let mut ports: Vec<(i64, String)> = match port {
                Some(port) => vec![(*port, protocol.clone().unwrap_or_else(|| "TCP".to_owned()))],
                None if info.resource.kind == "Service" => list(&info.object, "/spec/ports")
                    .iter()
                    .map(|port| (int(port, "/port"), text(port, "/protocol").to_owned()))
                    .collect(),
                None => list(&info.object, &format!("{spec}/containers"))
                    .iter()
                    .flat_map(|container| list(container, "/ports"))
                    .map(|port| (int(port, "/containerPort"), text(port, "/protocol").to_owned()))
                    .collect(),
            };
            for (_, protocol) in &mut ports {
                if protocol.is_empty() {
                    "TCP".clone_into(protocol);
                }
            }
            if ports.is_empty() {
                return Err("couldn't find port via --port flag or introspection\nSee 'kubectl expose -h' for help and examples".into());
            }
            let several = ports.len() > 1;
            let ports: Vec<Value> = ports
                .into_iter()
                .enumerate()
                .map(|(index, (number, protocol))| {
                    let target = match target_port {
                        Some(target) => target
                            .parse::<i64>()
                            .map_or_else(|_| json!(target), |target| json!(target)),
                        None => json!(number),
                    };
                    let mut port = json!({"port": number, "protocol": protocol, "targetPort": target});
                    if several {
                        port["name"] = json!(format!("port-{}", index + 1));
                    }
                    port
                })
                .collect();
            let mut service = json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name.as_ref().unwrap_or(&info.name)},
                "spec": {"ports": ports, "selector": chosen}, "status": {"loadBalancer": {}},
            });
            if let Some(labels) = map(&info.object, "/metadata/labels").filter(|labels| !labels.is_empty()) {
                service["metadata"]["labels"] = Value::Object(labels.clone());
            }
            if let Some(kind) = kind {
                service["spec"]["type"] = json!(kind);
            }
            if let Some(ip) = cluster_ip {
                service["spec"]["clusterIP"] = json!(ip);
            }
            let services = resources::find("services").ok_or("services are not known")?;
            self.generated(services, service, "kubectl-expose", "exposed", write)?;
        }
        self.finish(failures)
    }

    pub(super) fn autoscale(&mut self, action: &Action) -> Result<(), Failure> {
        let Action::Autoscale {
            targets,
            min,
            max,
            cpu,
            name,
            write,
        } = action
        else {
            return Ok(());
        };
        let (infos, failures) = self.visit(targets, "autoscale")?;
        for info in &infos {
            let target =
                json!({"apiVersion": info.resource.api_version(), "kind": info.resource.kind, "name": info.name});
            let mut spec = json!({"scaleTargetRef": target, "maxReplicas": max});
            if let Some(min) = min {
                spec["minReplicas"] = json!(min);
            }
            if let Some(cpu) = cpu {
                spec["metrics"] = json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": cpu}}}]);
            }
            let object = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name.as_ref().unwrap_or(&info.name)}, "spec": spec});
            let resource = resources::find("hpa").ok_or("autoscalers are not known")?;
            self.generated(resource, object, "kubectl-autoscale", "autoscaled", write)?;
        }
        self.finish(failures)
    }
}

fn container(name: &str, image: &str, command: &[String]) -> Value {
    let mut container = json!({"name": name, "image": image, "resources": {}});
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    container
}

/// The name that `create deployment` gives the container of an image: the last part, without tag and digest.
fn container_name(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    let bare = last.split(['@', ':']).next().unwrap_or(last);
    bare.to_lowercase()
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() || char == '-' {
                char
            } else {
                '-'
            }
        })
        .collect()
}

/// `a=1,b=2` as labels.
fn equalities(text: &str) -> Result<serde_json::Map<String, Value>, Failure> {
    text.split(',')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), json!(value.trim_start_matches('=')))),
            _ => Err(Failure::Message(format!("unexpected label spec: {pair}"))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_named_after_their_image() {
        for (image, expected) in [
            ("nginx:1.25", "nginx"),
            ("registry:5000/a/b_c@sha256:0", "b-c"),
            ("busybox", "busybox"),
        ] {
            assert_eq!(container_name(image), expected);
        }
    }
}
