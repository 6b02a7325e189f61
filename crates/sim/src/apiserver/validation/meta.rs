//! Metadata: names, labels, annotations, finalizers, owners (`apimachinery/pkg/api/validation/objectmeta.go`).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use serde_json::{Value, json};

use crate::apiserver::field::{Errors, Path, quoted, shown};
use crate::apiserver::names;
use crate::objects::{Kind, Object};
use crate::version::{Gate, Profile};

/// Annotations of an object, all together (`TotalAnnotationSizeLimitB`).
const ANNOTATIONS: usize = 256 << 10;
/// Finalizers that need no domain.
const FINALIZERS: [&str; 3] = ["orphan", "foregroundDeletion", "kubernetes"];

/// The metadata of a new object.
pub(super) fn object(e: &mut Errors, object: &Object) {
    let (kind, meta) = (object.kind(), object.meta());
    let path = Path::root("metadata");
    if let Some(prefix) = meta.generate_name.as_deref().filter(|prefix| !prefix.is_empty()) {
        // A prefix may end in what a name may not end in.
        let whole = if prefix.ends_with('-') {
            format!("{prefix}a")
        } else {
            prefix.to_owned()
        };
        let mut reasons = name(e.version, kind, &whole);
        reasons.truncate(if whole == prefix { usize::MAX } else { reasons.len() });
        e.invalid_for(&path.child("generateName"), prefix, reasons);
    }
    match meta.name.as_deref().unwrap_or_default() {
        "" => e.required(&path.child("name"), "name or generateName is required"),
        given => e.invalid_for(&path.child("name"), given, name(e.version, kind, given)),
    }
    common(e, meta, &path);
}

/// What new and changed metadata have in common.
pub(super) fn common(e: &mut Errors, meta: &ObjectMeta, path: &Path<'_>) {
    labels(e, meta.labels.as_ref(), &path.child("labels"));
    annotations(e, meta.annotations.as_ref(), &path.child("annotations"));
    owners(e, meta, &path.child("ownerReferences"));
    let at = path.child("finalizers");
    let finalizers = meta.finalizers.as_deref().unwrap_or_default();
    for (index, finalizer) in finalizers.iter().enumerate() {
        e.invalid_for(&at, finalizer, names::label_key(finalizer));
        if !finalizer.contains('/') && !FINALIZERS.contains(&finalizer.as_str()) {
            let reason = "name is neither a standard finalizer name nor is it fully qualified";
            e.invalid_text(&at.index(index), finalizer, reason);
        }
    }
    let has = |name: &str| finalizers.iter().any(|finalizer| finalizer == name);
    if has("orphan") && has("foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        e.invalid(&at, shown(&finalizers), detail);
    }
}

/// `ValidateOwnerReferences`: whole references, and one controller at most.
fn owners(e: &mut Errors, meta: &ObjectMeta, at: &Path<'_>) {
    let list = meta.owner_references.as_deref().unwrap_or_default();
    for owner in list {
        for (field, value, detail) in [
            ("apiVersion", &owner.api_version, "version must not be empty"),
            ("kind", &owner.kind, "must not be empty"),
            ("name", &owner.name, "must not be empty"),
            ("uid", &owner.uid, "must not be empty"),
        ] {
            if value.is_empty() {
                e.invalid_text(&at.child(field), value, detail);
            }
        }
        if owner.api_version == "v1" && owner.kind == "Event" {
            let value = go_owners(std::slice::from_ref(owner));
            let shown = value.get(0).cloned().unwrap_or_default();
            e.invalid(at, shown, "/v1, Kind=Event is disallowed from being an owner");
        }
    }
    if list.iter().filter(|owner| owner.controller == Some(true)).count() > 1 {
        let names: Vec<String> = list
            .iter()
            .filter(|owner| owner.controller == Some(true))
            .map(|owner| format!("{}/{}", owner.kind, owner.name))
            .take(2)
            .collect();
        let detail = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for {}",
            names.join(" and ")
        );
        e.invalid(at, go_owners(list), &detail);
    }
}

