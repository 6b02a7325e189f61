//! Volumes that a claim stands for, as the kubelet finds and mounts them
//! (`pkg/kubelet/volumemanager/populator getPVCExtractPV, getPVSpec`).

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::node::Kubelet;
use super::payload::own;
use super::processes::NODE_FILES;
use super::worker::Worker;
use crate::cluster::Event;
use crate::controllers::volumes::volume_key;
use crate::runtime::files::{ROOT, Tree};
use crate::storage::{self, DRIVER};
use crate::world::{Actor, Controller, World};

/// Before the name of a disk, where [`Host::volume`](crate::runtime::host::Host::volume) is asked for it.
pub(super) const DISK: &str = "\0disk/";

/// A claim's volume as a pod has it mounted.
#[derive(Clone, Debug)]
pub(crate) struct Mounted {
    /// The name by which the machine finds the files.
    pub(super) files: String,
    /// The part of them that the volume is.
    pub(super) path: String,
    pub(super) read_only: bool,
    /// The volume, if it is attached to this node for as long as it is mounted.
    attached: Option<String>,
}

/// Why a claim's volume is not mounted.
pub(super) enum Refusal {
    /// The claim or its volume is not what it has to be: the sync fails with these words.
    Unusable(String),
    /// It has still to be attached.
    NotAttached,
    /// The mount itself failed.
    Failed(String),
}

impl Kubelet {
    /// The volume behind a claim, when everything is ready for its mount.
    pub(super) fn find_persistent(
        &self,
        w: &World,
        worker: &Worker,
        claim_name: &str,
        owner: Option<&str>,
    ) -> Result<core::PersistentVolume, Refusal> {
        let namespace = &*worker.key.namespace;
        let unusable = |why: String| Refusal::Unusable(format!("error processing PVC {namespace}/{claim_name}: {why}"));
        let Some(claim) = storage::claim(w, namespace, claim_name) else {
            let why = format!("failed to fetch PVC from API server: persistentvolumeclaims \"{claim_name}\" not found");
            return Err(unusable(why));
        };
        if claim.metadata.deletion_timestamp.is_some() {
            return Err(unusable("PVC is being deleted".to_owned()));
        }
        if claim.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Bound") {
            return Err(unusable("PVC is not bound".to_owned()));
        }
        let owned = |uid: &str| {
            let owners = claim.metadata.owner_references.iter().flatten();
            owners.into_iter().any(|owner| owner.uid == uid)
        };
        if owner.is_some_and(|uid| !owned(uid)) {
            let pod = &worker.key.name;
            let why =
                format!("PVC {namespace}/{claim_name} was not created for pod {namespace}/{pod} (pod is not owner)");
            return Err(Refusal::Unusable(why));
        }
        let name = storage::volume_name(claim);
        let Some(volume) = storage::volume(w, name) else {
            let why = format!("failed to fetch PV {name} from API server: persistentvolumes \"{name}\" not found");
            return Err(unusable(why));
        };
        let here = || w.attachments.get(name).is_some_and(|nodes| nodes.contains(&self.name));
        if storage::is_attachable(volume) && !here() {
            return Err(Refusal::NotAttached);
        }
        Ok(volume.clone())
    }

    /// Mounts a volume for a pod.
    pub(super) fn mount_persistent(
        &mut self,
        w: &mut World,
        worker: &Worker,
        volume: &core::PersistentVolume,
        read_only: bool,
    ) -> Result<Mounted, Refusal> {
        let name = volume.metadata.name.clone().unwrap_or_default();
        let spec = volume.spec.clone().unwrap_or_default();
        let on_node = |path: &str| Mounted {
            files: NODE_FILES.to_owned(),
            path: path.trim_matches('/').to_owned(),
            read_only,
            attached: None,
        };
        if let Some(source) = &spec.host_path {
            self.check_host_path(source).map_err(Refusal::Failed)?;
            return Ok(on_node(&source.path));
        }
        if let Some(source) = &spec.local {
            if self.files.find(&source.path).is_none() {
                return Err(Refusal::Failed(format!("path \"{}\" does not exist", source.path)));
            }
            return Ok(on_node(&source.path));
        }
        let (disk, attached) = match (&spec.csi, &spec.nfs) {
            (Some(csi), _) if csi.driver == DRIVER => (name.clone(), Some(name.clone())),
            (Some(csi), _) => {
                let driver = &csi.driver;
                return Err(Refusal::Failed(format!(
                    "kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name {driver} not \
                     found in the list of registered CSI drivers"
                )));
            }
            (None, Some(nfs)) => {
                w.notice("NFS servers are not simulated: a share is an empty directory that all nodes see");
                (format!("nfs:{}:{}", nfs.server, nfs.path), None)
            }
            (None, None) => {
                w.notice(&format!(
                    "the storage of volume {name} is not simulated: it is an empty directory"
                ));
                (name.clone(), None)
            }
        };
        let tree = w.disks.entry(disk.clone()).or_insert_with(empty_disk);
        if let Some(group) = worker.fs_group() {
            for ino in tree.changed() {
                if let Some(node) = tree.node_mut(ino) {
                    own(node, Some(group));
                }
            }
            if let Some(root) = tree.node_mut(ROOT) {
                own(root, Some(group));
            }
        }
        if let Some(name) = &attached {
            let pods = w.mounted.entry((name.clone(), Arc::clone(&self.name))).or_default();
            pods.insert(Arc::clone(&worker.uid));
        }
        Ok(Mounted {
            files: format!("{DISK}{disk}"),
            path: String::new(),
            read_only,
            attached,
        })
    }

    /// The volumes of a pod that has ended are unmounted; whoever waits to detach a disk hears of it.
    pub(super) fn unmount(&self, w: &mut World, worker: &mut Worker) {
        worker.volumes.clear();
        for (_, mounted) in std::mem::take(&mut worker.mounted) {
            let Some(name) = mounted.attached else { continue };
            let place = (name.clone(), Arc::clone(&self.name));
            if let Some(pods) = w.mounted.get_mut(&place) {
                pods.remove(&worker.uid);
                if pods.is_empty() {
                    w.mounted.remove(&place);
                }
            }
            let record = w.causes.first().copied().unwrap_or_default();
            let event = Event::Notify {
                to: Actor::Controller(Controller::AttachDetach),
                key: volume_key(&name),
                record,
                write: None,
            };
            w.after(crate::latency::WATCH, event);
        }
    }
}

/// A disk as its file system is made.
fn empty_disk() -> Tree {
    let mut tree = Tree::default();
    tree.make_directories("lost+found");
    if let Some(node) = tree.find("lost+found").and_then(|ino| tree.node_mut(ino)) {
        node.mode = 0o700;
    }
    if let Some(root) = tree.node_mut(ROOT) {
        root.mode = 0o755;
    }
    tree
}
