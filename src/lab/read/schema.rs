//! The experiment language as a JSON Schema, for editors. It is made of the reader's own lists of words, so that the two cannot
//! tell of different languages.
//!
//! A schema knows less than the reader: that an expression has a misspelt field, that a template names a variable which does
//! not exist, or that two nodes have one name, only [`read`](super::read()) says.

use peapod_sim::cluster::setting_names;
use peapod_sim::kubelet::config;
use peapod_sim::objects::RESOURCES;
use peapod_sim::version::Version;
use serde_json::{Map, Value, json};

use super::{CLUSTER_KEYS, EFFECTS, JITTERS, KEYS, LISTS, NODE_KEYS, RESERVED, SETTLED_KEYS, TAINT_KEYS};
use super::{expect, predict, refute, steps};
use crate::lab::limit;

/// The schema (JSON Schema 2020-12) of the content of an `experiment` fence.
pub fn schema() -> Value {
    let mut schema = object(KEYS, experiment);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Peapod experiment");
    schema["required"] = json!(["steps"]);
    schema["$defs"] = json!({
        "duration": {
            "description": "A span of virtual time: numbers with units, such as 90s, 1m30s, 300ms, 1.5h or 30d.",
            "anyOf": [
                {"type": "string", "pattern": r"^\s*(0|(([0-9]{1,12}(\.[0-9]{0,9})?|\.[0-9]{1,9})(ns|us|µs|ms|s|m|h|d))+)\s*$"},
                {"const": 0},
            ],
        },
        "expression": {
            "description": "A CEL expression over variables, observations, `t` and the cluster at an instant.",
            "type": ["string", "number", "boolean"],
            "maxLength": limit::EXPRESSION_LENGTH,
        },
        "file": {"type": "string", "pattern": "^[^/]+$"},
        "scalar": {"type": ["string", "number", "boolean"]},
        "quantity": {"type": ["string", "number"], "description": "An amount as Kubernetes writes it, such as 4, 500m or 8Gi."},
        "name": {
            "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
            "not": {"enum": RESERVED},
        },
        "node": object(NODE_KEYS, node),
        "step": step(),
        "fault": fault(),
        "expectation": expectation(),
    });
    schema
}

/// A mapping with exactly these keys. What `of` does not know is `null`, which a test finds.
fn object(keys: &[&str], of: impl Fn(&str) -> Value) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), of(key))).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn refer(name: &str, description: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}"), "description": description})
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn list(of: &str, description: &str) -> Value {
    json!({"type": "array", "items": {"$ref": format!("#/$defs/{of}")}, "description": description})
}

fn experiment(key: &str) -> Value {
    let versions: Vec<String> = Version::all().map(|version| version.to_string()).collect();
    // Without quotes a version is a number; the reader takes it as it is written.
    let version = json!({"anyOf": [{"enum": versions}, {"type": "number"}]});
    match key {
        "id" => json!({
            "type": "string", "pattern": r"^[^\s#^/|\[\]]+$",
            "description": "Its name in the note: `note#id` names it everywhere. By default a slug of the title.",
        }),
        "title" => text("What it is called."),
        "question" => text("What it is to find out."),
        "kubernetes" => json!({
            "anyOf": [version.clone(), {"type": "array", "items": version, "uniqueItems": true}],
            "description": "The version of Kubernetes; a list makes it a variable named `kubernetes`. By default the newest.",
        }),
        "cluster" => {
            let mut cluster = object(CLUSTER_KEYS, cluster);
            cluster["description"] = json!("The cluster; by default one node of 4 CPUs and 8 GiB.");
            cluster
        }
        "variables" => json!({
            "type": "object",
            "propertyNames": {"allOf": [{"$ref": "#/$defs/name"}, {"not": {"const": "kubernetes"}}]},
            "additionalProperties": {"type": "array", "minItems": 1, "uniqueItems": true},
            "description": "Each with the list of its values; the trials are their cross product.",
        }),
        "include" => {
            json!({"type": "array", "items": {"type": "object"}, "description": "Trials that are added: a value for each variable."})
        }
        "exclude" => {
            json!({"type": "array", "items": {"type": "object"}, "description": "Trials that are taken out: values of some variables."})
        }
        "seed" => {
            json!({"type": "integer", "minimum": 0, "maximum": u64::MAX >> 1, "default": 1, "description": "Where all chance comes from."})
        }
        "jitter" => {
            json!({"enum": words(JITTERS), "default": "real", "description": "`none`: the smallest wait where the real components stretch one at random."})
        }
        "schedules" => json!({
            "type": "integer", "minimum": 1, "maximum": limit::TRIALS, "default": 1,
            "description": "Runs each trial under so many seeds.",
        }),
        "steps" => {
            let mut steps = list("step", "What is done, in order.");
            steps["minItems"] = json!(1);
            steps
        }
        "until" => json!({
            "anyOf": [{"const": "settled"}, {"$ref": "#/$defs/duration"}, with_required(object(SETTLED_KEYS, |key| match key {
                "settled" => refer("duration", "The latest end."),
                _ => Value::Null,
            }), SETTLED_KEYS)],
            "description": "When a trial ends: after a while, or when nothing will change any more.",
        }),
        "observe" => json!({
            "type": "object", "propertyNames": {"$ref": "#/$defs/name"},
            "additionalProperties": {"$ref": "#/$defs/expression"},
            "description": "Named expressions, evaluated at the end: the columns of the result table.",
        }),
        "expect" => list("expectation", "What must come out."),
        "predict" => with_required(
            object(predict::KEYS, |key| match key {
                "ask" => text("What the reader is asked before the first run."),
                "choices" => json!({
                    "type": "array", "items": {"type": ["string", "number", "boolean"]},
                    "description": "Answers to choose from; without them the reader writes one.",
                }),
                "of" => text("The observation that is asked about; the first one if it is not named."),
                "count" => json!({
                    "type": "object",
                    "description": "The answer is the number of trials in which these variables and observations have these values (one, or a list of several).",
                }),
                _ => Value::Null,
            }),
            &["ask"],
        ),
        "refute" => {
            let mut refute = object(refute::KEYS, search);
            refute["description"] = json!("Where `peapod refute` looks for counter-examples.");
            refute
        }
        _ => Value::Null,
    }
}

