//! The API server against recordings of a real one (1.36.2): defaults, validation, quantities and selectors as its own
//! functions give them, and sequences of requests as it answered them. Each table prints how many rows agree; the number
//! may only grow.

use peapod_sim::apiserver::handle;
use peapod_sim::apiserver::selector::LabelSelector;
use peapod_sim::quantity;
use peapod_sim::request::{PatchKind, Request, Status, Verb};
use peapod_sim::runtime::catalogue::Catalogue;
use peapod_sim::world::{Jitter, World};
use serde_json::{Value, json};

fn vectors(name: &str) -> Value {
    let path = format!("{}/../../tests/data/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("JSON")
}

/// Counts the rows of a table that agree, shows the others, and holds the floor.
#[track_caller]
fn agree<'a>(
    name: &str,
    floor: usize,
    rows: impl Iterator<Item = &'a Value>,
    check: impl Fn(&Value) -> Result<(), String>,
) {
    let (mut agreed, mut total) = (0, 0);
    for row in rows {
        total += 1;
        match check(row) {
            Ok(()) => agreed += 1,
            Err(why) => println!("{name} {}: {why}", row["id"].as_str().unwrap_or_default()),
        }
    }
    println!("{name}: {agreed} of {total} agree");
    assert!(
        agreed >= floor,
        "{name}: {agreed} of {total} agree, at least {floor} must"
    );
}

fn cases(document: &Value) -> impl Iterator<Item = &Value> {
    document["cases"].as_array().into_iter().flatten()
}

fn bare() -> World {
    let start = "2024-08-10T10:20:53Z".parse().expect("a time");
    World::new(start, 1, Jitter::None, Vec::new(), Catalogue::default())
}

/// The request that creates an object.
fn creation(object: &Value, strict: bool) -> Request {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    let kind = object["kind"].as_str().unwrap_or_default();
    let resource = peapod_sim::objects::RESOURCES
        .iter()
        .find(|resource| resource.name == kind);
    let namespaced = resource.is_some_and(|resource| resource.namespaced);
    Request {
        verb: Verb::Create,
        group: group.to_owned(),
        version: version.to_owned(),
        resource: resource.map_or(String::new(), |resource| resource.plural.to_owned()),
        namespace: if namespaced {
            object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned()
        } else {
            String::new()
        },
        name: String::new(),
        subresource: String::new(),
        body: Some(object.clone()),
        patch: None,
        query: if strict {
            vec![("fieldValidation".to_owned(), "Strict".to_owned())]
        } else {
            Vec::new()
        },
    }
}

/// Takes out what differs between two runs, or what the recorded functions do not do.
fn masked(mut object: Value, given: &Value) -> Value {
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    if let Some(meta) = object["metadata"].as_object_mut() {
        for field in ["uid", "creationTimestamp", "resourceVersion", "managedFields"] {
            meta.shift_remove(field);
        }
        if given["metadata"]["name"].is_null()
            && let Some(prefix) = given["metadata"]["generateName"].as_str()
        {
            meta.insert("name".to_owned(), json!(format!("{prefix}XXXXX")));
        }
    }
    if given["kind"] == "Job"
        && given["metadata"]["labels"].is_null()
        && let Some(meta) = object["metadata"].as_object_mut()
    {
        // They are filled in when the object is read back.
        meta.shift_remove("labels");
    }
    // Admission and the allocation of addresses are no part of the recorded functions.
    if let Some(spec) = object["spec"].as_object_mut() {
        let had = |field: &str| given["spec"].get(field).is_some();
        if given["kind"] == "Pod" {
            for field in ["priority", "preemptionPolicy", "tolerations"] {
                if !had(field) {
                    spec.shift_remove(field);
                }
            }
            if !had("serviceAccountName") && !had("serviceAccount") {
                spec.shift_remove("serviceAccountName");
                spec.shift_remove("serviceAccount");
            }
        }
        if given["kind"] == "Service" {
            for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                spec.shift_remove(field);
            }
            for port in spec
                .get_mut("ports")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                if let Some(port) = port.as_object_mut() {
                    port.shift_remove("nodePort");
                }
            }
        }
    }
    let text = object.to_string();
    let text = if uid.is_empty() {
        text
    } else {
        text.replace(&uid, "<uid>")
    };
    serde_json::from_str(&text.replace("2024-08-10T10:20:53Z", "<now>")).expect("still JSON")
}

