//! The directory of static pods (`staticPodPath`, `pkg/kubelet/config/file.go`): the kubelet hears of a file at once by inotify
//! and reads the whole directory every twenty seconds, and what it finds are its pods, whether there is an API server or
//! not (`pkg/kubelet/config/config.go podStorage.merge`).

use crate::core;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::event::NodeEvent;
use super::node::{Kubelet, after};
use super::static_pods::{self, HASH, Origin, SEEN, SOURCE};
use super::worker::{PodVersion, Work, Worker};
use crate::latency;
use crate::objects::{Key, Kind, Object};
use crate::time::SimDuration;
use crate::trace::RecordId;
use crate::world::World;

/// Where the files lie on every node.
pub const STATIC_POD_PATH: &str = "/etc/kubernetes/manifests";
/// How often the whole directory is read (`fileCheckFrequency`).
const SCAN: SimDuration = SimDuration::from_secs(20);

/// What the kubelet knows of the directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileSource {
    /// The files as they lie there, by name.
    files: BTreeMap<String, String>,
    /// Which pod each file was when it was read last (`fileKeyMapping`).
    keys: BTreeMap<String, Key>,
    /// What the source says that there is.
    pods: BTreeMap<Key, core::Pod>,
    /// The pods that the kubelet has from it, by uid.
    current: BTreeMap<Arc<str>, Key>,
    /// Manifests that were refused, so that each is complained about once.
    refused: BTreeSet<(String, String)>,
    scan_planned: bool,
}

impl FileSource {
    /// The uid of the pod of that full name.
    pub(super) fn uid_of(&self, key: &Key) -> Option<&Arc<str>> {
        self.current.iter().find(|(_, known)| *known == key).map(|(uid, _)| uid)
    }

    fn by_uid(&self) -> impl Iterator<Item = (Arc<str>, core::Pod)> {
        let pods = self.pods.values();
        pods.map(|pod| (pod.metadata.uid.as_deref().unwrap_or_default().into(), pod.clone()))
    }

    /// What a kubelet forgets when its process ends.
    pub(super) fn forget(&mut self) {
        let files = std::mem::take(&mut self.files);
        *self = Self {
            files,
            ..Self::default()
        };
    }
}

impl Kubelet {
    /// A file is written into the directory.
    pub(crate) fn write_manifest(&mut self, w: &mut World, file: &str, text: &str) {
        self.static_files.files.insert(file.to_owned(), text.to_owned());
        self.files
            .write(&format!("{STATIC_POD_PATH}/{file}"), text.as_bytes(), 0o600);
        self.plan_file_event(w, file);
    }

    /// A file is removed from the directory.
    ///
    /// # Errors
    /// When there is no such file.
    pub(crate) fn remove_manifest(&mut self, w: &mut World, file: &str) -> Result<(), String> {
        if self.static_files.files.remove(file).is_none() {
            return Err(format!("node {} has no file {STATIC_POD_PATH}/{file}", self.name));
        }
        self.files.remove(&format!("{STATIC_POD_PATH}/{file}"));
        self.plan_file_event(w, file);
        Ok(())
    }

    fn plan_file_event(&self, w: &mut World, file: &str) {
        let file = file.to_owned();
        self.plan_node(w, w.now + latency::INOTIFY, NodeEvent::StaticFile { file });
    }

    /// A file has changed (`consumeWatchEvent`). A manifest that cannot be read leaves everything as it was until the next scan.
    pub(super) fn static_file(&mut self, w: &mut World, file: &str) {
        if file.starts_with('.') {
            return;
        }
        if let Some(text) = self.static_files.files.get(file).cloned() {
            let Some(pod) = self.read_manifest(w, file, &text) else {
                self.plan_scan(w);
                return;
            };
            let key = key_of(&pod);
            self.static_files.keys.insert(file.to_owned(), key.clone());
            self.static_files.pods.insert(key, pod);
        } else {
            let Some(key) = self.static_files.keys.remove(file) else {
                return;
            };
            self.static_files.pods.remove(&key);
        }
        self.merge_static(w);
        self.plan_scan(w);
    }

    /// The whole directory is read (`listConfig`): what is not in it is no more.
    pub(super) fn static_scan(&mut self, w: &mut World) {
        self.static_files.scan_planned = false;
        self.read_directory(w);
        self.merge_static(w);
    }

