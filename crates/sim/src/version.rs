//! Versions of Kubernetes as data: gates and defaults that a user can see. Behaviour asks the profile and never compares
//! version numbers.

use std::fmt;

/// A version of Kubernetes that can be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    minor: u8,
}

impl Version {
    /// The newest version, and the one that recorded traces come from.
    pub const NEWEST: Self = Self { minor: 36 };

    /// All versions, oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (36..=36).map(|minor| Self { minor })
    }

    /// The patch release whose behaviour is simulated.
    pub fn patch(self) -> u8 {
        if self == Self::NEWEST { 2 } else { 0 }
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
