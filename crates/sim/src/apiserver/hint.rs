//! What was probably meant: the nearest name, the place where a field belongs, the way a value is written.

use serde_json::Value;

/// The nearest of some names, if one is near: another case, or at most one edit in four characters.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.chars().count().min(name.chars().count()) / 4))
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

/// Edits between two words: insertions, deletions, replacements, and swaps of neighbours.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    // Names of fields are short; something long is no misspelled name.
    if left.len() > 64 || right.len() > 64 {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(a != b))
                .min(rows[i][j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

/// Where a field belongs that stands in a struct (`owner`) that has none of that name: above, or deeper inside.
pub(super) fn elsewhere(name: &str, owner: &str, above: Option<String>) -> Option<String> {
    if let Some(place) = above {
        return Some(format!("{name} belongs to {place}: check the indentation"));
    }
    let inner = match owner {
        "Pod" => POD_PARTS
            .iter()
            .map(|(part, place)| (*part, format!("spec{place}")))
            .collect::<Vec<_>>(),
        "PodSpec" => POD_PARTS
            .iter()
            .map(|(part, place)| (*part, place.trim_start_matches('.').to_owned()))
            .collect(),
        "DeploymentSpec" | "ReplicaSetSpec" | "StatefulSetSpec" | "DaemonSetSpec" | "JobSpec" => POD_PARTS
            .iter()
            .map(|(part, place)| (*part, format!("template.spec{place}")))
            .collect(),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob" | "Service" => [
            "replicas",
            "selector",
            "template",
            "ports",
            "type",
            "schedule",
            "jobTemplate",
            "backoffLimit",
            "completions",
        ]
        .map(|part| (part, "spec".to_owned()))
        .to_vec(),
        _ => Vec::new(),
    };
    let (_, place) = inner
        .into_iter()
        .find(|(part, place)| *part == name && !place.is_empty())?;
    Some(format!("{name} belongs to {place}"))
}

/// Fields of a pod's spec and of its containers that are often written one level too high.
const POD_PARTS: &[(&str, &str)] = &[
    ("containers", ""),
    ("initContainers", ""),
    ("restartPolicy", ""),
    ("volumes", ""),
    ("nodeSelector", ""),
    ("serviceAccountName", ""),
    ("terminationGracePeriodSeconds", ""),
    ("image", ".containers[]"),
    ("command", ".containers[]"),
    ("args", ".containers[]"),
    ("env", ".containers[]"),
    ("ports", ".containers[]"),
    ("imagePullPolicy", ".containers[]"),
    ("livenessProbe", ".containers[]"),
    ("readinessProbe", ".containers[]"),
    ("startupProbe", ".containers[]"),
    ("lifecycle", ".containers[]"),
    ("volumeMounts", ".containers[]"),
];

/// How a value of the wrong type would be written right.
pub(super) fn wrong_type(found: &Value, wanted: &str) -> Vec<String> {
    let hint = match found {
        Value::String(text) if wanted.starts_with("int") && text.parse::<i64>().is_ok() => {
            format!("write {text} without quotes")
        }
        Value::String(text)
            if wanted == "bool" && matches!(text.to_lowercase().as_str(), "true" | "false" | "yes" | "no") =>
        {
            let value = matches!(text.to_lowercase().as_str(), "true" | "yes");
            format!("write {value} without quotes")
        }
        Value::Number(number) if is_text(wanted) => format!("write it as text: \"{number}\""),
        Value::Bool(value) if is_text(wanted) => {
            format!("write it as text in quotes (without them, yes, no, on, off, y, n, true and false mean {value})")
        }
        Value::Object(_) if wanted.starts_with("[]") => "a list is wanted: begin each item with \"- \"".to_owned(),
        Value::String(_) | Value::Number(_) | Value::Bool(_) if wanted.starts_with("[]") => {
            "a list is wanted, even for one value: [ … ], or lines that begin with \"- \"".to_owned()
        }
        Value::Array(_) if !wanted.starts_with("[]") => "one value is wanted, no list: leave out the \"- \"".to_owned(),
        _ => return Vec::new(),
    };
    vec![hint]
}

/// What would be right where the content of a field is wrong.
pub(crate) fn of_field_error(field: &str, message: &str) -> Vec<String> {
    let last = field.rsplit('.').next().unwrap_or(field);
    let hint = match (last, message) {
        (_, message) if message.starts_with("Unsupported value: ") => {
            let Some((value, supported)) = message["Unsupported value: ".len()..].split_once(": supported values: ")
            else {
                return Vec::new();
            };
            let names: Vec<&str> = supported.split(", ").map(|name| name.trim_matches('"')).collect();
            match nearest(value.trim_matches('"'), names.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => return Vec::new(),
            }
        }
        ("containers", "Required value") => "a pod has at least one container: - name: app, image: …".to_owned(),
        ("image", "Required value") => "each container names its image, such as image: nginx:1.25".to_owned(),
        ("restartPolicy", message) if message.contains("valid values: \"OnFailure\"") => {
            "the pods of a Job end: write restartPolicy: Never or restartPolicy: OnFailure into spec.template.spec"
                .to_owned()
        }
        ("selector", "Required value") => {
            "spec.selector.matchLabels says which pods belong to it: the labels of spec.template.metadata.labels"
                .to_owned()
        }
        ("labels", message) if message.contains("`selector` does not match template `labels`") => {
            "the template's labels must hold every label of spec.selector.matchLabels".to_owned()
        }
        ("name", message) if message.contains("RFC 1123") => "names are in lower case, with digits and -".to_owned(),
        ("name", message) if message.starts_with("Not found: ") => "a volumeMount names one of spec.volumes".to_owned(),
        _ => return Vec::new(),
    };
    vec![hint]
}

fn is_text(wanted: &str) -> bool {
    wanted == "string" || (wanted.starts_with("v1.") && wanted != "v1.ResourceList") || wanted == "types.UID"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = [
            "image",
            "imagePullPolicy",
            "name",
            "command",
            "livenessProbe",
            "env",
            "args",
        ];
        for (name, near) in [
            ("imagee", Some("image")),
            ("Image", Some("image")),
            ("imagePullpolicy", Some("imagePullPolicy")),
            ("livenessprob", Some("livenessProbe")),
            ("comand", Some("command")),
            ("commnad", Some("command")),
            ("envv", Some("env")),
            ("foo", None),
            ("restartPolicy", None),
        ] {
            assert_eq!(nearest(name, known.iter().copied()), near, "{name}");
        }
    }
}
