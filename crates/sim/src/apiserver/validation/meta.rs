//! Metadata: names, labels, annotations, finalizers, owners (`apimachinery/pkg/api/validation/objectmeta.go`).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::apiserver::field::{Errors, Path, quoted};
use crate::apiserver::names;
use crate::objects::{Kind, Object};

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
        let mut reasons = name(kind, &whole);
        reasons.truncate(if whole == prefix { usize::MAX } else { reasons.len() });
        e.invalid_for(&path.child("generateName"), prefix, reasons);
    }
    match meta.name.as_deref().unwrap_or_default() {
        "" => e.required(&path.child("name"), "name or generateName is required"),
        given => e.invalid_for(&path.child("name"), given, name(kind, given)),
    }
    common(e, meta, &path);
}

/// What new and changed metadata have in common.
pub(super) fn common(e: &mut Errors, meta: &ObjectMeta, path: &Path<'_>) {
    labels(e, meta.labels.as_ref(), &path.child("labels"));
    annotations(e, meta.annotations.as_ref(), &path.child("annotations"));
    let owners = path.child("ownerReferences");
    for (index, owner) in meta.owner_references.iter().flatten().enumerate() {
        let at = owners.index(index);
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
    }
    let finalizers = path.child("finalizers");
    for (index, finalizer) in meta.finalizers.iter().flatten().enumerate() {
        let at = finalizers.index(index);
        e.invalid_for(&at, finalizer, names::label_key(finalizer));
        if !finalizer.contains('/') && !FINALIZERS.contains(&finalizer.as_str()) {
            let reason = "name is neither a standard finalizer name nor is it fully qualified";
            e.invalid_text(&at, finalizer, reason);
        }
    }
}

/// What the name of a kind may not be.
fn name(kind: Kind, name: &str) -> Vec<String> {
    match kind {
        Kind::Namespace => names::dns1123_label(name),
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
