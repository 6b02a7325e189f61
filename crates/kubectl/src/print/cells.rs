//! The rows of each kind (`pkg/printers/internalversion/printers.go print…`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::{age, human_duration, since};
use super::pod;
use crate::selector::format_selector;
use crate::value::{condition, filled, has, int, list, map, opt_int, scalar, sorted, text, time, truth};

const NONE: &str = "<none>";
const UNKNOWN: &str = "<unknown>";
const UNSET: &str = "<unset>";

/// All cells of an object's row, those of `-o wide` included, in the order of [`super::columns::columns`].
#[must_use]
pub fn cells(object: &Value, now: Timestamp) -> Vec<Value> {
    let name = json!(text(object, "/metadata/name"));
    let created = json!(age(object, "/metadata/creationTimestamp", now));
    let status = |field: &str| json!(int(object, &format!("/status/{field}")));
    match text(object, "/kind") {
        "Pod" => pod::cells(object, now),
        "Node" => node(object, created),
        "Deployment" => {
            let ready = format!(
                "{}/{}",
                int(object, "/status/readyReplicas"),
                int(object, "/spec/replicas")
            );
            let row = vec![
                name,
                json!(ready),
                status("updatedReplicas"),
                status("availableReplicas"),
                created,
            ];
            with_template(row, object, "/spec/template/spec", true)
        }
        "ReplicaSet" | "ReplicationController" => {
            let row = vec![
                name,
                json!(int(object, "/spec/replicas")),
                status("replicas"),
                status("readyReplicas"),
                created,
            ];
            with_template(row, object, "/spec/template/spec", true)
        }
        "StatefulSet" => {
            let ready = format!(
                "{}/{}",
                int(object, "/status/readyReplicas"),
                int(object, "/spec/replicas")
            );
            with_template(vec![name, json!(ready), created], object, "/spec/template/spec", false)
        }
        "DaemonSet" => {
            let row = vec![
                name,
                status("desiredNumberScheduled"),
                status("currentNumberScheduled"),
                status("numberReady"),
                status("updatedNumberScheduled"),
                status("numberAvailable"),
                json!(labels(object, "/spec/template/spec/nodeSelector")),
                created,
            ];
            with_template(row, object, "/spec/template/spec", true)
        }
        "Job" => job(object, now),
        "CronJob" => cron_job(object, now),
        "Service" => service(object, created),
        "Endpoints" => vec![name, json!(endpoints(object)), created],
        "EndpointSlice" => endpoint_slice(object, created),
        "Event" => event(object, now),
        "Namespace" => vec![name, json!(text(object, "/status/phase")), created],
        "ConfigMap" => vec![
            name,
            json!(entries(object, "/data") + entries(object, "/binaryData")),
            created,
        ],
        "Secret" => vec![
            name,
            json!(text(object, "/type")),
            json!(entries(object, "/data")),
            created,
        ],
        "PersistentVolumeClaim" => claim(object, created),
        "PersistentVolume" => volume(object, created),
        "StorageClass" => storage_class(object, created),
        "PodDisruptionBudget" => {
            let amount = |pointer: &str| json!(object.pointer(pointer).map_or_else(|| "N/A".to_owned(), scalar));
            vec![
                name,
                amount("/spec/minAvailable"),
                amount("/spec/maxUnavailable"),
                status("disruptionsAllowed"),
                created,
            ]
        }
        "PriorityClass" => {
            let policy = match text(object, "/preemptionPolicy") {
                "" => "PreemptLowerPriority",
                policy => policy,
            };
            vec![
                name,
                json!(int(object, "/value")),
                json!(truth(object, "/globalDefault")),
                created,
                json!(policy),
            ]
        }
        "Lease" => vec![name, json!(text(object, "/spec/holderIdentity")), created],
        "ControllerRevision" => {
            let owner = list(object, "/metadata/ownerReferences")
                .iter()
                .find(|owner| truth(owner, "/controller"));
            let owner = owner.map_or_else(
                || NONE.to_owned(),
                |owner| {
                    let kind = text(owner, "/kind").to_lowercase();
                    let group = text(owner, "/apiVersion")
                        .rsplit_once('/')
                        .map_or(String::new(), |(group, _)| format!(".{group}"));
                    format!("{kind}{group}/{}", text(owner, "/name"))
                },
            );
            vec![name, json!(owner), json!(int(object, "/revision")), created]
        }
        "HorizontalPodAutoscaler" => autoscaler(object, created),
        "ResourceQuota" => quota(object, created),
        "Ingress" => ingress(object, created),
        "NetworkPolicy" => vec![
            name,
            json!(
                object
                    .pointer("/spec/podSelector")
                    .map_or_else(|| NONE.to_owned(), format_selector)
            ),
            created,
        ],
        "LimitRange" => vec![name, json!(text(object, "/metadata/creationTimestamp"))],
        _ => vec![name, created],
    }
}

