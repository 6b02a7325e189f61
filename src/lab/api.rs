//! A cluster as `kubectl` sees it.

use jiff::Timestamp;
use peapod_kubectl::{Api, LogRequest, Request, Status, Verb};
use peapod_sim::cluster::Cluster;
use serde_json::Value;

pub struct ClusterApi<'a>(pub &'a mut Cluster);

impl Api for ClusterApi<'_> {
    fn request(&mut self, request: &Request) -> Result<Value, Status> {
        use peapod_sim::request as sim;
        let request = sim::Request {
            verb: match request.verb {
                Verb::Get => sim::Verb::Get,
                Verb::List => sim::Verb::List,
                Verb::Create => sim::Verb::Create,
                Verb::Update => sim::Verb::Update,
                Verb::Patch => sim::Verb::Patch,
                Verb::Delete => sim::Verb::Delete,
                Verb::DeleteCollection => sim::Verb::DeleteCollection,
            },
            group: request.group.clone(),
            version: request.version.clone(),
            resource: request.resource.clone(),
            namespace: request.namespace.clone(),
            name: request.name.clone(),
            subresource: request.subresource.clone(),
            body: request.body.clone(),
            patch: None,
            query: request.query.clone(),
        };
        self.0.request(&request).map_err(|status| Status {
            code: status.code,
            reason: status.reason,
            message: status.message,
            details: status.details,
        })
    }

    fn now(&self) -> Timestamp {
        self.0.wall_now()
    }

    fn logs(&mut self, _request: &LogRequest) -> Result<String, Status> {
        Ok(String::new())
    }
}
