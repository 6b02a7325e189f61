//! `get` and `list`: the newest state, or that of an earlier resourceVersion, in pages if a client asks for them
//! (`apiserver/pkg/storage/etcd3/store.go GetList`, `apimachinery/pkg/apis/meta/internalversion/validation`).

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::{DecodeError, Engine};
use serde_json::{Value, json};

use super::field::{Errors, Path, quoted};
use super::selector::{FieldSelector, LabelSelector};
use super::{query, refusal};
use crate::lenient64;
use crate::objects::{Key, Kind};
use crate::registry::not_found;
use crate::request::{Request, Status};
use crate::store::{Stored, list_meta};
use crate::time::{SimDuration, SimTime};
use crate::trace::Change;
use crate::world::World;

/// How often etcd's history is cut off, up to what was newest at the time before (`--etcd-compaction-interval`).
const COMPACTION: SimDuration = SimDuration::from_secs(300);
/// The version of the form of a continue token.
const TOKEN_VERSION: &str = "meta.k8s.io/v1";

pub(super) fn get(w: &World, key: &Key) -> Result<Value, Status> {
    w.get(key)
        .map(|stored| (*stored.json()).clone())
        .ok_or_else(|| not_found(key.kind, &key.name))
}

/// A `get` with the options of a client.
pub(super) fn get_with(w: &World, key: &Key, request: &Request) -> Result<Value, Status> {
    version(query(request, "resourceVersion")).map_err(|message| refusal::internal(&message))?;
    get(w, key)
}

/// Which state a list shows, and which part of it.
#[derive(Default)]
struct Options {
    /// The state of that resourceVersion instead of the newest.
    exact: Option<u64>,
    /// Where to begin.
    after: Option<(String, String)>,
    limit: usize,
}

pub(super) fn list(w: &World, kind: Kind, request: &Request) -> Result<Value, Status> {
    let options = options(w, request)?;
    let mut items = match options.exact {
        Some(version) if version < w.store.revision() => {
            filtered(kind, request, at(w, kind, request, version).into_iter())?
        }
        _ => selected(w, kind, request)?,
    };
    if let Some(after) = &options.after {
        items.retain(|stored| place(stored, request) > *after);
    }
    let mut meta = list_meta(options.exact.unwrap_or_else(|| w.store.revision()));
    if options.limit > 0 && items.len() > options.limit {
        let left = items.len() - options.limit;
        items.truncate(options.limit);
        let last = items.last().map(|stored| place(stored, request)).unwrap_or_default();
        let last = match last {
            (namespace, name) if namespace.is_empty() => name,
            (namespace, name) => format!("{namespace}/{name}"),
        };
        let version = options.exact.unwrap_or_else(|| w.store.revision());
        let token = json!({ "v": TOKEN_VERSION, "rv": version, "start": format!("{last}\u{0}") });
        meta["continue"] = Value::from(lenient64::URL_SAFE.encode(token.to_string()));
        // How many are left is not counted behind a selector.
        if query(request, "labelSelector").is_empty() && query(request, "fieldSelector").is_empty() {
            meta["remainingItemCount"] = Value::from(left);
        }
    }
    let resource = kind.resource();
    let items: Vec<Value> = items.iter().map(|stored| (*stored.json()).clone()).collect();
    Ok(json!({
        "kind": format!("{}List", resource.name),
        "apiVersion": resource.api_version(),
        "metadata": meta,
        "items": items,
    }))
}