fn entries(object: &Value, pointer: &str) -> usize {
    map(object, pointer).map_or(0, serde_json::Map::len)
}

/// `a=1,b=2`, or `<none>` (`labels.FormatLabels`).
pub(crate) fn labels(object: &Value, pointer: &str) -> String {
    filled(object, pointer).map_or_else(
        || NONE.to_owned(),
        |labels| {
            sorted(labels)
                .iter()
                .map(|(key, value)| format!("{key}={}", scalar(value)))
                .collect::<Vec<_>>()
                .join(",")
        },
    )
}

/// Appends the wide columns CONTAINERS, IMAGES and SELECTOR.
fn with_template(mut row: Vec<Value>, object: &Value, spec: &str, selector: bool) -> Vec<Value> {
    let containers = list(object, &format!("{spec}/containers"));
    let joined = |field: &str| {
        containers
            .iter()
            .map(|container| text(container, field))
            .collect::<Vec<_>>()
            .join(",")
    };
    row.extend([json!(joined("/name")), json!(joined("/image"))]);
    if selector {
        row.push(json!(
            object
                .pointer("/spec/selector")
                .map_or_else(|| NONE.to_owned(), format_selector)
        ));
    }
    row
}

fn node(object: &Value, created: Value) -> Vec<Value> {
    let mut status = match condition(object, "Ready") {
        Some(ready) if text(ready, "/status") == "True" => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if truth(object, "/spec/unschedulable") {
        status.push_str(",SchedulingDisabled");
    }
    let address = |kind: &str| {
        let found = list(object, "/status/addresses")
            .iter()
            .find(|address| text(address, "/type") == kind);
        json!(found.map_or(NONE, |address| text(address, "/address")))
    };
    let info = |field: &str| match text(object, &format!("/status/nodeInfo/{field}")) {
        "" => UNKNOWN.to_owned(),
        found => found.to_owned(),
    };
    let mut kernel = info("kernelVersion");
    let architecture = text(object, "/status/nodeInfo/architecture");
    if !architecture.is_empty() && kernel != UNKNOWN {
        kernel = format!("{kernel} ({architecture})");
    }
    vec![
        json!(text(object, "/metadata/name")),
        json!(status),
        json!(roles(object)),
        created,
        json!(text(object, "/status/nodeInfo/kubeletVersion")),
        address("InternalIP"),
        address("ExternalIP"),
        json!(info("osImage")),
        json!(kernel),
        json!(info("containerRuntimeVersion")),
    ]
}

/// The roles that a node's labels give, sorted, or `<none>`.
pub(crate) fn roles(node: &Value) -> String {
    let mut roles: Vec<&str> = map(node, "/metadata/labels")
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some("") => None,
            Some(role) => Some(role),
            None if key == "kubernetes.io/role" => value.as_str().filter(|role| !role.is_empty()),
            None => None,
        })
        .collect();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        NONE.to_owned()
    } else {
        roles.join(",")
    }
}

