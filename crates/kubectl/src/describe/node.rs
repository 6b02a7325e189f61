//! Nodes and what their pods ask of them (`describe.go describeNode`, `describeNodeResource`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::common::{annotations, labels, time_or};
use super::events::events;
use super::writer::Writer;
use crate::print::age::age;
use crate::print::cells::roles;
use crate::quantity::Quantity;
use crate::value::{filled, list, map, scalar, sorted, text, truth};

type Amounts = BTreeMap<String, Quantity>;

/// Describes a Node.
pub(super) fn node(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    let name = text(object, "/metadata/name");
    w.line(0, format!("Name:\t{name}"));
    w.line(0, format!("Roles:\t{}", roles(object)));
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    w.line(
        0,
        format!(
            "CreationTimestamp:\t{}",
            time_or(object, "/metadata/creationTimestamp", "<unset>")
        ),
    );
    taints(w, object);
    w.line(0, format!("Unschedulable:\t{}", truth(object, "/spec/unschedulable")));
    w.line(0, "Lease:");
    let none = Value::Null;
    let lease = around
        .iter()
        .find(|other| text(other, "/kind") == "Lease" && text(other, "/metadata/name") == name)
        .unwrap_or(&none);
    let holder = match text(lease, "/spec/holderIdentity") {
        "" => "<unset>",
        holder => holder,
    };
    w.line(1, format!("HolderIdentity:\t{holder}"));
    w.line(
        1,
        format!("AcquireTime:\t{}", time_or(lease, "/spec/acquireTime", "<unset>")),
    );
    w.line(
        1,
        format!("RenewTime:\t{}", time_or(lease, "/spec/renewTime", "<unset>")),
    );
    let conditions = list(object, "/status/conditions");
    if !conditions.is_empty() {
        w.line(0, "Conditions:");
        w.line(
            1,
            "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage",
        );
        w.line(
            1,
            "----\t------\t-----------------\t------------------\t------\t-------",
        );
        for condition in conditions {
            w.line(
                1,
                format!(
                    "{} \t{} \t{} \t{} \t{} \t{}",
                    text(condition, "/type"),
                    text(condition, "/status"),
                    time_or(condition, "/lastHeartbeatTime", "Mon, 01 Jan 0001 00:00:00 +0000"),
                    time_or(condition, "/lastTransitionTime", "Mon, 01 Jan 0001 00:00:00 +0000"),
                    text(condition, "/reason"),
                    text(condition, "/message")
                ),
            );
        }
    }
    w.line(0, "Addresses:");
    for address in list(object, "/status/addresses") {
        w.line(1, format!("{}:\t{}", text(address, "/type"), text(address, "/address")));
    }
    for (title, field) in [("Capacity", "/status/capacity"), ("Allocatable", "/status/allocatable")] {
        if let Some(amounts) = filled(object, field) {
            w.line(0, format!("{title}:"));
            for (resource, amount) in sorted(amounts) {
                w.line(1, format!("{resource}:\t{}", scalar(amount)));
            }
        }
    }
    w.line(0, "System Info:");
    for (title, field) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
    ] {
        w.line(
            1,
            format!("{title}:\t{}", text(object, &format!("/status/nodeInfo/{field}"))),
        );
    }
    if !text(object, "/spec/podCIDR").is_empty() {
        w.line(0, format!("PodCIDR:\t{}", text(object, "/spec/podCIDR")));
    }
    let cidrs: Vec<&str> = list(object, "/spec/podCIDRs")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if !cidrs.is_empty() {
        w.line(0, format!("PodCIDRs:\t{}", cidrs.join(",")));
    }
    if !text(object, "/spec/providerID").is_empty() {
        w.line(0, format!("ProviderID:\t{}", text(object, "/spec/providerID")));
    }
    resources(w, object, around, now);
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

fn taints(w: &mut Writer, object: &Value) {
    let taints = list(object, "/spec/taints");
    if taints.is_empty() {
        w.line(0, "Taints:\t<none>");
    }
    let mut shown: Vec<(String, String)> = taints
        .iter()
        .map(|taint| {
            let (key, value, effect) = (text(taint, "/key"), text(taint, "/value"), text(taint, "/effect"));
            let text = if value.is_empty() {
                format!("{key}:{effect}")
            } else {
                format!("{key}={value}:{effect}")
            };
            (format!("{effect},{key}"), text)
        })
        .collect();
    shown.sort();
    for (index, (_, taint)) in shown.into_iter().enumerate() {
        w.line(
            0,
            if index == 0 {
                format!("Taints:\t{taint}")
            } else {
                format!("\t{taint}")
            },
        );
    }
}

fn amounts(container: &Value, field: &str) -> Amounts {
    let found = map(container, &format!("/resources/{field}"));
    found
        .into_iter()
        .flatten()
        .filter_map(|(resource, amount)| Some((resource.clone(), Quantity::parse(&scalar(amount))?)))
        .collect()
}

