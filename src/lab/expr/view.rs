//! What expressions see of a cluster: the objects as they are after each single write, and the log lines.
//!
//! The view follows the cluster's writes one by one, so that a version which is replaced in the same reaction (a pod
//! that is marked Failed and deleted) is seen too.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use peapod_sim::objects::{Key, Kind};
use peapod_sim::store::{Stored, Write};
use peapod_sim::trace::{Change, LogLine};
use serde_json::Value;

/// The objects and logs of a cluster at one write.
#[derive(Debug, Default)]
pub struct View {
    objects: BTreeMap<Key, Entry>,
    logs: BTreeMap<(String, String), Log>,
}

#[derive(Debug)]
struct Entry {
    stored: Arc<Stored>,
    json: OnceCell<Arc<Value>>,
}

#[derive(Debug, Default)]
struct Log {
    instance: u32,
    text: String,
}

/// So many bytes of a container's log are looked at, the last ones.
const MAX_LOG: usize = 1024 * 1024;

impl View {
    /// Takes one write over.
    pub fn apply(&mut self, write: &Write) {
        let key = write.stored.object.key();
        if write.change == Change::Deleted {
            self.objects.remove(&key);
        } else {
            self.objects.insert(
                key,
                Entry {
                    stored: Arc::clone(&write.stored),
                    json: OnceCell::new(),
                },
            );
        }
    }

    /// Takes one log line over. As `kubectl logs` does, only what the newest instance wrote is kept.
    pub fn log(&mut self, line: &LogLine) {
        let log = self
            .logs
            .entry((line.pod_uid.clone(), line.container.clone()))
            .or_default();
        if log.instance != line.instance {
            *log = Log {
                instance: line.instance,
                text: String::new(),
            };
        }
        log.text.push_str(&line.text);
        log.text.push('\n');
        if log.text.len() > 2 * MAX_LOG {
            let cut = (log.text.len() - MAX_LOG..log.text.len()).find(|at| log.text.is_char_boundary(*at));
            log.text.drain(..cut.unwrap_or(0));
        }
    }

    /// The object at a key.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key).map(Entry::json)
    }

    /// The objects of a kind, by namespace and name.
    pub fn list(&self, kind: Kind) -> impl Iterator<Item = (&Key, &Value)> {
        let first = Key::new(kind, "", "");
        self.objects
            .range(first..)
            .take_while(move |(key, _)| key.kind == kind)
            .map(|(key, entry)| (key, entry.json()))
    }

    /// What a container of a pod has written.
    pub fn log_of(&self, uid: &str, container: &str) -> &str {
        self.logs
            .get(&(uid.to_owned(), container.to_owned()))
            .map_or("", |log| &log.text)
    }
}

impl Entry {
    fn json(&self) -> &Value {
        self.json.get_or_init(|| self.stored.json())
    }
}