fn job(object: &Value, now: Timestamp) -> Vec<Value> {
    let succeeded = int(object, "/status/succeeded");
    let completions = match opt_int(object, "/spec/completions") {
        Some(completions) => format!("{succeeded}/{completions}"),
        None => match opt_int(object, "/spec/parallelism") {
            Some(parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
            _ => format!("{succeeded}/1"),
        },
    };
    let duration = match (
        time(object, "/status/startTime"),
        time(object, "/status/completionTime"),
    ) {
        (None, _) => String::new(),
        (Some(start), None) => since(start, now),
        (Some(start), Some(end)) => human_duration(end.duration_since(start).as_secs()),
    };
    let is = |kind: &str| condition(object, kind).is_some_and(|found| text(found, "/status") == "True");
    let status = if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if has(object, "/metadata/deletionTimestamp") {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    };
    let row = vec![
        json!(text(object, "/metadata/name")),
        json!(status),
        json!(completions),
        json!(duration),
        json!(age(object, "/metadata/creationTimestamp", now)),
    ];
    with_template(row, object, "/spec/template/spec", true)
}

fn cron_job(object: &Value, now: Timestamp) -> Vec<Value> {
    let zone = match text(object, "/spec/timeZone") {
        "" => NONE,
        zone => zone,
    };
    let last = time(object, "/status/lastScheduleTime").map_or_else(|| NONE.to_owned(), |last| since(last, now));
    let suspend = match object.pointer("/spec/suspend").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => UNSET,
    };
    let mut row = vec![
        json!(text(object, "/metadata/name")),
        json!(text(object, "/spec/schedule")),
        json!(zone),
        json!(suspend),
        json!(list(object, "/status/active").len()),
        json!(last),
        json!(age(object, "/metadata/creationTimestamp", now)),
    ];
    row = with_template(row, object, "/spec/jobTemplate/spec/template/spec", false);
    row.push(json!(
        object
            .pointer("/spec/jobTemplate/spec/selector")
            .map_or_else(|| NONE.to_owned(), format_selector)
    ));
    row
}

fn service(object: &Value, created: Value) -> Vec<Value> {
    let kind = text(object, "/spec/type");
    let external_ips: Vec<&str> = list(object, "/spec/externalIPs")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let balanced: Vec<&str> = list(object, "/status/loadBalancer/ingress")
        .iter()
        .map(|ingress| match text(ingress, "/ip") {
            "" => text(ingress, "/hostname"),
            ip => ip,
        })
        .collect();
    let external = match kind {
        "LoadBalancer" => {
            let all: Vec<&str> = balanced.iter().chain(&external_ips).copied().collect();
            if all.is_empty() {
                "<pending>".to_owned()
            } else {
                all.join(",")
            }
        }
        "ExternalName" => text(object, "/spec/externalName").to_owned(),
        "" => UNKNOWN.to_owned(),
        _ if external_ips.is_empty() => NONE.to_owned(),
        _ => external_ips.join(","),
    };
    let ports: Vec<String> = list(object, "/spec/ports")
        .iter()
        .map(|port| match int(port, "/nodePort") {
            0 => format!("{}/{}", int(port, "/port"), text(port, "/protocol")),
            node_port => format!("{}:{node_port}/{}", int(port, "/port"), text(port, "/protocol")),
        })
        .collect();
    let cluster_ip = match text(object, "/spec/clusterIPs/0") {
        "" => match text(object, "/spec/clusterIP") {
            "" => NONE,
            ip => ip,
        },
        ip => ip,
    };
    vec![
        json!(text(object, "/metadata/name")),
        json!(kind),
        json!(cluster_ip),
        json!(external),
        json!(if ports.is_empty() {
            NONE.to_owned()
        } else {
            ports.join(",")
        }),
        created,
        json!(labels(object, "/spec/selector")),
    ]
}

