//! The steps of an experiment.

use peapod_sim::time::SimDuration;
use peapod_yaml::{Node, Value};

use super::source::{Fields, Source};
use crate::lab::limit;
use crate::lab::model::{Action, FaultSpec, OrElse, StaticPodFile, Step, Timing};
use crate::lab::nearest;

pub(super) const KEYS: &[&str] = &["apply", "kubectl", "wait", "fault", "at", "after", "when", "orElse"];
pub(super) const ACTIONS: &[&str] = &["apply", "kubectl", "wait", "fault"];
pub(super) const WAIT_KEYS: &[&str] = &["for", "timeout", "orElse"];
pub(super) const STATIC_POD_KEYS: &[&str] = &["write", "manifest", "remove"];
pub(super) const OR_ELSE: &[(&str, OrElse)] = &[("fail", OrElse::Fail), ("continue", OrElse::Continue)];

/// Reads `steps`.
pub fn steps(source: &mut Source<'_>, node: &Node) -> Vec<Step> {
    let items = source.list(node, "steps");
    if items.is_empty() && matches!(node.value, Value::Sequence(_)) {
        source.error("experiment.no-steps", "an experiment needs steps", node.span);
    }
    items.iter().filter_map(|item| step(source, item)).collect()
}

fn step(source: &mut Source<'_>, node: &Node) -> Option<Step> {
    let fields = source.fields(node, "a step", KEYS);
    let when = fields.get("when").and_then(|node| source.expression(node, "when"));
    let bounded = |source: &mut Source<'_>, key: &str| {
        let value = fields.get(key)?;
        let duration = source.duration(value, key)?;
        if duration > limit::VIRTUAL_TIME {
            source.error(
                "experiment.limit",
                "a trial may last 30 days of virtual time",
                value.span,
            );
            return None;
        }
        Some(duration)
    };
    let (at, after) = (bounded(source, "at"), bounded(source, "after"));
    let timing = match (at, after) {
        (Some(_), Some(_)) => {
            source.error(
                "experiment.step",
                "a step has `at` (since the start) or `after` (since the step before), not both",
                node.span,
            );
            Timing::Now
        }
        (Some(at), None) => Timing::At(at),
        (None, Some(after)) => Timing::After(after),
        (None, None) => Timing::Now,
    };
    let actions: Vec<&str> = ACTIONS
        .iter()
        .copied()
        .filter(|action| fields.key(action).is_some())
        .collect();
    let mut or_else = fields
        .get("orElse")
        .and_then(|node| source.choice(node, "orElse", OR_ELSE));
    let action = match actions.as_slice() {
        [] => {
            if matches!(node.value, Value::Mapping(_)) {
                source
                    .error("experiment.step", "this step does nothing", node.span)
                    .hint(format!("one of {}", ACTIONS.join(", ")));
            }
            return None;
        }
        [name] => {
            let Some(value) = fields.get(name) else {
                let at = fields.key(name).unwrap_or(node.span);
                source.error("experiment.type", format!("`{name}` has no value"), at);
                return None;
            };
            action(source, name, value, &mut or_else)?
        }
        several => {
            let message = format!("a step does one thing, and this one has {}", several.join(" and "));
            source
                .error("experiment.step", message, node.span)
                .hint("begin a new item with `- `");
            return None;
        }
    };
    Some(Step {
        when,
        timing,
        action,
        or_else: or_else.unwrap_or_default(),
        place: source.place(node.span),
    })
}

fn action(source: &mut Source<'_>, name: &str, value: &Node, or_else: &mut Option<OrElse>) -> Option<Action> {
    Some(match name {
        "apply" => {
            let Value::String(text) = &value.value else {
                let message = format!("`apply` needs manifests as a text, not {}", value.kind());
                source
                    .error("experiment.type", message, value.span)
                    .hint("write `apply: |` and the manifests below it, further in");
                return None;
            };
            Action::Apply {
                text: text.clone(),
                place: source.text_place(value, text),
            }
        }
        "kubectl" => {
            let text = source.text(value, "kubectl")?;
            let place = source.text_place(value, &text);
            if text.trim_start().starts_with("kubectl ") {
                source
                    .error("experiment.kubectl", "the word `kubectl` is already there", value.span)
                    .hint("leave it out of the line");
                return None;
            }
            Action::Kubectl { text, place }
        }
        "wait" => {
            let fields = source.fields(value, "`wait`", WAIT_KEYS);
            let until = fields
                .required(source, "for")
                .and_then(|node| source.expression(node, "for"));
            let timeout = fields.get("timeout").map(|node| source.duration(node, "timeout"));
            if let Some(inner) = fields
                .get("orElse")
                .and_then(|node| source.choice(node, "orElse", OR_ELSE))
            {
                *or_else = Some(inner);
            }
            Action::Wait {
                until: until?,
                timeout: timeout.unwrap_or(Some(limit::WAIT_TIMEOUT))?,
            }
        }
        _ => Action::Fault {
            fault: fault(source, value)?,
        },
    })
}

