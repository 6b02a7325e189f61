//! Volumes of a pod (`pkg/kubelet/volumemanager`): nothing starts before all of them are there, and what the kubelet writes into
//! them is written again when it has changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::node::Kubelet;
use super::payload::{own, write_atomically};
use super::persistent::Refusal;
use super::processes::NODE_FILES;
use super::worker::Worker;
use crate::latency;
use crate::runtime::files::{Content, Device, Node, ROOT, Tree};
use crate::runtime::host::Mount;
use crate::storage;
use crate::time::{SimDuration, SimTime};
use crate::world::World;

/// First wait after a mount that failed, doubled each time up to [`RETRY_MAX`] (`goroutinemap/exponentialbackoff`).
const RETRY_FIRST: SimDuration = SimDuration::from_millis(500);
const RETRY_MAX: SimDuration = SimDuration::from_secs(122);

/// When a volume's mount is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    at: SimTime,
    wait: SimDuration,
}

/// How far the volumes of a pod are.
pub(super) enum Volumes {
    /// All are there.
    Mounted,
    /// Some are not yet.
    Waiting,
    /// Some cannot be used as they are: the sync fails with these words.
    Unusable(String),
}

impl Kubelet {
    /// Mounts what can be mounted, and writes anew what has changed.
    pub(super) fn mount_volumes(&mut self, w: &mut World, worker: &mut Worker) -> Volumes {
        // The pod's own version, so that its volumes can be gone through while the worker changes.
        let pod = worker.pod.clone();
        let Some(spec) = &pod.spec else {
            return Volumes::Mounted;
        };
        let used = used(spec);
        let volumes = spec.volumes.iter().flatten();
        let volumes = volumes.filter(|volume| used.contains(volume.name.as_str()));
        let changed = w.configured != worker.configured;
        let mut missing = Vec::new();
        let mut unusable: Vec<(String, String)> = Vec::new();
        for volume in volumes {
            let name = &volume.name;
            let there = worker.volumes.contains_key(name) || worker.mounted.contains_key(name);
            if there && !(changed && worker.payloads.contains_key(name)) {
                continue;
            }
            if worker.retries.get(name).is_some_and(|retry| w.now < retry.at) {
                if !there {
                    missing.push(name.clone());
                }
                continue;
            }
            match self.mount(w, worker, volume) {
                Ok(true) => {
                    worker.retries.remove(name);
                }
                Ok(false) => missing.push(name.clone()),
                Err(Refusal::NotAttached) => missing.push(name.clone()),
                Err(Refusal::Unusable(why)) => {
                    missing.push(name.clone());
                    unusable.push((name.clone(), why));
                }
                Err(Refusal::Failed(error)) => {
                    if !there {
                        missing.push(name.clone());
                    }
                    self.mount_failed(w, worker, volume, &error);
                }
            }
        }
        worker.configured = w.configured;
        if !unusable.is_empty() {
            let names: Vec<&str> = unusable.iter().map(|(name, _)| name.as_str()).collect();
            let whys: Vec<&str> = unusable.iter().map(|(_, why)| why.as_str()).collect();
            return Volumes::Unusable(format!(
                "unmounted volumes=[{}], unattached volumes=[], failed to process volumes=[{}]: {}",
                missing.join(" "),
                names.join(" "),
                whys.join("; ")
            ));
        }
        if missing.is_empty() {
            Volumes::Mounted
        } else {
            Volumes::Waiting
        }
    }

    fn mount_failed(&mut self, w: &mut World, worker: &mut Worker, volume: &core::Volume, error: &str) {
        // A claim's volume goes by the name of the persistent volume.
        let claim = storage::claim_name(&worker.key.name, volume);
        let persistent = claim.and_then(|claim| {
            let claim = storage::claim(w, &worker.key.namespace, &claim)?;
            Some(storage::volume_name(claim).to_owned())
        });
        let operation = match &persistent {
            Some(_) if error.starts_with("kubernetes.io/csi: attacher.MountDevice") => "MountVolume.MountDevice",
            Some(_) if error.starts_with("path ") => "MountVolume.NewMounter initialization",
            _ => "MountVolume.SetUp",
        };
        let name = persistent.as_ref().unwrap_or(&volume.name);
        let message = format!("{operation} failed for volume \"{name}\" : {error}");
        self.pod_event(w, worker, String::new(), "Warning", "FailedMount", message);
        let wait = worker
            .retries
            .get(&volume.name)
            .filter(|retry| retry.wait > SimDuration::ZERO)
            .map_or(RETRY_FIRST, |retry| SimDuration((retry.wait.0 * 2).min(RETRY_MAX.0)));
        let retry = Retry { at: w.now + wait, wait };
        worker.retries.insert(volume.name.clone(), retry);
    }

