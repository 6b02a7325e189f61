//! The types of the core group. They are `k8s-openapi`'s but for the Pod, which is what a cluster writes most: its spec and its
//! status are shared by the versions that agree in them, so that a write of the one does not copy the other.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use k8s_openapi::api::core::v1;
pub use k8s_openapi::api::core::v1::*;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A part of an object that several versions share until one of them changes it: reading is free, and the first change makes a
/// copy of its own.
#[derive(Clone, Debug, Default)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// A part of its own.
    pub fn new(part: T) -> Self {
        Self(Arc::new(part))
    }

    /// Whether both are the very same, so that nobody need compare them.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T: Clone> Shared<T> {
    /// The part itself, copied if others have it too.
    pub fn into_inner(self) -> T {
        Arc::unwrap_or_clone(self.0)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || self.0 == other.0
    }
}

impl<T> From<T> for Shared<T> {
    fn from(part: T) -> Self {
        Self::new(part)
    }
}

/// A Pod (`k8s_openapi::api::core::v1::Pod`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pod {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: Option<Shared<PodSpec>>,
    /// What is.
    pub status: Option<Shared<PodStatus>>,
}

impl From<v1::Pod> for Pod {
    fn from(pod: v1::Pod) -> Self {
        Self {
            metadata: pod.metadata,
            spec: pod.spec.map(Shared::new),
            status: pod.status.map(Shared::new),
        }
    }
}

impl<'de> Deserialize<'de> for Pod {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        v1::Pod::deserialize(from).map(Self::from)
    }
}

impl Serialize for Pod {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let parts = usize::from(self.spec.is_some()) + usize::from(self.status.is_some());
        let mut state = to.serialize_struct("Pod", 3 + parts)?;
        state.serialize_field("apiVersion", "v1")?;
        state.serialize_field("kind", "Pod")?;
        state.serialize_field("metadata", &self.metadata)?;
        if let Some(spec) = &self.spec {
            state.serialize_field("spec", &**spec)?;
        }
        if let Some(status) = &self.status {
            state.serialize_field("status", &**status)?;
        }
        state.end()
    }
}
