//! Sequences of requests, played in order on a cluster whose controllers do not act.

use std::collections::BTreeMap;

use peapod_sim::apiserver::{Watch, WatchEvent};
use peapod_sim::cluster::{Cluster, Config};

use super::*;

/// Values that an earlier answer gave, by the placeholder or name under which later steps use them.
#[derive(Default)]
struct Memory {
    saved: BTreeMap<String, Value>,
    placeholders: BTreeMap<String, String>,
}

impl Memory {
    /// Learns what our answer has where the recorded one has a placeholder.
    fn learn(&mut self, theirs: &Value, ours: &Value) {
        match (theirs, ours) {
            (Value::Object(theirs), Value::Object(ours)) => {
                for (key, value) in theirs {
                    if let Some(own) = ours.get(key) {
                        self.learn(value, own);
                    }
                }
            }
            (Value::Array(theirs), Value::Array(ours)) => {
                for (value, own) in theirs.iter().zip(ours) {
                    self.learn(value, own);
                }
            }
            (Value::String(mark), Value::String(own)) if mark.starts_with('<') && mark.ends_with('>') => {
                self.placeholders.insert(mark.clone(), own.clone());
            }
            (Value::String(mark), Value::String(own)) if mark.ends_with('>') => {
                // A generated name: what is drawn is at its end.
                if let Some((head, _)) = mark.split_once('<')
                    && let Some(drawn) = own.strip_prefix(head)
                {
                    self.placeholders
                        .insert(mark[head.len()..].to_owned(), drawn.to_owned());
                }
            }
            _ => {}
        }
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (mark, value) in &self.placeholders {
            text = text.replace(mark, value);
        }
        for (name, value) in &self.saved {
            let mark = format!("{{{{{name}}}}}");
            if let Some(value) = value.as_str() {
                text = text.replace(&mark, value);
            }
        }
        text
    }

    fn fill_value(&self, value: &Value) -> Value {
        if let Some(name) = value
            .as_str()
            .and_then(|text| text.strip_prefix("{{"))
            .and_then(|text| text.strip_suffix("}}"))
            && let Some(saved) = self.saved.get(name)
        {
            return saved.clone();
        }
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_value(item)).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (key.clone(), self.fill_value(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }
}

/// The parts of `/api/v1/namespaces/ns/pods/name/status`, if it is a path of a resource.
fn request(method: &str, path: &str, query: &str, content: &str, body: Option<Value>) -> Option<Request> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() && !matches!(rest[0], "status" | "finalize") => {
            (*namespace, rest)
        }
        rest => ("", rest),
    };
    let (resource, name, subresource) = match rest {
        [resource] => (*resource, "", ""),
        [resource, name] => (*resource, *name, ""),
        [resource, name, subresource] => (*resource, *name, *subresource),
        _ => return None,
    };
    let verb = match (method, name.is_empty()) {
        ("GET", true) => Verb::List,
        ("GET", false) => Verb::Get,
        ("POST", _) => Verb::Create,
        ("PUT", _) => Verb::Update,
        ("PATCH", _) => Verb::Patch,
        ("DELETE", true) => Verb::DeleteCollection,
        ("DELETE", false) => Verb::Delete,
        _ => return None,
    };
    let patch = match content {
        "application/json-patch+json" => Some(PatchKind::Json),
        "application/merge-patch+json" => Some(PatchKind::Merge),
        "application/strategic-merge-patch+json" => Some(PatchKind::Strategic),
        "application/apply-patch+yaml" => Some(PatchKind::Apply),
        _ => None,
    };
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            rest = after;
            match (first, after) {
                (b'%', [high, low, after @ ..]) => {
                    let hex = std::str::from_utf8(&[*high, *low])
                        .ok()
                        .and_then(|hex| u8::from_str_radix(hex, 16).ok());
                    bytes.push(hex.unwrap_or(b'%'));
                    rest = after;
                }
                (b'+', _) => bytes.push(b' '),
                (byte, _) => bytes.push(*byte),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    Some(Request {
        verb,
        group: group.to_owned(),
        version: version.to_owned(),
        resource: resource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: subresource.to_owned(),
        body,
        patch,
        query,
    })
}