    /// Mounts one volume; `false` when that takes a while still.
    fn mount(&mut self, w: &mut World, worker: &mut Worker, volume: &core::Volume) -> Result<bool, Refusal> {
        let name = volume.name.clone();
        let group = worker.fs_group();
        if let Some(payload) = self.payload(w, worker, volume) {
            let payload = payload.map_err(Refusal::Failed)?;
            if worker.payloads.get(&name).is_none_or(|known| **known != payload) {
                let place = data_directory(w, &worker.uid, &name);
                let tree = worker.volumes.entry(name.clone()).or_default();
                write_atomically(tree, &payload, &place, group, w.now);
                worker.payloads.insert(name, Arc::new(payload));
            }
            return Ok(true);
        }
        if let Some(source) = &volume.host_path {
            self.check_host_path(source).map_err(Refusal::Failed)?;
            worker.volumes.insert(name, Tree::default());
            return Ok(true);
        }
        if let Some(claim) = storage::claim_name(&worker.key.name, volume) {
            let owner = volume.ephemeral.as_ref().map(|_| worker.uid.to_string());
            let found = self.find_persistent(w, worker, &claim, owner.as_deref())?;
            if storage::is_attachable(&found) && !worker.retries.contains_key(&name) {
                let at = w.now + w.latency(latency::MOUNT);
                let wait = SimDuration::ZERO;
                worker.retries.insert(name, Retry { at, wait });
                return Ok(false);
            }
            let source = volume.persistent_volume_claim.as_ref();
            let read_only = source.and_then(|source| source.read_only) == Some(true);
            let mounted = self.mount_persistent(w, worker, &found, read_only)?;
            worker.mounted.insert(name, mounted);
            return Ok(true);
        }
        let mut tree = Tree::default();
        if volume.empty_dir.is_some() {
            if let Some(root) = tree.node_mut(ROOT) {
                root.mode = 0o777;
                own(root, group);
            }
        } else {
            let kind = kind_of(volume);
            w.notice(&format!(
                "volume of type {kind} is not simulated: it is an empty directory"
            ));
        }
        worker.volumes.insert(name, tree);
        Ok(true)
    }

    /// What a `hostPath` asks of the node (`pkg/volume/hostpath checkTypeInternal`).
    pub(super) fn check_host_path(&mut self, source: &core::HostPathVolumeSource) -> Result<(), String> {
        let path = source.path.as_str();
        let found = self.files.find(path);
        let content = found.and_then(|ino| self.files.node(ino)).map(|node| &node.content);
        let failed = |what: &str| Err(format!("hostPath type check failed: {path} is not {what}"));
        match (source.type_.as_deref().unwrap_or_default(), content) {
            ("DirectoryOrCreate", None) => {
                self.files.make_directories(path);
                Ok(())
            }
            ("FileOrCreate", None) => {
                let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                if self.files.find(parent).is_none() {
                    return Err(format!("open {path}: no such file or directory"));
                }
                self.files.write(path, b"", 0o644);
                Ok(())
            }
            ("", _) => Ok(()),
            ("Directory" | "DirectoryOrCreate", Some(Content::Directory { .. })) => Ok(()),
            ("Directory" | "DirectoryOrCreate", _) => failed("a directory"),
            ("File" | "FileOrCreate", Some(Content::File { .. } | Content::Program(_))) => Ok(()),
            ("File" | "FileOrCreate", _) => failed("a file"),
            ("Socket", Some(Content::Device(Device::Socket))) => Ok(()),
            ("Socket", _) => failed("a socket file"),
            ("CharDevice", Some(Content::Device(device))) if *device != Device::Socket => Ok(()),
            ("CharDevice", _) => failed("a character device"),
            ("BlockDevice", _) => failed("a block device"),
            (_, _) => Err(format!("{path} is an invalid volume type")),
        }
    }