/// Up to three addresses with ports (`formatEndpoints`).
pub(crate) fn endpoints(object: &Value) -> String {
    let mut shown = Vec::new();
    let mut count = 0;
    for subset in list(object, "/subsets") {
        let ports = list(subset, "/ports");
        let addresses = list(subset, "/addresses");
        if ports.is_empty() {
            for address in addresses {
                count += 1;
                if shown.len() < 3 {
                    shown.push(text(address, "/ip").to_owned());
                }
            }
        }
        for port in ports {
            for address in addresses {
                count += 1;
                if shown.len() < 3 {
                    shown.push(format!("{}:{}", text(address, "/ip"), int(port, "/port")));
                }
            }
        }
    }
    match count {
        0 => NONE.to_owned(),
        count if count > shown.len() => format!("{} + {} more...", shown.join(","), count - shown.len()),
        _ => shown.join(","),
    }
}

fn shortened(items: &[String], max: usize, empty: &str) -> String {
    if items.is_empty() {
        empty.to_owned()
    } else if items.len() > max {
        format!("{} + {} more...", items[..max].join(","), items.len() - max)
    } else {
        items.join(",")
    }
}

fn endpoint_slice(object: &Value, created: Value) -> Vec<Value> {
    let ports: Vec<String> = list(object, "/ports")
        .iter()
        .map(|port| {
            opt_int(port, "/port").map_or_else(
                || match text(port, "/name") {
                    "" => "*".to_owned(),
                    name => name.to_owned(),
                },
                |port| port.to_string(),
            )
        })
        .collect();
    let addresses: Vec<String> = list(object, "/endpoints")
        .iter()
        .flat_map(|endpoint| list(endpoint, "/addresses"))
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    vec![
        json!(text(object, "/metadata/name")),
        json!(text(object, "/addressType")),
        json!(shortened(&ports, 3, UNSET)),
        json!(shortened(&addresses, 3, UNSET)),
        created,
    ]
}