/// Owner references as Go prints them: fields in the order of their declaration, defaults left out.
fn go_owners(list: &[OwnerReference]) -> Value {
    list.iter()
        .map(|owner| {
            let mut shown =
                json!({ "apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid });
            for (field, value) in [
                ("controller", owner.controller),
                ("blockOwnerDeletion", owner.block_owner_deletion),
            ] {
                if let Some(value) = value {
                    shown[field] = Value::from(value);
                }
            }
            shown
        })
        .collect()
}

/// What may not change in the metadata, or only in one direction (`ValidateObjectMetaAccessorUpdate`).
pub(super) fn update(e: &mut Errors, old: &ObjectMeta, new: &ObjectMeta) {
    let path = Path::root("metadata");
    common(e, new, &path);
    if new.uid != old.uid {
        e.invalid(
            &path.child("uid"),
            quoted(new.uid.as_deref().unwrap_or_default()),
            "field is immutable",
        );
    }
    if old.deletion_timestamp.is_some() {
        let before = old.finalizers.as_deref().unwrap_or_default();
        let added: Vec<String> = new
            .finalizers
            .iter()
            .flatten()
            .filter(|finalizer| !before.contains(finalizer))
            .map(|finalizer| quoted(finalizer))
            .collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            e.forbidden(&path.child("finalizers"), &detail);
        }
    }
}

/// What the name of a kind may not be.
fn name(version: Profile, kind: Kind, name: &str) -> Vec<String> {
    match kind {
        Kind::Namespace => names::dns1123_label(name),
        Kind::Service if version.enabled(Gate::RelaxedServiceNameValidation) => names::dns1123_label(name),
        Kind::Service => names::dns1035_label(name),
        Kind::CronJob => {
            let mut reasons = names::dns1123_subdomain(name);
            // Eleven more characters tell its Jobs apart.
            if reasons.is_empty() && name.len() > 52 {
                reasons.push("must be no more than 52 characters".to_owned());
            }
            reasons
        }
        Kind::Role | Kind::RoleBinding | Kind::ClusterRole | Kind::ClusterRoleBinding => path_segment(name),
        _ => names::dns1123_subdomain(name),
    }
}

/// `IsValidPathSegmentName`
fn path_segment(name: &str) -> Vec<String> {
    if name == "." || name == ".." {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|part| name.contains(**part))
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

pub(super) fn labels(e: &mut Errors, labels: Option<&BTreeMap<String, String>>, path: &Path<'_>) {
    for (key, value) in labels.into_iter().flatten() {
        e.invalid_for(path, key, names::label_key(key));
        e.invalid_for(path, value, names::label_value(value));
    }
}

pub(super) fn annotations(e: &mut Errors, annotations: Option<&BTreeMap<String, String>>, path: &Path<'_>) {
    for key in annotations.into_iter().flatten().map(|(key, _)| key) {
        // The rule is that of labels, upper case forgiven.
        e.invalid_for(path, key, names::label_key(&key.to_lowercase()));
    }
    let size: usize = annotations
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > ANNOTATIONS {
        e.too_long(path, ANNOTATIONS);
    }
}

/// `ValidateLabelSelector`
pub(super) fn selector(e: &mut Errors, selector: &LabelSelector, path: &Path<'_>) {
    labels(e, selector.match_labels.as_ref(), &path.child("matchLabels"));
    let expressions = path.child("matchExpressions");
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        let at = expressions.index(index);
        let values = expression.values.as_deref().unwrap_or_default();
        let values_path = at.child("values");
        match expression.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => {
                e.required(&values_path, "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "In" | "NotIn" => {}
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                e.forbidden(
                    &values_path,
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "Exists" | "DoesNotExist" => {}
            other => e.invalid(&at.child("operator"), quoted(other), "not a valid selector operator"),
        }
        e.invalid_for(&at.child("key"), &expression.key, names::label_key(&expression.key));
        for (index, value) in values.iter().enumerate() {
            e.invalid_for(&values_path.index(index), value, names::label_value(value));
        }
    }
}

/// Whether a selector says nothing: it selects everything, or was not given at all.
pub(super) fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}
