//! Where in a note a link leads.

use super::{Spot, Vault};
use crate::note::{Heading, Note, Subpath};
use crate::text::heading_key;

impl Vault {
    /// The heading or block of `note` that a subpath means; none if it is not there (the link still leads to the note).
    pub fn spot(note: &Note, subpath: &Subpath) -> Option<Spot> {
        match subpath {
            Subpath::Block(id) => {
                let block = note.block(id)?;
                Some(Spot {
                    anchor: block_anchor(&block.id),
                    place: block.block,
                    line: block.place.line,
                })
            }
            Subpath::Heading(segments) => {
                let heading = heading(note, segments)?;
                let place = note.place(heading.place.start..heading.section_end);
                Some(Spot {
                    anchor: heading.anchor.clone(),
                    place,
                    line: heading.place.line,
                })
            }
        }
    }
}

/// The `id` attribute of a block.
pub(crate) fn block_anchor(id: &str) -> String {
    format!("^{id}")
}

/// The first heading whose text is the first segment, and then, for each further segment, the next one below it.
fn heading<'n>(note: &'n Note, segments: &[String]) -> Option<&'n Heading> {
    let keys: Vec<String> = segments.iter().map(|segment| heading_key(segment)).collect();
    let (first, rest) = keys.split_first()?;
    let mut starts = note
        .headings
        .iter()
        .enumerate()
        .filter(|(_, heading)| heading_key(&heading.raw) == *first);
    starts.find_map(|(index, heading)| {
        let mut found = (index, heading);
        for key in rest {
            let below = note.headings.iter().enumerate().skip(found.0 + 1);
            let mut below = below.take_while(|(_, heading)| heading.place.start < found.1.section_end);
            found = below.find(|(_, heading)| heading_key(&heading.raw) == *key)?;
        }
        Some(found.1)
    })
}
