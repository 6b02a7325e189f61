//! The notes around a note.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::backlinks::targets;
use super::{FileRef, Graph, GraphNode, Vault};
use crate::limits;
use crate::text::{fold, nfc};

/// Something in the graph: a file, or the folded name of what is not there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    File(FileRef),
    Missing(String),
}

impl Vault {
    /// The notes within `depth` links of a note, in either direction, targets without a note included; at most
    /// [`limits::GRAPH_NODES`], the nearest first.
    pub fn local_graph(&self, file: &FileRef, depth: usize) -> Graph {
        let mut names: BTreeMap<Key, String> = BTreeMap::new();
        let mut neighbours: BTreeMap<Key, BTreeSet<(Key, bool)>> = BTreeMap::new();
        for (from, note) in self.notes() {
            let from_key = Key::File(from.clone());
            names.insert(from_key.clone(), note.title.clone());
            for (target, ..) in targets(note) {
                let to = match self.resolve(from, target) {
                    Some(resolution) => Key::File(resolution.file),
                    None => Key::Missing(fold(target.trim())),
                };
                if to == from_key {
                    continue;
                }
                names.entry(to.clone()).or_insert_with(|| nfc(target.trim()));
                neighbours
                    .entry(from_key.clone())
                    .or_default()
                    .insert((to.clone(), true));
                neighbours.entry(to).or_default().insert((from_key.clone(), false));
            }
        }
        let mut graph = Graph::default();
        let mut index_of: BTreeMap<Key, usize> = BTreeMap::new();
        let mut waiting = VecDeque::from([(Key::File(file.clone()), 0)]);
        while let Some((key, distance)) = waiting.pop_front() {
            if graph.nodes.len() >= limits::GRAPH_NODES || index_of.contains_key(&key) {
                continue;
            }
            index_of.insert(key.clone(), graph.nodes.len());
            if distance < depth {
                let next = neighbours.get(&key).into_iter().flatten();
                waiting.extend(next.map(|(key, _)| (key.clone(), distance + 1)));
            }
            let title = names.get(&key).cloned().unwrap_or_default();
            let file = match key {
                Key::File(file) => Some(file),
                Key::Missing(_) => None,
            };
            graph.nodes.push(GraphNode { file, title, distance });
        }
        for (key, &from) in &index_of {
            for (to, _) in neighbours
                .get(key)
                .into_iter()
                .flatten()
                .filter(|(_, outward)| *outward)
            {
                graph.edges.extend(index_of.get(to).map(|&to| (from, to)));
            }
        }
        graph.edges.sort_unstable();
        graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::Note;
    use crate::vault::Layer;

    #[test]
    fn as_far_as_asked() {
        let mut vault = Vault::default();
        for (path, text) in [
            ("a.md", "[[b]] [[missing]]"),
            ("b.md", "[[c]]"),
            ("c.md", "[[d]]"),
            ("d.md", ""),
        ] {
            vault.insert(Layer::User, Note::parse(path, text));
        }
        let file = FileRef {
            layer: Layer::User,
            path: "b.md".into(),
        };
        let graph = vault.local_graph(&file, 1);
        let titles: Vec<_> = graph
            .nodes
            .iter()
            .map(|node| (node.title.as_str(), node.distance))
            .collect();
        assert_eq!(titles, [("b", 0), ("a", 1), ("c", 1)]);
        assert_eq!(graph.edges, [(0, 2), (1, 0)]);
        assert_eq!(vault.local_graph(&file, 2).nodes.len(), 5);
    }
}
