//! What ConfigMap, Secret, downward API and projected volumes hold, and how the kubelet puts it there: all at once, so that
//! a reader sees the old files or the new ones (`pkg/volume/{configmap,secret,downwardapi,projected}`,
//! `pkg/volume/util/atomic_writer.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::environment::{pod_field, resource_field};
use super::node::Kubelet;
use super::worker::Worker;
use crate::objects::{Kind, Object};
use crate::runtime::files::{Content, Node, Tree};
use crate::time::SimTime;
use crate::world::World;

/// Files by path: bytes and permissions.
pub(crate) type Payload = BTreeMap<String, (Vec<u8>, u32)>;

/// The directory behind a volume's files is reached through this link.
const DATA: &str = "..data";

impl Kubelet {
    /// The files of a volume whose content the kubelet writes; `None` for a volume of another kind.
    ///
    /// # Errors
    /// The kubelet's words for what is missing.
    pub(super) fn payload(&self, w: &World, worker: &Worker, volume: &core::Volume) -> Option<Result<Payload, String>> {
        let mut files = Payload::new();
        let written = if let Some(source) = &volume.config_map {
            let mode = mode(source.default_mode);
            Source::of_config_map(&source.name, &source.items, source.optional).write(w, worker, mode, &mut files)
        } else if let Some(source) = &volume.secret {
            let name = source.secret_name.as_deref().unwrap_or_default();
            let mode = mode(source.default_mode);
            Source::of_secret(name, &source.items, source.optional).write(w, worker, mode, &mut files)
        } else if let Some(source) = &volume.downward_api {
            let mode = mode(source.default_mode);
            self.downward(w, worker, source.items.as_deref(), mode, &mut files)
        } else {
            let source = volume.projected.as_ref()?;
            self.projected(w, worker, source, &mut files)
        };
        Some(written.map(|()| files))
    }

    /// All sources of a projected volume; of two files at one path the later one stays.
    fn projected(
        &self,
        w: &World,
        worker: &Worker,
        source: &core::ProjectedVolumeSource,
        files: &mut Payload,
    ) -> Result<(), String> {
        let mode = mode(source.default_mode);
        for source in source.sources.iter().flatten() {
            if let Some(source) = &source.config_map {
                Source::of_config_map(&source.name, &source.items, source.optional).write(w, worker, mode, files)?;
            } else if let Some(source) = &source.secret {
                Source::of_secret(&source.name, &source.items, source.optional).write(w, worker, mode, files)?;
            } else if let Some(source) = &source.downward_api {
                self.downward(w, worker, source.items.as_deref(), mode, files)?;
            } else if let Some(source) = &source.service_account_token {
                // A token that nothing can verify; whoever runs as another user than root reads it through its group.
                let token = b"eyJhbGciOiJSUzI1NiJ9.simulated.token".to_vec();
                files.insert(source.path.clone(), (token, mode));
            }
        }
        Ok(())
    }

    fn downward(
        &self,
        w: &World,
        worker: &Worker,
        items: Option<&[core::DownwardAPIVolumeFile]>,
        default: u32,
        files: &mut Payload,
    ) -> Result<(), String> {
        for item in items.unwrap_or_default() {
            let text = if let Some(field) = &item.field_ref {
                pod_field(worker, &field.field_path, &worker.current_address(&self.ip), &self.name)?
            } else if let Some(reference) = &item.resource_field_ref {
                let container = worker.spec().containers.first().cloned().unwrap_or_default();
                resource_field(w, worker, &container, reference, &self.name)
            } else {
                String::new()
            };
            let mode = item.mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(default);
            files.insert(item.path.clone(), (text.into_bytes(), mode));
        }
        Ok(())
    }
}

fn mode(mode: Option<i32>) -> u32 {
    mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o644)
}

/// A ConfigMap or a Secret whose keys become files.
struct Source<'a> {
    kind: Kind,
    name: &'a str,
    /// Which keys, and where; all of them, under their own names, where there are none.
    items: &'a [core::KeyToPath],
    optional: bool,
}

impl<'a> Source<'a> {
    fn of_config_map(name: &'a str, items: &'a Option<Vec<core::KeyToPath>>, optional: Option<bool>) -> Self {
        Self {
            kind: Kind::ConfigMap,
            name,
            items: items.as_deref().unwrap_or_default(),
            optional: optional == Some(true),
        }
    }

    fn of_secret(name: &'a str, items: &'a Option<Vec<core::KeyToPath>>, optional: Option<bool>) -> Self {
        Self {
            kind: Kind::Secret,
            ..Self::of_config_map(name, items, optional)
        }
    }

