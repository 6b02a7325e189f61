//! Volumes of a pod (`pkg/apis/core/validation/validation.go ValidateVolumes`).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1 as core;

use super::container::{field_ref, resource_field};
use super::pod::Context;
use crate::apiserver::field::{Errors, Path};
use crate::apiserver::names;

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
/// Fields that a file can hold, besides labels and annotations by key.
const FILE_FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
const HOST_PATH_TYPES: [&str; 8] = [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

/// Checks the volumes, and notes in the context which of them can be mounted.
pub(super) fn volumes<'a>(e: &mut Errors, list: &'a [core::Volume], path: &Path<'_>, context: &mut Context<'a>) {
    for (index, volume) in list.iter().enumerate() {
        let at = path.index(index);
        let before = e.list.len();
        source(e, volume, &at, context.pod_name);
        let name = at.child("name");
        if volume.name.is_empty() {
            e.required(&name, "");
        } else {
            e.invalid_for(&name, &volume.name, names::dns1123_label(&volume.name));
        }
        if context.volumes.contains(volume.name.as_str()) {
            e.duplicate(&name, &volume.name);
        }
        if e.list.len() == before {
            context.volumes.insert(&volume.name);
        }
    }
}

fn source(e: &mut Errors, volume: &core::Volume, path: &Path<'_>, pod_name: Option<&str>) {
    let mut count = 0;
    let mut only = |e: &mut Errors, field: &str| {
        count += 1;
        if count > 1 {
            e.forbidden(&path.child(field), "may not specify more than 1 volume type");
        }
        count == 1
    };
    if let Some(empty) = &volume.empty_dir {
        only(e, "emptyDir");
        let negative = empty.size_limit.as_ref().is_some_and(|limit| limit.0.starts_with('-'));
        if negative {
            let detail = "SizeLimit field must be a valid resource quantity";
            e.forbidden(&path.child("emptyDir").child("sizeLimit"), detail);
        }
    }
    if let Some(host) = &volume.host_path
        && only(e, "hostPath")
    {
        let at = path.child("hostPath");
        if host.path.is_empty() {
            e.required(&at.child("path"), "");
        } else {
            no_backsteps(e, &host.path, &at.child("path"));
            let kind = host.type_.as_deref().unwrap_or_default();
            if !HOST_PATH_TYPES.contains(&kind) {
                e.unsupported(&at.child("type"), kind, &HOST_PATH_TYPES);
            }
        }
    }
    if let Some(secret) = &volume.secret
        && only(e, "secret")
    {
        let at = path.child("secret");
        if secret.secret_name.as_deref().unwrap_or_default().is_empty() {
            e.required(&at.child("secretName"), "");
        }
        mode(e, secret.default_mode, &at.child("defaultMode"));
        items(e, secret.items.as_deref().unwrap_or_default(), &at.child("items"));
    }
    if let Some(claim) = &volume.persistent_volume_claim
        && only(e, "persistentVolumeClaim")
        && claim.claim_name.is_empty()
    {
        e.required(&path.child("persistentVolumeClaim").child("claimName"), "");
    }
    if let Some(downward) = &volume.downward_api
        && only(e, "downwarAPI")
    {
        let at = path.child("downwardAPI");
        mode(e, downward.default_mode, &at.child("defaultMode"));
        for file in downward.items.iter().flatten() {
            downward_file(e, file, &at);
        }
    }
    if let Some(map) = &volume.config_map
        && only(e, "configMap")
    {
        let at = path.child("configMap");
        if map.name.is_empty() {
            e.required(&at.child("name"), "");
        }
        mode(e, map.default_mode, &at.child("defaultMode"));
        items(e, map.items.as_deref().unwrap_or_default(), &at.child("items"));
    }
    if let Some(projected) = &volume.projected
        && only(e, "projected")
    {
        self::projected(e, projected, &path.child("projected"));
    }
    if volume.ephemeral.is_some()
        && only(e, "ephemeral")
        && let Some(pod_name) = pod_name.filter(|_| !volume.name.is_empty())
    {
        let claim = format!("{pod_name}-{}", volume.name);
        for reason in names::dns1123_subdomain(&claim) {
            let detail = format!("PVC name {claim:?}: {reason}");
            e.invalid_text(&path.child("name"), &volume.name, &detail);
        }
    }
    for (field, present) in [
        ("nfs", volume.nfs.is_some()),
        ("csi", volume.csi.is_some()),
        ("image", volume.image.is_some()),
        ("iscsi", volume.iscsi.is_some()),
        ("fc", volume.fc.is_some()),
        ("gcePersistentDisk", volume.gce_persistent_disk.is_some()),
        ("awsElasticBlockStore", volume.aws_elastic_block_store.is_some()),
        ("azureDisk", volume.azure_disk.is_some()),
        ("azureFile", volume.azure_file.is_some()),
        ("cephFS", volume.cephfs.is_some()),
        ("cinder", volume.cinder.is_some()),
        ("flexVolume", volume.flex_volume.is_some()),
        ("flocker", volume.flocker.is_some()),
        ("gitRepo", volume.git_repo.is_some()),
        ("glusterfs", volume.glusterfs.is_some()),
        ("photonPersistentDisk", volume.photon_persistent_disk.is_some()),
        ("portworxVolume", volume.portworx_volume.is_some()),
        ("quobyte", volume.quobyte.is_some()),
        ("rbd", volume.rbd.is_some()),
        ("scaleIO", volume.scale_io.is_some()),
        ("storageos", volume.storageos.is_some()),
        ("vsphereVolume", volume.vsphere_volume.is_some()),
    ] {
        if present {
            only(e, field);
        }
    }
    if count == 0 {
        e.required(path, "must specify a volume type");
    }
}

