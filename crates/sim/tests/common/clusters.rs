//! A cluster as tests drive it.

use peapod_sim::cluster::{Cluster, Config};
use peapod_sim::objects::Kind;
use peapod_sim::request::{Request, Verb};
use peapod_sim::runtime::catalogue::Catalogue;
use peapod_sim::time::SimTime;
use serde_json::Value;

/// A configuration with these settings, and the images of the recorded traces.
pub fn with_settings(settings: &[(&str, &str)]) -> Config {
    let settings = settings.iter();
    Config {
        catalogue: Catalogue::recording(),
        settings: settings
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        ..Config::default()
    }
}

/// Lets time pass until so many seconds after the cluster's start.
pub fn until(cluster: &mut Cluster, seconds: u64) {
    cluster.run_until(SimTime(seconds * 1_000_000_000));
}

/// A request about an object, in the namespace `default` where its kind has namespaces.
pub fn about(kind: Kind, verb: Verb, name: &str, body: Option<Value>) -> Request {
    let resource = kind.resource();
    Request {
        verb,
        group: resource.group.to_owned(),
        version: resource.version.to_owned(),
        resource: resource.plural.to_owned(),
        namespace: if resource.namespaced { "default" } else { "" }.to_owned(),
        name: name.to_owned(),
        subresource: String::new(),
        body,
        patch: None,
        query: Vec::new(),
    }
}

/// Creates an object in the namespace `default`; what the server answers.
pub fn create(cluster: &mut Cluster, object: Value) -> Value {
    let kind = object["kind"].as_str().and_then(Kind::named).expect("a kind");
    let request = about(kind, Verb::Create, "", Some(object));
    cluster.request(&request).expect("the request is fine")
}
