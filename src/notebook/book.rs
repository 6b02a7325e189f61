//! A notebook as it is kept: its cells, and what was done with them, in order. The simulation is deterministic, so what was
//! done is all that has to be kept: doing it again gives the same cluster.

use std::collections::BTreeSet;

use peapod_sim::time::SimTime;
use serde::{Deserialize, Serialize};

/// Cells of one notebook.
pub const MAX_CELLS: usize = 300;

/// Things done in one notebook until it begins anew.
pub const MAX_DEEDS: usize = 5_000;

/// Bytes of one cell.
pub const MAX_TEXT: usize = 256 * 1024;

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cell {
    /// Unique in its notebook, for as long as that exists.
    pub id: String,
    /// Its text.
    pub text: String,
    /// The cell of the note that it comes from.
    pub key: Option<String>,
    /// The text that the note has.
    pub origin: Option<String>,
}

impl Cell {
    /// Whether the text is another one than the note's.
    pub fn is_edited(&self) -> bool {
        self.origin.as_deref().is_some_and(|origin| origin != self.text)
    }
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "camelCase")]
pub enum Deed {
    /// A cell was run.
    Cell {
        /// Which.
        cell: String,
        /// The text that it had.
        text: String,
        /// How often it was looked whether to go on before it was interrupted; none when it was not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        looks: Option<u64>,
    },
    /// A line was typed into the console, or a button of the clock was pressed.
    Line {
        /// The line.
        text: String,
        /// As above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        looks: Option<u64>,
    },
    /// Time followed the real one up to an instant.
    Reach {
        /// The instant.
        to: SimTime,
    },
}

impl Deed {
    fn cell(&self) -> Option<&str> {
        match self {
            Self::Cell { cell, .. } => Some(cell),
            _ => None,
        }
    }
}

/// A notebook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Book {
    /// The cells, from top to bottom.
    pub cells: Vec<Cell>,
    /// What was done since the cluster began, in order.
    pub deeds: Vec<Deed>,
    /// The next cell's number.
    next: u64,
}