/// What a fault can be about, and what can happen to it.
pub(super) const FAULTS: &[(&str, &[&str])] = &[
    (
        "node",
        &[
            "powerOff",
            "crash",
            "freezeKubelet",
            "stopKubelet",
            "partition",
            "memoryPressure",
            "diskPressure",
            "pidPressure",
            "restoreNode",
            "shutdown",
            "staticPod",
        ],
    ),
    ("container", &["kill"]),
    ("sandbox", &["kill"]),
    ("registry", &["down"]),
    ("image", &["available"]),
];

pub(super) const SIGNALS: &[&str] = &[
    "SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGSTOP", "SIGCONT",
];

/// Reads one fault.
pub(super) fn fault(source: &mut Source<'_>, node: &Node) -> Option<FaultSpec> {
    let entries = source.mapping(node, "`fault`");
    let targets: Vec<&str> = FAULTS.iter().map(|(target, _)| *target).collect();
    let Some((target, events)) = FAULTS.iter().find(|(target, _)| node.get(target).is_some()) else {
        let misspelt = entries
            .iter()
            .find_map(|(key, _)| Some((key, nearest::nearest(&key.name, targets.iter().copied())?)));
        let hint = misspelt.map(|(key, meant)| (key.span, format!("did you mean `{meant}`?")));
        let (span, hint) = hint.unwrap_or((node.span, "such as `{node: node-1, powerOff: true}`".to_owned()));
        if !entries.is_empty() {
            let message = format!("a fault is about one of {}", targets.join(", "));
            source.error("experiment.fault", message, span).hint(hint);
        }
        return None;
    };
    let mut known = vec![*target];
    known.extend(*events);
    let fields = source.fields(node, &format!("a fault of a {target}"), &known);
    let name = fields.get(target).and_then(|node| source.text(node, target))?;
    let happened: Vec<&str> = events
        .iter()
        .copied()
        .filter(|event| fields.get(event).is_some())
        .collect();
    let [event] = happened.as_slice() else {
        // An unknown key has been complained about already.
        if entries.iter().all(|(key, _)| known.contains(&key.name.as_str())) {
            let message = format!("a fault of a {target} has one of {}", events.join(", "));
            source.error("experiment.fault", message, node.span);
        }
        return None;
    };
    let value = fields.get(event)?;
    let switch = |source: &mut Source<'_>| source.boolean(value, event);
    Some(match (*target, *event) {
        ("node", "powerOff") => {
            if switch(source)? {
                FaultSpec::NodePowerOff { node: name }
            } else {
                FaultSpec::RestoreNode { node: name }
            }
        }
        ("node", "crash") => {
            only_true(source, value, event)?;
            FaultSpec::NodeCrash { node: name }
        }
        ("node", "freezeKubelet") => FaultSpec::FreezeKubelet {
            node: name,
            on: switch(source)?,
        },
        ("node", "stopKubelet") => FaultSpec::StopKubelet {
            node: name,
            on: switch(source)?,
        },
        ("node", "partition") => FaultSpec::Partition {
            node: name,
            on: switch(source)?,
        },
        ("node", "shutdown") => FaultSpec::ShutdownNode {
            node: name,
            on: switch(source)?,
        },
        ("node", "staticPod") => static_pod(source, &name, value)?,
        ("node", pressure @ ("memoryPressure" | "diskPressure" | "pidPressure")) => {
            let amount = source.scalar_text(value).unwrap_or_default();
            let is_amount = || peapod_sim::quantity::parse(&amount).is_ok_and(|amount| !amount.is_negative());
            if value.as_bool().is_none() && !amount.contains("{{") && !is_amount() {
                let unit = if pressure == "pidPressure" { "1000" } else { "6Gi" };
                let message = format!("`{pressure}` needs true, false or the amount that is taken, such as {unit}");
                source.error("experiment.fault", message, value.span);
                return None;
            }
            FaultSpec::Starve {
                node: name,
                pressure: pressure.to_owned(),
                amount,
            }
        }
        ("node", _) => {
            only_true(source, value, event)?;
            FaultSpec::RestoreNode { node: name }
        }
        ("container", _) => {
            let parts: Vec<&str> = name.split('/').collect();
            let (namespace, pod, container) = match parts.as_slice() {
                [pod, container] => ("default", *pod, *container),
                [namespace, pod, container] => (*namespace, *pod, *container),
                _ => {
                    let at = target_span(&fields, target, node);
                    source
                        .error("experiment.fault", "a container is named as pod/container", at)
                        .hint("such as `demo/app`");
                    return None;
                }
            };
            let signal = source.text(value, "kill")?;
            if !SIGNALS.contains(&signal.as_str()) && !signal.contains("{{") {
                let hint = nearest::hint(&signal, SIGNALS.iter().copied());
                let said = source.error("experiment.fault", format!("`{signal}` is no signal"), value.span);
                if let Some(hint) = hint {
                    said.hint(hint);
                }
                return None;
            }
            let (namespace, pod, container) = (namespace.to_owned(), pod.to_owned(), container.to_owned());
            FaultSpec::KillContainer {
                namespace,
                pod,
                container,
                signal,
            }
        }
        ("sandbox", _) => {
            only_true(source, value, event)?;
            let (namespace, pod) = name.split_once('/').unwrap_or(("default", &name));
            FaultSpec::KillSandbox {
                namespace: namespace.to_owned(),
                pod: pod.to_owned(),
            }
        }
        ("registry", _) => {
            let duration: Option<SimDuration> = match value.as_bool() {
                Some(true) => None,
                _ => Some(source.duration(value, "down")?),
            };
            FaultSpec::RegistryDown {
                registry: name,
                duration,
            }
        }
        _ => {
            only_true(source, value, event)?;
            FaultSpec::ImageAvailable { image: name }
        }
    })
}

