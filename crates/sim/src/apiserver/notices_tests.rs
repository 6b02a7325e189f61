//! The list of what has an effect, held against the types of the API and against examples.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{
    apps::v1 as apps, batch::v1 as batch, core::v1 as core, policy::v1 as policy, storage::v1 as storage,
};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::{Map, Value, json};

use super::super::modelled::TYPES;
use super::*;
use crate::cluster::{Cluster, Config, NodeConfig};
use crate::request::{Request, Verb};
use crate::runtime::catalogue::Catalogue;
use crate::time::{SimDuration, SimTime};
use crate::trace::What;

/// The fields of every type below the specs, as the types of the API have them.
fn schema() -> BTreeMap<&'static str, &'static [&'static str]> {
    let mut found = BTreeMap::new();
    look::<core::PodSpec>(&mut found);
    look::<apps::DeploymentSpec>(&mut found);
    look::<apps::ReplicaSetSpec>(&mut found);
    look::<apps::StatefulSetSpec>(&mut found);
    look::<apps::DaemonSetSpec>(&mut found);
    look::<batch::CronJobSpec>(&mut found);
    look::<core::ServiceSpec>(&mut found);
    look::<core::NodeSpec>(&mut found);
    look::<core::PersistentVolumeSpec>(&mut found);
    look::<storage::StorageClass>(&mut found);
    look::<policy::PodDisruptionBudgetSpec>(&mut found);
    found
}

fn look<T: for<'de> Deserialize<'de>>(found: &mut BTreeMap<&'static str, &'static [&'static str]>) {
    T::deserialize(Full(found, TEXT)).expect("a value with every field");
}

/// Gives every field a value, and notes the fields of every struct.
struct Full<'a>(&'a mut BTreeMap<&'static str, &'static [&'static str]>, &'static str);

/// Fits every text, a time too.
const TEXT: &str = "2026-01-01T00:00:00Z";

impl<'de> Deserializer<'de> for Full<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(1)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(true)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.1)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.1)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Once(self.0, false))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Keys(self.0, &["key"], TEXT, ""))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.insert(name, fields);
        visitor.visit_map(Keys(self.0, fields, TEXT, name))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum
        identifier ignored_any
    }
}

struct Once<'a>(&'a mut BTreeMap<&'static str, &'static [&'static str]>, bool);

impl<'de> SeqAccess<'de> for Once<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if std::mem::replace(&mut self.1, true) {
            return Ok(None);
        }
        seed.deserialize(Full(self.0, TEXT)).map(Some)
    }
}

struct Keys<'a>(
    &'a mut BTreeMap<&'static str, &'static [&'static str]>,
    &'static [&'static str],
    &'static str,
    &'static str,
);

impl<'de> MapAccess<'de> for Keys<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((first, rest)) = self.1.split_first() else {
            return Ok(None);
        };
        self.1 = rest;
        // Objects inside of specs say what they are.
        self.2 = match *first {
            "apiVersion" if self.3 == "StorageClass" => "storage.k8s.io/v1",
            "apiVersion" => "v1",
            "kind" => self.3,
            _ => TEXT,
        };
        let name: StrDeserializer<'_, Error> = (*first).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Full(self.0, self.2))
    }
}

#[test]
fn every_field_of_the_types_has_an_effect_or_a_notice() {
    let schema = schema();
    assert!(schema.len() > 100, "the types are walked");
    let (mut effective, mut noticed) = (0, 0);
    for (name, known) in TYPES {
        let Some(all) = schema.get(name) else {
            // Both kinds of pod affinity have the same fields.
            panic!("{name} is no type of the API");
        };
        for (field, treated) in *known {
            assert!(all.contains(field), "{name} has no field {field}");
            if let Treated::By(place) = treated {
                let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/").to_owned() + place;
                assert!(
                    std::path::Path::new(&source).exists(),
                    "{name}.{field}: there is no {place}"
                );
            }
            if let Treated::Fields(of) = treated {
                assert!(
                    TYPES.iter().any(|(name, _)| name == of),
                    "{name}.{field}: {of} is not listed"
                );
            }
        }
        for field in *all {
            match known
                .iter()
                .find(|(known, _)| known == field)
                .map(|(_, treated)| treated)
            {
                Some(Treated::By(_) | Treated::Fields(_)) => effective += 1,
                Some(Treated::Only([])) => {}
                Some(Treated::Only(_)) | None => {
                    let set = json!({ *field: "something" });
                    assert_eq!(
                        without_effect(name, &set).len(),
                        1,
                        "{name}.{field} is ignored in silence"
                    );
                    noticed += 1;
                }
            }
        }
    }
    println!("{effective} fields have an effect, {noticed} have a notice");
}