fn search(key: &str) -> Value {
    match key {
        "vary" => json!({
            "type": "object",
            "additionalProperties": {"type": "array"},
            "description": "Fields of the manifests by path, such as `spec.containers[app].image`, and the values that they may have; null takes one out.",
        }),
        "faults" => list("fault", "What may happen to the cluster."),
        "at" => list("duration", "When it may happen, since the start."),
        "keep" => json!({
            "type": "array", "items": {"type": "string"},
            "description": "Fields that stay as they are, with everything in them.",
        }),
        "tries" => json!({
            "type": "integer", "minimum": 1, "maximum": limit::TRIALS, "default": limit::REFUTE_TRIES,
            "description": "How many trials are made at most.",
        }),
        _ => Value::Null,
    }
}

fn with_required(mut schema: Value, keys: &[&str]) -> Value {
    schema["required"] = json!(keys);
    schema
}

fn words<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(word, _)| *word).collect()
}

fn cluster(key: &str) -> Value {
    match key {
        "nodes" => json!({
            "anyOf": [{"type": "integer", "minimum": 1, "maximum": 5000}, {"type": "array", "items": {"$ref": "#/$defs/node"}}],
            "description": "How many nodes, or what each is.",
        }),
        "settings" => {
            let names: Vec<&str> = setting_names().collect();
            let mut settings = object(&names, |name| {
                let mut kinds = vec![json!({"$ref": "#/$defs/scalar"})];
                if config::MAPS.contains(&name) {
                    kinds.push(json!({"type": "object", "additionalProperties": {"$ref": "#/$defs/scalar"}}));
                }
                if LISTS.contains(&name) {
                    kinds.push(json!({"type": "array"}));
                }
                json!({"anyOf": kinds})
            });
            settings["description"] = json!("Settings of components, by the name of the real flag or field.");
            settings
        }
        "featureGates" => json!({
            "type": "object", "additionalProperties": {"type": "boolean"},
            "description": "Feature gates of all components, as `--feature-gates` switches them.",
        }),
        "static" => json!({
            "type": "object",
            "additionalProperties": {
                "type": "object", "propertyNames": {"$ref": "#/$defs/file"}, "additionalProperties": {"type": "string"},
            },
            "description": "Node → file → manifest: the static pods that are there at the start.",
        }),
        _ => Value::Null,
    }
}

fn node(key: &str) -> Value {
    match key {
        "name" => text("The node's name."),
        "cpu" | "memory" | "disk" => refer("quantity", "Its capacity."),
        "pods" => {
            json!({"type": "integer", "minimum": 0, "maximum": 100_000, "description": "How many pods it may have."})
        }
        "labels" => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        "taints" => json!({"type": "array", "items": {"anyOf": [
            {"type": "string", "pattern": format!("^[^=:]+(=[^:]*)?:({})$", EFFECTS.join("|"))},
            with_required(object(TAINT_KEYS, |key| match key {
                "key" | "value" => json!({"type": "string"}),
                "effect" => json!({"enum": EFFECTS}),
                _ => Value::Null,
            }), &["key", "effect"]),
        ]}}),
        _ => Value::Null,
    }
}