    /// Finds the file or directory that each mount shows, and makes what is missing: the runtime a `hostPath`, the kubelet a
    /// `subPath` (`pkg/kubelet/kubelet_pods.go makeMounts`). What takes its place later is not seen by the container.
    pub(super) fn prepare_mounts(&mut self, w: &mut World, worker: &mut Worker, mounts: &mut [Mount]) {
        let group = worker.fs_group();
        for mount in mounts {
            let tree = if mount.volume == NODE_FILES {
                Some(&mut self.files)
            } else if let Some(disk) = mount.volume.strip_prefix(super::persistent::DISK) {
                w.disks.get_mut(disk)
            } else {
                worker.volumes.get_mut(&mount.volume)
            };
            let Some(tree) = tree else { continue };
            let ino = match tree.find(&mount.sub_path) {
                Some(ino) => ino,
                None => {
                    let made = tree.make_directories(&mount.sub_path);
                    if let Some(node) = tree.node_mut(made).filter(|_| mount.volume != NODE_FILES) {
                        node.mode = 0o755;
                        own(node, group);
                    }
                    made
                }
            };
            mount.root = Some(ino);
        }
    }
}

/// The volumes that containers mount; others are not looked at (`util.GetPodVolumeNames`).
fn used(spec: &core::PodSpec) -> BTreeSet<&str> {
    let init = spec.init_containers.iter().flatten();
    let mounts = init
        .chain(&spec.containers)
        .flat_map(|container| container.volume_mounts.iter().flatten());
    let ephemeral = spec.ephemeral_containers.iter().flatten();
    let ephemeral = ephemeral.flat_map(|container| container.volume_mounts.iter().flatten());
    mounts.chain(ephemeral).map(|mount| mount.name.as_str()).collect()
}

/// The name of the directory that holds a payload: the instant, and a number that no other volume has.
fn data_directory(w: &World, uid: &str, volume: &str) -> String {
    let mut number = w.now.0 ^ 0xcbf2_9ce4_8422_2325;
    for byte in uid.bytes().chain(volume.bytes()) {
        number = (number ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let stamp = w.wall(w.now).strftime("..%Y_%m_%d_%H_%M_%S").to_string();
    format!("{stamp}.{}", number % 4_294_967_296)
}

fn kind_of(volume: &core::Volume) -> String {
    let value = serde_json::to_value(volume).unwrap_or_default();
    let mut keys = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    keys.find(|key| *key != "name").unwrap_or("unknown").to_owned()
}

/// The files of a node that pods find through `hostPath`.
pub(super) fn node_files(name: &str) -> Tree {
    let mut tree = Tree::default();
    for directory in [
        "/dev",
        "/etc/kubernetes/manifests",
        "/home",
        "/mnt",
        "/opt",
        "/proc",
        "/root",
        "/run/containerd",
        "/srv",
        "/sys",
        "/tmp",
        "/usr/bin",
        "/var/lib/kubelet",
        "/var/log/containers",
        "/var/log/pods",
        "/var/run",
    ] {
        tree.make_directories(directory);
    }
    tree.write("/etc/hostname", format!("{name}\n").as_bytes(), 0o644);
    tree.write(
        "/etc/hosts",
        format!("127.0.0.1 localhost\n127.0.1.1 {name}\n").as_bytes(),
        0o644,
    );
    tree.write("/etc/machine-id", b"00000000000000000000000000000000\n", 0o444);
    for (device, content) in [
        ("null", Device::Null),
        ("zero", Device::Zero),
        ("urandom", Device::Random),
    ] {
        tree.put(&format!("/dev/{device}"), Node::new(Content::Device(content), 0o666));
    }
    let socket = Node::new(Content::Device(Device::Socket), 0o660);
    tree.put("/run/containerd/containerd.sock", socket);
    if let Some(node) = tree.find("/tmp").and_then(|ino| tree.node_mut(ino)) {
        node.mode = 0o1777;
    }
    // What a node has from the beginning counts as no usage.
    tree.frozen()
}
