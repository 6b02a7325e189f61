//! Ingresses (`describe.go describeIngressV1`).

use jiff::Timestamp;
use serde_json::Value;

use super::common::{annotations, labels, or};
use super::config::endpoints;
use super::events::events;
use super::writer::Writer;
use crate::value::{has, int, list, map, text};

/// Describes an Ingress.
pub(super) fn ingress(object: &Value, around: &[Value], now: Timestamp, show_events: bool) -> String {
    let mut out = Writer::default();
    let w = &mut out;
    w.line(0, format!("Name:\t{}", text(object, "/metadata/name")));
    labels(w, "Labels", map(object, "/metadata/labels"));
    w.line(0, format!("Namespace:\t{}", text(object, "/metadata/namespace")));
    let addresses: Vec<&str> = list(object, "/status/loadBalancer/ingress")
        .iter()
        .map(|ingress| or(ingress, "/ip", text(ingress, "/hostname")))
        .filter(|address| !address.is_empty())
        .collect();
    w.line(0, format!("Address:\t{}", addresses.join(",")));
    w.line(
        0,
        format!("Ingress Class:\t{}", or(object, "/spec/ingressClassName", "<none>")),
    );
    let default = object
        .pointer("/spec/defaultBackend")
        .map_or_else(|| "<default>".to_owned(), |own| backend(own, around));
    w.line(0, format!("Default backend:\t{default}"));
    let tls = list(object, "/spec/tls");
    if !tls.is_empty() {
        w.line(0, "TLS:");
    }
    for own in tls {
        let hosts: Vec<&str> = list(own, "/hosts").iter().filter_map(Value::as_str).collect();
        w.line(
            1,
            match text(own, "/secretName") {
                "" => format!("SNI routes {}", hosts.join(",")),
                secret => format!("{secret} terminates {}", hosts.join(",")),
            },
        );
    }
    w.line(0, "Rules:\n  Host\tPath\tBackends");
    w.line(1, "----\t----\t--------");
    let rules: Vec<&Value> = list(object, "/spec/rules")
        .iter()
        .filter(|rule| has(rule, "/http"))
        .collect();
    for rule in &rules {
        w.line(1, format!("{}\t", or(rule, "/host", "*")));
        for path in list(rule, "/http/paths") {
            let shown = path
                .pointer("/backend")
                .map(|own| backend(own, around))
                .unwrap_or_default();
            w.line(2, format!("\t{} \t{shown}", text(path, "/path")));
        }
    }
    if rules.is_empty() {
        w.line(1, format!("*\t*\t{default}"));
    }
    annotations(w, object);
    if show_events {
        events(w, around, now);
    }
    out.finish()
}

/// Where requests go, and the endpoints that are there (`describeBackendV1`).
fn backend(backend: &Value, around: &[Value]) -> String {
    if has(backend, "/resource") {
        return format!(
            "APIGroup: {}, Kind: {}, Name: {}",
            or(backend, "/resource/apiGroup", "<none>"),
            text(backend, "/resource/kind"),
            text(backend, "/resource/name")
        );
    }
    let name = text(backend, "/service/name");
    let (number, port) = (
        int(backend, "/service/port/number"),
        text(backend, "/service/port/name"),
    );
    let shown = match port {
        "" => format!("{name}:{number}"),
        port => format!("{name}:{port}"),
    };
    let service = around
        .iter()
        .find(|object| text(object, "/kind") == "Service" && text(object, "/metadata/name") == name);
    let Some(service) = service else {
        return format!("{shown} (<error: services \"{name}\" not found>)");
    };
    let known = list(service, "/spec/ports")
        .iter()
        .rfind(|own| number != 0 && int(own, "/port") == number || !port.is_empty() && text(own, "/name") == port);
    let of_service: Vec<Value> = around
        .iter()
        .filter(|object| text(object, "/metadata/labels/kubernetes.io~1service-name") == name)
        .cloned()
        .collect();
    format!(
        "{shown} ({})",
        endpoints(&of_service, known.map_or("", |own| text(own, "/name")))
    )
}