fn step() -> Value {
    let or_else = json!({
        "enum": words(steps::OR_ELSE), "default": "fail",
        "description": "What follows when it is refused or waits in vain.",
    });
    let mut step = object(steps::KEYS, |key| match key {
        "apply" => text("Manifests; `{{ name }}` is a variable."),
        "kubectl" => json!({
            "type": "string", "not": {"pattern": r"^\s*kubectl "},
            "description": "A command line, without the word `kubectl`.",
        }),
        "wait" => with_required(
            object(steps::WAIT_KEYS, |key| match key {
                "for" => refer("expression", "What is waited for."),
                "timeout" => refer("duration", "How long at most; 5m by default."),
                "orElse" => or_else.clone(),
                _ => Value::Null,
            }),
            &["for"],
        ),
        "fault" => refer("fault", "What goes wrong."),
        "at" => refer("duration", "When, since the start."),
        "after" => refer("duration", "When, since the step before."),
        "when" => refer("expression", "In which trials: an expression over the variables."),
        "orElse" => or_else.clone(),
        _ => Value::Null,
    });
    step["oneOf"] = one_of(steps::ACTIONS);
    step["not"] = json!({"required": ["at", "after"]});
    step
}

/// Exactly one of some keys.
fn one_of(keys: &[&str]) -> Value {
    keys.iter().map(|key| json!({"required": [key]})).collect()
}

fn fault() -> Value {
    let about = |(target, events): &(&str, &[&str])| {
        let mut known = vec![*target];
        known.extend(*events);
        let mut fault = object(&known, |key| {
            if key == *target {
                return match *target {
                    "container" => {
                        json!({"type": "string", "description": "pod/container, or namespace/pod/container"})
                    }
                    _ => json!({"type": "string"}),
                };
            }
            match key {
                "powerOff" | "freezeKubelet" | "stopKubelet" | "partition" | "shutdown" => json!({"type": "boolean"}),
                "memoryPressure" | "diskPressure" | "pidPressure" => json!({
                    "anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/quantity"}],
                    "description": "Whether, or how much of it is taken.",
                }),
                "staticPod" => static_pod(),
                "down" => json!({"anyOf": [{"const": true}, {"$ref": "#/$defs/duration"}]}),
                "kill" if *target == "container" => json!({
                    "anyOf": [{"enum": steps::SIGNALS}, {"type": "string", "pattern": r"\{\{"}],
                }),
                "crash" | "restoreNode" | "kill" | "available" => json!({"const": true}),
                _ => Value::Null,
            }
        });
        fault["required"] = json!([target]);
        fault["oneOf"] = one_of(events);
        fault
    };
    json!({"anyOf": steps::FAULTS.iter().map(about).collect::<Vec<Value>>()})
}

fn static_pod() -> Value {
    let mut file = object(steps::STATIC_POD_KEYS, |key| match key {
        "write" => refer("file", "The file that is written."),
        "manifest" => text("What is written into it."),
        "remove" => text("The file that is removed."),
        _ => Value::Null,
    });
    file["oneOf"] = json!([
        {"required": ["write", "manifest"], "not": {"required": ["remove"]}},
        {"required": ["remove"], "not": {"anyOf": [{"required": ["write"]}, {"required": ["manifest"]}]}},
    ]);
    file
}

fn expectation() -> Value {
    let mut expectation = object(expect::KEYS, |key| match key {
        "claim" => json!({
            "type": "string", "pattern": r"^([^^]|\^[A-Za-z0-9-]+$|$)",
            "description": "What is claimed, as a sentence; or `^id`, the block of the note that says it.",
        }),
        "when" => refer(
            "expression",
            "To which trials it applies: an expression over the variables.",
        ),
        "eventually" => refer("expression", "Holds at some instant."),
        "always" => refer("expression", "Holds at every instant."),
        "never" => refer("expression", "Holds at no instant."),
        "finally" => refer("expression", "Holds at the end."),
        "until" => with_required(
            object(expect::UNTIL_KEYS, |key| match key {
                "a" => refer("expression", "Holds until b does."),
                "b" => refer("expression", "Holds in the end."),
                _ => Value::Null,
            }),
            expect::UNTIL_KEYS,
        ),
        "shape" => json!({
            "type": "object", "required": ["kind", "metadata"],
            "properties": {
                "kind": {"enum": RESOURCES.iter().map(|resource| resource.name).collect::<Vec<_>>()},
                "metadata": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            },
            "description": "Fields that an object has at the end.",
        }),
        "within" => refer("duration", "At most so long after the start, or after `after`."),
        "for" => refer("duration", "For so long without a break."),
        "after" => refer("duration", "What is before does not count."),
        "of" => text("Whose claim it is: a wikilink."),
        "verdict" => json!({
            "enum": words(expect::VERDICTS), "default": "holds",
            "description": "What the note means to show; `fails` for a claim that is wrong.",
        }),
        _ => Value::Null,
    });
    expectation["oneOf"] = one_of(expect::FORMS);
    let apart = expect::APART
        .iter()
        .flat_map(|(key, forms)| forms.iter().map(move |form| (key, form)));
    expectation["allOf"] = apart
        .map(|(key, form)| json!({"not": {"required": [key, form]}}))
        .collect();
    expectation
}