fn add(to: &mut Amounts, more: &Amounts) {
    for (resource, amount) in more {
        let sum = to.get(resource).copied().unwrap_or_default().plus(*amount);
        to.insert(resource.clone(), sum);
    }
}

fn raise(to: &mut Amounts, other: &Amounts) {
    for (resource, amount) in other {
        let max = to.get(resource).copied().unwrap_or_default().max(*amount);
        to.insert(resource.clone(), max);
    }
}

/// What a pod asks for in all (`component-helpers/resource PodRequests`, `PodLimits`): the greater of what runs
/// together and what any init container needs beside the sidecars before it.
fn pod_amounts(pod: &Value, field: &str) -> Amounts {
    let mut total = Amounts::new();
    for container in list(pod, "/spec/containers") {
        add(&mut total, &amounts(container, field));
    }
    let (mut sidecars, mut starting) = (Amounts::new(), Amounts::new());
    for container in list(pod, "/spec/initContainers") {
        let own = amounts(container, field);
        if text(container, "/restartPolicy") == "Always" {
            add(&mut total, &own);
            add(&mut sidecars, &own);
            raise(&mut starting, &sidecars);
        } else {
            let mut needed = sidecars.clone();
            add(&mut needed, &own);
            raise(&mut starting, &needed);
        }
    }
    raise(&mut total, &starting);
    let overhead: Amounts = map(pod, "/spec/overhead")
        .into_iter()
        .flatten()
        .filter(|(resource, _)| field == "requests" || total.contains_key(*resource))
        .filter_map(|(resource, amount)| Some((resource.clone(), Quantity::parse(&scalar(amount))?)))
        .collect();
    add(&mut total, &overhead);
    total
}

fn resources(w: &mut Writer, object: &Value, around: &[Value], now: Timestamp) {
    let name = text(object, "/metadata/name");
    let allocatable: Amounts = filled(object, "/status/allocatable")
        .or_else(|| filled(object, "/status/capacity"))
        .into_iter()
        .flatten()
        .filter_map(|(resource, amount)| Some((resource.clone(), Quantity::parse(&scalar(amount))?)))
        .collect();
    let mut pods: Vec<&Value> = around
        .iter()
        .filter(|other| {
            text(other, "/kind") == "Pod"
                && text(other, "/spec/nodeName") == name
                && !matches!(text(other, "/status/phase"), "Succeeded" | "Failed")
        })
        .collect();
    pods.sort_by_key(|pod| (text(pod, "/metadata/namespace"), text(pod, "/metadata/name")));
    w.line(0, format!("Non-terminated Pods:\t({} in total)", pods.len()));
    w.line(
        1,
        "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge",
    );
    w.line(
        1,
        "---------\t----\t\t------------\t----------\t---------------\t-------------\t---",
    );
    let share = |amounts: &Amounts, resource: &str| {
        let amount = amounts.get(resource).copied().unwrap_or_default();
        let whole = allocatable.get(resource).copied().unwrap_or_default();
        format!("{amount} ({}%)", amount.percent_of(whole))
    };
    let (mut all_requests, mut all_limits) = (Amounts::new(), Amounts::new());
    for pod in pods {
        let (requests, limits) = (pod_amounts(pod, "requests"), pod_amounts(pod, "limits"));
        w.line(
            1,
            format!(
                "{}\t{}\t\t{}\t{}\t{}\t{}\t{}",
                text(pod, "/metadata/namespace"),
                text(pod, "/metadata/name"),
                share(&requests, "cpu"),
                share(&limits, "cpu"),
                share(&requests, "memory"),
                share(&limits, "memory"),
                age(pod, "/metadata/creationTimestamp", now)
            ),
        );
        add(&mut all_requests, &requests);
        add(&mut all_limits, &limits);
    }
    w.line(0, "Allocated resources:");
    w.line(1, "(Total limits may be over 100 percent, i.e., overcommitted.)");
    w.line(1, "Resource\tRequests\tLimits");
    w.line(1, "--------\t--------\t------");
    for resource in ["cpu", "memory", "ephemeral-storage"] {
        w.line(
            1,
            format!(
                "{resource}\t{}\t{}",
                share(&all_requests, resource),
                share(&all_limits, resource)
            ),
        );
    }
    for resource in allocatable
        .keys()
        .filter(|resource| !matches!(resource.as_str(), "cpu" | "memory" | "ephemeral-storage" | "pods"))
    {
        if resource.starts_with("hugepages-") {
            w.line(
                1,
                format!(
                    "{resource}\t{}\t{}",
                    share(&all_requests, resource),
                    share(&all_limits, resource)
                ),
            );
        } else {
            let plain = |amounts: &Amounts| amounts.get(resource).copied().unwrap_or_default();
            w.line(
                1,
                format!("{resource}\t{}\t{}", plain(&all_requests), plain(&all_limits)),
            );
        }
    }
}