#[test]
fn a_pod_gets_the_claim_of_a_generic_ephemeral_volume() {
    let claim = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" },
        "spec": {
            "containers": [{ "name": "c", "image": "busybox" }],
            "volumes": [{ "name": "scratch", "ephemeral": { "volumeClaimTemplate": { "spec": claim } } }],
        },
    });
    let lines = seen(&[pod], 60);
    assert!(!lines.iter().any(|line| line.contains("not simulated")), "{lines:#?}");
    assert!(
        lines.iter().any(|line| line.contains(r#""phase":"Running""#)),
        "{lines:#?}"
    );
}

/// What an example is about, and what is done in it.
struct Example {
    field: String,
    base: String,
    pointer: String,
    value: Value,
    with: Map<String, Value>,
    seconds: u64,
}

fn examples() -> (Value, Vec<Example>) {
    let text = include_str!("notices_examples.yaml");
    let mut documents = peapod_yaml::read(text, peapod_yaml::Dialect::Core).expect("the examples are YAML");
    let all = documents.remove(0).to_json();
    let examples = all["examples"].as_array().expect("a list").iter().map(|row| Example {
        field: row[0].as_str().expect("Type.field").to_owned(),
        base: row[1].as_str().expect("a base").to_owned(),
        pointer: row[2].as_str().expect("a pointer").to_owned(),
        value: row[3].clone(),
        with: row[4].as_object().cloned().unwrap_or_default(),
        seconds: row[5].as_u64().unwrap_or(60),
    });
    let examples = examples.collect();
    (all["bases"].clone(), examples)
}

#[test]
fn every_field_that_is_listed_makes_a_difference_in_an_example() {
    let (bases, examples) = examples();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let parts: Vec<&[Example]> = examples.chunks(examples.len().div_ceil(threads)).collect();
    let (mut shown, mut silent) = (BTreeSet::new(), Vec::new());
    std::thread::scope(|scope| {
        let bases = &bases;
        let running: Vec<_> = parts
            .iter()
            .map(|part| scope.spawn(move || compared(bases, part)))
            .collect();
        for part in running {
            for (field, differs) in part.join().expect("a part of the examples") {
                if differs {
                    shown.insert(field);
                } else {
                    silent.push(field);
                }
            }
        }
    });
    let listed = TYPES.iter().flat_map(|(name, fields)| {
        let by = fields.iter().filter(|(_, treated)| matches!(treated, Treated::By(_)));
        by.map(move |(field, _)| format!("{name}.{field}"))
    });
    let unseen: Vec<String> = listed
        .filter(|field| !shown.contains(field) && !silent.contains(field))
        .collect();
    assert!(silent.is_empty(), "makes no difference: {}", silent.join(" "));
    assert!(unseen.is_empty(), "no example shows: {}", unseen.join(" "));
}

/// For each example its field, and whether setting it makes a difference.
fn compared(bases: &Value, examples: &[Example]) -> Vec<(String, bool)> {
    // Many examples begin with the same.
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut found = Vec::new();
    for example in examples {
        let mut without = bases[&example.base]
            .as_array()
            .expect("a base is a list of objects")
            .clone();
        for (pointer, value) in &example.with {
            set(&mut without, pointer, value);
        }
        let mut with = without.clone();
        set(&mut with, &example.pointer, &example.value);
        let name = format!("{} {without:?}", example.seconds);
        let before = known.entry(name).or_insert_with(|| seen(&without, example.seconds));
        found.push((example.field.clone(), *before != seen(&with, example.seconds)));
    }
    found
}

/// Sets the value at `0/spec/…`: the number of the object and the path in it, which is made if it is not there. `null` takes
/// away.
fn set(objects: &mut [Value], pointer: &str, value: &Value) {
    let (number, path) = pointer.split_once('/').expect("number/path");
    let mut at = &mut objects[number.parse::<usize>().expect("a number")];
    let steps: Vec<&str> = path.split('/').collect();
    for (index, step) in steps.iter().enumerate() {
        let last = index + 1 == steps.len();
        if let Ok(number) = step.parse::<usize>()
            && !at.is_object()
        {
            if !at.is_array() {
                *at = json!([]);
            }
            let items = at.as_array_mut().expect("a list");
            while items.len() <= number {
                items.push(Value::Null);
            }
            at = &mut items[number];
        } else {
            if !at.is_object() {
                *at = json!({});
            }
            let fields = at.as_object_mut().expect("an object");
            if last && value.is_null() {
                fields.remove(*step);
                return;
            }
            at = fields.entry((*step).to_owned()).or_insert(Value::Null);
        }
    }
    *at = value.clone();
}

/// All that can be seen of a cluster to which the objects were applied, the specs as they were written left out.
fn seen(objects: &[Value], seconds: u64) -> Vec<String> {
    let node = |number: usize, zone: &str, taint: bool| NodeConfig {
        name: format!("node-{number}"),
        labels: vec![
            ("zone".to_owned(), zone.to_owned()),
            ("topology.kubernetes.io/zone".to_owned(), zone.to_owned()),
            ("disk".to_owned(), format!("d{number}")),
        ],
        taints: taint
            .then(|| ("dedicated".to_owned(), "x".to_owned(), "NoSchedule".to_owned()))
            .into_iter()
            .collect(),
        ..NodeConfig::default()
    };
    let config = Config {
        nodes: vec![node(1, "a", false), node(2, "b", false), node(3, "c", true)],
        catalogue: Catalogue::builtin(),
        ..Config::default()
    };
    let mut cluster = Cluster::new(config).expect("a cluster");
    let mut lines = Vec::new();
    for object in objects {
        let after = object["after"].as_u64().unwrap_or(0);
        cluster.run_until(SimTime::ZERO + SimDuration::from_secs(after));
        let mut object = object.clone();
        let verb = match object["verb"].as_str() {
            Some("delete") => Verb::Delete,
            Some("patch") => Verb::Patch,
            _ => Verb::Create,
        };
        let fields = object.as_object_mut().expect("an object");
        fields.remove("after");
        fields.remove("verb");
        let subresource = fields
            .remove("subresource")
            .and_then(|name| name.as_str().map(str::to_owned));
        let evicts = fields.get("kind").is_some_and(|kind| kind == "Eviction");
        let kind = if evicts {
            "Pod"
        } else {
            object["kind"].as_str().unwrap_or_default()
        };
        let kind = Kind::named(kind).expect("a kind");
        let (group, version) = match object["apiVersion"]
            .as_str()
            .filter(|_| !evicts)
            .unwrap_or("v1")
            .split_once('/')
        {
            Some((group, version)) => (group.to_owned(), version.to_owned()),
            None => (String::new(), "v1".to_owned()),
        };
        let request = Request {
            verb,
            group,
            version,
            resource: kind.resource().plural.to_owned(),
            namespace: if kind.resource().namespaced {
                "default".to_owned()
            } else {
                String::new()
            },
            name: match verb {
                Verb::Create if !evicts => String::new(),
                _ => object["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            },
            subresource: if evicts {
                "eviction".to_owned()
            } else {
                subresource.unwrap_or_default()
            },
            body: (verb != Verb::Delete).then(|| object.clone()),
            patch: (verb == Verb::Patch).then_some(crate::request::PatchKind::Merge),
            query: Vec::new(),
        };
        match cluster.request(&request) {
            Ok(answer) => lines.push(format!("created {}", answer["kind"])),
            Err(status) => lines.push(format!("refused {}", status.message)),
        }
    }
    cluster.run_until(SimTime::ZERO + SimDuration::from_secs(seconds));
    lines.extend(
        cluster
            .logs()
            .iter()
            .map(|line| format!("{} {} {}", line.at.0, line.container, line.text)),
    );
    for record in cluster.records() {
        if !matches!(record.what, What::Write { .. } | What::Command { .. }) {
            lines.push(format!("{} {:?} {:?}", record.at.0, record.container, record.what));
        }
    }
    for write in cluster.writes() {
        let object = write.stored.json();
        // The pods of a template repeat what it says; what a component has written stands in their status.
        let mut status = object["status"].clone();
        for list in ["containerStatuses", "initContainerStatuses"] {
            for container in status[list].as_array_mut().into_iter().flatten() {
                container
                    .as_object_mut()
                    .map(|container| container.remove("volumeMounts"));
            }
        }
        lines.push(format!(
            "{} {:?} {} {} {} {status}",
            write.at.0, write.change, object["kind"], object["metadata"]["name"], object["spec"]["nodeName"],
        ));
        if object["metadata"]["ownerReferences"].is_array() {
            lines.push(format!(
                "{} {}",
                object["metadata"]["labels"], object["metadata"]["annotations"]
            ));
        }
        if ["Endpoints", "EndpointSlice"].contains(&object["kind"].as_str().unwrap_or_default()) {
            lines.push(format!(
                "{} {} {} {}",
                object["endpoints"], object["subsets"], object["ports"], object["metadata"]["labels"]
            ));
        }
    }
    lines.extend(cluster.notices());
    lines
}
