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
    let (first, rest) = segments.split_first()?;
    let named = |segment: &str| {
        note.headings_by_key
            .get(&heading_key(segment))
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    named(first).iter().find_map(|&index| {
        let mut found = index;
        for segment in rest {
            let end = note.headings.get(found)?.section_end;
            let named = named(segment);
            let below = *named.get(named.partition_point(|&index| index <= found))?;
            if note.headings.get(below)?.place.start >= end {
                return None;
            }
            found = below;
        }
        note.headings.get(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_by_their_path() {
        let note = Note::parse("n.md", "# 하나\n## 끝\n# 둘\n## 끝\n### 속\n# 하나\n## 속\n글 ^b\n");
        let line = |text: &str| {
            let segments = text.split('#').map(str::to_owned).collect();
            Vault::spot(&note, &Subpath::Heading(segments)).map(|spot| spot.line)
        };
        let found = ["끝", "둘#끝", "둘#속", "하나#속", "하나#둘", "없음", "끝#하나"].map(line);
        assert_eq!(found, [Some(2), Some(4), Some(5), Some(7), None, None, None]);
        let block = Vault::spot(&note, &Subpath::Block("B".into()));
        assert_eq!(block.map(|spot| (spot.anchor, spot.line)), Some(("^b".into(), 8)));
    }
}
