//! Volumes of a pod (`pkg/kubelet/volumemanager`): nothing starts before all of them are there.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;

use super::environment::pod_field;
use super::node::Kubelet;
use super::worker::Worker;
use crate::objects::{Key, Kind, Object};
use crate::runtime::files::Tree;
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

impl Kubelet {
    /// Mounts what can be mounted; whether all volumes are there.
    pub(super) fn mount_volumes(&mut self, w: &mut World, worker: &mut Worker) -> bool {
        let volumes = worker.spec().volumes.clone().unwrap_or_default();
        let mut all = true;
        for volume in &volumes {
            if worker.volumes.contains_key(&volume.name) {
                continue;
            }
            if worker.retries.get(&volume.name).is_some_and(|retry| w.now < retry.at) {
                all = false;
                continue;
            }
            match self.files_of(w, worker, volume) {
                Ok(tree) => {
                    worker.volumes.insert(volume.name.clone(), tree);
                    worker.retries.remove(&volume.name);
                }
                Err(error) => {
                    all = false;
                    let message = format!("MountVolume.SetUp failed for volume \"{}\" : {error}", volume.name);
                    self.pod_event(w, worker, String::new(), "Warning", "FailedMount", message);
                    let wait = worker
                        .retries
                        .get(&volume.name)
                        .map_or(RETRY_FIRST, |retry| SimDuration((retry.wait.0 * 2).min(RETRY_MAX.0)));
                    worker
                        .retries
                        .insert(volume.name.clone(), Retry { at: w.now + wait, wait });
                }
            }
        }
        all
    }

    /// The files that a volume holds when it is mounted.
    fn files_of(&mut self, w: &mut World, worker: &Worker, volume: &core::Volume) -> Result<Tree, String> {
        let namespace = &*worker.key.namespace;
        let mut tree = Tree::default();
        if let Some(source) = &volume.config_map {
            let mode = mode(source.default_mode);
            config_map_files(
                w,
                namespace,
                &source.name,
                source.items.as_deref(),
                source.optional,
                mode,
                &mut tree,
            )?;
        } else if let Some(source) = &volume.secret {
            let name = source.secret_name.as_deref().unwrap_or_default();
            let mode = mode(source.default_mode);
            secret_files(
                w,
                namespace,
                name,
                source.items.as_deref(),
                source.optional,
                mode,
                &mut tree,
            )?;
        } else if let Some(source) = &volume.downward_api {
            self.downward_files(worker, source.items.as_deref(), mode(source.default_mode), &mut tree)?;
        } else if let Some(source) = &volume.projected {
            let mode = mode(source.default_mode);
            for source in source.sources.iter().flatten() {
                if let Some(source) = &source.config_map {
                    let items = source.items.as_deref();
                    config_map_files(w, namespace, &source.name, items, source.optional, mode, &mut tree)?;
                } else if let Some(source) = &source.secret {
                    secret_files(
                        w,
                        namespace,
                        &source.name,
                        source.items.as_deref(),
                        source.optional,
                        mode,
                        &mut tree,
                    )?;
                } else if let Some(source) = &source.downward_api {
                    self.downward_files(worker, source.items.as_deref(), mode, &mut tree)?;
                } else if let Some(source) = &source.service_account_token {
                    // A token that nothing can verify; its length is about that of a real one.
                    tree.write(&source.path, b"eyJhbGciOiJSUzI1NiJ9.simulated.token", 0o600);
                }
            }
        } else if let Some(source) = &volume.host_path {
            self.check_host_path(source)?;
        } else if volume.empty_dir.is_none() {
            let kind = kind_of(volume);
            w.notice(&format!(
                "volume of type {kind} is not simulated: it is an empty directory"
            ));
        }
        Ok(tree)
    }

    fn downward_files(
        &self,
        worker: &Worker,
        items: Option<&[core::DownwardAPIVolumeFile]>,
        mode: u32,
        tree: &mut Tree,
    ) -> Result<(), String> {
        for item in items.unwrap_or_default() {
            let text = match &item.field_ref {
                Some(field) => pod_field(worker, &field.field_path, &worker.current_address(&self.ip), &self.name)?,
                None => String::new(),
            };
            tree.write(&item.path, text.as_bytes(), mode);
        }
        Ok(())
    }