/// What is done to a node's directory of static pods.
fn static_pod(source: &mut Source<'_>, node: &str, value: &Node) -> Option<FaultSpec> {
    let fields = source.fields(value, "`staticPod`", STATIC_POD_KEYS);
    match (fields.get("write"), fields.get("manifest"), fields.get("remove")) {
        (Some(write), Some(manifest), None) => {
            let file = source.text(write, "write")?;
            static_pod_file(source, node, &file, write.span, manifest).map(FaultSpec::WriteStaticPod)
        }
        (None, None, Some(remove)) => Some(FaultSpec::RemoveStaticPod {
            node: node.to_owned(),
            file: source.text(remove, "remove")?,
        }),
        _ => {
            // An unknown key has been complained about already.
            let keys = value.entries().iter();
            let known = |name: &str| matches!(name, "write" | "manifest" | "remove");
            if matches!(value.value, Value::Mapping(_)) && keys.into_iter().all(|(key, _)| known(&key.name)) {
                let message = "a file is written with its manifest, or removed";
                source
                    .error("experiment.fault", message, value.span)
                    .hint("`{write: web.yaml, manifest: …}` or `{remove: web.yaml}`");
            }
            None
        }
    }
}

/// A file of a node's directory of static pods.
pub(super) fn static_pod_file(
    source: &mut Source<'_>,
    node: &str,
    file: &str,
    span: peapod_yaml::Span,
    manifest: &Node,
) -> Option<StaticPodFile> {
    if file.is_empty() || file.contains('/') {
        source.error(
            "experiment.static",
            "a file name has no `/`: the directory has no others in it",
            span,
        );
        return None;
    }
    let Value::String(text) = &manifest.value else {
        let message = format!("`{file}` needs a manifest as a text, not {}", manifest.kind());
        source
            .error("experiment.type", message, manifest.span)
            .hint("write `|` and the manifest below it, further in");
        return None;
    };
    Some(StaticPodFile {
        node: node.to_owned(),
        file: file.to_owned(),
        text: text.clone(),
        place: source.text_place(manifest, text),
    })
}

fn target_span(fields: &Fields<'_>, target: &str, node: &Node) -> peapod_yaml::Span {
    fields.get(target).map_or(node.span, |value| value.span)
}

fn only_true(source: &mut Source<'_>, value: &Node, event: &str) -> Option<()> {
    match source.boolean(value, event)? {
        true => Some(()),
        false => {
            source.error("experiment.fault", format!("`{event}: false` does nothing"), value.span);
            None
        }
    }
}
