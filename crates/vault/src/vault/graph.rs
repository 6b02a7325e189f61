//! Notes and the links between them: those around a note, and all.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::Serialize;

use super::links::Meaning;
use super::{FileRef, Vault, last_segment};
use crate::limits;
use crate::text::fold;

/// What a node of a [`Graph`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NodeKind {
    /// A note.
    Note,
    /// A target of links that nothing answers to.
    Missing,
    /// A file that is not a note.
    Attachment,
    /// A tag.
    Tag,
}

/// A node of a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GraphNode {
    /// The file; none for a tag and for a target that nothing answers to.
    pub file: Option<FileRef>,
    /// What it is called; of a tag its name without `#`.
    pub title: String,
    /// Steps from the middle; 0 in the graph of everything.
    pub distance: usize,
    /// What it is.
    pub kind: NodeKind,
    /// How many links of this graph it has, in either direction.
    pub links: usize,
}

/// Notes and the links between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// The nodes; of a local graph the middle is the first.
    pub nodes: Vec<GraphNode>,
    /// Links as pairs of indices into [`Graph::nodes`], from and to, each pair once.
    pub edges: Vec<(usize, usize)>,
}

/// What the graph of everything shows beside notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphOptions {
    /// Tags, with an edge from each note that has one.
    pub tags: bool,
    /// Files that are not notes.
    pub attachments: bool,
    /// Targets that nothing answers to.
    pub missing: bool,
    /// Notes without links.
    pub orphans: bool,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self {
            tags: false,
            attachments: false,
            missing: true,
            orphans: true,
        }
    }
}

/// Something in the graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key<'v> {
    File(&'v FileRef),
    /// The folded target.
    Missing(&'v str),
    /// The folded name.
    Tag(String),
}

impl Vault {
    /// The files within `depth` links of a note, in either direction, targets without a file included; at most
    /// [`limits::GRAPH_NODES`], the nearest first.
    pub fn local_graph(&self, file: &FileRef, depth: usize) -> Graph {
        let mut drawing = Drawing::default();
        let mut waiting = VecDeque::from([(Key::File(file), 0)]);
        let mut seen = BTreeSet::from([Key::File(file)]);
        while let Some((key, distance)) = waiting.pop_front() {
            if drawing.graph.nodes.len() >= limits::GRAPH_NODES {
                break;
            }
            if distance < depth {
                let next: BTreeSet<Key<'_>> = self.neighbours(&key).collect();
                waiting.extend(
                    next.into_iter()
                        .filter(|key| seen.insert(key.clone()))
                        .map(|key| (key, distance + 1)),
                );
            }
            self.draw(&mut drawing, key, distance);
        }
        let keys: Vec<Key<'_>> = drawing.index.keys().cloned().collect();
        for from in keys {
            for to in self.leads_to(&from) {
                drawing.connect(&from, &to);
            }
        }
        drawing.done()
    }

    /// Everything, and all links.
    pub fn graph(&self, options: GraphOptions) -> Graph {
        let mut drawing = Drawing::default();
        for (file, _) in self.notes() {
            if !self.is_excluded(file) {
                self.draw(&mut drawing, Key::File(file), 0);
            }
        }
        let notes: Vec<Key<'_>> = drawing.index.keys().cloned().collect();
        if options.missing {
            for (target, _) in self.links().missing() {
                self.draw(&mut drawing, Key::Missing(target), 0);
            }
        }
        if options.attachments {
            for file in self.attachments.keys().filter(|file| !self.is_excluded(file)) {
                self.draw(&mut drawing, Key::File(file), 0);
            }
        }
        let sources = notes
            .iter()
            .cloned()
            .chain(self.attachments.keys().filter(|_| options.attachments).map(Key::File));
        for from in sources {
            for to in self.leads_to(&from) {
                drawing.connect(&from, &to);
            }
        }
        if options.tags {
            self.draw_tags(&mut drawing, &notes);
        }
        let mut graph = drawing.done();
        if !options.orphans {
            drop_orphans(&mut graph);
        }
        graph
    }

    fn draw_tags<'v>(&'v self, drawing: &mut Drawing<'v>, notes: &[Key<'v>]) {
        let mut shown: BTreeMap<String, &str> = BTreeMap::new();
        let mut edges = Vec::new();
        for key in notes {
            let Key::File(file) = key else { continue };
            for tag in self.notes.get(*file).iter().flat_map(|note| &note.tags) {
                let folded = fold(&tag.name);
                edges.push((key.clone(), folded.clone()));
                shown.entry(folded).or_insert(&tag.name);
            }
        }
        for (folded, name) in shown {
            drawing.add(Key::Tag(folded), None, name.to_owned(), 0, NodeKind::Tag);
        }
        for (from, tag) in edges {
            drawing.connect(&from, &Key::Tag(tag));
        }
    }

    /// What something leads to.
    fn leads_to<'v>(&'v self, key: &Key<'v>) -> impl Iterator<Item = Key<'v>> + use<'v> {
        let meanings = match key {
            Key::File(file) => self.links().from(file),
            Key::Missing(_) | Key::Tag(_) => &[],
        };
        meanings.iter().map(|meaning| match meaning {
            Meaning::File(to) => Key::File(&to.file),
            Meaning::Missing(target) => Key::Missing(target),
        })
    }

    /// What something leads to, and what leads to it.
    fn neighbours<'v>(&'v self, key: &Key<'v>) -> impl Iterator<Item = Key<'v>> + use<'v> {
        let from = match key {
            Key::File(file) => self.links().to(file),
            Key::Missing(target) => self.links().to_missing(target),
            Key::Tag(_) => &[],
        };
        self.leads_to(key)
            .chain(from.iter().map(|known| Key::File(&known.file)))
    }

    fn draw<'v>(&'v self, drawing: &mut Drawing<'v>, key: Key<'v>, distance: usize) {
        let (file, title, kind) = match &key {
            Key::File(file) => match self.notes.get(*file) {
                Some(note) => (Some((*file).clone()), note.title.clone(), NodeKind::Note),
                None => {
                    let name = last_segment(&file.path).to_owned();
                    (Some((*file).clone()), name, NodeKind::Attachment)
                }
            },
            Key::Missing(target) => (None, self.written(target), NodeKind::Missing),
            Key::Tag(name) => (None, name.clone(), NodeKind::Tag),
        };
        drawing.add(key, file, title, distance, kind);
    }
}

