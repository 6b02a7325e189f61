//! Images on a node (`pkg/kubelet/images/image_manager.go`): which are there, pulls one after another, back-off after failures,
//! and the words for all of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::backoff::Backoff;
use super::event::NodeEvent;
use super::node::Kubelet;
use super::worker::{Group, Step, Wait, Worker};
use crate::cluster::Event;
use crate::latency;
use crate::runtime::catalogue::{Catalogue, Lookup, Reference, Repository};
use crate::time::{SimDuration, SimTime};
use crate::trace::{RuntimeEvent, What};
use crate::version::{Change, Gate};
use crate::world::World;

/// A node's images and its queue of pulls.
#[derive(Clone, Debug)]
pub(crate) struct Puller {
    backoff: Backoff,
    errors: BTreeMap<String, String>,
    /// Images that were pulled here, in full form.
    pulled: BTreeSet<String>,
    /// Images that were on the node from the start and were removed.
    removed: BTreeSet<String>,
    queue: VecDeque<Pull>,
    active: Option<(Pull, Outcome)>,
}

#[derive(Clone, Debug)]
struct Pull {
    uid: Arc<str>,
    /// As the spec names it.
    image: String,
    reference: Reference,
    asked: SimTime,
    began: SimTime,
}

#[derive(Clone, Debug)]
enum Outcome {
    Pulled { size: u64 },
    Failed { error: String },
}

impl Puller {
    pub(crate) fn new(initial: SimDuration, max: SimDuration) -> Self {
        Self {
            backoff: Backoff::new(initial, max),
            errors: BTreeMap::new(),
            pulled: BTreeSet::new(),
            removed: BTreeSet::new(),
            queue: VecDeque::new(),
            active: None,
        }
    }

    /// After a restart of the kubelet its back-off is forgotten; the images are still there.
    pub(super) fn forget(&mut self) {
        self.backoff.clear();
        self.errors.clear();
        self.queue.clear();
        self.active = None;
    }

    /// Bytes of the images that were pulled here.
    pub(super) fn bytes(&self, catalogue: &Catalogue) -> u64 {
        self.pulled.iter().map(|name| size_of(catalogue, name)).sum()
    }

    /// Bytes of the images that were here from the start and are no longer.
    pub(super) fn freed(&self, catalogue: &Catalogue) -> u64 {
        self.removed.iter().map(|name| size_of(catalogue, name)).sum()
    }

    /// Removes all images but those that are in use (`DeleteUnusedImages`); gives their names.
    pub(super) fn remove_unused(&mut self, catalogue: &Catalogue, used: &[String]) -> Vec<String> {
        let is_unused = |name: &String| !used.contains(name);
        let mut gone: Vec<String> = self.pulled.iter().filter(|name| is_unused(name)).cloned().collect();
        self.pulled.retain(|name| !is_unused(name));
        let present = catalogue
            .repositories
            .iter()
            .filter(|(_, repository)| repository.present);
        let tags =
            present.flat_map(|(name, repository)| repository.tags.iter().map(move |tag| format!("{name}:{tag}")));
        let here: Vec<String> = tags
            .filter(|name| is_unused(name) && !self.removed.contains(name))
            .collect();
        self.removed.extend(here.iter().cloned());
        gone.extend(here);
        gone
    }

    fn has(&self, catalogue: &Catalogue, reference: &Reference) -> bool {
        if self.removed.contains(&full_name(reference)) {
            return false;
        }
        if self.pulled.contains(&full_name(reference)) {
            return true;
        }
        match catalogue.lookup(reference) {
            Lookup::Image(repository) => repository.present,
            Lookup::NotFound | Lookup::Assumed(_) => false,
        }
    }
}

/// Bytes of an image by its full name.
fn size_of(catalogue: &Catalogue, name: &str) -> u64 {
    let found = Reference::parse(name)
        .ok()
        .map(|reference| catalogue.lookup(&reference));
    match found {
        Some(Lookup::Image(repository) | Lookup::Assumed(repository)) => repository.size,
        _ => 0,
    }
}

/// `docker.io/library/busybox:1.36`
pub(super) fn full_name(reference: &Reference) -> String {
    match (&reference.tag, &reference.digest) {
        (_, Some(digest)) => format!("{}@{digest}", reference.repository),
        (Some(tag), None) => format!("{}:{tag}", reference.repository),
        (None, None) => format!("{}:latest", reference.repository),
    }
}