fn event(object: &Value, now: Timestamp) -> Vec<Value> {
    let first_set = |pointers: &[&str]| pointers.iter().find_map(|pointer| time(object, pointer));
    let first = first_set(&["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime"]);
    let last = first_set(&["/series/lastObservedTime", "/lastTimestamp", "/deprecatedLastTimestamp"]).or(first);
    let shown = |at: Option<Timestamp>| json!(at.map_or_else(|| UNKNOWN.to_owned(), |at| since(at, now)));
    // Kinds of `events.k8s.io` name the same things differently.
    let about = if has(object, "/regarding") {
        "/regarding"
    } else {
        "/involvedObject"
    };
    let kind = text(object, &format!("{about}/kind")).to_lowercase();
    let target = match text(object, &format!("{about}/name")) {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let component = [
        "/source/component",
        "/deprecatedSource/component",
        "/reportingComponent",
        "/reportingController",
    ]
    .iter()
    .map(|pointer| text(object, pointer))
    .find(|found| !found.is_empty())
    .unwrap_or("");
    let host = ["/source/host", "/deprecatedSource/host", "/reportingInstance"]
        .iter()
        .map(|pointer| text(object, pointer))
        .find(|found| !found.is_empty())
        .unwrap_or("");
    let source = if host.is_empty() {
        component.to_owned()
    } else {
        format!("{component}, {host}")
    };
    let count = [
        opt_int(object, "/series/count"),
        opt_int(object, "/count"),
        opt_int(object, "/deprecatedCount"),
    ]
    .into_iter()
    .flatten()
    .find(|count| *count > 0)
    .unwrap_or(1);
    let message = match text(object, "/message") {
        "" => text(object, "/note"),
        message => message,
    };
    vec![
        shown(last),
        json!(text(object, "/type")),
        json!(text(object, "/reason")),
        json!(target),
        json!(text(object, &format!("{about}/fieldPath"))),
        json!(source),
        json!(message.trim()),
        shown(first),
        json!(count),
        json!(text(object, "/metadata/name")),
    ]
}

/// `RWO,ROX` (`storage/util GetAccessModesAsString`).
pub(crate) fn access_modes(object: &Value, pointer: &str) -> String {
    let has = |mode: &str| list(object, pointer).iter().any(|found| found == mode);
    [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ]
    .iter()
    .filter(|(mode, _)| has(mode))
    .map(|(_, short)| *short)
    .collect::<Vec<_>>()
    .join(",")
}

fn or_unset(found: &str) -> Value {
    json!(if found.is_empty() { UNSET } else { found })
}

fn phase(object: &Value) -> Value {
    json!(if has(object, "/metadata/deletionTimestamp") {
        "Terminating"
    } else {
        text(object, "/status/phase")
    })
}

fn claim(object: &Value, created: Value) -> Vec<Value> {
    let bound = !text(object, "/spec/volumeName").is_empty();
    let class = match text(object, "/metadata/annotations/volume.beta.kubernetes.io~1storage-class") {
        "" => text(object, "/spec/storageClassName"),
        class => class,
    };
    vec![
        json!(text(object, "/metadata/name")),
        phase(object),
        json!(text(object, "/spec/volumeName")),
        json!(if bound {
            object
                .pointer("/status/capacity/storage")
                .map(scalar)
                .unwrap_or_default()
        } else {
            String::new()
        }),
        json!(if bound {
            access_modes(object, "/status/accessModes")
        } else {
            String::new()
        }),
        json!(class),
        or_unset(text(object, "/spec/volumeAttributesClassName")),
        created,
        or_unset(text(object, "/spec/volumeMode")),
    ]
}

fn volume(object: &Value, created: Value) -> Vec<Value> {
    let claim = if has(object, "/spec/claimRef") {
        format!(
            "{}/{}",
            text(object, "/spec/claimRef/namespace"),
            text(object, "/spec/claimRef/name")
        )
    } else {
        String::new()
    };
    vec![
        json!(text(object, "/metadata/name")),
        json!(object.pointer("/spec/capacity/storage").map(scalar).unwrap_or_default()),
        json!(access_modes(object, "/spec/accessModes")),
        json!(text(object, "/spec/persistentVolumeReclaimPolicy")),
        phase(object),
        json!(claim),
        json!(text(object, "/spec/storageClassName")),
        or_unset(text(object, "/spec/volumeAttributesClassName")),
        json!(text(object, "/status/reason")),
        created,
        or_unset(text(object, "/spec/volumeMode")),
    ]
}

fn storage_class(object: &Value, created: Value) -> Vec<Value> {
    let default = [
        "storageclass.kubernetes.io~1is-default-class",
        "storageclass.beta.kubernetes.io~1is-default-class",
    ]
    .iter()
    .any(|key| text(object, &format!("/metadata/annotations/{key}")) == "true");
    let name = text(object, "/metadata/name");
    let or = |pointer: &str, fallback: &'static str| match text(object, pointer) {
        "" => fallback.to_owned(),
        found => found.to_owned(),
    };
    vec![
        json!(if default {
            format!("{name} (default)")
        } else {
            name.to_owned()
        }),
        json!(text(object, "/provisioner")),
        json!(or("/reclaimPolicy", "Delete")),
        json!(or("/volumeBindingMode", "Immediate")),
        json!(truth(object, "/allowVolumeExpansion")),
        created,
    ]
}