    fn read_directory(&mut self, w: &mut World) {
        let files = self.static_files.files.clone();
        let mut pods = BTreeMap::new();
        for (file, text) in files.iter().filter(|(file, _)| !file.starts_with('.')) {
            if let Some(pod) = self.read_manifest(w, file, text) {
                let key = key_of(&pod);
                self.static_files.keys.insert(file.clone(), key.clone());
                pods.insert(key, pod);
            }
        }
        self.static_files.pods = pods;
    }

    /// A scan is planned only when it may find something else than what is known.
    fn plan_scan(&mut self, w: &mut World) {
        let source = &self.static_files;
        let shown: BTreeSet<&Key> = source.files.keys().filter_map(|file| source.keys.get(file)).collect();
        let known: BTreeSet<&Key> = source.pods.keys().collect();
        let readable = source.files.keys().filter(|file| !file.starts_with('.'));
        let unread = readable.into_iter().any(|file| {
            let text = source.files.get(file).cloned().unwrap_or_default();
            source.refused.contains(&(file.clone(), text)) && source.keys.contains_key(file)
        });
        if source.scan_planned || shown == known && !unread {
            return;
        }
        self.static_files.scan_planned = true;
        let phase = SimDuration(self.tick_phase.0.wrapping_mul(7) % SCAN.0);
        let at = after(phase, SCAN, w.now);
        self.plan_node(w, at, NodeEvent::StaticScan);
    }

    /// The pod of a file; why there is none is a decision of its own, for the real kubelet says it in its log only.
    fn read_manifest(&mut self, w: &mut World, file: &str, text: &str) -> Option<core::Pod> {
        let path = format!("{STATIC_POD_PATH}/{file}");
        let origin = Origin {
            source: &path,
            is_file: true,
            node: &self.name,
            version: w.version,
        };
        match static_pods::decode(text, origin) {
            Ok(pod) => Some(pod),
            Err(why) => {
                if self.static_files.refused.insert((file.to_owned(), text.to_owned())) {
                    let node = Key::new(Kind::Node, "", &self.name);
                    let about = w.get(&node).map(|stored| Arc::clone(&stored.reference));
                    if let Some(about) = about {
                        let rule = "pkg/kubelet/config/common.go tryDecodeSinglePod";
                        let values = [("file", path.as_str()), ("message", why.as_str())];
                        w.decide(about, None, rule, "static.refused", &values);
                    }
                }
                None
            }
        }
    }

    /// The pods of the source against those that the kubelet has: first what is gone, then what is new or changed.
    fn merge_static(&mut self, w: &mut World) {
        let wanted: BTreeMap<Arc<str>, core::Pod> = self.static_files.by_uid().collect();
        let gone: Vec<(Arc<str>, Key)> = self
            .static_files
            .current
            .iter()
            .filter(|(uid, _)| !wanted.contains_key(*uid))
            .map(|(uid, key)| (Arc::clone(uid), key.clone()))
            .collect();
        let causes = w.causes.clone();
        for (uid, key) in gone {
            self.static_files.current.remove(&uid);
            self.static_gone(w, &uid, &key, &causes);
        }
        for (uid, pod) in wanted {
            self.static_found(w, uid, pod, None, &causes);
        }
    }

    fn static_gone(&mut self, w: &mut World, uid: &Arc<str>, key: &Key, causes: &[RecordId]) {
        self.with_pod(w, uid, |kubelet, w, worker| {
            worker.restart = None;
            worker.removed_at = Some(w.now);
            kubelet.removed(w, worker, causes);
        });
        if self.mirrors.contains_key(key) {
            self.plan_housekeeping(w);
        }
    }