/// What a container image is, once it is on the node.
pub(super) fn image_of(w: &World, reference: &Reference) -> Option<(Arc<Repository>, bool)> {
    match w.catalogue.lookup(reference) {
        Lookup::Image(repository) => Some((repository, false)),
        Lookup::Assumed(repository) => Some((repository, true)),
        Lookup::NotFound => None,
    }
}

/// A digest that is the same for the same image on every machine.
pub(super) fn image_id(reference: &Reference) -> String {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in full_name(reference).bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut rng = crate::rng::Rng::new(state);
    format!("sha256:{}", rng.hex(64))
}

impl Kubelet {
    /// Makes sure that a container's image is there (`EnsureImageExists`); the sync goes on with the container's creation, waits
    /// for a pull, or reports the failure.
    pub(super) fn ensure_image(&mut self, w: &mut World, worker: &mut Worker, group: Group, index: usize) {
        let Some(container) = worker.container(group, index) else {
            return;
        };
        let image = container.image.clone().unwrap_or_default();
        let field = worker.field_path(group, &container.name);
        let fail = |kubelet: &mut Self, w: &mut World, worker: &mut Worker, reason: &'static str, message: String| {
            let field = worker.field_path(group, &container.name);
            kubelet.pod_event(w, worker, field, "Warning", "Failed", format!("Error: {reason}"));
            Self::first(
                worker,
                [Step::FailStart {
                    group,
                    index,
                    reason,
                    message,
                }],
            );
        };
        let reference = match Reference::parse(&image) {
            Ok(reference) => reference,
            Err(error) => {
                let message = format!(
                    "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": {error}"
                );
                self.pod_event(w, worker, field, "Warning", "InspectFailed", message.clone());
                fail(self, w, worker, "InvalidImageName", message);
                return;
            }
        };
        let policy = container.image_pull_policy.as_deref().unwrap_or("IfNotPresent");
        if policy != "Always" && self.puller.has(&w.catalogue, &reference) {
            let mut message = format!("Container image \"{image}\" already present on machine");
            if w.version.enabled(Gate::KubeletEnsureSecretPulledImages) {
                message += " and can be accessed by the pod";
            }
            self.pod_event(w, worker, field, "Normal", "Pulled", message);
            Self::first(worker, [Step::CreateContainer { group, index }]);
            return;
        }
        if policy == "Never" {
            let message = format!("Container image \"{image}\" is not present with pull policy of Never");
            self.pod_event(w, worker, field, "Warning", "ErrImageNeverPull", message.clone());
            fail(self, w, worker, "ErrImageNeverPull", message);
            return;
        }
        let key = format!("{}_{image}", worker.uid);
        if self.puller.backoff.is_in_backoff_since_update(&key, w.now) {
            let mut message = format!("Back-off pulling image \"{image}\"");
            self.pod_event(w, worker, field, "Normal", "BackOff", message.clone());
            if let Some(error) = self.puller.errors.get(&key) {
                message = format!("{message}: {error}");
            }
            let wait = self.puller.backoff.get(&key).to_string();
            let rule = "pkg/kubelet/images/image_manager.go pullImage";
            w.decide(
                worker.reference(),
                Some(&container.name),
                rule,
                "image.backoff",
                &[("wait", &wait)],
            );
            fail(self, w, worker, "ImagePullBackOff", message);
            return;
        }
        self.puller.errors.remove(&key);
        self.pod_event(
            w,
            worker,
            field,
            "Normal",
            "Pulling",
            format!("Pulling image \"{image}\""),
        );
        if let Some(sync) = &mut worker.sync {
            sync.wait = Wait::Pull;
            sync.steps.push_front(Step::Pulled { group, index });
        }
        let pull = Pull {
            uid: Arc::clone(&worker.uid),
            image,
            reference,
            asked: w.now,
            began: w.now,
        };
        self.puller.queue.push_back(pull);
        self.next_pull(w);
    }

    /// Begins the next pull, if none is under way: the kubelet pulls one image at a time.
    fn next_pull(&mut self, w: &mut World) {
        if self.puller.active.is_some() {
            return;
        }
        let Some(mut pull) = self.puller.queue.pop_front() else {
            return;
        };
        pull.began = w.now;
        let image = pull.image.clone();
        w.record(
            None,
            None,
            What::Runtime {
                event: RuntimeEvent::ImagePullStarted { image },
            },
        );
        let name = full_name(&pull.reference);
        let refused = |w: &mut World, code: &str, cause: String| {
            let error = format!(
                "rpc error: code = {code} desc = failed to pull and unpack image \"{name}\": failed to resolve reference \
                 \"{name}\": {cause}"
            );
            (Outcome::Failed { error }, w.latency(latency::PULL_FAILURE))
        };
        let (outcome, span) = if w.registry_is_down(&pull.reference.repository) {
            let host = pull
                .reference
                .repository
                .split('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            let host = if host == "docker.io" {
                "registry-1.docker.io".to_owned()
            } else {
                host
            };
            let tag = pull.reference.tag.clone().unwrap_or_else(|| "latest".to_owned());
            let path = pull
                .reference
                .repository
                .split_once('/')
                .map_or("", |(_, path)| path)
                .to_owned();
            let cause = format!(
                "failed to do request: Head \"https://{host}/v2/{path}/manifests/{tag}\": dial tcp: lookup {host}: i/o timeout"
            );
            refused(w, "Unknown", cause)
        } else {
            match image_of(w, &pull.reference) {
                None => refused(w, "NotFound", format!("{name}: not found")),
                Some((repository, _)) => {
                    let resolve = w.latency(latency::PULL_RESOLVE);
                    let span = if self.puller.has(&w.catalogue, &pull.reference) {
                        resolve
                    } else {
                        resolve + repository.pull
                    };
                    (Outcome::Pulled { size: repository.size }, span)
                }
            }
        };
        self.puller.active = Some((pull, outcome));
        let causes = w.causes.clone();
        w.after(
            span,
            Event::Node {
                node: self.node,
                event: NodeEvent::Pulled,
                causes,
            },
        );
    }

    /// The pull that was under way has ended.
    pub(super) fn pulled(&mut self, w: &mut World) {
        let Some((pull, outcome)) = self.puller.active.take() else {
            return;
        };
        let key = format!("{}_{}", pull.uid, pull.image);
        let result = match &outcome {
            Outcome::Pulled { size } => {
                let name = full_name(&pull.reference);
                if !self.puller.removed.remove(&name) {
                    self.puller.pulled.insert(name);
                }
                self.images_changed(w);
                let millis = |span: SimDuration| SimDuration(span.0 / 1_000_000 * 1_000_000);
                let mut message = format!(
                    "Successfully pulled image \"{}\" in {} ({} including waiting)",
                    pull.image,
                    millis(w.now.since(pull.began)),
                    millis(w.now.since(pull.asked)),
                );
                if w.version.has(Change::PulledEventWithSize) {
                    message += &format!(". Image size: {size} bytes.");
                }
                Ok(message)
            }
            Outcome::Failed { error } => {
                let now = w.now;
                self.puller.backoff.next(&key, now, now);
                self.puller.errors.insert(key, format!("ErrImagePull: {error}"));
                Err(error.clone())
            }
        };
        let event = RuntimeEvent::ImagePullEnded {
            image: pull.image.clone(),
            error: result.clone().err(),
        };
        let record = w.record(None, None, What::Runtime { event });
        w.causes = vec![record];
        let image = pull.image;
        self.with_pod(w, &pull.uid, |kubelet, w, worker| {
            kubelet.image_pulled(w, worker, &image, result)
        });
        self.next_pull(w);
    }

    fn image_pulled(&mut self, w: &mut World, worker: &mut Worker, image: &str, result: Result<String, String>) {
        let Some(sync) = &mut worker.sync else { return };
        if sync.wait != Wait::Pull {
            return;
        }
        let Some(Step::Pulled { group, index }) = sync.steps.pop_front() else {
            return;
        };
        sync.wait = Wait::Ready;
        let Some(container) = worker.container(group, index) else {
            return;
        };
        let field = worker.field_path(group, &container.name);
        match result {
            Ok(message) => {
                self.pod_event(w, worker, field, "Normal", "Pulled", message);
                Self::first(worker, [Step::CreateContainer { group, index }]);
            }
            Err(error) => {
                let message = format!("Failed to pull image \"{image}\": {error}");
                self.pod_event(w, worker, field.clone(), "Warning", "Failed", message);
                self.pod_event(w, worker, field, "Warning", "Failed", "Error: ErrImagePull".to_owned());
                Self::first(
                    worker,
                    [Step::FailStart {
                        group,
                        index,
                        reason: "ErrImagePull",
                        message: error,
                    }],
                );
            }
        }
        self.advance(w, worker);
    }
}