    /// Puts the wanted keys into the payload.
    fn write(&self, w: &World, worker: &Worker, default: u32, files: &mut Payload) -> Result<(), String> {
        let stored = w.find(self.kind, &worker.key.namespace, self.name);
        let (data, missing) = match stored.map(|stored| &stored.object) {
            Some(Object::ConfigMap(map)) => (config_map(map), "configmap references non-existent config key"),
            Some(Object::Secret(secret)) => (self::secret(secret), "references non-existent secret key"),
            _ if self.optional => return Ok(()),
            _ => {
                let kind = self.kind.to_string().to_lowercase();
                return Err(format!("{kind} \"{}\" not found", self.name));
            }
        };
        if self.items.is_empty() {
            files.extend(data.into_iter().map(|(key, data)| (key.to_owned(), (data, default))));
            return Ok(());
        }
        for item in self.items {
            match data.get(item.key.as_str()) {
                Some(data) => {
                    let mode = item.mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(default);
                    files.insert(item.path.clone(), (data.clone(), mode));
                }
                None if self.optional => {}
                None => return Err(format!("{missing}: {}", item.key)),
            }
        }
        Ok(())
    }
}

fn config_map(map: &core::ConfigMap) -> BTreeMap<&str, Vec<u8>> {
    let texts = map.data.iter().flatten();
    let bytes = map.binary_data.iter().flatten();
    texts
        .map(|(key, text)| (key.as_str(), text.clone().into_bytes()))
        .chain(bytes.map(|(key, data)| (key.as_str(), data.0.clone())))
        .collect()
}

fn secret(secret: &core::Secret) -> BTreeMap<&str, Vec<u8>> {
    let data = secret.data.iter().flatten();
    data.map(|(key, data)| (key.as_str(), data.0.clone())).collect()
}

/// Writes a payload beside what is there and turns the link `..data` to it (`AtomicWriter.Write`). What has the old files open, or
/// mounted by `subPath`, keeps them. Files belong to the group `fsGroup` where there is one.
pub(super) fn write_atomically(tree: &mut Tree, payload: &Payload, place: &str, group: Option<u32>, now: SimTime) {
    let old = tree.find(DATA).and(link(tree, DATA));
    for (path, (data, mode)) in payload {
        let mut node = Node::file(data.clone(), *mode);
        node.modified = now;
        own(&mut node, group);
        tree.put(&format!("{place}/{path}"), node);
    }
    tree.make_directories(place);
    tree.symlink(DATA, place);
    let tops: Vec<&str> = payload
        .keys()
        .map(|path| path.split('/').next().unwrap_or_default())
        .collect();
    for top in &tops {
        if link(tree, top).is_none() {
            tree.symlink(top, &format!("{DATA}/{top}"));
        }
    }
    let stale: Vec<String> = tree
        .names("")
        .into_iter()
        .filter(|name| !name.starts_with("..") && !tops.contains(&name.as_str()))
        .collect();
    for name in stale {
        tree.remove(&name);
    }
    if let Some(old) = old.filter(|old| **old != *place) {
        tree.remove(&old);
    }
}

/// Gives a file to the group of a pod's volumes (`SetVolumeOwnership`): it may do what the owner may, and at least read.
pub(super) fn own(node: &mut Node, group: Option<u32>) {
    let Some(group) = group else { return };
    node.group = group;
    node.mode |= match &node.content {
        Content::Directory { .. } => 0o2770,
        _ => 0o440 | (node.mode >> 3) & 0o070,
    };
}

/// Where a symbolic link leads.
fn link(tree: &Tree, name: &str) -> Option<Arc<str>> {
    let ino = tree.entry(crate::runtime::files::ROOT, name)?;
    match &tree.node(ino)?.content {
        Content::Symlink(target) => Some(Arc::clone(target)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(files: &[(&str, &str)]) -> Payload {
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (text.as_bytes().to_vec(), 0o644)))
            .collect()
    }

    #[test]
    fn an_update_replaces_all_files_at_once() {
        let mut tree = Tree::default();
        let now = SimTime::ZERO;
        write_atomically(&mut tree, &payload(&[("a", "1"), ("dir/b", "2")]), "..1", None, now);
        let pinned = tree.find("a").expect("written");
        assert_eq!(tree.names(""), ["..1", "..data", "a", "dir"]);
        write_atomically(&mut tree, &payload(&[("a", "3"), ("c", "4")]), "..2", None, now);
        assert_eq!(tree.names(""), ["..2", "..data", "a", "c"]);
        assert_eq!(tree.read("a").as_deref(), Some(&b"3"[..]));
        // A subPath mount holds the old file itself.
        assert_eq!(tree.read_at(pinned, 0, 9).as_deref(), Ok(&b"1"[..]));
    }

    #[test]
    fn the_group_of_a_volume_may_what_its_owner_may() {
        for (mode, owned) in [(0o644, 0o664), (0o600, 0o660), (0o400, 0o440), (0o444, 0o444)] {
            let mut node = Node::file(Vec::new(), mode);
            own(&mut node, Some(2000));
            assert_eq!((node.group, node.mode), (2000, owned), "{mode:o}");
        }
    }
}
