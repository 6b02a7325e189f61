//! Horizontal pod autoscalers (`describe.go describeHorizontalPodAutoscalerV2`).

use jiff::Timestamp;
use serde_json::Value;

use super::common::{annotations, labels, time_or};
use super::events::events;
use super::writer::Writer;
use crate::value::{has, int, list, map, opt_int, scalar, text};

/// Describes a HorizontalPodAutoscaler.
pub(super) fn autoscaler(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    w.line(0, format!("Name:\t{}", text(object, "/metadata/name")));
    w.line(0, format!("Namespace:\t{}", text(object, "/metadata/namespace")));
    labels(w, "Labels", map(object, "/metadata/labels"));
    annotations(w, object);
    let created = time_or(object, "/metadata/creationTimestamp", "<unset>");
    w.line(0, format!("CreationTimestamp:\t{created}"));
    let kind = text(object, "/spec/scaleTargetRef/kind");
    w.line(
        0,
        format!("Reference:\t{kind}/{}", text(object, "/spec/scaleTargetRef/name")),
    );
    w.line(0, "Metrics:\t( current / target )");
    for (index, metric) in list(object, "/spec/metrics").iter().enumerate() {
        let current = object.pointer(&format!("/status/currentMetrics/{index}"));
        w.line(1, self::metric(metric, current.unwrap_or(&Value::Null)));
    }
    let least = opt_int(object, "/spec/minReplicas").map_or_else(|| "<unset>".to_owned(), |least| least.to_string());
    w.line(0, format!("Min replicas:\t{least}"));
    w.line(0, format!("Max replicas:\t{}", int(object, "/spec/maxReplicas")));
    if has(object, "/spec/behavior") {
        w.line(0, "Behavior:");
        for (title, pointer) in [
            ("Scale Up", "/spec/behavior/scaleUp"),
            ("Scale Down", "/spec/behavior/scaleDown"),
        ] {
            if let Some(rules) = object.pointer(pointer).filter(|rules| !rules.is_null()) {
                direction(w, title, rules);
            }
        }
    }
    w.line(
        0,
        format!(
            "{kind} pods:\t{} current / {} desired",
            int(object, "/status/currentReplicas"),
            int(object, "/status/desiredReplicas")
        ),
    );
    let conditions = list(object, "/status/conditions");
    if !conditions.is_empty() {
        w.line(0, "Conditions:");
        w.line(1, "Type\tStatus\tReason\tMessage");
        w.line(1, "----\t------\t------\t-------");
        for condition in conditions {
            let cells = ["/type", "/status", "/reason", "/message"].map(|pointer| text(condition, pointer));
            w.line(1, cells.join("\t"));
        }
    }
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

fn or_unknown(value: Option<&Value>) -> String {
    value
        .filter(|value| !value.is_null())
        .map_or_else(|| "<unknown>".to_owned(), scalar)
}

/// One metric: what it is about, its present value and its target.
fn metric(metric: &Value, current: &Value) -> String {
    let kind = text(metric, "/type");
    let field = match kind {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return format!("<unknown metric type {kind:?}>"),
    };
    let target = |name: &str| {
        metric
            .pointer(&format!("/{field}/target/{name}"))
            .filter(|value| !value.is_null())
    };
    let now = |name: &str| current.pointer(&format!("/{field}/current/{name}"));
    let name = match field {
        "resource" | "containerResource" => text(metric, &format!("/{field}/name")),
        _ => text(metric, &format!("/{field}/metric/name")),
    };
    let pair = |name: &str| {
        format!(
            "{} / {}",
            or_unknown(now(name)),
            target(name).map(scalar).unwrap_or_default()
        )
    };
    match field {
        "external" if target("averageValue").is_some() => {
            format!("{name:?} (target average value):\t{}", pair("averageValue"))
        }
        "external" => format!("{name:?} (target value):\t{}", pair("value")),
        "pods" => format!("{name:?} on pods:\t{}", pair("averageValue")),
        "object" => {
            let about = ["/object/describedObject/kind", "/object/describedObject/name"].map(|at| text(metric, at));
            let about = format!("\"{name}\" on {} ", about.join("/"));
            if text(metric, "/object/target/type") == "AverageValue" {
                format!("{about}(target average value):\t{}", pair("averageValue"))
            } else {
                format!("{about}(target value):\t{}", pair("value"))
            }
        }
        _ => {
            let about = match field {
                "resource" => format!("resource {name} on pods"),
                _ => format!(
                    "resource {name} of container \"{}\" on pods",
                    text(metric, "/containerResource/container")
                ),
            };
            if target("averageValue").is_some() {
                return format!("{about}:\t{}", pair("averageValue"));
            }
            let present = now("averageUtilization").filter(|value| !value.is_null()).map_or_else(
                || "<unknown>".to_owned(),
                |percent| {
                    format!(
                        "{}% ({})",
                        scalar(percent),
                        now("averageValue").map(scalar).unwrap_or_default()
                    )
                },
            );
            let wanted = target("averageUtilization")
                .map_or_else(|| "<auto>".to_owned(), |percent| format!("{}%", scalar(percent)));
            format!("{about}  (as a percentage of request):\t{present} / {wanted}")
        }
    }
}

/// How fast it may scale in one direction (`printDirectionBehavior`).
fn direction(w: &mut Writer, title: &str, rules: &Value) {
    w.line(1, format!("{title}:"));
    if let Some(seconds) = opt_int(rules, "/stabilizationWindowSeconds") {
        w.line(2, format!("Stabilization Window: {seconds} seconds"));
    }
    if has(rules, "/selectPolicy") {
        w.line(2, format!("Select Policy: {}", text(rules, "/selectPolicy")));
    }
    let policies = list(rules, "/policies");
    if !policies.is_empty() {
        w.line(2, "Policies:");
    }
    for policy in policies {
        w.line(
            3,
            format!(
                "- Type: {}\tValue: {}\tPeriod: {} seconds",
                text(policy, "/type"),
                int(policy, "/value"),
                int(policy, "/periodSeconds")
            ),
        );
    }
}
