//! A small cache: the values used last, at most so many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps the values used last.
#[derive(Debug)]
pub struct Cache<K, V> {
    entries: Mutex<VecDeque<(K, Arc<V>)>>,
    capacity: usize,
}

impl<K: PartialEq, V> Cache<K, V> {
    /// A cache of at most `capacity` values.
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: Mutex::new(VecDeque::new()),
            capacity,
        }
    }

    /// The value of a key, which is now the one used last.
    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let index = entries.iter().position(|(known, _)| known == key)?;
        let entry = entries.remove(index)?;
        let value = entry.1.clone();
        entries.push_back(entry);
        Some(value)
    }

    /// Forgets the values of these keys.
    pub fn remove(&self, is: impl Fn(&K) -> bool) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|(known, _)| !is(known));
    }

    /// Keeps a value; the one that was not used for the longest time may go.
    pub fn put(&self, key: K, value: V) -> Arc<V> {
        let value = Arc::new(value);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|(known, _)| *known != key);
        entries.push_back((key, value.clone()));
        while entries.len() > self.capacity {
            entries.pop_front();
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays() {
        let cache = Cache::new(2);
        cache.put("a", 1);
        cache.put("b", 2);
        assert_eq!(cache.get(&"a").as_deref(), Some(&1));
        cache.put("c", 3);
        assert_eq!(cache.get(&"b"), None);
        assert_eq!(cache.get(&"a").as_deref(), Some(&1));
        cache.put("a", 9);
        assert_eq!(cache.get(&"a").as_deref(), Some(&9));
    }
}