/// One metric of an autoscaler, as `current/target`.
fn metric(object: &Value, index: usize, spec: &Value) -> String {
    let current = |field: &str| {
        object
            .pointer(&format!("/status/currentMetrics/{index}{field}"))
            .filter(|found| !found.is_null())
    };
    let or_unknown = |found: Option<&Value>, percent: &str| {
        found.map_or_else(|| UNKNOWN.to_owned(), |value| format!("{}{percent}", scalar(value)))
    };
    match text(spec, "/type") {
        kind @ ("Resource" | "ContainerResource") => {
            let field = if kind == "Resource" {
                "resource"
            } else {
                "containerResource"
            };
            let name = text(spec, &format!("/{field}/name"));
            if let Some(target) = spec
                .pointer(&format!("/{field}/target/averageValue"))
                .filter(|found| !found.is_null())
            {
                format!(
                    "{name}: {}/{}",
                    or_unknown(current(&format!("/{field}/current/averageValue")), ""),
                    scalar(target)
                )
            } else {
                let target = spec
                    .pointer(&format!("/{field}/target/averageUtilization"))
                    .map_or_else(|| "<auto>".to_owned(), |target| format!("{}%", scalar(target)));
                format!(
                    "{name}: {}/{target}",
                    or_unknown(current(&format!("/{field}/current/averageUtilization")), "%")
                )
            }
        }
        "Pods" => {
            let target = spec
                .pointer("/pods/target/averageValue")
                .map(scalar)
                .unwrap_or_default();
            format!("{}/{target}", or_unknown(current("/pods/current/averageValue"), ""))
        }
        "Object" | "External" => {
            let field = if text(spec, "/type") == "Object" {
                "object"
            } else {
                "external"
            };
            if let Some(target) = spec
                .pointer(&format!("/{field}/target/averageValue"))
                .filter(|found| !found.is_null())
            {
                format!(
                    "{}/{} (avg)",
                    or_unknown(current(&format!("/{field}/current/averageValue")), ""),
                    scalar(target)
                )
            } else {
                let target = spec
                    .pointer(&format!("/{field}/target/value"))
                    .map(scalar)
                    .unwrap_or_default();
                format!(
                    "{}/{target}",
                    or_unknown(current(&format!("/{field}/current/value")), "")
                )
            }
        }
        _ => "<unknown type>".to_owned(),
    }
}

fn autoscaler(object: &Value, created: Value) -> Vec<Value> {
    let metrics = list(object, "/spec/metrics");
    let shown: Vec<String> = metrics
        .iter()
        .take(2)
        .enumerate()
        .map(|(index, spec)| metric(object, index, spec))
        .collect();
    let targets = match metrics.len() {
        0 => NONE.to_owned(),
        count if count > 2 => format!("{} + {} more...", shown.join(", "), count - 2),
        _ => shown.join(", "),
    };
    vec![
        json!(text(object, "/metadata/name")),
        json!(format!(
            "{}/{}",
            text(object, "/spec/scaleTargetRef/kind"),
            text(object, "/spec/scaleTargetRef/name")
        )),
        json!(targets),
        json!(opt_int(object, "/spec/minReplicas").map_or_else(|| UNSET.to_owned(), |min| min.to_string())),
        json!(int(object, "/spec/maxReplicas")),
        json!(int(object, "/status/currentReplicas")),
        created,
    ]
}

fn quota(object: &Value, created: Value) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in map(object, "/status/hard").map(sorted).unwrap_or_default() {
        let used = object
            .pointer("/status/used")
            .and_then(|used| used.get(resource))
            .map_or_else(|| "0".to_owned(), scalar);
        let shown = format!("{resource}: {used}/{}", scalar(hard));
        if resource.starts_with("limits.") {
            limits.push(shown)
        } else {
            requests.push(shown)
        }
    }
    vec![
        json!(text(object, "/metadata/name")),
        json!(requests.join(", ")),
        json!(limits.join(", ")),
        created,
    ]
}

fn ingress(object: &Value, created: Value) -> Vec<Value> {
    let class = match text(object, "/spec/ingressClassName") {
        "" => match text(object, "/metadata/annotations/kubernetes.io~1ingress.class") {
            "" => NONE,
            class => class,
        },
        class => class,
    };
    let hosts: Vec<String> = list(object, "/spec/rules")
        .iter()
        .map(|rule| text(rule, "/host").to_owned())
        .filter(|host| !host.is_empty())
        .collect();
    let addresses: Vec<&str> = list(object, "/status/loadBalancer/ingress")
        .iter()
        .map(|address| match text(address, "/ip") {
            "" => text(address, "/hostname"),
            ip => ip,
        })
        .collect();
    let ports = if list(object, "/spec/tls").is_empty() {
        "80"
    } else {
        "80, 443"
    };
    vec![
        json!(text(object, "/metadata/name")),
        json!(class),
        json!(shortened(&hosts, 3, "*")),
        json!(addresses.join(",")),
        json!(ports),
        created,
    ]
}