    fn check_host_path(&mut self, source: &core::HostPathVolumeSource) -> Result<(), String> {
        let path = source.path.as_str();
        match source.type_.as_deref().unwrap_or_default() {
            "DirectoryOrCreate" | "FileOrCreate" | "" => Ok(()),
            kind if self.files.find(path).is_some() => {
                let found = self.files.find(path).and_then(|ino| self.files.node(ino));
                let is_directory = found.is_some_and(|node| node.is_directory());
                match kind {
                    "Directory" if !is_directory => {
                        Err(format!("hostPath type check failed: {path} is not a directory"))
                    }
                    "File" if is_directory => Err(format!("hostPath type check failed: {path} is not a file")),
                    _ => Ok(()),
                }
            }
            "Directory" => Err(format!("hostPath type check failed: {path} is not a directory")),
            "File" => Err(format!("hostPath type check failed: {path} is not a file")),
            "Socket" => Err(format!("hostPath type check failed: {path} is not a socket file")),
            "CharDevice" => Err(format!("hostPath type check failed: {path} is not a character device")),
            "BlockDevice" => Err(format!("hostPath type check failed: {path} is not a block device")),
            other => Err(format!("hostPath type check failed: unknown type {other}")),
        }
    }
}

fn mode(mode: Option<i32>) -> u32 {
    mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o644)
}

fn kind_of(volume: &core::Volume) -> String {
    let value = serde_json::to_value(volume).unwrap_or_default();
    let mut keys = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    keys.find(|key| *key != "name").unwrap_or("unknown").to_owned()
}

type Files = BTreeMap<String, Vec<u8>>;

/// Puts the wanted keys into the tree.
fn project(
    files: &Files,
    items: Option<&[core::KeyToPath]>,
    optional: Option<bool>,
    mode: u32,
    what: &str,
    tree: &mut Tree,
) -> Result<(), String> {
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        for (key, data) in files {
            tree.write(key, data, mode);
        }
        return Ok(());
    };
    for item in items {
        match files.get(&item.key) {
            Some(data) => {
                let mode = item.mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(mode);
                tree.write(&item.path, data, mode);
            }
            None if optional == Some(true) => {}
            None => return Err(format!("{what} references non-existent {what} key: {}", item.key)),
        }
    }
    Ok(())
}

fn config_map_files(
    w: &World,
    namespace: &str,
    name: &str,
    items: Option<&[core::KeyToPath]>,
    optional: Option<bool>,
    mode: u32,
    tree: &mut Tree,
) -> Result<(), String> {
    let stored = w.get(&Key::new(Kind::ConfigMap, namespace, name));
    let Some(Object::ConfigMap(map)) = stored.map(|stored| &stored.object) else {
        return if optional == Some(true) {
            Ok(())
        } else {
            Err(format!("configmap \"{name}\" not found"))
        };
    };
    let mut files = Files::new();
    files.extend(
        map.data
            .iter()
            .flatten()
            .map(|(key, text)| (key.clone(), text.clone().into_bytes())),
    );
    files.extend(
        map.binary_data
            .iter()
            .flatten()
            .map(|(key, data)| (key.clone(), data.0.clone())),
    );
    project(&files, items, optional, mode, "configmap", tree)
}

fn secret_files(
    w: &World,
    namespace: &str,
    name: &str,
    items: Option<&[core::KeyToPath]>,
    optional: Option<bool>,
    mode: u32,
    tree: &mut Tree,
) -> Result<(), String> {
    let stored = w.get(&Key::new(Kind::Secret, namespace, name));
    let Some(Object::Secret(secret)) = stored.map(|stored| &stored.object) else {
        return if optional == Some(true) {
            Ok(())
        } else {
            Err(format!("secret \"{name}\" not found"))
        };
    };
    let files: Files = secret
        .data
        .iter()
        .flatten()
        .map(|(key, data)| (key.clone(), data.0.clone()))
        .collect();
    project(&files, items, optional, mode, "secret", tree)
}