/// The objects of a kind that a request's namespace and selectors choose.
pub(super) fn selected(w: &World, kind: Kind, request: &Request) -> Result<Vec<Arc<Stored>>, Status> {
    let namespace = Some(request.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    filtered(kind, request, w.store.list(kind, namespace).cloned())
}

/// The selectors of a request.
pub(super) fn selectors(kind: Kind, request: &Request) -> Result<(LabelSelector, FieldSelector), Status> {
    let labels = LabelSelector::parse(query(request, "labelSelector")).map_err(|error| refusal::bad_request(&error))?;
    let fields =
        FieldSelector::parse(query(request, "fieldSelector"), kind).map_err(|error| refusal::bad_request(&error))?;
    Ok((labels, fields))
}

/// Those of some objects that a request's selectors choose.
pub(super) fn filtered(
    kind: Kind,
    request: &Request,
    objects: impl Iterator<Item = Arc<Stored>>,
) -> Result<Vec<Arc<Stored>>, Status> {
    let (labels, fields) = selectors(kind, request)?;
    Ok(objects
        .filter(|stored| labels.matches(stored.object.meta().labels.as_ref()))
        .filter(|stored| fields.is_empty() || fields.matches(&stored.json()))
        .collect())
}

/// The objects of a kind as they were at a resourceVersion.
pub(super) fn at(w: &World, kind: Kind, request: &Request, version: u64) -> Vec<Arc<Stored>> {
    let mut objects: BTreeMap<Key, Arc<Stored>> = BTreeMap::new();
    let count = usize::try_from(version).unwrap_or(usize::MAX);
    for write in w.store.history().iter().take(count) {
        let object = &write.stored.object;
        let inside = request.namespace.is_empty() || object.namespace() == request.namespace;
        if object.kind() != kind || !inside {
            continue;
        }
        if write.change == Change::Deleted {
            objects.remove(&object.key());
        } else {
            objects.insert(object.key(), Arc::clone(&write.stored));
        }
    }
    objects.into_values().collect()
}

/// Where an object stands in a list: its namespace, if the list has many, and its name.
fn place(stored: &Stored, request: &Request) -> (String, String) {
    let object = &stored.object;
    let namespace = if request.namespace.is_empty() {
        object.namespace()
    } else {
        ""
    };
    (namespace.to_owned(), object.name().to_owned())
}

fn options(w: &World, request: &Request) -> Result<Options, Status> {
    let (given, rule, token) = (
        query(request, "resourceVersion"),
        query(request, "resourceVersionMatch"),
        query(request, "continue"),
    );
    validate(given, rule, token, query(request, "sendInitialEvents"))?;
    let limit = query(request, "limit").parse().unwrap_or(0);
    let wanted =
        version(given).map_err(|message| refusal::bad_request(&format!("invalid resource version: {message}")))?;
    if !token.is_empty() {
        if !matches!(given, "" | "0") {
            return Err(refusal::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let (version, after) = decode(token).map_err(|why| {
            refusal::bad_request(&format!("invalid continue token: continue key is not valid: {why}"))
        })?;
        if version < compacted(w) {
            return Err(refusal::expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new list \
                 without the continue parameter, or use the continue token in this response to retrieve the remainder of \
                 the results. Continuing with the provided token results in an inconsistent list - objects that were \
                 created, modified, or deleted between the time the first chunk was returned and now may show up in the \
                 list.",
            ));
        }
        return Ok(Options {
            exact: Some(version),
            after: Some(match after.split_once('/') {
                Some((namespace, name)) => (namespace.to_owned(), name.to_owned()),
                None => (String::new(), after),
            }),
            limit,
        });
    }
    // A page of a given version is a page of just that version.
    let exact = rule == "Exact" || rule.is_empty() && limit > 0;
    let current = w.store.revision();
    if wanted > current {
        return Err(refusal::too_large(wanted, current));
    }
    if exact && wanted > 0 && wanted < compacted(w) {
        return Err(refusal::expired(
            "The resourceVersion for the provided list is too old.",
        ));
    }
    Ok(Options {
        exact: (exact && wanted > 0).then_some(wanted),
        after: None,
        limit,
    })
}

/// `ValidateListOptions`
fn validate(given: &str, rule: &str, token: &str, initial: &str) -> Result<(), Status> {
    let mut errors = Errors::default();
    if !initial.is_empty() {
        errors.forbidden(
            &Path::root("sendInitialEvents"),
            "sendInitialEvents is forbidden for list",
        );
    }
    if !rule.is_empty() {
        let at = Path::root("resourceVersionMatch");
        if given.is_empty() {
            errors.forbidden(
                &at,
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            );
        }
        if !token.is_empty() {
            errors.forbidden(&at, "resourceVersionMatch is forbidden when continue is provided");
        }
        if rule == "Exact" && given == "0" {
            errors.forbidden(
                &at,
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            );
        }
        if !matches!(rule, "Exact" | "NotOlderThan") {
            errors.unsupported(&at, rule, &["Exact", "NotOlderThan", ""]);
        }
    }
    refusal::wrong_options("ListOptions", errors)
}

/// A resourceVersion as a number; none is 0 (`ParseResourceVersion`).
pub(super) fn version(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| {
        let shown = quoted(text);
        format!("resourceVersion: Invalid value: {shown}: strconv.ParseUint: parsing {shown}: invalid syntax")
    })
}

/// The oldest resourceVersion that etcd still knows: what was there before the clock started is long compacted, and a cluster
/// that keeps no trace knows the newest state alone.
pub(super) fn compacted(w: &World) -> u64 {
    if w.store.forgotten() > 0 {
        return w.store.revision();
    }
    let rounds = w.now.0 / COMPACTION.0;
    let newest_at = |at: SimTime| w.store.history().partition_point(|write| write.at <= at) as u64;
    let cut = match rounds {
        0 | 1 => 0,
        rounds => newest_at(SimTime((rounds - 1) * COMPACTION.0)),
    };
    cut.max(w.founded)
}

/// What a continue token says (`DecodeContinue`): the resourceVersion, and the place after which to go on.
fn decode(token: &str) -> Result<(u64, String), String> {
    let bytes = lenient64::URL_SAFE.decode(token).map_err(|error| {
        let at = match error {
            DecodeError::InvalidByte(at, _)
            | DecodeError::InvalidLastSymbol(at, _)
            | DecodeError::InvalidLength(at) => at,
            DecodeError::InvalidPadding => token.len(),
        };
        format!("illegal base64 data at input byte {at}")
    })?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| match bytes.first() {
        Some(byte) => format!(
            "invalid character '{}' looking for beginning of value",
            char::from(*byte)
        ),
        None => "unexpected end of JSON input".to_owned(),
    })?;
    let version = value["v"].as_str().unwrap_or_default();
    if version != TOKEN_VERSION {
        return Err(format!("server does not recognize this encoded version {version}"));
    }
    let number = value["rv"].as_u64().filter(|number| *number > 0);
    let start = value["start"].as_str().filter(|start| !start.is_empty());
    match (number, start) {
        (Some(number), Some(start)) => Ok((number, start.trim_end_matches('\u{0}').to_owned())),
        (None, _) => Err("incorrect encoded start resourceVersion (version meta.k8s.io/v1)".to_owned()),
        (_, None) => Err("encoded start key empty (version meta.k8s.io/v1)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back() {
        assert_eq!(
            decode("zzz"),
            Err("invalid character 'Ï' looking for beginning of value".to_owned())
        );
        assert_eq!(
            decode("e30"),
            Err("server does not recognize this encoded version ".to_owned())
        );
    }
}