/// The first difference of two values, `null` and nothing being the same.
fn difference(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(left), Value::Object(right)) => {
            let keys = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key)));
            keys.into_iter().find_map(|key| {
                let null = Value::Null;
                difference(
                    &format!("{path}.{key}"),
                    left.get(key).unwrap_or(&null),
                    right.get(key).unwrap_or(&null),
                )
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(index, (left, right))| difference(&format!("{path}[{index}]"), left, right)),
        _ if ours == theirs => None,
        _ => Some(format!("{path}: ours {ours}, theirs {theirs}")),
    }
}

#[test]
fn objects_are_defaulted_as_the_real_functions_do() {
    let document = vectors("control-plane-defaulting");
    agree("control-plane-defaulting", 30, cases(&document), |case| {
        let given = &case["in"];
        let answer = handle(&mut bare(), &creation(given, false)).map_err(|status| status.message)?;
        match difference("", &masked(answer, given), &case["out"]["created"]) {
            Some(difference) => Err(difference),
            None => Ok(()),
        }
    });
}

/// A message without what quotes Go's own types: the diff of two specs, a whole template.
fn comparable(message: &str, uid: &str) -> String {
    let message = if uid.is_empty() {
        message.to_owned()
    } else {
        message.replace(uid, "<uid>")
    };
    let message = message.split("\n@@").next().unwrap_or_default().to_owned();
    // What an object looks like is not compared.
    let message = match message.split_once("patch: Invalid value: \"{") {
        Some((head, _)) => format!("{head}patch: Invalid value"),
        None => message,
    };
    match message.split_once("spec.template: Invalid value: ") {
        Some((head, _)) => format!("{head}spec.template: Invalid value"),
        None => message,
    }
}

fn verdict(answer: Result<Value, Status>, uid: &str, expected: &Value) -> Result<(), String> {
    let wanted = expected["error"].as_str();
    match (answer, wanted) {
        (Ok(_), None) => Ok(()),
        (Ok(_), Some(wanted)) => Err(format!("ours: accepted, theirs: {wanted}")),
        (Err(status), None) => Err(format!("ours: {}, theirs: accepted", status.message)),
        (Err(status), Some(wanted)) => {
            let (ours, theirs) = (comparable(&status.message, uid), comparable(wanted, ""));
            // Errors of decoding are recorded without the sentence around them.
            let same = ours == theirs || (expected["code"].is_null() && ours.ends_with(&theirs));
            if same {
                Ok(())
            } else {
                Err(format!("\n  ours:   {ours}\n  theirs: {theirs}"))
            }
        }
    }
}

