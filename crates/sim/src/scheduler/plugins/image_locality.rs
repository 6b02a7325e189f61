//! ImageLocality: a node that has the images already is better (`pkg/scheduler/framework/plugins/imagelocality`).

use crate::core;
use crate::scheduler::cache::{Cache, NodeInfo};
use crate::scheduler::framework::MAX_NODE_SCORE;

const MIB: i64 = 1024 * 1024;
/// Images smaller than this are pulled too fast to matter.
const MIN_THRESHOLD: i64 = 23 * MIB;
/// An image larger than this counts no more.
const MAX_CONTAINER_THRESHOLD: i64 = 1000 * MIB;

/// The image's name as nodes list it: with a tag (`normalizedImageName`).
fn normalized(name: &str) -> String {
    let after_slash = name.rfind('/').map_or(0, |slash| slash + 1);
    if name[after_slash..].contains(':') || name.contains('@') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

/// The names of the images of a pod's containers.
pub fn images(pod: &core::Pod) -> Vec<String> {
    let spec = pod.spec.iter();
    spec.flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers))
        .map(|container| normalized(container.image.as_deref().unwrap_or_default()))
        .collect()
}

/// The share of the pod's images that the node has, each weighed by how many nodes have it.
pub fn score(images: &[String], node: &NodeInfo, cache: &Cache) -> i64 {
    let total = i64::try_from(cache.order().len()).unwrap_or(i64::MAX).max(1);
    let mut sum = 0_i64;
    for name in images.iter().filter(|name| node.images.contains_key(*name)) {
        let image = cache.image(name);
        sum += (image.size as f64 * (image.nodes as f64 / total as f64)) as i64;
    }
    let count = i64::try_from(images.len()).unwrap_or(i64::MAX);
    let max = MAX_CONTAINER_THRESHOLD * count;
    if max <= MIN_THRESHOLD {
        return 0;
    }
    MAX_NODE_SCORE * (sum.clamp(MIN_THRESHOLD, max) - MIN_THRESHOLD) / (max - MIN_THRESHOLD)
}