impl Book {
    /// The cell of this id.
    pub fn cell(&self, id: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.id == id)
    }

    /// The same, to be changed.
    pub fn cell_mut(&mut self, id: &str) -> Option<&mut Cell> {
        self.cells.iter_mut().find(|cell| cell.id == id)
    }

    fn id(&mut self) -> String {
        self.next += 1;
        format!("c{}", self.next)
    }

    /// Puts a cell in at a place; its id. None when there are too many.
    pub fn insert(&mut self, at: usize, text: &str) -> Option<String> {
        if self.cells.len() >= MAX_CELLS {
            return None;
        }
        let id = self.id();
        let cell = Cell {
            id: id.clone(),
            text: text.to_owned(),
            ..Cell::default()
        };
        self.cells.insert(at.min(self.cells.len()), cell);
        Some(id)
    }

    /// Adds what was done. Time that passes further is one deed.
    pub fn did(&mut self, deed: Deed) {
        match (self.deeds.last_mut(), &deed) {
            (Some(Deed::Reach { to: last }), Deed::Reach { to }) => *last = *to,
            _ => self.deeds.push(deed),
        }
    }

    /// Takes over the cells of a note (key and text), which may have changed: the texts of those that were not edited
    /// here, those that are new, their order. Those that the note no longer has go. Says whether anything changed.
    pub fn follow(&mut self, note: &[(String, String)]) -> bool {
        let before = self.cells.clone();
        let mut cells: Vec<Cell> = Vec::new();
        for (key, text) in note.iter().take(MAX_CELLS) {
            let known = self
                .cells
                .iter()
                .position(|cell| cell.key.as_ref() == Some(key))
                .map(|index| self.cells.remove(index));
            let mut cell = match known {
                Some(cell) => cell,
                None => Cell {
                    id: self.id(),
                    text: text.clone(),
                    key: Some(key.clone()),
                    origin: Some(text.clone()),
                },
            };
            if !cell.is_edited() {
                cell.text.clone_from(text);
            }
            cell.origin = Some(text.clone());
            cells.push(cell);
        }
        self.cells = cells;
        self.cells != before
    }

    /// The last run of a cell, as an index into the deeds.
    pub fn last_run(&self, id: &str) -> Option<usize> {
        self.deeds.iter().rposition(|deed| deed.cell() == Some(id))
    }

    /// The cells whose output is no longer what running the notebook from its top would give: their own text has changed
    /// since they ran, or a cell above them has, or ran after them, or is gone.
    pub fn stale(&self) -> BTreeSet<&str> {
        let mut stale = BTreeSet::new();
        let mut above: Vec<Option<usize>> = Vec::new();
        let mut is_stale_above = false;
        let gone = self.deeds.iter().position(|deed| {
            deed.cell()
                .is_some_and(|id| !self.cells.iter().any(|cell| cell.id == id))
        });
        for cell in &self.cells {
            let ran = self.last_run(&cell.id);
            if let Some(at) = ran {
                let text = matches!(self.deeds.get(at), Some(Deed::Cell { text, .. }) if *text == cell.text);
                let is_fresh = text
                    && !is_stale_above
                    && above.iter().flatten().all(|other| *other < at)
                    && gone.is_none_or(|gone| gone > at);
                if !is_fresh {
                    stale.insert(cell.id.as_str());
                    is_stale_above = true;
                }
            }
            above.push(ran);
        }
        stale
    }

    /// What was done before a cell ran for the first time; none when it never ran.
    pub fn before(&self, id: &str) -> Option<Vec<Deed>> {
        let first = self.deeds.iter().position(|deed| deed.cell() == Some(id))?;
        self.deeds.get(..first).map(<[Deed]>::to_vec)
    }

    /// What to do so that nothing is stale: how many of the deeds so far stay, and what is done after them. Each cell that
    /// ran runs once, from top to bottom, and after it what was typed after it.
    pub fn fresh(&self) -> (usize, Vec<Deed>) {
        let mut start: Vec<Deed> = Vec::new();
        let mut after: Vec<(&str, Vec<Deed>)> = Vec::new();
        for deed in &self.deeds {
            match deed.cell() {
                Some(id) => match after.iter().position(|(known, _)| *known == id) {
                    // What is typed next belongs to the run that was last.
                    Some(at) => {
                        let known = after.remove(at);
                        after.push(known);
                    }
                    None => after.push((id, Vec::new())),
                },
                None => match after.last_mut() {
                    Some((_, deeds)) => deeds.push(deed.clone()),
                    None => start.push(deed.clone()),
                },
            }
        }
        let mut wanted = start;
        for cell in &self.cells {
            if let Some((_, deeds)) = after.iter().find(|(id, _)| *id == cell.id) {
                wanted.push(Deed::Cell {
                    cell: cell.id.clone(),
                    text: cell.text.clone(),
                    looks: None,
                });
                wanted.extend(deeds.iter().cloned());
            }
        }
        let same = wanted
            .iter()
            .zip(&self.deeds)
            .take_while(|(new, old)| new == old)
            .count();
        (same, wanted.split_off(same))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn book(texts: &[&str]) -> Book {
        let mut book = Book::default();
        for (at, text) in texts.iter().enumerate() {
            book.insert(at, text).unwrap();
        }
        book
    }

    fn ran(book: &mut Book, id: &str) {
        let text = book.cell(id).unwrap().text.clone();
        book.did(Deed::Cell {
            cell: id.to_owned(),
            text,
            looks: None,
        });
    }

    fn typed(book: &mut Book, text: &str) {
        book.did(Deed::Line {
            text: text.to_owned(),
            looks: None,
        });
    }

    fn words(deeds: &[Deed]) -> Vec<String> {
        deeds
            .iter()
            .map(|deed| match deed {
                Deed::Cell { cell, text, .. } => format!("{cell}:{text}"),
                Deed::Line { text, .. } => text.clone(),
                Deed::Reach { to } => format!("{to}"),
            })
            .collect()
    }

    #[test]
    fn what_is_stale_follows_from_what_was_done() {
        let mut book = book(&["a", "b", "c"]);
        assert!(book.stale().is_empty(), "nothing ran");
        ["c1", "c2", "c3"].iter().for_each(|id| ran(&mut book, id));
        assert!(book.stale().is_empty());
        ran(&mut book, "c3");
        assert!(book.stale().is_empty(), "looking again is allowed");
        book.cell_mut("c2").unwrap().text = "b2".to_owned();
        assert_eq!(book.stale().into_iter().collect::<Vec<_>>(), ["c2", "c3"]);
        ran(&mut book, "c2");
        assert_eq!(
            book.stale().into_iter().collect::<Vec<_>>(),
            ["c3"],
            "the one above ran after it"
        );
        ran(&mut book, "c3");
        assert!(book.stale().is_empty());
        book.cells.remove(0);
        assert_eq!(
            book.stale().into_iter().collect::<Vec<_>>(),
            ["c2", "c3"],
            "a cell is gone"
        );
    }

    #[test]
    fn what_is_stale_is_done_again_after_what_is_not() {
        let mut book = book(&["a", "b", "c"]);
        ran(&mut book, "c1");
        typed(&mut book, "%settle");
        ran(&mut book, "c2");
        typed(&mut book, "%step");
        ran(&mut book, "c2");
        ran(&mut book, "c3");
        book.cell_mut("c2").unwrap().text = "b2".to_owned();
        let (kept, then) = book.fresh();
        assert_eq!(kept, 2);
        assert_eq!(words(&then), ["c2:b2", "%step", "c3:c"]);
        assert_eq!(words(&book.before("c2").unwrap()), ["c1:a", "%settle"]);
        assert_eq!(book.before("c9"), None);
    }

    #[test]
    fn cells_run_out_of_order_come_into_order() {
        let mut book = book(&["a", "b"]);
        ran(&mut book, "c2");
        ran(&mut book, "c1");
        assert_eq!(book.stale().into_iter().collect::<Vec<_>>(), ["c2"]);
        let (kept, then) = book.fresh();
        assert_eq!((kept, words(&then)), (0, vec!["c1:a".to_owned(), "c2:b".to_owned()]));
    }

    #[test]
    fn time_that_passes_is_one_deed() {
        let mut book = Book::default();
        for seconds in 1..=3 {
            book.did(Deed::Reach {
                to: SimTime(seconds * 1_000_000_000),
            });
        }
        assert_eq!(words(&book.deeds), ["3s"]);
    }

    #[test]
    fn a_note_that_changes_is_followed() {
        let note = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
                .collect()
        };
        let mut book = Book::default();
        book.follow(&note(&[("pod", "1"), ("get", "2")]));
        ran(&mut book, "c1");
        ran(&mut book, "c2");
        book.cell_mut("c2").unwrap().text = "mine".to_owned();
        book.follow(&note(&[("new", "0"), ("pod", "1b"), ("get", "2b")]));
        let texts: Vec<(&str, &str)> = book
            .cells
            .iter()
            .map(|cell| (cell.id.as_str(), cell.text.as_str()))
            .collect();
        assert_eq!(texts, [("c3", "0"), ("c1", "1b"), ("c2", "mine")]);
        assert!(book.cell("c2").unwrap().is_edited());
        assert_eq!(book.stale().into_iter().collect::<Vec<_>>(), ["c1", "c2"]);
    }
}