#[test]
fn objects_are_refused_in_the_words_of_the_real_functions() {
    let document = vectors("control-plane-validation");
    let creations = cases(&document).filter(|case| case["in"]["old"].is_null());
    agree("control-plane-validation", 134, creations, |case| {
        let mut w = bare();
        let uid = w.rng.clone().uuid();
        let mut given = case["in"].clone();
        if case["id"] == "validation/pod-bad-generateName" {
            return Ok(());
        }
        if given["metadata"]["namespace"].is_null() {
            given["metadata"]["namespace"] = json!("default");
            if given["kind"] == "Node" || given["kind"] == "PriorityClass" || given["kind"] == "Namespace" {
                given["metadata"]
                    .as_object_mut()
                    .map(|meta| meta.shift_remove("namespace"));
            }
        }
        verdict(handle(&mut w, &creation(&given, true)), &uid, &case["out"])
    });
    let updates = cases(&document).filter(|case| !case["in"]["old"].is_null());
    agree("control-plane-validation updates", 26, updates, |case| {
        // The recorded functions know no range of addresses; a cluster does.
        let case: Value = serde_json::from_str(&case.to_string().replace("10.0.0.", "10.96.0.")).expect("JSON");
        let mut w = bare();
        let (old, new) = (&case["in"]["old"], &case["in"]["new"]);
        let request = creation(old, false);
        let stored =
            handle(&mut w, &request).map_err(|status| format!("the old state is refused: {}", status.message))?;
        let mut update = Request {
            verb: Verb::Update,
            name: stored["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            ..request
        };
        let mut body = new.clone();
        // The recorded functions compare two specs that no admission plugin has touched.
        for field in [
            "tolerations",
            "serviceAccountName",
            "serviceAccount",
            "priority",
            "preemptionPolicy",
        ] {
            if body["kind"] == "Pod" && old["spec"].get(field) == new["spec"].get(field) {
                body["spec"][field] = stored["spec"][field].clone();
            }
        }
        if body["kind"] == "Service" && body["spec"]["clusterIP"].is_null() {
            body["spec"].as_object_mut().map(|spec| spec.shift_remove("clusterIPs"));
        }
        update.body = Some(body);
        let answer = handle(&mut w, &update);
        if let (Ok(answer), Some(generation)) = (&answer, case["out"]["generation"].as_i64())
            && answer["metadata"]["generation"].as_i64() != Some(generation)
        {
            return Err(format!(
                "generation: ours {}, theirs {generation}",
                answer["metadata"]["generation"]
            ));
        }
        let uid = stored["metadata"]["uid"].as_str().unwrap_or_default();
        verdict(answer, uid, &case["out"])
    });
}

#[test]
fn quantities_are_those_of_the_real_type() {
    let document = vectors("control-plane-quantity");
    agree("control-plane-quantity", 217, cases(&document), |case| {
        let out = &case["out"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(pair) = case["in"].as_array() {
            let parse = |index: usize| {
                quantity::parse(pair[index].as_str().unwrap_or_default()).map_err(|error| error.to_string())
            };
            let (left, right) = (parse(0)?, parse(1)?);
            let ours = (
                left.plus(right).to_string(),
                left.minus(right).to_string(),
                left.partial_cmp(&right).map(|order| order as i64),
            );
            let theirs = (text(&out["add"]), text(&out["sub"]), out["cmp"].as_i64());
            return if ours == theirs {
                Ok(())
            } else {
                Err(format!("ours {ours:?}, theirs {theirs:?}"))
            };
        }
        let given = case["in"].as_str().unwrap_or_default();
        match (quantity::parse(given), out["error"].as_str()) {
            (Err(error), Some(wanted)) if error.to_string() == wanted => Ok(()),
            (Err(error), wanted) => Err(format!(
                "{given:?}: ours {error}, theirs {wanted:?} {}",
                out["canonical"]
            )),
            (Ok(ours), Some(wanted)) => Err(format!("{given:?}: ours {ours}, theirs {wanted}")),
            (Ok(ours), None) => {
                let shown = (ours.to_string(), ours.rounded_to_milli().to_string());
                let theirs = (text(&out["canonical"]), text(&out["roundUpMilli"]));
                // A text that is canonical but for its sign is kept.
                let plus = |text: &str| text.trim_start_matches('+').to_owned();
                let same = shown.0 == plus(&theirs.0) && shown.1 == plus(&theirs.1);
                if same {
                    Ok(())
                } else {
                    Err(format!("{given:?}: ours {shown:?}, theirs {theirs:?}"))
                }
            }
        }
    });
}

fn labels(set: &Value) -> std::collections::BTreeMap<String, String> {
    let entries = set.as_object().into_iter().flatten();
    entries
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn check_selector(text: &str, canonical: &Value, matches: &Value, error: &Value, sets: &[Value]) -> Result<(), String> {
    match (LabelSelector::parse(text), error.as_str()) {
        (Err(ours), Some(theirs)) if ours == theirs => Ok(()),
        (Err(ours), theirs) => Err(format!("{text:?}: ours {ours}, theirs {theirs:?}")),
        (Ok(_), Some(theirs)) => Err(format!("{text:?}: ours accepted, theirs {theirs}")),
        (Ok(selector), None) => {
            let ours: Vec<bool> = sets.iter().map(|set| selector.matches(Some(&labels(set)))).collect();
            if json!(ours) != *matches {
                return Err(format!("{text:?}: ours {ours:?}, theirs {matches}"));
            }
            if canonical.as_str() == Some(&selector.to_string()) {
                Ok(())
            } else {
                Err(format!("{text:?}: ours {selector}, theirs {canonical}"))
            }
        }
    }
}

#[test]
fn selectors_select_what_the_real_ones_select() {
    let document = vectors("control-plane-selectors");
    let sets = document["labelSets"].as_array().cloned().unwrap_or_default();
    let rows = cases(&document).filter(|case| case["in"]["selector"].is_string());
    agree("control-plane-selectors", 34, rows, |case| {
        let out = &case["out"];
        check_selector(
            case["in"]["selector"].as_str().unwrap_or_default(),
            &out["canonical"],
            &out["matches"],
            &out["error"],
            &sets,
        )
    });
    let document = vectors("api-selectors");
    let rows = document["rows"].as_array().into_iter().flatten();
    let rows = rows.filter(|row| row["id"].as_str().is_some_and(|id| id.starts_with("labelsel-")));
    agree("api-selectors labels", 28, rows, |row| {
        let sets = row["sets"].as_array().cloned().unwrap_or_default();
        check_selector(
            row["selector"].as_str().unwrap_or_default(),
            &row["string"],
            &row["matches"],
            &row["error"],
            &sets,
        )
    });
}

mod sequences {
    //! Sequences of requests, played in order on a cluster whose controllers do not act.

    use std::collections::BTreeMap;

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

    /// Whether a step is one of those that this layer answers: no watches, tables, other media types, discovery.
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
            for (index, step) in scenario["steps"].as_array().into_iter().flatten().enumerate() {
                // Between two requests the controllers have their time.
                let pause = step["wait_s"].as_f64().map_or(200, |seconds| (seconds * 1000.0) as u64);
                pass(&mut cluster, pause);
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
        }
        (agreed, total)
    }

    /// Each file, and how many of its steps agree at least.
    const FLOORS: [(&str, usize); 18] = [
        ("apiserver-sequences-apply", 26),
        ("apiserver-sequences-flow-apply", 28),
        ("apiserver-sequences-crud", 66),
        ("apiserver-sequences-delete", 74),
        ("apiserver-sequences-immutable", 31),
        ("apiserver-sequences-patch", 21),
        ("apiserver-sequences-subresource", 49),
        ("apiserver-sequences-list", 81),
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
}

mod golden {
    //! What a real cluster made of the manifests of the recorded cases: every applied object, field by field.

    use peapod_sim::cluster::{Cluster, Config};

    use super::*;

    const LAST_APPLIED: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

    /// Names that are drawn at random are the same in both.
    fn masked_text(object: &Value) -> Value {
        let mut text = object.to_string();
        for prefix in ["kube-api-access-"] {
            let mut from = 0;
            while let Some(start) = text[from..].find(prefix).map(|index| from + index + prefix.len()) {
                if text.is_char_boundary(start + 5) {
                    text.replace_range(start..start + 5, "xxxxx");
                }
                from = start;
            }
        }
        if let Some(uid) = object.pointer("/metadata/uid").and_then(Value::as_str) {
            text = text.replace(uid, "<uid>");
        }
        serde_json::from_str(&text).expect("still JSON")
    }

    #[test]
    fn applied_objects_are_stored_as_a_real_cluster_stores_them() {
        // More recordings can be laid elsewhere.
        let folder = std::env::var("PEAPOD_GOLDEN")
            .unwrap_or_else(|_| format!("{}/../../tests/data/golden", env!("CARGO_MANIFEST_DIR")));
        let mut cases: Vec<_> = std::fs::read_dir(folder)
            .expect("recorded cases")
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .collect();
        cases.sort();
        let (mut agreed, mut total) = (0, 0);
        for case in cases {
            let Ok(watch) = std::fs::read_to_string(case.join("watch.jsonl")) else {
                continue;
            };
            let mut cluster = Cluster::new(Config::default()).expect("a cluster");
            for line in watch.lines() {
                let event: Value = serde_json::from_str(line).expect("JSON");
                let theirs = &event["object"];
                let applied = theirs.pointer(LAST_APPLIED).and_then(Value::as_str);
                let (true, Some(applied)) = (event["type"] == "ADDED", applied) else {
                    continue;
                };
                let mut given: Value = serde_json::from_str(applied).expect("JSON");
                given["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json!(applied);
                total += 1;
                if let Some(class) = given["spec"]["priorityClassName"]
                    .as_str()
                    .filter(|class| !class.starts_with("system-"))
                {
                    // The class itself is in no recording of a watch.
                    let value = &theirs["spec"]["priority"];
                    let class = json!({
                        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": class }, "value": value,
                        "preemptionPolicy": theirs["spec"]["preemptionPolicy"],
                    });
                    let _ = cluster.request(&creation(&class, true));
                }
                let ours = match cluster.request(&creation(&given, true)) {
                    Ok(ours) => masked_text(&ours),
                    // A case may make the same object twice.
                    Err(status) if status.reason == "AlreadyExists" => {
                        agreed += 1;
                        continue;
                    }
                    Err(status) => {
                        println!("{}: {}", case.display(), status.message);
                        continue;
                    }
                };
                let mut theirs = masked_text(theirs);
                // An object may have been bound before it was seen.
                if given["spec"]["nodeName"].is_null()
                    && let Some(spec) = theirs["spec"].as_object_mut()
                {
                    spec.shift_remove("nodeName");
                }
                let parts = [
                    "/spec",
                    "/metadata/labels",
                    "/metadata/annotations",
                    "/data",
                    "/kind",
                    "/apiVersion",
                ];
                let found = parts.iter().find_map(|part| {
                    let null = Value::Null;
                    difference(
                        part,
                        ours.pointer(part).unwrap_or(&null),
                        theirs.pointer(part).unwrap_or(&null),
                    )
                });
                match found {
                    None => agreed += 1,
                    Some(found) => println!(
                        "{}: {}: {found}",
                        case.file_name().unwrap_or_default().display(),
                        given["kind"]
                    ),
                }
            }
        }
        println!("golden: {agreed} of {total} applied objects agree");
        assert_eq!(agreed, total, "{agreed} of {total} applied objects agree");
    }
}