    /// The source has a pod. `old`: the worker that a kubelet before this one had for it.
    pub(super) fn static_found(
        &mut self,
        w: &mut World,
        uid: Arc<str>,
        mut pod: core::Pod,
        old: Option<Box<Worker>>,
        causes: &[RecordId],
    ) {
        let key = key_of(&pod);
        let seen = self
            .pods
            .get(&uid)
            .and_then(|worker| static_pods::annotation(&worker.pod, SEEN).map(str::to_owned))
            .unwrap_or_else(|| w.wall(w.now).to_string());
        let annotations = pod.metadata.annotations.get_or_insert_default();
        annotations.insert(SOURCE.to_owned(), "file".to_owned());
        annotations.insert(SEEN.to_owned(), seen);
        let known = self
            .static_files
            .current
            .insert(Arc::clone(&uid), key.clone())
            .is_some();
        let version = PodVersion::apart(pod);
        if let Some(mirror) = self.mirrors.get_mut(&key) {
            mirror.of = Some(Arc::clone(&uid));
        }
        if let Some(worker) = self.pods.get(&uid) {
            let ends = worker.work != Work::Sync;
            self.with_pod(w, &uid, |kubelet, w, worker| {
                if ends && !known {
                    // The same manifest came back while its pod was still ending: it starts anew when it has ended.
                    worker.restart = Some(version);
                    kubelet.plan_housekeeping(w);
                } else if !ends && !same_pod(&worker.pod, &version) {
                    kubelet.updated(w, worker, version, causes);
                }
            });
            return;
        }
        let mut worker = Box::new(Worker::new(key.clone(), version.clone(), &self.ip));
        worker.in_memory = self.in_memory(w, worker.spec());
        if let Some(old) = old {
            worker.take_over(*old);
        }
        *self.names.entry(key.clone()).or_default() += 1;
        self.waiting.entry(key).or_default().push(Arc::clone(&uid));
        self.pods.insert(Arc::clone(&uid), worker);
        self.with_pod(w, &uid, |kubelet, w, worker| {
            kubelet.updated(w, worker, version, causes)
        });
    }

    /// Whether a static pod that has not started yet may (`pod_workers.go allowPodStart`): one that bears the name of another
    /// waits until that one has ended, and looks again every ten to fifteen seconds.
    pub(super) fn may_start(&mut self, w: &mut World, worker: &mut Worker) -> bool {
        if worker.work != Work::Sync {
            // It is to end before it began.
            worker.work = Work::Finished;
            worker.terminated_done = true;
            return false;
        }
        let is_next = match self.running_static.get(&worker.key) {
            Some(uid) => *uid == worker.uid,
            None => {
                let alive = |uid: &Arc<str>| {
                    *uid == worker.uid || self.pods.get(uid).is_some_and(|other| other.work == Work::Sync)
                };
                let line = self.waiting.get(&worker.key);
                line.and_then(|line| line.iter().find(|uid| alive(uid)))
                    .is_none_or(|uid| *uid == worker.uid)
            }
        };
        if !is_next {
            let rule = "pkg/kubelet/pod_workers.go allowStaticPodStart";
            w.decide(worker.reference(), None, rule, "static.waits", &[]);
            worker.pending = true;
            self.retry_later(w, worker);
            return false;
        }
        if let Some(line) = self.waiting.get_mut(&worker.key) {
            line.retain(|uid| *uid != worker.uid);
        }
        self.running_static.insert(worker.key.clone(), Arc::clone(&worker.uid));
        worker.started = true;
        true
    }

    /// A static pod has ended: another of its name may start.
    pub(super) fn leave_static(&mut self, worker: &Worker) {
        if self.running_static.get(&worker.key) == Some(&worker.uid) {
            self.running_static.remove(&worker.key);
        }
    }

    /// All pods of the directory, as a kubelet that starts finds them.
    pub(super) fn static_pods(&mut self, w: &mut World) -> Vec<(Arc<str>, core::Pod)> {
        self.read_directory(w);
        self.static_files.by_uid().collect()
    }
}

fn key_of(pod: &core::Pod) -> Key {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    Key::new(Kind::Pod, &text(&pod.metadata.namespace), &text(&pod.metadata.name))
}

/// Whether two versions ask for the same (`config.go podsDifferSemantically`); the kubelet's own annotations do not count.
fn same_pod(known: &core::Pod, new: &core::Pod) -> bool {
    let annotations = |pod: &core::Pod| {
        let mut all = pod.metadata.annotations.clone().unwrap_or_default();
        for own in [SOURCE, SEEN, HASH] {
            all.remove(own);
        }
        all
    };
    known.spec == new.spec && known.metadata.labels == new.metadata.labels && annotations(known) == annotations(new)
}

impl PodVersion {
    /// A pod that is in no API.
    pub(super) fn apart(pod: core::Pod) -> Self {
        Self::of(Arc::new(crate::store::Stored::apart(Object::from(pod))))
    }
}
