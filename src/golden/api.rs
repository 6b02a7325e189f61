//! `kubectl` over a simulated cluster, for the length of one case.

use jiff::Timestamp;
use peapod_kubectl as kubectl;
use peapod_sim::cluster::Cluster;
use peapod_sim::request;
use serde_json::Value;

/// A cluster as `kubectl` sees it.
pub struct Client<'a>(pub &'a mut Cluster);

fn refusal(status: request::Status) -> kubectl::Status {
    kubectl::Status {
        code: status.code,
        reason: status.reason,
        message: status.message,
        details: status.details,
    }
}

impl kubectl::Api for Client<'_> {
    fn request(&mut self, asked: &kubectl::Request) -> Result<Value, kubectl::Status> {
        let verb = match asked.verb {
            kubectl::Verb::Get => request::Verb::Get,
            kubectl::Verb::List => request::Verb::List,
            kubectl::Verb::Create => request::Verb::Create,
            kubectl::Verb::Update => request::Verb::Update,
            kubectl::Verb::Patch => request::Verb::Patch,
            kubectl::Verb::Delete => request::Verb::Delete,
            kubectl::Verb::DeleteCollection => request::Verb::DeleteCollection,
        };
        let patch = asked.patch.map(|kind| match kind {
            kubectl::PatchKind::Json => request::PatchKind::Json,
            kubectl::PatchKind::Merge => request::PatchKind::Merge,
            kubectl::PatchKind::Strategic => request::PatchKind::Strategic,
            kubectl::PatchKind::Apply => request::PatchKind::Apply,
        });
        let request = request::Request {
            verb,
            group: asked.group.clone(),
            version: asked.version.clone(),
            resource: asked.resource.clone(),
            namespace: asked.namespace.clone(),
            name: asked.name.clone(),
            subresource: asked.subresource.clone(),
            body: asked.body.clone(),
            patch,
            query: asked.query.clone(),
        };
        self.0.request(&request).map_err(refusal)
    }

    fn now(&self) -> Timestamp {
        self.0.wall_now()
    }

    fn logs(&mut self, _request: &kubectl::LogRequest) -> Result<String, kubectl::Status> {
        Ok(String::new())
    }
}
