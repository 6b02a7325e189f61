//! Versions of Kubernetes as data: gates and changes that a user can see. Behaviour asks the profile
//! ([`Profile::enabled`], [`Profile::has`]) and never compares version numbers.

mod changes;
mod gates;
mod profile;

use std::fmt;

pub(crate) use changes::Change;
use gates::{Entry, GATES};
pub use profile::Profile;
pub(crate) use profile::{Gate, is_simulated};

/// A version of Kubernetes that can be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    minor: u8,
}

impl Version {
    /// The newest version, and the one that recorded traces come from.
    pub const NEWEST: Self = Self { minor: 36 };
    /// The oldest version that can be simulated.
    pub const OLDEST: Self = Self { minor: 28 };

    /// All versions, oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (Self::OLDEST.minor..=Self::NEWEST.minor).map(|minor| Self { minor })
    }

    /// The patch release whose behaviour is simulated.
    pub fn patch(self) -> u8 {
        if self == Self::NEWEST { 2 } else { 0 }
    }

    /// Its number in full, as `kubectl version` and the nodes give it: `v1.36.2`.
    pub fn git_version(self) -> String {
        format!("v{self}.{}", self.patch())
    }

    /// The version written so (`1.36`, `v1.36`, `1.36.2`), if it can be simulated.
    pub fn named(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts = text.split('.');
        let (major, minor) = (parts.next()?, parts.next()?);
        Self::all().find(|version| major == "1" && minor == version.minor.to_string())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.minor)
    }
}

#[cfg(test)]
mod tests;