/// The query of a step as it was sent; some files keep it as a mapping.
fn query_of(step: &Value) -> String {
    match &step["query"] {
        Value::Object(map) => {
            let escape = |text: &str| text.replace('%', "%25").replace('&', "%26").replace('+', "%2B");
            let pairs = map
                .iter()
                .map(|(name, value)| format!("{name}={}", escape(value.as_str().unwrap_or_default())));
            pairs.collect::<Vec<_>>().join("&")
        }
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

/// Whether a step opens a watch of whole objects.
fn watches(step: &Value) -> bool {
    let accept = step["headers"]["Accept"].as_str().unwrap_or("application/json");
    let refused = step["status"].as_u64().is_some_and(|code| code >= 400);
    accept == "application/json"
        && query_of(step).contains("watch=")
        && !query_of(step).contains("watch=false")
        && (step["watch"].is_array() || refused)
}

/// A watch that was opened by a step, and the events it gave so far.
struct Opened<'a> {
    step: &'a Value,
    title: String,
    watch: Watch,
    events: Vec<WatchEvent>,
}

impl Opened<'_> {
    /// Whether the whole stream is the recorded one.
    fn agrees(&self, memory: &Memory) -> Result<(), String> {
        let theirs = self.step["watch"].as_array().map(Vec::as_slice).unwrap_or_default();
        let kinds = |events: &mut dyn Iterator<Item = String>| events.collect::<Vec<_>>().join(" ");
        let ours_are = kinds(&mut self.events.iter().map(|event| event.kind.to_owned()));
        let theirs_are = kinds(
            &mut theirs
                .iter()
                .map(|event| event["type"].as_str().unwrap_or_default().to_owned()),
        );
        if ours_are != theirs_are {
            return Err(format!("ours {ours_are:?}, theirs {theirs_are:?}"));
        }
        for (index, (theirs, ours)) in theirs.iter().zip(&self.events).enumerate() {
            let (theirs, path) = (&theirs["object"], format!("event {index}"));
            if ours.kind == "ERROR" {
                failure_agrees(theirs, &ours.object)?;
                continue;
            }
            same(theirs, &ours.object, &path)?;
            // Which version is shown is what a client goes on from.
            let version = theirs["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            let known = memory.placeholders.get(version);
            let own = ours.object["metadata"]["resourceVersion"].as_str();
            if matches!(ours.kind, "ADDED" | "MODIFIED") && known.is_some_and(|known| Some(known.as_str()) != own) {
                return Err(format!(
                    "{path}: resourceVersion ours {own:?}, theirs {version} = {known:?}"
                ));
            }
        }
        Ok(())
    }
}

/// Reads what the open watches have to tell.
fn read_watches(cluster: &mut Cluster, opened: &mut [Opened]) {
    for one in opened {
        let events = cluster.watched(&mut one.watch);
        one.events.extend(events);
    }
}

/// Whether a step is one of those that this layer answers otherwise: no tables, other media types, discovery.
fn concerns(step: &Value) -> bool {
    let query = query_of(step);
    let accept = step["headers"]["Accept"].as_str().unwrap_or("application/json");
    let content = step["headers"]["Content-Type"].as_str().unwrap_or("application/json");
    let status = step["status"].as_u64().unwrap_or(0);
    step["method"].is_string()
        && step["watch"].is_null()
        && !query.contains("watch=")
        && accept == "application/json"
        && !content.contains("protobuf")
        && (!content.contains("yaml") || content == "application/apply-patch+yaml")
        && !matches!(status, 406 | 415)
        && step["body_text"].is_null()
        && !step["body"].is_string()
        && !step["path"].as_str().unwrap_or_default().contains("/watch/")
        && !step["path"].as_str().unwrap_or_default().ends_with("/log")
}

/// Compares an answer with the recorded one. Times, uids, versions and generated names only have to be there.
fn same(theirs: &Value, ours: &Value, path: &str) -> Result<(), String> {
    match (theirs, ours) {
        (Value::String(mark), Value::String(own)) if mark.contains('<') && mark.contains('>') => {
            let (head, _) = mark.split_once('<').unwrap_or((mark, ""));
            if own.starts_with(head) {
                Ok(())
            } else {
                Err(format!("{path}: ours {own:?}, theirs {mark:?}"))
            }
        }
        (Value::String(mark), Value::Number(_)) if mark.starts_with('<') => Ok(()),
        (Value::Object(theirs), Value::Object(ours)) => {
            const SKIPPED: [&str; 4] = [
                "managedFields",
                "resourceVersion",
                "remainingItemCount",
                "observedGeneration",
            ];
            for (key, value) in theirs {
                if SKIPPED.contains(&key.as_str()) {
                    continue;
                }
                let null = Value::Null;
                same(value, ours.get(key).unwrap_or(&null), &format!("{path}.{key}"))?;
            }
            for (key, value) in ours {
                // Items of a list carry their kind here.
                let extra = !theirs.contains_key(key) && !value.is_null() && !SKIPPED.contains(&key.as_str());
                if extra && !(path.contains("items[") && matches!(key.as_str(), "kind" | "apiVersion")) {
                    return Err(format!("{path}.{key}: ours {value}, theirs nothing"));
                }
            }
            Ok(())
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => theirs
            .iter()
            .zip(ours)
            .enumerate()
            .try_for_each(|(index, (theirs, ours))| same(theirs, ours, &format!("{path}[{index}]"))),
        _ if theirs == ours => Ok(()),
        // A name that was cut so that what is drawn fits.
        (Value::String(theirs), Value::String(ours))
            if path.ends_with(".name") && theirs.len() == 63 && ours.len() == 63 && theirs[..58] == ours[..58] =>
        {
            Ok(())
        }
        _ => Err(format!("{path}: ours {ours}, theirs {theirs}")),
    }
}

/// Compares who owns which fields; that of controllers is not, as it depends on the instant.
fn managers(theirs: &Value, ours: &Value) -> Result<(), String> {
    let of = |object: &Value| -> Vec<Value> {
        let list = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        let mut list: Vec<Value> = list
            .into_iter()
            .flatten()
            .filter(|entry| entry["manager"] != "kube-controller-manager")
            .cloned()
            .collect();
        // Their order is that of whole seconds.
        list.sort_by_key(|entry| (entry["operation"].to_string(), entry["manager"].to_string()));
        list
    };
    let (theirs, ours) = (Value::Array(of(theirs)), Value::Array(of(ours)));
    same(&theirs, &ours, "managedFields").map_err(|why| format!("{why}\n  ours:   {ours}\n  theirs: {theirs}"))
}

/// A failure as the server sends it.
fn wire(status: &Status) -> Value {
    let mut value = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": status.message, "code": status.code,
    });
    if !status.reason.is_empty() {
        value["reason"] = json!(status.reason);
    }
    if !status.details.is_null() {
        value["details"] = status.details.clone();
    }
    value
}

