//! `pod-template-hash`: FNV-1a over a dump of the Go value that a pod template is in the controller
//! (`pkg/controller/controller_utils.go ComputeHash`, `k8s.io/utils/dump ForHash`). The dump names every field of every
//! struct, also the empty ones, so the structs of the simulated version are listed in `go_types.txt`.

mod quantity;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

/// A field of a Go struct.
struct Field {
    name: &'static str,
    go_type: &'static str,
    /// Name in JSON; `None` for an embedded struct, whose fields stand beside the others.
    json: Option<&'static str>,
}

type Structs = BTreeMap<&'static str, Vec<Field>>;

fn structs() -> &'static Structs {
    static STRUCTS: OnceLock<Structs> = OnceLock::new();
    STRUCTS.get_or_init(|| {
        let mut structs = Structs::new();
        let mut current = "";
        for line in include_str!("go_types.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
        {
            match line.strip_prefix("  ") {
                None => {
                    current = line;
                    structs.insert(line, Vec::new());
                }
                Some(field) => {
                    let mut words = field.split(' ');
                    if let (Some(name), Some(go_type), Some(json)) = (words.next(), words.next(), words.next())
                        && let Some(fields) = structs.get_mut(current)
                    {
                        fields.push(Field {
                            name,
                            go_type,
                            json: (json != "-").then_some(json),
                        });
                    }
                }
            }
        }
        structs
    })
}

/// The hash of a template, made different by the collision count when two templates of one Deployment would clash.
pub fn compute_hash(template: &core::PodTemplateSpec, collision_count: Option<i32>) -> String {
    hash_of_dump(&dump(template), collision_count)
}

fn hash_of_dump(dump: &str, collision_count: Option<i32>) -> String {
    let mut hash = Fnv32a::default();
    hash.write(dump.as_bytes());
    if let Some(count) = collision_count {
        hash.write(&count.to_le_bytes());
        hash.write(&[0; 4]);
    }
    safe_encode(&hash.0.to_string())
}

/// Letters that spell no words (`k8s.io/apimachinery/pkg/util/rand SafeEncodeString`).
pub fn safe_encode(text: &str) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    text.bytes()
        .map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
        .collect()
}

struct Fnv32a(u32);

impl Default for Fnv32a {
    fn default() -> Self {
        Self(0x811c_9dc5)
    }
}

impl Fnv32a {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }
}

/// The text that is hashed.
pub fn dump(template: &core::PodTemplateSpec) -> String {
    let value = serde_json::to_value(template).unwrap_or(Value::Null);
    let mut out = String::with_capacity(4096);
    typed("v1.PodTemplateSpec", Some(&value), &mut out);
    out
}

/// Writes `(type)value`.
fn typed(go_type: &str, value: Option<&Value>, out: &mut String) {
    out.push('(');
    out.push_str(go_type);
    out.push(')');
    bare(go_type, value.filter(|value| !value.is_null()), out);
}

/// Writes a value without its type, as elements of slices and maps are written.
fn bare(go_type: &str, value: Option<&Value>, out: &mut String) {
    if let Some(pointed) = go_type.strip_prefix('*') {
        return match value {
            None => out.push_str("<nil>"),
            Some(_) => bare(pointed, value, out),
        };
    }
    if let Some(element) = go_type.strip_prefix("[]") {
        return match value.and_then(Value::as_array) {
            None => out.push_str("<nil>"),
            Some(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(' ');
                    }
                    bare(element, Some(item), out);
                }
                out.push(']');
            }
        };
    }
    match go_type {
        "map[string]string" => map("string", value, out),
        "v1.ResourceList" => map("resource.Quantity", value, out),
        "resource.Quantity" => quantity::dump(value.and_then(Value::as_str).unwrap_or("0"), out),
        "intstr.IntOrString" => int_or_string(value, out),
        "v1.Time" => out.push_str("{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}"),
        "bool" => out.push_str(if value.and_then(Value::as_bool).unwrap_or(false) {
            "true"
        } else {
            "false"
        }),
        "int" | "int32" | "int64" | "uint8" => out.push_str(&value.and_then(Value::as_i64).unwrap_or(0).to_string()),
        _ => match structs().get(go_type) {
            Some(fields) => structure(fields, value, out),
            // All other named types are strings.
            None => out.push_str(value.and_then(Value::as_str).unwrap_or_default()),
        },
    }
}

fn structure(fields: &[Field], value: Option<&Value>, out: &mut String) {
    out.push('{');
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(field.name);
        out.push(':');
        let own = match field.json {
            Some(name) => value.and_then(|value| value.get(name)),
            None => value,
        };
        typed(field.go_type, own, out);
    }
    out.push('}');
}

fn map(element: &str, value: Option<&Value>, out: &mut String) {
    let Some(entries) = value.and_then(Value::as_object) else {
        return out.push_str("<nil>");
    };
    let sorted: BTreeMap<&String, &Value> = entries.iter().collect();
    out.push_str("map[");
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(key);
        out.push(':');
        bare(element, Some(value), out);
    }
    out.push(']');
}

fn int_or_string(value: Option<&Value>, out: &mut String) {
    let (kind, number, text) = match value {
        Some(Value::String(text)) => (1, 0, text.as_str()),
        other => (0, other.and_then(Value::as_i64).unwrap_or(0), ""),
    };
    out.push_str(&format!(
        "{{Type:(intstr.Type){kind} IntVal:(int32){number} StrVal:(string){text}}}"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_deployment_has_its_well_known_hash() {
        // The first example of the documentation; a recorded cluster gave its ReplicaSet this name.
        let template = serde_json::from_value(serde_json::json!({
            "metadata": {"labels": {"app": "nginx"}},
            "spec": {
                "containers": [{
                    "name": "nginx", "image": "nginx:1.14.2", "imagePullPolicy": "IfNotPresent", "resources": {},
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"
                }],
                "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
                "securityContext": {}, "schedulerName": "default-scheduler"
            }
        }))
        .expect("a template");
        assert_eq!(compute_hash(&template, None), "6c5f67b5f7");
    }
}