fn mode(e: &mut Errors, mode: Option<i32>, path: &Path<'_>) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        e.invalid(path, mode, MODE);
    }
}

/// `validateKeyToPath`
fn items(e: &mut Errors, items: &[core::KeyToPath], path: &Path<'_>) {
    for (index, item) in items.iter().enumerate() {
        let at = path.index(index);
        if item.key.is_empty() {
            e.required(&at.child("key"), "");
        }
        if item.path.is_empty() {
            e.required(&at.child("path"), "");
        }
        non_reserved_path(e, &item.path, &at.child("path"));
        mode(e, item.mode, &at.child("mode"));
    }
}

fn downward_file(e: &mut Errors, file: &core::DownwardAPIVolumeFile, path: &Path<'_>) {
    if file.path.is_empty() {
        e.required(&path.child("path"), "");
    }
    non_reserved_path(e, &file.path, &path.child("path"));
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(field), other) => {
            field_ref(e, field, &FILE_FIELDS, &path.child("fieldRef"));
            if other.is_some() {
                let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                e.invalid_text(path, "resource", detail);
            }
        }
        (None, Some(field)) => resource_field(e, field, &path.child("resourceFieldRef")),
        (None, None) => e.required(path, "one of fieldRef and resourceFieldRef is required"),
    }
}

fn projected(e: &mut Errors, projected: &core::ProjectedVolumeSource, path: &Path<'_>) {
    mode(e, projected.default_mode, &path.child("defaultMode"));
    let sources = path.child("sources");
    let mut taken = BTreeSet::new();
    for (index, source) in projected.sources.iter().flatten().enumerate() {
        let at = sources.index(index);
        let mut count = 0;
        let named = [
            (
                "secret",
                source.secret.as_ref().map(|secret| (&secret.name, &secret.items)),
            ),
            (
                "configMap",
                source.config_map.as_ref().map(|map| (&map.name, &map.items)),
            ),
        ];
        for (field, source) in named {
            let Some((name, list)) = source else { continue };
            count += 1;
            let part = at.child(field);
            if name.is_empty() {
                e.required(&part.child("name"), "");
            }
            items(e, list.as_deref().unwrap_or_default(), &part.child("items"));
            for item in list.iter().flatten() {
                if !item.path.is_empty() && !taken.insert(item.path.clone()) {
                    e.invalid_text(path, name, "conflicting duplicate paths");
                }
            }
        }
        if let Some(downward) = &source.downward_api {
            count += 1;
            for file in downward.items.iter().flatten() {
                downward_file(e, file, &at.child("downwardAPI"));
                if !file.path.is_empty() && !taken.insert(file.path.clone()) {
                    e.invalid_text(path, &file.path, "conflicting duplicate paths");
                }
            }
        }
        if let Some(token) = &source.service_account_token {
            count += 1;
            let seconds = token.expiration_seconds.unwrap_or(3600);
            if seconds < 600 {
                let part = at.child("serviceAccountToken");
                e.invalid(
                    &part.child("expirationSeconds"),
                    seconds,
                    "may not specify a duration less than 10 minutes",
                );
            }
            if token.path.is_empty() {
                e.required(&path.child("path"), "");
            }
        }
        if count > 1 {
            e.forbidden(&at, "may not specify more than 1 volume type per source");
        }
    }
}

/// `validateLocalDescendingPath`
pub(super) fn descending_path(e: &mut Errors, target: &str, path: &Path<'_>) {
    if target.starts_with('/') {
        e.invalid_text(path, target, "must be a relative path");
    }
    no_backsteps(e, target, path);
}

fn no_backsteps(e: &mut Errors, target: &str, path: &Path<'_>) {
    if target.split('/').any(|part| part == "..") {
        e.invalid_text(path, target, "must not contain '..'");
    }
}

/// `ValidateLocalNonReservedPath`
fn non_reserved_path(e: &mut Errors, target: &str, path: &Path<'_>) {
    descending_path(e, target, path);
    if target.starts_with("..") && !target.starts_with("../") {
        e.invalid_text(path, target, "must not start with '..'");
    }
}