/// What is compared of a failure: code, reason, message up to a quoted object.
fn failure_agrees(theirs: &Value, ours: &Value) -> Result<(), String> {
    let text = |value: &Value| comparable(value["message"].as_str().unwrap_or_default(), "");
    if theirs["code"] != ours["code"] || theirs["reason"] != ours["reason"] {
        return Err(format!(
            "ours {} {}, theirs {} {}: {}",
            ours["code"],
            ours["message"],
            theirs["code"],
            theirs["reason"],
            text(theirs)
        ));
    }
    let (mine, other) = (text(ours), text(theirs));
    match same(&json!(other), &json!(mine), "message") {
        Ok(()) => Ok(()),
        Err(_) => Err(format!("\n  ours:   {mine}\n  theirs: {other}")),
    }
}

fn prepare(cluster: &mut Cluster, scenario: &Value) {
    let names = scenario["namespaces"].as_array();
    let listed: Vec<String> = match names {
        Some(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        None if scenario["namespaces"].is_null() => vec!["ns1".to_owned(), "ns2".to_owned()],
        None => Vec::new(),
    };
    for name in listed {
        let create =
            |path: &str, body: Value| request("POST", path, "", "application/json", Some(body)).expect("a path");
        let labels = scenario["namespace_labels"].clone();
        let labels = if labels[&name].is_object() {
            labels[&name].clone()
        } else {
            labels
        };
        let namespace = json!({ "metadata": { "name": name, "labels": labels } });
        let _ = cluster.request(&create("/api/v1/namespaces", namespace));
        let account = json!({ "metadata": { "name": "default" } });
        let _ = cluster.request(&create(&format!("/api/v1/namespaces/{name}/serviceaccounts"), account));
        let map = json!({ "metadata": { "name": "kube-root-ca.crt" }, "data": { "ca.crt": "x" } });
        let _ = cluster.request(&create(&format!("/api/v1/namespaces/{name}/configmaps"), map));
    }
}

fn pass(cluster: &mut Cluster, millis: u64) {
    cluster.run_until(cluster.now() + peapod_sim::time::SimDuration::from_millis(millis));
}

/// Plays one file: steps that agree, steps that concern this layer.
fn play(name: &str) -> (usize, usize) {
    let document = vectors(name);
    let (mut agreed, mut total) = (0, 0);
    for scenario in document["scenarios"].as_array().into_iter().flatten() {
        let config = Config {
            nodes: Vec::new(),
            ..Config::default()
        };
        let mut cluster = Cluster::new(config).expect("a cluster");
        prepare(&mut cluster, scenario);
        pass(&mut cluster, 1000);
        let mut memory = Memory::default();
        let mut opened: Vec<Opened> = Vec::new();
        for (index, step) in scenario["steps"].as_array().into_iter().flatten().enumerate() {
            // Between two requests the controllers have their time.
            let pause = step["wait_s"].as_f64().map_or(200, |seconds| (seconds * 1000.0) as u64);
            pass(&mut cluster, pause);
            read_watches(&mut cluster, &mut opened);
            if watches(step) {
                let path = memory.fill(step["path"].as_str().unwrap_or_default());
                let query = memory.fill(&query_of(step));
                let Some(request) = request("GET", &path, &query, "application/json", None) else {
                    continue;
                };
                total += 1;
                let title = format!("{name} {} step {index} {path}?{query}", scenario["id"]);
                match (cluster.watch(&request), step["watch"].is_array()) {
                    (Ok(watch), true) => {
                        let until = watch.end();
                        let events = Vec::new();
                        opened.push(Opened {
                            step,
                            title,
                            watch,
                            events,
                        });
                        if step["concurrent"] != true && step["open_during"].is_null() {
                            cluster.run_until(until);
                        }
                        read_watches(&mut cluster, &mut opened);
                    }
                    (Ok(_), false) => println!("{title}: ours: accepted, theirs: {}", step["response"]["message"]),
                    (Err(ours), true) => println!("{title}: ours: {}, theirs: accepted", ours.message),
                    (Err(ours), false) => match failure_agrees(&step["response"], &wire(&ours)) {
                        Ok(()) => agreed += 1,
                        Err(why) => println!("{title}: {why}"),
                    },
                }
                continue;
            }
            if !concerns(step) {
                continue;
            }
            let mut body = step.get("body").map(|body| memory.fill_value(body));
            if let Some(from) = step.get("body_from") {
                let object = memory
                    .saved
                    .get(from["object"].as_str().unwrap_or_default())
                    .cloned()
                    .unwrap_or_default();
                body = match &from["patch"] {
                    Value::Null => Some(object),
                    patch => peapod_patch::rfc6902::apply(&object, &memory.fill_value(patch)).ok(),
                };
            }
            let path = memory.fill(step["path"].as_str().unwrap_or_default());
            let query = memory.fill(&query_of(step));
            let content = step["headers"]["Content-Type"].as_str().unwrap_or("application/json");
            let Some(request) = request(
                step["method"].as_str().unwrap_or_default(),
                &path,
                &query,
                content,
                body,
            ) else {
                continue;
            };
            // The user agent is the manager of fields unless the request names one.
            let mut request = request;
            let named = request.query.iter().any(|(name, _)| name == "fieldManager");
            if !named && request.patch != Some(PatchKind::Apply) {
                let usual = if name.contains("-flow-") {
                    "client"
                } else {
                    "peapod-test"
                };
                let agent = step["headers"]["User-Agent"].as_str().unwrap_or(usual);
                let manager = agent.split('/').next().unwrap_or_default();
                request.query.push(("fieldManager".to_owned(), manager.to_owned()));
            }
            total += 1;
            let theirs = &step["response"];
            let mut answer = cluster.request(&request);
            // The recorded request was repeated until its answer was the one shown.
            for _ in 0..40 {
                let met = match &answer {
                    Ok(ours) => theirs["status"] != "Failure" && same(theirs, ours, "").is_ok(),
                    Err(_) => theirs["status"] == "Failure",
                };
                if step["until"].is_null() || met {
                    break;
                }
                pass(&mut cluster, 500);
                answer = cluster.request(&request);
            }
            let outcome = match &answer {
                Ok(ours) if theirs["status"] == "Failure" && theirs["kind"] == "Status" => Err(format!(
                    "ours: accepted ({}), theirs: {}",
                    ours["kind"], theirs["message"]
                )),
                Ok(ours) => {
                    memory.learn(theirs, ours);
                    if step["partial"] == true {
                        Ok(())
                    } else if name.ends_with("apply") {
                        same(theirs, ours, "").and_then(|()| managers(theirs, ours))
                    } else {
                        same(theirs, ours, "")
                    }
                }
                Err(status) if theirs["status"] == "Failure" => failure_agrees(theirs, &wire(status)),
                Err(status) => Err(format!("ours: {}, theirs: accepted", status.message)),
            };
            for (name, pointer) in step["save"].as_object().into_iter().flatten() {
                let pointer = pointer.as_str().unwrap_or_default();
                let value = answer.as_ref().ok().and_then(|answer| {
                    if pointer == "$" {
                        Some(answer)
                    } else {
                        answer.pointer(&format!("/{}", pointer.trim_start_matches("$.").replace('.', "/")))
                    }
                });
                memory.saved.insert(name.clone(), value.cloned().unwrap_or_default());
            }
            match outcome {
                Ok(()) => agreed += 1,
                Err(why) => println!(
                    "{name} {} step {index} {} {path}?{query}: {why}",
                    scenario["id"], step["method"]
                ),
            }
        }
        let end = opened.iter().map(|one| one.watch.end()).max();
        cluster.run_until(end.unwrap_or_default());
        read_watches(&mut cluster, &mut opened);
        for one in &opened {
            match one.agrees(&memory) {
                Ok(()) if one.watch.is_over(cluster.now()) => agreed += 1,
                Ok(()) => println!("{}: it does not end", one.title),
                Err(why) => println!("{}: {why}", one.title),
            }
        }
    }
    (agreed, total)
}

/// Each file, and how many of its steps agree at least.
const FLOORS: [(&str, usize); 20] = [
    ("apiserver-sequences-apply", 26),
    ("apiserver-sequences-flow-apply", 28),
    ("apiserver-sequences-crud", 66),
    ("apiserver-sequences-delete", 74),
    ("apiserver-sequences-immutable", 31),
    ("apiserver-sequences-patch", 21),
    ("apiserver-sequences-subresource", 49),
    ("apiserver-sequences-list", 82),
    ("apiserver-sequences-admission", 48),
    ("apiserver-sequences-service", 25),
    ("apiserver-sequences-flow-writes", 64),
    ("apiserver-sequences-flow-immutable", 37),
    ("apiserver-sequences-flow-patch", 27),
    ("apiserver-sequences-flow-requests", 14),
    ("apiserver-sequences-flow-policy", 50),
    ("apiserver-sequences-flow-subresources", 46),
    ("apiserver-sequences-flow-lists", 60),
    ("apiserver-sequences-flow-services", 27),
    ("apiserver-sequences-watch", 44),
    ("apiserver-sequences-flow-watch", 33),
];

#[test]
fn requests_are_answered_as_the_real_server_answered_them() {
    let mut fallen = Vec::new();
    for (name, floor) in FLOORS {
        let (agreed, total) = play(name);
        println!("{name}: {agreed} of {total} agree");
        if agreed < floor {
            fallen.push(format!("{name}: {agreed} of {total} agree, at least {floor} must"));
        }
    }
    assert!(fallen.is_empty(), "{}", fallen.join("\n"));
}
