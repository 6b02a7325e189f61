//! Images on a node (`pkg/kubelet/images/image_manager.go`): which are there, pulls one after another, back-off after failures,
//! and the words for all of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::backoff::Backoff;
use super::event::NodeEvent;
use super::image_decision::{Answer, Asked, Login, ensure_image_exists, logins, pull_failure, pulled};
use super::node::Kubelet;
use super::worker::{Group, Step, Wait, Worker};
use crate::latency;
use crate::objects::{Key, Kind, Object};
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
    active: Vec<(u64, Pull, Outcome)>,
    next_id: u64,
    /// Who may use an image that was pulled here: the secrets with which it was pulled, or everybody.
    access: BTreeMap<String, Access>,
    /// Pulls that may begin at once, in thousandths of a millionth, and when that was so.
    tokens: Option<(u64, SimTime)>,
}

#[derive(Clone, Debug)]
struct Pull {
    uid: Arc<str>,
    /// As the spec names it.
    image: String,
    reference: Reference,
    asked: SimTime,
    began: SimTime,
    logins: Vec<Login>,
}

/// Who may use a pulled image without showing credentials.
#[derive(Clone, Debug, Default)]
struct Access {
    everybody: bool,
    secrets: BTreeSet<String>,
}

#[derive(Clone, Debug)]
enum Outcome {
    Pulled { size: u64, secret: Option<String> },
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
            active: Vec::new(),
            next_id: 0,
            access: BTreeMap::new(),
            tokens: None,
        }
    }

    /// After a restart of the kubelet its back-off is forgotten; the images are still there.
    pub(super) fn forget(&mut self) {
        self.backoff.clear();
        self.errors.clear();
        self.queue.clear();
        self.active.clear();
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
        self.access.retain(|name, _| !gone.contains(name));
        gone
    }

    /// Whether a pod with these logins may use what is on the node: what the kubelet did not pull itself is for everybody
    /// (`NeverVerifyPreloadedImages`).
    fn may_use(&self, reference: &Reference, logins: &[Login]) -> bool {
        self.access.get(&full_name(reference)).is_none_or(|access| {
            let shown = |login: &Login| access.secrets.contains(&login.secret);
            access.everybody || logins.iter().any(shown)
        })
    }

    /// Whether another pull may begin now (`throttledImageService`): `qps` a second, `burst` at once.
    fn may_begin(&mut self, qps: u64, burst: u64, now: SimTime) -> bool {
        const ONE: u64 = 1_000_000_000;
        if qps == 0 {
            return true;
        }
        let full = burst.saturating_mul(ONE);
        let (tokens, since) = self.tokens.unwrap_or((full, now));
        let tokens = tokens.saturating_add(now.since(since).0.saturating_mul(qps)).min(full);
        let enough = tokens >= ONE;
        self.tokens = Some((if enough { tokens - ONE } else { tokens }, now));
        enough
    }

    /// What a status shows as `imageID`: where an image was pulled from and its digest there, and of one that came with the
    /// node its digest alone (containerd knows no repository of an imported image).
    pub(super) fn image_id(&self, reference: &Reference) -> String {
        if !self.pulled.contains(&full_name(reference)) {
            return digest(reference);
        }
        let pulled = reference.digest.clone().unwrap_or_else(|| digest(reference));
        format!("{}@{pulled}", reference.repository)
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

/// The secret that opens a private repository for a pull; empty where none is asked for.
fn login_of(repository: &Repository, pull: &Pull) -> Option<String> {
    if !repository.private {
        return Some(String::new());
    }
    let fits = |login: &&Login| {
        let right = repository.login.is_empty() || repository.login == login.login;
        login.fits(&pull.reference.repository) && right
    };
    pull.logins.iter().find(fits).map(|login| login.secret.clone())
}

/// What containerd says when a registry does not give an image: to somebody without a login, or with one that is not valid.
fn denied(repository: &str, shown: bool) -> String {
    let host = repository.split('/').next().unwrap_or_default();
    match (shown, host) {
        (false, "docker.io") => "pull access denied, repository does not exist or may require authorization: server \
                                 message: insufficient_scope: authorization failed"
            .to_owned(),
        (false, _) => {
            "pull access denied, repository does not exist or may require authorization: authorization failed: \
                       no basic auth credentials"
                .to_owned()
        }
        (true, host) => {
            let host = if host == "docker.io" { "auth.docker.io" } else { host };
            format!(
                "failed to authorize: failed to fetch oauth token: unexpected status from GET request to \
                 https://{host}/token: 401 Unauthorized"
            )
        }
    }
}

/// The logins of a pod's `imagePullSecrets`, and the names of those secrets that are not there (`getPullSecretsForPod`).
fn pull_secrets(w: &World, worker: &Worker) -> (Vec<Login>, Vec<String>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for reference in worker.spec().image_pull_secrets.iter().flatten() {
        // An entry without a name is passed over.
        if reference.name.is_empty() {
            continue;
        }
        let key = Key::new(Kind::Secret, &worker.key.namespace, &reference.name);
        match w.get(&key).map(|stored| &stored.object) {
            Some(Object::Secret(secret)) => {
                let uid = secret.metadata.uid.as_deref().unwrap_or_default();
                let names = [".dockerconfigjson", ".dockercfg"];
                let contents = names.iter().filter_map(|name| secret.data.as_ref()?.get(*name));
                found.extend(contents.flat_map(|content| logins(uid, &content.0)));
            }
            _ => missing.push(reference.name.clone()),
        }
    }
    (found, missing)
}

/// A digest that is the same for the same image on every machine.
fn digest(reference: &Reference) -> String {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in full_name(reference).bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut rng = crate::rng::Rng::new(state);
    format!("sha256:{}", rng.hex(64))
}

impl Kubelet {
    /// Says which of the pod's `imagePullSecrets` are missing; each sync says it.
    pub(super) fn note_missing_pull_secrets(&self, w: &mut World, worker: &Worker) {
        let (_, missing) = pull_secrets(w, worker);
        if !missing.is_empty() {
            let names = missing.join(", ");
            let message = format!(
                "Unable to retrieve some image pull secrets ({names}); attempting to pull the image may not succeed."
            );
            let reason = "FailedToRetrieveImagePullSecret";
            self.pod_event(w, worker, String::new(), "Warning", reason, message);
        }
    }

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
        let verified = w.version.enabled(Gate::KubeletEnsureSecretPulledImages);
        let (logins, _) = pull_secrets(w, worker);
        let parsed = Reference::parse(&image).ok();
        let present = parsed
            .as_ref()
            .is_some_and(|reference| self.puller.has(&w.catalogue, reference));
        let may_use = !verified
            || parsed
                .as_ref()
                .is_none_or(|reference| self.puller.may_use(reference, &logins));
        let answer = ensure_image_exists(Asked {
            image: &image,
            policy: container.image_pull_policy.as_deref().unwrap_or("IfNotPresent"),
            present,
            inspect_error: "",
            may_use,
            verified,
        });
        let reference = match answer {
            Answer::Present(message) => {
                self.pod_event(w, worker, field, "Normal", "Pulled", message);
                Self::first(worker, [Step::CreateContainer { group, index }]);
                return;
            }
            Answer::Refused(event, reason, message) => {
                self.pod_event(w, worker, field, "Warning", event, message.clone());
                fail(self, w, worker, reason, message);
                return;
            }
            Answer::Pull(reference) => reference,
        };
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
            logins,
        };
        self.puller.queue.push_back(pull);
        self.next_pull(w);
    }

    /// Begins the pulls whose turn it is: one at a time, unless the kubelet is told otherwise.
    fn next_pull(&mut self, w: &mut World) {
        while self.puller.active.len() < w.kubelet.parallel_pulls {
            let Some(pull) = self.puller.queue.pop_front() else {
                return;
            };
            self.begin_pull(w, pull);
        }
    }

    fn begin_pull(&mut self, w: &mut World, mut pull: Pull) {
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
        let (qps, burst) = (w.kubelet.pull_qps, w.kubelet.pull_burst);
        let (outcome, span) = if !self.puller.may_begin(qps, burst, w.now) {
            let error = "pull QPS exceeded".to_owned();
            (Outcome::Failed { error }, SimDuration::ZERO)
        } else if w.registry_is_down(&pull.reference.repository) {
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
                Some((repository, _)) if repository.private && login_of(&repository, &pull).is_none() => {
                    let shown = pull.logins.iter().any(|login| login.fits(&pull.reference.repository));
                    refused(w, "Unknown", denied(&pull.reference.repository, shown))
                }
                Some((repository, _)) => {
                    let secret = login_of(&repository, &pull).filter(|_| repository.private);
                    let resolve = w.latency(latency::PULL_RESOLVE);
                    let span = if self.puller.has(&w.catalogue, &pull.reference) {
                        resolve
                    } else {
                        resolve + repository.pull
                    };
                    let size = repository.size;
                    (Outcome::Pulled { size, secret }, span)
                }
            }
        };
        self.puller.next_id += 1;
        let id = self.puller.next_id;
        self.puller.active.push((id, pull, outcome));
        self.plan_node(w, w.now + span, NodeEvent::Pulled { id });
    }

    /// A pull that was under way has ended.
    pub(super) fn pulled(&mut self, w: &mut World, id: u64) {
        let Some(at) = self.puller.active.iter().position(|(known, ..)| *known == id) else {
            return;
        };
        let (_, pull, outcome) = self.puller.active.remove(at);
        let key = format!("{}_{}", pull.uid, pull.image);
        let result = match &outcome {
            Outcome::Pulled { size, secret } => {
                let name = full_name(&pull.reference);
                let access = self.puller.access.entry(name.clone()).or_default();
                match secret {
                    Some(secret) => drop(access.secrets.insert(secret.clone())),
                    None => access.everybody = true,
                }
                if !self.puller.removed.remove(&name) {
                    self.puller.pulled.insert(name);
                }
                self.images_changed(w);
                let (took, waited) = (w.now.since(pull.began), w.now.since(pull.asked));
                let size = w.version.has(Change::PulledEventWithSize).then_some(*size);
                Ok(pulled(&pull.image, took, waited, size))
            }
            Outcome::Failed { error } => {
                let now = w.now;
                self.puller.backoff.next(&key, now, now);
                let (reason, message) = pull_failure(&pull.image, error);
                self.puller.errors.insert(key, format!("{reason}: {message}"));
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
                let (reason, message) = pull_failure(image, &error);
                self.pod_event(w, worker, field, "Warning", "Failed", format!("Error: {reason}"));
                Self::first(
                    worker,
                    [Step::FailStart {
                        group,
                        index,
                        reason,
                        message,
                    }],
                );
            }
        }
        self.advance(w, worker);
    }
}
