//! Storage in the controller manager and beside it: claims find their volumes ([`binder`]), a simulated driver makes and
//! deletes disks ([`provisioner`]) that are attached to nodes ([`attach`]), nothing in use is deleted ([`protection`]), and
//! volumes that live as long as their pod get claims of their own ([`ephemeral`]).

pub mod attach;
pub mod binder;
pub mod ephemeral;
pub mod protection;
pub mod provisioner;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::objects::{Key, Kind, Object};
use crate::world::World;

/// The reference that an event about an object needs.
fn object(w: &World, key: &Key) -> Option<Object> {
    w.get(key).map(|stored| stored.object.clone())
}

/// The key of a volume.
pub(crate) fn volume_key(name: &str) -> Key {
    Key::new(Kind::PersistentVolume, "", name)
}

fn annotate(meta: &mut ObjectMeta, name: &str, value: &str) {
    let annotations = meta.annotations.get_or_insert_default();
    annotations.insert(name.to_owned(), value.to_owned());
}