/// A graph that is being made.
#[derive(Default)]
struct Drawing<'v> {
    graph: Graph,
    index: HashMap<Key<'v>, usize>,
}

impl<'v> Drawing<'v> {
    fn add(&mut self, key: Key<'v>, file: Option<FileRef>, title: String, distance: usize, kind: NodeKind) {
        self.index.entry(key).or_insert_with(|| {
            self.graph.nodes.push(GraphNode {
                file,
                title,
                distance,
                kind,
                links: 0,
            });
            self.graph.nodes.len() - 1
        });
    }

    /// An edge between two things that are both there and not the same.
    fn connect(&mut self, from: &Key<'v>, to: &Key<'v>) {
        if let (Some(&from), Some(&to)) = (self.index.get(from), self.index.get(to))
            && from != to
        {
            self.graph.edges.push((from, to));
        }
    }

    fn done(mut self) -> Graph {
        self.graph.edges.sort_unstable();
        self.graph.edges.dedup();
        for &(from, to) in &self.graph.edges {
            for end in [from, to] {
                if let Some(node) = self.graph.nodes.get_mut(end) {
                    node.links += 1;
                }
            }
        }
        self.graph
    }
}

/// Takes nodes without links out.
fn drop_orphans(graph: &mut Graph) {
    let mut new = Vec::with_capacity(graph.nodes.len());
    let mut kept = 0;
    for node in &graph.nodes {
        new.push(kept);
        kept += usize::from(node.links > 0);
    }
    graph.nodes.retain(|node| node.links > 0);
    for (from, to) in &mut graph.edges {
        (*from, *to) = (new[*from], new[*to]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::Note;
    use crate::vault::Layer;

    fn vault() -> Vault {
        let mut vault = Vault::default();
        for (path, text) in [
            ("a.md", "[[b]] [[missing]] #t"),
            ("b.md", "[[c]] [[c]] ![[p.png]] [[#x]]"),
            ("c.md", "[[d]]"),
            ("d.md", ""),
            ("e.md", "alone"),
        ] {
            vault.insert(Layer::User, Note::parse(path, text));
        }
        vault.insert_attachment(Layer::User, "p.png");
        vault
    }

    fn titles(graph: &Graph) -> Vec<&str> {
        graph.nodes.iter().map(|node| node.title.as_str()).collect()
    }

    #[test]
    fn as_far_as_asked() {
        let vault = vault();
        let file = FileRef {
            layer: Layer::User,
            path: "b.md".into(),
        };
        let graph = vault.local_graph(&file, 1);
        let nodes: Vec<_> = graph
            .nodes
            .iter()
            .map(|node| (node.title.as_str(), node.distance, node.links))
            .collect();
        assert_eq!(nodes, [("b", 0, 3), ("a", 1, 1), ("c", 1, 1), ("p.png", 1, 1)]);
        assert_eq!(graph.edges, [(0, 2), (0, 3), (1, 0)]);
        assert_eq!(
            titles(&vault.local_graph(&file, 2)),
            ["b", "a", "c", "p.png", "missing", "d"]
        );
        assert_eq!(titles(&vault.local_graph(&file, 0)), ["b"]);
    }

    #[test]
    fn everything() {
        let vault = vault();
        let graph = vault.graph(GraphOptions::default());
        assert_eq!(titles(&graph), ["a", "b", "c", "d", "e", "missing"]);
        assert_eq!(graph.edges, [(0, 1), (0, 5), (1, 2), (2, 3)]);
        let graph = vault.graph(GraphOptions {
            tags: true,
            attachments: true,
            missing: false,
            orphans: false,
        });
        assert_eq!(titles(&graph), ["a", "b", "c", "d", "p.png", "t"]);
        assert_eq!(graph.edges, [(0, 1), (0, 5), (1, 2), (1, 4), (2, 3)]);
    }
}
