//! YAML with a place for every value.
//!
//! One reader for everything that Peapod reads: manifests (as `kubectl` reads them: YAML 1.1 scalars through
//! `sigs.k8s.io/yaml`), experiments, and the properties of notes (YAML 1.2 core). The event stream comes from
//! `saphyr-parser`; what a plain scalar means, merge keys, duplicate keys, alias limits and spans are ours.
//!
//! ```
//! use peapod_yaml::{Dialect, read};
//!
//! let documents = read("ready: yes\nmode: 0644\n", Dialect::Kubernetes)?;
//! assert_eq!(documents[0].to_json(), serde_json::json!({ "ready": true, "mode": 420 }));
//! assert_eq!(documents[0].place("/mode").map(|span| (span.line, span.column)), Some((2, 7)));
//! # Ok::<(), peapod_yaml::Error>(())
//! ```

mod error;
mod node;
mod reader;
mod scalar;
mod text;

pub use error::Error;
pub use node::{Key, Node, Value, escape};
pub use reader::{MAX_DEPTH, read, read_each};

/// Which plain scalars mean what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `sigs.k8s.io/yaml` on `go.yaml.in/yaml/v2`: `yes` is a boolean, `0644` is 420, keys too. Merge keys (`<<`) merge.
    Kubernetes,
    /// YAML 1.2 core schema: for experiments and note properties. Keys are the text that is written.
    Core,
}

/// A place in the text that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: usize,
    /// Byte offset after the last byte.
    pub end: usize,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}
